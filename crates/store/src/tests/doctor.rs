//! Every kind of damage is found, and named with table and file; a warehouse without damage has no finding.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::append::any_row;
use super::*;
use crate::{ExaminedTable, Finding, Publisher};

const NAME: &str = "core.orders";

/// A clustered table of several appends and a merge, a raw table with rows in file order, and a snapshot of each step.
async fn healthy() -> (TempDir, Store) {
    let (folder, store) = new_store().await;
    for tag in ["a", "b", "c"] {
        let orders = append_rows(&store, NAME, once(tag), &some_rows(40, tag)).await.unwrap();
        let rows = stream(vec![batch(&some_rows(30, tag))]);
        let raw = store.append("raw.lines", &Layout::FileOrder, once(tag), rows).await.unwrap();
        commit(&store, &[&orders, &raw]).await;
    }
    let newest = store.latest(NAME).await.unwrap().unwrap();
    let merged = store.optimize(NAME, newest.version, 1).await.unwrap().unwrap();
    commit(&store, &[&store.table(NAME, merged.version).await.unwrap()]).await;
    (folder, store)
}

async fn commit(store: &Store, tables: &[&Table]) {
    let versions = tables.iter().map(|table| (table.name.clone(), table.version));
    store.commit_snapshot("load", versions.collect()).await.unwrap();
}

pub(super) async fn diagnosed(store: &Store) -> (Vec<ExaminedTable>, Vec<Finding>) {
    let (snapshots, mut findings) = store.examine_snapshots().await.unwrap();
    let mut tables = Vec::new();
    for name in store.all_tables(&snapshots).await.unwrap() {
        let (table, found) = store.examine_table(&name, &snapshots, &|_| {}).await.unwrap();
        tables.push(table);
        findings.extend(found);
    }
    (tables, findings)
}

/// The only finding there is.
async fn the_finding(store: &Store) -> Finding {
    let (_, findings) = diagnosed(store).await;
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert!(!finding.remedy.is_empty());
    finding.clone()
}

/// The local path of the file of the newest version that has the most rows.
async fn largest(store: &Store, name: &str) -> PathBuf {
    let table = store.latest(name).await.unwrap().unwrap();
    local(table.files.iter().max_by_key(|file| file.rows).unwrap())
}

fn local(file: &DataFile) -> PathBuf {
    PathBuf::from(format!("/{}", file.path))
}

async fn expect(store: &Store, file: &std::path::Path, problem: &str) {
    let finding = the_finding(store).await;
    assert_eq!(finding.file.as_deref(), file.to_str());
    assert!(finding.problem.contains(problem), "{finding:?}");
}

/// Changes the log entry of a version, line by line.
fn edit_log(folder: &TempDir, version: u64, edit: impl Fn(&mut Value)) {
    let path = folder.path().join(format!("core/orders/_delta_log/{version:020}.json"));
    let lines = std::fs::read_to_string(&path).unwrap();
    let edited = lines.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        edit(&mut action);
        format!("{action}\n")
    });
    let edited: String = edited.collect();
    assert_ne!(edited, lines);
    std::fs::write(path, edited).unwrap();
}

/// Changes what the log says of the statistics of each file added at a version.
fn edit_stats(folder: &TempDir, version: u64, edit: impl Fn(&mut Value)) {
    edit_log(folder, version, |action| {
        if let Some(stats) = action.get("add").and_then(|add| add["stats"].as_str()) {
            let mut stats: Value = serde_json::from_str(stats).unwrap();
            edit(&mut stats);
            action["add"]["stats"] = json!(stats.to_string());
        }
    });
}

