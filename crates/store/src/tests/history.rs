use std::collections::BTreeMap;

use super::*;
use crate::TableChange;

const NAME: &str = "core.orders";

async fn load(store: &Store, tag: &str, count: usize) {
    let table = append_rows(store, NAME, once(tag), &some_rows(count, tag)).await.unwrap();
    let tables = BTreeMap::from([(NAME.to_owned(), table.version)]);
    store.commit_snapshot(&format!("load {tag}"), tables).await.unwrap();
}

#[tokio::test]
async fn history_tells_what_each_snapshot_and_version_changed() {
    let (_folder, store) = new_store().await;
    assert_eq!(store.history(10).await.unwrap(), []);
    assert_eq!(store.table_history(NAME, 10).await.unwrap(), []);
    load(&store, "a", 40).await;
    load(&store, "b", 25).await;
    let merged = store.optimize(NAME, 1, 1).await.unwrap().unwrap();
    store.commit_snapshot("optimize", BTreeMap::from([(NAME.to_owned(), merged.version)])).await.unwrap();
    store.restore(1).await.unwrap();

    let history = store.history(10).await.unwrap();
    let told: Vec<_> = history.iter().map(|change| (change.snapshot, change.operation.as_str())).collect();
    assert_eq!(told, [(4, "restore 1"), (3, "optimize"), (2, "load b"), (1, "load a")]);
    let change = |version, rows_added| vec![TableChange { table: NAME.to_owned(), version, rows_added }];
    let expected =
        [change(Some(0), Some(-25)), change(Some(2), Some(0)), change(Some(1), Some(25)), change(Some(0), Some(40))];
    assert_eq!(history.into_iter().map(|snapshot| snapshot.tables).collect::<Vec<_>>(), expected);
    assert_eq!(store.history(1).await.unwrap().len(), 1);

    let versions = store.table_history(NAME, 10).await.unwrap();
    let rows: Vec<_> =
        versions.iter().map(|v| (v.version, v.rows_added, v.rows_removed, v.snapshots.clone())).collect();
    assert_eq!(
        rows,
        [(3, 40, 65, vec![]), (2, 65, 65, vec![3]), (1, 25, 0, vec![2]), (0, 40, 0, vec![1, 4])],
        "settled, merged, appended, appended"
    );
    assert!(versions[0].operation.contains("restore core.orders as of version 0"), "{}", versions[0].operation);
    assert_eq!((versions[1].files_added, versions[1].files_removed), (merged.into as u64, merged.merged as u64));
    assert_eq!(store.table_history(NAME, 2).await.unwrap().len(), 2);
}
