//! Times to an event against lifelines.

use crate::support::{assert_close, assert_relative, numbers, oracle};
use analytics::Error;
use analytics::survival::{kaplan_meier, log_rank};

/// Durations, whether observed, whether of the second group.
fn rows(data: &str) -> (Vec<f64>, Vec<bool>, Vec<bool>) {
    let rows: Vec<Vec<f64>> =
        oracle("survival_rows.csv").iter().filter(|row| row[0] == data).map(|row| numbers(&row[1..])).collect();
    let flags = |column: usize| rows.iter().map(|row| row[column] == 1.0).collect();
    (rows.iter().map(|row| row[0]).collect(), flags(1), flags(2))
}

/// `kaplan_meier.csv`: lifelines' KaplanMeierFitter, with its log-log intervals at two levels.
#[test]
fn curves_equal_lifelines() {
    for data in ["waltons", "drawn"] {
        let (durations, observed, _) = rows(data);
        for level in [0.95, 0.8] {
            let curve = kaplan_meier(&durations, &observed, level).unwrap();
            let expected: Vec<Vec<f64>> = oracle("kaplan_meier.csv")
                .iter()
                .filter(|row| row[0] == data && row[1] == level.to_string())
                .map(|row| numbers(&row[2..]))
                .collect();
            assert_eq!(curve.steps.len(), expected.len());
            for (step, row) in curve.steps.iter().zip(&expected) {
                assert_eq!((step.time, step.at_risk as f64, step.events as f64), (row[0], row[1], row[2]));
                for (what, found, expected) in
                    [("S", step.survival, row[3]), ("low", step.low, row[4]), ("high", step.high, row[5])]
                {
                    assert_close(&format!("{what} of {data} at {}", step.time), found, expected, 1e-9);
                }
                assert_eq!(curve.at(step.time), step.survival);
            }
            assert_eq!(curve.at(0.5), 1.0);
        }
    }
}

/// lifelines' documentation of the Waltons data.
#[test]
fn waltons_as_published() {
    let (durations, observed, _) = rows("waltons");
    let curve = kaplan_meier(&durations, &observed, 0.95).unwrap();
    assert_eq!(curve.median, Some(56.0));
    assert_close("S(50)", curve.at(50.0), 0.61682, 5e-6);
}

/// `log_rank.csv`: lifelines.statistics.logrank_test.
#[test]
fn logrank_equals_lifelines() {
    for row in oracle("log_rank.csv") {
        let (durations, observed, second) = rows(&row[0]);
        let expected = numbers(&row[1..]);
        let found = log_rank(&durations, &observed, &second).unwrap();
        assert_relative("statistic", found.statistic, expected[0], 1e-10);
        assert_relative("p value", found.p_value, expected[1], 1e-7);
        assert_close(
            "all events",
            found.expected[0] + found.expected[1],
            (found.observed[0] + found.observed[1]) as f64,
            1e-9,
        );
        let swapped: Vec<bool> = second.iter().map(|s| !s).collect();
        assert_relative("swapped", log_rank(&durations, &observed, &swapped).unwrap().statistic, expected[0], 1e-10);
        assert_eq!(kaplan_meier(&durations, &observed, 0.5).unwrap().median, Some(expected[2]));
    }
}

/// A half that rounding puts above a half, nobody with the event, and everybody at once.
#[test]
fn medians_at_the_edges() {
    let median = |durations: &[f64], observed: &[bool]| kaplan_meier(durations, observed, 0.95).unwrap().median;
    assert_eq!(median(&[1.0, 2.0, 3.0, 4.0], &[true; 4]), Some(2.0));
    assert_eq!(median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[true; 6]), Some(3.0));
    assert_eq!(median(&[1.0, 2.0], &[false; 2]), None);
    let none = kaplan_meier(&[1.0, 2.0], &[false; 2], 0.95).unwrap();
    assert!(none.steps.iter().all(|s| (s.survival, s.low, s.high) == (1.0, 1.0, 1.0)));
    let at_once = kaplan_meier(&[0.0, -0.0, 0.0], &[true, true, false], 0.95).unwrap();
    assert_eq!(at_once.steps.len(), 1);
    assert_eq!((at_once.steps[0].at_risk, at_once.steps[0].events, at_once.steps[0].censored), (3, 2, 1));
}

#[test]
fn bad_rows_are_errors() {
    assert!(matches!(kaplan_meier(&[], &[], 0.95), Err(Error::Empty { what: "durations" })));
    assert!(matches!(kaplan_meier(&[1.0], &[], 0.95), Err(Error::Length { what: "observed", .. })));
    assert!(matches!(kaplan_meier(&[1.0, -1.0], &[true; 2], 0.95), Err(Error::Value { row: 1, .. })));
    assert!(matches!(kaplan_meier(&[f64::NAN], &[true], 0.95), Err(Error::Value { row: 0, .. })));
    assert!(matches!(kaplan_meier(&[1.0], &[true], 1.0), Err(Error::Setting { name: "level", .. })));
    let test = |second: &[bool]| log_rank(&[1.0, 2.0], &[true; 2], second);
    assert!(matches!(test(&[true; 2]), Err(Error::Undefined { metric: "the logrank test", .. })));
    assert!(matches!(test(&[true]), Err(Error::Length { what: "groups", .. })));
    assert!(test(&[true, false]).is_ok());
}