#[tokio::test]
async fn a_sound_warehouse_has_no_finding() {
    let (_folder, store) = healthy().await;
    let (tables, findings) = diagnosed(&store).await;
    assert_eq!(findings, []);
    let [orders, lines] = tables.as_slice() else { panic!("{tables:?}") };
    assert_eq!(
        (orders.table.as_str(), orders.versions, orders.rows),
        (NAME, 4, 240),
        "each row twice: merged, and before"
    );
    assert_eq!((lines.table.as_str(), lines.versions, lines.rows), ("raw.lines", 3, 90));
    assert_eq!((orders.unneeded_files, lines.unneeded_files), (0, 0));
}

#[tokio::test]
async fn a_checkpoint_is_no_gap_and_no_orphan() {
    let (_folder, store) = new_store().await;
    for tag in 0..12 {
        append_rows(&store, NAME, described("append"), &some_rows(9, &tag.to_string())).await.unwrap();
    }
    commit(&store, &[&store.latest(NAME).await.unwrap().unwrap()]).await;
    assert!(store.list("core/orders/_delta_log").await.unwrap().iter().any(|file| file.contains("checkpoint")));
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test]
async fn files_that_nobody_needs_are_counted() {
    let (folder, store) = healthy().await;
    std::fs::write(folder.path().join("core/orders/left-over.parquet"), "12345").unwrap();
    let (tables, findings) = diagnosed(&store).await;
    assert_eq!(findings, []);
    assert_eq!((tables[0].unneeded_files, tables[0].unneeded_bytes), (1, 5));
}

#[tokio::test]
async fn what_is_none_of_the_warehouse_is_named_and_no_damage() {
    let (folder, store) = healthy().await;
    assert_eq!(store.foreign().await.unwrap(), [""; 0]);
    let killed = format!("core/killed/{}.parquet", uuid::Uuid::now_v7());
    let own = ["runs/r1/run.json", "_erasures/00000000000000000001.done", "core/orders/left-over.parquet", &killed];
    let foreign = ["core/old/part.parquet", "core/orders.csv", "mine/sql/a.sql", "rows.csv"];
    for path in own.into_iter().chain(foreign) {
        store.put_file(path, "…").await.unwrap();
    }
    std::fs::create_dir_all(folder.path().join("core/empty")).unwrap();
    let named = ["core/old/", "core/orders.csv", "mine/", "rows.csv"].map(|path| folder.path().join(path));
    assert_eq!(store.foreign().await.unwrap(), named.map(|path| path.display().to_string()));
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test]
async fn a_file_that_is_gone_is_named() {
    let (_folder, store) = healthy().await;
    let file = largest(&store, NAME).await;
    std::fs::remove_file(&file).unwrap();
    expect(&store, &file, "not there").await;
    let remedy = the_finding(&store).await.remedy;
    assert!(remedy.contains("perennial restore 3"), "the merged file came with snapshot 4: {remedy}");
    assert!(remedy.ends_with("what came after it: load"), "{remedy}");
}

#[tokio::test]
async fn a_truncated_file_is_named() {
    let (_folder, store) = healthy().await;
    let file = largest(&store, "raw.lines").await;
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    expect(&store, &file, &format!("{} bytes, and the log says {}", bytes.len() / 2, bytes.len())).await;
}

#[tokio::test]
async fn one_flipped_bit_anywhere_is_named() {
    let (_folder, store) = healthy().await;
    let file = largest(&store, NAME).await;
    let sound = std::fs::read(&file).unwrap();
    for at in (0..sound.len()).step_by(sound.len() / 23) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        expect(&store, &file, "checksum").await;
    }
}

#[tokio::test]
async fn a_file_without_a_checksum_is_read_to_its_end() {
    let (folder, store) = healthy().await;
    edit_log(&folder, 3, |action| {
        if let Some(tags) = action.get_mut("add").and_then(|add| add["tags"].as_object_mut()) {
            tags.remove("perennial.xxh3");
        }
    });
    assert_eq!(diagnosed(&store).await.1, []);
    let file = largest(&store, NAME).await;
    let mut bytes = std::fs::read(&file).unwrap();
    // The pages lie at the beginning, after the four letters PAR1.
    bytes[4..40].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    expect(&store, &file, "cannot be read").await;
}

