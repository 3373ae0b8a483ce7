//! Clustering for the anear vector search engine: k-means in its useful forms.
//!
//! ```
//! use anear_cluster::{KMeansParams, Training};
//! use anear_kernels::Rows;
//!
//! let vectors = [0.0, 0.0, 0.0, 1.0, 9.0, 9.0, 9.0, 8.0, 0.5, 0.5];
//! let vectors = Rows::new(&vectors, 2).expect("five rows");
//! let kmeans = KMeansParams::new(2).train(vectors, &Training::default())?;
//! let assignment = kmeans.assign(vectors, None)?;
//! assert_eq!(assignment.ids[0], assignment.ids[1]);
//! assert_ne!(assignment.ids[0], assignment.ids[2]);
//! assert_eq!(kmeans.centroids().len(), 2);
//! # Ok::<(), anear_cluster::Error>(())
//! ```
#![forbid(unsafe_code)]

mod assign;
mod clusters;
mod error;
mod kmeans;
mod parallel;
mod params;
mod random;

pub use assign::{Assignment, assign};
pub use error::{Error, Result};
pub use kmeans::{IterationStats, KMeans, TooFewPoints};
pub use params::{Init, KMeansParams, Training};
