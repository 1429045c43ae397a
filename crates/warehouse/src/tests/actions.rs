//! Rules for actions, and that nobody is in the next best actions without consent.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{assert_says, texts, write_sql};
use crate::{Catalog, Scratch};

const PATH: &str = "insights/actions.toml";

fn open(rules: &str) -> crate::Result<Catalog> {
    let folder = TempDir::new().unwrap();
    write_sql(folder.path(), &[(PATH, rules)]);
    Catalog::open(Some(folder.path()))
}

const CARD: &str = "[actions.card]\nchannel = 'mail'\ncost = 1\n";
const TO_ALL: &str = "[[rules]]\nname = 'all'\naction = 'card'\nprobability = 0.5\nvalue = 10\n";

#[test]
fn wrong_rules_name_what_is_wrong() {
    assert_says(open("[[rules]]\nname = 'all'\n"), &["sql/insights/actions.toml", "line 1", "missing field `action`"]);
    assert_says(open(CARD), &["it has no [[rules]]"]);
    assert_says(open(&format!("{CARD}when = 1\n{TO_ALL}")), &["unknown field `when`", "purposes"]);
    let rule = |of: &str| format!("{CARD}{TO_ALL}{of}");
    assert_says(open(&rule("when = 'segment = 1'")), &["segment is of no view", "schema.view.column"]);
    assert_says(open(&rule("when = 'insights.rfm.segment ='")), &["insights.rfm.segment =", "Expected"]);
    assert_says(open(&rule("when = 'true) OR (true'")), &["one SQL expression", "ends before )"]);
    assert_says(open(&rule("when = 'EXISTS (SELECT 1)'")), &["a query in a rule"]);
    assert_says(open(&rule("when = 'insights.nothing.x > 1'")), &["insights.nothing", "no file defines"]);
    assert_says(open(&rule("when = 'insights.tags.value > 1'")), &["insights.tags", "grain customer_id, as_of"]);
    assert_says(open(&rule("when = [1]")), &["a number, or SQL in quotes"]);
    assert_says(
        open(&rule("trigger = 'full_moon'")),
        &["full_moon", "use one of birthday, churn_warning, due, coupon"],
    );
    assert_says(open(&rule(TO_ALL)), &["two rules have the name \"all\""]);
    let twin = TO_ALL.replace("'all'", "'twin'").replace("0.5", "0.7");
    assert_says(open(&rule(&twin)), &["\"all\" and \"twin\" contradict each other", "card"]);
    assert_says(open(&TO_ALL.replace("card", "cart")), &["\"cart\", which is no action"]);
    assert_says(
        open(&format!("{CARD}[actions.call]\nchannel = 'phone'\ncost = 1\n{TO_ALL}")),
        &["no rule proposes the action call"],
    );
    assert_says(open(&format!("channels.sms = {{ at_most = 1, days = 1 }}\n{CARD}{TO_ALL}")), &["channels.sms"]);
    assert_says(open(&format!("contacts = {{ at_most = 0, days = 1 }}\n{CARD}{TO_ALL}")), &["contacts.at_most is 0"]);
    assert_says(open(&format!("budget = -1.0\n{CARD}{TO_ALL}")), &["budget is -1"]);
    assert_says(open(&format!("{CARD}holdout = 1.0\n{TO_ALL}")), &["actions.card.holdout is 1"]);
    assert_says(open(&format!("{CARD}purposes = []\n{TO_ALL}")), &["actions.card.purposes is empty"]);
}

#[test]
fn rules_for_the_same_customers_contradict_each_other_however_they_are_written() {
    let rules = |one: &str, other: &str| {
        let twin = TO_ALL.replace("'all'", "'twin'").replace("0.5", "0.7");
        open(&format!("{CARD}{TO_ALL}when = \"{one}\"\n{twin}when = \"{other}\"\n"))
    };
    let (money, days) = ("features.value.total_amount", "features.recency.days_since_order");
    for (one, other) in [
        (format!("{money} > 5"), format!("5 <  ({money})")),
        (format!("{money} > 5"), "5 < FEATURES.value.Total_amount".into()),
        (format!("{money} > 5 and {days} <= 3"), format!("3 >= {days} AND {money} > 5")),
        (format!("{money} BETWEEN 1 AND 5"), format!("5 >= {money} AND {money} >= 1")),
        (format!("{money} + {days} = 1 OR true"), format!("true OR 1 = ({days} + {money})")),
        (format!("{money} IN (1, 2)"), format!("{money} IN (2, 1)")),
    ] {
        assert_says(rules(&one, &other), &["\"all\" and \"twin\" contradict each other"]);
    }
    for (one, other) in [
        (format!("{money} > 5"), format!("{money} < 5")),
        (format!("{money} - {days} > 1"), format!("{days} - {money} > 1")),
        (format!("{money} > 5 AND ({days} > 1 OR true)"), format!("({money} > 5 AND {days} > 1) OR true")),
    ] {
        assert!(rules(&one, &other).is_ok(), "{one}; {other}");
    }
}

