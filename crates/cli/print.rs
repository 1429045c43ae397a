//! The only place that prints.

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;
use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use unicode_width::UnicodeWidthStr;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
}

/// Standard output. A reader that has gone away (`| head`) is no error.
struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        unless_gone(std::io::stdout().lock().write_all(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        unless_gone(std::io::stdout().lock().flush())
    }
}

fn unless_gone(written: std::io::Result<()>) -> std::io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Where many rows are printed to.
pub fn sink() -> impl Write + Send {
    BufWriter::new(Out)
}

pub fn out(text: &str) -> Result<()> {
    Out.write_all(text.as_bytes())?;
    Ok(Out.flush()?)
}

pub fn line(text: &str) -> Result<()> {
    out(&format!("{text}\n"))
}

/// What is going on, beside the results: standard error.
pub fn status(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

pub fn error(error: &anyhow::Error) -> ExitCode {
    let mut text = error.to_string();
    // Causes that the message quotes already are not said twice.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(cause.trim()) {
            text = format!("{text}: {cause}");
        }
    }
    status(&format!("error: {}", text.trim_end()));
    ExitCode::FAILURE
}

pub fn batches(batches: &[RecordBatch]) -> Result<()> {
    line(&pretty_format_batches(batches)?.to_string())
}

/// A report as JSON, or as text made by `text`.
pub fn report(format: Format, value: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<()> {
    match format {
        Format::Json => line(&serde_json::to_string_pretty(&serde_json::to_value(value)?)?),
        Format::Table => out(&text()),
    }
}

/// Characters of a value in a table of columns.
const SHORT: usize = 40;

/// The beginning of a value, on one line.
pub fn short(value: &str) -> String {
    let shown: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHORT).collect();
    if value.chars().nth(SHORT).is_some() { shown + "…" } else { shown }
}

/// Rows under a header, columns as wide as their widest cell; numbers right, words left.
pub fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |i: usize| rows.iter().map(|row| row[i].width()).chain([header[i].width()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let is_number = |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    let mut text = String::new();
    let header: Vec<String> = header.iter().map(|h| h.to_string()).collect();
    for row in std::iter::once(&header).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| {
            let blanks = " ".repeat(width.saturating_sub(cell.width()));
            if is_number(cell) { blanks + cell } else { format!("{cell}{blanks}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
