//! Codes compared with the plain loop, on every instruction set.

mod common;

use anear_kernels::{BitWeights, Codebooks, CodedPart, EstimateTables, Isa, Kernels, Metric, Rows, fast_scan_code};
use common::{Random, every_isa, oracle};

#[test]
fn tables_are_the_same_bits_everywhere_and_near_the_truth() {
    let mut random = Random(1);
    for (count, len, dim) in [(1, 1, 1), (3, 2, 5), (4, 16, 4), (2, 32, 7), (2, 256, 8), (1, 4096, 3)] {
        let entries = random.floats(count * len * dim);
        let query = random.floats(count * dim);
        let books = Codebooks::new(&entries, count, len);
        for metric in [Metric::L2, Metric::InnerProduct] {
            let tables = every_isa().into_iter().map(|kernels| {
                let mut table = vec![0.0; count * len];
                books.distances_on(kernels, metric, &query, &mut table);
                table
            });
            let tables: Vec<Vec<f32>> = tables.collect();
            assert!(tables.iter().all(|table| *table == tables[0]), "{metric}");
            for (i, &distance) in tables[0].iter().enumerate() {
                let truth = oracle(metric, &query[i / len * dim..][..dim], &entries[i * dim..][..dim]);
                assert!(
                    (f64::from(distance) - truth).abs() < 1e-5,
                    "{metric}: {distance} is not {truth}"
                );
            }
        }
    }
}

#[test]
fn the_nearest_entry_is_the_first_of_the_smallest_of_the_table() {
    let mut random = Random(3);
    for (count, len, dim) in [(1, 1, 1), (3, 2, 5), (4, 16, 4), (2, 32, 7), (2, 256, 8), (1, 4096, 3)] {
        // Few different numbers: many ties.
        let mut numbers = |n| -> Vec<f32> { (0..n).map(|_| (random.bits() % 5) as f32).collect() };
        let books = Codebooks::new(&numbers(count * len * dim), count, len);
        let mut vectors = numbers(count * dim * 20);
        vectors[0] = f32::NAN;
        let vectors = Rows::new(&vectors, count * dim).unwrap();
        for kernels in every_isa() {
            for part in 0..count {
                let mut nearest = vec![0; vectors.len()];
                books.nearest_on(kernels, part, vectors, &mut nearest);
                for (vector, nearest) in vectors.iter().zip(nearest) {
                    let mut table = vec![0.0; count * len];
                    books.distances(Metric::L2, vector, &mut table);
                    let distances = table[part * len..][..len].iter().enumerate();
                    let want = distances.fold(
                        (f32::INFINITY, 0),
                        |best, (i, &d)| if d < best.0 { (d, i) } else { best },
                    );
                    assert_eq!(nearest as usize, want.1, "{kernels:?}, {len} entries");
                }
            }
        }
    }
}

#[test]
fn fast_scanned_distances_add_up_in_order_on_every_instruction_set() {
    let mut random = Random(3);
    for codebooks in [1, 2, 7, 32, 256] {
        let block: Vec<u8> = (0..codebooks * 16 + 5).map(|_| random.bits() as u8).collect();
        let tables: Vec<[f32; 16]> = (0..codebooks)
            .map(|_| std::array::from_fn(|_| random.bits() as f32 / 1e6))
            .collect();
        let want: [f32; 32] = std::array::from_fn(|vector| {
            let entry = |book: usize| tables[book][usize::from(fast_scan_code(&block, book, vector))];
            (0..codebooks).map(entry).fold(-1.5, |sum, entry| sum + entry)
        });
        for kernels in every_isa() {
            let distances = kernels.fast_scan_distances(&tables, &block, -1.5);
            assert_eq!(distances, want, "{kernels:?}, {codebooks} codebooks");
        }
    }
}

#[test]
fn fast_scans_are_the_sums_of_single_lookups_on_every_instruction_set() {
    let mut random = Random(2);
    for (codebooks, behind) in [(2, 0), (6, 0), (32, 9), (256, 0)] {
        let mut bytes = |n| (0..n).map(|_| random.bits() as u8).collect::<Vec<u8>>();
        let stride = codebooks * 16 + behind;
        let (tables, blocks) = (bytes(codebooks * 16), bytes(5 * stride));
        let naive = |block: &[u8], vector| -> u16 {
            let entry = |book| tables[16 * book + usize::from(fast_scan_code(block, book, vector))];
            (0..codebooks).map(|book| u16::from(entry(book))).sum()
        };
        for kernels in every_isa() {
            let sums: Vec<u16> = blocks
                .chunks(stride)
                .flat_map(|block| kernels.fast_scan_sums(&tables, block))
                .collect();
            let blocks_naive = blocks.chunks(stride);
            let want: Vec<u16> = blocks_naive
                .flat_map(|block| (0..32).map(move |i| naive(block, i)))
                .collect();
            assert_eq!(sums, want, "{kernels:?}, {codebooks} codebooks");
        }
    }
}

