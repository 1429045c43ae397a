//! A restored snapshot is what is read and what is added to, whoever else writes, and whenever anything is killed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::doctor::diagnosed;
use super::*;
use crate::{Error, Snapshot};

const TABLES: [&str; 2] = ["core.orders", "core.events"];
const ROWS: usize = 12;

/// Appends rows of a tag to a table, once, and commits them as a snapshot.
async fn load(store: &Store, table: &str, tag: &str) -> Snapshot {
    let table = append_rows(store, table, once(tag), &some_rows(ROWS, tag)).await.unwrap();
    store.commit_snapshot(tag, BTreeMap::from([(table.name, table.version)])).await.unwrap()
}

/// The tags in each table of a snapshot; every tag must have all its rows, once.
async fn seen(store: &Store, snapshot: &Snapshot) -> [BTreeSet<String>; 2] {
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    for (table, tags) in TABLES.iter().zip(&mut seen) {
        let Some(&version) = snapshot.tables.get(*table) else { continue };
        let rows = read_table(store, &store.table(table, version).await.unwrap()).await;
        *tags = rows.iter().map(|row| row.id.split_once('-').unwrap().0.to_owned()).collect();
        assert_eq!(rows, sorted(tags.iter().flat_map(|tag| some_rows(ROWS, tag)).collect()));
    }
    seen
}

fn tags<const N: usize>(tags: [&str; N]) -> BTreeSet<String> {
    tags.map(str::to_owned).into()
}

#[tokio::test]
async fn a_restore_is_a_snapshot_on_top_and_can_be_undone() {
    let (_folder, store) = new_store().await;
    for tag in ["a", "b", "c"] {
        load(&store, TABLES[0], tag).await;
    }
    load(&store, TABLES[1], "d").await;
    let restored = store.restore(1).await.unwrap();
    assert_eq!((restored.id, restored.epoch), (5, 5));
    assert_eq!(seen(&store, &store.snapshot().await.unwrap()).await, [tags(["a"]), tags([])]);
    assert_eq!(store.restore(1).await.unwrap(), restored, "it is restored already");

    let added = load(&store, TABLES[0], "e").await;
    assert_eq!(seen(&store, &added).await, [tags(["a", "e"]), tags([])]);
    let undone = store.restore(4).await.unwrap();
    assert_eq!(seen(&store, &undone).await, [tags(["a", "b", "c"]), tags(["d"])]);
    for (id, orders) in [(3, tags(["a", "b", "c"])), (6, tags(["a", "e"]))] {
        assert_eq!(seen(&store, &store.snapshot_at(id).await.unwrap()).await[0], orders);
    }
    let error = store.restore(99).await.unwrap_err();
    assert!(matches!(error, Error::NoSnapshot { id: 99, newest: 7, .. }), "{error}");
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test]
async fn what_was_undone_can_be_written_again() {
    let (_folder, store) = new_store().await;
    load(&store, TABLES[0], "a").await;
    load(&store, TABLES[0], "b").await;
    store.restore(1).await.unwrap();
    let table = store.latest(TABLES[0]).await.unwrap().unwrap();
    assert_eq!((table.transaction("a").await.unwrap(), table.transaction("b").await.unwrap()), (Some(1), None));
    assert_eq!(seen(&store, &load(&store, TABLES[0], "a").await).await[0], tags(["a"]));
    assert_eq!(seen(&store, &load(&store, TABLES[0], "b").await).await[0], tags(["a", "b"]));
}

/// Its columns and their types are those of a first load again.
#[tokio::test]
async fn a_table_made_since_is_made_anew() {
    let (_folder, store) = new_store().await;
    load(&store, TABLES[1], "a").await;
    load(&store, TABLES[0], "b").await;
    store.restore(1).await.unwrap();
    assert!(store.latest(TABLES[0]).await.unwrap().is_none());
    let other: SchemaRef = Arc::new(Schema::new(vec![Field::new("note", DataType::Int64, true)]));
    let append = Append { schema: other.clone(), ..once("b") };
    let rows = RecordBatch::try_new(other.clone(), vec![Arc::new(arrow::array::Int64Array::from(vec![7]))]).unwrap();
    let table = store.append(TABLES[0], &Layout::Plain, append, stream(vec![rows])).await.unwrap();
    assert_eq!((&table.schema, &table.layout, table.rows()), (&other, &Layout::Plain, 1));
    store.commit_snapshot("anew", BTreeMap::from([(table.name, table.version)])).await.unwrap();
    assert_eq!(diagnosed(&store).await.1, []);
}

