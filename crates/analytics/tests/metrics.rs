//! Metrics against scikit-learn and scipy (`tests/data/make_oracles.py`), brute force, and hand-computed numbers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{assert_close, numbers, oracle};
use analytics::metrics::{
    METRICS, NOT_RANKED, Prepare, auc, average_precision, brier, calibration_error, f1, hit_rate, log_loss, mae,
    metric, mrr, ndcg, normalised_gini, pearson, poisson_deviance, precision, recall, rmse, spearman, top_decile_lift,
    top_decile_precision,
};
use analytics::{Error, Statistic};
use proptest::prelude::*;

#[test]
fn metrics_equal_scikit_learn() {
    let rows: Vec<Vec<f64>> = oracle("metric_rows.csv").iter().map(|row| numbers(row)).collect();
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<f64>>();
    let labels: Vec<bool> = column(0).iter().map(|&y| y == 1.0).collect();
    let (score, probability, actual, predicted) = (column(1), column(2), column(3), column(4));
    let distinct = |values: &[f64], factor: f64| -> Vec<f64> {
        values.iter().zip(0..).map(|(value, row)| factor * value + 1e-4 * f64::from(row)).collect()
    };
    let ranks = [1, 2, 3, 7, 10, 11, 400];
    let oracles = oracle("metrics.csv");
    assert_eq!(oracles.len(), 14);
    for row in &oracles {
        let found = match row[0].as_str() {
            "auc" => auc(&labels, &score),
            "average_precision" => average_precision(&labels, &score),
            "log_loss" => log_loss(&labels, &probability),
            "brier" => brier(&labels, &probability),
            "mae" => mae(&actual, &predicted),
            "rmse" => rmse(&actual, &predicted),
            "pearson" => pearson(&actual, &predicted),
            "poisson_deviance" => poisson_deviance(&actual, &predicted.iter().map(|mu| mu + 1.0).collect::<Vec<_>>()),
            "spearman" => spearman(&actual, &predicted),
            "normalised_gini" => normalised_gini(&actual, &predicted),
            "calibration_error" => calibration_error(&labels, &distinct(&probability, 0.99)),
            "top_decile_precision" => top_decile_precision(&labels, &distinct(&score, 1.0)),
            "top_decile_lift" => top_decile_lift(&labels, &distinct(&score, 1.0)),
            "ndcg@10" => ndcg(&ranks, 10),
            other => panic!("no function for {other}"),
        };
        assert_close(&row[0], found.unwrap(), row[1].parse().unwrap(), 1e-12);
    }
}

#[test]
fn ranks_by_hand() {
    let ranks = [1, 3, 11, NOT_RANKED];
    assert_eq!(hit_rate(&ranks, 10), Ok(0.5));
    assert_eq!(mrr(&ranks, 10), Ok((1.0 + 1.0 / 3.0) / 4.0));
    assert_eq!(ndcg(&ranks, 10), Ok((1.0 + 0.5) / 4.0));
    assert_eq!(hit_rate(&ranks, u32::MAX), Ok(0.75));
    assert!(matches!(hit_rate(&[1, 0], 10), Err(Error::Value { what: "rank", row: 1, .. })));
    assert!(matches!(hit_rate(&[1], 0), Err(Error::Setting { name: "k", .. })));
    assert_eq!(hit_rate(&[], 10), Err(Error::Empty { what: "hit_rate" }));
}

#[test]
fn a_perfect_ranking_has_gini_one_and_a_reversed_one_minus_one() {
    let actual = [0.0, 0.0, 5.0, 20.0];
    assert_eq!(normalised_gini(&actual, &actual), Ok(1.0));
    let reversed = actual.map(|a| -a);
    assert_close("reversed", normalised_gini(&actual, &reversed).unwrap(), -1.0, 1e-12);
    assert_close("no ranking", normalised_gini(&actual, &[1.0; 4]).unwrap(), 0.0, 1e-12);
}

