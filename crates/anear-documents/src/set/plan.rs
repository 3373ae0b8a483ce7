//! How a filter is answered: which columns are read, in what order, and what is left to ask document by document.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::column::{Column, Part};
use super::{DocumentSet, SlotSet};
use crate::value::{Key, equal};
use crate::{Filter, Op, Value};

/// Asking one document costs about as much as reading this many places of a column
/// (example `select`, a million documents).
const ASK_COST: usize = 32;

/// A filter with what the columns know about it.
pub(super) struct Plan<'a> {
    filter: &'a Filter,
    step: Step<'a>,
    /// About how many places of columns answering takes.
    cost: usize,
    /// How many comparisons asking one document takes.
    weight: usize,
}

enum Step<'a> {
    /// Cheapest first.
    And(Vec<Plan<'a>>),
    Or(Vec<Plan<'a>>),
    Not(Box<Plan<'a>>),
    Read(Read<'a>),
    /// No column: every document is asked.
    Ask,
}

/// What a column says about one field.
struct Read<'a> {
    column: Arc<OnceLock<Column>>,
    op: &'a Op,
    runs: Vec<Run>,
    /// Documents without the field are meant too.
    missing: bool,
    /// All but these are wanted.
    inverted: bool,
}

/// Neighbors in a column, meant all, or those that satisfy the operator.
struct Run {
    part: Part,
    places: Range<usize>,
    ask: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(set: &DocumentSet, filter: &'a Filter) -> Self {
        match filter {
            Filter::And(filters) => {
                let mut plans = Self::all(set, filters);
                plans.sort_by_key(|plan| plan.cost);
                let cost = plans.first().map_or(0, |plan| plan.cost);
                Self::over(filter, Self::weight_of(&plans), cost, Step::And(plans))
            }
            Filter::Or(filters) => {
                let plans = Self::all(set, filters);
                let cost = plans.iter().map(|plan| plan.cost).sum();
                Self::over(filter, Self::weight_of(&plans), cost, Step::Or(plans))
            }
            Filter::Not(inner) => {
                let plan = Self::new(set, inner);
                Self::over(filter, plan.weight, plan.cost, Step::Not(Box::new(plan)))
            }
            Filter::Field { name, op } => {
                let weight = op.values().len().max(1);
                match Read::new(set, name, op) {
                    Some(read) => Self::over(filter, weight, read.cost(set), Step::Read(read)),
                    None => Self::over(filter, weight, set.len() * ASK_COST, Step::Ask),
                }
            }
        }
    }

    fn over(filter: &'a Filter, weight: usize, cost: usize, step: Step<'a>) -> Self {
        Self {
            filter,
            step,
            cost,
            weight,
        }
    }

    fn all(set: &DocumentSet, filters: &'a [Filter]) -> Vec<Self> {
        filters.iter().map(|filter| Self::new(set, filter)).collect()
    }

    fn weight_of(plans: &[Self]) -> usize {
        plans.iter().map(|plan| plan.weight).sum()
    }

    /// The slots of `within` that the filter wants.
    pub(super) fn select(&self, set: &DocumentSet, within: SlotSet) -> SlotSet {
        if within.count() * ASK_COST * self.weight < self.cost {
            return self.ask(set, within);
        }
        match &self.step {
            Step::And(plans) => plans.iter().fold(within, |within, plan| plan.select(set, within)),
            Step::Or(plans) => plans.iter().fold(SlotSet::empty(set.len()), |found, plan| {
                let rest = within.clone().subtract(&found);
                found.union(&plan.select(set, rest))
            }),
            Step::Not(plan) => {
                let unwanted = plan.select(set, within.clone());
                within.subtract(&unwanted)
            }
            Step::Read(read) => read.select(set, within),
            Step::Ask => self.ask(set, within),
        }
    }

    fn ask(&self, set: &DocumentSet, within: SlotSet) -> SlotSet {
        within.retain(|slot| self.filter.matches(&set.get(slot).metadata))
    }
}

impl<'a> Read<'a> {
    fn new(set: &DocumentSet, name: &str, op: &'a Op) -> Option<Self> {
        let cell = set.column(name)?;
        let column = cell.get()?;
        let (runs, missing) = runs(set, column, op);
        Some(Self {
            runs,
            missing,
            inverted: matches!(op, Op::Ne(_) | Op::Nin(_) | Op::Exists(false)),
            op,
            column: cell,
        })
    }

    fn cost(&self, set: &DocumentSet) -> usize {
        let run = |run: &Run| run.places.len() * if run.ask { ASK_COST } else { 1 };
        self.runs.iter().map(run).sum::<usize>() + if self.missing { set.len() } else { 0 }
    }

    fn select(&self, set: &DocumentSet, within: SlotSet) -> SlotSet {
        let Some(column) = self.column.get() else {
            unreachable!("`new` keeps only a column that is built");
        };
        let mut found = SlotSet::empty(set.len());
        if self.missing {
            column
                .places(Part::Values)
                .iter()
                .for_each(|place| found.insert(place.slot));
            found = SlotSet::full(set.len()).subtract(&found);
        }
        for run in &self.runs {
            for &place in &column.places(run.part)[run.places.clone()] {
                if !run.ask || within.contains(place.slot) && self.accepts(run.part, column.value(set, place)) {
                    found.insert(place.slot);
                }
            }
        }
        if self.inverted {
            within.subtract(&found)
        } else {
            within.intersect(&found)
        }
    }

    /// Whether a value is meant by the operator, before inversion.
    fn accepts(&self, part: Part, value: &Value) -> bool {
        match (part, self.op) {
            (Part::Elements, Op::Contains(wanted)) => equal(value, wanted),
            (_, op) => op.matches(Some(value)) != self.inverted,
        }
    }
}

/// Where the operator (taken as its positive twin) finds its documents, and whether those without the field are meant.
fn runs(set: &DocumentSet, column: &Column, op: &Op) -> (Vec<Run>, bool) {
    let order = |wanted, accept| ordered(set, column, wanted, accept);
    match op {
        Op::Eq(wanted) | Op::Ne(wanted) => equals(set, column, Part::Values, std::slice::from_ref(wanted)),
        Op::In(wanted) | Op::Nin(wanted) => equals(set, column, Part::Values, wanted),
        Op::Gt(wanted) => (order(wanted, Ordering::is_gt), false),
        Op::Gte(wanted) => (order(wanted, Ordering::is_ge), false),
        Op::Lt(wanted) => (order(wanted, Ordering::is_lt), false),
        Op::Lte(wanted) => (order(wanted, Ordering::is_le), false),
        Op::Exists(_) => (
            vec![Run::exact(Part::Values, 0..column.places(Part::Values).len())],
            false,
        ),
        Op::Contains(wanted) => {
            let (mut runs, _) = equals(set, column, Part::Elements, std::slice::from_ref(wanted));
            if wanted.as_str().is_some() {
                runs.push(Run::asked(
                    Part::Values,
                    column.kind(Part::Values, Key::Text("").kind()),
                ));
            }
            (runs, false)
        }
    }
}

/// The runs of values equal to one of those wanted, and whether null is among them.
fn equals(set: &DocumentSet, column: &Column, part: Part, wanted: &[Value]) -> (Vec<Run>, bool) {
    let mut asked = [false; Key::KINDS];
    let mut runs = Vec::new();
    for key in wanted.iter().flat_map(Key::of_wanted) {
        match key {
            Key::NotANumber => {}
            Key::List | Key::Map => {
                if !std::mem::replace(&mut asked[key.kind()], true) {
                    runs.push(Run::asked(part, column.kind(part, key.kind())));
                }
            }
            _ => runs.push(Run::exact(part, column.range(set, part, &key, Ordering::is_eq))),
        }
    }
    (runs, wanted.contains(&Value::Null))
}

fn ordered(set: &DocumentSet, column: &Column, wanted: &Value, accept: fn(Ordering) -> bool) -> Vec<Run> {
    let run = |key: Key<'_>| match key {
        Key::Null | Key::Map | Key::NotANumber => None,
        Key::List => Some(Run::asked(Part::Values, column.kind(Part::Values, key.kind()))),
        _ => Some(Run::exact(Part::Values, column.range(set, Part::Values, &key, accept))),
    };
    Key::of_wanted(wanted).filter_map(run).collect()
}

impl Run {
    fn exact(part: Part, places: Range<usize>) -> Self {
        Self {
            part,
            places,
            ask: false,
        }
    }

    fn asked(part: Part, places: Range<usize>) -> Self {
        Self {
            part,
            places,
            ask: true,
        }
    }
}
