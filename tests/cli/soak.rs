//! `kill -9` at random moments, many times over, while readers read: no committed row is lost, no reader sees a mix, and
//! whatever was killed goes on. A few rounds here; `cargo xtask soak` runs hundreds.

use crate::cli::erase::assert_nowhere;
use crate::cli::shop::TINY;
use crate::cli::till::{self, ROWS, W};
use crate::support::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Rounds of the short version.
const FEW: usize = 10;
const PUBLISHED: &str = "bi";

/// What a round does.
const VERBS: &[&str] = &[
    "load",
    "build",
    "optimize",
    "publish",
    "vacuum",
    "restore",
    "erase",
    #[cfg(feature = "train")]
    "score",
];

/// Trains on what a file of receipts holds.
const CHURN: &str = "task = 'churn'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = 4\nevery_days = 4\n";

/// The rows that a table has of each file.
type Rows = BTreeMap<usize, usize>;

#[test]
fn soak() {
    let rounds = std::env::var("PERENNIAL_SOAK_ROUNDS").map_or(FEW, |rounds| rounds.parse().expect("a number"));
    let started = Instant::now();
    let mut soak = Soak::new();
    let (done, reads) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 3]);
    let folder = soak.folder.clone();
    let told = std::thread::scope(|scope| {
        // Set whatever happens, or the readers would hold a failed test for ever.
        let _stop = Stop(&done);
        let readers: [Reader; 3] = [read_snapshot, read_published, read_current];
        for (reader, reads) in readers.into_iter().zip(&reads) {
            let (folder, done) = (&folder, &done);
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    reads.fetch_add(u64::from(read(folder, reader)), Relaxed);
                    sleep(Duration::from_millis(20));
                }
            });
        }
        for round in 0..rounds {
            soak.round(round);
        }
        soak.finish();
        soak.told()
    });
    let [snapshot, published, current] = reads.map(AtomicU64::into_inner);
    println!(
        "{rounds} rounds in {:.0} s: {told}\nreaders: {snapshot} of a snapshot, {published} of a published version, \
         {current} of current/\nno row lost or doubled, no mix, doctor clean after every round",
        started.elapsed().as_secs_f64()
    );
}

/// Ends the readers.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

struct Soak {
    folder: Arc<Folder>,
    dice: Dice,
    files: usize,
    /// Rows that were seen: they may never go, but by a restore or an erasure.
    committed: Rows,
    /// Files whose load was killed: some later commit may take their rows in, all of them or none.
    unfinished: BTreeSet<usize>,
    /// How long a verb took when nobody killed it.
    lasts: BTreeMap<&'static str, Duration>,
    /// Rounds of a verb: killed while it ran, ended before.
    ended: BTreeMap<&'static str, [usize; 2]>,
}

/// A verb with its arguments.
struct Work {
    arguments: Vec<String>,
    /// What is loaded once it is done.
    target: Rows,
    /// The file whose only customer it forgets.
    forgets: Option<usize>,
}

impl Soak {
    fn new() -> Soak {
        let folder = till::with_files(1);
        till::load(&folder, 0);
        till::build(&folder);
        folder.ok(&["publish", PUBLISHED, "--warehouse", W]);
        if cfg!(feature = "train") {
            folder.write("models/churn.toml", &format!("{CHURN}{TINY}"));
            folder.ok(&["train", "churn", "--warehouse", W]);
            // A restore of one snapshot leaves the model.
            folder.ok(&["score", "churn", "--warehouse", W]);
        }
        let (unfinished, lasts, ended) = Default::default();
        let committed = Rows::from([(0, ROWS)]);
        Soak { folder: folder.into(), dice: Dice(7), files: 1, committed, unfinished, lasts, ended }
    }

