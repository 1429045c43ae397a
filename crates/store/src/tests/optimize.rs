//! Merging files changes neither rows nor their order, whoever else is at work, and whenever it is killed.

use std::collections::BTreeMap;

use super::*;

const NAME: &str = "core.orders";
const APPENDS: usize = 3;

/// A table with several files in every bucket, in a snapshot.
async fn crowded() -> (TempDir, Store, Table) {
    let (folder, store) = new_store().await;
    let mut newest = None;
    for tag in 0..APPENDS {
        newest = Some(append_rows(&store, NAME, described("append"), &some_rows(50, &tag.to_string())).await.unwrap());
    }
    let table = newest.unwrap();
    store.commit_snapshot("load", BTreeMap::from([(NAME.to_owned(), table.version)])).await.unwrap();
    (folder, store, table)
}

fn buckets(table: &Table) -> usize {
    table.files.iter().filter_map(|file| file.bucket).collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test]
async fn many_files_of_a_bucket_become_one_in_the_same_order() {
    let (_folder, store, before) = crowded().await;
    assert_eq!(before.files.len(), APPENDS * buckets(&before));
    let enough = store.optimize(NAME, before.version, APPENDS).await.unwrap().unwrap();
    assert_eq!((enough.version, enough.merged), (before.version, 0), "no bucket has more files than that");

    let optimized = store.optimize(NAME, before.version, 1).await.unwrap().unwrap();
    let after = store.table(NAME, optimized.version).await.unwrap();
    assert_eq!((optimized.merged, optimized.into), (before.files.len(), after.files.len()));
    assert_eq!(after.files.len(), buckets(&before));
    assert_eq!(read_table(&store, &after).await, read_table(&store, &before).await);
    for file in &after.files {
        assert!(file.sorted);
        let rows = read_file(&store, file).await;
        assert_eq!(file.rows as usize, rows.len());
        let key = |row: &Row| (row.customer_id.clone(), row.event_time, row.known_time, row.id.clone());
        assert!(rows.windows(2).all(|pair| key(&pair[0]) <= key(&pair[1])), "{}", file.path);
        let times = rows.iter().filter_map(|row| row.event_time);
        let range = file.event_time.unwrap();
        assert_eq!((range.min, range.max), (times.clone().min().unwrap(), times.max().unwrap()));
    }
    // The old version is what it was.
    assert_eq!(store.table(NAME, before.version).await.unwrap().files, before.files);
    let again = store.optimize(NAME, after.version, 1).await.unwrap().unwrap();
    assert_eq!((again.version, again.merged), (after.version, 0));
}

#[tokio::test]
async fn rows_of_unfinished_work_stay_unseen() {
    let (_folder, store, before) = crowded().await;
    append_rows(&store, NAME, described("append"), &some_rows(5, "unfinished")).await.unwrap();
    assert_eq!(store.optimize(NAME, before.version, 1).await.unwrap(), None);
    assert_eq!(store.latest(NAME).await.unwrap().unwrap().version, before.version + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn merging_while_others_append_and_merge_loses_and_doubles_nothing() {
    let (_folder, store, before) = crowded().await;
    let appends = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let tag = format!("w{writer}");
            append_rows(&store, NAME, described("append"), &some_rows(20, &tag)).await.unwrap();
        })
    });
    let merges = (0..3).map(|_| {
        let (store, version) = (store.clone(), before.version);
        tokio::spawn(async move { _ = store.optimize(NAME, version, 1).await.unwrap() })
    });
    futures::future::try_join_all(appends.chain(merges)).await.unwrap();
    let tags = (0..APPENDS).map(|tag| (tag.to_string(), 50)).chain((0..4).map(|writer| (format!("w{writer}"), 20)));
    let expected: Vec<Row> = tags.flat_map(|(tag, count)| some_rows(count, &tag)).collect();
    let after = store.latest(NAME).await.unwrap().unwrap();
    assert_eq!(read_table(&store, &after).await, sorted(expected));
}

#[tokio::test]
async fn a_merge_killed_at_any_write_changes_no_row() {
    for mode in [Break::Before, Break::After] {
        for kills in 0.. {
            let (_folder, store, before) = crowded().await;
            let killed = Store::open_root(BreakingStore::root(&store.root, kills, mode)).await.unwrap();
            let is_done = killed.optimize(NAME, before.version, 1).await.is_ok_and(|done| done.is_some());
            let left = store.latest(NAME).await.unwrap().unwrap();
            assert_eq!(read_table(&store, &left).await, read_table(&store, &before).await, "{mode:?} write {kills}");
            let done = store.optimize(NAME, before.version, 1).await.unwrap().expect("it can be finished");
            assert_eq!(store.table(NAME, done.version).await.unwrap().files.len(), buckets(&before));
            if is_done {
                // At the least a file for each bucket, and the commit.
                assert!(kills > buckets(&before), "{kills}");
                break;
            }
        }
    }
}
