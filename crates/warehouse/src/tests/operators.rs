//! The operators for points in time against brute force: 10,000 customers, each a random case of its own, with ties, late
//! and superseded rows, equal cut-offs, cut-offs without facts and facts without cut-offs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::catalog::MemTable;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Shop, texts};
use crate::{Session, Statement};

const DAY: i64 = 86_400_000_000;
const TABLES: u64 = 5;
const CUSTOMERS: usize = 2_000;
/// Days that a fact with a channel counts after it became known.
const LIFE: i64 = 4;
const WINDOW: i64 = 5;

#[derive(Debug, Clone)]
struct Fact {
    id: usize,
    customer: usize,
    event: i64,
    known: i64,
    is_superseded: bool,
    amount: Option<f64>,
}

impl Fact {
    fn is_seen(&self, as_of: i64) -> bool {
        self.event < as_of && self.known < as_of && (!self.is_superseded || self.known + LIFE >= as_of)
    }
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }

    fn is_in(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn shuffle<T>(&mut self, values: &mut [T]) {
        (1..values.len()).rev().for_each(|at| values.swap(at, self.below(at + 1)));
    }
}

/// One row of the spine: a number of its own, its customer, and its day if it has one.
type Slot = (i64, usize, Option<i64>);

/// Days are few, so that ties are common.
fn case(random: &mut Random) -> (Vec<Fact>, Vec<Slot>) {
    let (mut facts, mut slots) = (Vec::new(), Vec::new());
    for customer in 0..CUSTOMERS {
        for _ in 0..random.below(12) {
            let event = random.below(20) as i64;
            let known = event + [0, 0, 0, 1, 5][random.below(5)];
            let quarters = random.below(240) as f64 - 40.0;
            let amount = random.is_in(90).then_some(quarters / 4.0);
            facts.push(Fact { id: facts.len(), customer, event, known, is_superseded: random.is_in(20), amount });
        }
        for _ in 0..random.below(5) {
            let as_of = random.below(27) as i64 - 1;
            let as_of = random.is_in(95).then_some(as_of);
            slots.push((slots.len() as i64, customer, as_of));
        }
    }
    random.shuffle(&mut slots);
    (facts, slots)
}

fn times(days: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(days.map(|day| day.map(|day| day * DAY)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn customer(number: usize) -> String {
    format!("c{number}")
}

fn orders(facts: &[Fact]) -> RecordBatch {
    let ids = facts.iter().map(|fact| Some(format!("o{:06}", fact.id)));
    RecordBatch::try_from_iter_with_nullable([
        ("order_id", Arc::new(ids.collect::<StringArray>()) as ArrayRef, true),
        ("customer_id", Arc::new(StringArray::from_iter_values(facts.iter().map(|f| customer(f.customer)))), true),
        ("event_time", times(facts.iter().map(|fact| Some(fact.event))), true),
        ("known_time", times(facts.iter().map(|fact| Some(fact.known))), true),
        ("channel", Arc::new(facts.iter().map(|f| f.is_superseded.then_some("old")).collect::<StringArray>()), true),
        ("amount", Arc::new(facts.iter().map(|fact| fact.amount).collect::<Float64Array>()), true),
    ])
    .unwrap()
}

fn asked(slots: &[Slot]) -> MemTable {
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("slot", Arc::new(Int64Array::from_iter_values(slots.iter().map(|slot| slot.0))) as ArrayRef, true),
        ("customer_id", Arc::new(StringArray::from_iter_values(slots.iter().map(|s| customer(s.1)))), true),
        ("as_of", times(slots.iter().map(|slot| slot.2)), true),
    ])
    .unwrap();
    MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap()
}

/// `{join}` is INNER or LEFT.
const KNOWN: &str = "asked AS s {join} JOIN (
        SELECT *, CASE WHEN channel IS NOT NULL THEN known_time + INTERVAL '4 days' END AS superseded_at FROM core.orders) AS o
    ON o.customer_id = s.customer_id AND o.event_time < s.as_of AND o.known_time < s.as_of
    AND (o.superseded_at IS NULL OR o.superseded_at >= s.as_of)";

