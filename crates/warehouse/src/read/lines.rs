//! Defines [`Lines`], a text file line by line in UTF-8: decompressed, decoded, without a byte order mark. Bytes that are
//! no text of the encoding become U+FFFD and a fault of their line, so that one bad name is one bad row, not a bad file.

use std::collections::VecDeque;
use std::io::Read;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, GBK, WINDOWS_1252};

use super::{BUFFER_BYTES, InputFile, io_error, open};
use crate::error::Result;

pub(super) struct Lines<'a> {
    file: &'a InputFile,
    source: Box<dyn Read>,
    decoder: Decoder,
    input: Vec<u8>,
    /// Decoded bytes of the file before those of `input`.
    before: u64,
    text: String,
    /// How much of `text` was handed out.
    at: usize,
    /// Place in `text` and description.
    faults: VecDeque<(usize, String)>,
    hint: Option<String>,
    is_at_end: bool,
    /// Number of the last line, from 1.
    pub(super) number: u64,
    /// What is wrong with the last line's bytes.
    pub(super) fault: Option<String>,
}

impl<'a> Lines<'a> {
    pub(super) fn open(file: &'a InputFile, encoding: &'static Encoding) -> Result<Self> {
        Ok(Lines {
            file,
            source: open(file)?,
            decoder: encoding.new_decoder(),
            input: vec![0; BUFFER_BYTES],
            before: 0,
            text: String::new(),
            at: 0,
            faults: VecDeque::new(),
            hint: None,
            is_at_end: false,
            number: 0,
            fault: None,
        })
    }

    /// Puts the next line, with its end, into `line`; `false` at the end of the file.
    pub(super) fn next(&mut self, line: &mut String) -> Result<bool> {
        line.clear();
        self.fault = None;
        loop {
            let rest = &self.text[self.at..];
            let (length, is_whole) = rest.find('\n').map_or((rest.len(), false), |end| (end + 1, true));
            line.push_str(&rest[..length]);
            self.at += length;
            while let Some((_, fault)) = self.faults.pop_front_if(|(at, _)| *at < self.at) {
                self.fault.get_or_insert(fault);
            }
            if is_whole || (self.is_at_end && !line.is_empty()) {
                self.number += 1;
                return Ok(true);
            }
            if self.is_at_end {
                return Ok(false);
            }
            self.decode_more()?;
        }
    }

    /// Replaces `text` by the next piece of the file.
    fn decode_more(&mut self) -> Result<()> {
        self.text.clear();
        self.at = 0;
        let length = self.source.read(&mut self.input).map_err(io_error(self.file))?;
        self.is_at_end = length == 0;
        let mut start = 0;
        loop {
            let piece = &self.input[start..length];
            self.text
                .reserve(self.decoder.max_utf8_buffer_length_without_replacement(piece.len()).unwrap_or(piece.len()));
            let decoded = self.decoder.decode_to_string_without_replacement(piece, &mut self.text, self.is_at_end);
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
                    self.faults.push_back((self.text.len(), fault));
                    self.text.push(char::REPLACEMENT_CHARACTER);
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
