//! What all benches share: arguments, timing, and peers. A peer is a Python script that does the same work, and prints as
//! JSON its answer and the seconds of each form it tried; no time is shown before both answers are equal.

#![allow(dead_code, reason = "no bench needs all of it")]

pub mod growth;
pub mod orders;
pub mod rows;
pub mod shop;

use anyhow::{Context, Result, ensure};
use mimalloc::MiMalloc;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// As in the `perennial` binary.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Runs of which the median counts.
pub const RUNS: usize = 3;
/// Sums in another order of rows differ by rounding.
const TOLERANCE: f64 = 1e-9;

/// The sizes of the data and the peers' Python.
pub struct Arguments {
    pub sizes: Vec<u64>,
    python: Option<OsString>,
}

impl Arguments {
    /// `[size]... [python]`. None where `cargo test --all-targets` and not `cargo bench` runs this.
    pub fn read(default_size: u64) -> Option<Arguments> {
        let (mut sizes, mut python, mut is_bench) = (Vec::new(), std::env::var_os("PERENNIAL_READERS"), false);
        for argument in std::env::args().skip(1) {
            match argument.parse() {
                Ok(number) => sizes.push(number),
                Err(_) if argument == "--bench" => is_bench = true,
                Err(_) => python = Some(argument.into()),
            }
        }
        if !is_bench {
            println!("nothing measured: run me by cargo bench");
            return None;
        }
        if cfg!(debug_assertions) {
            println!("not compiled for speed: ratios are worse than those of the bench profile");
        }
        if sizes.is_empty() {
            sizes.push(default_size);
        }
        Some(Arguments { sizes, python })
    }

    /// Answers of `benches/peers/<script>` by name; None, and a line that says so, without a Python.
    pub fn peer(&self, script: &str, arguments: &[&Path]) -> Result<Option<BTreeMap<String, Peer>>> {
        let Some(python) = &self.python else {
            println!("peer skipped: neither PERENNIAL_READERS nor an argument names a Python for {script}");
            return Ok(None);
        };
        let threads = std::thread::available_parallelism()?.to_string();
        let path = benches().join("peers").join(script);
        let mut command = Command::new(python);
        command.arg(&path).args(arguments).args([RUNS.to_string(), threads]).stderr(Stdio::inherit());
        let output = command.output().with_context(|| format!("{} does not start", python.display()))?;
        ensure!(output.status.success(), "{script} failed: {}", output.status);
        Ok(Some(serde_json::from_slice(&output.stdout).with_context(|| format!("{script} prints no answers"))?))
    }

    /// What several scripts answer to one question.
    pub fn peers(&self, name: &str, scripts: &[&str], arguments: &[&Path]) -> Result<Vec<Peer>> {
        let mut found = Vec::new();
        for script in scripts {
            if let Some(mut answers) = self.peer(script, arguments)? {
                found.push(answers.remove(name).with_context(|| format!("{script} says nothing of {name}"))?);
            }
        }
        Ok(found)
    }
}

/// The folder of the benches.
pub fn benches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

/// How many rows, and of each column how many values that are not NULL, and their sum: of times in microseconds, of text
/// the bytes and the number it ends in, so that sums of keys are equal only if the keys are.
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    pub rows: u64,
    pub columns: BTreeMap<String, (u64, f64)>,
}

impl Answer {
    /// Adds a table's answer to that of several.
    pub fn add_table(&mut self, table: &str, answer: Answer) {
        self.rows += answer.rows;
        self.columns.extend(answer.columns.into_iter().map(|(column, sum)| (format!("{table}.{column}"), sum)));
    }

    fn must_equal(&self, peer: &Answer, name: &str) -> Result<()> {
        ensure!(self.rows == peer.rows, "{name}: {} rows here, {} there", self.rows, peer.rows);
        ensure!(self.columns.keys().eq(peer.columns.keys()), "{name}: {self:?} here, {peer:?} there");
        for (column, (count, total)) in &self.columns {
            let (other_count, other) = peer.columns[column];
            let is_equal = (total - other).abs() <= TOLERANCE * total.abs().max(other.abs());
            ensure!(
                *count == other_count && is_equal,
                "{name}: {column} has {count} values of sum {total} here, {other_count} of sum {other} there"
            );
        }
        Ok(())
    }
}

/// What a peer answered, and each form it tried with its median seconds; the first is as users write it.
#[derive(Debug, Deserialize)]
pub struct Peer {
    #[serde(flatten)]
    answer: Answer,
    forms: Vec<(String, f64)>,
}

/// Checks the peers' answers, times `work`, and prints all and the ratios; returns the seconds. `items` (rows, events)
/// are counted per second.
pub async fn compare<'a>(
    name: &str,
    items: Option<u64>,
    answer: &Answer,
    peers: impl IntoIterator<Item = &'a Peer>,
    work: impl AsyncFnMut() -> Result<()>,
) -> Result<f64> {
    let peers: Vec<&Peer> = peers.into_iter().collect();
    for peer in &peers {
        answer.must_equal(&peer.answer, name)?;
    }
    let seconds = median_seconds(work).await?;
    let mut line = format!("{name:<24} {seconds:.3} s");
    if let Some(items) = items {
        line += &format!(" ({:.0} k/s)", items as f64 / seconds / 1e3);
    }
    for Peer { forms, .. } in peers {
        let (written, as_written) = forms.first().context("a peer tries one form at least")?;
        let (form, best) = forms.iter().min_by(|one, other| one.1.total_cmp(&other.1)).context("one form")?;
        line += &format!("; peer as written {as_written:.3} s ({written}), best {best:.3} s ({form})");
        line += &format!("; {:.2} x as written, {:.2} x best", seconds / as_written, seconds / best);
    }
    println!("{line}");
    Ok(seconds)
}

/// What `work` returns, and the most memory that this process had meanwhile, in megabytes.
pub async fn peak_memory<T>(work: impl AsyncFnOnce() -> Result<T>) -> Result<(T, u64)> {
    // Linux notes the peak since this was written last.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let done = work().await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = peak.trim_end_matches("kB").trim().parse()?;
    Ok((done, kilobytes / 1000))
}

async fn median_seconds(mut work: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    let mut seconds = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let started = Instant::now();
        work().await?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[RUNS / 2])
}