const TOTALS: &str = "count(o.order_id), count(o.amount), sum(o.amount), cast(max(o.event_time) AS BIGINT),
    first_value(o.order_id ORDER BY o.event_time DESC, o.order_id DESC),
    count(o.order_id) FILTER (WHERE o.event_time >= s.as_of - INTERVAL '5 days'),
    sum(o.amount) FILTER (WHERE o.event_time >= s.as_of - INTERVAL '5 days' AND o.amount > 0.0)";

fn totals(facts: &[&Fact], as_of: i64) -> Vec<String> {
    let sum = |amounts: Vec<f64>| match amounts.is_empty() {
        true => String::new(),
        false => format!("{:?}", amounts.iter().sum::<f64>()),
    };
    let amounts: Vec<f64> = facts.iter().filter_map(|fact| fact.amount).collect();
    let last = facts.iter().max_by_key(|fact| (fact.event, fact.id));
    let near: Vec<&&Fact> = facts.iter().filter(|fact| fact.event >= as_of - WINDOW).collect();
    let bought = near.iter().filter_map(|fact| fact.amount).filter(|amount| *amount > 0.0).collect();
    vec![
        facts.len().to_string(),
        amounts.len().to_string(),
        sum(amounts),
        last.map_or(String::new(), |fact| (fact.event * DAY).to_string()),
        last.map_or(String::new(), |fact| format!("o{:06}", fact.id)),
        near.len().to_string(),
        sum(bought),
    ]
}

async fn ask(session: &Session, sql: &str) -> Vec<Vec<String>> {
    let mut rows = texts(&session.run_any(Statement::one(sql).unwrap().parsed).await.unwrap());
    rows.sort();
    rows
}

struct Case {
    facts: Vec<Fact>,
    slots: Vec<Slot>,
    session: Session,
    _shop: Shop,
}

impl Case {
    async fn new(seed: u64) -> Case {
        let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
        let (facts, slots) = case(&mut random);
        let shop = Shop::new(&[]).await;
        let mut shuffled = facts.clone();
        random.shuffle(&mut shuffled);
        for (number, part) in shuffled.chunks(facts.len().div_ceil(2).max(1)).enumerate() {
            let name = format!("append {number}");
            shop.warehouse.append(vec![("core.orders", vec![orders(part)])], &name, &name).await.unwrap();
        }
        let session = shop.session().await;
        session.keep("public.asked".into(), Arc::new(asked(&slots)));
        Case { facts, slots, session, _shop: shop }
    }

    fn of_customer(&self) -> BTreeMap<usize, Vec<&Fact>> {
        let mut of_customer: BTreeMap<usize, Vec<&Fact>> = BTreeMap::new();
        self.facts.iter().for_each(|fact| of_customer.entry(fact.customer).or_default().push(fact));
        of_customer
    }

    async fn assert_plan(&self, sql: &str, operator: &str) {
        let plan = ask(&self.session, &format!("EXPLAIN {sql}")).await.concat().concat();
        assert!(plan.contains(operator), "{sql}: {plan}");
    }
}

