//! Writing pickles: protocol 4, without memo and frames, read alike by every Python since 3.4.

use crate::value::keys_problem;
use crate::{Date, Delta, Error, Limits, Offset, Result, Time, Uuid, Value, opcode};

/// A pickle of `value`, protocol 4.
///
/// # Errors
/// [`Error::Unwritable`] for a dict or set that Python cannot hold (a list or set as a key, a key twice) and
/// for what nests deeper than the default [`Limits::depth`], which [`read`](crate::read()) would refuse.
///
/// ```
/// use anear_pickle::{Value, write};
/// assert_eq!(write(&Value::Bool(true))?, b"\x80\x04\x88.");
/// # Ok::<(), anear_pickle::Error>(())
/// ```
pub fn write(value: &Value) -> Result<Vec<u8>> {
    let mut writer = Writer::new(0);
    writer.value(value, Limits::default().depth)?;
    Ok(writer.finish())
}

const TOO_DEEP: Error = Error::Unwritable {
    what: "it nests deeper than it could be read",
};

/// A pickle in the making.
#[derive(Debug)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// A pickle of about `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity + 64);
        out.extend([opcode::PROTO, 4]);
        Self { out }
    }

    /// The whole pickle.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.push(opcode::STOP);
        self.out
    }

    /// Any value that nests at most `depth` levels.
    pub(crate) fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        match value {
            Value::None => self.none(),
            Value::Bool(bool) => self.out.push(if *bool { opcode::NEWTRUE } else { opcode::NEWFALSE }),
            Value::Int(int) => self.int(*int),
            Value::BigInt(int) => self.big_int(int.as_str()),
            Value::Float(float) => self.float(*float),
            Value::Complex(re, im) => self.complex(*re, *im),
            Value::Str(text) => self.str(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::ByteArray(bytes) => self.call("builtins", "bytearray", |w| w.bytes(bytes)),
            Value::List(items) => self.list(items, depth)?,
            Value::Tuple(items) => self.tuple_of(items, depth)?,
            Value::Set(items) => self.set(items, depth)?,
            Value::FrozenSet(items) => self.frozen_set(items, depth)?,
            Value::Dict(pairs) => self.pairs(pairs, depth)?,
            Value::Date(date) => self.call("datetime", "date", |w| w.bytes(&date_state(*date))),
            Value::Time(time) => self.time(time),
            Value::DateTime(at) => self.date_time(at.date, &at.time),
            Value::Delta(delta) => self.delta(*delta),
            Value::Zone(offset) => self.zone(*offset),
            Value::Decimal(decimal) => self.call("decimal", "Decimal", |w| w.str(decimal.as_str())),
            Value::Uuid(uuid) => self.uuid(*uuid)?,
            Value::Path(path) | Value::PurePosixPath(path) | Value::PureWindowsPath(path) => {
                self.call("pathlib", value.type_name(), |w| w.str(path));
            }
        }
        Ok(())
    }

    pub(crate) fn none(&mut self) {
        self.out.push(opcode::NONE);
    }

    pub(crate) fn int(&mut self, int: i64) {
        if let Ok(byte) = u8::try_from(int) {
            self.out.extend([opcode::BININT1, byte]);
        } else if let Ok(int) = i32::try_from(int) {
            self.out.push(opcode::BININT);
            self.out.extend(int.to_le_bytes());
        } else {
            self.out.extend([opcode::LONG1, 8]);
            self.out.extend(int.to_le_bytes());
        }
    }

    /// As decimal text, which every protocol may contain.
    fn big_int(&mut self, digits: &str) {
        self.out.push(opcode::LONG);
        self.out.extend(digits.as_bytes());
        self.out.extend(b"L\n");
    }

    fn float(&mut self, float: f64) {
        self.out.push(opcode::BINFLOAT);
        self.out.extend(float.to_be_bytes());
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.sized(
            [opcode::SHORT_BINUNICODE, opcode::BINUNICODE, opcode::BINUNICODE8],
            text.as_bytes(),
        );
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.sized([opcode::SHORT_BINBYTES, opcode::BINBYTES, opcode::BINBYTES8], bytes);
    }

    /// `content` under the opcode whose length field it needs: one, four or eight bytes.
    fn sized(&mut self, [short, medium, long]: [u8; 3], content: &[u8]) {
        let len = content.len();
        if let Ok(len) = u8::try_from(len) {
            self.out.extend([short, len]);
        } else if let Ok(len) = u32::try_from(len) {
            self.out.push(medium);
            self.out.extend(len.to_le_bytes());
        } else {
            self.out.push(long);
            self.out.extend((len as u64).to_le_bytes());
        }
        self.out.extend(content);
    }

    /// A tuple of the last one to three values.
    pub(crate) fn tuple(&mut self, len: u8) {
        self.out.push(opcode::TUPLE1 - 1 + len);
    }

    fn items(&mut self, items: &[Value], depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
        self.out.push(opcode::MARK);
        items.iter().try_for_each(|item| self.value(item, depth))
    }

    fn list(&mut self, items: &[Value], depth: usize) -> Result<()> {
        self.out.push(opcode::EMPTY_LIST);
        self.items(items, depth)?;
        self.out.push(opcode::APPENDS);
        Ok(())
    }

    fn tuple_of(&mut self, items: &[Value], depth: usize) -> Result<()> {
        self.items(items, depth)?;
        self.out.push(opcode::TUPLE);
        Ok(())
    }

    fn set(&mut self, items: &[Value], depth: usize) -> Result<()> {
        check_keys(items.iter())?;
        self.out.push(opcode::EMPTY_SET);
        self.items(items, depth)?;
        self.out.push(opcode::ADDITEMS);
        Ok(())
    }

    fn frozen_set(&mut self, items: &[Value], depth: usize) -> Result<()> {
        check_keys(items.iter())?;
        self.items(items, depth)?;
        self.out.push(opcode::FROZENSET);
        Ok(())
    }

    fn pairs(&mut self, pairs: &[(Value, Value)], depth: usize) -> Result<()> {
        check_keys(pairs.iter().map(|(key, _)| key))?;
        let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
        self.dict(|dict| {
            pairs.iter().try_for_each(|(key, value)| {
                dict.value(key, depth)?;
                dict.value(value, depth)
            })
        })
    }

    /// A dict of the keys and values that `content` writes in turn.
    pub(crate) fn dict(&mut self, content: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.out.extend([opcode::EMPTY_DICT, opcode::MARK]);
        content(self)?;
        self.out.push(opcode::SETITEMS);
        Ok(())
    }

    /// A set of texts.
    pub(crate) fn str_set(&mut self, items: &[&str]) {
        self.out.extend([opcode::EMPTY_SET, opcode::MARK]);
        items.iter().for_each(|item| self.str(item));
        self.out.push(opcode::ADDITEMS);
    }

    fn global(&mut self, module: &str, name: &str) {
        self.str(module);
        self.str(name);
        self.out.push(opcode::STACK_GLOBAL);
    }

    /// An object of a class, made empty and given the state that `state` writes, key by key.
    pub(crate) fn object(
        &mut self,
        module: &str,
        name: &str,
        state: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.global(module, name);
        self.out.extend([opcode::EMPTY_TUPLE, opcode::NEWOBJ]);
        self.dict(state)?;
        self.out.push(opcode::BUILD);
        Ok(())
    }

    /// A class called with the arguments that `args` writes.
    fn call(&mut self, module: &str, name: &str, args: impl FnOnce(&mut Self)) {
        self.global(module, name);
        self.out.push(opcode::MARK);
        args(self);
        self.out.extend([opcode::TUPLE, opcode::REDUCE]);
    }

    fn complex(&mut self, re: f64, im: f64) {
        self.call("builtins", "complex", |w| {
            w.float(re);
            w.float(im);
        });
    }

    fn time(&mut self, time: &Time) {
        self.call("datetime", "time", |w| {
            let mut state = time_state(time);
            state[0] |= u8::from(time.fold) << 7;
            w.bytes(&state);
            w.offset(time.offset);
        });
    }

    fn date_time(&mut self, date: Date, time: &Time) {
        self.call("datetime", "datetime", |w| {
            let [high, low, month, day] = date_state(date);
            let month = month | u8::from(time.fold) << 7;
            w.bytes(&[&[high, low, month, day], time_state(time).as_slice()].concat());
            w.offset(time.offset);
        });
    }

    fn offset(&mut self, offset: Option<Offset>) {
        if let Some(offset) = offset {
            self.zone(offset);
        }
    }

    fn delta(&mut self, delta: Delta) {
        self.call("datetime", "timedelta", |w| {
            w.int(delta.days().into());
            w.int(delta.seconds().into());
            w.int(delta.microseconds().into());
        });
    }

    fn zone(&mut self, offset: Offset) {
        self.call("datetime", "timezone", |w| w.delta(offset.into()));
    }

    fn uuid(&mut self, uuid: Uuid) -> Result<()> {
        self.object("uuid", "UUID", |state| {
            state.str("int");
            // Little-endian two's complement; the zero on top keeps it positive.
            state.out.extend([opcode::LONG1, 17]);
            state.out.extend(uuid.as_bytes().iter().rev());
            state.out.push(0);
            Ok(())
        })
    }
}

/// The four bytes by which `date` pickles itself.
fn date_state(date: Date) -> [u8; 4] {
    let [high, low] = date.year().to_be_bytes();
    [high, low, date.month(), date.day()]
}

/// The six bytes by which `time` pickles itself, without the fold.
fn time_state(time: &Time) -> [u8; 6] {
    let [_, us2, us1, us0] = time.microsecond().to_be_bytes();
    [time.hour(), time.minute(), time.second(), us2, us1, us0]
}

fn check_keys<'v>(keys: impl ExactSizeIterator<Item = &'v Value>) -> Result<()> {
    keys_problem(keys).map_or(Ok(()), |what| Err(Error::Unwritable { what }))
}
