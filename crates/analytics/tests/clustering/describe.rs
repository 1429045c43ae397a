//! Rules against scikit-learn's decision tree, and what each rule says about itself.

use super::{on_threads, rows};
use crate::support::{assert_close, oracle};
use analytics::Error;
use analytics::clustering::describe::{Condition, Describe, Rule};
use proptest::prelude::*;

fn satisfies(row: &[f64], rule: &Rule) -> bool {
    rule.conditions.iter().all(|c| (row[c.column] <= c.threshold) == c.is_at_most)
}

/// `2<=3.23 1>-2.7` of the oracle file; scikit-learn reads its columns in single precision.
fn is_condition(found: &Condition, text: &str) -> bool {
    let (column, rest) = text.split_at(1);
    let threshold: f64 = rest.trim_start_matches(['<', '>', '=']).parse().unwrap();
    found.column == column.parse::<usize>().unwrap()
        && found.is_at_most == rest.starts_with("<=")
        && (found.threshold - threshold).abs() < 1e-6
}

#[test]
fn leaves_equal_scikit_learn() {
    let (x, answers) = rows();
    let labels: Vec<u32> = answers.iter().map(|a| a[0] as u32).collect();
    let found = Describe { max_depth: 4, min_leaf_rows: 5 }.fit(&x, 3, &labels).unwrap();
    let oracles = oracle("tree_leaves.csv");
    assert_eq!(found.clusters.iter().map(|c| c.rules.len()).sum::<usize>(), oracles.len());
    let mut right = 0.0;
    for leaf in &oracles {
        let number = |i: usize| leaf[i].parse::<f64>().unwrap();
        let cluster = &found.clusters[number(2) as usize];
        let conditions: Vec<&str> = leaf[0].split(' ').collect();
        let same = |rule: &&Rule| {
            rule.conditions.len() == conditions.len()
                && conditions.iter().all(|text| rule.conditions.iter().any(|c| is_condition(c, text)))
        };
        let rule = cluster.rules.iter().find(same).unwrap_or_else(|| panic!("no rule {leaf:?} in {cluster:?}"));
        assert_eq!(rule.rows as f64, number(1));
        assert_close("purity", rule.purity, number(3) / number(1), 1e-15);
        assert_close("coverage", rule.coverage, number(3) / cluster.rows as f64, 1e-15);
        right += number(3);
    }
    assert_close("accuracy", found.accuracy, right / 250.0, 1e-15);
}

#[test]
fn a_range_is_two_conditions_and_the_middle_of_a_gap_the_threshold() {
    let x = [1.0, 2.0, 10.0, 11.0, 14.0, 15.0];
    let found = Describe { max_depth: 5, min_leaf_rows: 1 }.fit(&x, 1, &[4, 4, 9, 9, 4, 4]).unwrap();
    assert_eq!(found.accuracy, 1.0);
    let at = |is_at_most, threshold| Condition { column: 0, is_at_most, threshold };
    let mut range = found.clusters[1].rules[0].conditions.clone();
    range.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
    assert_eq!(range, [at(false, 6.0), at(true, 12.5)]);
    assert_eq!(found.clusters[0].rules.iter().map(|r| r.coverage).collect::<Vec<_>>(), [0.5, 0.5]);
}

#[test]
fn nothing_to_tell_apart_is_one_rule_without_conditions() {
    for (x, labels) in [(vec![1.0; 6], vec![0, 1, 1, 1, 0, 1]), (vec![1.0], vec![3]), (vec![1.0, 2.0], vec![0, 0])] {
        let found = Describe { max_depth: 3, min_leaf_rows: 1 }.fit(&x, 1, &labels).unwrap();
        let rules: Vec<&Rule> = found.clusters.iter().flat_map(|c| &c.rules).collect();
        assert_eq!((rules.len(), rules[0].conditions.len(), rules[0].coverage), (1, 0, 1.0));
    }
    let flat = Describe { max_depth: 0, ..Describe::default() }.fit(&[1.0, 2.0], 1, &[0, 1]).unwrap();
    assert_eq!((flat.accuracy, flat.clusters[1].rules.len()), (0.5, 0));
    let beside = [1.0, f64::from_bits(1f64.to_bits() + 1)];
    assert_eq!(Describe { max_depth: 1, min_leaf_rows: 1 }.fit(&beside, 1, &[0, 1]).unwrap().accuracy, 1.0);
}

#[test]
fn errors_say_what_is_wrong() {
    let describe = Describe::default();
    assert_eq!(describe.fit(&[], 1, &[]), Err(Error::Empty { what: "x" }));
    assert!(matches!(describe.fit(&[1.0; 4], 2, &[0]), Err(Error::Length { what: "labels", .. })));
    assert!(matches!(describe.fit(&[1.0, f64::NAN], 1, &[0, 1]), Err(Error::Cell { row: 1, column: 0, .. })));
    let none = Describe { min_leaf_rows: 0, ..describe };
    assert!(matches!(none.fit(&[1.0], 1, &[0]), Err(Error::Setting { name: "min_leaf_rows", .. })));
}

proptest! {
    /// Each row satisfies one rule, and rows, coverage and purity are those of the rows that do.
    #[test]
    fn rules_say_the_truth_about_themselves(
        rows in proptest::collection::vec((-9..9i32, -9.0..9.0f64, 0..4u32), 1..80), max_depth in 0..5usize, leaf in 1..6usize,
    ) {
        let x: Vec<f64> = rows.iter().flat_map(|r| [f64::from(r.0), r.1]).collect();
        let labels: Vec<u32> = rows.iter().map(|r| r.2).collect();
        let describe = Describe { max_depth, min_leaf_rows: leaf };
        let found = describe.fit(&x, 2, &labels).unwrap();
        prop_assert_eq!(&on_threads(1, || describe.fit(&x, 2, &labels).unwrap()), &found);
        for row in x.chunks(2) {
            prop_assert_eq!(found.clusters.iter().flat_map(|c| &c.rules).filter(|rule| satisfies(row, rule)).count(), 1);
        }
        let again = found.predict(&x, 2).unwrap();
        let right = again.iter().zip(&labels).filter(|(again, label)| again == label).count() as f64;
        prop_assert_eq!(right / labels.len() as f64, found.accuracy);
        for cluster in &found.clusters {
            prop_assert_eq!(labels.iter().filter(|l| **l == cluster.label).count(), cluster.rows);
            for rule in &cluster.rules {
                let inside: Vec<u32> =
                    x.chunks(2).zip(&labels).filter(|(row, _)| satisfies(row, rule)).map(|(_, l)| *l).collect();
                let own = inside.iter().filter(|l| **l == cluster.label).count() as f64;
                prop_assert_eq!(inside.len(), rule.rows);
                prop_assert_eq!((own / cluster.rows as f64, own / rule.rows as f64), (rule.coverage, rule.purity));
                prop_assert!(rule.conditions.len() <= max_depth && (rule.rows >= leaf || rule.conditions.is_empty()));
            }
        }
    }
}