async fn check(seed: u64) {
    let case = Case::new(seed).await;
    let (session, slots) = (&case.session, &case.slots);
    let of_customer = case.of_customer();
    let seen = |slot: &Slot| -> Vec<&Fact> {
        let facts = of_customer.get(&slot.1).map(Vec::as_slice).unwrap_or_default();
        facts.iter().copied().filter(|fact| slot.2.is_some_and(|as_of| fact.is_seen(as_of))).collect()
    };
    let mut wanted: Vec<Vec<String>> = slots
        .iter()
        .map(|slot| [vec![slot.0.to_string()], totals(&seen(slot), slot.2.unwrap_or_default())].concat())
        .collect();
    let grouped = |join: &str| {
        let known = KNOWN.replace("{join}", join);
        format!("SELECT s.slot, {TOTALS} FROM {known} GROUP BY s.slot, s.customer_id, s.as_of")
    };
    wanted.sort();
    assert_eq!(ask(session, &grouped("LEFT")).await, wanted, "LEFT, seed {seed}");
    wanted.retain(|row| row[1] != "0");
    assert_eq!(ask(session, &grouped("INNER")).await, wanted, "INNER, seed {seed}");

    for join in ["LEFT", "INNER"] {
        let mut wanted: Vec<Vec<String>> = Vec::new();
        for slot in slots {
            let seen = seen(slot);
            wanted.extend(seen.iter().map(|fact| vec![slot.0.to_string(), format!("o{:06}", fact.id)]));
            if seen.is_empty() && join == "LEFT" {
                wanted.push(vec![slot.0.to_string(), String::new()]);
            }
        }
        wanted.sort();
        let sql = format!("SELECT s.slot, o.order_id FROM {}", KNOWN.replace("{join}", join));
        assert_eq!(ask(session, &sql).await, wanted, "rows of {join}, seed {seed}");
    }
    for (sql, operator) in [
        (grouped("LEFT"), "PointInTimeTotalsExec"),
        (grouped("INNER"), "PointInTimeTotalsExec"),
        (format!("SELECT s.slot, o.order_id FROM {}", KNOWN.replace("{join}", "LEFT")), "PointInTimeJoinExec"),
    ] {
        case.assert_plan(&sql, operator).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_customers_are_known_as_brute_force_says() {
    for seed in 0..TABLES {
        check(seed).await;
    }
}

/// Of rows of customers and their days, each with an id: the ids of those that match, and of a left one without a match.
fn joined(
    left: &[(String, usize, Option<i64>)],
    right: &[(String, usize, Option<i64>)],
    is_outer: bool,
) -> Vec<Vec<String>> {
    let mut of_customer: BTreeMap<usize, Vec<(&str, Option<i64>)>> = BTreeMap::new();
    right.iter().for_each(|(id, customer, day)| of_customer.entry(*customer).or_default().push((id, *day)));
    let mut rows = Vec::new();
    for (id, customer, day) in left {
        let matches = of_customer.get(customer).into_iter().flatten().filter(|right| day.is_some() && *day == right.1);
        let before = rows.len();
        rows.extend(matches.map(|right| vec![id.clone(), right.0.to_string()]));
        if is_outer && rows.len() == before {
            rows.push(vec![id.clone(), String::new()]);
        }
    }
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_of_sides_that_come_in_order_are_as_brute_force_says() {
    let case = Case::new(TABLES).await;
    let slots: Vec<_> = case.slots.iter().map(|slot| (slot.0.to_string(), slot.1, slot.2)).collect();
    let facts = |day: fn(&Fact) -> i64| -> Vec<_> {
        case.facts.iter().map(|fact| (format!("o{:06}", fact.id), fact.customer, Some(day(fact)))).collect()
    };
    let (by_event, by_known, by_customer) = (facts(|f| f.event), facts(|f| f.known), facts(|_| 0));
    let of_slots = |kind: &str, time: &str| {
        format!(
            "SELECT s.slot, o.order_id FROM asked AS s {kind} JOIN core.orders AS o
             ON o.customer_id = s.customer_id AND o.{time} = s.as_of"
        )
    };
    let pairs =
        "SELECT a.order_id, b.order_id FROM core.orders AS a JOIN core.orders AS b ON a.customer_id = b.customer_id";
    for (sql, operator, wanted) in [
        (of_slots("LEFT", "event_time"), "MergeJoinExec: left", joined(&slots, &by_event, true)),
        (of_slots("INNER", "event_time"), "MergeJoinExec: inner", joined(&slots, &by_event, false)),
        // Many matches a row, and many batches.
        (pairs.to_string(), "MergeJoinExec: inner", joined(&by_customer, &by_customer, false)),
        // Only one side comes in the order of the keys, and it is to stay so.
        (of_slots("LEFT", "known_time"), "join_type=Right", joined(&slots, &by_known, true)),
    ] {
        case.assert_plan(&sql, operator).await;
        let rows = ask(&case.session, &sql).await;
        assert!(rows == wanted, "{sql}: {} rows, not {}", rows.len(), wanted.len());
    }
}
