//! Rows are taken out of all versions at once; every other row stays in every version, whenever the erasure is killed, and
//! nobody writes meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FolderPath, PathBuf};
use std::time::Duration;

use arrow::array::BooleanArray;
use proptest::prelude::*;
use serde_json::json;

use super::doctor::diagnosed;
use super::*;
use crate::{Eraser, Error, Keep, Publisher, Rule, bucket_of};

const NAME: &str = "core.orders";
const OTHER: &str = "raw.orders";
/// Occurs nowhere else in a warehouse, not even by chance.
const GONE: &str = "customer-to-forget";
const NO_LEASE: Duration = Duration::ZERO;

fn rows_with(gone: usize, others: usize, tag: &str) -> Vec<Row> {
    let gone = (0..gone).map(|i| Row {
        note: Some(format!("{GONE}@{i}")),
        ..row(GONE, 1_600_000_000_000_000 + i as i64, &format!("gone-{tag}-{i}"))
    });
    gone.chain(some_rows(others, tag)).collect()
}

fn rule() -> Rule {
    Arc::new(|batch: &RecordBatch| {
        let customers = batch.column_by_name("customer_id").unwrap().as_string::<i32>();
        Ok(customers.iter().map(|customer| Some(customer == Some(GONE))).collect::<BooleanArray>())
    })
}

/// Tables with merged files, a checkpoint, unfinished work and what killed writers leave.
async fn lived_in(appends: usize) -> (TempDir, Store) {
    let (folder, store) = new_store().await;
    for tag in 0..appends {
        let rows = rows_with(tag % 3, 20, &tag.to_string());
        let core = append_rows(&store, NAME, described("append"), &rows).await.unwrap();
        let raw = store.append(OTHER, &Layout::FileOrder, described("load"), stream(vec![batch(&rows)])).await.unwrap();
        let mut versions = BTreeMap::from([(NAME.to_owned(), core.version), (OTHER.to_owned(), raw.version)]);
        if tag == appends / 2 {
            let merged = store.optimize(NAME, core.version, 1).await.unwrap().unwrap();
            versions.insert(NAME.to_owned(), merged.version);
        }
        store.commit_snapshot("load", versions).await.unwrap();
    }
    append_rows(&store, NAME, described("unfinished"), &rows_with(1, 3, "unfinished")).await.unwrap();
    let only_theirs = vec![row(GONE, 1, "only")];
    append_rows(&store, NAME, described("unfinished"), &only_theirs).await.unwrap();
    let bucket = folder.path().join(format!("core/orders/bucket={}", bucket_of(Some(GONE), store.buckets())));
    std::fs::write(bucket.join("killed.parquet"), GONE).unwrap();
    std::fs::write(bucket.join("killed.parquet#1"), GONE).unwrap();
    (folder, store)
}

/// The rows of every version of a table.
async fn versions(store: &Store, name: &str, up_to: u64) -> Vec<Vec<Row>> {
    let mut versions = Vec::new();
    for version in 0..=up_to {
        versions.push(read_table(store, &store.table(name, version).await.unwrap()).await);
    }
    versions
}

fn without_gone(versions: Vec<Vec<Row>>) -> Vec<Vec<Row>> {
    let keep = |rows: Vec<Row>| rows.into_iter().filter(|row| row.customer_id.as_deref() != Some(GONE)).collect();
    versions.into_iter().map(keep).collect()
}

async fn decide(eraser: &mut Eraser) -> Result<u64> {
    let mut removed = 0;
    for name in eraser.store().table_names().await? {
        let Some(all) = eraser.store().all_files(&name).await? else { continue };
        for file in &all.files {
            removed += eraser.copy_without(&all, file, &rule()).await?;
        }
    }
    eraser.decide(json!({ "receipt": 7 })).await.map(|()| removed)
}

/// What the warehouse does: goes on with what was decided, or decides.
async fn erase(store: &Store) -> Result<()> {
    let mut eraser = store.begin_erase("test", NO_LEASE).await?;
    if eraser.decided().await?.is_none() {
        decide(&mut eraser).await?;
    }
    eraser.apply().await?;
    eraser.finish().await
}

