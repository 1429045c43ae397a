//! Loads, builds, merges and restores in any order: every snapshot holds what it should, and what was undone can be done
//! again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Shop, rows_of};
use crate::SessionOptions;

const ROWS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Load(usize),
    Build,
    Optimize,
    /// To the snapshot that is as many back.
    Restore(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize).prop_map(Step::Load),
        3 => Just(Step::Build),
        1 => Just(Step::Optimize),
        2 => (0..5usize).prop_map(Step::Restore),
    ]
}

/// Which files are in a raw table, and which of them are built.
type State = (BTreeSet<String>, BTreeSet<String>);

async fn check(steps: &[Step]) {
    let shop = Shop::tiny().await;
    let mut snapshots: BTreeMap<u64, State> = BTreeMap::from([(0, State::default())]);
    for step in steps {
        let (newest, (mut raw, mut built)) =
            snapshots.last_key_value().map(|(id, state)| (*id, state.clone())).unwrap();
        let now = match step {
            Step::Load(file) => {
                let row = |i: usize| format!("f{file}-{i},c{i},2026-01-0{}T10:00:00,completed,1\n", file + 1);
                let rows: String = (0..ROWS).map(row).collect();
                let path = shop.write(&format!("{file}.csv"), &format!("order_id,customer,at,status,amount\n{rows}"));
                let report = shop.load("raw.tiny_orders", &[path]).await.unwrap();
                assert_eq!(report.skipped.is_empty(), raw.insert(format!("f{file}")), "{step:?} of {steps:?}");
                report.snapshot.id
            }
            Step::Build => {
                built = raw.clone();
                shop.warehouse.build().await.unwrap().snapshot.id
            }
            Step::Optimize => shop.warehouse.optimize(&[], 1).await.unwrap().snapshot.id,
            Step::Restore(back) => {
                let (id, state) = snapshots.iter().nth_back(*back).or(snapshots.first_key_value()).unwrap();
                (raw, built) = state.clone();
                shop.warehouse.store().restore(*id).await.unwrap().id
            }
        };
        if now > newest {
            snapshots.insert(now, (raw, built));
        } else {
            assert_eq!(snapshots[&newest], (raw, built), "{step:?} of {steps:?} changed something");
        }
    }
    for (id, expected) in snapshots.iter().filter(|(id, _)| **id > 0) {
        let options = SessionOptions { snapshot: Some(*id), ..SessionOptions::default() };
        let session = shop.warehouse.session(options).await.unwrap();
        let mut found = State::default();
        for (table, files) in [("raw.tiny_orders", &mut found.0), ("core.orders", &mut found.1)] {
            if !session.snapshot().tables.contains_key(table) {
                continue;
            }
            let query = format!("SELECT split_part(order_id, '-', 1), count(*) FROM {table} GROUP BY 1");
            for row in rows_of(&session, &query).await {
                assert_eq!(row[1], ROWS.to_string(), "{table} in snapshot {id} after {steps:?}");
                files.insert(row[0].clone());
            }
        }
        assert_eq!(&found, expected, "snapshot {id} after {steps:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_snapshot_holds_what_it_should(steps in prop::collection::vec(any_step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(&steps));
    }
}
