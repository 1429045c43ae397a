//! Defines [`Editor`], which reads lines from a terminal with history, completion and the keys of readline. It is ours
//! because every kept library for this turns on other features of `libc` or `mio`, on which the whole query engine is
//! built: it would be compiled anew.

use super::history::History;
use crate::print;
use anyhow::Result;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{Read, stdin};

/// Width of a terminal that does not tell.
const WIDTH: usize = 80;

/// What a person entered.
pub enum Input {
    Line(String),
    /// Ctrl-C: the line is thrown away.
    Cleared,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// Completes what stands left of the cursor: from which character on, and by what.
pub type Complete<'a> = &'a dyn Fn(&str) -> (usize, Vec<String>);

/// Reads one line, which may be longer than the terminal is wide.
pub struct Editor<'a> {
    prompt: &'a str,
    line: Vec<char>,
    cursor: usize,
    /// Row of the cursor below the row of the prompt, as last drawn.
    row: usize,
    /// Entry of the history that is shown; one past the newest for the line being written.
    entry: usize,
    /// What was written before the history was looked at.
    draft: Vec<char>,
}

enum Key {
    Insert(char),
    Enter,
    Interrupt,
    EndOrDelete,
    Backspace,
    Delete,
    Left,
    Right,
    Start,
    End,
    Older,
    Newer,
    Complete,
    CutBefore,
    CutAfter,
    CutWord,
    ClearScreen,
    Unknown,
}

impl<'a> Editor<'a> {
    /// # Errors
    /// Standard input is no terminal.
    pub fn read(prompt: &'a str, history: &History, complete: Complete) -> Result<Input> {
        let _raw = Raw::start()?;
        let entry = history.len();
        let mut editor = Editor { prompt, line: Vec::new(), cursor: 0, row: 0, entry, draft: Vec::new() };
        editor.draw()?;
        loop {
            let Some(key) = key() else { return Ok(Input::End) };
            match key {
                Key::Enter => return editor.leave(Input::Line(editor.line.iter().collect()), ""),
                Key::Interrupt => return editor.leave(Input::Cleared, "^C"),
                Key::EndOrDelete if editor.line.is_empty() => return editor.leave(Input::End, ""),
                Key::Older => editor.show(history, editor.entry.checked_sub(1)),
                Key::Newer => editor.show(history, Some(editor.entry + 1)),
                Key::Complete => editor.complete(complete)?,
                Key::ClearScreen => {
                    print::out("\x1b[2J\x1b[H")?;
                    editor.row = 0;
                }
                key => editor.edit(key),
            }
            editor.draw()?;
        }
    }

    fn edit(&mut self, key: Key) {
        let at = self.cursor;
        match key {
            Key::Insert(character) => {
                self.line.insert(at, character);
                self.cursor += 1;
            }
            Key::Backspace if at > 0 => {
                self.line.remove(at - 1);
                self.cursor -= 1;
            }
            Key::Delete | Key::EndOrDelete if at < self.line.len() => drop(self.line.remove(at)),
            Key::Left => self.cursor = at.saturating_sub(1),
            Key::Right => self.cursor = self.line.len().min(at + 1),
            Key::Start => self.cursor = 0,
            Key::End => self.cursor = self.line.len(),
            Key::CutBefore => self.cut(0),
            Key::CutAfter => self.line.truncate(at),
            Key::CutWord => {
                let word = self.line[..at].iter().rposition(|c| !c.is_whitespace()).unwrap_or(0);
                self.cut(self.line[..word].iter().rposition(|c| c.is_whitespace()).map_or(0, |space| space + 1));
            }
            _ => {}
        }
    }

    /// Takes out what lies between `start` and the cursor.
    fn cut(&mut self, start: usize) {
        self.line.drain(start..self.cursor);
        self.cursor = start;
    }

    fn show(&mut self, history: &History, entry: Option<usize>) {
        let Some(entry) = entry.filter(|entry| *entry <= history.len()) else { return };
        if self.entry == history.len() {
            self.draft = self.line.clone();
        }
        self.line = history.get(entry).map_or_else(|| self.draft.clone(), |text| text.chars().collect());
        self.entry = entry;
        self.cursor = self.line.len();
    }

