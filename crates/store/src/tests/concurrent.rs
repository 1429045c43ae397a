use std::collections::BTreeMap;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn eight_writers_at_once_lose_and_double_nothing() {
    let (_folder, store) = new_store().await;
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for turn in 0..3 {
                let tag = format!("w{writer}-{turn}");
                let table = append_rows(&store, "core.orders", once(&tag), &some_rows(20, &tag)).await.unwrap();
                let tables = BTreeMap::from([("core.orders".to_owned(), table.version)]);
                let snapshot = store.commit_snapshot(&tag, tables).await.unwrap();
                assert!(snapshot.tables["core.orders"] >= table.version);
            }
        })
    });
    futures::future::try_join_all(writers).await.unwrap();

    let snapshot = store.snapshot().await.unwrap();
    let table = store.table("core.orders", snapshot.tables["core.orders"]).await.unwrap();
    let expected = (0..8).flat_map(|w| (0..3).map(move |t| format!("w{w}-{t}"))).flat_map(|tag| some_rows(20, &tag));
    assert_eq!(read_table(&store, &table).await, sorted(expected.collect()));
    let mut before = 0;
    for id in 1..=snapshot.id {
        let version = store.snapshot_at(id).await.unwrap().tables["core.orders"];
        assert!(id == 1 || version > before, "versions only rise");
        before = version;
    }
}

/// Two runs of one job: whoever is second finds its work done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_transaction_write_it_once() {
    let (_folder, store) = new_store().await;
    let rows = some_rows(100, "r");
    let writers = (0..4).map(|_| {
        let (store, rows) = (store.clone(), rows.clone());
        tokio::spawn(async move { append_rows(&store, "core.orders", once("job"), &rows).await.unwrap() })
    });
    let tables = futures::future::try_join_all(writers).await.unwrap();
    assert!(tables.iter().all(|table| table.version == 0));
    assert_eq!(read_table(&store, &tables[0]).await, sorted(rows));
    let files = store.list("core/orders").await.unwrap();
    let parquet = files.iter().filter(|file| file.ends_with(".parquet")).count();
    assert_eq!(parquet, tables[0].files.len(), "the files of the losers are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn snapshots_of_different_tables_do_not_undo_each_other() {
    let (_folder, store) = new_store().await;
    let writers = ["a", "b", "c", "d"].map(|name| {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 0..5 {
                store.commit_snapshot(name, BTreeMap::from([(format!("core.{name}"), version)])).await.unwrap();
            }
        })
    });
    futures::future::try_join_all(writers).await.unwrap();
    let expected = ["a", "b", "c", "d"].map(|name| (format!("core.{name}"), 4)).into();
    let newest = store.snapshot().await.unwrap();
    assert_eq!((newest.id, newest.tables), (20, expected));
}