    /// A verb is killed, what it left is looked at, and mostly it is then run to its end.
    fn round(&mut self, round: usize) {
        // Every other round has something new to work on.
        let verb = if round.is_multiple_of(2) { "load" } else { VERBS[self.dice.below(VERBS.len() as u64) as usize] };
        let work = self.work(verb);
        let arguments: Vec<&str> = work.arguments.iter().map(String::as_str).chain(["--warehouse", W]).collect();
        let lasts = self.lasts.get(verb).copied().unwrap_or(Duration::from_millis(400));
        let moment = Duration::from_micros(self.dice.below(lasts.as_micros() as u64 * 11 / 10));
        let has_ended = self.killed(&arguments, moment);
        self.ended.entry(verb).or_default()[usize::from(has_ended)] += 1;

        let said = format!("round {round}, {verb} killed after {moment:?}");
        let left = self.look(&said, work.forgets);
        let is_sound = [&self.committed, &work.target].iter().any(|expected| self.is_as_expected(&left, expected));
        assert!(is_sound, "{said}: {left:?} of {:?} to {:?}, {:?}", self.committed, work.target, self.unfinished);
        self.seen(left);
        // Nobody writes to the warehouse until an erasure is finished.
        if work.forgets.is_none() && self.dice.below(3) == 0 {
            return;
        }
        end_lease(&self.folder);
        let begun = Instant::now();
        self.folder.ok(&arguments);
        self.lasts.insert(verb, begun.elapsed());
        let said = format!("{said} and run again");
        let left = self.look(&said, None);
        assert!(self.is_as_expected(&left, &work.target), "{said}: {left:?}, not {:?}", work.target);
        self.look_at_outcome(verb, &work, &left, &said);
        self.seen(left);
    }

    /// What a verb does when it ends, besides what it leaves loaded.
    fn look_at_outcome(&self, verb: &str, work: &Work, left: &Rows, said: &str) {
        let folder = &self.folder;
        if verb == "build" {
            assert_eq!(orders(folder), *left, "{said}: what was loaded is built, once");
        }
        if verb == "score" {
            let newest = "SELECT count(*), count(DISTINCT customer_id), (SELECT count(DISTINCT customer_id) FROM core.orders) \
                          FROM scores.churn WHERE scored_at = (SELECT max(scored_at) FROM scores.churn)";
            let counts = folder.sql(W, newest).concat();
            let counts: BTreeSet<&str> = counts.split(',').collect();
            assert_eq!(counts.len(), 1, "{said}: scores, customers scored, customers: {counts:?}");
        }
        if let Some(file) = work.forgets {
            assert_eq!(left.get(&file), Some(&(ROWS - 1)), "{said}");
            [W, PUBLISHED].iter().for_each(|place| assert_nowhere(&folder.path(place), &till::only(file)));
        }
    }

    /// What a verb is told, and which rows are loaded once it is done.
    fn work(&mut self, verb: &str) -> Work {
        let (mut target, mut forgets) = (self.committed.clone(), None);
        let arguments = match verb {
            "load" => {
                let file = self.unfinished.first().copied().filter(|_| self.dice.below(2) == 0);
                let file = file.unwrap_or(self.files);
                if file == self.files {
                    till::write(&self.folder, file);
                    self.files += 1;
                }
                target.insert(file, ROWS);
                self.unfinished.insert(file);
                format!("load raw.till_receipts {file}.csv --history")
            }
            // To what there was a moment ago: a load since is undone.
            "restore" => {
                let to = newest_snapshot(&self.folder).saturating_sub(1).max(1);
                target = raw_rows(&self.folder, to).unwrap_or_else(|error| panic!("{error}"));
                format!("restore {to}")
            }
            "publish" => format!("publish {PUBLISHED}"),
            "vacuum" => format!("vacuum --keep-snapshots 20 --keep-versions 4 --published {PUBLISHED}"),
            "erase" => {
                let file =
                    *self.committed.keys().nth(self.dice.below(self.committed.len() as u64) as usize).expect("a file");
                target.insert(file, ROWS - 1);
                forgets = Some(file);
                format!("erase --customer {} --published {PUBLISHED} --yes", till::only(file))
            }
            "score" => "score churn".to_string(),
            other => other.to_string(),
        };
        Work { arguments: arguments.split(' ').map(String::from).collect(), target, forgets }
    }

    /// Starts a verb and kills it; whether it had ended before.
    fn killed(&self, arguments: &[&str], moment: Duration) -> bool {
        let mut command = self.folder.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        sleep(moment);
        let has_ended = child.try_wait().expect("its state").is_some();
        let _ = child.kill();
        child.wait().expect("it ends");
        has_ended
    }

    /// No row of `expected` is missing, and what there is besides was begun.
    fn is_as_expected(&self, left: &Rows, expected: &Rows) -> bool {
        let is_known = |(file, rows): (&usize, &usize)| match expected.get(file) {
            Some(expected) => rows == expected,
            None => self.unfinished.contains(file) && *rows == ROWS,
        };
        expected.keys().all(|file| left.contains_key(file)) && left.iter().all(is_known)
    }

