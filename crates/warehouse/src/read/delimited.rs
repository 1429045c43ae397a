//! Defines reading of delimited text: comma, semicolon, tab or bar, told from the first line, or runs of white space
//! where none of them is in it.

use std::mem::take;

use arrow::datatypes::{DataType, Schema};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::lines::Lines;
use super::rows::{Origin, Rows, TextRows};
use super::{InputFile, TextOptions, file_error};
use crate::error::Result;
use crate::infer::Guess;

/// In order of preference where a first line has equally many.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) fn columns(
    file: &InputFile,
    options: &TextOptions,
    pinned: &Schema,
) -> Result<Vec<(String, Option<DataType>)>> {
    let Some(mut records) = Records::open(file, options)? else { return Ok(Vec::new()) };
    let mut guesses = vec![Guess::default(); records.names.len()];
    let new: Vec<usize> = (0..records.names.len()).filter(|i| pinned.index_of(&records.names[*i]).is_err()).collect();
    // A table's own columns have their types already: then the header is enough.
    while !new.is_empty() && records.next()? {
        if records.fault().is_none() {
            new.iter().for_each(|i| guesses[*i].see(records.fields.get(*i)));
        }
    }
    Ok(records.names.into_iter().zip(guesses.into_iter().map(Guess::data_type)).collect())
}

pub(super) fn read(file: &InputFile, options: &TextOptions, sink: &mut dyn FnMut(Rows) -> Result<()>) -> Result<()> {
    let Some(mut records) = Records::open(file, options)? else { return Ok(()) };
    let mut rows = TextRows::new(&records.names, sink);
    while records.next()? {
        let (origin, fault) = (records.origin(), records.fault());
        match fault {
            None => rows.push(origin, (0..records.names.len()).map(|i| Some(records.fields.get(i))))?,
            Some(reason) => rows.push_broken(origin, reason)?,
        }
    }
    rows.finish()
}

/// The records of a file.
struct Records<'a> {
    lines: Lines<'a>,
    splitter: Splitter,
    names: Vec<String>,
    /// The line being split and how far it is.
    line: String,
    at: usize,
    fields: Fields,
    /// Data rows so far.
    row: u64,
    /// The record's first line and its text, which may be several lines.
    first_line: u64,
    text: String,
    wrong_bytes: Option<String>,
    is_open: bool,
    /// The first record of a file without header was read to count its columns.
    is_read: bool,
}

enum Splitter {
    Delimited(Box<Reader>),
    Words,
}

impl<'a> Records<'a> {
    /// `None` for a file without a single record.
    fn open(file: &'a InputFile, options: &TextOptions) -> Result<Option<Self>> {
        let mut lines = Lines::open(file, options.encoding)?;
        let mut line = String::new();
        while line.trim().is_empty() {
            if !lines.next(&mut line)? {
                return Ok(None);
            }
        }
        let splitter = match options.delimiter.or_else(|| sniff(line.trim().as_bytes(), options.quote)) {
            Some(delimiter) => {
                let mut builder = ReaderBuilder::new();
                builder.delimiter(delimiter).quoting(options.quote.is_some()).quote(options.quote.unwrap_or(b'"'));
                Splitter::Delimited(Box::new(builder.build()))
            }
            None => Splitter::Words,
        };
        let mut records = Records {
            wrong_bytes: lines.fault.take(),
            lines,
            splitter,
            names: Vec::new(),
            line,
            at: 0,
            fields: Fields::default(),
            row: 0,
            first_line: 0,
            text: String::new(),
            is_open: false,
            is_read: false,
        };
        records.split()?;
        records.names = match &options.columns {
            Some(names) => names.clone(),
            None => (0..records.fields.count).map(|i| column_name(i, records.fields.get(i))).collect(),
        };
        records.is_read = options.columns.is_some();
        match (records.fault(), options.columns.is_some()) {
            (Some(_), true) if records.names.len() != records.fields.count => {
                let (given, found) = (records.names.len(), records.fields.count);
                Err(file_error(file, format!("{given} column names are given, its first row has {found}")))
            }
            (Some(problem), false) => Err(file_error(file, format!("line {}: {problem}", records.first_line))),
            _ => Ok(Some(records)),
        }
    }

    fn next(&mut self) -> Result<bool> {
        self.row += 1;
        match take(&mut self.is_read) {
            true => Ok(true),
            false => {
                self.wrong_bytes = None;
                self.split()
            }
        }
    }

    fn origin(&mut self) -> Origin {
        let mut text = take(&mut self.text);
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Origin { row: self.row, line: Some((self.first_line, text)) }
    }

    /// Why the record is no row.
    fn fault(&self) -> Option<String> {
        if self.wrong_bytes.is_some() {
            return self.wrong_bytes.clone();
        }
        if self.is_open {
            return Some("a quote is opened and never closed".into());
        }
        (self.fields.count != self.names.len()).then(|| {
            let run_together = match self.lines.number > self.first_line {
                true => ", and is several lines: is a quote not closed?",
                false => "",
            };
            format!("it has {} fields, the columns are {}{run_together}", self.fields.count, self.names.len())
        })
    }

