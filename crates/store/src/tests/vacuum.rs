//! A vacuum takes what nobody needs and nothing else, whoever is at work, and whenever it is killed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use serde_json::json;

use super::doctor::diagnosed;
use super::*;
use crate::{Error, Keep, Publisher, Snapshot};

const NAME: &str = "core.orders";

async fn load(store: &Store, tag: &str) -> Snapshot {
    let table = append_rows(store, NAME, once(tag), &some_rows(30, tag)).await.unwrap();
    store.commit_snapshot(tag, BTreeMap::from([(NAME.to_owned(), table.version)])).await.unwrap()
}

/// Two loads, a merge of their files, and a load: snapshots 1 to 4.
async fn merged() -> (TempDir, Store) {
    let (folder, store) = new_store().await;
    load(&store, "a").await;
    load(&store, "b").await;
    let done = store.optimize(NAME, 1, 1).await.unwrap().unwrap();
    store.commit_snapshot("optimize", BTreeMap::from([(NAME.to_owned(), done.version)])).await.unwrap();
    load(&store, "c").await;
    (folder, store)
}

async fn rows(store: &Store, snapshot: u64) -> Result<Vec<Row>> {
    let version = store.snapshot_at(snapshot).await?.tables[NAME];
    let table = store.table(NAME, version).await?;
    store.must_be_whole(&table).await?;
    Ok(read_table(store, &table).await)
}

fn expected(tags: &[&str]) -> Vec<Row> {
    sorted(tags.iter().flat_map(|tag| some_rows(30, tag)).collect())
}

async fn parquet_files(store: &Store) -> usize {
    store.list("core/orders").await.unwrap().iter().filter(|file| file.ends_with(".parquet")).count()
}

/// Makes a file as old as that.
fn age(path: &std::path::Path, hours: u64) {
    let time = SystemTime::now() - Duration::from_secs(hours * 3600);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn old_snapshots_go_with_what_only_they_need() {
    let (_folder, store) = merged().await;
    let before = parquet_files(&store).await;
    let planned = store.vacuum(Keep::Snapshots(2), true).await.unwrap();
    assert_eq!((parquet_files(&store).await, rows(&store, 1).await.unwrap()), (before, expected(&["a"])));

    let done = store.vacuum(Keep::Snapshots(2), false).await.unwrap();
    assert_eq!(done, planned, "a dry run says what would happen");
    assert_eq!((done.dropped_snapshots, done.oldest_snapshot), (vec![1, 2], 3));
    assert_eq!(parquet_files(&store).await, before - done.tables[0].files as usize);
    assert!(done.tables[0].files > 0 && done.tables[0].young_files == 0);
    assert_eq!(rows(&store, 3).await.unwrap(), expected(&["a", "b"]));
    assert_eq!(rows(&store, 4).await.unwrap(), expected(&["a", "b", "c"]));
    let error = store.snapshot_at(2).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no snapshot 2; vacuum kept 3 to 4");
    let error = store.must_be_whole(&store.table(NAME, 1).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Vacuumed { version: 1, .. }), "{error}");
    assert_eq!(diagnosed(&store).await.1, []);
    let again = store.vacuum(Keep::Snapshots(2), false).await.unwrap();
    assert!(again.dropped_snapshots.is_empty() && again.tables.is_empty(), "{again:?}");
    assert_eq!(load(&store, "d").await.id, 5);
    assert_eq!(rows(&store, 5).await.unwrap(), expected(&["a", "b", "c", "d"]));
}

/// A snapshot is as old as the one that took its place, not as its own commit.
#[tokio::test]
async fn what_was_the_newest_until_lately_stays() {
    let (folder, store) = merged().await;
    let backdate = |id: u64, days: i64| {
        let path = folder.path().join(format!("_snapshots/{id:020}.json"));
        let mut snapshot: Snapshot = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        snapshot.committed_at -= TimeDelta::days(days);
        std::fs::write(path, serde_json::to_vec(&snapshot).unwrap()).unwrap();
    };
    for (id, days) in [(1, 30), (2, 20), (3, 10), (4, 5)] {
        backdate(id, days);
    }
    let week = Keep::For(TimeDelta::days(7));
    assert_eq!(store.vacuum(week, true).await.unwrap().dropped_snapshots, [1, 2], "3 was the newest 6 days ago");
    let day = Keep::For(TimeDelta::days(1));
    assert_eq!(store.vacuum(day, true).await.unwrap().dropped_snapshots, [1, 2, 3], "the newest stays");
    assert_eq!(store.vacuum(Keep::For(TimeDelta::days(3650)), true).await.unwrap().dropped_snapshots, [0; 0]);
}

#[tokio::test]
async fn files_that_no_log_names_stay_for_a_day() {
    let (folder, store) = merged().await;
    let orphan = folder.path().join("core/orders/bucket=1/orphan.parquet");
    std::fs::write(&orphan, "123").unwrap();
    let done = store.vacuum(Keep::For(TimeDelta::zero()), false).await.unwrap();
    assert_eq!(done.tables[0].young_files, 1);
    assert!(orphan.exists(), "a writer may be about to name it");
    age(&orphan, 25);
    let done = store.vacuum(Keep::For(TimeDelta::zero()), false).await.unwrap();
    assert_eq!((done.tables[0].files, done.tables[0].bytes, done.tables[0].young_files), (1, 3, 0));
    assert!(!orphan.exists());
}

