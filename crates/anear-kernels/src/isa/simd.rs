//! What kernels ask of an instruction set: [`Registers`] is what each one implements,
//! [`Simd`] is what metrics are written in, 32 floats at a time on every one of them.

/// Floats per step of every kernel: the lanes of the canonical order.
pub(crate) const WIDE: usize = 32;

/// The registers of an instruction set, and the operations on them.
///
/// A value is the proof that this CPU has the instructions. Every operation is a single IEEE operation per lane,
/// so that all instruction sets agree to the bit; `a * b + c` is fused where `mul_add` says so, and nowhere else.
pub(crate) trait Registers: Copy {
    /// `LANES` floats.
    type Reg: Copy;
    /// 32 floats, in `32 / LANES` registers.
    type Wide: Copy + AsRef<[Self::Reg]> + AsMut<[Self::Reg]>;

    const LANES: usize;

    fn zero(self) -> Self::Wide;
    fn splat(self, value: f32) -> Self::Reg;
    /// The first `LANES` floats of `from`.
    fn load(self, from: &[f32]) -> Self::Reg;
    /// The first `len` floats of `from`, at most `LANES`; zeros follow.
    fn load_first(self, len: usize, from: &[f32]) -> Self::Reg;
    /// Writes `a` to the first `LANES` floats of `to`.
    fn store(self, a: Self::Reg, to: &mut [f32]);
    fn add(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    fn sub(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    fn mul(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    fn div(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::Reg, b: Self::Reg, c: Self::Reg) -> Self::Reg;
    fn abs(self, a: Self::Reg) -> Self::Reg;
    /// The larger of two floats without sign; NaN is larger than any number. (So are their bits, as integers.)
    fn max_magnitude(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    /// Per lane `x` where `a < b`, else `y`.
    fn if_less(self, a: Self::Reg, b: Self::Reg, x: Self::Reg, y: Self::Reg) -> Self::Reg;
    /// Adds the upper half of the lanes to the lower until one is left.
    fn sum(self, a: Self::Reg) -> f32;
    /// The largest lane, in the sense of `max_magnitude`.
    fn largest(self, a: Self::Reg) -> f32;
}

/// Registers that multiply and add as fast as they multiply, for products that need not be canonical.
pub(crate) trait Fused: Registers {
    /// One bit per lane, lowest first: whether `a < b`. Never for NaN.
    fn less(self, a: Self::Reg, b: Self::Reg) -> u32;
    /// The smaller float per lane; which one for NaN is left open, as for `max`.
    fn min(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    fn max(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
}

/// Arithmetic on 32 floats at once.
pub(crate) trait Simd: Copy {
    /// 32 floats.
    type Wide: Copy;

    fn zero(self) -> Self::Wide;
    fn load(self, chunk: &[f32; WIDE]) -> Self::Wide;
    /// `len` floats (fewer than 32), then zeros.
    fn load_first(self, len: usize, chunk: &[f32]) -> Self::Wide;
    fn add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn sub(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn mul(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn div(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide;
    fn abs(self, a: Self::Wide) -> Self::Wide;
    /// `f` of each pair of floats, for what no instruction does.
    fn map(self, a: Self::Wide, b: Self::Wide, f: impl Fn(f32, f32) -> f32) -> Self::Wide;
    /// The larger of two floats without sign; NaN is larger than any number.
    fn max_magnitude(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// Adds lane `i + 16` to lane `i`, then `i + 8`, `i + 4`, `i + 2`, `i + 1`.
    fn sum(self, a: Self::Wide) -> f32;
    /// The largest of 32 floats without sign; NaN is larger than any number.
    fn largest(self, a: Self::Wide) -> f32;
}

impl<R: Registers> Simd for R {
    type Wide = R::Wide;

    #[inline(always)]
    fn zero(self) -> R::Wide {
        Registers::zero(self)
    }

    #[inline(always)]
    fn load(self, chunk: &[f32; WIDE]) -> R::Wide {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.as_mut().iter_mut().enumerate() {
            *register = Registers::load(self, &chunk[i * R::LANES..]);
        }
        wide
    }

    #[inline(always)]
    fn load_first(self, len: usize, chunk: &[f32]) -> R::Wide {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.as_mut().iter_mut().enumerate() {
            let skip = len.min(i * R::LANES);
            *register = Registers::load_first(self, len - skip, &chunk[skip..]);
        }
        wide
    }

    #[inline(always)]
    fn add(self, a: R::Wide, b: R::Wide) -> R::Wide {
        zip::<R>(self, a, b, R::add)
    }

    #[inline(always)]
    fn sub(self, a: R::Wide, b: R::Wide) -> R::Wide {
        zip::<R>(self, a, b, R::sub)
    }

    #[inline(always)]
    fn mul(self, a: R::Wide, b: R::Wide) -> R::Wide {
        zip::<R>(self, a, b, R::mul)
    }

    #[inline(always)]
    fn div(self, a: R::Wide, b: R::Wide) -> R::Wide {
        zip::<R>(self, a, b, R::div)
    }

    #[inline(always)]
    fn mul_add(self, mut a: R::Wide, b: R::Wide, c: R::Wide) -> R::Wide {
        for ((a, b), c) in a.as_mut().iter_mut().zip(b.as_ref()).zip(c.as_ref()) {
            *a = Registers::mul_add(self, *a, *b, *c);
        }
        a
    }

    #[inline(always)]
    fn abs(self, mut a: R::Wide) -> R::Wide {
        for register in a.as_mut() {
            *register = Registers::abs(self, *register);
        }
        a
    }

    #[inline(always)]
    fn map(self, a: R::Wide, b: R::Wide, f: impl Fn(f32, f32) -> f32) -> R::Wide {
        let (mut a, b) = (lanes(self, a), lanes(self, b));
        a.iter_mut().zip(b).for_each(|(a, b)| *a = f(*a, b));
        Simd::load(self, &a)
    }

    #[inline(always)]
    fn max_magnitude(self, a: R::Wide, b: R::Wide) -> R::Wide {
        zip::<R>(self, a, b, R::max_magnitude)
    }

    #[inline(always)]
    fn sum(self, a: R::Wide) -> f32 {
        Registers::sum(self, fold::<R>(self, a, R::add))
    }

    #[inline(always)]
    fn largest(self, a: R::Wide) -> f32 {
        Registers::largest(self, fold::<R>(self, a, R::max_magnitude))
    }
}

#[inline(always)]
fn zip<R: Registers>(simd: R, mut a: R::Wide, b: R::Wide, f: impl Fn(R, R::Reg, R::Reg) -> R::Reg) -> R::Wide {
    for (a, b) in a.as_mut().iter_mut().zip(b.as_ref()) {
        *a = f(simd, *a, *b);
    }
    a
}

#[inline(always)]
fn lanes<R: Registers>(simd: R, a: R::Wide) -> [f32; WIDE] {
    let mut lanes = [0.0; WIDE];
    for (register, lanes) in a.as_ref().iter().zip(lanes.chunks_exact_mut(R::LANES)) {
        simd.store(*register, lanes);
    }
    lanes
}

/// Folds the upper half of the registers onto the lower until one is left.
#[inline(always)]
fn fold<R: Registers>(simd: R, mut a: R::Wide, f: impl Fn(R, R::Reg, R::Reg) -> R::Reg) -> R::Reg {
    let registers = a.as_mut();
    let mut half = registers.len() / 2;
    while half > 0 {
        for i in 0..half {
            registers[i] = f(simd, registers[i], registers[i + half]);
        }
        half /= 2;
    }
    registers[0]
}
