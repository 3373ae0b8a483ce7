//! Transforms: `LinearTransform`, `PCAMatrix` and the others that stand before an index.

use std::any::Any;
use std::sync::Arc;

use anear_quant::transform::{
    Center, Hadamard, Itq, ItqParts, Linear, Normalize, Pca, PcaParts, Remap, Transform, TransformSpec,
};

use super::header::dimension;
use super::sink::Sink;
use super::source::Source;
use super::unsound;
use crate::Result;

/// Iterations of an ITQ and the seed of its rotation, as Faiss has them; nobody asks any more.
const ITQ_TRAINING: [i32; 2] = [50, 123];

/// A matrix and what is added, before their dimensions.
struct Map {
    matrix: Vec<f32>,
    bias: Vec<f32>,
}

impl Map {
    fn read(source: &mut Source<'_>) -> Result<Self> {
        let has_bias = source.bool("have_bias")?;
        let (matrix, bias) = (source.floats("matrix")?, source.floats("bias")?);
        Ok(Self {
            matrix,
            bias: if has_bias { bias } else { Vec::new() },
        })
    }

    fn linear(self, [dim_in, dim_out]: [usize; 2]) -> Result<Linear> {
        Ok(Linear::new(dim_in, dim_out, self.matrix, self.bias)?)
    }

    fn write(linear: &Linear, sink: &mut Sink) {
        sink.bool(!linear.bias().is_empty());
        sink.floats(linear.matrix().as_slice());
        sink.floats(linear.bias());
    }
}

/// One transform.
pub(super) fn read(source: &mut Source<'_>) -> Result<Arc<dyn Transform>> {
    let code = source.code()?;
    Ok(match &code {
        b"LTra" => {
            let map = Map::read(source)?;
            Arc::new(map.linear(read_dims(source)?)?)
        }
        b"rrot" => {
            let Map { matrix, bias } = Map::read(source)?;
            let [dim_in, dim_out] = read_dims(source)?;
            Arc::new(Linear::rotation(dim_in, dim_out, matrix, bias)?)
        }
        b"Pcam" => Arc::new(read_pca(source)?),
        b"Viqt" => Arc::new(read_itq(source)?),
        b"RmDT" => {
            let map: Vec<i32> = source.u32s("map")?.into_iter().map(u32::cast_signed).collect();
            let [dim_in, _] = read_dims(source)?;
            Arc::new(Remap::new(dim_in, &map)?)
        }
        b"VNrm" => {
            let norm = source.f32("norm")?;
            if norm != 2.0 {
                return Err(unsound(format!("it normalizes by the norm {norm}; anear reads 2")));
            }
            Arc::new(Normalize::new(read_dims(source)?[0]))
        }
        b"VCnt" => {
            let mean = source.floats("mean")?;
            read_dims(source)?;
            Arc::new(Center::new(mean)?)
        }
        b"HRot" => {
            let seed = source.i32("seed")?.cast_unsigned();
            Arc::new(Hadamard::new(read_dims(source)?[0], seed)?)
        }
        code => {
            let code = code.escape_ascii();
            return Err(unsound(format!(
                "its transform is of kind `{code}`; anear reads LTra, rrot, Pcam, Viqt, RmDT, VNrm, VCnt and HRot"
            )));
        }
    })
}

/// What every transform ends with.
fn read_dims(source: &mut Source<'_>) -> Result<[usize; 2]> {
    let dims = [source.i32("d_in")?, source.i32("d_out")?].map(dimension);
    let [dim_in, dim_out] = dims;
    if !source.bool("is_trained")? {
        return Err(unsound("its transform is untrained; train it before saving it"));
    }
    Ok([dim_in?, dim_out?])
}

fn read_pca(source: &mut Source<'_>) -> Result<Pca> {
    let (eigen_power, epsilon) = (source.f32("eigen_power")?, source.f32("epsilon")?);
    let (random_rotation, balanced_bins) = (source.bool("random_rotation")?, source.i32("balanced_bins")?);
    let [mean, eigenvalues, components] = [
        source.floats("mean")?,
        source.floats("eigenvalues")?,
        source.floats("PCAMat")?,
    ];
    let map = Map::read(source)?;
    Ok(Pca::from_parts(PcaParts {
        eigen_power,
        epsilon,
        random_rotation,
        balanced_bins,
        mean,
        eigenvalues,
        components,
        linear: map.linear(read_dims(source)?)?,
    })?)
}

