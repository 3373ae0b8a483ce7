//! Hamming distances: in how many bits two codes differ, one by one, in blocks and as a search.
//!
//! Whole numbers, so every instruction set agrees. Plain Rust becomes `popcnt` on x86-64 and `cnt` on Arm; only AVX-512
//! has instructions of its own worth writing, in `hamming/avx512.rs`. (With AVX2, counting by table lookup costs as many
//! cycles for codes of 8 to 128 bytes as `popcnt` does.)

#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::{
    bitmap::ones,
    isa::Isa,
    kernels::Kernels,
    prefetch::{self, prefetch},
    rows::Bits,
    select::{Neighbor, TopK},
    selector::IdSelector,
};

/// The number of bits in which `x` and `y` differ.
///
/// ```
/// assert_eq!(anear_kernels::hamming::distance(&[0b1100, 0xff], &[0b1010, 0xfe]), 3);
/// ```
///
/// # Panics
/// If the codes differ in length.
pub fn distance(x: &[u8], y: &[u8]) -> u32 {
    assert_eq!(x.len(), y.len(), "codes of one length");
    let mut distance = [0];
    if let Some(code) = Bits::new(y, y.len()) {
        distances(x, code, &mut distance);
    }
    distance[0]
}

/// The distances of `query` to each of `codes`, into `out`.
///
/// # Panics
/// If a length does not fit.
pub fn distances(query: &[u8], codes: Bits<'_>, out: &mut [u32]) {
    Kernels::get().hamming(query, codes, out);
}

/// The distances of `query` to the codes at the positions of `list`, into `out`.
///
/// # Panics
/// If a length does not fit, or a position is not below `codes.len()`.
pub fn distances_at(query: &[u8], codes: Bits<'_>, list: &[u32], out: &mut [u32]) {
    Kernels::get().hamming_at(query, codes, list, out);
}

/// Offers every code whose id `keep` accepts to each query's top-k; code `i` has the id `first_id + i`.
///
/// ```
/// use anear_kernels::{Bits, IdSelector, TopK, hamming};
///
/// let codes = Bits::new(&[0b0000, 0b0111, 0b0001], 1).expect("three codes of eight bits");
/// let mut tops = [TopK::new(2)];
/// hamming::scan(Bits::new(&[0b0011], 1).unwrap(), codes, 100, &IdSelector::All, &mut tops);
/// let [top] = tops;
/// let found: Vec<_> = top.into_sorted().iter().map(|n| (n.id, n.distance)).collect();
/// assert_eq!(found, [(101, 1.0), (102, 1.0)]);
/// ```
///
/// # Panics
/// If queries and codes differ in length, or there is not one top-k per query.
pub fn scan(queries: Bits<'_>, codes: Bits<'_>, first_id: u64, keep: &IdSelector<'_>, tops: &mut [TopK]) {
    Kernels::get().hamming_scan(queries, codes, first_id, keep, tops);
}

/// Appends every accepted code that differs from `query` in fewer than `radius` bits to `out`, in the order of ids.
///
/// # Panics
/// If query and codes differ in length.
pub fn scan_range(
    query: &[u8],
    codes: Bits<'_>,
    first_id: u64,
    keep: &IdSelector<'_>,
    radius: u32,
    out: &mut Vec<Neighbor>,
) {
    Kernels::get().hamming_scan_range(query, codes, first_id, keep, radius, out);
}