#[test]
fn fast_scans_tell_of_each_query_which_sums_are_within_bounds_on_every_instruction_set() {
    let mut random = Random(4);
    for (codebooks, behind) in [(2, 0), (6, 7), (32, 9), (256, 0)] {
        let mut bytes = |n| (0..n).map(|_| random.bits() as u8).collect::<Vec<u8>>();
        let stride = codebooks * 16 + behind;
        let blocks = bytes(3 * stride);
        for queries in 0..10 {
            let tables: Vec<Vec<u8>> = (0..queries).map(|_| bytes(codebooks * 16)).collect();
            let tables: Vec<&[u8]> = tables.iter().map(Vec::as_slice).collect();
            let sums = tables.iter().flat_map(|tables| {
                let of_block = |block| Kernels::for_isa(Isa::Scalar).unwrap().fast_scan_sums(tables, block);
                blocks.chunks(stride).map(of_block)
            });
            let sums: Vec<[u16; 32]> = sums.collect();
            let bounds = sums.iter().enumerate().map(|(i, sums)| sums[i % 32]);
            let bounds: Vec<u16> = bounds.collect();
            for kernels in every_isa() {
                let mut masks = vec![0; bounds.len()];
                kernels.fast_scan_masks(&tables, &blocks, stride, &bounds, &mut masks);
                for ((mask, sums), bound) in masks.into_iter().zip(&sums).zip(&bounds) {
                    let within = |i: &usize| sums[*i] <= *bound;
                    let want = (0..32).filter(within).fold(0, |mask, i| mask | 1 << i);
                    assert_eq!(mask, want, "{kernels:?}, {queries} queries, {codebooks} codebooks");
                }
            }
        }
    }
}

/// Parts of four, two and one bits a component.
fn parts_of(components: &[Vec<f32>; 3]) -> [CodedPart<'_>; 3] {
    std::array::from_fn(|i| CodedPart {
        components: &components[i],
        bits: [4, 2, 1][i],
        step: [2.0 / 15.0, 0.3, 0.5][i],
    })
}

