//! The pickle's stack machine, over data: every opcode moves or makes nodes of a [`Graph`].

use crate::graph::{Graph, Id, Node};
use crate::input::Input;
use crate::literal::literal;
use crate::{Error, Limits, Result, allowed, construct, opcode};

/// Newest protocol that is understood.
const PROTOCOL: u8 = 5;

/// Runs the opcodes of `bytes`: all objects, and the one that the pickle is about.
pub(crate) fn run<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Graph<'a>, Id)> {
    let mut machine = Machine {
        input: Input::new(bytes),
        graph: Graph::new(limits.budget(bytes.len())?),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Memo {
            entries: Vec::new(),
            filled: 0,
            limit: limits.memo,
        },
        at: 0,
        steps: 0,
    };
    while machine.step(limits)? {}
    let root = machine.pop()?;
    if !machine.stack.is_empty() || !machine.marks.is_empty() || machine.input.left() > 0 {
        return Err(machine.malformed("more data after the end"));
    }
    Ok((machine.graph, root))
}

struct Machine<'a> {
    input: Input<'a>,
    graph: Graph<'a>,
    stack: Vec<Id>,
    /// Heights of the stack at each open MARK.
    marks: Vec<usize>,
    memo: Memo,
    /// Position of the current opcode.
    at: usize,
    /// Opcodes read.
    steps: usize,
}

impl<'a> Machine<'a> {
    /// Runs one opcode; false at the end of the pickle.
    fn step(&mut self, limits: &Limits) -> Result<bool> {
        self.at = self.input.at();
        self.steps += 1;
        if self.steps > limits.opcodes {
            return Err(Error::Limit {
                what: "opcodes",
                limit: limits.opcodes,
                field: "opcodes",
            });
        }
        let opcode = self.input.u8()?;
        if let Some(node) = literal(opcode, &mut self.input)? {
            self.push(node)?;
        } else if opcode == opcode::STOP {
            return Ok(false);
        } else {
            self.combine(opcode)?;
        }
        Ok(true)
    }

