use std::collections::BTreeMap;

use super::*;
use crate::Error;

#[tokio::test]
async fn a_fresh_warehouse_is_snapshot_zero() {
    let (_folder, store) = new_store().await;
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!((snapshot.id, snapshot.tables.len()), (0, 0));
    assert_eq!(store.snapshot_at(0).await.unwrap(), snapshot);
    let error = store.snapshot_at(3).await.unwrap_err();
    assert!(matches!(error, Error::NoSnapshot { id: 3, newest: 0, .. }), "{error}");
}

#[tokio::test]
async fn each_snapshot_reads_its_own_version() {
    let (_folder, store) = new_store().await;
    let (old, new) = (some_rows(20, "old"), some_rows(15, "new"));
    let mut snapshots = Vec::new();
    for rows in [&old, &new] {
        let table = append_rows(&store, "core.orders", described("load"), rows).await.unwrap();
        let tables = BTreeMap::from([("core.orders".to_owned(), table.version)]);
        snapshots.push(store.commit_snapshot("load", tables).await.unwrap());
    }
    assert_eq!(snapshots.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.snapshot().await.unwrap(), snapshots[1]);
    for (snapshot, rows) in snapshots.iter().zip([old.clone(), [old, new].concat()]) {
        assert_eq!(&store.snapshot_at(snapshot.id).await.unwrap(), snapshot);
        let table = store.table("core.orders", snapshot.tables["core.orders"]).await.unwrap();
        assert_eq!(read_table(&store, &table).await, sorted(rows));
    }
}

#[tokio::test]
async fn nothing_new_makes_no_snapshot() {
    let (_folder, store) = new_store().await;
    let tables = BTreeMap::from([("core.orders".to_owned(), 4)]);
    let first = store.commit_snapshot("load", tables.clone()).await.unwrap();
    assert_eq!(store.commit_snapshot("again", tables).await.unwrap(), first);
    let older = BTreeMap::from([("core.orders".to_owned(), 2)]);
    assert_eq!(store.commit_snapshot("late", older).await.unwrap(), first);
}

#[tokio::test]
async fn a_damaged_snapshot_is_named() {
    let (folder, store) = new_store().await;
    store.commit_snapshot("load", BTreeMap::from([("core.orders".to_owned(), 0)])).await.unwrap();
    std::fs::write(folder.path().join("_snapshots/00000000000000000001.json"), "{").unwrap();
    let error = store.snapshot().await.unwrap_err();
    assert!(matches!(&error, Error::Damaged { path, .. } if path.ends_with("00000000000000000001.json")), "{error}");
}
