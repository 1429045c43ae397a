//! Uplift curves and models against scikit-uplift and scikit-learn, on made-up rows and on Hillstrom's e-mails.

use std::fs;

use crate::support::{assert_close, numbers, oracle, shared};
use analytics::Error;
use analytics::bootstrap::Bootstrap;
use analytics::linear::Linear;
use analytics::uplift::{Method, UpliftCurve, UpliftModel, UpliftSettings, auc, curve, prepare};
use proptest::prelude::*;

struct Rows {
    outcomes: Vec<bool>,
    treated: Vec<bool>,
    scores: Vec<f64>,
    x: Vec<f64>,
}

fn rows() -> Rows {
    let rows: Vec<Vec<f64>> = oracle("uplift_rows.csv").iter().map(|row| numbers(row)).collect();
    Rows {
        outcomes: rows.iter().map(|r| r[0] == 1.0).collect(),
        treated: rows.iter().map(|r| r[1] == 1.0).collect(),
        scores: rows.iter().map(|r| r[2]).collect(),
        x: rows.iter().flat_map(|r| [r[3], r[4]]).collect(),
    }
}

/// Values of `uplift.csv` under one name, in the order of rows.
fn expected(what: &str) -> Vec<f64> {
    let found: Vec<f64> =
        oracle("uplift.csv").iter().filter(|row| row[0] == what).map(|row| row[2].parse().unwrap()).collect();
    assert!(!found.is_empty(), "{what}");
    found
}

fn as_numbers(outcomes: &[bool]) -> Vec<f64> {
    outcomes.iter().map(|&y| f64::from(u8::from(y))).collect()
}

/// `uplift.csv`: sklift.metrics; `more` are outcomes that need the other perfect ranking.
#[test]
fn areas_equal_scikit_uplift() {
    let Rows { outcomes, treated, scores, .. } = rows();
    let more: Vec<bool> = expected("more").iter().map(|&y| y == 1.0).collect();
    for (outcomes, ending) in [(&outcomes, ""), (&more, "_more")] {
        for (kind, name) in [(UpliftCurve::Qini, "qini_auc"), (UpliftCurve::Uplift, "uplift_auc")] {
            let found = auc(kind, outcomes, &scores, &treated).unwrap();
            assert_close(name, found, expected(&format!("{name}{ending}"))[0], 1e-12);
        }
    }
}

/// `uplift_curves.csv`: sklift.metrics.qini_curve and uplift_curve.
#[test]
fn curves_equal_scikit_uplift() {
    let Rows { outcomes, treated, scores, .. } = rows();
    for (kind, name) in [(UpliftCurve::Qini, "qini"), (UpliftCurve::Uplift, "uplift")] {
        let found = curve(kind, &outcomes, &scores, &treated).unwrap();
        let expected: Vec<_> = oracle("uplift_curves.csv").into_iter().filter(|row| row[0] == name).collect();
        assert_eq!(found.len(), expected.len());
        for (point, row) in found.iter().zip(&expected) {
            let expected = numbers(&row[1..]);
            assert_eq!(point.rows, expected[0]);
            assert_close(name, point.gain, expected[1], 1e-9);
        }
    }
}

/// `hillstrom.csv`: sklift.metrics on 42,613 customers with men's mail or none, visits, ranked by money spent before.
#[test]
fn areas_of_hillstroms_mails_equal_scikit_uplift() {
    let Some(path) = shared("hillstrom/hillstrom.csv") else { return };
    let (mut outcomes, mut treated, mut scores) = (vec![], vec![], vec![]);
    for line in fs::read_to_string(path).unwrap().lines().skip(1) {
        // From the end: the second of the 12 fields holds commas.
        let fields: Vec<&str> = line.rsplit(',').collect();
        if fields[3] != "Womens E-Mail" {
            scores.push(fields[9].parse::<f64>().unwrap());
            treated.push(fields[3] == "Mens E-Mail");
            outcomes.push(fields[2] == "1");
        }
    }
    assert_eq!(outcomes.len(), 42_613);
    let expected = oracle("hillstrom.csv");
    for (kind, row) in [UpliftCurve::Qini, UpliftCurve::Uplift].into_iter().zip(&expected) {
        assert_close(&row[0], auc(kind, &outcomes, &scores, &treated).unwrap(), row[1].parse().unwrap(), 1e-10);
    }
}

/// `uplift.csv`: sklift.models.TwoModels on logistic regression, and scikit-learn's Ridge, both with a ridge of 2.
#[test]
fn effects_equal_scikit_learn() {
    let Rows { outcomes, treated, x, .. } = rows();
    let outcomes = as_numbers(&outcomes);
    let methods = [
        (Method::TwoLogistic, "two_logistic"),
        (Method::TwoLinear, "two_linear"),
        (Method::Transformed, "transformed"),
    ];
    for (method, name) in methods {
        let model = UpliftModel::fit(UpliftSettings { method, l2: 2.0 }, &x, 2, &outcomes, &treated).unwrap();
        for (found, expected) in model.effects(&x).unwrap().iter().zip(expected(name)) {
            assert_close(name, *found, expected, 1e-7);
        }
    }
}

#[test]
fn intervals_can_be_drawn() {
    let Rows { outcomes, treated, scores, .. } = rows();
    let qini = prepare(UpliftCurve::Qini, &outcomes, &scores, &treated).unwrap();
    let found = Bootstrap::default().interval(&qini).unwrap();
    assert_close("estimate", found.estimate, expected("qini_auc")[0], 1e-12);
    assert!(found.low < found.estimate && found.estimate < found.high);
}

