//! `history`, `restore`, `vacuum` and `doctor` as a user types them.

use crate::cli::till::{self, W};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn history_lists_snapshots_and_versions() {
    let folder = till::with_files(2);
    till::load(&folder, 0);
    till::build(&folder);
    let text = folder.ok(&["history", "--warehouse", W]);
    assert!(text.contains("load raw.till_receipts") && text.contains("core.orders +20"), "{text}");
    let history = json(&folder.ok(&["history", "--format", "json", "--limit", "1", "--warehouse", W]));
    assert_eq!(history.as_array().expect("snapshots").len(), 1);
    assert_eq!((&history[0]["snapshot"], &history[0]["operation"]), (&Value::from(2), &Value::from("build")));
    let versions = json(&folder.ok(&["history", "core.orders", "--format", "json", "--warehouse", W]));
    assert_eq!(versions[0]["rows_added"], 20);
    assert_eq!(versions[0]["snapshots"], serde_json::json!([2]));
    let error = folder.fails(&["history", "core.order", "--warehouse", W]);
    assert!(error.contains("core.orders"), "{error}");
}

#[test]
fn a_restore_takes_back_loads_and_builds_and_both_can_be_done_again() {
    let folder = till::with_files(3);
    till::load(&folder, 0);
    till::build(&folder);
    till::load(&folder, 1);
    till::build(&folder);
    assert_eq!(till::orders(&folder), till::expected(&[0, 1]));

    let text = folder.ok(&["restore", "2", "--warehouse", W]);
    assert!(text.contains("core.orders -20") && text.contains("perennial restore 4"), "{text}");
    assert_eq!(till::orders(&folder), till::expected(&[0]));
    let again = folder.ok(&["restore", "2", "--warehouse", W]);
    assert!(again.contains("already"), "{again}");
    till::build(&folder);
    assert_eq!(till::orders(&folder), till::expected(&[0]), "nothing is new");
    let history = folder.ok(&["history", "--warehouse", W]);
    assert!(history.contains("core.orders -20") && !history.contains("+0"), "{history}");

    // The file that was undone, and one that never came, in another order.
    till::load(&folder, 2);
    till::load(&folder, 1);
    till::build(&folder);
    assert_eq!(till::orders(&folder), till::expected(&[0, 1, 2]));
    let again = till::load(&folder, 1);
    assert!(again.contains("loaded before"), "{again}");

    let undone = json(&folder.ok(&["restore", "4", "--format", "json", "--warehouse", W]));
    assert_eq!(undone["restored"], 4);
    assert_eq!(till::orders(&folder), till::expected(&[0, 1]));
    let error = folder.fails(&["restore", "99", "--warehouse", W]);
    assert!(error.contains("no snapshot 99"), "{error}");
    folder.ok(&["doctor", "--warehouse", W]);
}

#[test]
fn a_restore_to_before_a_table_lets_it_have_other_types() {
    let folder = till::with_files(1);
    till::load(&folder, 0);
    folder.write("other.csv", "a\n1\n");
    folder.ok(&["load", "raw.till_other", "other.csv", "--warehouse", W]);
    folder.ok(&["restore", "1", "--warehouse", W]);
    assert!(folder.fails(&["sql", "SELECT * FROM raw.till_other", "--warehouse", W]).contains("raw.till_other"));
    folder.write("other.csv", "a\nx\n");
    folder.ok(&["load", "raw.till_other", "other.csv", "--warehouse", W]);
    assert_eq!(folder.sql(W, "SELECT a FROM raw.till_other"), ["x"]);
}

