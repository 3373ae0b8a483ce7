//! Opcodes that push one constant: what their arguments mean.

use std::borrow::Cow;

use crate::graph::Node;
use crate::input::Input;
use crate::number::Integer;
use crate::{Error, Result, opcode};

/// The constant that `opcode` pushes, its argument read from `input`; `None` for other opcodes.
pub(crate) fn literal<'a>(opcode: u8, input: &mut Input<'a>) -> Result<Option<Node<'a>>> {
    Ok(Some(match opcode {
        opcode::NONE => Node::None,
        opcode::NEWTRUE => Node::Bool(true),
        opcode::NEWFALSE => Node::Bool(false),
        opcode::INT => int_line(input)?,
        opcode::LONG => long_line(input)?,
        opcode::BININT => Node::Int(i32::from_le_bytes(input.array()?).into()),
        opcode::BININT1 => Node::Int(input.u8()?.into()),
        opcode::BININT2 => Node::Int(u16::from_le_bytes(input.array()?).into()),
        opcode::LONG1 | opcode::LONG4 => long(opcode, input)?,
        opcode::FLOAT => float_line(input)?,
        opcode::BINFLOAT => Node::Float(f64::from_be_bytes(input.array()?)),
        opcode::UNICODE => unicode_line(input)?,
        opcode::SHORT_BINUNICODE | opcode::BINUNICODE | opcode::BINUNICODE8 => text(opcode, input)?,
        opcode::SHORT_BINBYTES | opcode::BINBYTES | opcode::BINBYTES8 => Node::Bytes(bytes(opcode, input)?),
        opcode::BYTEARRAY8 => Node::ByteArray(bytes(opcode, input)?),
        opcode::EMPTY_LIST => Node::List(Vec::new()),
        opcode::EMPTY_TUPLE => Node::Tuple(Vec::new()),
        opcode::EMPTY_DICT => Node::Dict(Vec::new()),
        opcode::EMPTY_SET => Node::Set(Vec::new()),
        _ => return Ok(None),
    }))
}

/// The argument of a text opcode: a line, parsed.
fn parsed_line<'a, T>(
    input: &mut Input<'a>,
    what: &'static str,
    parse: impl FnOnce(&'a str) -> Option<T>,
) -> Result<T> {
    let at = input.at();
    let line = std::str::from_utf8(input.line()?).ok();
    line.and_then(parse).ok_or(Error::Malformed { at, what })
}

fn int_line<'a>(input: &mut Input<'a>) -> Result<Node<'a>> {
    parsed_line(input, "no integer", |line| match line {
        "00" => Some(Node::Bool(false)),
        "01" => Some(Node::Bool(true)),
        digits => Integer::from_text(digits).map(Node::from),
    })
}

fn long_line<'a>(input: &mut Input<'a>) -> Result<Node<'a>> {
    let parse = |line: &str| Integer::from_text(line.strip_suffix('L').unwrap_or(line)).map(Node::from);
    parsed_line(input, "no integer of at most 4300 digits", parse)
}

fn float_line<'a>(input: &mut Input<'a>) -> Result<Node<'a>> {
    parsed_line(input, "no float", |line| line.parse().ok().map(Node::Float))
}

fn long<'a>(opcode: u8, input: &mut Input<'a>) -> Result<Node<'a>> {
    let at = input.at();
    let len = if opcode == opcode::LONG1 {
        input.u8()?.into()
    } else {
        input.u32()?.into()
    };
    let integer = Integer::from_le_bytes(input.take(len)?);
    integer.map(Node::from).ok_or(Error::Malformed {
        at,
        what: "an integer of more than 4300 digits",
    })
}

fn text<'a>(opcode: u8, input: &mut Input<'a>) -> Result<Node<'a>> {
    let len = match opcode {
        opcode::SHORT_BINUNICODE => input.u8()?.into(),
        opcode::BINUNICODE => input.u32()?.into(),
        _ => input.u64()?,
    };
    let at = input.at();
    // Python writes lone surrogates here too, which no Rust string and no UTF-8 file can hold.
    let text = std::str::from_utf8(input.take(len)?);
    text.map(|text| Node::Str(Cow::Borrowed(text)))
        .map_err(|_| Error::Malformed {
            at,
            what: "text that is not UTF-8",
        })
}

fn bytes<'a>(opcode: u8, input: &mut Input<'a>) -> Result<Cow<'a, [u8]>> {
    let len = match opcode {
        opcode::SHORT_BINBYTES => input.u8()?.into(),
        opcode::BINBYTES => input.u32()?.into(),
        _ => input.u64()?,
    };
    Ok(Cow::Borrowed(input.take(len)?))
}

/// Protocol 0's text: Latin-1 with `\uXXXX` and `\UXXXXXXXX` ("raw-unicode-escape").
fn unicode_line<'a>(input: &mut Input<'a>) -> Result<Node<'a>> {
    let at = input.at();
    let mut rest = input.line()?;
    let mut text = String::new();
    while let Some((first, after)) = rest.split_first() {
        let digits = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*first));
                rest = after;
                continue;
            }
        };
        let escaped = after.get(1..=digits).and_then(hex_char);
        text.push(escaped.ok_or(Error::Malformed {
            at,
            what: "text with a wrong escape",
        })?);
        rest = &after[1 + digits..];
    }
    Ok(Node::Str(Cow::Owned(text)))
}

fn hex_char(digits: &[u8]) -> Option<char> {
    let code = digits
        .iter()
        .try_fold(0u32, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?));
    char::from_u32(code?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unicode(line: &[u8]) -> Result<String> {
        let line = [line, b"\n"].concat();
        match unicode_line(&mut Input::new(&line))? {
            Node::Str(text) => Ok(text.into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn raw_unicode_escapes_read_as_python_reads_them() {
        let cases: [(&[u8], &str); 5] = [
            (b"plain", "plain"),
            (b"\xe9\\u005cn\\u000a", "é\\n\n"),
            (b"\\U0001f600!", "😀!"),
            (b"\\x41", "\\x41"),
            (b"\\", "\\"),
        ];
        for (line, expected) in cases {
            assert_eq!(unicode(line).as_deref(), Ok(expected));
        }
        for broken in [b"\\u12".as_slice(), b"\\ud800", b"\\U00110000", b"\\uzzzz"] {
            assert!(unicode(broken).is_err(), "{broken:?}");
        }
    }
}
