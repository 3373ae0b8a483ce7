//! Inputs that are nearly right: a good one, changed in a few places.

use fastrand::Rng;

/// Values that counts, lengths and flags go wrong at.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// What [`changed`] may do to bytes.
#[derive(Clone, Copy)]
enum Change {
    Flip,
    Edge,
    Step,
    Cut,
    Drop,
    Repeat,
    Copy,
}

const CHANGES: [Change; 9] = [
    Change::Flip,
    Change::Flip,
    Change::Edge,
    Change::Edge,
    Change::Step,
    Change::Cut,
    Change::Drop,
    Change::Repeat,
    Change::Copy,
];

/// `good` with one to four changes. Heads are changed as often as all the rest, for there the counts are.
pub(crate) fn changed(good: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..rng.usize(1..=4) {
        if bytes.is_empty() {
            bytes.push(rng.u8(..));
        }
        let change = CHANGES[rng.usize(..CHANGES.len())];
        apply(change, &mut bytes, rng);
    }
    bytes
}

fn apply(change: Change, bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = place(bytes.len(), rng);
    let end = (at + rng.usize(1..=32)).min(bytes.len());
    match change {
        Change::Flip => bytes[at] ^= 1 << rng.u8(..8),
        Change::Edge => {
            let width = [1, 2, 4, 8][rng.usize(..4)].min(bytes.len() - at);
            let value = EDGES[rng.usize(..EDGES.len())].to_le_bytes();
            bytes[at..at + width].copy_from_slice(&value[..width]);
        }
        Change::Step => bytes[at] = bytes[at].wrapping_add(rng.u8(..16)).wrapping_sub(8),
        Change::Cut => bytes.truncate(at),
        Change::Drop => drop(bytes.drain(at..end)),
        Change::Repeat => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        Change::Copy => {
            let from = rng.usize(..bytes.len() - (end - at) + 1);
            bytes.copy_within(from..from + (end - at), at);
        }
    }
}

/// Somewhere in the first hundred bytes, or anywhere.
fn place(len: usize, rng: &mut Rng) -> usize {
    if rng.bool() {
        rng.usize(..len.min(100))
    } else {
        rng.usize(..len)
    }
}