fn files_below(folder: &FolderPath) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// No file holds a word, as bytes or in Parquet, decompressed.
fn assert_nowhere(folder: &FolderPath, word: &str) {
    for path in files_below(folder) {
        let bytes = std::fs::read(&path).unwrap();
        let shown = path.display();
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{shown}");
        if bytes.starts_with(b"PAR1") {
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
            for batch in reader {
                assert!(!format!("{:?}", batch.unwrap()).contains(word), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn rows_leave_every_version_and_every_byte_and_others_stay() {
    let (folder, store) = lived_in(14).await;
    let newest = store.latest(NAME).await.unwrap().unwrap().version;
    assert!(folder.path().join("core/orders/_delta_log/_last_checkpoint").exists(), "no checkpoint to be tested");
    let before = without_gone(versions(&store, NAME, newest).await);
    let raw = without_gone(versions(&store, OTHER, 13).await);

    let mut eraser = store.begin_erase("test", NO_LEASE).await.unwrap();
    // Each row lies in one or two files: the appended one, and the merged one.
    assert!(decide(&mut eraser).await.unwrap() > 30);
    eraser.apply().await.unwrap();
    eraser.finish().await.unwrap();

    assert_nowhere(folder.path(), GONE);
    let store = Store::open(folder.path().to_str().unwrap(), NO_OPTIONS).await.unwrap();
    assert_eq!(diagnosed(&store).await.1, []);
    assert_eq!(versions(&store, NAME, newest).await, before);
    assert_eq!(versions(&store, OTHER, 13).await, raw);
    for version in 0..=newest {
        for file in store.table(NAME, version).await.unwrap().files {
            let rows = read_file(&store, &file).await;
            assert_eq!((file.rows as usize, file.size), (rows.len(), file_bytes(&store, &file).await.len() as u64));
            assert!(file.checksum.is_some());
            assert!(
                file.sorted && rows.iter().all(|row| bucket_of(row.customer_id.as_deref(), 4) == file.bucket.unwrap())
            );
            let times = rows.iter().filter_map(|row| row.event_time);
            let range = file.event_time.unwrap();
            assert_eq!((range.min, range.max), (times.clone().min().unwrap(), times.max().unwrap()));
        }
    }
    assert!(folder.path().join("core/orders/_delta_log/_last_checkpoint").exists());
    append_rows(&store, NAME, described("append"), &some_rows(3, "after")).await.unwrap();
    let merged = store.optimize(NAME, newest + 2, 1).await.unwrap().unwrap();
    assert!(merged.merged > merged.into);
}

#[tokio::test]
async fn an_unfinished_erasure_is_named_with_what_to_do() {
    let (_folder, store) = lived_in(2).await;
    assert_eq!(store.examine_erasure().await.unwrap(), None);
    let mut eraser = store.begin_erase("process 7", NO_LEASE).await.unwrap();
    let begun = store.examine_erasure().await.unwrap().unwrap();
    assert!(begun.problem.contains("process 7") && begun.problem.contains("nothing is erased"), "{begun:?}");
    decide(&mut eraser).await.unwrap();
    // Killed.
    drop(eraser);
    let decided = store.examine_erasure().await.unwrap().unwrap();
    assert!(decided.problem.contains("was decided") && decided.remedy.contains("perennial erase"), "{decided:?}");
    erase(&store).await.unwrap();
    assert_eq!(store.examine_erasure().await.unwrap(), None);
}

#[tokio::test]
async fn an_erasure_killed_at_any_write_changes_nothing_or_is_finished() {
    for mode in [Break::Before, Break::After] {
        for kills in 0.. {
            let (folder, store) = lived_in(3).await;
            let newest = store.latest(NAME).await.unwrap().unwrap().version;
            let before = versions(&store, NAME, newest).await;
            let after = without_gone(before.clone());
            let killed = Store::open_root(BreakingStore::root(&store.root, kills, mode)).await.unwrap();
            let is_done = erase(&killed).await.is_ok();
            let reader = Store::open(folder.path().to_str().unwrap(), NO_OPTIONS).await.unwrap();
            for (version, left) in versions(&reader, NAME, newest).await.into_iter().enumerate() {
                let others = without_gone(vec![left.clone()]);
                assert_eq!(others[0], after[version], "{mode:?} write {kills}: another customer's rows");
                let is_part =
                    left.iter().all(|row| before[version].contains(row)) && left.len() <= before[version].len();
                assert!(is_part, "{mode:?} write {kills}: a row is there twice");
            }
            erase(&reader).await.unwrap_or_else(|e| panic!("{mode:?} write {kills}: {e}"));
            assert_nowhere(folder.path(), GONE);
            assert_eq!(versions(&reader, NAME, newest).await, after, "{mode:?} write {kills}");
            if is_done {
                // At the least the lock, a fence and a copy a table, the journal, and a commit a table.
                assert!(kills > 8, "{kills}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn nobody_else_writes_meanwhile_and_nobody_who_read_before_writes_after() {
    let (folder, store) = lived_in(3).await;
    let url = folder.path().to_str().unwrap();
    let erasing = store.begin_erase("the owner", crate::LEASE).await.unwrap();
    let during = Store::open(url, NO_OPTIONS).await.unwrap();
    for writer in [&store, &during] {
        let append = append_rows(writer, NAME, described("append"), &some_rows(3, "late")).await;
        let message = append.unwrap_err().to_string();
        assert!(message.contains("the owner") && message.contains("_erasures/"), "{message}");
        let snapshot = writer.commit_snapshot("late", BTreeMap::from([("core.new".to_owned(), 0)])).await;
        assert!(matches!(snapshot, Err(Error::Erasing { .. })));
        assert!(matches!(writer.restore(1).await, Err(Error::Erasing { .. })));
        assert!(matches!(writer.vacuum(Keep::Snapshots(1), false).await, Err(Error::Erasing { .. })));
        writer.vacuum(Keep::Snapshots(1), true).await.unwrap();
        assert!(matches!(writer.begin_erase("second", NO_LEASE).await, Err(Error::Erasing { .. })));
    }
    erasing.abandon().await.unwrap();
    for writer in [&store, &during] {
        let append = append_rows(writer, NAME, described("append"), &some_rows(3, "late")).await;
        assert!(matches!(append, Err(Error::ErasedMeanwhile)));
        assert!(matches!(writer.restore(1).await, Err(Error::ErasedMeanwhile)));
        assert!(matches!(writer.vacuum(Keep::Snapshots(1), false).await, Err(Error::ErasedMeanwhile)));
    }
    assert_eq!(store.snapshots().await.unwrap().len(), 3, "nothing was restored or vacuumed");
    let after = Store::open(url, NO_OPTIONS).await.unwrap();
    append_rows(&after, NAME, described("append"), &some_rows(3, "after")).await.unwrap();
    // The files of refused appends are gone.
    let table = after.latest(NAME).await.unwrap().unwrap();
    let all = after.all_files(NAME).await.unwrap().unwrap();
    let there = files_below(&folder.path().join("core/orders")).into_iter();
    let there: BTreeSet<String> = there.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    let data = there
        .iter()
        .filter(|name| name.ends_with(".parquet") && !name.contains("checkpoint") && *name != "killed.parquet");
    assert_eq!(data.count(), all.files.len(), "{:?}", table.files);
}

#[tokio::test]
async fn a_lock_is_taken_over_from_a_process_that_is_gone() {
    let (_folder, store) = lived_in(3).await;
    let gone = store.begin_erase("gone", NO_LEASE).await.unwrap();
    let mut next = store.begin_erase("next", NO_LEASE).await.unwrap();
    assert!(matches!(gone.decide(json!(null)).await, Err(Error::Erasing { .. })), "it is not gone after all");
    decide(&mut next).await.unwrap();
    assert_eq!(next.decided().await.unwrap(), Some(json!({ "receipt": 7 })));
    next.apply().await.unwrap();
    next.finish().await.unwrap();
}

/// What was undone is there too, until vacuum takes it; and a table may have been made anew with other columns.
#[tokio::test]
async fn what_a_restore_undid_is_erased_and_what_vacuum_took_is_no_obstacle() {
    let (folder, store) = lived_in(6).await;
    let url = folder.path().to_str().unwrap();
    store.restore(2).await.unwrap();
    append_rows(&store, NAME, described("append"), &rows_with(2, 5, "restored")).await.unwrap();
    // Left unsettled: the newest version is what was undone.
    let newest = store.latest(NAME).await.unwrap().unwrap().version;
    let undo = BreakingStore::root(&store.root, 1, Break::Before);
    Store::open_root(undo).await.unwrap().restore(6).await.unwrap();
    let before = without_gone(versions(&store, NAME, newest).await);
    erase(&store).await.unwrap();
    assert_nowhere(folder.path(), GONE);
    let store = Store::open(url, NO_OPTIONS).await.unwrap();
    assert_eq!(versions(&store, NAME, newest).await, before);
    assert_eq!(diagnosed(&store).await.1, []);

    store.restore(0).await.unwrap();
    let other: SchemaRef = Arc::new(Schema::new(vec![Field::new("customer_id", DataType::Utf8, true)]));
    let theirs = RecordBatch::try_new(other.clone(), vec![Arc::new(StringArray::from(vec![GONE, "c1"]))]).unwrap();
    let anew = Append { schema: other, ..described("anew") };
    let anew = store.append(NAME, &Layout::Plain, anew, stream(vec![theirs])).await.unwrap();
    let anew = store.commit_snapshot("anew", BTreeMap::from([(NAME.to_owned(), anew.version)])).await.unwrap();
    let taken = store.vacuum(Keep::Snapshots(1), false).await.unwrap();
    assert!(taken.tables.iter().any(|table| table.table == NAME && table.files > 0), "{taken:?}");
    erase(&store).await.unwrap();
    assert_nowhere(folder.path(), GONE);
    let store = Store::open(url, NO_OPTIONS).await.unwrap();
    assert_eq!(store.table(NAME, anew.tables[NAME]).await.unwrap().rows(), 1);
    assert_eq!(store.snapshot().await.unwrap(), anew);
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test]
async fn what_was_never_committed_goes_too() {
    let (folder, store) = new_store().await;
    let killed = Store::open_root(BreakingStore::root(&store.root, 1, Break::Before)).await.unwrap();
    append_rows(&killed, NAME, described("killed"), &[row(GONE, 1, "first")]).await.unwrap_err();
    assert!(files_below(folder.path()).iter().any(|path| path.extension().is_some_and(|e| e == "parquet")));
    store.put_file("runs/r1/run.json", "{}").await.unwrap();
    erase(&store).await.unwrap();
    assert_nowhere(folder.path(), GONE);
    assert_eq!(store.get_file("runs/r1/run.json").await.unwrap(), "{}");
}

#[tokio::test]
async fn a_log_without_its_beginning_is_refused() {
    let (folder, store) = lived_in(12).await;
    std::fs::remove_file(folder.path().join("core/orders/_delta_log/00000000000000000000.json")).unwrap();
    let message = store.all_files(NAME).await.unwrap_err().to_string();
    assert!(message.contains("00000000000000000000.json") && message.contains("missing"), "{message}");
}

#[tokio::test]
async fn published_versions_are_rewritten_with_their_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::open(folder.path().to_str().unwrap(), NO_OPTIONS).unwrap();
    for tag in ["one", "two"] {
        let mut publication = publisher.begin().await.unwrap();
        publication.write("orders", &schema(), stream(vec![batch(&rows_with(2, 30, tag))])).await.unwrap();
        publication.write("theirs", &schema(), stream(vec![batch(&[row(GONE, 1, "only")])])).await.unwrap();
        publication.write("others", &schema(), stream(vec![batch(&some_rows(3, tag))])).await.unwrap();
        publication.finish(1, &json!({})).await.unwrap();
    }
    let mut unfinished = publisher.begin().await.unwrap();
    unfinished.write("orders", &schema(), stream(vec![batch(&rows_with(2, 3, "three"))])).await.unwrap();
    let others = std::fs::read(folder.path().join("v1/others/part-00000.parquet")).unwrap();

    let counted = publisher.prepare_erase(&rule(), true).await.unwrap();
    assert!(!folder.path().join("_erase").exists());
    // Killed while it prepares, it begins anew; killed while it applies, it goes on.
    let broken = |kills, mode| Publisher { root: BreakingStore::root(&publisher.root, kills, mode) };
    for kills in 0.. {
        if broken(kills, Break::After).prepare_erase(&rule(), false).await.is_ok() {
            break;
        }
    }
    for kills in 0.. {
        let mode = if kills % 2 == 0 { Break::Before } else { Break::After };
        if broken(kills, mode).apply_erase().await.is_ok() {
            break;
        }
    }
    let erased = publisher.prepare_erase(&rule(), false).await.unwrap();
    assert_eq!(erased.versions.len(), 0, "{erased:?}");
    publisher.apply_erase().await.unwrap();
    assert_eq!((counted.versions, counted.tables["orders"], counted.tables["theirs"]), (vec![1, 2], (4, 2), (2, 2)));

    assert_nowhere(folder.path(), GONE);
    assert_eq!(std::fs::read(folder.path().join("v1/others/part-00000.parquet")).unwrap(), others);
    let latest = publisher.latest().await.unwrap().unwrap();
    for version in [1, 2] {
        let manifest = std::fs::read(folder.path().join(format!("v{version}/_manifest.json"))).unwrap();
        let manifest: crate::PublishedVersion = serde_json::from_slice(&manifest).unwrap();
        assert!(version == 1 || manifest == latest);
        for (name, rows) in [("orders", 30), ("theirs", 0), ("others", 3)] {
            let table = &manifest.tables[name];
            assert_eq!((table.rows, table.files[0].rows), (rows, rows), "{name}");
            let bytes = std::fs::read(folder.path().join(&table.files[0].path)).unwrap();
            assert_eq!(table.files[0].sha256, crate::publish::checksum(&bytes));
            assert_eq!(table.files[0].size, bytes.len() as u64);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path().join("current/orders")).unwrap().count(), 1);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many rows of theirs, so many of others.
    Append(usize, usize),
    Merge,
    /// To the snapshot that is as many back.
    Restore(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..3, 0usize..12).prop_map(|(gone, others)| Step::Append(gone, others)),
        1 => Just(Step::Merge),
        1 => (0usize..4).prop_map(Step::Restore),
    ]
}

/// Takes these steps, each one a snapshot if it changes anything.
async fn live(store: &Store, steps: Vec<Step>) {
    for (tag, step) in steps.into_iter().enumerate() {
        let snapshot = store.snapshot().await.unwrap();
        let version = match (step, snapshot.tables.get(NAME)) {
            (Step::Append(gone, others), _) => {
                let rows = rows_with(gone, others, &tag.to_string());
                append_rows(store, NAME, described("append"), &rows).await.unwrap().version
            }
            (Step::Merge, Some(&version)) => store.optimize(NAME, version, 1).await.unwrap().unwrap().version,
            (Step::Merge, None) => continue,
            (Step::Restore(back), _) => {
                store.restore(snapshot.id.saturating_sub(back as u64)).await.unwrap();
                continue;
            }
        };
        store.commit_snapshot("step", BTreeMap::from([(NAME.to_owned(), version)])).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_every_version_exactly_their_rows_are_gone(steps in proptest::collection::vec(any_step(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (folder, store) = new_store().await;
            live(&store, steps).await;
            let newest = store.newest(NAME).await.unwrap().map(|table| table.version);
            let expected = match newest {
                Some(newest) => without_gone(versions(&store, NAME, newest).await),
                None => Vec::new(),
            };
            erase(&store).await.unwrap();
            assert_nowhere(folder.path(), GONE);
            if let Some(newest) = newest {
                assert_eq!(versions(&store, NAME, newest).await, expected);
            }
            assert_eq!(diagnosed(&store).await.1, []);
        });
    }
}
