//! Products with a matrix on every instruction set: to the bit those of plain loops, in every batch.

mod common;

use anear_kernels::{Matrix, Rows};
use common::{Random, every_isa};

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