#[test]
fn bad_rows_are_errors() {
    let (y, t) = ([true, false, true], [true, false, true]);
    let of = |scores: &[f64], treated: &[bool]| auc(UpliftCurve::Qini, &y, scores, treated);
    assert!(matches!(of(&[1.0, f64::INFINITY, 2.0], &t), Err(Error::Value { what: "score", row: 1, .. })));
    assert!(matches!(of(&[1.0, 2.0, 3.0], &[true; 3]), Err(Error::Undefined { .. })));
    assert!(matches!(of(&[1.0], &t), Err(Error::Length { what: "scores", .. })));
    assert!(matches!(auc(UpliftCurve::Uplift, &[], &[], &[]), Err(Error::Empty { .. })));
    let nobody = auc(UpliftCurve::Qini, &[false; 3], &[1.0, 2.0, 3.0], &t);
    assert!(matches!(nobody, Err(Error::Undefined { metric: "the Qini coefficient", .. })));
    let fit = |outcomes: &[f64], method| {
        let settings = UpliftSettings { method, ..UpliftSettings::default() };
        UpliftModel::fit(settings, &[1.0, 2.0, 3.0], 1, outcomes, &t)
    };
    assert!(matches!(fit(&[1.0, 2.0, 0.0], Method::TwoLogistic), Err(Error::Value { what: "outcome", row: 1, .. })));
    assert!(matches!(fit(&[1.0, f64::NAN, 0.0], Method::Transformed), Err(Error::Value { row: 1, .. })));
    assert!(matches!(fit(&[1.0, 0.0, 1.0], Method::TwoLogistic), Err(Error::OneClass { .. })));
    assert!(fit(&[1.0, 0.0, 1.0], Method::TwoLinear).is_ok());
}

#[test]
fn a_ridge_that_cannot_be_solved_is_an_error() {
    let line = Linear::fit(&[0.0, 7.0, 1.0, 7.0, 2.0, 7.0], 2, &[1.0, 3.0, 5.0], 1e-9).unwrap();
    assert_close("intercept", line.intercept, 1.0, 1e-6);
    assert_close("slope", line.coefficients[0], 2.0, 1e-6);
    assert_eq!(line.coefficients[1], 0.0, "a constant column has no say");
    assert!(matches!(Linear::fit(&[1.0, 2.0], 1, &[1e308, 1.7e308], 1.0), Err(Error::Value { what: "y", .. })));
    assert!(matches!(Linear::fit(&[1.0, 2.0], 1, &[1.0, 2.0], 0.0), Err(Error::Setting { name: "l2", .. })));
    assert!(matches!(Linear::fit(&[], 1, &[], 1.0), Err(Error::Empty { .. })));
    assert!(matches!(line.predict(&[1e308, 1.0]), Err(Error::Value { what: "x", .. })));
}

proptest! {
    /// A row counted w times is w rows; their order is of no account; the perfect ranking has area 1.
    #[test]
    fn weights_are_copies_and_order_is_of_no_account(
        rows in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..5u8, 0..3u32), 4..30),
    ) {
        for kind in [UpliftCurve::Qini, UpliftCurve::Uplift] {
            let weights: Vec<u32> = rows.iter().map(|r| r.3).collect();
            let column = |rows: &[(bool, bool, u8, u32)]| {
                let scores = rows.iter().map(|r| f64::from(r.2)).collect::<Vec<f64>>();
                let (y, t): (Vec<bool>, Vec<bool>) = rows.iter().map(|r| (r.0, r.1)).unzip();
                (y, scores, t)
            };
            let (y, scores, t) = column(&rows);
            let Ok(once) = prepare(kind, &y, &scores, &t) else { continue };
            let mut copies: Vec<_> = rows.iter().flat_map(|r| vec![*r; r.3 as usize]).collect();
            copies.reverse();
            let (y, scores, t) = column(&copies);
            match (once.weighted(&weights), auc(kind, &y, &scores, &t)) {
                (Some(found), Ok(expected)) => prop_assert!((found - expected).abs() < 1e-9),
                (found, expected) => prop_assert!(found.is_none() && expected.is_err(), "{found:?} {expected:?}"),
            }
        }
    }

    /// At the optimum the gradient is 0: residuals add up to 0, and each standardised column times them to l2 · w.
    #[test]
    fn the_gradient_of_a_ridge_vanishes(
        rows in proptest::collection::vec((-9.0..9.0f64, -5.0..5.0f64, 0..3u8), 3..60), l2 in 0.01..10.0f64,
    ) {
        let y: Vec<f64> = rows.iter().map(|r| r.0).collect();
        let x: Vec<f64> = rows.iter().flat_map(|r| [r.1, f64::from(r.2)]).collect();
        let model = Linear::fit(&x, 2, &y, l2).unwrap();
        let residuals: Vec<f64> = model.predict(&x).unwrap().iter().zip(&y).map(|(p, y)| p - y).collect();
        prop_assert!(residuals.iter().sum::<f64>().abs() < 1e-8);
        for j in 0..2 {
            let column: Vec<f64> = x.iter().skip(j).step_by(2).copied().collect();
            let n = column.len() as f64;
            let mean = column.iter().sum::<f64>() / n;
            let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            let pull: f64 = column.iter().zip(&residuals).map(|(v, r)| (v - mean) * r).sum();
            prop_assert!((pull + l2 * model.coefficients[j] * variance).abs() < 1e-7);
        }
    }
}
