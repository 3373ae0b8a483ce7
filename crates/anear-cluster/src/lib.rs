//! Clustering for the anear vector search engine: k-means in its useful forms.
//!
//! | to | use |
//! |---|---|
//! | cluster, with Faiss's parameters and defaults | [`KMeansParams`] |
//! | cluster into very many clusters | [`HierarchicalParams`] |
//! | cluster very many vectors | [`MiniBatchParams`] |
//! | keep clusters from growing too large | [`BalancedParams`] |
//! | find the nearest centroid of each of many vectors | [`assign`], [`KMeans::assign`] |
//!
//! **Equal to the bit.** The same seed gives the same centroids on any number of threads and every instruction set.
//! A vector goes to the centroid at the smallest canonical distance (see `anear-kernels`), ties to the smallest position;
//! sums are taken in the order of the vectors. Products and sketches only tell which centroids need not be measured.
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
mod balanced;
mod clusters;
mod error;
mod hierarchical;
mod kmeans;
mod minibatch;
mod parallel;
mod params;
mod random;

pub use assign::{Assignment, assign};
pub use balanced::{Balanced, BalancedParams};
pub use error::{Error, Result};
pub use hierarchical::HierarchicalParams;
pub use kmeans::{IterationStats, KMeans, TooFewPoints};
pub use minibatch::MiniBatchParams;
pub use params::{Init, KMeansParams, Training};
