//! `kill -9` at random moments, many times over, while readers read: no committed row is lost, no reader sees a mix, and
//! whatever was killed goes on. A few rounds here; `cargo xtask soak` runs hundreds.

use crate::cli::till::{self, ROWS, W};
use crate::support::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Rounds of the short version.
const FEW: usize = 8;
const PUBLISHED: &str = "bi";

/// What a round does.
const VERBS: [&str; 6] = ["load", "build", "optimize", "publish", "vacuum", "restore"];

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
        let readers: [fn(&Folder); 3] = [read_snapshot, read_published, read_current];
        for (reader, reads) in readers.into_iter().zip(&reads) {
            let (folder, done) = (&folder, &done);
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    reader(folder);
                    reads.fetch_add(1, Relaxed);
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
    /// Files whose rows were seen: they may never go, but by a restore.
    committed: BTreeSet<usize>,
    /// Files whose load was killed: some later commit may take their rows in, all of them or none.
    unfinished: BTreeSet<usize>,
    /// How long a verb took when nobody killed it.
    lasts: BTreeMap<&'static str, Duration>,
    /// Rounds of a verb: killed while it ran, ended before.
    ended: BTreeMap<&'static str, [usize; 2]>,
}

impl Soak {
    fn new() -> Soak {
        let folder = till::with_files(1);
        till::load(&folder, 0);
        till::build(&folder);
        folder.ok(&["publish", PUBLISHED, "--warehouse", W]);
        let (unfinished, lasts, ended) = Default::default();
        let committed = BTreeSet::from([0]);
        Soak { folder: folder.into(), dice: Dice(7), files: 1, committed, unfinished, lasts, ended }
    }

    /// A verb is killed, what it left is looked at, and mostly it is then run to its end.
    fn round(&mut self, round: usize) {
        // Every other round has something new to work on.
        let verb = if round.is_multiple_of(2) { "load" } else { VERBS[self.dice.below(VERBS.len() as u64) as usize] };
        let (arguments, target) = self.work(verb);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--warehouse", W]).collect();
        let lasts = self.lasts.get(verb).copied().unwrap_or(Duration::from_millis(400));
        let moment = Duration::from_micros(self.dice.below(lasts.as_micros() as u64 * 11 / 10));
        let has_ended = self.killed(&arguments, moment);
        self.ended.entry(verb).or_default()[usize::from(has_ended)] += 1;

        let said = format!("round {round}, {verb} killed after {moment:?}");
        let left = self.look(&said);
        let is_sound = [&self.committed, &target].iter().any(|expected| self.is_as_expected(&left, expected));
        assert!(is_sound, "{said}: {left:?} of {:?} to {target:?}, {:?}", self.committed, self.unfinished);
        self.seen(left);
        if self.dice.below(3) == 0 {
            return;
        }
        let begun = Instant::now();
        self.folder.ok(&arguments);
        self.lasts.insert(verb, begun.elapsed());
        let left = self.look(&said);
        assert!(self.is_as_expected(&left, &target), "{said} and run again: {left:?}, not {target:?}");
        if verb == "build" {
            assert_eq!(
                till::orders(&self.folder),
                whole(&left),
                "{said} and run again: what was loaded is built, once"
            );
        }
        self.seen(left);
    }

