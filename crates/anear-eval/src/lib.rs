//! How good and how fast: recall, ground truth, timing, frontiers, tuning and data sets for the indexes of anear.
//!
//! What ann-benchmarks and Faiss's `AutoTune` and `contrib.evaluation` measure, in one place:
//!
//! ```
//! use std::time::Duration;
//!
//! use anear_eval::datasets::Synthetic;
//! use anear_eval::{Effort, Vectors, knn_ground_truth, measure_batch, recall_at_k, wall_clock};
//! use anear_index::{IndexSpec, SearchRequest, Training, VectorIndexExt};
//! use anear_kernels::Metric;
//!
//! let data: Synthetic = "n=2000,d=16,nq=50".parse()?;
//! let (base, queries) = (Vectors::read(&mut data.base())?, Vectors::read(&mut data.queries())?);
//! let truth = knn_ground_truth(Metric::L2, queries.rows(), &mut data.base(), 10, None, &mut |_, _| ())?;
//!
//! let spec: IndexSpec = "IVF32,Flat".parse()?;
//! let mut index = spec.train(Metric::L2, base.rows(), &Training::default())?;
//! index.add(base.rows())?;
//! let effort = Effort { warm_up: 10, min_duration: Duration::from_millis(1) };
//! let request = SearchRequest::new(10).with("nprobe", 8.0);
//! let (found, timing) = measure_batch(&*index, queries.rows(), &request, &effort, &wall_clock())?;
//! println!("recall@10 {:.3} at {:.0} queries a second", recall_at_k(&found, &truth, 10), timing.qps);
//! # assert!(recall_at_k(&found, &truth, 10) > 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | use |
//! |---|---|
//! | read a data set, or make one up | [`datasets`], [`Blocks`], [`Vectors`] |
//! | know the true neighbors | [`knn_ground_truth`], [`range_ground_truth`] |
//! | say how many were found | [`recall_at_k`], [`one_recall_at`], [`intersection_measure`], [`range_pr`] |
//! | say how long it took | [`measure_batch`], [`measure_one_by_one`] |
//! | try all settings of an index | [`ParameterSpace`], [`OperatingPoints`] |
//! | find the fastest setting for a recall | [`tune`] |
//! | show it | [`picture`] |
//!
//! Nothing here starts a thread of its own; the clock, the seed and the threads come in as arguments.
//!
//! # Features
//!
//! | feature | brings | default |
//! |---|---|---|
//! | `hdf5` | the files of ann-benchmarks | no |
//! | `parquet` | columns of lists of floats | no |
//! | `png` | charts as PNG | no |
#![forbid(unsafe_code)]

mod blocks;
pub mod datasets;
mod error;
mod frontier;
mod ground_truth;
mod measure;
pub mod picture;
mod random;
mod range;
mod recall;
mod space;
mod tune;

pub use blocks::{Blocks, InMemory, Vectors};
pub use error::{Error, Result};
pub use frontier::{OperatingPoint, OperatingPoints};
pub use ground_truth::{Progress, knn_ground_truth, range_ground_truth};
pub use measure::{Clock, Effort, Latency, Timing, measure_batch, measure_one_by_one, wall_clock};
pub use range::{Averaging, Counts, PrecisionRecall, counts_to_pr, radius_for, range_pr, range_pr_at, within};
pub use recall::{Criterion, intersection_measure, one_recall_at, recall_at_k, recall_at_k_by_distance, remeasure};
pub use space::{ParameterSpace, Range};
pub use tune::{Goal, Trial, Tuned, tune};
