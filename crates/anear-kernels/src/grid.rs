//! Vectors as numbers of a few bits per component, stretched so that they point where the vector does.
//!
//! Plain Rust, compiled for each instruction set: the same bits on all of them.

use crate::kernels::Kernels;

/// Components that are rounded side by side.
const LANES: usize = 16;

/// For each scale, the inner product of levels with components, and with themselves.
pub(crate) type Fits = [[f32; 2]; Grid::SCALES];

/// The kernels of one instruction set.
pub(crate) struct Entry {
    /// The levels that each scale leads to, beside the components.
    pub(crate) fits: unsafe fn(&Grid, &[f32], &[f32; Grid::SCALES]) -> Fits,
    /// As [`Grid::round`], of one scale.
    pub(crate) numbers: unsafe fn(&Grid, &[f32], f32, &mut [u8]),
}

/// For each component levels that are evenly apart and lie around 0: number `n` of `b` bits stands for
/// `step * (n - (2^b - 1) / 2)`.
///
/// ```
/// use anear_kernels::Grid;
///
/// // Two components of four bits, one of one bit.
/// let grid = Grid::new([(1.0, 4), (1.0, 4), (6.0, 1)].into_iter());
/// let mut numbers = [0; 3];
/// // The levels are those of the components divided by 2: 0.5, -1.5 and 3.
/// let product = grid.round(&[1.0, -3.0, 6.0], &[0.5, 1.0, 2.0, 4.0, 8.0, 16.0], &mut numbers);
/// assert_eq!(numbers, [8, 6, 1]);
/// assert_eq!(product, 0.5 + 4.5 + 18.0);
/// ```
#[derive(Clone, Debug)]
pub struct Grid {
    dim: usize,
    chunks: Vec<Chunk>,
}

/// What is known of some components; those that make up for missing ones have the level 0 only.
#[derive(Clone, Debug, Default)]
struct Chunk {
    steps: [f32; LANES],
    per_step: [f32; LANES],
    highest: [f32; LANES],
}

impl Grid {
    /// How many scales are tried.
    pub const SCALES: usize = 6;

    /// The levels of each component: step and bits, of which there are 8 at most.
    pub fn new(levels: impl Iterator<Item = (f32, u32)>) -> Self {
        let mut grid = Self {
            dim: 0,
            chunks: Vec::new(),
        };
        for (step, bits) in levels {
            let lane = grid.dim % LANES;
            if lane == 0 {
                grid.chunks.push(Chunk::default());
            }
            if let Some(chunk) = grid.chunks.last_mut() {
                chunk.steps[lane] = step;
                chunk.per_step[lane] = 1.0 / step.max(f32::MIN_POSITIVE);
                chunk.highest[lane] = ((1_u32 << bits.min(8)) - 1) as f32;
            }
            grid.dim += 1;
        }
        grid
    }

    /// Rounds components that are multiplied by a scale to the nearest levels: by that of the scales with which the levels
    /// point most nearly where the components do. Returns the inner product of the levels with the components.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn round(&self, components: &[f32], scales: &[f32; Self::SCALES], numbers: &mut [u8]) -> f32 {
        self.round_on(Kernels::get(), components, scales, numbers)
    }

    /// As [`round`](Self::round), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn round_on(
        &self,
        kernels: &Kernels,
        components: &[f32],
        scales: &[f32; Self::SCALES],
        numbers: &mut [u8],
    ) -> f32 {
        assert_eq!(
            [components.len(), numbers.len()],
            [self.dim; 2],
            "as many as have levels"
        );
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        let fits = unsafe { (kernels.grid.fits)(self, components, scales) };
        let (mut best, mut product, mut scale) = (f32::NEG_INFINITY, 0.0, scales[0]);
        for ([of_both, of_levels], tried) in fits.into_iter().zip(scales) {
            let cosine = of_both / of_levels.sqrt().max(f32::MIN_POSITIVE);
            if cosine > best {
                (best, product, scale) = (cosine, of_both, *tried);
            }
        }
        // SAFETY: as above.
        unsafe { (kernels.grid.numbers)(self, components, scale, numbers) }
        product
    }
}

/// The [`Entry`] of plain functions.
pub(crate) static SCALAR: Entry = Entry { fits, numbers };

#[inline(always)]
pub(crate) fn fits(grid: &Grid, components: &[f32], scales: &[f32; Grid::SCALES]) -> Fits {
    let mut sums = [[[0.0; LANES]; 2]; Grid::SCALES];
    let (whole, rest) = components.as_chunks();
    for (components, chunk) in whole.iter().zip(&grid.chunks) {
        add(components, chunk, scales, &mut sums);
    }
    if let Some(chunk) = grid.chunks.get(whole.len()) {
        add(&padded(rest), chunk, scales, &mut sums);
    }
    sums.map(|sums| sums.map(|lanes| lanes.iter().sum()))
}

/// The last components, with zeros for those that are missing.
#[inline(always)]
fn padded(rest: &[f32]) -> [f32; LANES] {
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    last
}

#[inline(always)]
fn add(
    components: &[f32; LANES],
    chunk: &Chunk,
    scales: &[f32; Grid::SCALES],
    sums: &mut [[[f32; LANES]; 2]; Grid::SCALES],
) {
    for ([products, squares], scale) in sums.iter_mut().zip(scales) {
        for i in 0..LANES {
            let middle = 0.5 * chunk.highest[i];
            let level = (number(components[i], chunk, i, *scale) - middle) * chunk.steps[i];
            products[i] += level * components[i];
            squares[i] += level * level;
        }
    }
}

#[inline(always)]
pub(crate) fn numbers(grid: &Grid, components: &[f32], scale: f32, numbers: &mut [u8]) {
    let (whole, rest) = components.as_chunks();
    let (to_whole, to_rest) = numbers.as_chunks_mut();
    for ((components, chunk), numbers) in whole.iter().zip(&grid.chunks).zip(to_whole) {
        *numbers = numbers_of(components, chunk, scale);
    }
    if let Some(chunk) = grid.chunks.get(whole.len()) {
        to_rest.copy_from_slice(&numbers_of(&padded(rest), chunk, scale)[..rest.len()]);
    }
}

#[inline(always)]
fn numbers_of(components: &[f32; LANES], chunk: &Chunk, scale: f32) -> [u8; LANES] {
    let mut numbers = [0; LANES];
    for i in 0..LANES {
        numbers[i] = (number(components[i], chunk, i, scale) + WHOLE).to_bits() as u8;
    }
    numbers
}

/// Adding this to a float from 0 to 2^22 rounds it to a whole number, which its lowest bits are then.
const WHOLE: f32 = (1 << 23) as f32;

/// The nearest number of a component, as a float. Comparisons instead of `max` and `min`: what is not a number is at the
/// lower end, without further instructions.
#[inline(always)]
fn number(component: f32, chunk: &Chunk, lane: usize, scale: f32) -> f32 {
    let highest = chunk.highest[lane];
    let share = component * chunk.per_step[lane] * scale + 0.5 * highest;
    let above = if share > 0.0 { share } else { 0.0 };
    let within = if above < highest { above } else { highest };
    (within + WHOLE) - WHOLE
}
