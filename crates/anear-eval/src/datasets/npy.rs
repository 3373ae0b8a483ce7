//! NumPy's npy, versions 1 to 3: a matrix in C order, little endian.

use std::path::Path;

use super::fixed::{Element, FixedFile, Opened};
use crate::Result;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy writes headers of 128 bytes; nothing that we read needs more than a few times that.
const HEADER_MAX: usize = 1 << 16;

/// The vectors of a matrix of two dimensions.
pub(super) fn open(path: &Path) -> Result<FixedFile> {
    let mut file = Opened::new(path)?;
    let magic = file.header::<6>()?;
    if magic != *MAGIC {
        return Err(file.wrong("it does not begin as an npy file does"));
    }
    let [major, _minor] = file.header()?;
    let len = match major {
        1 => u16::from_le_bytes(file.header()?).into(),
        2 | 3 => u32::from_le_bytes(file.header()?) as usize,
        _ => return Err(file.wrong(format!("npy version {major} is not known; 1, 2 and 3 are"))),
    };
    if len > HEADER_MAX {
        return Err(file.wrong(format!("a header of {len} bytes is no header")));
    }
    let header = file.header_of(len)?;
    let header = String::from_utf8_lossy(&header);
    match Header::parse(&header) {
        Ok(Header { element, len, dim }) => file.vectors(len, dim, element),
        Err(reason) => Err(file.wrong(reason)),
    }
}

/// The header that says `dim` and `len` of a matrix of f32, padded as NumPy pads it.
pub(super) fn header(len: usize, dim: usize) -> Vec<u8> {
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({len}, {dim}), }}");
    // Magic, version and length are 10 bytes; all together end at a multiple of 64 with a newline.
    let padded = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    header.extend((padded as u16).to_le_bytes());
    header.extend(format!("{dict:width$}\n", width = padded - 1).bytes());
    header
}

struct Header {
    element: Element,
    len: u64,
    dim: u64,
}

impl Header {
    /// Reads the three entries of NumPy's dictionary; the error is a reason.
    fn parse(text: &str) -> Result<Self, String> {
        let descr = entry(text, "descr")?.trim_start_matches(['\'', '"']);
        let descr = descr.split(['\'', '"']).next().unwrap_or_default();
        let element = element(descr)?;
        if !entry(text, "fortran_order")?.starts_with("False") {
            return Err("it is in Fortran order; save it with numpy.ascontiguousarray".into());
        }
        let shape = entry(text, "shape")?;
        let inside = shape.strip_prefix('(').and_then(|rest| rest.split(')').next());
        let numbers = inside
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty());
        let numbers: Vec<u64> = numbers.map_while(|n| n.parse().ok()).collect();
        match numbers[..] {
            [len, dim] => Ok(Self { element, len, dim }),
            _ => Err(format!(
                "its shape is {}, not (vectors, components)",
                inside.unwrap_or(shape)
            )),
        }
    }
}

/// What stands behind `name` in the dictionary.
fn entry<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let found = [format!("'{name}'"), format!("\"{name}\"")]
        .iter()
        .find_map(|key| text.split_once(key.as_str()).map(|(_, rest)| rest));
    let value = found.and_then(|rest| rest.trim_start().strip_prefix(':'));
    value
        .map(str::trim_start)
        .ok_or_else(|| format!("its header has no `{name}`"))
}

fn element(descr: &str) -> Result<Element, String> {
    Ok(match descr {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        "|i1" | "<i1" => Element::I8,
        "|u1" | "<u1" => Element::U8,
        "<i4" => Element::I32,
        "<u4" => Element::U32,
        "<i8" => Element::I64,
        "<u8" => Element::U64,
        _ => {
            return Err(format!(
                "numbers of type `{descr}` are not read; f2, f4, f8, u1, i1, i4 and i8 are"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_however_they_are_written() {
        let read = |text: &str| Header::parse(text).map(|h| (h.element, h.len, h.dim));
        for text in [
            "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4), }   \n",
            "{\"shape\":(3,4),\"fortran_order\":False,\"descr\":\"<f2\"}",
        ] {
            assert_eq!(read(text), Ok((Element::F16, 3, 4)));
        }
        for (text, reason) in [
            ("{}", "its header has no `descr`"),
            ("{'descr': '>f4'", "numbers of type `>f4`"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4)}", "Fortran"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
                "its shape is 3,",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4)}",
                "its shape",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_header_ends_where_numpy_wants_it() {
        for (len, dim) in [(1, 1), (123_456_789, 960), (usize::MAX, usize::MAX)] {
            let header = header(len, dim);
            assert!(header.len().is_multiple_of(64) && header.ends_with(b"\n"));
            assert_eq!(u16::from_le_bytes([header[8], header[9]]) as usize, header.len() - 10);
        }
    }
}
