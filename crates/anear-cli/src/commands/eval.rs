//! `anear eval`: indexes and a data set in, recall and speed of their settings out.

use std::io::{self, Write};

use anear::Pool;
use anear::eval::picture::{Chart, Curve};
use anear::eval::{Latency, ParameterSpace, measure_batch, measure_one_by_one, recall_at_k, wall_clock};
use anear::index::{IndexSpec, SearchRequest, to_bytes};
use serde::Serialize;

use crate::args::EvalArgs;
use crate::error::{Error, Outcome, Result};
use crate::output::{grouped, write_aligned, write_json};
use crate::picture::Picture;
use crate::trial::Set;

/// Fixes which settings are tried where not all are.
const SEED: u64 = 1234;

/// One setting of one index, as `--json` writes it.
#[derive(Clone, Debug, Serialize)]
struct Point {
    index: String,
    /// Search parameters, such as `nprobe=8`; empty where there are none.
    setting: String,
    k: usize,
    recall: f64,
    /// Queries per second of all queries in one call.
    qps: f64,
    /// Of one query a call.
    latency_us_p50: f64,
    latency_us_p99: f64,
    build_seconds: f64,
    /// Size of the saved index.
    bytes: usize,
    /// Whether no other setting of the index is better without being slower.
    optimal: bool,
}

pub(crate) fn eval(args: &EvalArgs) -> Result<Outcome> {
    let picture = Picture::wanted(&args.picture)?;
    let pool = args.measure.pool()?;
    let set = Set::load(&args.data, args.measure.k, args.progress.progress)?;
    let mut groups = Vec::new();
    for spec in &args.index {
        groups.push(points(args, &set, spec, pool.as_ref())?);
    }
    if let Some(picture) = picture {
        picture.write(&chart(args, &set, &groups))?;
    }
    let shown: Vec<Vec<Point>> = groups
        .into_iter()
        .map(|group| {
            group
                .into_iter()
                .filter(|p| p.optimal || args.all || args.json)
                .collect()
        })
        .collect();
    let mut out = io::stdout().lock();
    let written = match args.json {
        true => shown.iter().flatten().try_for_each(|point| write_json(&mut out, point)),
        false => write_table(&mut out, args, &set, &shown),
    };
    written.map_err(Error::Write)?;
    Ok(Outcome::Done)
}

/// Builds one index and measures its settings, from fast to good.
fn points(args: &EvalArgs, set: &Set, spec: &IndexSpec, pool: Option<&Pool>) -> Result<Vec<Point>> {
    let built = set.build(spec, args.progress.progress)?;
    let (index, k, effort, clock) = (&*built.index, args.measure.k, args.measure.effort(), wall_clock());
    let space = ParameterSpace::of(index);
    let experiments = match args.experiments {
        0 => space.combinations(),
        most => space.combinations().min(most),
    };
    let stage = args.progress.progress.steps("measuring", experiments);
    let bytes = to_bytes(index).len();
    let mut points = Vec::new();
    let explored = space.explore::<Error>(args.experiments, SEED, |number, knobs| {
        let mut request = SearchRequest::new(k);
        (request.knobs, request.pool) = (knobs, pool);
        let (found, timing) = measure_batch(index, set.queries.rows(), &request, &effort, &clock)?;
        let (_, latency) = measure_one_by_one(index, set.queries.rows(), &request, &effort, &clock)?;
        let Latency {
            latency_us_p50,
            latency_us_p99,
            ..
        } = latency;
        let point = Point {
            index: spec.to_string(),
            setting: space.name(number),
            k,
            recall: recall_at_k(&found, &set.truth, k),
            qps: timing.qps,
            latency_us_p50,
            latency_us_p99,
            build_seconds: built.seconds,
            bytes,
            optimal: false,
        };
        stage.advance(1);
        points.push((number, point.clone()));
        Ok((point.recall, 1.0 / point.qps))
    })?;
    for (number, point) in &mut points {
        point.optimal = explored.optimal().iter().any(|optimal| optimal.key == *number);
    }
    let mut points: Vec<Point> = points.into_iter().map(|(_, point)| point).collect();
    points.sort_by(|a, b| a.recall.total_cmp(&b.recall).then(b.qps.total_cmp(&a.qps)));
    Ok(points)
}

fn write_table(out: &mut impl Write, args: &EvalArgs, set: &Set, groups: &[Vec<Point>]) -> io::Result<()> {
    let k = args.measure.k;
    writeln!(out, "{}, by {}, on {}", set.title(), set.metric, args.measure.machine())?;
    let mut rows = vec![
        [
            "index",
            "setting",
            &format!("recall@{k}"),
            "QPS",
            "p50 us",
            "p99 us",
            "build s",
            "MB",
        ]
        .map(str::to_owned),
    ];
    for group in groups {
        for (i, point) in group.iter().enumerate() {
            // What belongs to the index stands beside its first setting.
            let once = |text: String| if i == 0 { text } else { String::new() };
            rows.push([
                once(point.index.clone()),
                if point.setting.is_empty() {
                    "-".into()
                } else {
                    point.setting.clone()
                },
                format!("{:.4}", point.recall),
                grouped(point.qps),
                format!("{:.1}", point.latency_us_p50),
                format!("{:.1}", point.latency_us_p99),
                once(format!("{:.2}", point.build_seconds)),
                once(format!("{:.1}", point.bytes as f64 / 1e6)),
            ]);
        }
    }
    write_aligned(out, 2, &rows)
}

fn chart(args: &EvalArgs, set: &Set, groups: &[Vec<Point>]) -> Chart {
    let places = |group: &[Point], optimal: bool| {
        let wanted = group.iter().filter(|point| point.optimal == optimal);
        wanted.map(|point| (point.recall, point.qps)).collect()
    };
    let curve = |(spec, group): (&IndexSpec, &Vec<Point>)| Curve {
        name: spec.to_string(),
        frontier: places(group, true),
        others: places(group, false),
    };
    Chart {
        title: set.title(),
        caption: set.caption("in one call", &args.measure),
        recall_label: format!("recall@{}", args.measure.k),
        curves: args.index.iter().zip(groups).map(curve).collect(),
    }
}
