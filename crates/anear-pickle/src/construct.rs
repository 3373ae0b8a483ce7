//! What Python would do by calling a class, done as data: the arguments are checked against what the
//! class writes into its own pickles, and the value they describe is written down.

use std::borrow::Cow;

use crate::allowed::Symbol;
use crate::graph::{Class, Graph, Id, Node};
use crate::path::Flavor;
use crate::{Date, DateTime, Decimal, Delta, Error, Offset, Result, Time, Uuid, Value, numpy};

pub(crate) fn shape<T>(class: &'static str, what: &'static str) -> Result<T> {
    Err(Error::Shape { class, what })
}

/// REDUCE: the result of calling `callable` with the tuple `args`.
pub(crate) fn reduce<'a>(graph: &mut Graph<'a>, callable: Id, args: Id) -> Result<Node<'a>> {
    let Some(symbol) = graph.symbol(callable) else {
        return shape("object", "it is called, but it is no class");
    };
    let len = graph.tuple(args).map_or(0, <[Id]>::len);
    graph.budget.charge_for::<Id>(len)?;
    match graph.tuple(args).map(<[Id]>::to_vec) {
        Some(args) => call(graph, symbol, &args),
        None => shape("tuple", "arguments that are no tuple"),
    }
}

fn call<'a>(graph: &mut Graph<'a>, symbol: Symbol, args: &[Id]) -> Result<Node<'a>> {
    match symbol {
        Symbol::Reconstructor => reconstruct(graph, args),
        Symbol::Encode => encode(graph, args).map(Node::Bytes),
        Symbol::Bytes => bytes(graph, args, "bytes").map(Node::Bytes),
        Symbol::ByteArray => bytes(graph, args, "bytearray").map(Node::ByteArray),
        Symbol::Complex => complex(graph, args),
        Symbol::Set => members(graph, args, "set").map(Node::Set),
        Symbol::FrozenSet => members(graph, args, "frozenset").map(Node::FrozenSet),
        Symbol::OrderedDict => ordered_dict(args),
        Symbol::DefaultDict => default_dict(graph, args),
        Symbol::Date => date(graph, args).map(Node::from),
        Symbol::Time => time(graph, args).map(Node::from),
        Symbol::DateTime => date_time(graph, args).map(Node::from),
        Symbol::Delta => delta(graph, args).map(Node::from),
        Symbol::Zone => zone(graph, args).map(Node::from),
        Symbol::Decimal => decimal(graph, args).map(Node::from),
        Symbol::SafeUuid => safe_uuid(graph, args),
        Symbol::Path(flavor) => path(graph, flavor, args).map(|text| Value::Path(text).into()),
        Symbol::PurePath(flavor) => pure_path(graph, flavor, args).map(Node::from),
        Symbol::NumpyDtype => numpy::dtype(graph, args).map(Node::Dtype),
        Symbol::NumpyScalar => numpy::scalar(graph, args),
        Symbol::NumpyReconstruct => numpy::reconstruct(graph, args),
        Symbol::NumpyFromBuffer => numpy::from_buffer(graph, args),
        Symbol::Class(_) | Symbol::Object | Symbol::Factory | Symbol::NumpyArray => {
            shape("object", "a class is called that data never calls")
        }
    }
}

/// NEWOBJ: an object of `class` without state; none of these classes takes arguments.
pub(crate) fn blank<'a>(graph: &Graph<'a>, class: Id, args: Id) -> Result<Node<'a>> {
    let Some(Symbol::Class(class)) = graph.symbol(class) else {
        return shape(
            "object",
            "only documents, docstores, indexes and UUIDs are made this way",
        );
    };
    match graph.tuple(args) {
        Some([]) => Ok(Node::Blank(class)),
        _ => shape("object", "an object made with arguments"),
    }
}

/// Protocols 0 and 1 call `copyreg._reconstructor(class, object, None)`.
fn reconstruct<'a>(graph: &Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    let known = match args {
        [class, base, state] => graph
            .symbol(*class)
            .zip(graph.symbol(*base))
            .zip(Some(graph.node(*state))),
        _ => None,
    };
    match known {
        Some(((Symbol::Class(class), Symbol::Object), Node::None)) => Ok(Node::Blank(class)),
        _ => shape("copyreg._reconstructor", "expected a data class, `object` and None"),
    }
}