#[test]
fn a_number_that_no_rule_may_give_names_rule_and_customer() {
    let rules = format!("{CARD}{}", TO_ALL.replace("0.5", "1.5"));
    let error = block_on(scratch(&rules, |scratch| async move {
        scratch.run("INSERT INTO spine VALUES ('c1', '2024-01-01')").await.unwrap();
        scratch.run("SELECT * FROM insights.next_best_action").await
    }));
    assert_says(error, &["rule \"all\"", "customer_id c1", "the probability is 1.5", "between 0 and 1"]);
}

/// Mail needs one consent, a call two; half of the calls are held out.
const TWO: &str = "
[actions.card]
channel = 'mail'
cost = 1
[actions.call]
channel = 'phone'
purposes = ['marketing', 'profiling']
cost = 2
holdout = 0.5
[[rules]]
name = 'card'
action = 'card'
probability = 0.5
value = 10
[[rules]]
name = 'call'
action = 'call'
probability = 0.5
value = 20
";

/// A decision: customer, day, day on which it was known, purpose, channel, whether it is a consent.
type Decision = (u8, u8, u8, &'static str, Option<&'static str>, bool);

const CUT_OFF: u8 = 20;
const CUSTOMERS: u8 = 12;

fn decisions() -> impl Strategy<Value = Vec<Decision>> {
    let purpose = prop::sample::select(vec!["marketing", "profiling", "research"]);
    let channel = prop::sample::select(vec![None, Some("mail"), Some("phone")]);
    prop::collection::vec((0..CUSTOMERS, 1..=25u8, 1..=25u8, purpose, channel, any::<bool>()), 0..80)
}

/// Whether the customer agrees, on the day of the cut-off, to be reached on this channel for this purpose: the newest decision
/// that covers it says so; of two at one time, a withdrawal counts.
fn agrees(decisions: &[Decision], customer: u8, purpose: &str, channel: &str) -> bool {
    let covering = decisions.iter().filter(|(of, day, known, to, on, _)| {
        *of == customer && *day < CUT_OFF && *known < CUT_OFF && *to == purpose && on.is_none_or(|on| on == channel)
    });
    let newest = covering.clone().map(|decision| decision.1).max();
    newest.is_some_and(|newest| covering.filter(|decision| decision.1 == newest).all(|decision| decision.5))
}

/// Whom an action may be for, by brute force.
fn allowed(decisions: &[Decision]) -> BTreeSet<(String, String)> {
    let agreed = |customer: u8, purposes: &[&str], channel: &str| {
        purposes.iter().all(|purpose| agrees(decisions, customer, purpose, channel))
    };
    let of = |customer: u8| {
        let card = agreed(customer, &["marketing"], "mail").then_some("card");
        let call = agreed(customer, &["marketing", "profiling"], "phone").then_some("call");
        card.into_iter().chain(call).map(move |action| (format!("c{customer}"), action.to_string()))
    };
    (0..CUSTOMERS).flat_map(of).collect()
}

/// Whom the view has an action for.
async fn chosen(scratch: Scratch, decisions: &[Decision]) -> Vec<(String, String)> {
    let consents = decisions.iter().enumerate().map(|(id, (customer, day, known, purpose, channel, is_granted))| {
        let channel = channel.map_or("NULL".into(), |channel| format!("'{channel}'"));
        format!(
            "INSERT INTO core.consents
                 (consent_id, customer_id, event_time, known_time, purpose, channel, is_granted)
             VALUES ('{id}', 'c{customer}', '2024-01-{day:02}', '2024-01-{known:02}', '{purpose}', {channel}, {is_granted})"
        )
    });
    let customers = (0..CUSTOMERS).map(|c| format!("('c{c}', '2024-01-{CUT_OFF}')")).collect::<Vec<_>>().join(", ");
    let known = "INSERT INTO core.customers (customer_id, event_time, known_time)
        SELECT customer_id, '2023-01-01' AS event_time, '2023-01-01' AS known_time FROM spine";
    for insert in [format!("INSERT INTO spine VALUES {customers}"), known.into()].into_iter().chain(consents) {
        scratch.run(&insert).await.unwrap();
    }
    let rows = scratch.run("SELECT customer_id, action FROM insights.next_best_action").await.unwrap();
    texts(&rows).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// And everybody with consent is.
    #[test]
    fn nobody_is_chosen_without_consent(decisions in decisions()) {
        let found = block_on(scratch(TWO, |scratch| chosen(scratch, &decisions)));
        let wanted = allowed(&decisions);
        prop_assert_eq!(found.len(), wanted.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
    }
}

/// With these rules instead of the shipped ones.
async fn scratch<T, F: Future<Output = T>>(rules: &str, run: impl FnOnce(Scratch) -> F) -> T {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("sql")).unwrap();
    write_sql(&at("sql"), &[(PATH, rules)]);
    run(Scratch::new(&at("warehouse"), Some(&at("sql"))).await.unwrap()).await
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}