#[test]
fn vacuum_drops_old_snapshots_and_says_what_readers_of_them_can_do() {
    let folder = till::with_files(3);
    for file in 0..3 {
        till::load(&folder, file);
        till::build(&folder);
    }
    folder.ok(&["optimize", "--warehouse", W]);
    for _ in 0..3 {
        folder.ok(&["publish", "bi", "--warehouse", W]);
    }
    let nothing = folder.ok(&["vacuum", "--warehouse", W]);
    assert!(nothing.contains("no snapshot dropped"), "all are of today: {nothing}");
    let vacuum = ["vacuum", "--keep-snapshots", "2", "--keep-versions", "1", "--published", "bi", "--warehouse", W];
    let planned = folder.ok(&[&vacuum[..], &["--dry-run"]].concat());
    assert!(planned.contains("5 snapshots dropped") && planned.contains("nothing was changed"), "{planned}");
    folder.ok(&["sql", "SELECT * FROM core.orders", "--snapshot", "2", "--warehouse", W]);
    folder.ok(&vacuum);

    let error = folder.fails(&["sql", "SELECT * FROM core.orders", "--snapshot", "2", "--warehouse", W]);
    assert!(error.contains("vacuum kept 6 to 7"), "{error}");
    let error = folder.fails(&["restore", "2", "--warehouse", W]);
    assert!(error.contains("vacuum kept 6 to 7"), "{error}");
    assert_eq!(till::orders(&folder), till::expected(&[0, 1, 2]));
    assert!(!folder.path("bi/v1").exists() && !folder.path("bi/v2").exists() && folder.path("bi/v3").exists());
    folder.ok(&["vacuum", "--keep-snapshots", "1", "--warehouse", W]);
    // Before the merge every file of a bucket was another.
    let error = folder.fails(&["sql", "SELECT count(*) FROM at_version('core.orders', 1)", "--warehouse", W]);
    assert!(error.contains("vacuum took") && error.contains("perennial history core.orders"), "{error}");
    folder.ok(&["doctor", "--published", "bi", "--warehouse", W]);
    till::build(&folder);
    assert_eq!(till::orders(&folder), till::expected(&[0, 1, 2]));

    for (arguments, problem) in [
        (&["vacuum", "--keep", "7", "--warehouse", W][..], "7d"),
        (&["vacuum", "--keep-versions", "1", "--warehouse", W], "--published"),
        (&["vacuum", "--keep-snapshots", "0", "--warehouse", W], "keep-snapshots"),
    ] {
        let error = folder.fails(arguments);
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn doctor_names_what_is_wrong_and_fails() {
    let folder = till::with_files(1);
    till::load(&folder, 0);
    till::build(&folder);
    let sound = folder.ok(&["doctor", "--warehouse", W]);
    assert!(sound.contains("nothing is wrong"), "{sound}");
    let list = std::fs::read_dir(folder.path("w/raw/till_receipts")).expect("a folder");
    let mut files = list.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    let file = files.next().expect("a file");
    let bytes = std::fs::read(&file).expect("readable");
    std::fs::write(&file, &bytes[1..]).expect("writable");
    let output = folder.run(&["doctor", "--format", "json", "--warehouse", W]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&String::from_utf8_lossy(&output.stdout));
    let finding = &report["findings"][0];
    assert_eq!(finding["place"], "raw.till_receipts");
    assert!(finding["file"].as_str().expect("a file").ends_with(".parquet") && !finding["remedy"].is_null());
    let error = folder.fails(&["doctor", "--warehouse", W]);
    assert!(error.contains("1 finding"), "{error}");
    let others = folder.ok(&["doctor", "core.orders", "--warehouse", W]);
    assert!(others.contains("nothing is wrong"), "{others}");
    assert!(folder.fails(&["doctor", "core.order", "--warehouse", W]).contains("core.orders"));
}

#[test]
fn damage_in_core_is_repaired_as_doctor_says() {
    let folder = till::with_files(2);
    till::load(&folder, 0);
    till::build(&folder);
    till::load(&folder, 1);
    let before = parquet_files(&folder.path("w/core/orders"));
    till::build(&folder);
    let added: Vec<_> = parquet_files(&folder.path("w/core/orders")).difference(&before).cloned().collect();
    std::fs::write(&added[0], "damage").expect("written");
    let told = String::from_utf8_lossy(&folder.run(&["doctor", "--warehouse", W]).stdout).into_owned();
    assert!(told.contains("(perennial restore 3), and do again what came after it: build\n"), "{told}");
    folder.ok(&["restore", "3", "--warehouse", W]);
    till::build(&folder);
    assert_eq!(till::orders(&folder), till::expected(&[0, 1]));
    let told = String::from_utf8_lossy(&folder.run(&["doctor", "--warehouse", W]).stdout).into_owned();
    assert!(
        told.contains("only older snapshots need it; put it back from a copy of the warehouse, or vacuum them"),
        "{told}"
    );
    folder.ok(&["vacuum", "--keep-snapshots", "1", "--warehouse", W]);
    folder.ok(&["doctor", "--warehouse", W]);

    // A file of every snapshot that there is.
    let kept = parquet_files(&folder.path("w/core/orders"));
    std::fs::remove_file(kept.first().expect("a file")).expect("removed");
    let told = String::from_utf8_lossy(&folder.run(&["doctor", "--warehouse", W]).stdout).into_owned();
    assert!(told.contains("load and build everything in a new one"), "{told}");
}

fn parquet_files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = |path: PathBuf| if path.is_dir() { parquet_files(&path) } else { BTreeSet::from([path]) };
    entries.flat_map(files).filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect()
}

#[test]
fn files_that_are_none_of_the_warehouse_are_named() {
    let folder = till::with_files(1);
    till::load(&folder, 0);
    till::build(&folder);
    folder.write("w/core/orders.csv", "card-1,1.5\n");
    let sound = folder.ok(&["doctor", "--warehouse", W]);
    assert!(
        sound.contains("w/core/orders.csv is none of the warehouse") && sound.contains("nothing is wrong"),
        "{sound}"
    );
    for how in ["--dry-run", "--yes"] {
        let report = folder.ok(&["erase", "--customer", "card-1", how, "--warehouse", W]);
        assert!(
            report.lines().any(|line| line.starts_with("look at ") && line.contains("w/core/orders.csv")),
            "{report}"
        );
    }
    assert_eq!(folder.sql(W, "SELECT name FROM audit.erasures WHERE kind = 'unsearched'"), [""; 0]);
}

#[test]
fn doctor_names_an_erasure_that_was_killed() {
    let folder = till::with_files(1);
    till::load(&folder, 0);
    till::build(&folder);
    let lock = "{\"owner\": \"process 7\", \"taken_at\": \"2026-01-01T00:00:00Z\", \"renewed_at\": \"2026-01-01T00:00:00Z\", \
                \"lease_seconds\": 60}";
    folder.write("w/_erasures/00000000000000000001.json", lock);
    let output = folder.run(&["doctor", "--warehouse", W]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("process 7") && told.contains("repeat the same `perennial erase`"), "{told}");
    folder.ok(&["erase", "--customer", &till::only(0), "--yes", "--warehouse", W]);
    let sound = folder.ok(&["doctor", "--warehouse", W]);
    assert!(sound.contains("nothing is wrong"), "{sound}");
}
