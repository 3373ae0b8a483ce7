//! Instruction sets: which there are, and which one this process uses.
//!
//! What kernels ask of one is in `simd.rs`; the files beside it answer, one per instruction set.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod scalar;
pub(crate) mod simd;
pub(crate) mod widen;

use std::{fmt, str::FromStr, sync::LazyLock};

use crate::names::{self, UnknownName};

/// A family of vector instructions that the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// What the compiler makes of plain Rust; runs everywhere, and is the reference for the others.
    Scalar,
    /// 128-bit vectors of 64-bit Arm.
    Neon,
    /// 256-bit vectors of x86-64, with fused multiply-add.
    Avx2,
    /// 512-bit vectors of x86-64.
    Avx512,
}

impl Isa {
    /// Every instruction set, the better ones later.
    pub const ALL: &[Self] = &[Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    /// The name, as in the environment variable `ANEAR_ISA`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            _ => false,
        }
    }

    fn available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.iter().copied().filter(|isa| isa.is_available())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        names::parse("instruction set", Self::ALL, Self::name, name)
    }
}

/// The instruction set that this process uses, chosen at the first question and never changed.
///
/// The best there is, unless the environment says otherwise: `ANEAR_ISA` names one;
/// `FAISS_NO_AVX2`, set to anything, forbids AVX2 and AVX-512.
pub fn isa() -> Isa {
    CHOICE.isa
}

/// One line for bug reports: the instruction set in use, those available, and what decided.
pub fn isa_report() -> String {
    let available: Vec<_> = Isa::available().map(Isa::name).collect();
    format!("{} ({}); available: {}", CHOICE.isa, CHOICE.why, available.join(", "))
}

struct Choice {
    isa: Isa,
    why: String,
}

static CHOICE: LazyLock<Choice> = LazyLock::new(detect);

/// The only place where this crate looks at the environment.
fn detect() -> Choice {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let wish = variable("ANEAR_ISA").map(|wish| wish.to_string_lossy().into_owned());
    choose(wish.as_deref(), variable("FAISS_NO_AVX2").is_some())
}

fn choose(wish: Option<&str>, no_avx: bool) -> Choice {
    let allowed = |isa: &Isa| !(no_avx && matches!(isa, Isa::Avx2 | Isa::Avx512));
    let best = Isa::available().rfind(allowed).unwrap_or(Isa::Scalar);
    let forbidden = if no_avx { ", FAISS_NO_AVX2 is set" } else { "" };
    let because = |why: String| Choice {
        isa: best,
        why: format!("{why}{forbidden}"),
    };
    match wish.map(|wish| (wish, wish.parse::<Isa>())) {
        None => because("best available".to_owned()),
        Some((_, Err(unknown))) => because(format!("best available, ANEAR_ISA: {unknown}")),
        Some((wish, Ok(isa))) if !isa.is_available() => {
            because(format!("best available, ANEAR_ISA={wish} is not available here"))
        }
        Some((wish, Ok(isa))) if !allowed(&isa) => because(format!("best allowed, not ANEAR_ISA={wish}")),
        Some((wish, Ok(isa))) => Choice {
            isa,
            why: format!("ANEAR_ISA={wish}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_back_and_others_are_refused_by_name() {
        for &isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        let message = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown instruction set `sse9`; known: scalar, neon, avx2, avx512"
        );
    }

    #[test]
    fn a_wish_is_followed_if_it_can_be_and_explained_if_not() {
        assert_eq!(choose(Some("scalar"), false).isa, Isa::Scalar);
        let best = choose(None, false).isa;
        for wish in ["sse9", if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" }] {
            let choice = choose(Some(wish), false);
            assert_eq!(choice.isa, best);
            assert!(choice.why.contains(wish), "{}", choice.why);
        }
    }

    #[test]
    fn faiss_no_avx2_forbids_avx_even_if_wished_for() {
        for wish in [None, Some("avx2"), Some("avx512")] {
            let choice = choose(wish, true);
            assert!(!matches!(choice.isa, Isa::Avx2 | Isa::Avx512));
            assert!(choice.why.contains("FAISS_NO_AVX2"), "{}", choice.why);
        }
    }

    #[test]
    fn the_report_names_the_choice() {
        assert!(isa_report().starts_with(isa().name()));
    }
}
