//! Telling the processor which memory is needed soon.

/// Bytes that come from memory together.
const LINE: usize = 64;

/// Hints that `data` is read soon: for walks that jump, where the processor cannot tell by itself. Nothing else happens.
///
/// ```
/// let links = [1_u32, 2, 3];
/// anear_kernels::prefetch(&links);
/// ```
#[inline]
pub fn prefetch<T>(data: &[T]) {
    let start: *const u8 = data.as_ptr().cast();
    for offset in (0..size_of_val(data)).step_by(LINE) {
        line(start.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: part of every x86-64, and a hint may name any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn line(_at: *const u8) {}