#[tokio::test]
async fn two_files_that_changed_places_are_named() {
    let (_folder, store) = healthy().await;
    let table = store.latest(NAME).await.unwrap().unwrap();
    let (a, b) = (local(&table.files[0]), local(&table.files[1]));
    let kept = std::fs::read(&a).unwrap();
    std::fs::copy(&b, &a).unwrap();
    std::fs::write(&b, kept).unwrap();
    let (_, findings) = diagnosed(&store).await;
    let mut files: Vec<_> = findings.iter().filter_map(|finding| finding.file.clone()).collect();
    files.dedup();
    assert_eq!(files, [a.to_str().unwrap(), b.to_str().unwrap()], "{findings:?}");
}

#[tokio::test]
async fn a_missing_log_entry_is_named() {
    let (folder, store) = healthy().await;
    let entry = folder.path().join("core/orders/_delta_log/00000000000000000001.json");
    std::fs::remove_file(&entry).unwrap();
    let (_, findings) = diagnosed(&store).await;
    assert!(findings.iter().any(|finding| finding.file.as_deref() == entry.to_str()), "{findings:?}");
}

#[tokio::test]
async fn a_damaged_log_entry_is_named() {
    let (folder, store) = healthy().await;
    let entry = folder.path().join("core/orders/_delta_log/00000000000000000001.json");
    std::fs::write(&entry, "{\"add\":").unwrap();
    let (_, findings) = diagnosed(&store).await;
    let damaged = |finding: &Finding| finding.file.as_deref() == entry.to_str() && finding.problem.contains("damaged");
    assert!(findings.iter().any(damaged), "{findings:?}");
}

#[tokio::test]
async fn wrong_statistics_are_named() {
    type Edit = fn(&mut Value);
    let edits: [(Edit, &str); 5] = [
        (|stats| stats["numRecords"] = json!(stats["numRecords"].as_u64().unwrap() + 1), "rows, and the log says"),
        (|stats| stats["minValues"]["event_time"] = json!("2023-01-01T00:00:00.000000Z"), "its event_time is"),
        (|stats| stats["maxValues"]["known_time"] = json!("2033-01-01T00:00:00.000000Z"), "its known_time is"),
        (|stats| stats["nullCount"]["event_time"] = json!(3), "is NULL in 0 rows, and the log says in 3"),
        (|stats| stats["nullCount"]["id"] = json!(2), "its id is NULL in 0 rows, and the log says in 2"),
    ];
    for (edit, problem) in edits {
        let (folder, store) = healthy().await;
        edit_stats(&folder, 3, edit);
        let (_, findings) = diagnosed(&store).await;
        assert!(!findings.is_empty());
        assert!(findings.iter().all(|finding| finding.problem.contains(problem)), "{findings:?}");
    }
}

/// What a wrong writer would leave: every byte as it was written, and the contract broken.
#[tokio::test]
async fn rows_out_of_order_or_in_the_wrong_bucket_are_named() {
    let sorted = some_rows(6, "a");
    let mut unsorted = sorted.clone();
    unsorted.swap(2, 3);
    for (rows, problem) in [(unsorted, "comes before the row above it"), (sorted, "belongs in bucket")] {
        let (folder, store) = new_store().await;
        let table = append_rows(&store, NAME, described("append"), &[row("c0", 1, "x")]).await.unwrap();
        commit(&store, &[&table]).await;
        let mut encoder = crate::writer::FileEncoder::stored(schema(), &table.layout, None).unwrap();
        encoder = encoder.write(&batch(&rows)).unwrap();
        let encoded = encoder.finish().unwrap();
        std::fs::write(local(&table.files[0]), &encoded.bytes).unwrap();
        let add = crate::table::add_action("x", table.files[0].bucket, &encoded, 0);
        edit_log(&folder, 0, |action| {
            if let Some(had) = action.get_mut("add") {
                had["size"] = json!(add.size);
                had["stats"] = json!(add.stats);
                had["tags"] = json!(add.tags);
            }
        });
        let (_, findings) = diagnosed(&store).await;
        assert!(findings.iter().any(|finding| finding.problem.contains(problem)), "{problem}: {findings:?}");
    }
}

