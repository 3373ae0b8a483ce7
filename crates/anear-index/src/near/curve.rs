//! How far a search must look for the recall that is asked of it: measured when an index is built, on some of its own
//! vectors, each of which is searched for as if it were not there.

use anear_bytes::Cursor;

use super::effort::{By, Effort};
use crate::{Error, Result};

/// Neighbors that efforts are measured for: requests for fewer than the first are answered as for the first. Where one in so
/// many is an answer, as many times more are looked for: hence the last.
pub(super) const NEIGHBORS: [usize; 3] = [10, 100, 1000];

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

    /// What the best effort that was measured goes by.
    pub(super) fn by(&self) -> By {
        self.0.last().map_or(By::Codes, |point| point.effort.by)
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

    /// What [`save`](Self::save) wrote, of efforts that go by one of these.
    pub(super) fn load(cursor: &mut Cursor<'_>, by: &[By]) -> Result<Self> {
        let count = cursor.u32("number of measured efforts")?;
        let (points, _) = cursor.items(count.into(), 21, "measured efforts")?.as_chunks();
        let points: Option<Vec<Point>> = points.iter().map(|saved| Point::load(saved, by)).collect();
        let damaged = || Error::Damaged("measured efforts are in no order".into());
        let points = points.ok_or_else(damaged)?;
        match points.is_sorted_by(|a, b| a.recall < b.recall) {
            true => Ok(Self(points)),
            false => Err(damaged()),
        }
    }
}

impl Point {
    fn load(saved: &[u8; 21], by: &[By]) -> Option<Self> {
        let number = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| saved[4 * i + byte]));
        let point = Self {
            recall: f32::from_bits(number(0)),
            cost: f32::from_bits(number(1)),
            effort: Effort {
                visits: number(2) as usize,
                candidates: number(3) as usize,
                slack: f32::from_bits(number(4)),
                by: *by.iter().find(|by| **by as u8 == saved[20])?,
            },
        };
        let Effort { visits, slack, .. } = point.effort;
        let is_sound =
            (0.0..=1.0).contains(&point.recall) && point.cost >= 0.0 && visits > 0 && slack.is_finite() && slack > -1.0;
        is_sound.then_some(point)
    }
}

/// For each of [`NEIGHBORS`].
pub(super) type Curves = [Curve; NEIGHBORS.len()];

/// For so many neighbors and a recall: between two numbers of them that were measured, or as many times what was for the
/// most. None where no effort that was measured for as many reached the recall.
pub(super) fn effort_for(curves: &Curves, neighbors: f64, recall: f64) -> Option<Effort> {
    let measured = NEIGHBORS.map(|measured| measured as f64);
    let Some(above) = measured.iter().position(|measured| neighbors <= *measured) else {
        let last = measured.len() - 1;
        return Some(curves[last].effort(recall)?.times(neighbors / measured[last]));
    };
    let reached = curves[above].effort(recall)?;
    let Some(below) = above.checked_sub(1).filter(|_| neighbors < measured[above]) else {
        return Some(reached);
    };
    // What a walk for more goes by, ends too soon for fewer.
    let effort = curves[below].effort(recall)?;
    let share = (neighbors / measured[below]).ln() / (measured[above] / measured[below]).ln();
    Some(match effort.by == reached.by {
        true => effort.towards(reached, share),
        false => reached,
    })
}

fn between(below: &Point, above: &Point, recall: f64) -> Effort {
    let missed = |recall: f64| (1.0 - recall).max(1e-5).ln();
    let (from, to) = (missed(below.recall.into()), missed(above.recall.into()));
    let share = match from == to {
        true => 1.0,
        false => ((missed(recall) - from) / (to - from)).clamp(0.0, 1.0),
    };
    below.effort.towards(above.effort, share)
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
        assert_eq!(Curve::load(&mut Cursor::new(&saved), &[By::Codes]).unwrap(), curve);
        saved[4..8].copy_from_slice(&2.0_f32.to_le_bytes());
        assert!(Curve::load(&mut Cursor::new(&saved), &[By::Codes]).is_err());
    }

    #[test]
    fn efforts_for_other_numbers_of_neighbors_lie_between_those_that_were_measured() {
        let mut curves = [(10, 20), (40, 160), (90, 1400)].map(|(visits, candidates)| {
            let reached = point(0.96, visits, candidates, 1.0);
            Curve::of(vec![reached])
        });
        let effort = |curves: &Curves, neighbors| {
            effort_for(curves, neighbors, 0.95).map(|effort| (effort.visits, effort.candidates))
        };
        let asked = [1.0, 10.0, 1000.0_f64.sqrt(), 100.0, 1000.0, 3000.0];
        let want = [(10, 20), (10, 20), (25, 90), (40, 160), (90, 1400), (270, 4200)];
        assert_eq!(asked.map(|neighbors| effort(&curves, neighbors)), want.map(Some));
        assert_eq!(effort_for(&curves, 10.0, 0.97), None);
        // What goes by vectors for more goes by them for fewer than those.
        let mut by_vectors = point(0.96, 7, 1400, 1.0);
        by_vectors.effort.by = By::Vectors;
        curves[2] = Curve::of(vec![by_vectors]);
        assert_eq!(effort(&curves, 200.0), Some((7, 1400)));
        curves[2] = Curve::default();
        assert_eq!((effort(&curves, 200.0), effort(&curves, 99.0).is_some()), (None, true));
        curves[0] = Curve::default();
        assert_eq!(
            [5.0, 20.0, 100.0].map(|neighbors| effort(&curves, neighbors)),
            [None, None, Some((40, 160))]
        );
    }

    #[test]
    fn between_codes_and_vectors_there_is_nothing() {
        let mut points = vec![point(0.9, 10, 160, 1.0), point(0.99, 4, 12, 2.0)];
        points[1].effort.by = By::Vectors;
        let curve = Curve::of(points.clone());
        assert_eq!(curve.effort(0.91), Some(points[1].effort));
        assert_eq!((curve.effort(0.85), curve.by()), (Some(points[0].effort), By::Vectors));
        let mut saved = Vec::new();
        curve.save(&mut saved);
        assert_eq!(Curve::load(&mut Cursor::new(&saved), &By::ALL).unwrap(), curve);
        assert!(Curve::load(&mut Cursor::new(&saved), &[By::Codes]).is_err());
        *saved.last_mut().unwrap() = 2;
        assert!(Curve::load(&mut Cursor::new(&saved), &By::ALL).is_err());
    }
}
