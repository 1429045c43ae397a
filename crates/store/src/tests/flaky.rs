//! An object store that fails one call in ten: every verb does what it should, or says that it failed and changed nothing
//! that a reader sees.

use std::collections::BTreeMap;

use super::doctor::diagnosed;
use super::*;
use crate::Keep;

const NAME: &str = "core.orders";
/// Different calls fail in each.
const SEEDS: usize = 30;

async fn load(store: &Store, tag: &str) -> Result<()> {
    let table = append_rows(store, NAME, once(tag), &some_rows(30, tag)).await?;
    store.commit_snapshot(tag, BTreeMap::from([(NAME.to_owned(), table.version)])).await.map(drop)
}

async fn optimize(store: &Store) -> Result<()> {
    let version = store.snapshot().await?.tables[NAME];
    let Some(done) = store.optimize(NAME, version, 1).await? else { return Ok(()) };
    store.commit_snapshot("optimize", BTreeMap::from([(NAME.to_owned(), done.version)])).await.map(drop)
}

async fn seen(store: &Store) -> Vec<Row> {
    let version = store.snapshot().await.unwrap().tables[NAME];
    read_table(store, &store.table(NAME, version).await.unwrap()).await
}

fn expected(tags: &[&str]) -> Vec<Row> {
    sorted(tags.iter().flat_map(|tag| some_rows(30, tag)).collect())
}

#[tokio::test]
async fn one_call_in_ten_fails_and_nothing_is_lost_or_doubled() {
    let (mut worked, mut failed) = (0, 0);
    for seed in 0..SEEDS {
        let (_folder, store) = new_store().await;
        load(&store, "a").await.unwrap();
        load(&store, "b").await.unwrap();
        let mut flaky = store.clone();
        flaky.root = Arc::new(BreakingStore::root(&store.root, seed, Break::OneInTen));
        let mut count = |is_ok: bool| if is_ok { worked += 1 } else { failed += 1 };

        let is_loaded = load(&flaky, "c").await.is_ok();
        count(is_loaded);
        let rows = seen(&store).await;
        // Its last look at the snapshots may be the call that fails.
        assert!(rows == expected(&["a", "b", "c"]) || !is_loaded && rows == expected(&["a", "b"]), "seed {seed}");
        count(optimize(&flaky).await.is_ok());
        assert_eq!(seen(&store).await, rows, "seed {seed}");
        count(flaky.vacuum(Keep::Snapshots(1), false).await.is_ok());
        assert_eq!(seen(&store).await, rows, "seed {seed}");
        assert_eq!(diagnosed(&store).await.1, [], "seed {seed}");

        load(&store, "c").await.unwrap();
        assert_eq!(seen(&store).await, expected(&["a", "b", "c"]), "seed {seed}");
        let newest = store.snapshot().await.unwrap();
        load(&store, "d").await.unwrap();
        let is_restored = flaky.restore(newest.id).await.is_ok();
        count(is_restored);
        let rows = seen(&store).await;
        assert!(rows == expected(&["a", "b", "c"]) || !is_restored && rows == expected(&["a", "b", "c", "d"]));
        assert_eq!(diagnosed(&store).await.1, [], "seed {seed}");
    }
    assert!(worked > 0 && failed > 0, "{worked} worked, {failed} failed");
}