#[tokio::test]
async fn rows_loaded_twice_are_named() {
    let (_folder, store) = new_store().await;
    for _ in 0..2 {
        let rows = stream(vec![batch(&some_rows(5, "same"))]);
        store.append("raw.lines", &Layout::FileOrder, described("load"), rows).await.unwrap();
    }
    commit(&store, &[&store.latest("raw.lines").await.unwrap().unwrap()]).await;
    assert!(the_finding(&store).await.problem.contains("same rows"));
}

#[tokio::test]
async fn a_gap_in_the_snapshots_and_a_damaged_one_are_named() {
    let (folder, store) = healthy().await;
    let file = |id: u64| folder.path().join(format!("_snapshots/{id:020}.json"));
    std::fs::remove_file(file(2)).unwrap();
    expect(&store, &file(2), "not there").await;
    std::fs::copy(file(1), file(2)).unwrap();
    expect(&store, &file(2), "says that it is snapshot 1").await;
    let mut older: crate::Snapshot = serde_json::from_slice(&std::fs::read(file(1)).unwrap()).unwrap();
    (older.id, older.tables) = (2, BTreeMap::new());
    std::fs::write(file(2), serde_json::to_vec(&older).unwrap()).unwrap();
    expect(&store, &file(2), "less of core.orders").await;
    std::fs::write(file(2), "{").unwrap();
    expect(&store, &file(2), "damaged").await;
}

#[tokio::test]
async fn a_snapshot_of_a_version_that_is_not_there_is_named() {
    let (_folder, store) = healthy().await;
    store.commit_snapshot("by hand", BTreeMap::from([(NAME.to_owned(), 99)])).await.unwrap();
    let finding = the_finding(&store).await;
    assert!(finding.place == NAME && finding.problem.contains("version 99"), "{finding:?}");
}

#[tokio::test]
async fn published_versions_are_verified() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::open(folder.path().to_str().unwrap(), NO_OPTIONS).unwrap();
    for _ in 0..2 {
        let mut publication = publisher.begin().await.unwrap();
        publication.write("orders", &schema(), stream(vec![batch(&some_rows(20, "a"))])).await.unwrap();
        publication.finish(1, &json!({})).await.unwrap();
    }
    let examine = || async { publisher.examine(&|_| {}).await.unwrap() };
    let (examined, findings) = examine().await;
    assert_eq!((examined.versions, examined.files, findings), (2, 2, Vec::new()));
    let file = folder.path().join("v1/orders/part-00000.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (_, findings) = examine().await;
    assert!(findings[0].file.as_deref() == file.to_str() && findings[0].problem.contains("sha256"), "{findings:?}");
    std::fs::remove_file(&file).unwrap();
    assert!(examine().await.1[0].problem.contains("not there"));
    std::fs::remove_dir_all(folder.path().join("v2")).unwrap();
    let problems: Vec<_> = examine().await.1.into_iter().map(|finding| finding.problem).collect();
    assert!(problems.iter().any(|problem| problem.contains("folder is not there")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("points at nothing")), "{problems:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever rows are written, NULLs and all, what the log says of them is true.
    #[test]
    fn what_is_written_is_what_the_log_says(
        appends in prop::collection::vec(prop::collection::vec(any_row(), 1..30), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let findings = runtime.block_on(async {
            let (_folder, store) = new_store().await;
            for rows in &appends {
                append_rows(&store, NAME, described("append"), rows).await.unwrap();
            }
            commit(&store, &[&store.latest(NAME).await.unwrap().unwrap()]).await;
            diagnosed(&store).await.1
        });
        prop_assert_eq!(findings, Vec::new());
    }
}
