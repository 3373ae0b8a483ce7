//! The opcodes of Python's pickle protocols 0 to 5, under their names in `pickletools`.

macro_rules! opcodes {
    ($($name:ident = $byte:literal,)*) => {
        $(pub(crate) const $name: u8 = $byte;)*

        /// The name of an opcode, or `unknown`.
        pub(crate) fn name(opcode: u8) -> &'static str {
            match opcode {
                $($byte => stringify!($name),)*
                _ => "unknown",
            }
        }
    };
}

opcodes! {
    // Protocol 0.
    MARK = b'(', STOP = b'.', POP = b'0', POP_MARK = b'1', DUP = b'2',
    FLOAT = b'F', INT = b'I', BININT = b'J', BININT1 = b'K', LONG = b'L', BININT2 = b'M', NONE = b'N',
    REDUCE = b'R', UNICODE = b'V', BINUNICODE = b'X', APPEND = b'a', BUILD = b'b', GLOBAL = b'c',
    DICT = b'd', EMPTY_DICT = b'}', APPENDS = b'e', GET = b'g', BINGET = b'h', LONG_BINGET = b'j',
    LIST = b'l', EMPTY_LIST = b']', PUT = b'p', BINPUT = b'q', LONG_BINPUT = b'r', SETITEM = b's',
    TUPLE = b't', EMPTY_TUPLE = b')', SETITEMS = b'u', BINFLOAT = b'G',
    // Protocol 2.
    PROTO = 0x80, NEWOBJ = 0x81, TUPLE1 = 0x85, TUPLE2 = 0x86, TUPLE3 = 0x87,
    NEWTRUE = 0x88, NEWFALSE = 0x89, LONG1 = 0x8a, LONG4 = 0x8b,
    // Protocol 3.
    BINBYTES = b'B', SHORT_BINBYTES = b'C',
    // Protocol 4.
    SHORT_BINUNICODE = 0x8c, BINUNICODE8 = 0x8d, BINBYTES8 = 0x8e, EMPTY_SET = 0x8f, ADDITEMS = 0x90,
    FROZENSET = 0x91, NEWOBJ_EX = 0x92, STACK_GLOBAL = 0x93, MEMOIZE = 0x94, FRAME = 0x95,
    // Protocol 5.
    BYTEARRAY8 = 0x96,
}

/// The names of opcodes that are known and refused: objects made by calling classes, references to
/// objects outside of the pickle, and the byte strings of Python 2.
pub(crate) fn refused(opcode: u8) -> &'static str {
    match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        known => name(known),
    }
}
