//! Random values survive writing and reading; random bytes never do harm.

use anear_pickle::{
    BigInt, Date, DateTime, Decimal, Delta, Offset, Time, Uuid, Value, read, read_bytes_pkl, read_index_pkl, write,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn date() -> impl Strategy<Value = Date> {
    (1..=9999u16, 1..=12u8, 1..=31u8).prop_filter_map("no such day", |(year, month, day)| Date::new(year, month, day))
}

fn offset() -> impl Strategy<Value = Offset> {
    (-86_399..=86_399).prop_filter_map("a day", Offset::new)
}

fn time() -> impl Strategy<Value = Time> {
    let clock = (0..24u8, 0..60u8, 0..60u8, 0..1_000_000u32);
    (clock, any::<bool>(), proptest::option::of(offset())).prop_map(|((hour, minute, second, micro), fold, offset)| {
        let mut time = Time::new(hour, minute, second, micro).unwrap();
        time.fold = fold;
        time.offset = offset;
        time
    })
}

fn delta() -> impl Strategy<Value = Delta> {
    (-999_999_999..=999_999_999, 0..86_400u32, 0..1_000_000u32).prop_map(|(d, s, us)| Delta::new(d, s, us).unwrap())
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-70_000..70_000i64).prop_map(Value::Int),
        "-?[1-9][0-9]{19,400}"
            .prop_filter_map("small", |digits| BigInt::parse(&digits))
            .prop_map(Value::BigInt),
        any::<f64>().prop_map(Value::Float),
        (any::<f64>(), any::<f64>()).prop_map(|(re, im)| Value::Complex(re, im)),
        any::<String>().prop_map(Value::Str),
        vec(any::<u8>(), 0..400).prop_map(Value::Bytes),
        date().prop_map(Value::Date),
        time().prop_map(Value::Time),
        (date(), time()).prop_map(|(date, time)| Value::DateTime(DateTime { date, time })),
        delta().prop_map(Value::Delta),
        offset().prop_map(Value::Zone),
        "-?[0-9]{1,30}(\\.[0-9]{0,9})?(E[+-][0-9]{1,4})?"
            .prop_map(|text| Value::Decimal(Decimal::parse(&text).unwrap())),
        any::<u128>().prop_map(|int| Value::Uuid(Uuid::from(int))),
        vec(any::<u8>(), 0..400).prop_map(Value::ByteArray),
        "[a-z]{1,9}(/[a-zé]{1,9}){0,5}".prop_map(Value::Path),
        "[a-z]{1,9}(/[a-zé]{1,9}){0,5}".prop_map(Value::PurePosixPath),
        "[A-Z]:\\\\[a-zé]{1,9}(\\\\[a-zé]{1,9}){0,5}".prop_map(Value::PureWindowsPath),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::List),
            vec(inner.clone(), 0..8).prop_map(Value::Tuple),
            vec((any::<String>().prop_map(Value::Str), inner), 0..8).prop_map(Value::Dict),
            vec(scalar(), 0..8).prop_map(Value::Set),
            vec(scalar(), 0..8).prop_map(Value::FrozenSet),
        ]
    })
}

/// Opcodes of every kind with fitting arguments, so that random sequences get far.
fn opcodes() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<&'static [u8]> = vec![
        b"(",
        b".",
        b"0",
        b"1",
        b"2",
        b"N",
        b"\x88",
        b"K\x01",
        b"]",
        b")",
        b"}",
        b"\x8f",
        b"a",
        b"e",
        b"s",
        b"u",
        b"\x90",
        b"t",
        b"l",
        b"d",
        b"\x85",
        b"\x86",
        b"\x87",
        b"\x91",
        b"R",
        b"b",
        b"\x81",
        b"\x92",
        b"\x93",
        b"\x94",
        b"h\x00",
        b"h\x01",
        b"h\x02",
        b"q\x00",
        b"q\x01",
        b"r\x02\0\0\0",
        b"j\x01\0\0\0",
        b"C\x04\x07\xe8\x01\x02",
        b"\x8c\x03int",
        b"\x8c\x02f4",
        b"\x8c\x06latin1",
        b"\x8c\x05_dict",
        b"\x8c\x08__dict__",
        b"\x8c\x0cpage_content",
        b"\x8c\x01C",
        b"C\x0a\x07\xe8\x01\x02\x03\x04\x05\0\0\x06",
        b"cdatetime\ndate\n",
        b"cdatetime\ndatetime\n",
        b"I7\n",
        b"L9L\n",
        b"cdatetime\ntimedelta\n",
        b"cdatetime\ntimezone\n",
        b"cuuid\nUUID\n",
        b"cdecimal\nDecimal\n",
        b"V\\u0041\n",
        b"cpathlib\nPath\n",
        b"c__builtin__\nset\n",
        b"c_codecs\nencode\n",
        b"cnumpy\ndtype\n",
        b"F1.5\n",
        b"p3\n",
        b"g3\n",
        b"cnumpy.core.multiarray\nscalar\n",
        b"cnumpy.core.multiarray\n_reconstruct\n",
        b"cnumpy\nndarray\n",
        b"\x80\x04",
        b"cnumpy.core.numeric\n_frombuffer\n",
        b"clangchain.schema\nDocument\n",
        b"cfaiss\nIndexFlat\n",
        b"\x8a\x01\xff",
        b"clangchain.docstore.in_memory\nInMemoryDocstore\n",
        b"ccollections\nOrderedDict\n",
        b"\x95\0\0\0\0\0\0\0\0",
    ];
    let piece = prop_oneof![
        12 => proptest::sample::select(fixed).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

fn never_panics(bytes: &[u8]) {
    let _ = read(bytes).map(|value| write(&value));
    let _ = read_index_pkl(bytes);
    let _ = read_bytes_pkl(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Compared as text, in which NaN equals itself.
    #[test]
    fn what_is_written_reads_back(value in value()) {
        // A set or dict that Python could not hold (1 and 1.0, say) is refused; all others come back.
        if let Ok(pickle) = write(&value) {
            prop_assert_eq!(format!("{:?}", read(&pickle).unwrap()), format!("{:?}", value));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        never_panics(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_opcodes_never_panic(mut bytes in opcodes()) {
        never_panics(&bytes);
        bytes.push(b'.');
        never_panics(&bytes);
    }
}
