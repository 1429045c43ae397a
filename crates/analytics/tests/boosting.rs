//! Boosted trees against LightGBM, and against trying every split.

use crate::support::{assert_close, numbers, oracle};
use analytics::Error;
use analytics::boosting::{Boosting, BoostingSettings, Examples, Loss};
use proptest::prelude::*;

/// `boosting.csv`: three columns with few values, some unknown; a label and a number; LightGBM 4.7's predictions of both
/// after twenty trees of seven leaves. LightGBM keeps gradients as 32-bit numbers, and guesses the rows of a leaf from second
/// derivatives, so that leaves of any size are allowed here.
#[test]
fn predictions_equal_lightgbm() {
    let rows: Vec<Vec<f64>> = oracle("boosting.csv").iter().map(|row| numbers(row)).collect();
    assert!(rows.len() >= 600);
    let x: Vec<f64> = (0..3).flat_map(|column| rows.iter().map(move |row| row[column])).collect();
    let settings = BoostingSettings { leaves: 7, leaf_rows: 1, trees: 20, ..BoostingSettings::default() };
    for (loss, target, expected) in [(Loss::Log, 3, 5), (Loss::Squared, 4, 6)] {
        let y: Vec<f64> = rows.iter().map(|row| row[target]).collect();
        let examples = Examples { x: &x, y: &y };
        let model = Boosting::fit(&examples, &examples, loss, &settings).unwrap();
        assert_eq!(model.trees(), 20);
        for (found, row) in model.predict(&x).unwrap().iter().zip(&rows) {
            assert_close("prediction", *found, row[expected], 1e-5);
        }
    }
}

/// The least squared error of any split of one column into two leaves, unknown values on either side.
fn best_split(x: &[f64], y: &[f64], leaf_rows: usize) -> f64 {
    let error = |rows: Vec<f64>| {
        let mean = rows.iter().sum::<f64>() / rows.len().max(1) as f64;
        rows.iter().map(|y| (y - mean).powi(2)).sum::<f64>()
    };
    let mut best = error(y.to_vec());
    for threshold in x.iter().filter(|x| !x.is_nan()) {
        for is_missing_left in [false, true] {
            let is_left = |x: &f64| if x.is_nan() { is_missing_left } else { x <= threshold };
            let side = |left: bool| -> Vec<f64> {
                x.iter().zip(y).filter(|(x, _)| is_left(x) == left).map(|(_, y)| *y).collect()
            };
            let (left, right) = (side(true), side(false));
            if left.len().min(right.len()) >= leaf_rows {
                best = best.min(error(left) + error(right));
            }
        }
    }
    best
}

fn cells() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
    let value = || prop_oneof![1 => Just(f64::NAN), 5 => (-5i32..5).prop_map(f64::from)];
    prop::collection::vec((value(), value(), -20.0..20.0f64), 4..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn one_split_is_the_best_there_is(cells in cells(), leaf_rows in 1u32..4) {
        let y: Vec<f64> = cells.iter().map(|cell| cell.2).collect();
        let columns: [Vec<f64>; 2] = [cells.iter().map(|c| c.0).collect(), cells.iter().map(|c| c.1).collect()];
        let x = columns.concat();
        let settings = BoostingSettings { leaves: 2, learning_rate: 1.0, leaf_rows, trees: 1, ..BoostingSettings::default() };
        let examples = Examples { x: &x, y: &y };
        let predicted = Boosting::fit(&examples, &examples, Loss::Squared, &settings).unwrap().predict(&x).unwrap();
        let error: f64 = predicted.iter().zip(&y).map(|(p, y)| (p - y).powi(2)).sum();
        let best = columns.iter().map(|x| best_split(x, &y, leaf_rows as usize)).fold(f64::INFINITY, f64::min);
        prop_assert!((error - best).abs() <= 1e-9 * (1.0 + best), "{error} is not {best}");
    }
}

/// Of more values than bins, and on rows that it has not seen.
#[test]
fn trees_stop_where_new_rows_are_predicted_best() {
    let noise = |i: u32, salt: u32| f64::from((i ^ salt).wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
    let make = |from: u32| {
        let rows = from..from + 4000;
        let x: Vec<f64> = [1, 2].iter().flat_map(|salt| rows.clone().map(move |i| noise(i, salt * 77_777))).collect();
        let y = (0..4000).map(|i| 3.0 * (x[i] > 0.5) as u8 as f64 + x[4000 + i] + noise(from + i as u32, 999) - 0.5);
        (y.collect::<Vec<f64>>(), x)
    };
    let ((y, x), (valid_y, valid_x)) = (make(0), make(4000));
    let settings = BoostingSettings::default();
    let train = Examples { x: &x, y: &y };
    let model = Boosting::fit(&train, &Examples { x: &valid_x, y: &valid_y }, Loss::Squared, &settings).unwrap();
    assert!(model.trees() < settings.trees, "{} trees", model.trees());
    let error: f64 =
        model.predict(&valid_x).unwrap().iter().zip(&valid_y).map(|(p, y)| (p - y).powi(2)).sum::<f64>() / 4000.0;
    // The noise is uniform on one: its variance is 1/12.
    assert!(error < 1.1 / 12.0, "{error}");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let alone =
        pool.install(|| Boosting::fit(&train, &Examples { x: &valid_x, y: &valid_y }, Loss::Squared, &settings));
    assert_eq!(alone.unwrap(), model);
}

#[test]
fn bad_rows_are_named() {
    let fit = |x: &[f64], y: &[f64], loss| {
        let examples = Examples { x, y };
        Boosting::fit(&examples, &examples, loss, &BoostingSettings::default()).unwrap_err()
    };
    assert!(matches!(fit(&[], &[], Loss::Log), Error::Empty { .. }));
    assert!(matches!(fit(&[], &[1.0], Loss::Log), Error::Empty { .. }));
    assert!(matches!(fit(&[1.0, 2.0, 3.0], &[1.0, 0.0], Loss::Log), Error::Length { .. }));
    let infinite = fit(&[1.0, 2.0, 3.0, f64::INFINITY], &[1.0, 0.0], Loss::Log);
    assert!(matches!(infinite, Error::Cell { row: 1, column: 1, .. }), "{infinite}");
    assert!(matches!(fit(&[1.0, 2.0], &[1.0, 0.5], Loss::Log), Error::Value { row: 1, .. }));
    assert!(matches!(fit(&[1.0, 2.0], &[f64::NAN, 0.5], Loss::Squared), Error::Value { row: 0, .. }));
    assert!(matches!(fit(&[1.0, 2.0], &[1.0, 1.0], Loss::Log), Error::OneClass { .. }));
    // Nothing to split by: everybody's mean.
    let (x, y) = ([f64::NAN, f64::NAN], [1.0, 3.0]);
    let examples = Examples { x: &x, y: &y };
    let model = Boosting::fit(&examples, &examples, Loss::Squared, &BoostingSettings::default()).unwrap();
    assert_eq!(model.predict(&x).unwrap(), [2.0, 2.0]);
}
