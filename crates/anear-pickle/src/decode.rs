//! From nodes to values: shared objects are copied to each of their holders, within the budget.

use crate::construct::shape;
use crate::graph::{Graph, Id, Node};
use crate::limits::Budget;
use crate::value::keys_problem;
use crate::{Error, Result, Value};

/// Turns nodes of one graph into values.
#[derive(Debug)]
pub(crate) struct Decoder<'g, 'a> {
    graph: &'g Graph<'a>,
    budget: Budget,
    depth: usize,
}

impl<'g, 'a> Decoder<'g, 'a> {
    /// A decoder that may nest `depth` levels and spend `budget`.
    pub(crate) fn new(graph: &'g Graph<'a>, budget: Budget, depth: usize) -> Self {
        Self { graph, budget, depth }
    }

    /// The value of a node.
    pub(crate) fn value(&mut self, id: Id) -> Result<Value> {
        self.nested(id, self.depth)
    }

    /// The text of a node, or `None` if it is no text.
    pub(crate) fn text(&mut self, id: Id) -> Result<Option<String>> {
        let text = self.graph.str(id);
        self.budget.charge(text.map_or(0, str::len))?;
        Ok(text.map(str::to_owned))
    }

    /// The pairs of a dict; charged, since the pickle may share one dict among many holders.
    pub(crate) fn pairs(&mut self, id: Id) -> Result<Option<&'g [(Id, Id)]>> {
        let pairs = self.graph.dict(id);
        self.budget.charge_for::<(Id, Id)>(pairs.map_or(0, <[_]>::len))?;
        Ok(pairs)
    }

    /// The value of a node that may nest `depth` levels; one level is this call.
    fn nested(&mut self, id: Id, depth: usize) -> Result<Value> {
        self.budget.charge_for::<Value>(1)?;
        Ok(match self.graph.node(id) {
            Node::None => Value::None,
            Node::Bool(bool) => Value::Bool(*bool),
            Node::Int(int) => Value::Int(*int),
            Node::Float(float) => Value::Float(*float),
            Node::BigInt(int) => {
                self.budget.charge(int.as_str().len())?;
                Value::BigInt(int.clone())
            }
            Node::Str(text) => {
                self.budget.charge(text.len())?;
                Value::Str(text.as_ref().to_owned())
            }
            Node::Bytes(bytes) => {
                self.budget.charge(bytes.len())?;
                Value::Bytes(bytes.as_ref().to_owned())
            }
            Node::ByteArray(bytes) => {
                self.budget.charge(bytes.len())?;
                Value::ByteArray(bytes.as_ref().to_owned())
            }
            Node::Leaf(leaf) => self.leaf(leaf)?,
            Node::List(items) => Value::List(self.items(items, depth)?),
            Node::Tuple(items) => Value::Tuple(self.items(items, depth)?),
            Node::Set(items) => Value::Set(self.members(items, depth)?),
            Node::FrozenSet(items) => Value::FrozenSet(self.members(items, depth)?),
            Node::Dict(pairs) => self.dict(pairs, depth)?,
            Node::Array(Some(array)) => {
                self.level(depth.saturating_sub(array.dims()))?;
                array.decode(self.graph, &mut self.budget)?
            }
            Node::Document(fields) => self.document(*fields, depth)?,
            Node::Symbol(_) => return shape("object", "a class stands where a value belongs"),
            Node::Dtype(_) | Node::Array(None) => return shape("numpy", "a type or an empty array stands for a value"),
            Node::Blank(_) => return shape("object", "an object without state"),
            Node::Docstore(_) | Node::Faiss(..) => return shape("object", "a store or an index inside a value"),
        })
    }

    fn level(&self, depth: usize) -> Result<usize> {
        let exceeded = Error::Limit {
            what: "levels of nesting",
            limit: self.depth,
            field: "depth",
        };
        depth.checked_sub(1).ok_or(exceeded)
    }

    fn leaf(&mut self, leaf: &Value) -> Result<Value> {
        self.budget.charge(match leaf {
            Value::Str(text) | Value::Path(text) => text.len(),
            Value::PurePosixPath(text) | Value::PureWindowsPath(text) => text.len(),
            Value::Decimal(decimal) => decimal.as_str().len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        })?;
        Ok(leaf.clone())
    }

    fn items(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>> {
        let depth = self.level(depth)?;
        items.iter().map(|item| self.nested(*item, depth)).collect()
    }

    fn members(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>> {
        let items = self.items(items, depth)?;
        check_keys(items.iter())?;
        Ok(items)
    }

    fn dict(&mut self, pairs: &[(Id, Id)], depth: usize) -> Result<Value> {
        let depth = self.level(depth)?;
        let pair = |(key, value): &(Id, Id)| Ok((self.nested(*key, depth)?, self.nested(*value, depth)?));
        let pairs: Vec<_> = pairs.iter().map(pair).collect::<Result<_>>()?;
        check_keys(pairs.iter().map(|(key, _)| key))?;
        Ok(Value::Dict(pairs))
    }

    /// A document as data: its content and its metadata.
    fn document(&mut self, fields: Id, depth: usize) -> Result<Value> {
        let pairs = self.pairs(fields)?.unwrap_or_default();
        let depth = self.level(depth)?;
        let mut dict = Vec::new();
        for name in ["page_content", "metadata"] {
            if let Some(field) = self.graph.get(pairs, name) {
                dict.push((Value::Str(name.to_owned()), self.nested(field, depth)?));
            }
        }
        Ok(Value::Dict(dict))
    }
}

/// Python writes no key twice and takes no list or set as a key; a pickle that does is not from Python.
fn check_keys<'v>(keys: impl ExactSizeIterator<Item = &'v Value>) -> Result<()> {
    keys_problem(keys).map_or(Ok(()), |what| shape("dict", what))
}