    /// Writes out what all candidates begin with; shows them where that is nothing new.
    fn complete(&mut self, complete: Complete) -> Result<()> {
        let before: String = self.line[..self.cursor].iter().collect();
        let (start, candidates) = complete(&before);
        let Some(first) = candidates.first() else { return Ok(()) };
        let mut common: Vec<char> = first.chars().collect();
        for candidate in &candidates {
            let same = common.iter().zip(candidate.chars()).take_while(|(a, b)| **a == *b).count();
            common.truncate(same);
        }
        if candidates.len() == 1 && !first.ends_with('.') {
            common.push(' ');
        }
        if candidates.len() > 1 && common.len() <= self.cursor - start {
            self.row = 0;
            return print::out(&format!("\r\n{}\r\n", candidates.join("  ")));
        }
        self.cut(start);
        self.line.splice(start..start, common.iter().copied());
        self.cursor = start + common.len();
        Ok(())
    }

    /// Draws prompt and line over what was drawn before.
    fn draw(&mut self) -> Result<()> {
        let width = tcgetwinsize(stdin()).map_or(0, |size| usize::from(size.ws_col));
        let width = if width == 0 { WIDTH } else { width };
        let prompt = self.prompt.chars().count();
        let (end, at) = (prompt + self.line.len(), prompt + self.cursor);
        let line: String = self.line.iter().collect();
        let mut text = up(self.row) + "\r\x1b[J" + self.prompt + &line;
        if end > 0 && end.is_multiple_of(width) {
            // A terminal goes to the next row only with the next character.
            text += "\r\n";
        }
        text += &up(end / width - at / width);
        text += "\r";
        if at % width > 0 {
            text += &format!("\x1b[{}C", at % width);
        }
        self.row = at / width;
        print::out(&text)
    }

    /// Leaves the line as it stands, for what is printed next.
    fn leave(&mut self, input: Input, mark: &str) -> Result<Input> {
        self.cursor = self.line.len();
        self.draw()?;
        print::out(&format!("{mark}\r\n"))?;
        Ok(input)
    }
}

fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\x1b[{rows}A") }
}

/// The next key; `None` when there are no more.
fn key() -> Option<Key> {
    Some(match byte()? {
        b'\r' | b'\n' => Key::Enter,
        0x03 => Key::Interrupt,
        0x04 => Key::EndOrDelete,
        0x7f | 0x08 => Key::Backspace,
        b'\t' => Key::Complete,
        0x01 => Key::Start,
        0x05 => Key::End,
        0x02 => Key::Left,
        0x06 => Key::Right,
        0x10 => Key::Older,
        0x0e => Key::Newer,
        0x15 => Key::CutBefore,
        0x0b => Key::CutAfter,
        0x17 => Key::CutWord,
        0x0c => Key::ClearScreen,
        0x1b => escaped()?,
        first if first < 0x20 => Key::Unknown,
        first => character(first)?,
    })
}

/// `ESC [ A`, `ESC O A`, `ESC [ 3 ~` …
fn escaped() -> Option<Key> {
    if !matches!(byte()?, b'[' | b'O') {
        return Some(Key::Unknown);
    }
    let mut parameters = Vec::new();
    loop {
        match byte()? {
            last @ 0x40..=0x7e => return Some(sequence(&parameters, last)),
            parameter => parameters.push(parameter),
        }
    }
}

fn sequence(parameters: &[u8], last: u8) -> Key {
    match (parameters, last) {
        (_, b'A') => Key::Older,
        (_, b'B') => Key::Newer,
        (_, b'C') => Key::Right,
        (_, b'D') => Key::Left,
        (_, b'H') | (b"1" | b"7", b'~') => Key::Start,
        (_, b'F') | (b"4" | b"8", b'~') => Key::End,
        (b"3", b'~') => Key::Delete,
        _ => Key::Unknown,
    }
}

/// A character of UTF-8, whose first byte says how many follow.
fn character(first: u8) -> Option<Key> {
    let more = match first {
        0xc0..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0.. => 3,
        _ => 0,
    };
    let mut bytes = vec![first];
    for _ in 0..more {
        bytes.push(byte()?);
    }
    Some(String::from_utf8(bytes).ok().and_then(|text| text.chars().next()).map_or(Key::Unknown, Key::Insert))
}

fn byte() -> Option<u8> {
    let mut byte = [0];
    match stdin().lock().read(&mut byte) {
        Ok(1) => Some(byte[0]),
        _ => None,
    }
}

/// The terminal gives every key as it is pressed; dropped, it is as before.
struct Raw(Termios);

impl Raw {
    fn start() -> Result<Raw> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no care.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
