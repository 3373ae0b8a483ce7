//! What vector indexes are tried on: vectors, queries and their true neighbors, and the index built of them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anear::eval::datasets::{self, Synthetic};
use anear::eval::{Effort, InMemory, Vectors, knn_ground_truth};
use anear::index::{IndexSpec, Neighbors, Training, VectorIndex};
use anear::kernels::{Rows, isa};
use anear::{Metric, Pool};

use crate::args::{DataArgs, MeasureArgs};
use crate::error::{Error, Result};
use crate::output::grouped;
use crate::progress::When;

/// A data set in memory.
#[derive(Debug)]
pub(crate) struct Set {
    /// What it is called in tables and pictures.
    pub(crate) name: String,
    /// What made it, where the name does not tell.
    pub(crate) details: String,
    pub(crate) metric: Metric,
    pub(crate) base: Vectors,
    pub(crate) queries: Vectors,
    /// The true neighbors of each query, as many as are asked for or there are.
    pub(crate) truth: Neighbors,
}

/// An index with all vectors in it.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) index: Box<dyn VectorIndex>,
    pub(crate) seconds: f64,
}

impl Set {
    /// Reads what the command line names, and finds the true neighbors where nobody gives them.
    pub(crate) fn load(args: &DataArgs, k: usize, progress: When) -> Result<Self> {
        let (mut set, truth) = Self::read(args, progress)?;
        let (rows, queries) = (set.base.rows(), set.queries.rows());
        if rows.dim() != queries.dim() {
            let (expected, got) = (rows.dim(), queries.dim());
            return Err(anear::index::Error::Dimension { expected, got }.into());
        }
        set.truth = match truth {
            Some(truth) => checked(truth, rows, queries, k)?,
            None => {
                let stage = progress.steps("comparing", rows.len());
                let mut told = 0;
                let mut tell = |done, _| {
                    stage.advance((done - told) as u64);
                    told = done;
                };
                let pool = Some(Pool::global());
                knn_ground_truth(set.metric, queries, &mut InMemory::new(rows), k, pool, &mut tell)?
            }
        };
        Ok(set)
    }

    fn read(args: &DataArgs, progress: When) -> Result<(Self, Option<Neighbors>)> {
        let _stage = progress.endless("reading");
        let metric = args.metric.unwrap_or(Metric::L2);
        let set = |name, base, queries| Self {
            name,
            details: String::new(),
            metric,
            base,
            queries,
            truth: Neighbors::default(),
        };
        if let (Some(base), Some(queries)) = (&args.base, &args.queries) {
            let truth = args.truth.as_deref().map(datasets::neighbors).transpose()?;
            let read = |path: &Path| Vectors::read(&mut *datasets::open(path)?);
            return Ok((set(file_name(base), read(base)?, read(queries)?), truth));
        }
        let data = args.data.as_deref().unwrap_or_default();
        if let Some(text) = data.strip_prefix("synthetic:") {
            let data: Synthetic = text.parse()?;
            check_fits(&data)?;
            let read = |mut blocks| Vectors::read(&mut blocks);
            let made = set("synthetic".into(), read(data.base())?, read(data.queries())?);
            let details = data.to_string();
            return Ok((Self { details, ..made }, None));
        }
        let path = Path::new(data);
        if path
            .extension()
            .is_none_or(|extension| extension != "hdf5" && extension != "h5")
        {
            return Err(Error::Usage(format!(
                "--data takes a file of ann-benchmarks (.hdf5) or `synthetic:n=100000,d=64`, not `{data}`; name other \
                 files with --base and --queries"
            )));
        }
        let mut file = datasets::ann_benchmarks(path)?;
        let metric = args.metric.or(file.metric).unwrap_or(Metric::L2);
        // The file's truth is by the file's metric.
        let truth = (Some(metric) == file.metric).then_some(file.truth);
        let set = set(file_name(path), Vectors::read(&mut *file.base)?, file.queries);
        Ok((Self { metric, ..set }, truth))
    }

    /// What it is, in a few words.
    pub(crate) fn title(&self) -> String {
        let (rows, name) = (self.base.rows(), &self.name);
        format!(
            "{name}, {} vectors of {} components",
            grouped(rows.len() as f64),
            rows.dim()
        )
    }

