//! How far a search looks, and what that is measured in.

/// How many times more visits than on average a walk makes at most: what is asked for may be as far from everything.
const LONGEST: usize = 8;

/// Standard deviations that chance is given.
pub(super) const SPREADS: f64 = 2.0;

/// The slack of walks: where neighbors hardly differ in distance a little goes a long way, and in few dimensions much.
pub(super) const SLACKS: [f32; 20] = [
    -0.2, -0.1, -0.05, 0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.18, 0.22, 0.27, 0.33, 0.4, 0.55, 0.8, 1.2, 2.0,
];

/// How much longer bytes at random places take than bytes in order: rows of 2 kB took 0.14 ns a byte in a walk, blocks of
/// lists 0.03 (Sapphire Rapids, 100,000 x 384).
pub(super) const JUMP: usize = 5;

/// The same where one or two lines of 64 bytes are together: codes of 64 and 96 bytes took 23 and 30 ns each in a walk, of
/// which estimating took 6 and 7 (Zen 4, 340,000 x 100 and 100,000 x 384).
pub(super) const ALONE: usize = 12;

/// What tells how far the vectors of lists are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Codes,
    /// The vectors themselves: where codes do not tell neighbors apart, as in small clusters far from each other.
    Vectors,
}

impl By {
    /// In files each is its place.
    pub(super) const ALL: [Self; 2] = [Self::Codes, Self::Vectors];
}

/// How far a search looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Effort {
    /// Lists, or rows of the graph, that are read: in a walk that has a slack so many on average, and [`LONGEST`] times as
    /// many at most.
    pub(super) visits: usize,
    /// A walk ends where what is next is farther than the last of the neighbors so far, by this share of its squared
    /// distance: then a query whose neighbors are easily told from the rest takes few visits, and another many
    /// (Al-Jazzazi et al., *Distance Adaptive Beam Search*, 2025). An infinite one lets it make all its visits.
    pub(super) slack: f32,
    /// Candidates that are compared as they are.
    pub(super) candidates: usize,
    /// What lists are read by; walks always go by codes.
    pub(super) by: By,
}

impl Effort {
    /// Visits that a walk makes at most.
    pub(super) fn visits_max(self) -> usize {
        match self.slack {
            f32::INFINITY => self.visits,
            _ => self.visits.saturating_mul(LONGEST),
        }
    }

    /// So many times as far, for as many times as many neighbors.
    pub(super) fn times(self, times: f64) -> Self {
        let count = |count: usize| (count as f64 * times).ceil() as usize;
        Self {
            visits: count(self.visits),
            candidates: count(self.candidates),
            ..self
        }
    }

    /// Of candidates more by the growth since it was measured, as so many more are about as near.
    pub(super) fn grown(self, growth: f64) -> Self {
        Self {
            candidates: (self.candidates as f64 * growth).ceil() as usize,
            ..self
        }
    }

    /// This share of the way to an effort that goes by the same.
    pub(super) fn towards(self, other: Self, share: f64) -> Self {
        let mix = |a: f64, b: f64| a + share * (b - a);
        let count = |a: usize, b: usize| mix(a as f64, b as f64).ceil() as usize;
        Self {
            visits: count(self.visits, other.visits),
            slack: mix(self.slack.into(), other.slack.into()) as f32,
            candidates: count(self.candidates, other.candidates),
            by: other.by,
        }
    }

    /// For as many neighbors of which only this share are answers: as many fewer candidates, and some more, as chance has it that
    /// of those that seem nearest fewer are.
    pub(super) fn among(self, share: f64) -> Self {
        let expected = self.candidates as f64 * share;
        let spread = (expected * (1.0 - share)).sqrt();
        Self {
            candidates: (expected + SPREADS * spread).ceil() as usize,
            ..self
        }
    }
}