/// BUILD: what `object` becomes when it gets `state`.
pub(crate) fn build<'a>(graph: &Graph<'a>, object: Id, state: Id) -> Result<Node<'a>> {
    match graph.node(object) {
        Node::Blank(class) => with_state(graph, *class, state),
        Node::Dtype(dtype) => dtype.with_state(graph, state).map(Node::Dtype),
        Node::Array(None) => numpy::array(graph, state),
        _ => shape("object", "a state for something that takes none"),
    }
}

fn with_state<'a>(graph: &Graph<'a>, class: Class, state: Id) -> Result<Node<'a>> {
    let Some(state) = graph.dict(state) else {
        return shape("object", "a state that is no dict");
    };
    match class {
        Class::Docstore => field(graph, state, &["_dict"], "InMemoryDocstore").map(Node::Docstore),
        Class::Document => field(graph, state, DOCUMENT_STATE, "Document").map(Node::Document),
        Class::Faiss(class) => field(graph, state, &["this"], class.name()).map(|bytes| Node::Faiss(class, bytes)),
        Class::Uuid => uuid(graph, state).map(Node::from),
    }
}

/// The keys of a document's state in both generations of pydantic; the first holds the fields.
const DOCUMENT_STATE: &[&str] = &[
    "__dict__",
    "__fields_set__",
    "__private_attribute_values__",
    "__pydantic_extra__",
    "__pydantic_fields_set__",
    "__pydantic_private__",
];

/// The value under the first of `keys`; there may be no key besides `keys`, and none twice.
fn field(graph: &Graph<'_>, state: &[(Id, Id)], keys: &[&str], class: &'static str) -> Result<Id> {
    let known = |(key, _): &(Id, Id)| graph.str(*key).is_some_and(|key| keys.contains(&key));
    if state.len() > keys.len() || !state.iter().all(known) {
        return shape(class, "a state with other attributes than the class has");
    }
    graph
        .get(state, keys[0])
        .map_or_else(|| shape(class, "a state without its content"), Ok)
}

fn uuid(graph: &Graph<'_>, state: &[(Id, Id)]) -> Result<Value> {
    const CLASS: &str = "uuid.UUID";
    let int = match graph.node(field(graph, state, &["int", "is_safe"], CLASS)?) {
        Node::Int(int) => u128::try_from(*int).ok(),
        Node::BigInt(int) => int.as_str().parse().ok(),
        _ => None,
    };
    int.map_or_else(
        || shape(CLASS, "expected an integer of 128 bits"),
        |int| Ok(Value::Uuid(Uuid::from(int))),
    )
}

/// `SafeUUID(value)` is an enum; its value stands for it.
fn safe_uuid<'a>(graph: &Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    match args.first().map(|value| graph.node(*value)) {
        Some(Node::Int(int @ (-1 | 0))) => Ok(Node::Int(*int)),
        Some(Node::None) => Ok(Node::None),
        _ => shape("uuid.SafeUUID", "expected 0, -1 or None"),
    }
}

/// `_codecs.encode(text, 'latin1')`: bytes, one per character.
fn encode<'a>(graph: &mut Graph<'a>, args: &[Id]) -> Result<Cow<'a, [u8]>> {
    const CLASS: &str = "_codecs.encode";
    let [text, codec] = args else {
        return shape(CLASS, "expected text and the name of a codec");
    };
    if !graph
        .str(*codec)
        .is_some_and(|codec| matches!(codec, "latin1" | "latin-1"))
    {
        return shape(CLASS, "only the codec latin1 writes bytes");
    }
    graph.budget.charge(graph.str(*text).map_or(0, str::len))?;
    let bytes = graph
        .str(*text)
        .and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect());
    bytes.map_or_else(
        || shape(CLASS, "expected Latin-1 text"),
        |bytes: Vec<u8>| Ok(Cow::Owned(bytes)),
    )
}

