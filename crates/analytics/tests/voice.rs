//! Survey scores: statsmodels' Wilson interval, the definition, and how often the intervals cover.

use crate::support::assert_close;
use analytics::Error;
use analytics::voice::{net_promoter, satisfaction};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `proportion_confint(…, method="wilson")` of statsmodels 0.15.
#[test]
fn satisfaction_equals_statsmodels() {
    for (satisfied, answers, level, low, high) in [
        (8, 10, 0.95, 0.49016247153664183, 0.9433178485456247),
        (0, 12, 0.9, 0.0, 0.18398119474747707),
        (4321, 5000, 0.99, 0.8512370227084214, 0.8761976864756924),
    ] {
        let score = satisfaction(satisfied, answers, level).unwrap();
        assert_close("low", score.low, low, 1e-10);
        assert_close("high", score.high, high, 1e-10);
        assert_eq!(score.estimate, satisfied as f64 / answers as f64);
    }
}

/// By hand: 50.75 and 20.75 of 103 added answers, z = 1.959964.
#[test]
fn net_promoter_is_the_difference_of_shares() {
    let score = net_promoter(50, 30, 20, 0.95).unwrap();
    let (p, d) = (50.75 / 103.0, 20.75 / 103.0);
    let width = 1.959963984540054 * ((p + d - (p - d) * (p - d)) / 103.0f64).sqrt();
    assert_close("estimate", score.estimate, 0.3, 1e-15);
    assert_close("low", score.low, p - d - width, 1e-10);
    assert_close("high", score.high, p - d + width, 1e-10);
    let all = net_promoter(5, 0, 0, 0.95).unwrap();
    assert_eq!((all.estimate, all.high), (1.0, 1.0));
    assert!(all.low < 1.0);
}

#[test]
fn net_promoter_covers_what_it_promises() {
    let covers = |seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut counts = [0u64; 3];
        for _ in 0..60 {
            let u: f64 = rng.random();
            counts[if u < 0.45 {
                0
            } else if u < 0.8 {
                1
            } else {
                2
            }] += 1;
        }
        let score = net_promoter(counts[0], counts[1], counts[2], 0.95).unwrap();
        score.low <= 0.25 && 0.25 <= score.high
    };
    let covered = (0..2000).filter(|seed| covers(*seed)).count() as f64 / 2000.0;
    assert_close("coverage", covered, 0.95, 0.01);
}

#[test]
fn what_is_wrong_is_said() {
    assert_eq!(net_promoter(0, 0, 0, 0.95), Err(Error::Empty { what: "answers" }));
    assert!(matches!(net_promoter(1, 0, 0, 0.0), Err(Error::Setting { name: "level", .. })));
    assert!(matches!(satisfaction(3, 2, 0.95), Err(Error::Setting { name: "satisfied", .. })));
    assert!(satisfaction(0, 0, 0.95).is_err());
}
