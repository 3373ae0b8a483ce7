//! Which vectors are there more than once.

use std::ops::Range;

use anear_kernels::Rows;

/// Rows by the vector that they hold.
pub(super) struct Distinct {
    rows: Vec<u32>,
    /// Where in `rows` those of each vector are, in the order of the first of each.
    groups: Vec<Range<usize>>,
}

impl Distinct {
    /// Rows with the same hash count as the same: of a million vectors that are not, none has another's.
    pub(super) fn of(rows: Rows<'_>) -> Self {
        let mut hashed: Vec<(u64, u32)> = rows.iter().map(hash).zip(0..).collect();
        hashed.sort_unstable();
        let mut groups = Vec::new();
        let mut start = 0;
        for group in hashed.chunk_by(|(a, _), (b, _)| a == b) {
            groups.push(start..start + group.len());
            start += group.len();
        }
        groups.sort_unstable_by_key(|group| hashed[group.start].1);
        let rows = hashed.into_iter().map(|(_, row)| row).collect();
        Self { rows, groups }
    }

    /// The rows of each vector that is there no more often than this, ascending; of all vectors where there is no such.
    pub(super) fn rare(&self, most: usize) -> Vec<&[u32]> {
        let all = || self.groups.iter().map(|group| &self.rows[group.clone()]);
        let rare: Vec<_> = all().filter(|group| group.len() <= most).collect();
        if rare.is_empty() { all().collect() } else { rare }
    }
}

/// Alike for vectors that are equal, be it that a 0 has a sign.
fn hash(row: &[f32]) -> u64 {
    // An odd number with bits everywhere: 2^64 by the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    row.iter().fold(0, |hash: u64, x| {
        (hash.rotate_left(23) ^ u64::from((x + 0.0).to_bits())).wrapping_mul(SPREAD)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_their_vector() {
        let numbers = [1.0, 2.0, 0.0, 5.0, 1.0, 2.0, -0.0, 5.0, 3.0, 3.0, 1.0, 2.0];
        let distinct = Distinct::of(Rows::new(&numbers, 2).unwrap());
        assert_eq!(distinct.rare(3), [&[0, 2, 5][..], &[1, 3], &[4]]);
        assert_eq!(distinct.rare(2), [&[1, 3][..], &[4]]);
        assert_eq!(distinct.rare(0).len(), 3);
    }
}