    /// What a verb is told, and which files are loaded once it is done.
    fn work(&mut self, verb: &str) -> (Vec<String>, BTreeSet<usize>) {
        let mut target = self.committed.clone();
        let arguments = match verb {
            "load" => {
                let file = self.unfinished.first().copied().filter(|_| self.dice.below(2) == 0);
                let file = file.unwrap_or(self.files);
                if file == self.files {
                    till::write(&self.folder, file);
                    self.files += 1;
                }
                target.insert(file);
                self.unfinished.insert(file);
                format!("load raw.till_receipts {file}.csv --history")
            }
            // To what there was a moment ago: a load since is undone.
            "restore" => {
                let to = newest_snapshot(&self.folder).saturating_sub(1).max(1);
                target = raw_files(&self.folder, to).unwrap_or_else(|error| panic!("{error}"));
                format!("restore {to}")
            }
            "publish" => format!("publish {PUBLISHED}"),
            "vacuum" => format!("vacuum --keep-snapshots 20 --keep-versions 4 --published {PUBLISHED}"),
            other => other.to_string(),
        };
        (arguments.split(' ').map(String::from).collect(), target)
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

    /// No file of `expected` is missing, and what there is besides was begun.
    fn is_as_expected(&self, left: &BTreeSet<usize>, expected: &BTreeSet<usize>) -> bool {
        expected.is_subset(left) && left.difference(expected).all(|file| self.unfinished.contains(file))
    }

    fn seen(&mut self, files: BTreeSet<usize>) {
        self.unfinished.retain(|file| !files.contains(file));
        self.committed = files;
    }

    /// The files that are loaded, each whole. Core has rows of these only, each file whole, and the warehouse is sound.
    fn look(&self, said: &str) -> BTreeSet<usize> {
        let raw =
            raw_files(&self.folder, newest_snapshot(&self.folder)).unwrap_or_else(|error| panic!("{said}: {error}"));
        let (built, loaded) = (till::orders(&self.folder), whole(&raw));
        assert!(built.iter().all(|(file, rows)| loaded.get(file) == Some(rows)), "{said}: {built:?} of {raw:?}");
        self.folder.ok(&["doctor", "--published", PUBLISHED, "--warehouse", W]);
        raw
    }

    /// What was never loaded to its end is loaded now, and everything is built.
    fn finish(&mut self) {
        for file in self.unfinished.clone() {
            till::load(&self.folder, file);
        }
        till::build(&self.folder);
        let all: BTreeSet<usize> = self.committed.union(&self.unfinished).copied().collect();
        assert_eq!(self.look("at the end"), all);
        assert_eq!(till::orders(&self.folder), whole(&all));
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

/// All receipts of these files.
fn whole(files: &BTreeSet<usize>) -> BTreeMap<String, usize> {
    till::expected(&files.iter().copied().collect::<Vec<_>>())
}

/// The files of which a snapshot has rows: all of them, once; the error if the query fails.
fn raw_files(folder: &Folder, snapshot: u64) -> Result<BTreeSet<usize>, String> {
    let query = "SELECT substr(split_part(receipt, '-', 1), 2), count(*), count(DISTINCT receipt) \
                 FROM raw.till_receipts GROUP BY 1";
    let number = snapshot.to_string();
    let output = folder.run(&["sql", query, "--format", "csv", "--snapshot", &number, "--warehouse", W]);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let row = |line: &str| {
        let cells: Vec<usize> = line.split(',').map(|cell| cell.parse().expect("a number")).collect();
        assert_eq!(cells[1..], [ROWS; 2], "snapshot {snapshot} has a part of file {}, or rows twice", cells[0]);
        cells[0]
    };
    Ok(text.lines().skip(1).map(row).collect())
}

/// One snapshot, read three times, holds the same whole files each time.
fn read_snapshot(folder: &Folder) {
    let snapshot = newest_snapshot(folder);
    let read = || raw_files(folder, snapshot).unwrap_or_else(|error| panic!("snapshot {snapshot}: {error}"));
    let first = read();
    assert!((0..2).all(|_| read() == first), "snapshot {snapshot} changed");
}

/// The version that `_latest.json` means has every file, with as many rows as it says.
fn read_published(folder: &Folder) {
    let latest = std::fs::read(folder.path(PUBLISHED).join("_latest.json")).expect("a published version");
    let latest: serde_json::Value = serde_json::from_slice(&latest).expect("whole");
    for (name, table) in latest["tables"].as_object().expect("tables") {
        let files = table["files"].as_array().expect("files").iter();
        let rows: i64 =
            files.map(|file| parquet_rows(&folder.path(PUBLISHED).join(file["path"].as_str().unwrap()))).sum();
        assert_eq!(Some(rows), table["rows"].as_i64(), "{name}");
    }
}

/// The tables below `current/`, opened by that path, are those of one version: as many rows as its manifest says.
fn read_current(folder: &Folder) {
    let current = std::fs::canonicalize(folder.path(PUBLISHED).join("current")).expect("current is never gone");
    let manifest = std::fs::read(current.join("_manifest.json")).expect("current is a finished version");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("whole");
    for (name, table) in manifest["tables"].as_object().expect("tables") {
        let rows = parquet_rows(&current.join(name).join("part-00000.parquet"));
        assert_eq!(Some(rows), table["rows"].as_i64(), "{name}");
    }
}

/// The rows of a Parquet file, all of it read.
fn parquet_rows(path: &std::path::Path) -> i64 {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let reader = SerializedFileReader::new(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows = reader.get_row_iter(None).expect("rows").try_fold(0, |count, row| row.map(|_| count + 1));
    let rows: i64 = rows.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(rows, reader.metadata().file_metadata().num_rows());
    rows
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
