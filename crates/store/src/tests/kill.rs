//! A writer is killed at each of its writes in turn. Readers see the state before or after, and running it again
//! completes it.

use std::collections::BTreeMap;

use super::*;

const TABLES: [&str; 2] = ["core.orders", "core.events"];

/// What a load does: an append to each table, then the snapshot.
async fn load(store: &Store, tag: &str) -> Result<()> {
    let mut tables = BTreeMap::new();
    for name in TABLES {
        let table = append_rows(store, name, once(tag), &some_rows(25, tag)).await?;
        tables.insert(name.to_owned(), table.version);
    }
    store.commit_snapshot(tag, tables).await.map(|_| ())
}

/// The rows of all tables in the newest snapshot.
async fn seen(store: &Store) -> Vec<Vec<Row>> {
    let snapshot = store.snapshot().await.unwrap();
    let mut seen = Vec::new();
    for name in TABLES {
        let table = store.table(name, snapshot.tables[name]).await.unwrap();
        seen.push(read_table(store, &table).await);
    }
    seen
}

async fn killed_at_every_write(mode: Break) {
    let before = vec![sorted(some_rows(25, "old")); 2];
    let after = vec![sorted([some_rows(25, "old"), some_rows(25, "new")].concat()); 2];
    let mut kills = 0;
    loop {
        let (_folder, store) = new_store().await;
        load(&store, "old").await.unwrap();
        let killed = Store::open_root(BreakingStore::root(&store.root, kills, mode)).await.unwrap();
        if load(&killed, "new").await.is_ok() {
            assert_eq!(seen(&store).await, after);
            break;
        }
        let left = seen(&store).await;
        assert!(left == before || left == after, "killed at write {kills}: a mix");
        load(&store, "new").await.unwrap();
        assert_eq!(seen(&store).await, after, "killed at write {kills}, then run again");
        kills += 1;
    }
    // At the least a file and a commit for each table, and the snapshot.
    assert!(kills >= 5, "{kills}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_killed_before_any_write_is_whole_or_absent() {
    killed_at_every_write(Break::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_killed_after_any_write_is_whole_or_absent() {
    killed_at_every_write(Break::After).await;
}

#[tokio::test]
async fn a_snapshot_adopts_what_a_killed_writer_committed() {
    let (_folder, store) = new_store().await;
    load(&store, "old").await.unwrap();
    append_rows(&store, "core.orders", once("killed"), &some_rows(5, "killed")).await.unwrap();
    assert_eq!(seen(&store).await[0].len(), 25, "no snapshot names it yet");
    load(&store, "new").await.unwrap();
    assert_eq!(seen(&store).await[0].len(), 55);
}
