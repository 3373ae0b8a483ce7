//! Products with a matrix on every instruction set: to the bit those of plain loops, in every batch.

mod common;

use anear_kernels::{ByteMatrix, Matrix, Rows};
use common::{Random, adversarial, every_isa};

#[test]
fn products_are_those_of_plain_loops_on_every_instruction_set() {
    let mut random = Random(1);
    // Fewer rows than a register has lanes, whole panels, some more; vectors that fill tiles and blocks, and not.
    for (rows, dim) in [(1, 1), (5, 3), (16, 8), (32, 7), (33, 40), (70, 65), (128, 128)] {
        let matrix = random.floats(rows * dim);
        let prepared = Matrix::new(Rows::new(&matrix, dim).unwrap());
        for count in [0, 1, 5, 6, 12, 25, 100] {
            let vectors = random.floats(count * dim);
            let plain = vectors.chunks(dim).flat_map(|vector| {
                let product = |row: &[f32]| row.iter().zip(vector).fold(0.0, |sum: f32, (a, x)| a.mul_add(*x, sum));
                matrix.chunks(dim).map(product).collect::<Vec<f32>>()
            });
            let plain: Vec<f32> = plain.collect();
            for kernels in every_isa() {
                let mut products = vec![f32::NAN; count * rows];
                prepared.multiply_on(kernels, Rows::new(&vectors, dim).unwrap(), &mut products);
                let bits = |floats: &[f32]| floats.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(
                    bits(&products),
                    bits(&plain),
                    "{kernels:?}, {rows} x {dim}, {count} vectors"
                );
            }
        }
    }
}

#[test]
fn products_of_bytes_are_near_exact_ones_and_the_same_on_every_instruction_set() {
    let mut random = Random(2);
    for (rows, dim) in [(1, 1), (5, 3), (16, 32), (64, 33), (65, 100), (130, 784)] {
        for (kind, vector_kind) in [(0, 0), (1, 0), (2, 2), (9, 7), (0, 3), (0, 4), (3, 5)] {
            let matrix = adversarial(kind, &mut random, rows, dim);
            let vector = adversarial(vector_kind, &mut random, 1, dim);
            let mut first = None;
            for kernels in every_isa() {
                let (mut numbers, mut products) = (vec![7], vec![f32::NAN; rows]);
                let bytes = ByteMatrix::on(kernels, Rows::new(&matrix, dim).unwrap());
                bytes.multiply_on(kernels, &vector, &mut numbers, &mut products);
                for (row, product) in matrix.chunks(dim).zip(&products) {
                    let (exact, slack) = exact(row, &vector);
                    let what = format!("{kernels:?}, {rows} x {dim}, kinds {kind} and {vector_kind}");
                    assert!(
                        (f64::from(*product) - exact).abs() <= slack,
                        "{what}: {product} is not {exact}"
                    );
                }
                let bits: Vec<u32> = products.iter().map(|x| x.to_bits()).collect();
                assert_eq!(*first.get_or_insert_with(|| bits.clone()), bits, "{kernels:?}");
            }
        }
    }
}

/// The product in f64, and how far half a step of each component may put another from it.
fn exact(row: &[f32], vector: &[f32]) -> (f64, f64) {
    let [low, high] = [f32::min, f32::max].map(|f| f64::from(row.iter().copied().reduce(f).unwrap()));
    let magnitudes = |of: &[f32]| of.iter().map(|x| f64::from(x.abs())).sum::<f64>();
    let largest = vector.iter().fold(0.0, |largest, x| f64::from(x.abs()).max(largest));
    let of_row = (high - low) / 255.0 / 2.0 * magnitudes(vector);
    // Numbers of 14 bits, or of fewer where there are so many that their sum would not fit.
    let of_vector = largest / 8_000.0 / 2.0 * (magnitudes(row) + (high - low) * row.len() as f64);
    let pairs = row.iter().zip(vector);
    let exact = pairs.map(|(a, x)| f64::from(*a) * f64::from(*x)).sum::<f64>();
    let of_tiny = f64::from(f32::MIN_POSITIVE) * row.len() as f64;
    (exact, of_row + of_vector + of_tiny)
}
