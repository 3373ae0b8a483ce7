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
    let trials = Trials::new(&tuned);
    if let Some(picture) = picture {
        picture.write(&trials.chart(args, &set))?;
    }
    write(args, &tuned, &trials).map_err(Error::Write)?;
    Ok(if tuned.is_reached {
        Outcome::Done
    } else {
        Outcome::NothingFound
    })
}

/// A setting that was tried, and what is said of it.
struct Tried<'a> {
    trial: &'a Trial,
    is_chosen: bool,
    /// Whether no other setting is better without being slower.
    is_optimal: bool,
}

/// What was tried, from low to high recall.
struct Trials<'a>(Vec<Tried<'a>>);

impl<'a> Trials<'a> {
    fn new(tuned: &'a Tuned) -> Self {
        let mut points = OperatingPoints::default();
        for (key, trial) in tuned.trials.iter().enumerate() {
            let (perf, time) = (trial.recall, 1.0 / trial.qps);
            points.add(OperatingPoint { perf, time, key });
        }
        let tried = |(number, trial): (usize, &'a Trial)| Tried {
            trial,
            is_chosen: trial.knobs == tuned.knobs,
            is_optimal: points.optimal().iter().any(|point| point.key == number),
        };
        let mut trials: Vec<_> = tuned.trials.iter().enumerate().map(tried).collect();
        trials.sort_by(|Tried { trial: a, .. }, Tried { trial: b, .. }| {
            a.recall.total_cmp(&b.recall).then(b.qps.total_cmp(&a.qps))
        });
        Self(trials)
    }

    /// Writes a table: what is worth having, or all.
    fn write(&self, out: &mut impl io::Write, k: usize, all: bool) -> io::Result<()> {
        let mut rows = vec![["setting", "", &format!("recall@{k}"), "QPS"].map(str::to_owned)];
        for tried in self.0.iter().filter(|tried| all || tried.is_chosen || tried.is_optimal) {
            let chosen = if tried.is_chosen { "chosen" } else { "" };
            let recall = format!("{:.4}", tried.trial.recall);
            rows.push([
                named(&tried.trial.knobs),
                chosen.into(),
                recall,
                grouped(tried.trial.qps),
            ]);
        }
        write_aligned(out, 2, &rows)
    }

    fn chart(&self, args: &TuneArgs, set: &Set) -> Chart {
        let place = |tried: &Tried<'_>| (tried.trial.recall, tried.trial.qps);
        let (frontier, others): (Vec<_>, Vec<_>) = self.0.iter().partition(|tried| tried.is_optimal);
        let tried = Curve {
            name: args.index.to_string(),
            frontier: frontier.into_iter().map(place).collect(),
            others: others.into_iter().map(place).collect(),
        };
        let chosen = self.0.iter().filter(|tried| tried.is_chosen).map(|tried| Curve {
            name: format!("chosen: {}", named(&tried.trial.knobs)),
            frontier: vec![place(tried)],
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

fn write(args: &TuneArgs, tuned: &Tuned, trials: &Trials<'_>) -> io::Result<()> {
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
    let (k, target, machine) = (choice.k, args.recall, args.measure.machine());
    let setting = match choice.setting.as_str() {
        "" => "has no parameters",
        setting => setting,
    };
    writeln!(out, "{}  {setting}", choice.index)?;
    if !choice.reached {
        writeln!(out, "no setting reaches a recall@{k} of {target}; this is the best")?;
    }
    let (recall, qps) = (choice.recall, choice.qps);
    writeln!(
        out,
        "recall@{k} {recall:.4}, {qps:.0} queries a second, on the half of the queries that it was not chosen by"
    )?;
    writeln!(out, "{} settings tried, on {machine}", choice.trials)?;
    writeln!(out)?;
    trials.write(&mut out, k, args.all)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_setting_is_optimal_only_where_no_other_beats_it() {
        let trial = |ef_search, recall, qps| {
            let mut knobs = Knobs::default();
            knobs.set("ef_search", ef_search);
            Trial { knobs, recall, qps }
        };
        let trials = vec![
            trial(16.0, 0.8, 300.0),
            trial(64.0, 0.9, 90.0),
            trial(32.0, 0.95, 100.0),
        ];
        for (chosen, is_optimal) in [(0, true), (1, false), (2, true)] {
            let tuned = Tuned {
                knobs: trials[chosen].knobs.clone(),
                recall: 0.9,
                qps: 100.0,
                is_reached: true,
                trials: trials.clone(),
            };
            let tried = Trials::new(&tuned).0;
            let found: Vec<_> = tried
                .iter()
                .map(|tried| (tried.trial.recall, tried.is_optimal))
                .collect();
            assert_eq!(found, [(0.8, true), (0.9, false), (0.95, true)]);
            let chosen = tried.iter().find(|tried| tried.is_chosen).unwrap();
            assert_eq!(chosen.is_optimal, is_optimal);
        }
    }
}
