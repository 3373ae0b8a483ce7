//! How far a search must look for the recall that is asked of it: measured when an index is built, on some of its own
//! vectors, each of which is searched for as if it were not there.

use anear_bytes::Cursor;

use super::effort::{By, Effort};
use crate::{Error, Result};

/// Neighbors that efforts are measured for: requests for fewer than the first are answered as for the first.
pub(super) const NEIGHBORS: [usize; 2] = [10, 100];

/// The recall that is asked for where nothing else is said, and that decides what is built.
pub(super) const RECALL: f64 = 0.95;

/// What was measured for one effort.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) recall: f32,
    pub(super) effort: Effort,
    /// As [`Trail::cost`](super::trail::Trail::cost) says.
    pub(super) cost: f32,
}

/// The efforts that no other beats in both recall and cost, from cheap to good.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curve(Vec<Point>);

impl Curve {
    /// Of everything that was measured.
    pub(super) fn of(mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(b.recall.total_cmp(&a.recall)));
        let mut best = -1.0;
        points.retain(|point| {
            let is_better = point.recall > best;
            best = point.recall.max(best);
            is_better
        });
        Self(points)
    }

    /// The effort for a recall: between two that were measured, by how far the shares that are missed are from each other.
    /// None where no effort that was measured reached it.
    pub(super) fn effort(&self, recall: f64) -> Option<Effort> {
        let above = self.0.partition_point(|point| f64::from(point.recall) < recall);
        let reached = self.0.get(above)?;
        Some(match above.checked_sub(1).map(|below| &self.0[below]) {
            Some(below) if below.effort.by == reached.effort.by => between(below, reached, recall),
            _ => reached.effort,
        })
    }

    /// Whether nothing was measured.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.extend((self.0.len() as u32).to_le_bytes());
        for point in &self.0 {
            out.extend(point.recall.to_le_bytes());
            out.extend(point.cost.to_le_bytes());
            out.extend((point.effort.visits as u32).to_le_bytes());
            out.extend((point.effort.candidates as u32).to_le_bytes());
            out.extend(point.effort.slack.to_le_bytes());
            out.push(point.effort.by as u8);
        }
    }

    pub(super) fn load(cursor: &mut Cursor<'_>) -> Result<Self> {
        let count = cursor.u32("number of measured efforts")?;
        let (points, _) = cursor.items(count.into(), 21, "measured efforts")?.as_chunks::<21>();
        let number = |point: &[u8; 21], i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| point[4 * i + byte]));
        let points: Vec<Point> = points
            .iter()
            .map(|point| Point {
                recall: f32::from_bits(number(point, 0)),
                cost: f32::from_bits(number(point, 1)),
                effort: Effort {
                    visits: number(point, 2) as usize,
                    candidates: number(point, 3) as usize,
                    slack: f32::from_bits(number(point, 4)),
                    by: if point[20] == By::Codes as u8 {
                        By::Codes
                    } else {
                        By::Vectors
                    },
                },
            })
            .collect();
        let is_sound = |point: &Point| {
            let Effort { visits, slack, .. } = point.effort;
            (0.0..=1.0).contains(&point.recall) && point.cost >= 0.0 && visits > 0 && slack.is_finite() && slack > -1.0
        };
        if points.iter().all(is_sound) && points.is_sorted_by(|a, b| a.recall < b.recall) {
            return Ok(Self(points));
        }
        Err(Error::Damaged("measured efforts are in no order".into()))
    }
}

/// For each of [`NEIGHBORS`].
pub(super) type Curves = [Curve; NEIGHBORS.len()];

fn between(below: &Point, above: &Point, recall: f64) -> Effort {
    let missed = |recall: f64| (1.0 - recall).max(1e-5).ln();
    let (from, to) = (missed(below.recall.into()), missed(above.recall.into()));
    let share = match from == to {
        true => 1.0,
        false => ((missed(recall) - from) / (to - from)).clamp(0.0, 1.0),
    };
    let mix = |a: f64, b: f64| a + share * (b - a);
    let count = |a: usize, b: usize| mix(a as f64, b as f64).ceil() as usize;
    Effort {
        visits: count(below.effort.visits, above.effort.visits),
        slack: mix(below.effort.slack.into(), above.effort.slack.into()) as f32,
        candidates: count(below.effort.candidates, above.effort.candidates),
        by: above.effort.by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(recall: f32, visits: usize, candidates: usize, cost: f32) -> Point {
        let slack = visits as f32 / 16.0;
        let effort = Effort {
            visits,
            slack,
            candidates,
            by: By::Codes,
        };
        Point { recall, effort, cost }
    }

    #[test]
    fn what_is_beaten_is_left_out_and_the_rest_interpolated() {
        let curve = Curve::of(vec![
            point(0.9, 10, 10, 1.0),
            point(0.85, 20, 10, 2.0),
            point(0.99, 40, 30, 4.0),
            point(0.98, 40, 20, 5.0),
        ]);
        assert_eq!(curve.0.len(), 2);
        assert_eq!(
            curve.effort(0.5),
            Some(Effort {
                visits: 10,
                slack: 0.625,
                candidates: 10,
                by: By::Codes,
            })
        );
        assert_eq!(curve.effort(1.0), None);
        let half = curve.effort(1.0 - (0.1_f64 * 0.01).sqrt()).unwrap();
        assert_eq!((half.visits, half.candidates), (25, 20));
        assert!((half.slack - 1.5625).abs() < 1e-3, "{half:?}");
        let mut saved = Vec::new();
        curve.save(&mut saved);
        assert_eq!(Curve::load(&mut Cursor::new(&saved)).unwrap(), curve);
        saved[4..8].copy_from_slice(&2.0_f32.to_le_bytes());
        assert!(Curve::load(&mut Cursor::new(&saved)).is_err());
    }
}
