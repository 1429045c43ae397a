//! Defines [`Pieces`], a text file in pieces of whole records, in UTF-8: decompressed, decoded, without a byte order mark.
//! Bytes that are no text of the encoding become U+FFFD and a fault of their record, so that one bad name is one bad row,
//! not a bad file.

use std::io::Read;
use std::mem::replace;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, GBK, WINDOWS_1252};
use memchr::{memchr, memchr_iter};

use super::{BUFFER_BYTES, InputFile, file_error, io_error, open};
use crate::error::Result;

/// Text that is split at a time: enough rows for a batch, few enough for a cache.
pub(super) const PIECE_BYTES: usize = 1 << 20;
/// A longer record is rather a quote that is never closed.
const LONGEST_RECORD: usize = 64 << 20;

/// Records that follow each other in a file.
pub(super) struct Piece {
    pub(super) text: String,
    /// The number of its first line in the file, from 1.
    pub(super) first_line: u64,
    /// What is wrong with bytes that are no text: where in `text`, in order, and what.
    pub(super) faults: Vec<(usize, String)>,
}

pub(super) struct Pieces<'a> {
    file: &'a InputFile,
    source: Box<dyn Read + Send>,
    decoder: Decoder,
    input: Vec<u8>,
    /// Decoded bytes of the file before those of `input`.
    before: u64,
    /// What was decoded and not handed out.
    next: Piece,
    is_at_end: bool,
    hint: Option<String>,
    piece_bytes: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn open(file: &'a InputFile, encoding: &'static Encoding, piece_bytes: usize) -> Result<Self> {
        Ok(Pieces {
            file,
            source: open(file)?,
            decoder: encoding.new_decoder(),
            input: vec![0; BUFFER_BYTES],
            before: 0,
            next: Piece { text: String::new(), first_line: 1, faults: Vec::new() },
            is_at_end: false,
            hint: None,
            piece_bytes,
        })
    }

    /// The next piece, `None` at the end of the file. `whole` says of a text that begins with a record how much of it is
    /// whole records; the end of the file ends a record.
    pub(super) fn next(&mut self, whole: impl Fn(&str) -> usize) -> Result<Option<Piece>> {
        let length = self.prepare(|text, is_at_end| if is_at_end { text.len() } else { whole(text) })?;
        Ok((length > 0).then(|| self.take(length)))
    }

    /// The first record as a piece of its own, which the next piece begins with all the same. `record` says how long it
    /// is, if it is whole.
    pub(super) fn peek(&mut self, record: impl Fn(&str) -> Option<usize>) -> Result<Piece> {
        let length = self.prepare(|text, is_at_end| record(text).unwrap_or(if is_at_end { text.len() } else { 0 }))?;
        let Piece { text, first_line, faults } = &self.next;
        let faults = faults.iter().filter(|(at, _)| *at < length).cloned().collect();
        Ok(Piece { text: text[..length].to_string(), first_line: *first_line, faults })
    }

    /// The first line, which is not blank: blank ones before it are left out. `None` if all are.
    pub(super) fn first_line(&mut self) -> Result<Option<String>> {
        loop {
            let line = |text: &str| memchr(b'\n', text.as_bytes()).map(|end| end + 1);
            let length = self.peek(line)?.text.len();
            match self.next.text[..length].trim() {
                "" if length > 0 => drop(self.take(length)),
                "" => return Ok(None),
                line => return Ok(Some(line.to_string())),
            }
        }
    }

    /// Whether every record was handed out, as far as that is known.
    pub(super) fn is_finished(&self) -> bool {
        self.is_at_end && self.next.text.is_empty()
    }

    /// Takes the first bytes of what was decoded.
    pub(super) fn take(&mut self, length: usize) -> Piece {
        let mut rest = String::with_capacity(self.piece_bytes + BUFFER_BYTES);
        rest.push_str(&self.next.text[length..]);
        self.next.text.truncate(length);
        let first = self.next.faults.partition_point(|(at, _)| *at < length);
        let faults = self.next.faults.drain(first..).map(|(at, fault)| (at - length, fault)).collect();
        let first_line = self.next.first_line + memchr_iter(b'\n', self.next.text.as_bytes()).count() as u64;
        replace(&mut self.next, Piece { text: rest, first_line, faults })
    }

    /// Decodes until `length` of it (which is told whether the file ends there) is more than nothing, and returns that;
    /// nothing only at the end of the file.
    fn prepare(&mut self, length: impl Fn(&str, bool) -> usize) -> Result<usize> {
        let mut wanted = self.piece_bytes;
        loop {
            while self.next.text.len() < wanted && !self.is_at_end {
                self.decode_more()?;
            }
            match length(&self.next.text, self.is_at_end) {
                0 if !self.is_at_end => wanted = 2 * self.next.text.len(),
                length => return Ok(length),
            }
            if self.next.text.len() > LONGEST_RECORD {
                let (line, most) = (self.next.first_line, LONGEST_RECORD >> 20);
                let problem =
                    format!("line {line}: a record of more than {most} MB: is a quote opened and not closed?");
                return Err(file_error(self.file, problem));
            }
        }
    }

    /// Adds what follows in the file to what was decoded.
    fn decode_more(&mut self) -> Result<()> {
        let length = self.source.read(&mut self.input).map_err(io_error(self.file))?;
        self.is_at_end = length == 0;
        let text = &mut self.next.text;
        let mut start = 0;
        loop {
            let piece = &self.input[start..length];
            text.reserve(self.decoder.max_utf8_buffer_length_without_replacement(piece.len()).unwrap_or(piece.len()));
            let decoded = self.decoder.decode_to_string_without_replacement(piece, text, self.is_at_end);
            start += decoded.1;
            match decoded.0 {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bad, after) => {
                    let (bad, after) = (usize::from(bad), usize::from(after));
                    // The sequence may have begun in the piece before.
                    let first = start.saturating_sub(after + bad);
                    let bytes: Vec<String> = self.input[first..start.saturating_sub(after).max(first)]
                        .iter()
                        .map(|b| format!("0x{b:02X}"))
                        .collect();
                    let place = self.before + (start as u64) - (after + bad) as u64 + 1;
                    let hint = self.hint.get_or_insert_with(|| hint(self.decoder.encoding(), &self.input[..length]));
                    let name = self.decoder.encoding().name();
                    let fault = format!("byte {place} of the file ({}) is no {name}{hint}", bytes.join(" "));
                    self.next.faults.push((text.len(), fault));
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
        self.before += length as u64;
        Ok(())
    }
}

/// The encoding that the bytes rather are in, by the name that `--encoding` takes.
fn hint(assumed: &'static Encoding, bytes: &[u8]) -> String {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let likely = match detector.guess(None, Utf8Detection::Allow) {
        // Each holds all of the other, and is what people call it.
        encoding if encoding == GBK => "gb18030".to_string(),
        encoding if encoding == WINDOWS_1252 => "latin1".to_string(),
        encoding => encoding.name().to_lowercase(),
    };
    match Encoding::for_label(likely.as_bytes()) == Some(assumed) {
        true => "; the file is damaged there".into(),
        false => format!("; the file looks like {likely}: try --encoding {likely}"),
    }
}