    /// Runs an opcode that works on what the stack and the memo already hold.
    fn combine(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            opcode::PROTO => self.protocol(),
            opcode::FRAME => self.frame(),
            opcode::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            opcode::POP => self.discard(),
            opcode::POP_MARK => self.pop_mark().map(drop),
            opcode::DUP => self.top().map(|top| self.stack.push(top)),
            opcode::TUPLE1 => self.tuple(1),
            opcode::TUPLE2 => self.tuple(2),
            opcode::TUPLE3 => self.tuple(3),
            opcode::TUPLE => self.collect(Node::Tuple),
            opcode::LIST => self.collect(Node::List),
            opcode::FROZENSET => self.collect(Node::FrozenSet),
            opcode::DICT => self.dict(),
            opcode::APPEND => self.pop().and_then(|item| self.extend(&[item])),
            opcode::APPENDS => self.pop_mark().and_then(|items| self.extend(&items)),
            opcode::ADDITEMS => self.add_items(),
            opcode::SETITEM => self.set_item(),
            opcode::SETITEMS => self.set_items(),
            opcode::PUT | opcode::BINPUT | opcode::LONG_BINPUT | opcode::MEMOIZE => self.remember(opcode),
            opcode::GET | opcode::BINGET | opcode::LONG_BINGET => self.recall(opcode),
            opcode::GLOBAL => self.global(),
            opcode::STACK_GLOBAL => self.stack_global(),
            opcode::REDUCE => self.reduce(),
            opcode::NEWOBJ => self.new_object(),
            opcode::NEWOBJ_EX => self.new_object_ex(),
            opcode::BUILD => self.build(),
            refused => Err(Error::Opcode {
                opcode: refused,
                name: opcode::refused(refused),
                at: self.at,
            }),
        }
    }

    fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { at: self.at, what }
    }

    fn push(&mut self, node: Node<'a>) -> Result<()> {
        let id = self.graph.add(node)?;
        self.stack.push(id);
        Ok(())
    }

    /// Whether the stack holds anything above the last mark.
    fn is_exposed(&self) -> bool {
        self.stack.len() > self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        let top = self.stack.last().copied().filter(|_| self.is_exposed());
        top.ok_or_else(|| self.malformed("the stack is empty"))
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Everything above the last mark, which goes too.
    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| self.malformed("there is no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    /// POP takes an object, or the mark if that is the top.
    fn discard(&mut self) -> Result<()> {
        if self.is_exposed() || self.marks.pop().is_none() {
            self.pop().map(drop)
        } else {
            Ok(())
        }
    }

    fn protocol(&mut self) -> Result<()> {
        let protocol = self.input.u8()?;
        if protocol <= PROTOCOL {
            Ok(())
        } else {
            Err(self.malformed("a protocol newer than 5"))
        }
    }

    /// Frames only group opcodes for reading ahead; their content follows as if they were not there.
    fn frame(&mut self) -> Result<()> {
        let (needed, left) = (self.input.u64()?, self.input.left());
        if needed <= left as u64 {
            Ok(())
        } else {
            Err(Error::Truncated {
                at: self.at,
                needed,
                left,
            })
        }
    }

    fn tuple(&mut self, len: usize) -> Result<()> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(len).filter(|start| *start >= floor);
        let start = start.ok_or_else(|| self.malformed("the stack is empty"))?;
        let items = self.stack.split_off(start);
        self.push(Node::Tuple(items))
    }

    fn collect(&mut self, make: fn(Vec<Id>) -> Node<'a>) -> Result<()> {
        let items = self.pop_mark()?;
        self.push(make(items))
    }

    fn dict(&mut self) -> Result<()> {
        let items = self.pop_mark()?;
        let pairs = self.pairs(&items)?;
        self.push(Node::Dict(pairs))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>> {
        let (pairs, odd) = items.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(self.malformed("a key without a value"));
        }
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    }

    fn extend(&mut self, items: &[Id]) -> Result<()> {
        let list = self.top()?;
        if let Node::List(list) = self.graph.node_mut(list) {
            list.extend_from_slice(items);
            return Ok(());
        }
        Err(self.malformed("items for something that is no list"))
    }

    fn add_items(&mut self) -> Result<()> {
        let items = self.pop_mark()?;
        let set = self.top()?;
        if let Node::Set(set) = self.graph.node_mut(set) {
            set.extend(items);
            return Ok(());
        }
        Err(self.malformed("items for something that is no set"))
    }

    fn set_item(&mut self) -> Result<()> {
        let (value, key) = (self.pop()?, self.pop()?);
        self.insert(vec![(key, value)])
    }

    fn set_items(&mut self) -> Result<()> {
        let items = self.pop_mark()?;
        let pairs = self.pairs(&items)?;
        self.insert(pairs)
    }

    fn insert(&mut self, pairs: Vec<(Id, Id)>) -> Result<()> {
        let dict = self.top()?;
        if let Node::Dict(dict) = self.graph.node_mut(dict) {
            dict.extend(pairs);
            return Ok(());
        }
        Err(self.malformed("keys for something that is no dict"))
    }

    fn remember(&mut self, opcode: u8) -> Result<()> {
        let index = if opcode == opcode::MEMOIZE {
            self.memo.filled
        } else {
            self.memo_index(opcode)?
        };
        // Python numbers what it remembers from 0 (1 in some old writers), one per opcode at most:
        // a higher number would only serve to take memory.
        if index > self.steps {
            return Err(self.malformed("a memo number higher than the count of opcodes"));
        }
        let top = self.top()?;
        self.memo.put(index, top)
    }

    fn recall(&mut self, opcode: u8) -> Result<()> {
        let index = self.memo_index(opcode)?;
        let found = self.memo.entries.get(index).copied().flatten();
        let id = found.ok_or_else(|| self.malformed("a memo number that was never given"))?;
        self.stack.push(id);
        Ok(())
    }

    fn memo_index(&mut self, opcode: u8) -> Result<usize> {
        let index = match opcode {
            opcode::PUT | opcode::GET => {
                let line = std::str::from_utf8(self.input.line()?).ok();
                line.and_then(|line| line.parse().ok())
                    .ok_or_else(|| self.malformed("no memo number"))?
            }
            opcode::BINPUT | opcode::BINGET => self.input.u8()?.into(),
            _ => self.input.u32()?,
        };
        Ok(index as usize)
    }

    fn global(&mut self) -> Result<()> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        // A name that is not UTF-8 is on no list; the error shows what can be shown.
        let symbol = allowed::symbol(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))?;
        self.push(Node::Symbol(symbol))
    }

    fn stack_global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let names = self.graph.str(module).zip(self.graph.str(name));
        let (module, name) = names.ok_or_else(|| self.malformed("a name that is no text"))?;
        let symbol = allowed::symbol(module, name)?;
        self.push(Node::Symbol(symbol))
    }

    fn reduce(&mut self) -> Result<()> {
        let (args, callable) = (self.pop()?, self.pop()?);
        let node = construct::reduce(&mut self.graph, callable, args)?;
        self.push(node)
    }

    fn new_object(&mut self) -> Result<()> {
        let (args, class) = (self.pop()?, self.pop()?);
        let node = construct::blank(&self.graph, class, args)?;
        self.push(node)
    }

    fn new_object_ex(&mut self) -> Result<()> {
        let keywords = self.pop()?;
        if self.graph.dict(keywords).is_none_or(|pairs| !pairs.is_empty()) {
            return Err(self.malformed("an object made with keyword arguments"));
        }
        self.new_object()
    }

    fn build(&mut self) -> Result<()> {
        let (state, object) = (self.pop()?, self.top()?);
        let node = construct::build(&self.graph, object, state)?;
        *self.graph.node_mut(object) = node;
        Ok(())
    }
}

/// Objects that the pickle may refer to again, by number.
struct Memo {
    entries: Vec<Option<Id>>,
    filled: usize,
    limit: usize,
}

impl Memo {
    fn put(&mut self, index: usize, id: Id) -> Result<()> {
        if index >= self.limit {
            return Err(Error::Limit {
                what: "remembered objects",
                limit: self.limit,
                field: "memo",
            });
        }
        if index >= self.entries.len() {
            self.entries.resize(index + 1, None);
        }
        self.filled += usize::from(self.entries[index].is_none());
        self.entries[index] = Some(id);
        Ok(())
    }
}