    fn seen(&mut self, rows: Rows) {
        self.unfinished.retain(|file| !rows.contains_key(file));
        self.committed = rows;
    }

    /// What is loaded. Core has rows of these files only, each file whole but for an erasure under way, and the warehouse
    /// is sound; of an erasure under way only that is said.
    fn look(&self, said: &str, forgets: Option<usize>) -> Rows {
        let raw =
            raw_rows(&self.folder, newest_snapshot(&self.folder)).unwrap_or_else(|error| panic!("{said}: {error}"));
        let built = orders(&self.folder);
        let is_whole = |(file, rows): (&usize, &usize)| match forgets == Some(*file) {
            true => raw.contains_key(file) && [ROWS, ROWS - 1].contains(rows),
            false => raw.get(file) == Some(rows),
        };
        assert!(built.iter().all(is_whole), "{said}: {built:?} of {raw:?}");
        let doctor = ["doctor", "--published", PUBLISHED, "--format", "json", "--warehouse", W];
        let report = self.folder.run(&doctor).stdout;
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap_or_else(|e| panic!("{said}: {e}"));
        let findings = report["findings"].as_array().expect("findings");
        let is_known = |finding: &serde_json::Value| forgets.is_some() && finding["place"] == "erasures";
        assert!(findings.iter().all(is_known), "{said}: {findings:?}");
        raw
    }

    /// What was never loaded to its end is loaded now, and everything is built.
    fn finish(&mut self) {
        for file in self.unfinished.clone() {
            till::load(&self.folder, file);
            self.committed.insert(file, ROWS);
        }
        till::build(&self.folder);
        assert_eq!(self.look("at the end", None), self.committed);
        assert_eq!(orders(&self.folder), self.committed);
    }

    fn told(&self) -> String {
        let verb = |(verb, [killed, ended]): (&&str, &[usize; 2])| format!("{verb} {killed} killed, {ended} too late");
        self.ended.iter().map(verb).collect::<Vec<_>>().join("; ")
    }
}

fn newest_snapshot(folder: &Folder) -> u64 {
    let entries = std::fs::read_dir(folder.path("w/_snapshots")).expect("snapshots").flatten();
    let number = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse().ok();
    entries.filter_map(|entry| number(entry.file_name())).max().expect("a snapshot")
}

fn orders(folder: &Folder) -> Rows {
    let number = |file: &str| file.trim_start_matches('f').parse().expect("a file's number");
    till::orders(folder).into_iter().map(|(file, rows)| (number(&file), rows)).collect()
}

/// The rows that a snapshot has of each file: all of them, once, but for one that was erased; the error if the query fails.
fn raw_rows(folder: &Folder, snapshot: u64) -> Result<Rows, String> {
    let query = "SELECT substr(split_part(receipt, '-', 1), 2), count(*), count(DISTINCT receipt) \
                 FROM raw.till_receipts GROUP BY 1";
    let number = snapshot.to_string();
    let output = folder.run(&["sql", query, "--format", "csv", "--snapshot", &number, "--warehouse", W]);
    if !output.status.success() {
        return Err(format!("snapshot {snapshot}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let row = |line: &str| {
        let cells: Vec<usize> = line.split(',').map(|cell| cell.parse().expect("a number")).collect();
        let [file, rows, distinct] = cells[..] else { panic!("{line}") };
        let is_whole = rows == distinct && [ROWS, ROWS - 1].contains(&rows);
        assert!(is_whole, "snapshot {snapshot} has a part of file {file}, or rows twice: {line}");
        (file, rows)
    };
    Ok(text.lines().skip(1).map(row).collect())
}

/// The newest erasure, if none is under way.
fn newest_erasure(folder: &Folder) -> Option<u64> {
    let names = std::fs::read_dir(folder.path(W).join("_erasures")).into_iter().flatten().flatten();
    let names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let newest = |ending| names.iter().filter_map(|name| name.strip_suffix(ending)?.parse::<u64>().ok()).max();
    (newest(".json") == newest(".done")).then(|| newest(".json").unwrap_or(0))
}

/// The lock of a killed erasure is as old as if its lease had gone by.
fn end_lease(folder: &Folder) {
    if newest_erasure(folder).is_some() {
        return;
    }
    let names = std::fs::read_dir(folder.path(W).join("_erasures")).expect("erasures").flatten();
    // Locks have numbers; what was decided lies beside them.
    let is_lock = |path: &PathBuf| {
        let is_number = path.file_stem().is_some_and(|stem| stem.to_string_lossy().parse::<u64>().is_ok());
        is_number && path.extension().is_some_and(|ending| ending == "json")
    };
    let lock = names.map(|entry| entry.path()).filter(is_lock).max().expect("a lock");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&lock).expect("a lock")).expect("JSON");
    text["renewed_at"] = text["taken_at"].clone();
    text["lease_seconds"] = 0.into();
    std::fs::write(lock, text.to_string()).expect("written");
}

