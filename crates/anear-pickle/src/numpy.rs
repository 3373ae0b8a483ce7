//! Numpy's scalars and arrays, read as plain numbers, text and lists.

use crate::construct::shape;
use crate::graph::{Graph, Id, Node};
use crate::limits::Budget;
use crate::number::Integer;
use crate::{Result, Value};

/// Most dimensions of an array in numpy 2.
const MAX_DIMS: usize = 64;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dtype {
    kind: Kind,
    /// Bytes per element.
    size: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    Complex,
    /// Fixed-width UTF-32, padded with zeros.
    Text,
    /// Fixed-width bytes, padded with zeros.
    Bytes,
}

/// An array with its bytes, whose number fits the shape.
#[derive(Debug)]
pub(crate) struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    /// Whether the first index varies fastest.
    fortran: bool,
    data: Id,
}

/// `dtype('f4', False, True)`: the code and two flags about alignment and copying.
pub(crate) fn dtype(graph: &Graph<'_>, args: &[Id]) -> Result<Dtype> {
    let code = match args {
        [code] => graph.str(*code),
        [code, align, copy] => graph.flag(*align).and(graph.flag(*copy)).and(graph.str(*code)),
        _ => None,
    };
    code.and_then(Dtype::from_code).map_or_else(
        || shape("numpy.dtype", "only booleans, numbers, text and bytes can be read"),
        Ok,
    )
}

impl Dtype {
    /// From numpy's code without byte order, such as `f4` or `U12`.
    fn from_code(code: &str) -> Option<Self> {
        let (kind, size) = code.split_at_checked(1)?;
        let size: usize = size.parse().ok()?;
        let (kind, size) = match (kind, size) {
            ("b", 1) => (Kind::Bool, 1),
            ("i", 1 | 2 | 4 | 8) => (Kind::Signed, size),
            ("u", 1 | 2 | 4 | 8) => (Kind::Unsigned, size),
            ("f", 2 | 4 | 8) => (Kind::Float, size),
            ("c", 8 | 16) => (Kind::Complex, size),
            ("U", _) => (Kind::Text, size.checked_mul(4)?),
            ("S", _) => (Kind::Bytes, size),
            _ => return None,
        };
        Some(Self {
            kind,
            size,
            big_endian: false,
        })
    }

    /// The type after its state `(version, byte order, None, None, None, ...)` was set.
    pub(crate) fn with_state(self, graph: &Graph<'_>, state: Id) -> Result<Self> {
        let parts = match graph.tuple(state) {
            Some([_, order, subtype, names, fields, ..]) => Some((graph.str(*order), [subtype, names, fields])),
            _ => None,
        };
        match parts {
            Some((Some(order @ ("<" | ">" | "|" | "=")), parts))
                if parts.iter().all(|part| matches!(graph.node(**part), Node::None)) =>
            {
                Ok(Self {
                    big_endian: order == ">",
                    ..self
                })
            }
            _ => shape("numpy.dtype", "only plain types can be read, no records"),
        }
    }

    /// The value of one element.
    fn element(self, bytes: &[u8]) -> Option<Value> {
        Some(match self.kind {
            Kind::Bool => Value::Bool(bytes != [0]),
            Kind::Signed => Value::Int(self.signed(bytes)),
            Kind::Unsigned => self.unsigned(bytes)?,
            Kind::Float => Value::Float(self.float(bytes)),
            Kind::Complex => {
                let (re, im) = bytes.split_at_checked(self.size / 2)?;
                Value::Complex(self.float(re), self.float(im))
            }
            Kind::Text => Value::Str(self.text(bytes)?),
            Kind::Bytes => Value::Bytes(trim_zeros(bytes, 1).to_vec()),
        })
    }

    /// The element's bytes as one little-endian integer.
    fn bits(self, bytes: &[u8]) -> u64 {
        let fold = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.big_endian {
            bytes.iter().fold(0, fold)
        } else {
            bytes.iter().rev().fold(0, fold)
        }
    }

    fn signed(self, bytes: &[u8]) -> i64 {
        let unused = 64 - 8 * self.size as u32;
        (self.bits(bytes) << unused) as i64 >> unused
    }

    fn unsigned(self, bytes: &[u8]) -> Option<Value> {
        let bits = self.bits(bytes);
        Some(match i64::try_from(bits) {
            Ok(int) => Value::Int(int),
            Err(_) => match Integer::from_text(&bits.to_string())? {
                Integer::Small(int) => Value::Int(int),
                Integer::Big(int) => Value::BigInt(int),
            },
        })
    }

    fn float(self, bytes: &[u8]) -> f64 {
        let bits = self.bits(bytes);
        match bytes.len() {
            2 => half(bits as u16),
            4 => f32::from_bits(bits as u32).into(),
            _ => f64::from_bits(bits),
        }
    }

