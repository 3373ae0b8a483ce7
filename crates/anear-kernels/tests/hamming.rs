//! Hamming kernels of every instruction set, against counting bit by bit.

use anear_kernels::{Bitmap, Bits, IdSelector, Isa, Kernels, Neighbor, TopK, hamming};

fn bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as u8
    };
    (0..n).map(|_| next()).collect()
}

fn naive(x: &[u8], y: &[u8]) -> u32 {
    let bit = |code: &[u8], i: usize| code[i / 8] >> (i % 8) & 1;
    (0..8 * x.len()).filter(|i| bit(x, *i) != bit(y, *i)).count() as u32
}

fn available() -> impl Iterator<Item = &'static Kernels> {
    Isa::ALL.iter().filter_map(|&isa| Kernels::for_isa(isa))
}

#[test]
fn distances_count_the_bits_that_differ() {
    for len in (1..=70).chain([96, 127, 128, 129, 200, 512, 1000]) {
        let (query, codes) = (bytes(len, 1), bytes(67 * len, 2));
        let codes = Bits::new(&codes, len).unwrap();
        let expected: Vec<u32> = codes.iter().map(|code| naive(&query, code)).collect();
        for kernels in available() {
            for n in [0, 1, 7, 8, 9, 64, 67] {
                let mut out = vec![0; n];
                kernels.hamming(&query, codes.slice(0..n), &mut out);
                assert_eq!(out, expected[..n], "{n} codes of {len} bytes, {kernels:?}");
            }
            let list = [66, 0, 3, 3, 41];
            let mut out = [0; 5];
            kernels.hamming_at(&query, codes, &list, &mut out);
            assert_eq!(out, list.map(|i| expected[i as usize]), "{len} bytes, {kernels:?}");
        }
        assert_eq!(hamming::distance(&query, codes.row(5)), expected[5]);
    }
    assert_eq!(hamming::distance(&[], &[]), 0);
}

/// Selectors that accept all, most, few and none of the ids from 1,000 on.
fn with_selectors(check: impl Fn(&IdSelector<'_>)) {
    let few = [999, 1_003, 1_004, 1_070, 1_299, 1_300];
    let most = Bitmap::from_indices(1_300, (0..1_300).filter(|i| i % 3 != 0 || *i < 1_100));
    check(&IdSelector::All);
    check(&IdSelector::Sorted(&few));
    check(&IdSelector::Bitmap(&most));
    check(&IdSelector::Range(1_050..1_051));
    check(&IdSelector::Range(0..5));
}

#[test]
fn a_scan_finds_what_sorting_everything_finds() {
    for len in [1, 8, 16, 32, 33, 64] {
        let (queries, codes) = (bytes(5 * len, 3), bytes(300 * len, 4));
        let (queries, codes) = (Bits::new(&queries, len).unwrap(), Bits::new(&codes, len).unwrap());
        with_selectors(|keep| {
            let measured = |query: &[u8]| -> Vec<Neighbor> {
                let ids = (1_000..).zip(codes.iter()).filter(|(id, _)| keep.contains(*id));
                ids.map(|(id, code)| Neighbor {
                    id,
                    distance: naive(query, code) as f32,
                })
                .collect()
            };
            for kernels in available() {
                for k in [1, 10, 100, 1_000] {
                    let mut tops = vec![TopK::new(k); queries.len()];
                    kernels.hamming_scan(queries, codes, 1_000, keep, &mut tops);
                    for (query, top) in queries.iter().zip(tops) {
                        let mut expected = measured(query);
                        expected.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
                        expected.truncate(k);
                        assert_eq!(top.into_sorted(), expected, "{len} bytes, {keep:?}, {kernels:?}");
                    }
                }
                for radius in [0, 1, 4 * len as u32, u32::MAX] {
                    let (query, mut found) = (queries.row(0), Vec::new());
                    kernels.hamming_scan_range(query, codes, 1_000, keep, radius, &mut found);
                    let mut expected = measured(query);
                    expected.retain(|n| n.distance < radius as f32);
                    assert_eq!(found, expected, "{len} bytes, {keep:?}, {kernels:?}");
                }
            }
        });
    }
}