type Reader = fn(&Folder) -> Result<(), String>;

/// Whether a reader read without an erasure in between: that takes rows out of what was thought to be fixed, and deletes
/// files under way.
fn read(folder: &Folder, reader: Reader) -> bool {
    let before = newest_erasure(folder);
    let outcome = reader(folder);
    let is_undisturbed = before.is_some() && newest_erasure(folder) == before;
    if is_undisturbed {
        outcome.unwrap_or_else(|error| panic!("{error}"));
    }
    is_undisturbed
}

/// One snapshot, read three times, holds the same whole files each time.
fn read_snapshot(folder: &Folder) -> Result<(), String> {
    let snapshot = newest_snapshot(folder);
    let first = raw_rows(folder, snapshot)?;
    let is_same = raw_rows(folder, snapshot)? == first && raw_rows(folder, snapshot)? == first;
    is_same.then_some(()).ok_or_else(|| format!("snapshot {snapshot} changed"))
}

/// The version that `_latest.json` means has every file, with as many rows as it says.
fn read_published(folder: &Folder) -> Result<(), String> {
    let latest = manifest(&folder.path(PUBLISHED).join("_latest.json"))?;
    for (name, table) in latest["tables"].as_object().expect("tables") {
        let files = table["files"].as_array().expect("files").iter();
        let rows = files.map(|file| parquet_rows(&folder.path(PUBLISHED).join(file["path"].as_str().unwrap())));
        let rows: i64 = rows.sum::<Result<_, _>>()?;
        check_rows(name, rows, table)?;
    }
    Ok(())
}

/// The tables below `current/`, opened by that path, are those of one version: as many rows as its manifest says.
fn read_current(folder: &Folder) -> Result<(), String> {
    let current = std::fs::canonicalize(folder.path(PUBLISHED).join("current")).expect("current is never gone");
    let manifest = manifest(&current.join("_manifest.json"))?;
    for (name, table) in manifest["tables"].as_object().expect("tables") {
        check_rows(name, parquet_rows(&current.join(name).join("part-00000.parquet"))?, table)?;
    }
    Ok(())
}

fn manifest(path: &Path) -> Result<serde_json::Value, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", path.display()))
}

fn check_rows(name: &str, rows: i64, table: &serde_json::Value) -> Result<(), String> {
    let is_right = Some(rows) == table["rows"].as_i64();
    is_right.then_some(()).ok_or_else(|| format!("{name}: {rows} rows, not {}", table["rows"]))
}

/// The rows of a Parquet file, all of it read.
fn parquet_rows(path: &Path) -> Result<i64, String> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let rows = || -> Result<i64, Box<dyn std::error::Error>> {
        let reader = SerializedFileReader::new(std::fs::File::open(path)?)?;
        let rows: i64 = reader.get_row_iter(None)?.try_fold(0, |count, row| row.map(|_| count + 1))?;
        assert_eq!(rows, reader.metadata().file_metadata().num_rows());
        Ok(rows)
    };
    rows().map_err(|e| format!("{}: {e}", path.display()))
}

#[test]
fn eight_programs_load_at_once_and_every_row_is_there_once() {
    let folder = till::with_files(8);
    let start = |file: usize| {
        let file = format!("{file}.csv");
        let mut command = folder.command(&["load", "raw.till_receipts", &file, "--history", "--warehouse", W]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    };
    let loads: Vec<_> = (0..8).map(start).collect();
    for load in loads {
        let output = load.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(till::by_file(&folder, "raw.till_receipts", "receipt"), till::expected(&[0, 1, 2, 3, 4, 5, 6, 7]));
    till::build(&folder);
    assert_eq!(till::orders(&folder), till::expected(&[0, 1, 2, 3, 4, 5, 6, 7]));
    folder.ok(&["doctor", "--warehouse", W]);
}

/// Numbers that nobody foresees and every run repeats.
struct Dice(u64);

impl Dice {
    /// From 0 to below `end`: splitmix64.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