#[test]
fn what_has_no_value_is_an_error() {
    assert_eq!(auc(&[true; 3], &[0.1, 0.2, 0.3]), Err(Error::OneClass { what: "auc", rows: 3, label: true }));
    assert_eq!(auc(&[], &[]), Err(Error::Empty { what: "auc" }));
    assert!(matches!(auc(&[true, false], &[0.1]), Err(Error::Length { expected: 2, found: 1, .. })));
    assert!(matches!(auc(&[true, false], &[0.1, f64::NAN]), Err(Error::Value { row: 1, .. })));
    assert!(matches!(log_loss(&[true, false], &[0.1, 1.5]), Err(Error::Value { row: 1, value: 1.5, .. })));
    assert!(matches!(brier(&[true], &[-0.1]), Err(Error::Value { row: 0, .. })));
    assert!(matches!(calibration_error(&[true, false], &[0.1, 1.5]), Err(Error::Value { row: 1, value: 1.5, .. })));
    assert!(matches!(top_decile_lift(&[false; 3], &[0.1; 3]), Err(Error::Undefined { metric: "top_decile_lift", .. })));
    assert!(matches!(top_decile_precision(&[true], &[f64::NAN]), Err(Error::Value { row: 0, .. })));
    assert!(matches!(pearson(&[1.0, 2.0], &[0.1, 0.1]), Err(Error::Undefined { metric: "pearson", .. })));
    assert!(matches!(spearman(&[1.1; 9], &[0.1; 9]), Err(Error::Undefined { metric: "spearman", .. })));
    assert!(matches!(normalised_gini(&[0.0; 9], &[0.1; 9]), Err(Error::Undefined { .. })));
    assert!(matches!(normalised_gini(&[0.7; 9], &[0.1; 9]), Err(Error::Undefined { .. })));
    assert!(matches!(mae(&[f64::INFINITY], &[0.0]), Err(Error::Value { row: 0, .. })));
    assert!(matches!(poisson_deviance(&[0.0, -1.0], &[1.0; 2]), Err(Error::Value { row: 1, value: -1.0, .. })));
    assert!(matches!(poisson_deviance(&[0.0; 2], &[1.0, 0.0]), Err(Error::Value { row: 1, value: 0.0, .. })));
}

/// A sure mistake costs −ln of the machine epsilon.
#[test]
fn log_loss_is_finite() {
    assert_close("sure mistake", log_loss(&[true, false], &[0.0, 1.0]).unwrap(), -f64::EPSILON.ln(), 1e-9);
}

/// One file, one list entry, one name.
#[test]
fn the_list_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics");
    let names =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let files: BTreeSet<String> = names.filter(|name| name != "mod").collect();
    let listed: BTreeSet<String> = METRICS.iter().map(|m| m.name.to_owned()).collect();
    assert_eq!(files, listed);
    assert!(METRICS.windows(2).all(|pair| pair[0].name < pair[1].name));
}

/// `higher_is_better` is true of exactly the metrics that a perfect prediction makes larger than a bad one.
#[test]
fn directions_are_right() {
    for m in &METRICS {
        let [good, bad] = match m.prepare {
            Prepare::Labels(of) => [[0.9, 0.1, 0.2], [0.3, 0.8, 0.6]].map(|p| of(&[true, false, false], &p)),
            Prepare::Decisions(of) => [[0.9, 0.1, 0.6], [0.3, 0.8, 0.6]].map(|p| of(&[true, false, true], &p, 0.5)),
            Prepare::Values(of) => [[1.0, 2.1, 4.0], [3.0, 2.0, 1.0]].map(|p| of(&[1.0, 2.0, 4.0], &p)),
            Prepare::Ranks(of) => [[1, 2, 1], [9, 11, 12]].map(|ranks| of(&ranks, 10)),
        };
        let (good, bad) = (good.unwrap().value().unwrap(), bad.unwrap().value().unwrap());
        assert_eq!(m.higher_is_better, good > bad, "{}: {good} and {bad}", m.name);
        assert_eq!(metric(m.name).unwrap().unit, m.unit);
    }
}

/// Coarse numbers, so that ties are frequent.
fn values() -> impl Strategy<Value = Vec<(bool, f64, f64, u32)>> {
    proptest::collection::vec(
        (any::<bool>(), (0..8u8).prop_map(f64::from), (0..8u8).prop_map(f64::from), 0..4u32),
        1..40,
    )
}