/// Visits the components of some parts with the numbers that a code, of which `nibble` tells, has for them.
fn for_each_number(
    parts: &[CodedPart<'_>],
    nibble: impl Fn(usize) -> u8,
    mut visit: impl FnMut(&CodedPart<'_>, f32, u8),
) {
    let mut first = 0;
    for part in parts {
        let (shared, mask) = (4 / part.bits as usize, (1_u8 << part.bits) - 1);
        for (i, component) in part.components.iter().enumerate() {
            let number = nibble(first + i / shared) >> (i % shared * part.bits as usize) & mask;
            visit(part, *component, number);
        }
        first += part.tables();
    }
}

/// What the components of some parts and the numbers of a code add up to.
fn coded_product(parts: &[CodedPart<'_>], nibble: impl Fn(usize) -> u8) -> f64 {
    let mut sum = 0.0;
    for_each_number(parts, nibble, |part, component, number| {
        let level = f64::from(number) - f64::from((1_u8 << part.bits) - 1) / 2.0;
        sum += f64::from(component) * f64::from(part.step) * level;
    });
    sum
}

#[test]
fn estimates_are_the_same_bits_everywhere_and_near_the_products() {
    let mut random = Random(9);
    // Components of four, two and one bits; parts that fill tables and registers, and not.
    for lens in [
        [0, 0, 1],
        [1, 1, 1],
        [2, 0, 0],
        [37, 17, 11],
        [32, 64, 96],
        [32, 8, 4],
        [130, 0, 0],
        [300, 300, 600],
    ] {
        let components = lens.map(|len| random.floats(len));
        let parts = parts_of(&components);
        let count = parts.iter().map(CodedPart::tables).sum::<usize>().next_multiple_of(2);
        let mut block: Vec<u8> = (0..16 * count).map(|_| random.bits() as u8).collect();
        let mut factors: Vec<[f32; 2]> = (0..32).map(|_| [random.float(), 1.0 + random.float()]).collect();
        factors[5] = [f32::INFINITY, 0.0];
        factors[6] = [f32::NAN, 1.0];
        for float in factors.iter().flatten() {
            block.extend(float.to_le_bytes());
        }
        let oracle = |vector: usize| {
            let [norm, scale] = factors[vector].map(f64::from);
            norm + scale * coded_product(&parts, |table| fast_scan_code(&block, table, vector))
        };
        let mut first = None;
        for kernels in every_isa() {
            let (mut rounded, mut estimates) = (EstimateTables::default(), [0.0; 32]);
            rounded.fill_on(kernels, parts.into_iter());
            assert_eq!(rounded.block_len(), block.len());
            let nearer = rounded.estimates_on(kernels, &block, 0.1, &mut estimates);
            let bits = estimates.map(f32::to_bits);
            assert_eq!(*first.get_or_insert(bits), bits, "{kernels:?}, {lens:?}");
            for (vector, estimate) in estimates.into_iter().enumerate() {
                assert_eq!(nearer >> vector & 1 == 1, estimate < 0.1, "{kernels:?}, {vector}");
                // Each entry is off by half a step at most, and a step is 2/255 at most.
                let slack = 2.0 * count as f64 / 255.0 + 1e-4;
                let truth = oracle(vector);
                assert!(
                    (f64::from(estimate) - truth).abs() <= slack || estimate.is_nan() || estimate == f32::INFINITY,
                    "{kernels:?}: {estimate} is not {truth}"
                );
            }
            assert!(estimates[5] == f32::INFINITY && estimates[6].is_nan());
        }
    }
}

#[test]
fn tables_without_any_difference_estimate_the_start() {
    let mut tables = EstimateTables::default();
    let part = CodedPart {
        components: &[0.0; 5],
        bits: 2,
        step: 1.0,
    };
    tables.fill([part].into_iter());
    let mut block = vec![0x31; 64];
    (0..32).for_each(|_| block.extend([1.0_f32, 2.0].map(f32::to_le_bytes).concat()));
    let mut estimates = [0.0; 32];
    assert_eq!(tables.estimates(&block, 1.0, &mut estimates), 0);
    assert_eq!(estimates, [1.0; 32]);
}

#[test]
fn estimates_of_single_codes_are_the_same_bits_everywhere_and_near_the_products() {
    let mut random = Random(11);
    for lens in [
        [0, 0, 3],
        [2, 0, 0],
        [37, 17, 11],
        [32, 64, 96],
        [130, 0, 0],
        [300, 300, 600],
    ] {
        let components = lens.map(|len| random.floats(len));
        let parts = parts_of(&components);
        let nibbles: usize = parts.iter().map(CodedPart::tables).sum();
        let bytes = nibbles.div_ceil(2);
        // What is between codes is of no weight.
        let stride = bytes + 8 + 3;
        let mut codes: Vec<u8> = (0..20 * stride).map(|_| random.bits() as u8).collect();
        let mut factors: Vec<[f32; 2]> = (0..20).map(|_| [random.float(), 1.0 + random.float()]).collect();
        (factors[5], factors[6]) = ([f32::INFINITY, 0.0], [f32::NAN, 1.0]);
        for (code, factors) in codes.chunks_exact_mut(stride).zip(&factors) {
            code[bytes..bytes + 8].copy_from_slice(factors.map(f32::to_le_bytes).as_flattened());
        }
        // The weights as they are to be rounded, and where the numbers of each component are.
        let reach = |part: &CodedPart<'_>| {
            let largest = part.components.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            largest * part.step * (1 << (part.bits - 1)) as f32
        };
        let most = parts.iter().map(reach).fold(0.0, f32::max);
        let oracle = |position: usize| {
            let code = &codes[position * stride..];
            let nibble = |i: usize| code[i / 2] >> (i % 2 * 4) & 15;
            let mut rounded = 0.0;
            for_each_number(&parts, nibble, |part, component, number| {
                for bit in 0..part.bits {
                    let weight = component * (part.step * (127.0 / most) * (1 << bit) as f32);
                    let is_set = f64::from(number >> bit & 1);
                    rounded += f64::from(weight.round_ties_even()) * (is_set - 0.5);
                }
            });
            let product = coded_product(&parts, nibble);
            let [norm, scale] = factors[position].map(f64::from);
            [product, rounded * f64::from(most) / 127.0].map(|product| norm + scale * product)
        };
        let positions: Vec<u32> = (0..40).map(|i| i * 7 % 20).collect();
        let mut first = None;
        for kernels in every_isa() {
            let (mut weights, mut estimates) = (BitWeights::default(), vec![0.0; positions.len()]);
            weights.fill(parts.into_iter());
            assert_eq!(weights.code_len(), bytes + 8);
            weights.estimates_at_on(kernels, &codes, stride, &positions, &mut estimates);
            let bits: Vec<u32> = estimates.iter().map(|estimate| estimate.to_bits()).collect();
            assert_eq!(*first.get_or_insert(bits.clone()), bits, "{kernels:?}, {lens:?}");
            for (position, estimate) in positions.iter().zip(estimates) {
                // Each weight is off by half a step at most, and counts half; scales are below 2.
                let slack = 4.0 * nibbles as f64 * 0.5 * f64::from(most) / 127.0 + 1e-4;
                let [truth, rounded] = oracle(*position as usize);
                let estimate = f64::from(estimate);
                let is_near =
                    (estimate - truth).abs() <= slack && (estimate - rounded).abs() <= 1e-4 * (1.0 + rounded.abs());
                match position {
                    5 => assert_eq!(estimate, f64::INFINITY),
                    6 => assert!(estimate.is_nan()),
                    _ => assert!(is_near, "{kernels:?}: {estimate} is neither {truth} nor {rounded}"),
                }
            }
        }
    }
}
