//! Reading one plain value.

use crate::decode::Decoder;
use crate::{Limits, Result, Value, machine};

/// The value that `pickle` holds, within the default [`Limits`].
///
/// # Errors
/// [`Error::Forbidden`](crate::Error::Forbidden) and [`Error::Opcode`](crate::Error::Opcode) for
/// anything that is not data, [`Error::Limit`](crate::Error::Limit) for what would cost too much, the
/// others for what Python did not write.
///
/// ```
/// use anear_pickle::{Value, read};
///
/// // pickle.dumps({"page": 7}, protocol=2)
/// let pickle = b"\x80\x02}q\x00X\x04\x00\x00\x00pageq\x01K\x07s.";
/// assert_eq!(read(pickle)?, Value::Dict(vec![(Value::Str("page".into()), Value::Int(7))]));
/// # Ok::<(), anear_pickle::Error>(())
/// ```
pub fn read(pickle: &[u8]) -> Result<Value> {
    read_with(pickle, &Limits::default())
}

/// The value that `pickle` holds, within `limits`.
///
/// # Errors
/// As [`read`].
pub fn read_with(pickle: &[u8], limits: &Limits) -> Result<Value> {
    let (graph, root) = machine::run(pickle, limits)?;
    Decoder::new(&graph, limits.budget(pickle.len())?, limits.nesting()).value(root)
}
