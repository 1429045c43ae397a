//! Defines reading of delimited text: comma, semicolon, tab or bar, told from the first line, or runs of white space
//! where none of them is in it.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use csv::StringRecord;

use super::{BATCH_ROWS, TextOptions, broken_row, file_error, io_error, open};
use crate::error::{Error, Result};
use crate::infer::Guess;

/// In order of preference where a first line has equally many.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Longest first line looked at to tell the delimiter.
const SNIFF_BYTES: usize = 1 << 16;

pub(super) fn columns(path: &Path, options: &TextOptions, pinned: &Schema) -> Result<Vec<(String, Option<DataType>)>> {
    let Some(mut rows) = Rows::open(path, options)? else { return Ok(Vec::new()) };
    let mut guesses = vec![Guess::default(); rows.names.len()];
    let new: Vec<usize> = (0..rows.names.len()).filter(|i| pinned.index_of(&rows.names[*i]).is_err()).collect();
    let mut record = StringRecord::new();
    // A table's own columns have their types already: then the header is enough.
    while !new.is_empty() && rows.next(&mut record)? {
        new.iter().for_each(|i| guesses[*i].see(&record[*i]));
    }
    Ok(rows.names.into_iter().zip(guesses.into_iter().map(Guess::data_type)).collect())
}

pub(super) fn read(path: &Path, options: &TextOptions, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let Some(mut rows) = Rows::open(path, options)? else { return Ok(()) };
    let fields: Vec<Field> = rows.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut builders: Vec<StringBuilder> = rows.names.iter().map(|_| StringBuilder::new()).collect();
    let mut record = StringRecord::new();
    let mut pending = 0;
    while rows.next(&mut record)? {
        for (builder, cell) in builders.iter_mut().zip(record.iter()) {
            match cell {
                "" => builder.append_null(),
                cell => builder.append_value(cell),
            }
        }
        pending += 1;
        if pending == BATCH_ROWS {
            sink(batch(&schema, &mut builders)?)?;
            pending = 0;
        }
    }
    match pending {
        0 => Ok(()),
        _ => sink(batch(&schema, &mut builders)?),
    }
}

fn batch(schema: &SchemaRef, builders: &mut [StringBuilder]) -> Result<RecordBatch> {
    let columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(Error::from)
}

/// The rows of a file, each with as many fields as there are names.
struct Rows<'a> {
    path: &'a Path,
    names: Vec<String>,
    cells: Cells,
    row: u64,
    /// The first row of a file without header, read to count its columns.
    first: Option<StringRecord>,
}

enum Cells {
    Delimited(Box<csv::Reader<BufReader<File>>>),
    Words { lines: BufReader<File>, line: String },
}

impl<'a> Rows<'a> {
    /// `None` for a file without a single row.
    fn open(path: &'a Path, options: &TextOptions) -> Result<Option<Rows<'a>>> {
        let mut file = open(path)?;
        let start = sniff(path, &mut file)?;
        let mut cells = match start {
            Some(delimiter) => {
                let mut builder = csv::ReaderBuilder::new();
                builder.has_headers(false).flexible(true).delimiter(delimiter);
                Cells::Delimited(Box::new(builder.from_reader(file)))
            }
            None => Cells::Words { lines: file, line: String::new() },
        };
        let mut first = StringRecord::new();
        if !cells.next(&mut first).map_err(|problem| broken_row(path, 1, problem))? {
            return Ok(None);
        }
        let names = match (&options.columns, options.header) {
            (Some(names), _) => names.clone(),
            (None, true) => first.iter().enumerate().map(|(i, name)| column_name(i, name)).collect(),
            (None, false) => (0..first.len()).map(|i| column_name(i, "")).collect(),
        };
        if names.len() != first.len() {
            let problem = format!("{} column names are given, its first row has {}", names.len(), first.len());
            return Err(file_error(path, problem));
        }
        Ok(Some(Rows { path, names, cells, row: 0, first: (!options.header).then_some(first) }))
    }

    fn next(&mut self, record: &mut StringRecord) -> Result<bool> {
        self.row += 1;
        let more = match self.first.take() {
            Some(first) => {
                *record = first;
                true
            }
            None => self.cells.next(record).map_err(|problem| broken_row(self.path, self.row, problem))?,
        };
        if more && record.len() != self.names.len() {
            let problem = format!("it has {} fields, the columns are {}", record.len(), self.names.len());
            return Err(broken_row(self.path, self.row, problem));
        }
        Ok(more)
    }
}

impl Cells {
    fn next(&mut self, record: &mut StringRecord) -> Result<bool, String> {
        match self {
            Cells::Delimited(reader) => reader.read_record(record).map_err(|e| match e.kind() {
                csv::ErrorKind::Utf8 { .. } => "it is not UTF-8; convert the file first".to_string(),
                _ => e.to_string(),
            }),
            Cells::Words { lines, line } => loop {
                line.clear();
                let read = lines.read_line(line).map_err(|e| match e.kind() {
                    std::io::ErrorKind::InvalidData => "it is not UTF-8; convert the file first".to_string(),
                    _ => e.to_string(),
                })?;
                record.clear();
                line.split_ascii_whitespace().for_each(|word| record.push_field(word));
                // Blank lines are no rows, as in CSV.
                if read == 0 || !record.is_empty() {
                    return Ok(read > 0);
                }
            },
        }
    }
}

/// The delimiter of the first line, `None` for white space; leaves `file` after a byte order mark.
fn sniff(path: &Path, file: &mut BufReader<File>) -> Result<Option<u8>> {
    let start = file.fill_buf().map_err(io_error(path))?;
    let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let text = &start[mark..start.len().min(SNIFF_BYTES)];
    let line = text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or_default();
    let mut counts = [0; DELIMITERS.len()];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        if let (false, Some(i)) = (quoted, DELIMITERS.iter().position(|delimiter| delimiter == byte)) {
            counts[i] += 1;
        }
    }
    let best = (0..DELIMITERS.len()).rev().max_by_key(|i| counts[*i]).filter(|i| counts[*i] > 0);
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    let delimiter = match best {
        Some(i) => Some(DELIMITERS[i]),
        None if words > 1 && !line.contains(&b'"') => None,
        None => Some(DELIMITERS[0]),
    };
    file.seek(SeekFrom::Start(mark as u64)).map_err(io_error(path))?;
    Ok(delimiter)
}

fn column_name(index: usize, name: &str) -> String {
    match name.trim() {
        "" => format!("column_{}", index + 1),
        name => name.to_string(),
    }
}