#[test]
fn what_vacuum_may_have_taken_is_not_committed() {
    let add = |hours| {
        let written_at = chrono::Utc::now() - TimeDelta::hours(hours);
        deltalake::kernel::Add { modification_time: written_at.timestamp_millis(), ..Default::default() }
    };
    assert!(crate::append::refuse_old(NAME, &[add(0), add(11)]).is_ok());
    let error = crate::append::refuse_old(NAME, &[add(0), add(13)]).unwrap_err();
    assert!(matches!(error, Error::TooOld { hours: 12, .. }), "{error}");
}

#[tokio::test]
async fn unfinished_work_stays() {
    let (_folder, store) = merged().await;
    append_rows(&store, NAME, once("unfinished"), &some_rows(30, "unfinished")).await.unwrap();
    store.vacuum(Keep::Snapshots(1), false).await.unwrap();
    load(&store, "d").await;
    assert_eq!(rows(&store, 5).await.unwrap(), expected(&["a", "b", "c", "d", "unfinished"]));
}

#[tokio::test]
async fn what_was_undone_goes_and_what_was_restored_stays() {
    let (_folder, store) = merged().await;
    store.restore(1).await.unwrap();
    store.vacuum(Keep::Snapshots(1), false).await.unwrap();
    assert_eq!(rows(&store, 5).await.unwrap(), expected(&["a"]));
    assert_eq!(parquet_files(&store).await, store.table(NAME, 0).await.unwrap().files.len());
    load(&store, "b").await;
    assert_eq!(rows(&store, 6).await.unwrap(), expected(&["a", "b"]));
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_restores_at_the_same_time_lose_nothing() {
    let (_folder, store) = merged().await;
    let writers = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move { load(&store, &format!("w{writer}")).await })
    });
    let writers: Vec<_> = writers.collect();
    let vacuums = (0..6).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            match store.vacuum(Keep::Snapshots(1), false).await {
                // Another vacuum dropped what this one was reading.
                Ok(_) | Err(Error::NoSnapshot { .. } | Error::Missing { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        })
    });
    futures::future::try_join_all(vacuums.collect::<Vec<_>>()).await.unwrap();
    futures::future::try_join_all(writers).await.unwrap();
    let newest = store.snapshot().await.unwrap();
    assert_eq!(rows(&store, newest.id).await.unwrap(), expected(&["a", "b", "c", "w0", "w1", "w2", "w3"]));
    store.vacuum(Keep::Snapshots(1), false).await.unwrap();
    assert_eq!(rows(&store, newest.id).await.unwrap(), expected(&["a", "b", "c", "w0", "w1", "w2", "w3"]));
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test]
async fn a_damaged_table_stops_it_before_anything_goes() {
    let (folder, store) = merged().await;
    std::fs::write(folder.path().join("core/orders/_delta_log/00000000000000000003.json"), "{").unwrap();
    assert!(store.vacuum(Keep::Snapshots(1), false).await.is_err());
    assert!(store.snapshot_at(1).await.is_ok());
}

#[tokio::test]
async fn a_vacuum_killed_at_any_deletion_is_finished_by_the_next() {
    for mode in [Break::Before, Break::After] {
        for kills in 0.. {
            let (_folder, store) = merged().await;
            let killed = Store::open_root(BreakingStore::root(&store.root, kills, mode)).await.unwrap();
            let is_done = killed.vacuum(Keep::Snapshots(1), false).await.is_ok();
            assert_eq!(diagnosed(&store).await.1, [], "{mode:?} deletion {kills}");
            assert_eq!(rows(&store, 4).await.unwrap(), expected(&["a", "b", "c"]));
            store.vacuum(Keep::Snapshots(1), false).await.unwrap();
            let needed = store.latest(NAME).await.unwrap().unwrap().files.len();
            assert_eq!(parquet_files(&store).await, needed, "{mode:?} deletion {kills}");
            assert_eq!(diagnosed(&store).await.1, []);
            if is_done {
                // At the least the three old snapshots and a file.
                assert!(kills > 3, "{kills}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn old_published_versions_go() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::open(folder.path().to_str().unwrap(), NO_OPTIONS).unwrap();
    for _ in 0..4 {
        let mut publication = publisher.begin().await.unwrap();
        publication.write("orders", &schema(), stream(vec![batch(&some_rows(20, "a"))])).await.unwrap();
        publication.finish(1, &json!({})).await.unwrap();
    }
    assert_eq!(publisher.vacuum(2, true).await.unwrap().dropped, [1, 2]);
    assert!(folder.path().join("v1").exists());
    assert_eq!(publisher.vacuum(2, false).await.unwrap().dropped, [1, 2]);
    let left = |version: u64| folder.path().join(format!("v{version}")).exists();
    assert_eq!([1, 2, 3, 4].map(left), [false, false, true, true]);
    assert_eq!(publisher.vacuum(0, false).await.unwrap().dropped, [3], "the latest stays");
    assert_eq!(publisher.examine(&|_| {}).await.unwrap().1, []);
}
