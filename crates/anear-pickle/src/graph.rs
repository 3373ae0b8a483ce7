//! The objects of a pickle before they are decoded: a flat arena of nodes that refer to one another.
//!
//! References are indices, so objects that the pickle shares stay shared, objects that contain
//! themselves are representable, and dropping the arena never recurses.

use std::borrow::Cow;

use crate::allowed::{FaissClass, Symbol};
use crate::limits::Budget;
use crate::number::Integer;
use crate::numpy::{Array, Dtype};
use crate::{BigInt, Error, Result, Value};

/// Index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(u32);

/// One object of the pickle; text and bytes are borrowed from the pickle where it holds them plainly.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    BigInt(BigInt),
    Float(f64),
    Str(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    ByteArray(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    FrozenSet(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name of the allow-list, not (yet) used.
    Symbol(Symbol),
    /// A value of a class whose objects hold no others: a date, a UUID, a path, ...
    Leaf(Box<Value>),
    Dtype(Dtype),
    /// An array of numpy that waits for its state, or has it.
    Array(Option<Box<Array>>),
    /// An object that was made without arguments and waits for its state.
    Blank(Class),
    /// A LangChain docstore: its dict from id to document.
    Docstore(Id),
    /// A LangChain document: the dict of its fields.
    Document(Id),
    /// A Faiss index: its class and the bytes of its file.
    Faiss(FaissClass, Id),
}

/// The classes whose objects are made empty (NEWOBJ) and get their state afterwards (BUILD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Docstore,
    Document,
    Faiss(FaissClass),
    Uuid,
}

impl From<Integer> for Node<'_> {
    fn from(integer: Integer) -> Self {
        match integer {
            Integer::Small(int) => Self::Int(int),
            Integer::Big(int) => Self::BigInt(int),
        }
    }
}

impl From<Value> for Node<'_> {
    fn from(leaf: Value) -> Self {
        Self::Leaf(Box::new(leaf))
    }
}

/// All nodes, and what may still be spent on making more.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    pub(crate) budget: Budget,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            nodes: Vec::new(),
            budget,
        }
    }

    /// Adds a node.
    pub(crate) fn add(&mut self, node: Node<'a>) -> Result<Id> {
        let full = Error::Limit {
            what: "objects",
            limit: u32::MAX as usize,
            field: "opcodes",
        };
        let id = Id(u32::try_from(self.nodes.len()).map_err(|_| full)?);
        self.nodes.push(node);
        Ok(id)
    }

    pub(crate) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.nodes[id.0 as usize]
    }

    pub(crate) fn str(&self, id: Id) -> Option<&str> {
        if let Node::Str(text) = self.node(id) {
            Some(text)
        } else {
            None
        }
    }

    /// The bytes of a `bytes` or `bytearray`.
    pub(crate) fn bytes(&self, id: Id) -> Option<&[u8]> {
        if let Node::Bytes(bytes) | Node::ByteArray(bytes) = self.node(id) {
            Some(bytes)
        } else {
            None
        }
    }

    pub(crate) fn int(&self, id: Id) -> Option<i64> {
        if let Node::Int(int) = self.node(id) {
            Some(*int)
        } else {
            None
        }
    }

    /// A flag, which old pickles also write as 0 or 1.
    pub(crate) fn flag(&self, id: Id) -> Option<bool> {
        match self.node(id) {
            Node::Bool(flag) => Some(*flag),
            Node::Int(int) => Some(*int != 0),
            _ => None,
        }
    }

    pub(crate) fn tuple(&self, id: Id) -> Option<&[Id]> {
        if let Node::Tuple(items) = self.node(id) {
            Some(items)
        } else {
            None
        }
    }

    /// The items of a list or tuple.
    pub(crate) fn items(&self, id: Id) -> Option<&[Id]> {
        if let Node::List(items) | Node::Tuple(items) = self.node(id) {
            Some(items)
        } else {
            None
        }
    }

    pub(crate) fn dict(&self, id: Id) -> Option<&[(Id, Id)]> {
        if let Node::Dict(pairs) = self.node(id) {
            Some(pairs)
        } else {
            None
        }
    }

    pub(crate) fn leaf(&self, id: Id) -> Option<&Value> {
        if let Node::Leaf(value) = self.node(id) {
            Some(value)
        } else {
            None
        }
    }

    pub(crate) fn symbol(&self, id: Id) -> Option<Symbol> {
        if let Node::Symbol(symbol) = self.node(id) {
            Some(*symbol)
        } else {
            None
        }
    }

    /// The value under a text key of `pairs`; the last one, as in Python.
    pub(crate) fn get(&self, pairs: &[(Id, Id)], key: &str) -> Option<Id> {
        pairs
            .iter()
            .rev()
            .find(|(name, _)| self.str(*name) == Some(key))
            .map(|(_, value)| *value)
    }
}
