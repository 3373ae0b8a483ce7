//! Codes of quantizers: numbers of a few bits each that choose from codebooks, and the sums of what they choose.

pub(crate) mod bit_weights;
pub(crate) mod bits;
pub(crate) mod codebooks;
pub(crate) mod estimates;
pub(crate) mod fast_scan;
pub(crate) mod lookup;
