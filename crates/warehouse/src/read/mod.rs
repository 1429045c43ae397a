//! Defines how files become batches: CSV and its relatives, JSON lines, Parquet. Text formats are read as text and given
//! types afterwards, in one place, so that every wrong value is reported alike with its line.

mod delimited;
mod found;
mod in_order;
mod json_lines;
mod parquet;
mod pieces;
mod rows;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Schema};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
pub(crate) use found::{Found, find};
pub(crate) use rows::{Origin, Place, Rows};

/// Rows per batch.
const BATCH_ROWS: usize = 8192;
const BUFFER_BYTES: usize = 1 << 18;

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

/// Endings after that of a text format.
const COMPRESSIONS: [(Compression, &str); 2] = [(Compression::Gzip, "gz"), (Compression::Zstd, "zst")];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
}

/// A file of this machine, and what messages call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    pub(crate) shown: String,
}

impl From<PathBuf> for InputFile {
    fn from(path: PathBuf) -> Self {
        InputFile { shown: path.display().to_string(), path }
    }
}

/// How text files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextOptions {
    /// Delimited text: the names of its columns; without them the first row holds them.
    pub(crate) columns: Option<Vec<String>>,
    /// Delimited text: what is between fields; told from the first line if it is not said.
    pub(crate) delimiter: Option<u8>,
    /// Delimited text: what is around fields that hold a delimiter.
    pub(crate) quote: Option<u8>,
    /// Unless a byte order mark says another.
    pub(crate) encoding: &'static Encoding,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions { columns: None, delimiter: None, quote: Some(b'"'), encoding: UTF_8 }
    }
}

impl TextOptions {
    /// `delimiter`: one character or `tab`. `quote`: one character or `none`. `encoding`: a name that the web knows.
    pub(crate) fn new(
        columns: Option<Vec<String>>,
        delimiter: Option<&str>,
        quote: Option<&str>,
        encoding: Option<&str>,
    ) -> Result<Self> {
        let mut options = TextOptions { columns, ..TextOptions::default() };
        if let Some(text) = delimiter {
            options.delimiter = match text {
                "tab" | "\\t" => Some(b'\t'),
                text => Some(character("delimiter", text, "one ASCII character, or \"tab\"")?),
            };
        }
        if let Some(text) = quote {
            options.quote = match text {
                "none" => None,
                text => Some(character("quote", text, "one ASCII character, or \"none\"")?),
            };
        }
        if let Some(name) = encoding {
            let known = Encoding::for_label(name.as_bytes()).filter(|encoding| *encoding != REPLACEMENT);
            options.encoding = known.ok_or_else(|| {
                let valid = "name one like utf-8, gb18030, latin1, big5, shift_jis or windows-1251".to_string();
                Error::Argument { what: "encoding", value: name.into(), valid }
            })?;
        }
        Ok(options)
    }
}

fn character(what: &'static str, text: &str, valid: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n') => Ok(*byte),
        _ => Err(Error::Argument { what, value: text.into(), valid: valid.into() }),
    }
}

/// Names and types in the file's order; no type where all values are NULL.
type FileColumns = Vec<(String, Option<DataType>)>;

/// What a file holds.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// Of the whole content, decompressed, in hex.
    pub(crate) sha256: String,
    pub(crate) columns: FileColumns,
    /// The types are those of the first rows: values further on may be of others.
    pub(crate) is_sampled: bool,
}

impl Inspection {
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// How much of a delimited file its columns' types are told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The first rows, for who reads the rest afterwards and looks again where a value is of another type.
    Sample,
    Whole,
}

/// Reads a file for its content hash and columns. Columns of `pinned` are not guessed again.
pub(crate) fn inspect(file: &InputFile, options: &TextOptions, pinned: &Schema, depth: Depth) -> Result<Inspection> {
    let columns = || match form(file)?.0 {
        Format::Delimited => delimited::columns(file, options, pinned, depth),
        Format::JsonLines => Ok((json_lines::columns(file, options)?, Depth::Whole)),
        Format::Parquet => Ok((parquet::columns(file)?, Depth::Whole)),
    };
    let (columns, sha256) = rayon::join(columns, || hash(file));
    let (columns, depth) = columns?;
    for (i, (name, _)) in columns.iter().enumerate() {
        if columns[..i].iter().any(|(other, _)| other == name) {
            return Err(file_error(file, format!("column \"{name}\" is there twice; rename one")));
        }
    }
    if columns.is_empty() {
        return Err(file_error(file, "it is empty: no header, no rows".into()));
    }
    Ok(Inspection { sha256: sha256?, columns, is_sampled: depth == Depth::Sample })
}

/// Passes what `work` makes of the rows of a file with these columns to `sink` in their order; `work` is done on all
/// cores. The rows are text columns for text formats, of the file's own types for Parquet.
pub(crate) fn read<T: Send>(
    file: &InputFile,
    options: &TextOptions,
    columns: &[String],
    work: impl Fn(Rows) -> Result<T> + Sync,
    sink: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    match form(file)?.0 {
        Format::Delimited => delimited::read(file, options, work, sink),
        Format::JsonLines => json_lines::read(file, options, columns, work, sink),
        Format::Parquet => parquet::read(file, work, sink),
    }
}

/// What the endings say.
fn form(file: &InputFile) -> Result<(Format, Option<Compression>)> {
    let ending =
        |path: &Path| path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let last = ending(&file.path);
    let compression = COMPRESSIONS.iter().find(|(_, ending)| *ending == last).map(|(compression, _)| *compression);
    let ending = match compression {
        Some(_) => ending(&file.path.with_extension("")),
        None => last,
    };
    let format = ENDINGS.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map(|(format, _)| *format);
    match (format, compression) {
        (Some(Format::Parquet), Some(_)) => {
            Err(file_error(file, "Parquet is compressed inside; unpack the file first".into()))
        }
        (Some(format), compression) => Ok((format, compression)),
        (None, _) => {
            let known: Vec<&str> = ENDINGS.iter().flat_map(|(_, endings)| endings.iter().copied()).collect();
            let known = known.join(", .");
            Err(file_error(file, format!("its ending says no format; known are .{known}, text also as .gz and .zst")))
        }
    }
}

fn hash(file: &InputFile) -> Result<String> {
    let mut content = open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match content.read(&mut buffer).map_err(io_error(file))? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The content of a file, decompressed.
fn open(file: &InputFile) -> Result<Box<dyn Read + Send>> {
    let bytes = File::open(&file.path).map_err(io_error(file))?;
    Ok(match form(file)?.1 {
        None => Box::new(bytes),
        Some(Compression::Gzip) => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, bytes)))
        }
        Some(Compression::Zstd) => Box::new(zstd::Decoder::new(bytes).map_err(io_error(file))?),
    })
}

pub(crate) fn io_error(file: &InputFile) -> impl FnOnce(std::io::Error) -> Error + '_ {
    |source| Error::Io { action: "read", path: PathBuf::from(&file.shown), source }
}

fn file_error(file: &InputFile, problem: String) -> Error {
    Error::File { file: file.shown.clone(), problem }
}
