//! Random rotations (Faiss: `RandomRotationMatrix`).

use anear_kernels::Random;

use super::{Linear, TransformSpec, algebra, check_dim};
use crate::{Result, Training};

/// A rotation, uniformly distributed; of its larger side, the first rows or columns where it makes fewer or more
/// components than it takes.
pub(super) fn train(spec: TransformSpec, dim_in: usize, training: &Training<'_>) -> Result<Linear> {
    let dim_out = spec.dim_out(dim_in);
    check_dim(dim_out)?;
    let rotation = algebra::random_rotation(dim_in.max(dim_out), &mut Random::new(training.seed), training.pool);
    Linear::trained(spec, dim_in, rotation.corner(dim_out, dim_in).to_f32(), Vec::new())
}

#[cfg(test)]
mod tests {
    use anear_kernels::{Metric, Rows};

    use super::*;
    use crate::transform::Transform;

    #[test]
    fn distances_stay() {
        for (dim, spec) in [(20, "RR"), (20, "RR33")] {
            let spec = TransformSpec::parse(spec).unwrap();
            let rotation = train(spec, dim, &Training::default()).unwrap();
            let vectors: Vec<f32> = (0..2 * dim).map(|i| ((i * 7919) % 13) as f32).collect();
            let mut images = Vec::new();
            rotation.apply(Rows::new(&vectors, dim).unwrap(), &mut images);
            let [before, after] =
                [&vectors, &images].map(|v| Metric::L2.distance(&v[..v.len() / 2], &v[v.len() / 2..]));
            assert!((before - after).abs() < 1e-4 * before, "{before} {after}");
        }
    }
}