/// Who did what stays true.
#[tokio::test]
async fn receipts_stay() {
    const RECEIPTS: &str = "audit.erasures";
    let (_folder, store) = new_store().await;
    load(&store, TABLES[0], "a").await;
    load(&store, TABLES[0], "b").await;
    for tag in ["c", "d"] {
        let named = load(&store, RECEIPTS, tag).await.tables[RECEIPTS];
        let restored = store.restore(1).await.unwrap();
        assert_eq!(restored.tables, BTreeMap::from([(TABLES[0].to_owned(), 0), (RECEIPTS.to_owned(), named)]));
        assert_eq!(store.restore(1).await.unwrap(), restored, "it is restored already");
    }
    let newest = store.latest(RECEIPTS).await.unwrap().unwrap();
    assert_eq!(newest.rows() as usize, 2 * ROWS);
    assert_eq!(diagnosed(&store).await.1, []);
}

#[tokio::test]
async fn unfinished_work_of_before_is_undone_too() {
    let (_folder, store) = new_store().await;
    load(&store, TABLES[0], "a").await;
    load(&store, TABLES[1], "b").await;
    let unfinished = append_rows(&store, TABLES[0], once("c"), &some_rows(ROWS, "c")).await.unwrap();
    store.restore(1).await.unwrap();
    let late = store.commit_snapshot("late", BTreeMap::from([(unfinished.name.clone(), unfinished.version)])).await;
    assert!(matches!(late, Err(Error::Restored { .. })), "{late:?}");
    let stale = Append { epoch: Some(0), ..once("d") };
    let stale = append_rows(&store, TABLES[0], stale, &some_rows(ROWS, "d")).await;
    assert!(matches!(stale, Err(Error::Restored { .. })), "{stale:?}");
    assert_eq!(seen(&store, &load(&store, TABLES[0], "e").await).await[0], tags(["a", "e"]));
}

#[tokio::test]
async fn a_restore_killed_at_any_write_is_whole_or_absent() {
    for mode in [Break::Before, Break::After] {
        for kills in 0.. {
            let (_folder, store) = new_store().await;
            load(&store, TABLES[0], "a").await;
            for table in TABLES {
                load(&store, table, "b").await;
            }
            let killed = Store::open_root(BreakingStore::root(&store.root, kills, mode)).await.unwrap();
            let is_done = killed.restore(1).await.is_ok();
            let left = seen(&store, &store.snapshot().await.unwrap()).await;
            let (before, after) = ([tags(["a", "b"]), tags(["b"])], [tags(["a"]), tags([])]);
            assert!(left == before || left == after, "{mode:?} write {kills}: a mix");
            assert_eq!(diagnosed(&store).await.1, []);
            if left == after {
                let added = load(&store, TABLES[0], "c").await;
                assert_eq!(seen(&store, &added).await, [tags(["a", "c"]), tags([])], "{mode:?} write {kills}");
            }
            if is_done && kills > 4 {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_the_same_time_are_before_or_after_it() {
    for _ in 0..5 {
        let (_folder, store) = new_store().await;
        load(&store, TABLES[0], "first").await;
        load(&store, TABLES[0], "undone").await;
        let writers = (0..4).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let tag = format!("w{writer}");
                let table = append_rows(&store, TABLES[0], once(&tag), &some_rows(ROWS, &tag)).await?;
                store.commit_snapshot(&tag, BTreeMap::from([(table.name, table.version)])).await
            })
        });
        let writers: Vec<_> = writers.collect();
        let restored = store.restore(1).await.unwrap();
        let written = futures::future::try_join_all(writers).await.unwrap();
        let newest = store.snapshot().await.unwrap();
        let now = seen(&store, &newest).await[0].clone();
        assert!(now.contains("first") && !now.contains("undone"), "{now:?}");
        for (writer, written) in written.into_iter().enumerate() {
            let tag = format!("w{writer}");
            match written {
                Ok(snapshot) if snapshot.id > restored.id => assert!(now.contains(&tag), "{tag} was lost: {now:?}"),
                Ok(_) | Err(Error::Restored { .. }) => assert!(!now.contains(&tag), "{tag} came back"),
                Err(error) => panic!("{error}"),
            }
            load(&store, TABLES[0], &tag).await;
        }
        let all = seen(&store, &store.snapshot().await.unwrap()).await;
        assert_eq!(all[0], tags(["first", "w0", "w1", "w2", "w3"]));
        assert_eq!(diagnosed(&store).await.1, []);
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows of a tag, appended to a table.
    Append(usize, u8),
    /// What was appended becomes a snapshot.
    Commit,
    Optimize(usize),
    /// Of all snapshots, as many back.
    Restore(usize),
    /// The same, killed after so many writes.
    KilledRestore(usize, usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2usize, 0..5u8).prop_map(|(table, tag)| Step::Append(table, tag)),
        3 => Just(Step::Commit),
        1 => (0..2usize).prop_map(Step::Optimize),
        1 => (0..4usize).prop_map(Step::Restore),
        1 => (0..4usize, 0..3usize).prop_map(|(back, writes)| Step::KilledRestore(back, writes)),
    ]
}

