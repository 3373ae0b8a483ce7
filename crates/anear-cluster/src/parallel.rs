//! A loop on a pool, or on the calling thread where there is none.

use std::ops::Range;

use anear_pool::Pool;

/// `[f(0), .., f(n - 1)]`.
pub(crate) fn map<T: Send>(pool: Option<&Pool>, n: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    match pool {
        Some(pool) if n > 1 => pool.map(n, f),
        _ => (0..n).map(f).collect(),
    }
}

/// `f` of every stretch of `0..n` that is `len` long, the last one shorter, in order.
pub(crate) fn stretches<T: Send>(
    pool: Option<&Pool>,
    n: usize,
    len: usize,
    f: impl Fn(Range<usize>) -> T + Send + Sync,
) -> Vec<T> {
    map(pool, n.div_ceil(len), |i| f(i * len..n.min((i + 1) * len)))
}