/// What an instruction set does: a query against a run of codes, and against a list of codes. Both return the least
/// distance, by which a search passes over most blocks; of none, the largest number.
struct Table {
    run: unsafe fn(&[u8], Bits<'_>, &mut [u32]) -> u32,
    list: unsafe fn(&[u8], Bits<'_>, &[u32], &mut [u32]) -> u32,
}

static PLAIN: Table = Table { run, list };

#[cfg(target_arch = "x86_64")]
static POPCNT: Table = Table {
    run: run_popcnt,
    list: list_popcnt,
};

/// The functions for `isa`, or plainer ones where this machine lacks what they need beyond it.
fn table(isa: Isa) -> &'static Table {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if avx512::is_available() => &avx512::TABLE,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 if is_x86_feature_detected!("popcnt") => &POPCNT,
        _ => &PLAIN,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn run_popcnt(query: &[u8], codes: Bits<'_>, out: &mut [u32]) -> u32 {
    run(query, codes, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn list_popcnt(query: &[u8], codes: Bits<'_>, positions: &[u32], out: &mut [u32]) -> u32 {
    list(query, codes, positions, out)
}

#[inline(always)]
fn run(query: &[u8], codes: Bits<'_>, out: &mut [u32]) -> u32 {
    match query.len() {
        8 => run_of::<8>(query, codes, out),
        16 => run_of::<16>(query, codes, out),
        32 => run_of::<32>(query, codes, out),
        64 => run_of::<64>(query, codes, out),
        _ => measure(out, codes.iter(), |code| differing(query, code)),
    }
}

/// The length is a constant: the loop over the words of a code vanishes.
#[inline(always)]
fn run_of<const LEN: usize>(query: &[u8], codes: Bits<'_>, out: &mut [u32]) -> u32 {
    let query: &[u8; LEN] = query.try_into().expect("a query of this length");
    let codes = codes.as_slice().as_chunks::<LEN>().0;
    measure(out, codes.iter(), |code| differing(query, code))
}

#[inline(always)]
fn list(query: &[u8], codes: Bits<'_>, positions: &[u32], out: &mut [u32]) -> u32 {
    for &position in positions {
        prefetch::line(codes.row(position as usize).as_ptr());
    }
    measure(out, positions.iter(), |&position| {
        differing(query, codes.row(position as usize))
    })
}

/// Fills `out` with the distances of the codes and returns the least.
#[inline(always)]
fn measure<C>(out: &mut [u32], codes: impl Iterator<Item = C>, distance: impl Fn(C) -> u32) -> u32 {
    out.iter_mut().zip(codes).fold(u32::MAX, |least, (out, code)| {
        *out = distance(code);
        least.min(*out)
    })
}

#[inline(always)]
fn differing(x: &[u8], y: &[u8]) -> u32 {
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks(), y.as_chunks());
    let differ = |(x, y): (&[u8; 8], &[u8; 8])| (u64::from_ne_bytes(*x) ^ u64::from_ne_bytes(*y)).count_ones();
    let rest = x_rest.iter().zip(y_rest).map(|(x, y)| (x ^ y).count_ones());
    x.iter().zip(y).map(differ).sum::<u32>() + rest.sum::<u32>()
}

/// Codes per call of a kernel: the ids in a selector's word, which fixes it.
const BLOCK: usize = 64;

/// With fewer accepted codes than this in a block, only those are measured. Reasoned, not tuned.
const DENSE: usize = 24;

/// Up to 64 codes in a row, and which of them are accepted.
struct Block<'a> {
    codes: Bits<'a>,
    first_id: u64,
    accepted: u64,
    /// The accepted positions where they are few; `None` where all codes are measured.
    list: Option<([u32; BLOCK], usize)>,
}

impl<'a> Block<'a> {
    fn new(codes: Bits<'a>, first_id: u64, accepted: u64) -> Self {
        let list = ((accepted.count_ones() as usize) < DENSE).then(|| {
            let mut list = [0; BLOCK];
            for (place, bit) in list.iter_mut().zip(ones(accepted)) {
                *place = bit as u32;
            }
            (list, accepted.count_ones() as usize)
        });
        Self {
            codes,
            first_id,
            accepted,
            list,
        }
    }

    /// The blocks of `codes` that hold an accepted one, ascending.
    fn all(codes: Bits<'a>, first_id: u64, keep: &IdSelector<'_>) -> impl Iterator<Item = Self> {
        keep.words_in(first_id..first_id + codes.len() as u64)
            .map(move |(id, accepted)| {
                let start = (id - first_id) as usize;
                let end = codes.len().min(start + BLOCK);
                Self::new(codes.slice(start..end), id, accepted)
            })
    }

    /// Fetches what is scanned after this block. The processor fetches ahead by itself, but stops at every page: one query
    /// over 1e6 codes of 32 bytes took 1.5 ms with this and 2.6 ms without (bench `binary`, Sapphire Rapids).
    fn prefetch_next(&self, codes: Bits<'a>, first_id: u64) {
        /// Short blocks are over before what was asked for has come.
        const AHEAD: usize = 2048;
        let block_len = self.codes.as_slice().len();
        let start = (self.first_id - first_id) as usize * codes.dim() + block_len.max(AHEAD);
        if let (None, Some(next)) = (&self.list, codes.as_slice().get(start..start + block_len)) {
            prefetch(next);
        }
    }

    /// The distances of the listed codes or of all, into `out`, and the least of them.
    fn measure<'b>(&self, table: &Table, query: &[u8], out: &'b mut [u32; BLOCK]) -> (&'b [u32], u32) {
        let out = match &self.list {
            Some((_, len)) => &mut out[..*len],
            None => &mut out[..self.codes.len()],
        };
        // SAFETY: `table` hands out only what this machine can run.
        let least = unsafe {
            match &self.list {
                Some((list, len)) => (table.list)(query, self.codes, &list[..*len], out),
                None => (table.run)(query, self.codes, out),
            }
        };
        (out, least)
    }

    /// The accepted codes whose distances, as measured, are at most `bound`.
    fn within(&self, distances: &[u32], bound: u32) -> impl Iterator<Item = Neighbor> {
        distances.iter().enumerate().filter_map(move |(i, &distance)| {
            let position = self.list.map_or(i as u64, |(list, _)| u64::from(list[i]));
            let wanted = distance <= bound && self.accepted >> position & 1 == 1;
            // Exact: no code is as long as 2^24 bits.
            wanted.then_some(Neighbor {
                id: self.first_id + position,
                distance: distance as f32,
            })
        })
    }
}

impl Kernels {
    /// As [`distances`], on this instruction set.
    pub fn hamming(&self, query: &[u8], codes: Bits<'_>, out: &mut [u32]) {
        assert_eq!(query.len(), codes.dim(), "a query as long as the codes");
        assert_eq!(codes.len(), out.len(), "one distance per code");
        // SAFETY: `table` hands out only what this machine can run.
        unsafe { (table(self.isa).run)(query, codes, out) };
    }

