//! Defines reading of delimited text: comma, semicolon, tab or bar, told from the first line, or runs of white space
//! where none of them is in it.

use std::ops::Range;

use arrow::datatypes::Schema;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter, memrchr};

use super::in_order::in_order;
use super::pieces::{PIECE_BYTES, Piece, Pieces};
use super::rows::{Place, Rows, text_batch};
use super::{Depth, FileColumns, InputFile, TextOptions, file_error};
use crate::error::Result;
use crate::infer::Guess;

/// In order of preference where a first line has equally many.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The columns, and how much of the file was looked at.
pub(super) fn columns(
    file: &InputFile,
    options: &TextOptions,
    pinned: &Schema,
    depth: Depth,
) -> Result<(FileColumns, Depth)> {
    let Some(Opened { mut pieces, splitter, names }) = Opened::new(file, options, PIECE_BYTES)? else {
        return Ok((Vec::new(), Depth::Whole));
    };
    // A table's own columns have their types already: then the header is enough.
    let new: Vec<usize> = (0..names.len()).filter(|i| pinned.index_of(&names[*i]).is_err()).collect();
    let mut left = match depth {
        _ if new.is_empty() => 0,
        Depth::Sample => 1,
        Depth::Whole => usize::MAX,
    };
    let next = || match left {
        0 => Ok(None),
        _ => {
            left -= 1;
            pieces.next(|text| splitter.whole_records(text))
        }
    };
    let of_piece = |piece| {
        let records = splitter.split(piece, Some(names.len()));
        let mut guesses = vec![Guess::default(); names.len()];
        for row in 0..records.places.len() {
            new.iter().for_each(|column| guesses[*column].see(records.cell(row, *column)));
        }
        Ok(guesses)
    };
    let mut guesses = vec![Guess::default(); names.len()];
    in_order(next, of_piece, &mut |found: Vec<Guess>| {
        guesses.iter_mut().zip(found).for_each(|(guess, found)| guess.merge(found));
        Ok(())
    })?;
    let depth = if new.is_empty() || pieces.is_finished() { Depth::Whole } else { depth };
    Ok((names.into_iter().zip(guesses.into_iter().map(Guess::data_type)).collect(), depth))
}

pub(super) fn read<T: Send>(
    file: &InputFile,
    options: &TextOptions,
    work: impl Fn(Rows) -> Result<T> + Sync,
    sink: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let Some(Opened { mut pieces, splitter, names }) = Opened::new(file, options, PIECE_BYTES)? else {
        return Ok(());
    };
    let rows = |piece| work(splitter.split(piece, Some(names.len())).into_rows(&names)?);
    in_order(|| pieces.next(|text| splitter.whole_records(text)), rows, sink)
}

/// A file of which the header is read.
struct Opened<'a> {
    pieces: Pieces<'a>,
    splitter: Splitter,
    names: Vec<String>,
}

impl<'a> Opened<'a> {
    /// `None` for a file without a single record.
    fn new(file: &'a InputFile, options: &TextOptions, piece_bytes: usize) -> Result<Option<Self>> {
        let mut pieces = Pieces::open(file, options.encoding, piece_bytes)?;
        let Some(line) = pieces.first_line()? else { return Ok(None) };
        let splitter = match options.delimiter.or_else(|| sniff(line.as_bytes(), options.quote)) {
            Some(delimiter) => Splitter::Delimited { delimiter, quote: options.quote },
            None => Splitter::Words,
        };
        let first = pieces.peek(|text| splitter.first_record(&mut Csv::new(splitter), text))?;
        let (length, line) = (first.text.len(), first.first_line);
        let records = splitter.split(first, None);
        let found = records.fields.len();
        let names = match &options.columns {
            Some(names) if names.len() != found => {
                let given = names.len();
                return Err(file_error(file, format!("{given} column names are given, its first row has {found}")));
            }
            Some(names) => names.clone(),
            None => {
                if let Some((_, problem)) = records.broken.first() {
                    return Err(file_error(file, format!("line {line}: {problem}")));
                }
                pieces.take(length);
                (0..found).map(|i| column_name(i, records.cell(0, i))).collect()
            }
        };
        Ok(Some(Opened { pieces, splitter, names }))
    }
}

/// How text is divided into records and fields.
#[derive(Debug, Clone, Copy)]
enum Splitter {
    Delimited { delimiter: u8, quote: Option<u8> },
    Words,
}

impl Splitter {
    /// How much of `text`, which begins with a record, is whole ones.
    fn whole_records(self, text: &str) -> usize {
        if !self.has_quote(text.as_bytes()) {
            return memrchr(b'\n', text.as_bytes()).map_or(0, |end| end + 1);
        }
        let (mut csv, mut whole) = (Csv::new(self), 0);
        while let Some(length) = self.first_record(&mut csv, &text[whole..]) {
            whole += length;
        }
        whole
    }

