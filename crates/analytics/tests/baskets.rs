//! Association and sequential rules against mlxtend and against counting by hand.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{assert_relative, oracle};
use analytics::Error;
use analytics::baskets::{
    ItemsetSettings, Itemsets, MinSupport, Purchases, Rule, RuleSettings, SequentialRule, SequentialSettings,
    association_rules, frequent_itemsets, sequential_rules,
};
use proptest::prelude::*;

/// mlxtend's results are quotients of the same counts, rounded a few times each.
const ROUNDING: f64 = 1e-12;

fn mine(baskets: &[Vec<u32>], settings: &ItemsetSettings) -> analytics::Result<Itemsets> {
    let mut offsets = vec![0];
    baskets.iter().for_each(|basket| offsets.push(offsets[offsets.len() - 1] + basket.len()));
    frequent_itemsets(&offsets, &baskets.concat(), settings)
}

fn from(count: u32) -> ItemsetSettings {
    ItemsetSettings { min_support: MinSupport::Count(count), ..Default::default() }
}

fn all_rules() -> RuleSettings {
    RuleSettings { min_confidence: 0.0, min_lift: 0.0, ..Default::default() }
}

fn ids(text: &str) -> Vec<u32> {
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

fn table(itemsets: &Itemsets) -> Vec<(Vec<u32>, u32)> {
    (0..itemsets.len()).map(|i| (itemsets.items(i).to_vec(), itemsets.count(i))).collect()
}

/// Itemsets and rules of `baskets` against `<name>_itemsets.csv` and `<name>_rules.csv` of mlxtend's fpgrowth and
/// association_rules: the same sets, all numbers within rounding.
fn check(name: &str, baskets: &[Vec<u32>], min_support: f64, min_confidence: f64, sizes: (usize, usize)) {
    let settings = ItemsetSettings { min_support: MinSupport::Share(min_support), ..Default::default() };
    let itemsets = mine(baskets, &settings).unwrap();
    let expected: BTreeMap<Vec<u32>, f64> =
        oracle(&format!("{name}_itemsets.csv")).iter().map(|row| (ids(&row[0]), row[1].parse().unwrap())).collect();
    assert_eq!((itemsets.len(), expected.len()), (sizes.0, sizes.0));
    for i in 0..itemsets.len() {
        assert_relative("support", itemsets.support(i), expected[itemsets.items(i)], ROUNDING);
    }

    let rules = association_rules(&itemsets, &RuleSettings { min_confidence, ..all_rules() }).unwrap();
    let found: BTreeMap<(&[u32], &[u32]), &Rule> =
        rules.iter().map(|rule| ((&rule.antecedent[..], &rule.consequent[..]), rule)).collect();
    let expected = oracle(&format!("{name}_rules.csv"));
    assert_eq!((rules.len(), found.len(), expected.len()), (sizes.1, sizes.1, sizes.1));
    for row in &expected {
        let rule = found[&(&ids(&row[0])[..], &ids(&row[1])[..])];
        let measures = [
            rule.support,
            rule.antecedent_support,
            rule.consequent_support,
            rule.confidence,
            rule.lift,
            rule.leverage,
            rule.conviction,
            rule.zhang,
        ];
        for (found, expected) in measures.iter().zip(&row[2..]) {
            let expected: f64 = expected.parse().unwrap();
            // Leverage and Zhang's metric are differences, so they are as exact as what is subtracted.
            let close = (found - expected).abs() <= ROUNDING * expected.abs().max(1.0);
            assert!(close || *found == expected, "{row:?}: {found} instead of {expected}");
        }
    }
}

#[test]
fn the_five_baskets_of_mlxtend() {
    let baskets = [
        vec![6, 8, 7, 5, 3, 10],
        vec![2, 8, 7, 5, 3, 10],
        vec![6, 0, 5, 3],
        vec![6, 9, 1, 5, 10],
        vec![1, 8, 8, 5, 4, 3],
    ];
    check("mlxtend", &baskets, 0.6, 0.7, (11, 12));
}

#[test]
fn two_thousand_random_baskets_equal_mlxtend() {
    let baskets: Vec<Vec<u32>> = oracle("baskets.csv").iter().map(|row| ids(&row[0])).collect();
    assert_eq!(baskets.len(), 2000);
    check("baskets", &baskets, 0.01, 0.5, (712, 396));
}

#[test]
fn a_share_is_met_where_the_quotient_is() {
    // .07 · 100 is 7.000000000000001, yet 7 of 100 is .07.
    let baskets: Vec<Vec<u32>> = (0..100).map(|i| if i < 7 { vec![1] } else { vec![] }).collect();
    let settings = |share| ItemsetSettings { min_support: MinSupport::Share(share), ..Default::default() };
    let itemsets = mine(&baskets, &settings(0.07)).unwrap();
    assert_eq!((itemsets.len(), itemsets.min_count, itemsets.baskets), (1, 7, 100));
    assert!(mine(&baskets, &settings(0.0701)).unwrap().is_empty());
    assert_eq!(mine(&baskets, &settings(1e-300)).unwrap().min_count, 1);
}

/// Basket 0 is cut to its two most frequent items: counts of single items stay, that of {1, 3} falls from 2 to 1.
#[test]
fn wide_baskets_lose_their_rare_items_first() {
    let baskets = [vec![3, 2, 1, 77], vec![1, 2], vec![1, 3], vec![2]];
    let cut = mine(&baskets, &ItemsetSettings { max_width: Some(2), ..from(2) }).unwrap();
    assert_eq!(cut.cut, 1);
    assert_eq!(table(&cut), [(vec![1], 3), (vec![2], 3), (vec![3], 2), (vec![1, 2], 2)]);
    // The infrequent 77 takes no place.
    let whole = mine(&baskets, &ItemsetSettings { max_width: Some(3), ..from(2) }).unwrap();
    assert_eq!((whole.cut, table(&whole)[4].clone()), (0, (vec![1, 3], 2)));
}

#[test]
fn too_many_itemsets_say_which_support_is_enough() {
    let baskets: Vec<Vec<u32>> = (0..64u32).map(|i| (0..400).filter(|item| item % 64 <= i).collect()).collect();
    let settings = ItemsetSettings { max_itemsets: 300, ..from(1) };
    let Err(Error::ManyItemsets { most: 300, min_count: 1, enough, support }) = mine(&baskets, &settings) else {
        panic!("2^400 itemsets fit into 300");
    };
    let share = |share| ItemsetSettings { min_support: MinSupport::Share(share), ..settings };
    let fits = mine(&baskets, &share(support)).unwrap();
    assert!(fits.min_count == enough && fits.len() <= 300);
    assert!(mine(&baskets, &ItemsetSettings { max_itemsets: 300, ..from(enough - 1) }).is_err());
    let pairs = ItemsetSettings { max_length: Some(2), max_itemsets: 400 + 400 * 399 / 2, ..from(1) };
    assert_eq!(mine(&baskets, &pairs).unwrap().len(), 400 + 400 * 399 / 2);
}

#[test]
fn threads_do_not_change_the_order() {
    let baskets: Vec<Vec<u32>> = oracle("baskets.csv").iter().map(|row| ids(&row[0])).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let itemsets = mine(&baskets, &from(10)).unwrap();
            let rules = association_rules(&itemsets, &RuleSettings::default()).unwrap();
            (itemsets, rules)
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn rules_that_are_sure_have_infinite_conviction() {
    let itemsets = mine(&[vec![1, 2], vec![1, 2], vec![2], vec![]], &from(1)).unwrap();
    let rules = association_rules(&itemsets, &RuleSettings { min_confidence: 1.0, ..all_rules() }).unwrap();
    assert_eq!((rules.len(), rules[0].conviction, rules[0].lift), (1, f64::INFINITY, 4.0 / 3.0));
    assert_eq!((&rules[0].antecedent[..], &rules[0].consequent[..]), (&[1][..], &[2][..]));
}

#[test]
fn errors_say_what_is_valid() {
    let settings = from(1);
    let one = |offsets: &[usize], items: &[u32]| frequent_itemsets(offsets, items, &settings);
    assert_eq!(one(&[], &[]), Err(Error::Empty { what: "baskets" }));
    assert_eq!(one(&[0], &[]), Err(Error::Empty { what: "baskets" }));
    assert!(matches!(one(&[1, 2], &[1, 2]), Err(Error::Value { row: 0, .. })));
    assert!(matches!(one(&[0, 2, 1], &[1]), Err(Error::Value { row: 2, .. })));
    assert!(matches!(one(&[0, 1], &[1, 2]), Err(Error::Value { row: 1, .. })));
    assert!(one(&[0, 0], &[]).unwrap().is_empty());
    for share in [0.0, 1.1, f64::NAN] {
        let settings = ItemsetSettings { min_support: MinSupport::Share(share), ..settings };
        assert!(matches!(mine(&[vec![1]], &settings), Err(Error::Setting { name: "min_support", .. })));
    }
    assert!(matches!(mine(&[vec![1]], &from(0)), Err(Error::Setting { name: "min_count", .. })));
    let none = ItemsetSettings { max_length: Some(0), ..settings };
    assert!(matches!(mine(&[vec![1]], &none), Err(Error::Setting { name: "max_length", .. })));

    let itemsets = mine(&[vec![1, 2, 3, 4]], &settings).unwrap();
    let rules = |settings| association_rules(&itemsets, &settings);
    assert!(matches!(rules(RuleSettings { min_confidence: f64::NAN, ..all_rules() }), Err(Error::Setting { .. })));
    assert!(matches!(rules(RuleSettings { min_lift: -1.0, ..all_rules() }), Err(Error::Setting { .. })));
    assert!(matches!(rules(RuleSettings { max_rules: 49, ..all_rules() }), Err(Error::MoreThan { most: 49, .. })));
    assert_eq!(rules(RuleSettings { max_rules: 50, ..all_rules() }).unwrap().len(), 50);
}

#[test]
fn sequential_errors_name_the_row() {
    let settings = SequentialSettings::default();
    let rules = |customers: &[u64], days: &[i32], items: &[u32]| {
        sequential_rules(&Purchases { customers, days, items }, &settings)
    };
    assert_eq!(rules(&[], &[], &[]), Err(Error::Empty { what: "purchases" }));
    assert!(matches!(rules(&[1, 1], &[1], &[1, 1]), Err(Error::Length { expected: 2, found: 1, .. })));
    assert!(matches!(rules(&[2, 1], &[1, 1], &[1, 1]), Err(Error::Value { row: 1, .. })));
    let unsorted = Error::Unsorted { customer: 1, row: 2, day: 4, previous: 5 };
    assert_eq!(rules(&[7, 9, 9], &[8, 5, 4], &[1, 1, 1]), Err(unsorted));
    let purchases = Purchases { customers: &[1, 1], days: &[i32::MIN, i32::MAX], items: &[1, 2] };
    assert_eq!(sequential_rules(&purchases, &settings), Ok(vec![]));
    let none = SequentialSettings { within_days: 0, ..settings };
    assert!(matches!(sequential_rules(&purchases, &none), Err(Error::Setting { name: "within_days", .. })));
    let far = SequentialSettings { within_days: u32::MAX, max_rules: 1, ..settings };
    assert_eq!(sequential_rules(&purchases, &far).unwrap()[0].median_gap, f64::from(u32::MAX));
}

#[test]
fn a_sequence_by_hand() {
    // Customer 1 buys 5, then 6 after 10 and 12 days; customer 2 the same day and 4 days later; customer 3 only 5.
    let purchases =
        Purchases { customers: &[1, 1, 1, 2, 2, 2, 3], days: &[0, 10, 12, 3, 3, 7, 1], items: &[5, 6, 6, 5, 6, 6, 5] };
    let settings = SequentialSettings { within_days: 10, min_lift: 0.0, ..Default::default() };
    let rules = sequential_rules(&purchases, &settings).unwrap();
    let rule = |antecedent, confidence, lift, median_gap| SequentialRule {
        antecedent,
        consequent: 6,
        customers: 2,
        support: 2.0 / 3.0,
        confidence,
        lift,
        median_gap,
    };
    assert_eq!(rules, [rule(5, 2.0 / 3.0, 1.0, 7.0), rule(6, 1.0, 1.5, 3.0)]);
}

fn baskets() -> impl Strategy<Value = Vec<Vec<u32>>> {
    proptest::collection::vec(proptest::collection::vec(0..9u32, 0..9), 1..30)
}

/// Baskets that hold all of `items`.
fn holding(baskets: &[Vec<u32>], items: &[u32]) -> u32 {
    baskets.iter().filter(|basket| items.iter().all(|item| basket.contains(item))).count() as u32
}

fn subset(mask: u32) -> Vec<u32> {
    (0..9).filter(|item| mask >> item & 1 == 1).collect()
}

type Row = (u64, i32, u32);

/// The gap of one customer: from the first `a` that a `b` follows in time to the next `b`, by looking at all pairs.
fn gap(rows: &BTreeSet<Row>, customer: u64, a: u32, b: u32, within: i32) -> Option<i32> {
    let days = |item: u32| rows.iter().filter(move |r| r.0 == customer && r.2 == item).map(|r| r.1);
    let pairs = days(a).flat_map(|from| days(b).map(move |to| (from, to - from)));
    pairs.filter(|&(_, gap)| gap > 0 && gap <= within).min().map(|(_, gap)| gap)
}

proptest! {
    /// Every one of the 2^9 sets is counted by looking at every basket.
    #[test]
    fn itemsets_equal_counting(baskets in baskets(), count in 1..6u32, longest in proptest::option::of(1..5usize)) {
        let itemsets = mine(&baskets, &ItemsetSettings { max_length: longest, ..from(count) }).unwrap();
        let mut expected: Vec<(Vec<u32>, u32)> = (1..512)
            .map(subset)
            .filter(|set| set.len() <= longest.unwrap_or(9))
            .map(|set| (set.clone(), holding(&baskets, &set)))
            .filter(|&(_, found)| found >= count)
            .collect();
        expected.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then(a.cmp(b)));
        prop_assert_eq!(table(&itemsets), expected);
    }

    /// The count that the error names is the smallest with few enough itemsets.
    #[test]
    fn the_named_support_is_the_smallest(baskets in baskets(), most in 1..60usize) {
        let sets = (1..512).map(|mask| holding(&baskets, &subset(mask))).filter(|&count| count > 0);
        let counts: Vec<u32> = sets.collect();
        let enough = (1..).find(|&from| counts.iter().filter(|&&count| count >= from).count() <= most).unwrap();
        match mine(&baskets, &ItemsetSettings { max_itemsets: most, ..from(1) }) {
            Ok(itemsets) => prop_assert!(enough == 1 && itemsets.len() == counts.len()),
            Err(Error::ManyItemsets { enough: named, .. }) => prop_assert_eq!(named, enough),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    /// Every ordered pair of disjoint sets is judged from its counts alone.
    #[test]
    fn rules_equal_counting(
        baskets in proptest::collection::vec(proptest::collection::vec(0..5u32, 0..6), 1..20), count in 1..4u32,
        confidence in 0..5u8, lift in 0..3u8, longest in proptest::option::of(1..3usize),
    ) {
        let (min_confidence, min_lift) = (f64::from(confidence) / 4.0, f64::from(lift) * 0.75);
        let settings =
            RuleSettings { min_confidence, min_lift, max_consequent: longest, ..Default::default() };
        let itemsets = mine(&baskets, &from(count)).unwrap();
        let found: BTreeMap<(Vec<u32>, Vec<u32>), f64> = association_rules(&itemsets, &settings)
            .unwrap()
            .into_iter()
            .map(|rule| ((rule.antecedent, rule.consequent), rule.leverage))
            .collect();
        let n = baskets.len() as f64;
        let mut expected = BTreeMap::new();
        for (a, c) in (1..32u32).flat_map(|a| (1..32u32).map(move |c| (a, c))).filter(|(a, c)| a & c == 0) {
            let [with_a, with_c, both] = [a, c, a | c].map(|mask| f64::from(holding(&baskets, &subset(mask))));
            let short = c.count_ones() as usize <= longest.unwrap_or(5);
            let frequent = both >= f64::from(count) && short;
            if frequent && both / with_a >= min_confidence && both * n / (with_a * with_c) >= min_lift {
                expected.insert((subset(a), subset(c)), both / n - with_a * with_c / n / n);
            }
        }
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (key, leverage) in &found {
            prop_assert!((leverage - expected[key]).abs() < 1e-12);
        }
    }

    /// Every pair of items is looked for in every pair of a customer's purchases.
    #[test]
    fn sequential_rules_equal_looking_at_all_pairs(
        mut rows in proptest::collection::vec((0..6u64, -10..10i32, 0..5u32), 1..60), within in 1..12i32,
        count in 1..4u32, confidence in 0..4u8, lift in 0..3u8,
    ) {
        rows.sort_by_key(|row| (row.0, row.1));
        let columns: (Vec<u64>, Vec<i32>, Vec<u32>) =
            (rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1).collect(), rows.iter().map(|r| r.2).collect());
        let settings = SequentialSettings {
            within_days: within as u32,
            min_support: MinSupport::Count(count),
            min_confidence: f64::from(confidence) / 4.0,
            min_lift: f64::from(lift) / 2.0,
            ..Default::default()
        };
        let purchases = Purchases { customers: &columns.0, days: &columns.1, items: &columns.2 };
        let found = sequential_rules(&purchases, &settings).unwrap();

        let rows: BTreeSet<Row> = rows.into_iter().collect();
        let customers: BTreeSet<u64> = rows.iter().map(|r| r.0).collect();
        let n = customers.len() as f64;
        let buyers = |item: u32| {
            rows.iter().filter(|r| r.2 == item).map(|r| r.0).collect::<BTreeSet<u64>>().len() as f64
        };
        let mut expected = Vec::new();
        for (a, b) in (0..5).flat_map(|a| (0..5).map(move |b| (a, b))) {
            let mut gaps: Vec<i32> = customers.iter().filter_map(|&c| gap(&rows, c, a, b, within)).collect();
            gaps.sort_unstable();
            let both = gaps.len() as f64;
            let (confidence, lift) = (both / buyers(a), both * n / (buyers(a) * buyers(b)));
            if gaps.len() >= count as usize && confidence >= settings.min_confidence && lift >= settings.min_lift {
                let middle = |i: usize| f64::from(gaps[i]);
                expected.push(SequentialRule {
                    antecedent: a,
                    consequent: b,
                    customers: gaps.len() as u32,
                    support: both / n,
                    confidence,
                    lift,
                    median_gap: (middle((gaps.len() - 1) / 2) + middle(gaps.len() / 2)) / 2.0,
                });
            }
        }
        prop_assert_eq!(found, expected);
    }
}
