//! What the tests share: hexadecimal text, and holders for one object given as opcodes.
// Each test binary uses its own part.
#![allow(dead_code, unreachable_pub)]

/// The bytes of hexadecimal text.
pub fn unhex(hex: &str) -> Vec<u8> {
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().as_chunks().0.iter().map(byte).collect()
}

/// `index.pkl` of one document whose metadata `body` is.
pub fn as_metadata(body: &[u8]) -> Vec<u8> {
    [
        b"\x80\x04clangchain.docstore.in_memory\nInMemoryDocstore\n)\x81}\x8c\x05_dict}N".as_slice(),
        b"clangchain.schema\nDocument\n)\x81}\x8c\x08__dict__}(\x8c\x0cpage_content\x8c\x01c\x8c\x08metadata}\x8c\x01k",
        body,
        b"susbssb}K\x00Ns\x86.",
    ]
    .concat()
}

/// The bytes of `serialize_to_bytes`, `body` in place of the index.
pub fn as_index(body: &[u8]) -> Vec<u8> {
    [
        b"\x80\x04",
        body,
        b"clangchain.docstore.in_memory\nInMemoryDocstore\n)\x81}\x8c\x05_dict}sb}\x87.",
    ]
    .concat()
}

/// A pickle of the one object that `body` leaves.
pub fn plain(body: &[u8]) -> Vec<u8> {
    [b"\x80\x04", body, b"."].concat()
}