    /// How long the first record of `text` is; `None` if it is not whole.
    fn first_record(self, csv: &mut Csv, text: &str) -> Option<usize> {
        let text = text.as_bytes();
        let line = memchr(b'\n', text)? + 1;
        match self.has_quote(&text[..line]) {
            true => Some(csv.parse(text)).filter(|(is_whole, _)| *is_whole).map(|(_, length)| length),
            false => Some(line),
        }
    }

    /// Whether the end of a line may not be that of a record.
    fn has_quote(self, text: &[u8]) -> bool {
        matches!(self, Splitter::Delimited { quote: Some(quote), .. } if memchr(quote, text).is_some())
    }

    /// The records of a piece; those that have not as many fields as there are `columns`, where that is known, are broken.
    fn split(self, piece: Piece, columns: Option<usize>) -> Records {
        let Piece { text, first_line, faults } = piece;
        let mut fields = Fields { places: Vec::new(), copied: Vec::new(), after: text.len() };
        let (mut places, mut firsts, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        let (mut csv, mut faults) = (Csv::new(self), faults.into_iter().peekable());
        let (mut from, mut line) = (0, first_line);
        while from < text.len() {
            let first = fields.places.len();
            let Extent { length, lines, is_open } = self.split_record(&text, from, &mut csv, &mut fields);
            let record = &text[from..from + length];
            let row = (places.len() + broken.len()) as u64;
            let place = Place { row, line, from, to: from + record.trim_end_matches(['\r', '\n']).len() };
            from += length;
            line += lines;
            let mut fault = None;
            while let Some((_, wrong_bytes)) = faults.next_if(|(at, _)| *at < from) {
                fault.get_or_insert(wrong_bytes);
            }
            if is_open {
                fault.get_or_insert_with(|| "a quote is opened and never closed".into());
            }
            let found = fields.places.len() - first;
            // Blank lines are no rows.
            if found == 0 && !is_open {
                continue;
            }
            if let Some(columns) = columns.filter(|columns| *columns != found) {
                let run_together = match text[place.from..place.to].contains('\n') {
                    true => ", and is several lines: is a quote not closed?",
                    false => "",
                };
                fault.get_or_insert_with(|| format!("it has {found} fields, the columns are {columns}{run_together}"));
            }
            match fault {
                Some(fault) => broken.push((place, fault)),
                None => {
                    places.push(place);
                    firsts.push(first);
                }
            }
        }
        let Fields { places: fields, copied, .. } = fields;
        let copied = String::from_utf8(copied).expect("whole characters went in, and were cut at ASCII ones");
        Records { text: text + &copied, fields, places, firsts, broken }
    }

    /// Adds the fields of the record that begins at `from`.
    fn split_record(self, text: &str, from: usize, csv: &mut Csv, fields: &mut Fields) -> Extent {
        let rest = &text.as_bytes()[from..];
        let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let line = rest[..length].strip_suffix(b"\n").unwrap_or(&rest[..length]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let whole_line = Extent { length, lines: u64::from(rest[length - 1] == b'\n'), is_open: false };
        match self {
            _ if line.iter().all(|byte| *byte == b'\r') => whole_line,
            Splitter::Words => {
                let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                words.for_each(|word| fields.copy(word));
                whole_line
            }
            // csv-core ends a record at a carriage return too.
            Splitter::Delimited { delimiter, .. } if !self.has_quote(line) && memchr(b'\r', line).is_none() => {
                fields.divide(line, delimiter, from);
                whole_line
            }
            Splitter::Delimited { .. } => {
                let (is_whole, length) = csv.parse(rest);
                // The last record may lack its line end, or the end of its quotes.
                let is_open = !is_whole && !csv.go_on(b"\n").0;
                csv.fields().for_each(|field| fields.copy(field));
                Extent { length, lines: memchr_iter(b'\n', &rest[..length]).count() as u64, is_open }
            }
        }
    }
}

/// How far a record goes.
struct Extent {
    /// In bytes, with its end.
    length: usize,
    /// How many lines end in it or with it.
    lines: u64,
    /// Whether it ends within quotes.
    is_open: bool,
}

/// The records of a piece.
struct Records {
    /// The piece's own text, and after it the fields that do not stand in it as they are.
    text: String,
    /// Of all records, one after the other: their places in `text`.
    fields: Vec<Range<usize>>,
    /// Of the records that are rows.
    places: Vec<Place>,
    /// The first field of each of them.
    firsts: Vec<usize>,
    broken: Vec<(Place, String)>,
}

impl Records {
    fn cell(&self, row: usize, column: usize) -> &str {
        &self.text[self.fields[self.firsts[row] + column].clone()]
    }

    fn into_rows(self, names: &[String]) -> Result<Rows> {
        let batch = text_batch(names, self.places.len(), |row, column| Some(self.cell(row, column)))?;
        Ok(Rows::of_lines(batch, self.places, self.broken, self.text))
    }
}

/// The fields of a piece's records, as they are split.
struct Fields {
    places: Vec<Range<usize>>,
    copied: Vec<u8>,
    /// How long the text is that the copied ones come after.
    after: usize,
}

impl Fields {
    /// The fields of a line that begins at `from` and has nothing but delimiters between them.
    fn divide(&mut self, line: &[u8], delimiter: u8, from: usize) {
        let mut start = from;
        for end in memchr_iter(delimiter, line) {
            self.places.push(start..from + end);
            start = from + end + 1;
        }
        self.places.push(start..from + line.len());
    }

    fn copy(&mut self, field: &[u8]) {
        let start = self.after + self.copied.len();
        self.copied.extend_from_slice(field);
        self.places.push(start..start + field.len());
    }
}

/// Splits the records that have quotes, one after the other.
struct Csv {
    reader: Reader,
    /// The fields of the last one.
    bytes: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    count: usize,
}

impl Csv {
    fn new(splitter: Splitter) -> Self {
        let mut builder = ReaderBuilder::new();
        if let Splitter::Delimited { delimiter, quote } = splitter {
            builder.delimiter(delimiter).quoting(quote.is_some()).quote(quote.unwrap_or(b'"'));
        }
        let mut csv = Csv { reader: builder.build(), bytes: Vec::new(), length: 0, ends: Vec::new(), count: 0 };
        // csv-core leaves out a byte order mark before the first byte that it reads, which here may be anywhere in the file.
        csv.go_on(b"\n");
        csv
    }

    /// Whether `input` has a whole record, and how much of it belongs to that.
    fn parse(&mut self, input: &[u8]) -> (bool, usize) {
        (self.length, self.count) = (0, 0);
        self.go_on(input)
    }

    fn go_on(&mut self, input: &[u8]) -> (bool, usize) {
        let mut read = 0;
        // An empty input would mean the end of the file.
        while read < input.len() {
            let (bytes, ends) = (&mut self.bytes[self.length..], &mut self.ends[self.count..]);
            let (result, used, written, ended) = self.reader.read_record(&input[read..], bytes, ends);
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

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends[..self.count]).map(|(start, end)| &self.bytes[start..*end])
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
        /// Piece by piece, records are those that the `csv` crate finds in the whole text, and begin on the line told.
        #[test]
        fn records_are_those_of_the_text_as_a_whole(
            tokens in vec(select(vec!["a", "é", ",", ",", "\"", "\"", "\n", "\n", "\r\n", " "]), 0..40),
            piece_bytes in 1..20_usize,
        ) {
            let text = format!("x\n{}", tokens.concat());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.csv");
            std::fs::write(&path, &text).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(true).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect();

            let (file, options) = (InputFile::from(path), TextOptions { delimiter: Some(b','), ..TextOptions::default() });
            let Opened { mut pieces, splitter, names } = Opened::new(&file, &options, piece_bytes).unwrap().unwrap();
            prop_assert_eq!(&names, &["x"]);
            let lines: Vec<&str> = text.split('\n').collect();
            let mut row = 0;
            while let Some(piece) = pieces.next(|text| splitter.whole_records(text)).unwrap() {
                let records = splitter.split(piece, None);
                for (place, problem) in &records.broken {
                    prop_assert_eq!(problem, "a quote is opened and never closed");
                    prop_assert_eq!(row + place.row as usize + 1, expected.len(), "only the last record can be open");
                }
                for (place, first) in records.places.iter().zip(&records.firsts) {
                    let expected = &expected[row + place.row as usize];
                    let fields = &records.fields[*first..first + expected.len()];
                    let fields: Vec<&str> = fields.iter().map(|field| &records.text[field.clone()]).collect();
                    prop_assert_eq!(&fields, expected);
                }
                if records.broken.is_empty() {
                    let expected = expected[row..row + records.places.len()].iter().map(Vec::len);
                    prop_assert_eq!(records.fields.len(), expected.sum::<usize>());
                }
                for place in records.places.iter().chain(records.broken.iter().map(|(place, _)| place)) {
                    let record = &records.text[place.from..place.to];
                    prop_assert!(lines[place.line as usize - 1].starts_with(record.split('\n').next().unwrap()));
                }
                row += records.places.len() + records.broken.len();
            }
            prop_assert_eq!(row, expected.len());
        }
    }
}
