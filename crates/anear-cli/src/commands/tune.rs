//! `anear tune`: an index, a data set and a recall in, the fastest setting that reaches it out.

use std::io::{self, Write as _};
use std::ops::ControlFlow;

use anear::eval::picture::{Chart, Curve};
use anear::eval::{Goal, OperatingPoint, OperatingPoints, Trial, Tuned, tune as search, wall_clock};
use anear::index::Knobs;
use serde::Serialize;

use crate::args::TuneArgs;
use crate::error::{Error, Outcome, Result};
use crate::output::{grouped, write_aligned, write_json};
use crate::picture::Picture;
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
    let picture = Picture::wanted(&args.picture)?;
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
    let tried = Tried::new(&tuned);
    if let Some(picture) = picture {
        picture.write(&tried.chart(args, &set))?;
    }
    write(args, &tuned, &tried).map_err(Error::Write)?;
    Ok(if tuned.is_reached {
        Outcome::Done
    } else {
        Outcome::NothingFound
    })
}

/// What is said of a setting that was tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Merit {
    Chosen,
    /// No other setting is better without being slower.
    Optimal,
    None,
}

/// What was tried, from low to high recall.
struct Tried<'a> {
    trials: Vec<(&'a Trial, Merit)>,
}

impl<'a> Tried<'a> {
    fn new(tuned: &'a Tuned) -> Self {
        let mut points = OperatingPoints::default();
        for (key, trial) in tuned.trials.iter().enumerate() {
            let (perf, time) = (trial.recall, 1.0 / trial.qps);
            points.add(OperatingPoint { perf, time, key });
        }
        let is_optimal = |number: usize| points.optimal().iter().any(|point| point.key == number);
        let merit = |(number, trial): (usize, &'a Trial)| {
            let merit = match trial.knobs == tuned.knobs {
                true => Merit::Chosen,
                false if is_optimal(number) => Merit::Optimal,
                false => Merit::None,
            };
            (trial, merit)
        };
        let mut trials: Vec<_> = tuned.trials.iter().enumerate().map(merit).collect();
        trials.sort_by(|(a, _), (b, _)| a.recall.total_cmp(&b.recall).then(b.qps.total_cmp(&a.qps)));
        Self { trials }
    }

    /// Writes a table: what is worth having, or all.
    fn write(&self, out: &mut impl io::Write, k: usize, all: bool) -> io::Result<()> {
        let mut rows = vec![["setting", "", &format!("recall@{k}"), "QPS"].map(str::to_owned)];
        for (trial, merit) in self.trials.iter().filter(|(_, merit)| all || *merit != Merit::None) {
            let chosen = if *merit == Merit::Chosen { "chosen" } else { "" };
            let recall = format!("{:.4}", trial.recall);
            rows.push([named(&trial.knobs), chosen.into(), recall, grouped(trial.qps)]);
        }
        write_aligned(out, 2, &rows)
    }

    fn chart(&self, args: &TuneArgs, set: &Set) -> Chart {
        let places = |wanted: fn(Merit) -> bool| {
            let trials = self.trials.iter().filter(|(_, merit)| wanted(*merit));
            trials.map(|(trial, _)| (trial.recall, trial.qps)).collect::<Vec<_>>()
        };
        let tried = Curve {
            name: args.index.to_string(),
            frontier: places(|merit| merit != Merit::None),
            others: places(|merit| merit == Merit::None),
        };
        let chosen = self.trials.iter().filter(|(_, merit)| *merit == Merit::Chosen);
        let chosen = chosen.map(|(trial, _)| Curve {
            name: format!("chosen: {}", named(&trial.knobs)),
            frontier: vec![(trial.recall, trial.qps)],
            others: Vec::new(),
        });
        let how = if args.one_by_one { "one by one" } else { "in one call" };
        Chart {
            title: set.title(),
            caption: set.caption(&format!("({how}, every other of them)"), &args.measure),
            recall_label: format!("recall@{}", args.measure.k),
            curves: std::iter::once(tried).chain(chosen).collect(),
        }
    }
}

fn write(args: &TuneArgs, tuned: &Tuned, tried: &Tried<'_>) -> io::Result<()> {
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
    writeln!(out, "{trials} settings tried, on {}", args.measure.machine())?;
    writeln!(out)?;
    tried.write(&mut out, k, args.all)
}

fn setting(knobs: &Knobs) -> String {
    let each: Vec<String> = knobs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    each.join(",")
}

/// [`setting`], also where there is nothing to set.
fn named(knobs: &Knobs) -> String {
    let setting = setting(knobs);
    if setting.is_empty() { "-".into() } else { setting }
}
