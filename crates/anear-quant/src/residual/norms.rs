//! Squared norms behind codes: as they are, or as numbers of a few bits.

use anear_kernels::Rows;

use crate::{Error, Result, Training, product::codebook};

/// What is kept of the squared norm of what a code stands for, as Faiss names it (`AdditiveQuantizer::Search_type_t`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NormKind {
    /// Nothing: by L2, codes are decoded.
    #[default]
    None,
    /// `_Nfloat`: all of it.
    Float,
    /// `_Nqint8`: one of 256 steps between the smallest and the largest.
    Qint8,
    /// `_Nqint4`: one of 16 steps.
    Qint4,
    /// `_Ncqint8`: the nearest of 256 that were learned.
    Cqint8,
    /// `_Ncqint4`: the nearest of 16 that were learned.
    Cqint4,
}

impl NormKind {
    /// Each with what stands for it in tokens, and its bits.
    const ALL: [(Self, &str, u32); 6] = [
        (Self::None, "_Nnone", 0),
        (Self::Float, "_Nfloat", 32),
        (Self::Qint8, "_Nqint8", 8),
        (Self::Qint4, "_Nqint4", 4),
        (Self::Cqint8, "_Ncqint8", 8),
        (Self::Cqint4, "_Ncqint4", 4),
    ];

    fn row(self) -> (&'static str, u32) {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or(("", 0), |(_, suffix, bits)| (suffix, *bits))
    }

    /// What stands for it at the end of a token.
    pub(super) fn suffix(self) -> &'static str {
        self.row().0
    }

    /// Splits off what stands for it at the end of a token.
    pub(super) fn strip(token: &str) -> (&str, Self) {
        let stripped = |(kind, suffix, _): &(Self, &str, _)| Some((token.strip_suffix(*suffix)?, *kind));
        Self::ALL.iter().find_map(stripped).unwrap_or((token, Self::None))
    }

    /// Bits behind a code.
    pub fn bits(self) -> u32 {
        self.row().1
    }

    /// How many numbers describe the steps: the smallest and the largest norm, or all that were learned.
    pub fn levels(self) -> usize {
        match self {
            Self::None | Self::Float => 0,
            Self::Qint8 | Self::Qint4 => 2,
            Self::Cqint8 | Self::Cqint4 => 1 << self.bits(),
        }
    }

    /// The fewest norms of which the steps can be learned.
    pub(super) fn needed(self) -> usize {
        self.levels().min(1 << self.bits())
    }
}

/// How norms become numbers.
#[derive(Clone, Debug)]
pub(super) struct Norms {
    kind: NormKind,
    levels: Vec<f32>,
}

impl Norms {
    pub(super) fn new(kind: NormKind, levels: Vec<f32>) -> Result<Self> {
        if levels.len() != kind.levels() {
            return Err(Error::Damaged(format!(
                "{} numbers describe steps of norms, expected {}",
                levels.len(),
                kind.levels()
            )));
        }
        if levels.iter().any(|level| !level.is_finite()) {
            return Err(Error::Damaged("a step of norms is not finite".into()));
        }
        Ok(Self { kind, levels })
    }

    /// What is learned of norms like these.
    pub(super) fn train(kind: NormKind, norms: &[f32], training: &Training<'_>) -> Result<Self> {
        let levels = match kind {
            NormKind::None | NormKind::Float => Vec::new(),
            NormKind::Qint8 | NormKind::Qint4 => vec![
                norms.iter().copied().fold(f32::INFINITY, f32::min),
                norms.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            ],
            NormKind::Cqint8 | NormKind::Cqint4 => {
                let rows = Rows::new(norms, 1).expect("single numbers are rows of one component");
                let mut levels = codebook(rows, kind.levels(), training.seed, training.pool)?;
                levels.sort_by(f32::total_cmp);
                levels
            }
        };
        Self::new(kind, levels)
    }

    pub(super) fn levels(&self) -> &[f32] {
        &self.levels
    }

    /// The number that stands for a norm.
    pub(super) fn number(&self, norm: f32) -> u32 {
        let steps = (1_u64 << self.kind.bits()) as f32;
        match (self.kind, &self.levels[..]) {
            (NormKind::None, _) => 0,
            (NormKind::Float, _) => norm.to_bits(),
            (NormKind::Qint8 | NormKind::Qint4, &[min, max]) => {
                ((norm - min) / (max - min) * steps).min(steps - 1.0) as u32
            }
            (_, levels) => {
                let distances = levels.iter().map(|level| (level - norm).abs());
                let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
                nearest.map_or(0, |(number, _)| number as u32)
            }
        }
    }

    /// The norm that a number stands for.
    pub(super) fn norm(&self, number: u32) -> f32 {
        let steps = (1_u64 << self.kind.bits()) as f32;
        match (self.kind, &self.levels[..]) {
            (NormKind::None, _) => 0.0,
            (NormKind::Float, _) => f32::from_bits(number),
            // The middle of the step.
            (NormKind::Qint8 | NormKind::Qint4, &[min, max]) => (number as f32 + 0.5) / steps * (max - min) + min,
            (_, levels) => levels[number as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_come_back_as_near_as_their_bits_allow() {
        let norms: Vec<f32> = (0..600).map(|i| 3.0 + (i * i % 601) as f32 / 100.0).collect();
        for (kind, within) in [
            (NormKind::Float, 0.0),
            (NormKind::Qint8, 6.0 / 512.0),
            (NormKind::Qint4, 6.0 / 32.0),
            (NormKind::Cqint8, 0.1),
            (NormKind::Cqint4, 0.5),
        ] {
            let learned = Norms::train(kind, &norms, &Training::default()).unwrap();
            for norm in &norms {
                let number = learned.number(*norm);
                assert!(u64::from(number) < 1 << kind.bits());
                assert!((learned.norm(number) - norm).abs() <= within + 1e-5, "{kind:?}: {norm}");
            }
        }
        // All alike, beyond the range, or no number at all: some number stands for it.
        let alike = Norms::new(NormKind::Qint8, vec![2.0, 2.0]).unwrap();
        assert!([2.0, 9.0, -9.0, f32::NAN].iter().all(|norm| alike.number(*norm) < 256));
        assert_eq!(alike.norm(0), 2.0);
    }

    #[test]
    fn steps_that_cannot_be_are_refused() {
        assert!(Norms::new(NormKind::Qint8, vec![1.0]).is_err());
        assert!(Norms::new(NormKind::Qint8, vec![1.0, f32::NAN]).is_err());
        assert!(Norms::new(NormKind::Float, vec![1.0]).is_err());
    }
}