fn read_itq(source: &mut Source<'_>) -> Result<Itq> {
    let mean = source.floats("mean")?;
    source.bool("do_pca")?;
    let expect = |source: &mut Source<'_>, expected: &[u8; 4]| match source.code()? {
        code if code == *expected => Ok(()),
        code => Err(unsound(format!(
            "`{}` stands where `{}` should",
            code.escape_ascii(),
            expected.escape_ascii()
        ))),
    };
    expect(source, b"Viqm")?;
    source.items(ITQ_TRAINING.len(), size_of::<i32>(), "training of an ITQ")?;
    let rotation = Map::read(source)?;
    let rotation = rotation.linear(read_dims(source)?)?;
    expect(source, b"LTra")?;
    let linear = Map::read(source)?;
    let linear = linear.linear(read_dims(source)?)?;
    read_dims(source)?;
    Ok(Itq::from_parts(ItqParts { mean, rotation, linear })?)
}

/// Writes one transform. How a matrix came about is not told, but for rotations and principal components, as in Faiss.
pub(super) fn write(transform: &dyn Transform, sink: &mut Sink) -> Result<()> {
    let any: &dyn Any = transform;
    if let Some(linear) = any.downcast_ref::<Linear>() {
        sink.put(match linear.spec() {
            TransformSpec::Rotation { .. } => b"rrot",
            _ => b"LTra",
        });
        Map::write(linear, sink);
    } else if let Some(pca) = any.downcast_ref::<Pca>() {
        write_pca(pca.parts(), sink);
    } else if let Some(itq) = any.downcast_ref::<Itq>() {
        write_itq(itq.parts(), sink);
    } else if let Some(remap) = any.downcast_ref::<Remap>() {
        sink.put(b"RmDT");
        sink.u32s(&remap.map().map(i32::cast_unsigned).collect::<Vec<_>>());
    } else if any.is::<Normalize>() {
        sink.put(b"VNrm");
        sink.f32(2.0);
    } else if let Some(center) = any.downcast_ref::<Center>() {
        sink.put(b"VCnt");
        sink.floats(center.mean());
    } else if let Some(hadamard) = any.downcast_ref::<Hadamard>() {
        sink.put(b"HRot");
        sink.i32(hadamard.seed().cast_signed());
    } else {
        return Err(crate::Error::Unsupported {
            index: "pre_transform",
            operation: "Faiss files with this transform; save it in anear's own format",
        });
    }
    write_dims(transform, sink);
    Ok(())
}

fn write_dims(transform: &dyn Transform, sink: &mut Sink) {
    sink.i32(transform.dim_in() as i32);
    sink.i32(transform.dim_out() as i32);
    sink.bool(true);
}

fn write_pca(parts: &PcaParts, sink: &mut Sink) {
    sink.put(b"Pcam");
    sink.f32(parts.eigen_power);
    sink.f32(parts.epsilon);
    sink.bool(parts.random_rotation);
    sink.i32(parts.balanced_bins);
    sink.floats(&parts.mean);
    sink.floats(&parts.eigenvalues);
    sink.floats(&parts.components);
    Map::write(&parts.linear, sink);
}

fn write_itq(parts: &ItqParts, sink: &mut Sink) {
    sink.put(b"Viqt");
    sink.floats(&parts.mean);
    sink.bool(parts.linear.dim_in() != parts.linear.dim_out());
    sink.put(b"Viqm");
    ITQ_TRAINING.into_iter().for_each(|number| sink.i32(number));
    Map::write(&parts.rotation, sink);
    write_dims(&parts.rotation, sink);
    sink.put(b"LTra");
    Map::write(&parts.linear, sink);
    write_dims(&parts.linear, sink);
}
