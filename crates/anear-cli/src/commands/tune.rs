//! `anear tune`: an index, a data set and a recall in, the fastest setting that reaches it out.

use std::io::{self, Write as _};
use std::ops::ControlFlow;

use anear::eval::{Goal, Tuned, tune as search, wall_clock};
use anear::index::Knobs;
use serde::Serialize;

use crate::args::TuneArgs;
use crate::error::{Error, Outcome, Result};
use crate::output::write_json;
use crate::trial::Set;

/// The choice, as `--json` writes it.
#[derive(Debug, Serialize)]
struct Choice {
    index: String,
    /// Search parameters, such as `nprobe=8`; empty where there are none.
    setting: String,
    k: usize,
    /// On the half of the queries that had no say in the choice.
    recall: f64,
    qps: f64,
    /// Whether the recall was reached on the half that had.
    reached: bool,
    /// Settings that were tried.
    trials: usize,
}

pub(crate) fn tune(args: &TuneArgs) -> Result<Outcome> {
    if !(args.recall > 0.0 && args.recall <= 1.0) {
        return Err(anear::eval::Error::Target { got: args.recall }.into());
    }
    let (k, pool) = (args.measure.k, args.measure.pool()?);
    let set = Set::load(&args.data, k, args.progress.progress)?;
    let built = set.build(&args.index, args.progress.progress)?;
    let goal = Goal {
        one_by_one: args.one_by_one,
        effort: args.measure.effort(),
        trials: args.trials,
        pool: pool.as_ref(),
        ..Goal::new(args.recall, k)
    };
    let stage = args.progress.progress.steps("measuring", args.trials);
    let mut tell = |_: &_| {
        stage.advance(1);
        ControlFlow::Continue(())
    };
    let tuned = search(
        &*built.index,
        set.queries.rows(),
        &set.truth,
        &goal,
        &wall_clock(),
        &mut tell,
    )?;
    drop(stage);
    write(args, &tuned).map_err(Error::Write)?;
    Ok(if tuned.is_reached {
        Outcome::Done
    } else {
        Outcome::NothingFound
    })
}

fn write(args: &TuneArgs, tuned: &Tuned) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let choice = Choice {
        index: args.index.to_string(),
        setting: setting(&tuned.knobs),
        k: args.measure.k,
        recall: tuned.recall,
        qps: tuned.qps,
        reached: tuned.is_reached,
        trials: tuned.trials.len(),
    };
    if args.json {
        return write_json(&mut out, &choice);
    }
    let Choice {
        index,
        setting,
        k,
        recall,
        qps,
        reached,
        trials,
    } = choice;
    let setting = if setting.is_empty() {
        "has no parameters".into()
    } else {
        setting
    };
    writeln!(out, "{index}  {setting}")?;
    if !reached {
        writeln!(
            out,
            "no setting reaches a recall@{k} of {}; this is the best",
            args.recall
        )?;
    }
    writeln!(
        out,
        "recall@{k} {recall:.4}, {qps:.0} queries a second, on the half of the queries that it was not chosen by"
    )?;
    writeln!(out, "{trials} settings tried, on {}", args.measure.machine())
}

fn setting(knobs: &Knobs) -> String {
    let each: Vec<String> = knobs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    each.join(",")
}
