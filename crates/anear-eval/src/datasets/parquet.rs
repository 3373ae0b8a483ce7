//! Parquet: a column of lists of numbers, all of one length, as embedding data sets are published.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::{Blocks, Error, Result};

/// Lists that are decoded at a time.
const WINDOW: usize = 1024;

/// The vectors of one column.
pub(super) struct Column {
    path: PathBuf,
    file: SerializedFileReader<File>,
    name: String,
    /// Which of the file's leaf columns.
    leaf: usize,
    /// The group of rows to read when the current one ends, and the current one.
    next_group: usize,
    current: Option<ColumnReader>,
    dim: usize,
    len: usize,
    done: usize,
    /// Vectors that were read only to know the dimension.
    first: Vec<f32>,
}

/// Opens the column called `name`; without a name, the first that is a list of numbers with a fraction.
pub(super) fn open(path: &Path, name: Option<&str>) -> Result<Column> {
    let file = File::open(path).map_err(|source| Error::read(path, source))?;
    let file = SerializedFileReader::new(file).map_err(|error| content(path, error))?;
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let is_wanted = |column: &ColumnDescriptor| match name {
        Some(name) => column.path().parts().first().is_some_and(|first| first == name),
        None => is_list_of_fractions(column),
    };
    let leaf = schema.columns().iter().position(|column| is_wanted(column));
    let Some(leaf) = leaf.filter(|&leaf| is_list_of_fractions(&schema.columns()[leaf])) else {
        let columns: Vec<_> = schema.columns().iter().map(|c| c.path().string()).collect();
        let wanted = name.map_or("no column".into(), |name| format!("no column `{name}`"));
        let reason = format!(
            "{wanted} of lists of floats or doubles; its columns: {}",
            columns.join(", ")
        );
        return Err(content(path, reason));
    };
    let len = file.metadata().file_metadata().num_rows();
    let mut column = Column {
        path: path.to_owned(),
        name: schema.columns()[leaf].path().string(),
        len: usize::try_from(len).map_err(|_| content(path, "a negative number of rows"))?,
        file,
        leaf,
        next_group: 0,
        current: None,
        dim: 0,
        done: 0,
        first: Vec::new(),
    };
    column.find_dim()?;
    Ok(column)
}

fn is_list_of_fractions(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() == 1 && matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE)
}

impl Column {
    fn find_dim(&mut self) -> Result<()> {
        let mut first = Vec::new();
        match self.read(1, &mut first)? {
            0 => Err(self.wrong("it has no row")),
            _ if first.len() > anear_index::MAX_DIM => Err(self.wrong(format!("{} numbers in a list", first.len()))),
            _ => {
                self.dim = first.len();
                self.first = first;
                Ok(())
            }
        }
    }

    /// Appends the next lists of one group of rows; returns how many, 0 only at the end.
    fn read(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
        loop {
            if self.current.is_none() && !self.open_group()? {
                return Ok(0);
            }
            let expected = (self.dim > 0).then_some(self.dim);
            let read = match &mut self.current {
                Some(ColumnReader::FloatColumnReader(reader)) => lists(reader, max, expected, |x| x, out),
                Some(ColumnReader::DoubleColumnReader(reader)) => lists(reader, max, expected, |x| x as f32, out),
                _ => Ok(0),
            };
            match read {
                Err(reason) => return Err(self.wrong(reason)),
                Ok(0) => self.current = None,
                Ok(count) => return Ok(count),
            }
        }
    }

    /// Opens the next group of rows; says whether there is one.
    fn open_group(&mut self) -> Result<bool> {
        if self.next_group == self.file.num_row_groups() {
            return Ok(false);
        }
        let group = self.file.get_row_group(self.next_group);
        let reader = group.and_then(|group| group.get_column_reader(self.leaf));
        self.current = Some(reader.map_err(|error| self.wrong(error))?);
        self.next_group += 1;
        Ok(true)
    }

    fn wrong(&self, reason: impl fmt::Display) -> Error {
        content(
            &self.path,
            format!("column `{}`, row {}: {reason}", self.name, self.done),
        )
    }
}

/// Appends the numbers of the next `max` lists, each of the `expected` length or of one length if none is; returns how
/// many lists.
fn lists<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    max: usize,
    expected: Option<usize>,
    convert: impl Fn(T::T) -> f32,
    out: &mut Vec<f32>,
) -> Result<usize, String> {
    let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let read = reader.read_records(max, Some(&mut definitions), Some(&mut repetitions), &mut values);
    let (count, ..) = read.map_err(|error| error.to_string())?;
    if count == 0 {
        return Ok(0);
    }
    if values.len() != repetitions.len() {
        return Err("a list or a number of it is missing".into());
    }
    let dim = expected.unwrap_or(values.len() / count);
    // 0 begins a list, 1 goes on with it.
    let starts = repetitions.iter().enumerate().filter(|(_, level)| **level == 0);
    let uneven = starts.zip(0..).find(|((start, _), i)| *start != i * dim);
    if uneven.is_some() || values.len() != count * dim {
        return Err(format!("lists of another length than {dim}"));
    }
    out.extend(values.into_iter().map(convert));
    Ok(count)
}

impl Blocks for Column {
    fn dim(&self) -> usize {
        self.dim
    }

    fn len(&self) -> usize {
        self.len
    }

    fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
        let mut count = 0;
        if max > 0 && !self.first.is_empty() {
            out.append(&mut self.first);
            count += 1;
            self.done += 1;
        }
        while count < max {
            let read = self.read(WINDOW.min(max - count), out)?;
            if read == 0 {
                break;
            }
            count += read;
            self.done += read;
        }
        Ok(count)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Column({} of {}, {} x {})",
            self.name,
            self.path.display(),
            self.len,
            self.dim
        )
    }
}

fn content(path: &Path, reason: impl fmt::Display) -> Error {
    Error::Content {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
