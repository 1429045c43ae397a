//! Gains tables against brute force, in which ties are shared out row by row, and a table by hand.

use crate::support::assert_close;
use analytics::Error;
use analytics::deciles::deciles;
use analytics::metrics::{calibration_error, top_decile_lift, top_decile_precision};
use proptest::prelude::*;

/// Ten customers with the predictions 10, 9, … 1, of whom the first two spent 30 and 10.
#[test]
fn a_table_by_hand() {
    let predicted: Vec<f64> = (1..=10).rev().map(f64::from).collect();
    let actual = [30.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let table = deciles(&actual, &predicted).unwrap();
    assert_eq!(table.len(), 10);
    let first = (table[0].decile, table[0].rows, table[0].mean_predicted, table[0].mean_actual);
    assert_eq!(first, (1, 1, 10.0, 30.0));
    assert_eq!((table[0].lift, table[0].gains), (Some(7.5), Some(0.75)));
    assert_eq!((table[1].lift, table[1].gains), (Some(2.5), Some(1.0)));
    assert_eq!((table[9].decile, table[9].mean_predicted, table[9].lift), (10, 1.0, Some(0.0)));
}

#[test]
fn few_rows_are_few_deciles_and_a_total_of_nothing_has_no_lift() {
    let table = deciles(&[0.0, 0.0, 0.0], &[1.0, 2.0, 3.0]).unwrap();
    assert_eq!(table.iter().map(|d| d.rows).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(table.iter().all(|d| d.lift.is_none() && d.gains.is_none()));
    assert_eq!(deciles(&[], &[]), Err(Error::Empty { what: "deciles" }));
    assert!(matches!(deciles(&[1.0], &[]), Err(Error::Length { .. })));
    assert!(matches!(deciles(&[1.0, f64::NAN], &[1.0, 2.0]), Err(Error::Value { row: 1, .. })));
}

/// Rows in ascending order, each with its prediction and the mean actual value of all rows of that prediction.
fn shared(actual: &[f64], predicted: &[f64]) -> Vec<(f64, f64)> {
    let mean = |p: f64| {
        let tied: Vec<f64> = actual.iter().zip(predicted).filter(|(_, q)| **q == p).map(|(a, _)| *a).collect();
        tied.iter().sum::<f64>() / tied.len() as f64
    };
    let mut rows: Vec<(f64, f64)> = predicted.iter().map(|&p| (p, mean(p))).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows
}

proptest! {
    #[test]
    fn ties_are_shared_evenly(rows in proptest::collection::vec((0..6u8, 0..9u8), 1..80)) {
        let (actual, predicted): (Vec<f64>, Vec<f64>) =
            rows.iter().map(|&(a, p)| (f64::from(a), f64::from(p) / 8.0)).unzip();
        let sorted = shared(&actual, &predicted);
        let n = sorted.len();
        let cut = |k: usize| &sorted[n * k / 10..n * (k + 1) / 10];
        let cuts: Vec<&[(f64, f64)]> = (0..10).rev().map(cut).filter(|cut| !cut.is_empty()).collect();
        let table = deciles(&actual, &predicted).unwrap();
        prop_assert_eq!(table.len(), cuts.len());
        let total: f64 = actual.iter().sum();
        let mut so_far = 0.0;
        for (row, cut) in table.iter().zip(&cuts) {
            let sum = |of: fn(&(f64, f64)) -> f64| cut.iter().map(of).sum::<f64>();
            so_far += sum(|r| r.1);
            prop_assert_eq!(row.rows, cut.len());
            assert_close("predicted", row.mean_predicted, sum(|r| r.0) / cut.len() as f64, 1e-9);
            assert_close("actual", row.mean_actual, sum(|r| r.1) / cut.len() as f64, 1e-9);
            prop_assert_eq!(row.gains.is_some(), total > 0.0);
            if let (Some(lift), Some(gains)) = (row.lift, row.gains) {
                assert_close("lift", lift, sum(|r| r.1) / cut.len() as f64 / (total / n as f64), 1e-9);
                assert_close("gains", gains, so_far / total, 1e-9);
            }
        }
    }

    /// The metrics are the table's: the top decile's share and lift, and the mean gap between what was said and what was.
    #[test]
    fn metrics_and_table_agree(rows in proptest::collection::vec((any::<bool>(), 0..9u8), 1..80)) {
        let (labels, predicted): (Vec<bool>, Vec<f64>) = rows.iter().map(|&(y, p)| (y, f64::from(p) / 8.0)).unzip();
        let actual: Vec<f64> = labels.iter().map(|&y| f64::from(u8::from(y))).collect();
        let table = deciles(&actual, &predicted).unwrap();
        let gap: f64 = table.iter().map(|d| d.rows as f64 * (d.mean_actual - d.mean_predicted).abs()).sum();
        let precision = top_decile_precision(&labels, &predicted).unwrap();
        assert_close("calibration", calibration_error(&labels, &predicted).unwrap(), gap / labels.len() as f64, 1e-9);
        assert_close("precision", precision, table[0].mean_actual, 1e-9);
        match (top_decile_lift(&labels, &predicted), table[0].lift) {
            (Ok(found), Some(expected)) => assert_close("lift", found, expected, 1e-9),
            (found, expected) => prop_assert!(found.is_err() && expected.is_none()),
        }
    }
}