/// `bytes()`, `bytes(bytes)`, `bytearray(text, 'latin-1')`.
fn bytes<'a>(graph: &mut Graph<'a>, args: &[Id], class: &'static str) -> Result<Cow<'a, [u8]>> {
    let source = match args {
        [] => return Ok(Cow::Borrowed(&[])),
        [text, _] if graph.str(*text).is_some() => return encode(graph, args),
        [source] => *source,
        _ => return shape(class, "expected bytes"),
    };
    graph.budget.charge(graph.bytes(source).map_or(0, <[u8]>::len))?;
    match graph.node(source) {
        Node::Bytes(bytes) => Ok(bytes.clone()),
        _ => shape(class, "expected bytes"),
    }
}

fn complex<'a>(graph: &Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    match args {
        [re, im] => match (graph.node(*re), graph.node(*im)) {
            (Node::Float(re), Node::Float(im)) => Ok(Value::Complex(*re, *im).into()),
            _ => shape("complex", "expected two floats"),
        },
        _ => shape("complex", "expected two floats"),
    }
}

/// The members of `set([...])`, as protocols 0 to 3 write sets.
fn members(graph: &mut Graph<'_>, args: &[Id], class: &'static str) -> Result<Vec<Id>> {
    let list = match args {
        [] => return Ok(Vec::new()),
        [list] => *list,
        _ => return shape(class, "expected a list"),
    };
    graph
        .budget
        .charge_for::<Id>(graph.items(list).map_or(0, <[Id]>::len))?;
    graph
        .items(list)
        .map_or_else(|| shape(class, "expected a list"), |items| Ok(items.to_vec()))
}

/// `OrderedDict()`; its items follow as in a plain dict.
fn ordered_dict<'a>(args: &[Id]) -> Result<Node<'a>> {
    if args.is_empty() {
        Ok(Node::Dict(Vec::new()))
    } else {
        shape("collections.OrderedDict", "expected no arguments")
    }
}

/// `defaultdict(factory)`; its items follow as in a plain dict, the factory is not needed to hold them.
fn default_dict<'a>(graph: &Graph<'a>, args: &[Id]) -> Result<Node<'a>> {
    let is_factory = |id: &Id| match graph.node(*id) {
        Node::None => true,
        Node::Symbol(symbol) => matches!(
            symbol,
            Symbol::Factory
                | Symbol::Bytes
                | Symbol::ByteArray
                | Symbol::Complex
                | Symbol::Set
                | Symbol::FrozenSet
                | Symbol::OrderedDict
        ),
        _ => false,
    };
    match args {
        [] => Ok(Node::Dict(Vec::new())),
        [factory] if is_factory(factory) => Ok(Node::Dict(Vec::new())),
        _ => shape("collections.defaultdict", "expected a builtin type as factory"),
    }
}

fn date(graph: &Graph<'_>, args: &[Id]) -> Result<Value> {
    let date = match args {
        [state] => graph.bytes(*state).and_then(date_of),
        _ => None,
    };
    date.map_or_else(
        || shape("datetime.date", "expected the four bytes of a day"),
        |date| Ok(Value::Date(date)),
    )
}

fn time(graph: &Graph<'_>, args: &[Id]) -> Result<Value> {
    let Some((state, offset)) = state_and_offset(graph, args) else {
        return shape(
            "datetime.time",
            "expected six bytes and perhaps a fixed offset from UTC",
        );
    };
    match time_of(state, offset) {
        Some(time) => Ok(Value::Time(time)),
        None => shape("datetime.time", "expected the six bytes of a time of day"),
    }
}

fn date_time(graph: &Graph<'_>, args: &[Id]) -> Result<Value> {
    let Some((state, offset)) = state_and_offset(graph, args) else {
        return shape(
            "datetime.datetime",
            "expected ten bytes and perhaps a fixed offset from UTC",
        );
    };
    match date_time_of(state, offset) {
        Some(date_time) => Ok(Value::DateTime(date_time)),
        None => shape("datetime.datetime", "expected the ten bytes of a day and a time of day"),
    }
}

/// The arguments of `time` and `datetime`: packed bytes, then a `timezone` if there is one.
fn state_and_offset<'g>(graph: &'g Graph<'_>, args: &[Id]) -> Option<(&'g [u8], Option<Offset>)> {
    let (state, zone) = match args {
        [state] => (state, None),
        [state, zone] => (state, Some(zone)),
        _ => return None,
    };
    let offset = match zone.map(|zone| graph.node(*zone)) {
        None | Some(Node::None) => None,
        Some(Node::Leaf(leaf)) => match **leaf {
            Value::Zone(offset) => Some(offset),
            _ => return None,
        },
        Some(_) => return None,
    };
    Some((graph.bytes(*state)?, offset))
}

