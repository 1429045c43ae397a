//! Logistic regression against scikit-learn and its own optimality conditions.

use crate::support::{assert_close, numbers, oracle};
use analytics::Error;
use analytics::logistic::Logistic;
use proptest::prelude::*;

/// `logistic.csv`: scikit-learn with C = 1/l2 on standardised columns, brought back to the columns' units.
#[test]
fn coefficients_equal_scikit_learn() {
    let rows: Vec<Vec<f64>> = oracle("metric_rows.csv").iter().map(|row| numbers(row)).collect();
    let x: Vec<f64> = rows.iter().flat_map(|r| [r[1], r[2] * 100.0, 3.0, r[3]]).collect();
    let y: Vec<bool> = rows.iter().map(|r| r[0] == 1.0).collect();
    let oracles = oracle("logistic.csv");
    assert_eq!(oracles.len(), 2);
    for row in &oracles {
        let expected = numbers(row);
        let model = Logistic::fit(&x, 4, &y, expected[0]).unwrap();
        assert_close("intercept", model.intercept, expected[1], 1e-6);
        for (found, expected) in model.coefficients.iter().zip(&expected[2..]) {
            assert_close("coefficient", *found, *expected, 1e-6);
        }
        assert_eq!(model.coefficients[2], 0.0, "a constant column has no say");
    }
}

#[test]
fn separable_and_extreme_data_end_finite() {
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let y: Vec<bool> = (0..100).map(|i| i >= 50).collect();
    let model = Logistic::fit(&x, 1, &y, 1e-6).unwrap();
    let p = model.predict(&x).unwrap();
    assert!(model.coefficients[0].is_finite() && p[49] < 0.01 && p[50] > 0.99, "{model:?}");
    let huge: Vec<f64> = x.iter().map(|v| (v - 50.0) * 1e12 + 1e15).collect();
    let model = Logistic::fit(&huge, 1, &y, 1.0).unwrap();
    assert!(model.predict(&huge).unwrap().iter().all(|p| p.is_finite()));
    let rare: Vec<bool> = (0..100).map(|i| i == 99).collect();
    assert!(Logistic::fit(&x, 1, &rare, 1.0).unwrap().coefficients[0] > 0.0);
}

#[test]
fn threads_do_not_change_a_bit() {
    let x: Vec<f64> = (0..30_000u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) % 1000)).collect();
    let y: Vec<bool> = x.chunks(3).map(|row| row[0] + row[1] / 2.0 > 700.0 + row[2] / 10.0).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Logistic::fit(&x, 3, &y, 1.0).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_copied_column_shares_its_coefficient() {
    let x: Vec<f64> = (0..40).flat_map(|i| [f64::from(i * 7 % 13), f64::from(i * 7 % 13)]).collect();
    let y: Vec<bool> = (0..40).map(|i| i * 7 % 13 + i % 5 > 8).collect();
    let model = Logistic::fit(&x, 2, &y, 0.5).unwrap();
    assert_close("coefficients", model.coefficients[0], model.coefficients[1], 1e-9);
}

#[test]
fn errors_name_the_row() {
    let y = [true, false, true];
    assert_eq!(
        Logistic::fit(&[1.0, 2.0, 3.0], 1, &[true; 3], 1.0),
        Err(Error::OneClass { what: "logistic regression", rows: 3, label: true })
    );
    assert_eq!(Logistic::fit(&[], 1, &[], 1.0), Err(Error::Empty { what: "logistic regression" }));
    assert_eq!(Logistic::fit(&[], 0, &y, 1.0), Err(Error::Empty { what: "columns" }));
    assert_eq!(Logistic::fit(&[1.0; 5], 2, &y, 1.0), Err(Error::Length { what: "x", expected: 6, found: 5 }));
    let nan = Logistic::fit(&[1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0], 2, &y, 1.0);
    assert!(matches!(nan, Err(Error::Value { row: 2, .. })));
    assert!(matches!(Logistic::fit(&[1.0, 2.0, 3.0], 1, &y, 0.0), Err(Error::Setting { name: "l2", .. })));
    let model = Logistic { intercept: 0.0, coefficients: vec![1.0, 2.0] };
    assert!(matches!(model.predict(&[1.0, 2.0, 3.0]), Err(Error::Length { .. })));
    assert_eq!(model.predict(&[]), Ok(vec![]));
}

proptest! {
    /// At the optimum the gradient is 0: residuals add up to 0, and each standardised column times them to −l2 · w.
    #[test]
    fn the_gradient_vanishes(
        rows in proptest::collection::vec((any::<bool>(), -5.0..5.0f64, 0..3u8), 6..60), l2 in 0.01..10.0f64,
    ) {
        let y: Vec<bool> = rows.iter().map(|r| r.0).collect();
        prop_assume!(y.iter().any(|&v| v) && y.iter().any(|&v| !v));
        let x: Vec<f64> = rows.iter().flat_map(|r| [r.1, f64::from(r.2)]).collect();
        let model = Logistic::fit(&x, 2, &y, l2).unwrap();
        let residuals: Vec<f64> =
            model.predict(&x).unwrap().iter().zip(&y).map(|(p, &y)| p - f64::from(u8::from(y))).collect();
        prop_assert!(residuals.iter().sum::<f64>().abs() < 1e-6);
        for j in 0..2 {
            let column: Vec<f64> = x.iter().skip(j).step_by(2).copied().collect();
            let n = column.len() as f64;
            let mean = column.iter().sum::<f64>() / n;
            let deviation = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let pull: f64 = column.iter().zip(&residuals).map(|(v, r)| (v - mean) * r).sum();
            prop_assert!((pull + l2 * model.coefficients[j] * deviation.powi(2)).abs() < 1e-6 * (1.0 + deviation));
        }
    }
}