    /// Splits the next record into `fields`.
    fn split(&mut self) -> Result<bool> {
        self.fields.clear();
        self.text.clear();
        loop {
            if self.at == self.line.len() {
                self.at = 0;
                if !self.lines.next(&mut self.line)? {
                    return Ok(self.end());
                }
                self.wrong_bytes = self.wrong_bytes.take().or(self.lines.fault.take());
            }
            if self.text.is_empty() {
                self.first_line = self.lines.number;
            }
            let rest = &self.line[self.at..];
            let (is_whole, length) = match &mut self.splitter {
                Splitter::Delimited(reader) => self.fields.parse(reader, rest.as_bytes()),
                Splitter::Words => {
                    rest.split_ascii_whitespace().for_each(|word| self.fields.push(word));
                    (self.fields.count > 0, rest.len())
                }
            };
            self.text.push_str(&rest[..length]);
            self.at += length;
            if is_whole {
                return Ok(true);
            }
            // Blank lines are no rows.
            if self.fields.is_empty() && self.text.trim().is_empty() {
                self.text.clear();
            }
        }
    }

    /// The last record may lack its line end, or the end of its quotes.
    fn end(&mut self) -> bool {
        match &mut self.splitter {
            Splitter::Delimited(reader) if !self.text.is_empty() => {
                self.is_open = !self.fields.parse(reader, b"\n").0;
                true
            }
            _ => false,
        }
    }
}

/// The fields of a record, one after the other.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    count: usize,
}

impl Fields {
    fn clear(&mut self) {
        (self.length, self.count) = (0, 0);
    }

    fn is_empty(&self) -> bool {
        self.length == 0 && self.count == 0
    }

    fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        // Whole characters went in, and were cut at ASCII ones.
        std::str::from_utf8(&self.bytes[start..self.ends[index]]).unwrap_or_default()
    }

    fn push(&mut self, field: &str) {
        self.bytes.truncate(self.length);
        self.ends.truncate(self.count);
        self.bytes.extend_from_slice(field.as_bytes());
        self.length = self.bytes.len();
        self.ends.push(self.length);
        self.count += 1;
    }

    /// Whether `input` ends the record, and how much of it belongs to it.
    fn parse(&mut self, reader: &mut Reader, input: &[u8]) -> (bool, usize) {
        let mut read = 0;
        // An empty input would mean the end of the file.
        while read < input.len() {
            let (bytes, ends) = (&mut self.bytes[self.length..], &mut self.ends[self.count..]);
            let (result, used, written, ended) = reader.read_record(&input[read..], bytes, ends);
            read += used;
            self.length += written;
            self.count += ended;
            match result {
                ReadRecordResult::OutputFull => self.bytes.resize((2 * self.bytes.len()).max(256), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize((2 * self.ends.len()).max(16), 0),
                ReadRecordResult::Record => return (true, read),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
            }
        }
        (false, read)
    }
}

/// The delimiter of the first line, `None` for white space.
fn sniff(line: &[u8], quote: Option<u8>) -> Option<u8> {
    let mut counts = [0; DELIMITERS.len()];
    let mut quoted = false;
    for byte in line {
        quoted ^= Some(*byte) == quote;
        if let (false, Some(i)) = (quoted, DELIMITERS.iter().position(|delimiter| delimiter == byte)) {
            counts[i] += 1;
        }
    }
    let best = (0..DELIMITERS.len()).rev().max_by_key(|i| counts[*i]).filter(|i| counts[*i] > 0);
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    match best {
        Some(i) => Some(DELIMITERS[i]),
        None if words > 1 && !line.contains(&b'"') => None,
        None => Some(DELIMITERS[0]),
    }
}

fn column_name(index: usize, name: &str) -> String {
    match name.trim() {
        "" => format!("column_{}", index + 1),
        name => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    proptest! {
        /// Line by line, records are those that the `csv` crate finds in the whole text, and begin on the line told.
        #[test]
        fn records_are_those_of_the_text_as_a_whole(
            tokens in vec(select(vec!["a", "é", ",", ",", "\"", "\"", "\n", "\n", "\r\n", " "]), 0..40),
        ) {
            let text = format!("x\n{}", tokens.concat());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.csv");
            std::fs::write(&path, &text).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(true).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect();

            let (file, options) = (InputFile::from(path), TextOptions { delimiter: Some(b','), ..TextOptions::default() });
            let mut records = Records::open(&file, &options).unwrap().unwrap();
            let lines: Vec<&str> = text.split('\n').collect();
            let mut row = 0;
            while records.next().unwrap() {
                if records.is_open {
                    prop_assert_eq!(row + 1, expected.len(), "only the last record can be open");
                } else {
                    let fields: Vec<&str> = (0..records.fields.count).map(|i| records.fields.get(i)).collect();
                    prop_assert_eq!(&fields, &expected[row]);
                }
                let (line, text) = records.origin().line.unwrap();
                let first = text.trim_start_matches(['\r', '\n']).split('\n').next().unwrap_or_default();
                prop_assert!(lines[line as usize - 1].starts_with(first), "line {}: {:?}", line, text);
                row += 1;
            }
            prop_assert_eq!(row, expected.len());
        }
    }
}
