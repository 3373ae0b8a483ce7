//! Floats in, floats out: distances, scans and top-k for the anear vector search engine.
//!
//! Nothing here opens a file, starts a thread or fails: lengths that do not fit are a bug of the caller and panic,
//! and everything else has an answer.
//!
//! **Equal to the bit.** A distance is the same 32 bits on every instruction set, for one query or a batch,
//! on any number of threads, at any address, filtered or not. Each pair of vectors is folded in one canonical order:
//! 32 running totals (component `i` goes to total `i % 32`), plain multiplication and addition, then one fixed tree.
//! Batches find their candidates by a faster product, but only as a filter with a proven margin;
//! what passes is measured again in the canonical order. Packed codes are compared in the same order with fused
//! multiplication and addition, and so are products with a [`Matrix`], in the order of components. The power in Lp and the
//! logarithm in Jensen-Shannon are the operating system's: those two agree between instruction sets, and between machines
//! as far as their systems do.
//!
//! | to | use |
//! |---|---|
//! | look at a slice as vectors | [`Rows`], [`RowsMut`] |
//! | measure | [`Metric`] |
//! | search | [`scan`], [`scan_batch`], [`scan_range`]; in a quarter of the memory: [`ByteRows`] |
//! | multiply with a matrix | [`Matrix`]; nearly, in a quarter of the memory: [`ByteMatrix`] |
//! | compare rows with each other, nearly | [`BytePairs`] |
//! | find the one nearest of few for each of many | [`Nearest`] |
//! | compare with codes | [`Codebooks`], [`LookupTable`], [`fast_scan_masks`], [`EstimateTables`], [`BitWeights`], [`read_bits`] |
//! | keep the best | [`TopK`], [`Neighbor`], [`faiss_tie_order`] |
//! | compare with packed numbers | [`PackedQuery`], [`Packing`] |
//! | compare bit vectors | [`Bits`], [`hamming`] |
//! | restrict | [`IdSelector`], [`Bitmap`] |
//! | prepare | [`normalize()`], [`first_non_finite`], [`weighted_sum`] |
//! | encode | [`Grid`], [`quantize`], [`halves`] |
//! | draw | [`Random`] |
//! | know the machine | [`isa()`], [`isa_report`], [`Isa`] |

mod batch;
mod bitmap;
mod bounds;
mod byte_rows;
mod codes;
mod grid;
pub mod hamming;
mod isa;
mod kernels;
mod matrix;
mod metric;
mod names;
mod nearest;
mod normalize;
mod packed;
mod pairwise;
mod prefetch;
mod product;
mod quantize;
mod random;
mod rows;
mod scan;
mod select;
mod selector;
mod sketch;
mod split;
mod sum;

pub use batch::{scan_batch, scan_batch_at, scan_batch_listed};
pub use bitmap::Bitmap;
pub use byte_rows::{
    ByteQuery, ByteRows, ByteRun,
    matrix::ByteMatrix,
    pairs::BytePairs,
    sketched::{SketchedQueries, Sketcher, scan_batch_sketched},
};
pub use codes::{
    bit_weights::BitWeights,
    bits::{read_bits, write_bits},
    codebooks::Codebooks,
    estimates::{CodedPart, EstimateTables},
    fast_scan::{fast_scan_code, fast_scan_distances, fast_scan_masks, fast_scan_sums},
    lookup::LookupTable,
};
pub use grid::Grid;
pub use isa::{Isa, isa, isa_report};
pub use kernels::Kernels;
pub use matrix::Matrix;
pub use metric::{Exponent, Metric};
pub use names::UnknownName;
pub use nearest::Nearest;
pub use normalize::{first_non_finite, normalize};
pub use packed::{PackedQuery, Packing};
pub use prefetch::prefetch;
pub use quantize::{halves, quantize};
pub use random::Random;
pub use rows::{Bits, Rows, RowsMut};
pub use scan::{scan, scan_range};
pub use select::{Neighbor, TopK, faiss_tie_order};
pub use selector::{IdSelector, Predicate};
pub use sketch::{NearestBySketch, Sketches, Subspace};
pub use split::SplitQuery;
pub use sum::weighted_sum;
