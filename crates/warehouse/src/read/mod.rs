//! Defines how files become batches: CSV and its relatives, JSON lines, Parquet. Text formats are read as text and given
//! types afterwards, in one place, so that every wrong value is reported alike with its row.

mod delimited;
mod json_lines;
mod parquet;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Rows per batch.
const BATCH_ROWS: usize = 8192;
const BUFFER_BYTES: usize = 1 << 20;

/// Endings of each format.
const ENDINGS: [(Format, &[&str]); 3] = [
    (Format::Delimited, &["csv", "tsv", "txt", "inter"]),
    (Format::JsonLines, &["json", "ndjson", "jsonl"]),
    (Format::Parquet, &["parquet"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Delimited,
    JsonLines,
    Parquet,
}

/// How delimited text is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextOptions {
    /// The first row holds the column names.
    pub(crate) header: bool,
    /// Column names, in place of those of the header.
    pub(crate) columns: Option<Vec<String>>,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// Of the whole content, in hex.
    pub(crate) sha256: String,
    /// In the file's order; no type where all values are NULL.
    pub(crate) columns: Vec<(String, Option<DataType>)>,
}

impl Inspection {
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Reads a file once for its content hash and columns. Columns of `pinned` are not guessed again.
pub(crate) fn inspect(path: &Path, options: &TextOptions, pinned: &Schema) -> Result<Inspection> {
    let columns = match format(path)? {
        Format::Delimited => delimited::columns(path, options, pinned)?,
        Format::JsonLines => json_lines::columns(path)?,
        Format::Parquet => parquet::columns(path)?,
    };
    for (i, (name, _)) in columns.iter().enumerate() {
        if columns[..i].iter().any(|(other, _)| other == name) {
            return Err(file_error(path, format!("column \"{name}\" is there twice; rename one")));
        }
    }
    if columns.is_empty() {
        return Err(file_error(path, "it is empty: no header, no rows".into()));
    }
    Ok(Inspection { sha256: hash(path)?, columns })
}

/// Passes the rows of a file with these columns to `sink` in their order: text columns for text formats, table types
/// for Parquet.
pub(crate) fn read(
    path: &Path,
    options: &TextOptions,
    columns: &[String],
    sink: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    match format(path)? {
        Format::Delimited => delimited::read(path, options, sink),
        Format::JsonLines => json_lines::read(path, columns, sink),
        Format::Parquet => parquet::read(path, sink),
    }
}

fn format(path: &Path) -> Result<Format> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let found = ENDINGS.iter().find(|(_, endings)| endings.contains(&ending.as_str()));
    found.map(|(format, _)| *format).ok_or_else(|| {
        let known: Vec<&str> = ENDINGS.iter().flat_map(|(_, endings)| endings.iter().copied()).collect();
        file_error(path, format!("its ending says no format; known are .{}", known.join(", .")))
    })
}

fn hash(path: &Path) -> Result<String> {
    let mut file = open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).map_err(io_error(path))? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(io_error(path))?))
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    |source| Error::Io { action: "read", path: path.to_path_buf(), source }
}

fn file_error(path: &Path, problem: String) -> Error {
    Error::File { file: path.display().to_string(), problem }
}

fn broken_row(path: &Path, row: u64, problem: String) -> Error {
    Error::BrokenRow { file: path.display().to_string(), row, problem }
}