proptest! {
    #[test]
    fn decisions_are_counted(rows in values(), threshold in 0..9u8) {
        let (labels, scores): (Vec<bool>, Vec<f64>) = rows.iter().map(|r| (r.0, r.1)).unzip();
        let threshold = f64::from(threshold);
        let count = |called: bool, happened: bool| {
            rows.iter().filter(|r| (r.1 >= threshold) == called && r.0 == happened).count() as f64
        };
        let [right, wrong, missed] = [count(true, true), count(true, false), count(false, true)];
        let check = |found: analytics::Result<f64>, above: f64, below: f64| match found {
            Ok(found) => (found - above / below).abs() < 1e-12,
            Err(_) => below == 0.0,
        };
        prop_assert!(check(precision(&labels, &scores, threshold), right, right + wrong));
        prop_assert!(check(recall(&labels, &scores, threshold), right, right + missed));
        // By its other definition.
        let (p, r) = (right / (right + wrong), right / (right + missed));
        match f1(&labels, &scores, threshold) {
            Ok(found) if right > 0.0 => prop_assert!((found - 2.0 * p * r / (p + r)).abs() < 1e-12),
            Ok(found) => prop_assert_eq!(found, 0.0),
            Err(_) => prop_assert_eq!(right + wrong + missed, 0.0),
        }
    }

    #[test]
    fn auc_counts_pairs(rows in values()) {
        let (labels, scores): (Vec<bool>, Vec<f64>) = rows.iter().map(|r| (r.0, r.1)).unzip();
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (y, s) in labels.iter().zip(&scores).filter(|(y, _)| **y) {
            for (z, t) in labels.iter().zip(&scores).filter(|(z, _)| *z != y) {
                prop_assert!(!z);
                pairs += 1.0;
                sum += if s > t { 1.0 } else if s == t { 0.5 } else { 0.0 };
            }
        }
        match auc(&labels, &scores) {
            Ok(found) => prop_assert!((found - sum / pairs).abs() < 1e-12),
            Err(_) => prop_assert_eq!(pairs, 0.0),
        }
    }

    #[test]
    fn spearman_is_pearson_of_ranks(rows in values()) {
        let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.1, r.2)).unzip();
        let rank = |values: &[f64]| -> Vec<f64> {
            let count = |f: &dyn Fn(&f64) -> bool| values.iter().filter(|v| f(v)).count() as f64;
            values.iter().map(|v| count(&|w| w < v) + (count(&|w| w == v) + 1.0) / 2.0).collect()
        };
        match (spearman(&a, &b), pearson(&rank(&a), &rank(&b))) {
            (Ok(found), Ok(expected)) => prop_assert!((found - expected).abs() < 1e-12),
            (found, expected) => prop_assert!(found.is_err() && expected.is_err()),
        }
    }

    /// A row of weight w is w equal rows, for every metric.
    #[test]
    fn weights_are_repetitions(rows in values()) {
        let weights: Vec<u32> = rows.iter().map(|r| r.3).collect();
        let repeated: Vec<_> = rows.iter().flat_map(|r| std::iter::repeat_n(*r, r.3 as usize)).collect();
        for m in &METRICS {
            let of = |rows: &[(bool, f64, f64, u32)]| {
                let labels: Vec<bool> = rows.iter().map(|r| r.0).collect();
                let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.1 / 8.0, r.2)).unzip();
                let ranks: Vec<u32> = rows.iter().map(|r| r.1 as u32 + 1).collect();
                match m.prepare {
                    Prepare::Labels(of) => of(&labels, &a),
                    Prepare::Decisions(of) => of(&labels, &a, 0.5),
                    Prepare::Values(of) => of(&a, &b),
                    Prepare::Ranks(of) => of(&ranks, 3),
                }
            };
            let Ok(weighted) = of(&rows) else { continue };
            match (weighted.weighted(&weights), of(&repeated).ok().and_then(|s| s.value())) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-9, "{}: {found} {expected}", m.name),
                (found, expected) => prop_assert_eq!(found, expected, "{}", m.name),
            }
        }
    }

    /// No metric depends on the order of rows, ties or not.
    #[test]
    fn order_of_rows_does_not_matter(rows in values()) {
        let mut reversed = rows.clone();
        reversed.reverse();
        let split = |rows: &[(bool, f64, f64, u32)]| -> (Vec<bool>, Vec<f64>, Vec<f64>) {
            (rows.iter().map(|r| r.0).collect(), rows.iter().map(|r| r.1 / 8.0).collect(), rows.iter().map(|r| r.2).collect())
        };
        let ((y, a, b), (z, c, d)) = (split(&rows), split(&reversed));
        for (one, other) in [
            (average_precision(&y, &a), average_precision(&z, &c)),
            (normalised_gini(&a, &b), normalised_gini(&c, &d)),
            (calibration_error(&y, &a), calibration_error(&z, &c)),
            (top_decile_lift(&y, &a), top_decile_lift(&z, &c)),
        ] {
            match (one, other) {
                (Ok(one), Ok(other)) => prop_assert!((one - other).abs() < 1e-12),
                (one, other) => prop_assert_eq!(one.is_err(), other.is_err()),
            }
        }
    }
}