/// What must be there, kept as sets of tags.
#[derive(Default)]
struct Model {
    snapshots: BTreeMap<u64, [BTreeSet<String>; 2]>,
    /// Appended, and in no snapshot yet.
    unfinished: [BTreeSet<String>; 2],
}

impl Model {
    fn newest(&self) -> [BTreeSet<String>; 2] {
        self.snapshots.values().next_back().cloned().unwrap_or_default()
    }

    /// The snapshot that is as many back.
    fn back(&self, steps: usize) -> u64 {
        self.snapshots.keys().rev().nth(steps).copied().unwrap_or(0)
    }

    /// Nothing happened if there is no later snapshot than before.
    fn restored(&mut self, id: u64, now: u64) {
        let state = self.snapshots.get(&id).cloned().unwrap_or_default();
        if now > self.back(0) {
            self.snapshots.insert(now, state);
            self.unfinished = Default::default();
        }
    }
}

async fn check(steps: &[Step]) {
    let (_folder, store) = new_store().await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append(table, tag) => {
                let tag = format!("t{tag}");
                append_rows(&store, TABLES[*table], once(&tag), &some_rows(ROWS, &tag)).await.unwrap();
                if !model.newest()[*table].contains(&tag) {
                    model.unfinished[*table].insert(tag);
                }
            }
            Step::Commit => {
                let mut versions = BTreeMap::new();
                for name in TABLES {
                    if let Some(table) = store.latest(name).await.unwrap() {
                        versions.insert(name.to_owned(), table.version);
                    }
                }
                let snapshot = store.commit_snapshot("commit", versions).await.unwrap();
                let mut state = model.newest();
                for (tags, unfinished) in state.iter_mut().zip(&mut model.unfinished) {
                    tags.append(unfinished);
                }
                if snapshot.id > 0 {
                    model.snapshots.insert(snapshot.id, state);
                }
            }
            Step::Optimize(table) => {
                let name = TABLES[*table];
                let Some(&version) = store.snapshot().await.unwrap().tables.get(name) else { continue };
                if let Some(done) = store.optimize(name, version, 1).await.unwrap() {
                    assert!(model.unfinished[*table].is_empty(), "unfinished work would be shown");
                    let versions = BTreeMap::from([(name.to_owned(), done.version)]);
                    let snapshot = store.commit_snapshot("optimize", versions).await.unwrap();
                    model.snapshots.insert(snapshot.id, model.newest());
                }
            }
            Step::Restore(back) => {
                let id = model.back(*back);
                let restored = store.restore(id).await.unwrap();
                model.restored(id, restored.id);
            }
            Step::KilledRestore(back, writes) => {
                let id = model.back(*back);
                let killed = Store::open_root(BreakingStore::root(&store.root, *writes, Break::Before)).await.unwrap();
                let _ = killed.restore(id).await;
                let newest = store.snapshot().await.unwrap();
                model.restored(id, newest.id);
            }
        }
    }
    for (id, expected) in &model.snapshots {
        let snapshot = store.snapshot_at(*id).await.unwrap();
        assert_eq!(&seen(&store, &snapshot).await, expected, "snapshot {id} after {steps:?}");
    }
    assert_eq!(store.snapshot().await.unwrap().id, model.back(0));
    assert_eq!(diagnosed(&store).await.1, [], "{steps:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_in_whatever_order_snapshots_hold_what_they_should(
        steps in prop::collection::vec(any_step(), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(&steps));
    }
}