    fn text(self, bytes: &[u8]) -> Option<String> {
        trim_zeros(bytes, 4)
            .chunks(4)
            .map(|code| char::from_u32(self.bits(code) as u32))
            .collect()
    }
}

/// `bytes` without the zero elements of `width` bytes at its end.
fn trim_zeros(bytes: &[u8], width: usize) -> &[u8] {
    let used = bytes
        .chunks(width)
        .rposition(|element| element.iter().any(|byte| *byte != 0));
    &bytes[..used.map_or(0, |last| (last + 1) * width)]
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

/// `scalar(dtype, bytes)`: one element.
pub(crate) fn scalar<'a>(graph: &mut Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    let element = match args {
        [dtype, bytes] => match (graph.node(*dtype), graph.node(*bytes)) {
            (Node::Dtype(dtype), Node::Bytes(bytes)) if bytes.len() == dtype.size => Some((*dtype, bytes)),
            _ => None,
        },
        _ => None,
    };
    let (len, value) = element.map_or((0, None), |(dtype, bytes)| (bytes.len(), dtype.element(bytes)));
    graph.budget.charge(len)?;
    value.map_or_else(
        || shape("numpy scalar", "expected a type and the bytes of one element"),
        |v| Ok(Node::from(v)),
    )
}

/// `_reconstruct(ndarray, (0,), b'b')`: an array that gets a state.
pub(crate) fn reconstruct<'a>(graph: &Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    match args {
        [class, _, _] if graph.symbol(*class) == Some(crate::allowed::Symbol::NumpyArray) => Ok(Node::Array(None)),
        _ => shape("numpy.ndarray", "expected the class of plain arrays"),
    }
}

/// The array of a state `(version, shape, dtype, fortran, bytes)`.
pub(crate) fn array<'a>(graph: &Graph<'a>, state: Id) -> Result<Node<'a>> {
    let array = match graph.tuple(state) {
        Some([_, shape, dtype, fortran, data]) => graph
            .flag(*fortran)
            .and_then(|fortran| Array::new(graph, *shape, *dtype, fortran, *data)),
        _ => None,
    };
    filled(array)
}

/// `_frombuffer(bytes, dtype, shape, 'C' or 'F')`.
pub(crate) fn from_buffer<'a>(graph: &Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    let array = match args {
        [data, dtype, shape, order] => match graph.str(*order) {
            Some(order @ ("C" | "F")) => Array::new(graph, *shape, *dtype, order == "F", *data),
            _ => None,
        },
        _ => None,
    };
    filled(array)
}

fn filled<'a>(array: Option<Array>) -> Result<Node<'a>> {
    match array {
        Some(array) => Ok(Node::Array(Some(Box::new(array)))),
        None => shape(
            "numpy.ndarray",
            "expected a shape, a plain type and as many bytes as they need",
        ),
    }
}

impl Array {
    fn new(graph: &Graph<'_>, shape: Id, dtype: Id, fortran: bool, data: Id) -> Option<Self> {
        let Node::Dtype(dtype) = *graph.node(dtype) else {
            return None;
        };
        let dims = graph.tuple(shape).filter(|dims| dims.len() <= MAX_DIMS)?;
        let dims = dims
            .iter()
            .map(|dim| graph.int(*dim).and_then(|dim| usize::try_from(dim).ok()));
        let shape: Vec<usize> = dims.collect::<Option<_>>()?;
        let bytes = shape
            .iter()
            .try_fold(dtype.size, |product, dim| product.checked_mul(*dim))?;
        (bytes == graph.bytes(data)?.len()).then_some(Self {
            dtype,
            shape,
            fortran,
            data,
        })
    }

    /// How deep the lists nest.
    pub(crate) fn dims(&self) -> usize {
        self.shape.len()
    }

    /// The elements as nested lists; one bare element if there are no dimensions.
    pub(crate) fn decode(&self, graph: &Graph<'_>, budget: &mut Budget) -> Result<Value> {
        let bytes = graph.bytes(self.data).unwrap_or_default();
        budget.charge(bytes.len())?;
        let value = self.nest(bytes, budget, 0, 0)?;
        value.map_or_else(|| shape("numpy.ndarray", "text that is not Unicode"), Ok)
    }

    /// The part of the array under the indices so far, which sum up to element number `offset`.
    fn nest(&self, bytes: &[u8], budget: &mut Budget, dim: usize, offset: usize) -> Result<Option<Value>> {
        let Some(len) = self.shape.get(dim).copied() else {
            let start = offset * self.dtype.size;
            return Ok(self.dtype.element(&bytes[start..start + self.dtype.size]));
        };
        budget.charge_for::<Value>(len)?;
        let stride: usize = if self.fortran {
            self.shape[..dim].iter().product()
        } else {
            self.shape[dim + 1..].iter().product()
        };
        let items = (0..len).map(|i| self.nest(bytes, budget, dim + 1, offset + i * stride));
        Ok(items.collect::<Result<Option<Vec<_>>>>()?.map(Value::List))
    }
}