    /// As [`distances_at`], on this instruction set.
    pub fn hamming_at(&self, query: &[u8], codes: Bits<'_>, list: &[u32], out: &mut [u32]) {
        assert_eq!(query.len(), codes.dim(), "a query as long as the codes");
        assert_eq!(list.len(), out.len(), "one distance per position");
        // SAFETY: `table` hands out only what this machine can run.
        unsafe { (table(self.isa).list)(query, codes, list, out) };
    }

    /// As [`scan`], on this instruction set.
    pub fn hamming_scan(
        &self,
        queries: Bits<'_>,
        codes: Bits<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        assert_eq!(queries.dim(), codes.dim(), "queries as long as the codes");
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        let (table, mut buffer) = (table(self.isa), [0; BLOCK]);
        for block in Block::all(codes, first_id, keep) {
            block.prefetch_next(codes, first_id);
            for (query, top) in queries.iter().zip(&mut *tops) {
                let (distances, least) = block.measure(table, query, &mut buffer);
                // An infinite threshold becomes the largest number.
                let bound = top.threshold() as u32;
                if least <= bound {
                    block.within(distances, bound).for_each(|neighbor| top.push(neighbor));
                }
            }
        }
    }

    /// As [`scan_range`], on this instruction set.
    pub fn hamming_scan_range(
        &self,
        query: &[u8],
        codes: Bits<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        radius: u32,
        out: &mut Vec<Neighbor>,
    ) {
        assert_eq!(query.len(), codes.dim(), "a query as long as the codes");
        let Some(bound) = radius.checked_sub(1) else { return };
        let (table, mut buffer) = (table(self.isa), [0; BLOCK]);
        for block in Block::all(codes, first_id, keep) {
            let (distances, least) = block.measure(table, query, &mut buffer);
            if least <= bound {
                out.extend(block.within(distances, bound));
            }
        }
    }
}