/// Year (two bytes, high first), month, day.
fn date_of(state: &[u8]) -> Option<Date> {
    let [high, low, month, day] = *<&[u8; 4]>::try_from(state).ok()?;
    Date::new(u16::from_be_bytes([high, low]), month, day)
}

/// Hour (its high bit is the fold), minute, second, microsecond (three bytes, high first).
fn time_of(state: &[u8], offset: Option<Offset>) -> Option<Time> {
    let [hour, minute, second, us2, us1, us0] = *<&[u8; 6]>::try_from(state).ok()?;
    let mut time = Time::new(hour & 0x7f, minute, second, u32::from_be_bytes([0, us2, us1, us0]))?;
    time.fold = hour & 0x80 != 0;
    time.offset = offset;
    Some(time)
}

/// A date and a time; the fold is the high bit of the month.
fn date_time_of(state: &[u8], offset: Option<Offset>) -> Option<DateTime> {
    let (day, clock) = state.split_at_checked(4)?;
    let [high, low, month, day] = *<&[u8; 4]>::try_from(day).ok()?;
    let date = date_of(&[high, low, month & 0x7f, day])?;
    let mut time = time_of(clock, offset).filter(|time| !time.fold)?;
    time.fold = month & 0x80 != 0;
    Some(DateTime { date, time })
}

fn delta(graph: &Graph<'_>, args: &[Id]) -> Result<Value> {
    let parts: Option<Vec<i64>> = args.iter().map(|id| graph.int(*id)).collect();
    let delta = match parts.as_deref() {
        Some([days, seconds, microseconds]) => (|| {
            Delta::new(
                (*days).try_into().ok()?,
                (*seconds).try_into().ok()?,
                (*microseconds).try_into().ok()?,
            )
        })(),
        _ => None,
    };
    delta.map_or_else(
        || {
            shape(
                "datetime.timedelta",
                "expected normalized days, seconds and microseconds",
            )
        },
        |delta| Ok(Value::Delta(delta)),
    )
}

/// `timezone(timedelta[, name])`; the name is only how it prints.
fn zone(graph: &Graph<'_>, args: &[Id]) -> Result<Value> {
    let delta = match args {
        [delta] => graph.leaf(*delta),
        [delta, name] if graph.str(*name).is_some() => graph.leaf(*delta),
        _ => None,
    };
    let offset = match delta {
        Some(Value::Delta(delta)) if delta.microseconds() == 0 => {
            let seconds = i64::from(delta.days()) * 86_400 + i64::from(delta.seconds());
            i32::try_from(seconds).ok().and_then(Offset::new)
        }
        _ => None,
    };
    offset.map_or_else(
        || shape("datetime.timezone", "expected an offset of whole seconds below a day"),
        |offset| Ok(Value::Zone(offset)),
    )
}

fn decimal(graph: &mut Graph<'_>, args: &[Id]) -> Result<Value> {
    let text = match args {
        [text] => graph.str(*text),
        _ => None,
    };
    let (len, decimal) = (text.map_or(0, str::len), text.and_then(Decimal::parse));
    graph.budget.charge(len)?;
    decimal.map_or_else(
        || shape("decimal.Decimal", "expected a decimal number as text"),
        |d| Ok(Value::Decimal(d)),
    )
}

fn pure_path(graph: &mut Graph<'_>, flavor: Flavor, parts: &[Id]) -> Result<Value> {
    let text = path(graph, flavor, parts)?;
    Ok(match flavor {
        Flavor::Posix => Value::PurePosixPath(text),
        Flavor::Windows => Value::PureWindowsPath(text),
    })
}

fn path(graph: &mut Graph<'_>, flavor: Flavor, parts: &[Id]) -> Result<String> {
    let len = parts.iter().filter_map(|part| graph.str(*part)).map(str::len).sum();
    graph.budget.charge(len)?;
    let parts: Option<Vec<&str>> = parts.iter().map(|part| graph.str(*part)).collect();
    match parts {
        Some(parts) => Ok(flavor.join(parts)),
        None => shape("pathlib.Path", "expected the parts of a path as text"),
    }
}