    /// What a picture says of how it was measured: `how` queries came, and what searched.
    pub(crate) fn caption(&self, how: &str, measure: &MeasureArgs) -> String {
        let queries = grouped(self.queries.rows().len() as f64);
        let (metric, machine, version) = (self.metric, measure.machine(), env!("CARGO_PKG_VERSION"));
        let mut caption = format!("{queries} queries {how}, by {metric}; {machine}; anear {version}");
        if !self.details.is_empty() {
            caption += &format!("; {}", self.details);
        }
        caption
    }

    /// Trains an index on the vectors and puts them into it.
    pub(crate) fn build(&self, spec: &IndexSpec, progress: When) -> Result<Built> {
        let _stage = progress.endless("building");
        let (pool, start) = (Some(Pool::global()), Instant::now());
        let training = Training {
            pool,
            ..Training::default()
        };
        let mut index = spec.train(self.metric, self.base.rows(), &training)?;
        let rows = self.base.rows();
        if let Some(add) = index.as_add() {
            add.add_on(rows, pool)?;
        } else if let Some(add) = index.as_add_with_ids() {
            let ids: Vec<u64> = (0..rows.len() as u64).collect();
            add.add_with_ids_on(rows, &ids, pool)?;
        } else {
            return Err(Error::Usage(format!("{spec} takes no vectors")));
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(Built { index, seconds })
    }
}

/// Refuses a data set whose vectors do not fit into memory.
fn check_fits(data: &Synthetic) -> Result<()> {
    const COMPONENT: u64 = size_of::<f32>() as u64;
    let components = (data.n as u64)
        .saturating_add(data.nq as u64)
        .saturating_mul(data.d as u64);
    let (needed, available) = (components.saturating_mul(COMPONENT), available_memory());
    if needed <= available {
        return Ok(());
    }
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    Err(Error::Usage(format!(
        "`synthetic:{data}` needs {:.1} GB of memory for its vectors, and {:.1} GB are available; (n + nq) * d may be at \
         most {}",
        gigabytes(needed),
        gigabytes(available),
        available / COMPONENT
    )))
}

/// Bytes of memory that programs can still have; elsewhere than on Linux, as many as can be addressed.
fn available_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.map_or(isize::MAX as u64, |kilobytes| kilobytes.saturating_mul(1024))
}

/// Refuses true neighbors of other data; keeps `k` of each query.
fn checked(truth: Neighbors, rows: Rows<'_>, queries: Rows<'_>, k: usize) -> Result<Neighbors> {
    if truth.len() != queries.len() {
        let (queries, truth) = (queries.len(), truth.len());
        return Err(anear::eval::Error::TruthCount { queries, truth }.into());
    }
    let least = truth.iter().map(<[_]>::len).min().unwrap_or(0);
    if least < k.min(rows.len()) {
        return Err(Error::Usage(format!(
            "the true neighbors are {least} for some query, {k} are asked for; lower -k or leave --truth away"
        )));
    }
    let largest = truth.iter().flatten().map(|n| n.id).max().unwrap_or(0);
    if largest >= rows.len() as u64 {
        let rows = rows.len();
        return Err(Error::Usage(format!(
            "vector {largest} is a true neighbor, but there are {rows} vectors; do --truth and --base belong together?"
        )));
    }
    let firsts = |row: &[_]| row[..row.len().min(k)].to_vec();
    Ok(truth.iter().map(firsts).collect())
}

impl MeasureArgs {
    /// The threads to search on; `None` for the calling one alone.
    pub(crate) fn pool(&self) -> Result<Option<Pool>> {
        match self.threads {
            1 => Ok(None),
            threads => {
                let pool = Pool::new(threads).map_err(|error| Error::Runtime(io::Error::other(error)))?;
                Ok(Some(pool))
            }
        }
    }

    pub(crate) fn effort(&self) -> Effort {
        Effort {
            min_duration: Duration::from_secs_f64(self.seconds),
            ..Effort::default()
        }
    }

    /// What searches run on, such as `2 threads of AMD EPYC 7763, avx2`.
    pub(crate) fn machine(&self) -> String {
        let threads = match self.threads {
            1 => "1 thread".into(),
            threads => format!("{threads} threads"),
        };
        format!("{threads} of {}, {}", processor(), isa().name())
    }
}

/// What the machine calls its processor; elsewhere than on Linux the architecture must do.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or(std::env::consts::ARCH.into(), |(_, name)| name.trim().to_owned())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
