//! Experiments against gbstats, statsmodels, SciPy and mpmath (`experiments.csv`, `gbstats.csv`), and what their answers
//! promise: intervals that cover, p values that the order of things does not change.

use crate::support::{assert_close, assert_relative, numbers, oracle};
use analytics::Error;
use analytics::experiments::{
    Assigner, Assignment, Bayes, Comparison, Correction, Design, Effect, Method, Pair, Rate, Sample, Scale, adjust,
    bayes_means, bayes_rates, compare_means, compare_rates, cuped, proportions, sample_ratio, sequential, welch,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, Normal};
use rayon::prelude::*;

/// Rows of `experiments.csv` of that name, without it.
fn rows(what: &str) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> =
        oracle("experiments.csv").into_iter().filter(|row| row[0] == what).map(|row| row[1..].to_vec()).collect();
    assert!(!rows.is_empty(), "no oracle of {what}");
    rows
}

fn oracles(what: &str) -> Vec<Vec<f64>> {
    rows(what).iter().map(|row| numbers(row)).collect()
}

fn rate(successes: f64, trials: f64) -> Rate {
    Rate::new(successes as u64, trials as u64).unwrap()
}

fn scale(is_relative: f64) -> Scale {
    if is_relative == 1.0 { Scale::Relative } else { Scale::Absolute }
}

/// Relative 1e-9: the complementary error function here is good to 1e-10; gbstats takes p values from 1 − cdf.
#[test]
fn tests_of_means_equal_gbstats() {
    let rows = oracle("gbstats.csv");
    assert!(rows.len() >= 60);
    for row in &rows {
        let n = numbers(&row[1..]);
        let (a, b) = (Sample::new(n[1] as u64, n[2], n[3]).unwrap(), Sample::new(n[4] as u64, n[5], n[6]).unwrap());
        let (scale, level, expected) = (scale(n[0]), n[7], &n[10..]);
        let found = match row[0].as_str() {
            "bayes" => {
                let prior_effect = (n[8] != 0.0).then_some((n[8], n[9]));
                let v = bayes_means(&a, &b, &Bayes { scale, level, prior_effect, ..Bayes::default() }).unwrap();
                [v.estimate, v.low, v.high, v.chance_to_win, v.loss_of_treatment, v.loss_of_control]
            }
            test => {
                let effect = match test {
                    "welch" => welch(&a, &b, scale, level),
                    _ => sequential(&a, &b, scale, level, n[8]),
                };
                let Effect { estimate, standard_error, low, high, p_value } = effect.unwrap();
                [estimate, low, high, p_value, standard_error, 0.0]
            }
        };
        for (found, expected) in found.iter().zip(expected) {
            assert_close(&format!("{row:?}"), *found, *expected, 1e-14 + 1e-9 * expected.abs());
        }
    }
}

#[test]
fn welch_equals_scipy_from_two_customers_on() {
    for n in oracles("welch") {
        let (a, b) = (Sample::new(n[0] as u64, n[2], n[3]).unwrap(), Sample::new(n[1] as u64, n[4], n[5]).unwrap());
        let effect = welch(&a, &b, Scale::Absolute, 0.95).unwrap();
        assert_relative("p value", effect.p_value, n[6], 1e-9);
        assert_close("low", effect.low, n[7], 1e-9);
        assert_close("high", effect.high, n[8], 1e-9);
    }
}

/// A test of two groups of equal variance has the critical value as its half width in standard errors.
#[test]
fn students_quantiles_equal_scipy() {
    for n in oracles("student") {
        let (degrees, p, expected) = (n[0], n[1], n[2]);
        // All of the variance in one group leaves its degrees of freedom; those of SciPy need not be whole.
        if degrees.fract() == 0.0 {
            let (a, b) =
                (Sample::new(2, 0.0, 0.0).unwrap(), Sample::new(degrees as u64 + 1, 0.0, degrees + 1.0).unwrap());
            let effect = welch(&a, &b, Scale::Absolute, 1.0 - p).unwrap();
            // 1 − (1 − p) has lost digits of a small p.
            assert_relative(&format!("{n:?}"), effect.high, expected, 1e-9 + 1e-15 / p);
            let shifted = Sample::new(degrees as u64 + 1, expected, degrees + 1.0).unwrap();
            assert_relative("p", welch(&a, &shifted, Scale::Absolute, 0.95).unwrap().p_value, p, 1e-9);
        }
    }
}

#[test]
fn proportions_equal_statsmodels() {
    for n in oracles("proportions") {
        let (a, b, level) = (rate(n[0], n[1]), rate(n[2], n[3]), n[4]);
        let absolute = proportions(a, b, Scale::Absolute, level).unwrap();
        assert_relative("p value", absolute.p_value, n[5], 1e-9);
        assert_close("low", absolute.low, n[6], 1e-10);
        assert_close("high", absolute.high, n[7], 1e-10);
        let Ok(relative) = proportions(a, b, Scale::Relative, level) else {
            assert_eq!(a.successes, 0);
            continue;
        };
        assert_eq!(relative.p_value, absolute.p_value);
        assert_relative("relative low", relative.low, n[8].min(relative.estimate), 1e-9);
        assert_relative("relative high", relative.high, n[9].max(relative.estimate), 1e-9);
    }
    let published = proportions(rate(120.0, 1000.0), rate(150.0, 1000.0), Scale::Absolute, 0.95).unwrap();
    assert_close("statsmodels' p", published.p_value, 0.049640, 5e-7);
}

/// Its own searches end where the power is up to 4e-8 off.
#[test]
fn power_equals_statsmodels() {
    for n in oracles("power_means") {
        let (effect, design) = (n[0], Design { level: n[1], power: n[2], ratio: n[3] });
        // In units of a deviation of 3.
        assert_relative("rows", design.rows_for_means(-3.0 * effect, 3.0).unwrap(), n[4], 1e-7);
        assert_close("power", design.power_of_means(3.0 * effect, 3.0, 8.5).unwrap(), n[5], 1e-9);
        assert_relative("detectable", design.detectable_difference(3.0, 8.5).unwrap(), 3.0 * n[6], 1e-6);
    }
    for n in oracles("power_rates") {
        let design = Design { level: n[2], power: n[3], ratio: n[4] };
        assert_relative("rows", design.rows_for_rates(n[0], n[1]).unwrap(), n[5], 1e-7);
        assert_close("power", design.power_of_rates(n[0], n[1], 250.0).unwrap(), n[6], 1e-9);
        if n[1] > n[0] {
            assert_relative("detectable", design.detectable_rate(n[0], n[5]).unwrap(), n[1], 1e-8);
        }
    }
}

#[test]
fn corrections_equal_statsmodels() {
    for row in rows("adjust") {
        let correction = match row[0].as_str() {
            "bonferroni" => Correction::Bonferroni,
            "holm" => Correction::Holm,
            _ => Correction::BenjaminiHochberg,
        };
        let n = numbers(&row[1..]);
        let (p_values, expected) = n.split_at(n.len() / 2);
        for (found, expected) in adjust(p_values, correction).unwrap().iter().zip(expected) {
            assert_close(&row[0], *found, *expected, 1e-15);
        }
        assert_eq!(adjust(p_values, Correction::None).unwrap(), p_values);
    }
    assert_eq!(adjust(&[], Correction::Holm), Ok(vec![]));
}

#[test]
fn sample_ratio_equals_scipy() {
    for n in oracles("srm") {
        let groups = (n.len() - 2) / 2;
        let found: Vec<u64> = n[..groups].iter().map(|count| *count as u64).collect();
        let ratio = sample_ratio(&found, &n[groups..2 * groups]).unwrap();
        assert_relative("chi-square", ratio.chi_square, n[2 * groups], 1e-12);
        assert_relative("p value", ratio.p_value, n[2 * groups + 1], 1e-9);
    }
    assert_eq!(sample_ratio(&[500, 500], &[2.0, 2.0]).unwrap().p_value, 1.0);
    assert_eq!(sample_ratio(&[1_000_000_000, 1], &[1.0, 1.0]).unwrap().p_value, 0.0);
}

#[test]
fn rates_equal_the_integrals_of_their_betas() {
    for n in oracles("bayes") {
        let bayes = Bayes { prior_rate: (n[4], n[5]), ..Bayes::default() };
        let verdict = bayes_rates(rate(n[0], n[1]), rate(n[2], n[3]), &bayes).unwrap();
        assert_relative(&format!("chance of {n:?}"), verdict.chance_to_win, n[6], 1e-9);
        assert_relative("loss of the treatment", verdict.loss_of_treatment, n[7], 1e-9);
        assert_relative("loss of the control", verdict.loss_of_control, n[8], 1e-9);
        assert!(verdict.low <= verdict.estimate && verdict.estimate <= verdict.high);
    }
    for n in oracles("bayes_quantile") {
        for (scale, expected) in [(Scale::Absolute, n[5]), (Scale::Relative, n[6])] {
            let bayes = Bayes { scale, ..Bayes::default() };
            let verdict = bayes_rates(rate(n[0], n[1]), rate(n[2], n[3]), &bayes).unwrap();
            let found = match n[4] {
                0.5 => verdict.estimate,
                p if p < 0.5 => verdict.low,
                _ => verdict.high,
            };
            assert_close(&format!("{scale:?} of {n:?}"), found, expected, 1e-9 * (1.0 + expected.abs()));
        }
    }
}

#[test]
fn assignment_equals_python_xxhash() {
    for row in rows("assignment") {
        let (share, held): (f64, f64) = (row[3].parse().unwrap(), row[4].parse().unwrap());
        let assign = |weights: Vec<f64>, holdout: f64| {
            let assignment = Assignment { salt: row[0].clone(), weights, holdout, holdout_salt: row[1].clone() };
            Assigner::new(&assignment).unwrap().variant(&row[2])
        };
        assert_eq!(assign(vec![share, 1.0 - share], 0.0), Some(1));
        assert_eq!(assign(vec![share + 1e-9, 1.0 - share - 1e-9], 0.0), Some(0));
        assert_eq!(assign(vec![1.0], held), Some(0));
        assert_eq!(assign(vec![1.0], (held + 1e-9).min(1.0)), None);
    }
}

#[test]
fn shares_are_kept_and_salts_are_independent() {
    let assigner = |salt: &str, holdout: f64| {
        let weights = vec![3.0, 0.0, 1.0];
        Assigner::new(&Assignment { salt: salt.to_owned(), weights, holdout, ..Assignment::default() }).unwrap()
    };
    let (one, other, small) = (assigner("one", 0.1), assigner("other", 0.1), assigner("one", 0.02));
    let mut counts = [[0u64; 3]; 3];
    for customer in (0..60_000).map(|i| i.to_string()) {
        let (a, b) = (one.variant(&customer), other.variant(&customer));
        assert_eq!(a.is_none(), b.is_none(), "a shared holdout salt holds out the same customers");
        assert!(a.is_none() || small.variant(&customer) == a, "a smaller holdout moves nobody else");
        counts[a.map_or(0, |v| v / 2 + 1)][b.map_or(0, |v| v / 2 + 1)] += 1;
        assert_ne!(a, Some(1), "a weight of 0 gets nobody");
    }
    assert!(sample_ratio(&[counts[0][0], 60_000 - counts[0][0]], &[1.0, 9.0]).unwrap().p_value > 0.001);
    let cells = [counts[1][1], counts[1][2], counts[2][1], counts[2][2]];
    assert!(sample_ratio(&cells, &[9.0, 3.0, 3.0, 1.0]).unwrap().p_value > 0.001, "{cells:?}");
}

/// statsmodels' OLS of the metric on covariate and groups: the estimates are equal; its standard errors assume one
/// variance and add the covariate's own imbalance, which is a few per cent in 20 customers a group.
#[test]
fn cuped_equals_least_squares_with_the_covariate() {
    let data: Vec<Vec<f64>> = oracle("cuped.csv").iter().map(|row| numbers(row)).collect();
    let group = |g: f64| {
        let of = |column: usize| -> Vec<f64> { data.iter().filter(|r| r[2] == g).map(|r| r[column]).collect() };
        Pair::of(&of(0), &of(1)).unwrap()
    };
    let adjusted = cuped(&[group(0.0), group(1.0), group(2.0)]).unwrap();
    let expected = &oracles("cuped")[0];
    assert_relative("slope", adjusted.slope, expected[0], 1e-12);
    for variant in [1, 2] {
        let effect = welch(&adjusted.groups[0], &adjusted.groups[variant], Scale::Absolute, 0.95).unwrap();
        assert_close("effect", effect.estimate, expected[variant], 1e-11);
        assert_relative("standard error", effect.standard_error, expected[variant + 2], 0.2);
    }
    assert!(adjusted.variance_explained > 0.5);
}

#[test]
fn a_covariate_that_never_varies_changes_nothing() {
    let pair = Pair::of(&[1.0, 2.0, 4.0], &[7.0; 3]).unwrap();
    let adjusted = cuped(&[pair, pair]).unwrap();
    assert_eq!((adjusted.slope, adjusted.variance_explained), (0.0, 0.0));
    assert_eq!(adjusted.groups, [pair.first; 2]);
}

/// Of `replays` seeded experiments, the share whose interval holds `truth`.
fn coverage(truth: f64, replay: impl Fn(&mut ChaCha8Rng) -> Effect + Sync) -> f64 {
    let covers = |seed: u64| {
        let effect = replay(&mut ChaCha8Rng::seed_from_u64(seed));
        f64::from(u8::from(effect.low <= truth && truth <= effect.high))
    };
    (0..2000u64).into_par_iter().map(covers).sum::<f64>() / 2000.0
}

fn draws(rng: &mut ChaCha8Rng, rows: usize, distribution: impl Distribution<f64>) -> Vec<f64> {
    (0..rows).map(|_| distribution.sample(rng)).collect()
}

#[test]
fn intervals_cover_what_they_promise() {
    let normal = |mean, deviation| Normal::new(mean, deviation).unwrap();
    for (scale, truth) in [(Scale::Absolute, 1.0), (Scale::Relative, 0.1)] {
        let covered = coverage(truth, |rng| {
            let control = Sample::of(&draws(rng, 60, normal(10.0, 2.0))).unwrap();
            let treatment = Sample::of(&draws(rng, 90, normal(11.0, 5.0))).unwrap();
            welch(&control, &treatment, scale, 0.95).unwrap()
        });
        assert_close(&format!("welch, {scale:?}"), covered, 0.95, 0.01);
    }
    for (scale, truth) in [(Scale::Absolute, 0.05), (Scale::Relative, 0.5)] {
        let covered = coverage(truth, |rng| {
            let mut count = |p: f64| Rate::new((0..400).filter(|_| rng.random_bool(p)).count() as u64, 400).unwrap();
            proportions(count(0.1), count(0.15), scale, 0.95).unwrap()
        });
        assert_close(&format!("proportions, {scale:?}"), covered, 0.95, 0.01);
    }
    let covered = coverage(1.0, |rng| {
        let mut group = |effect: f64| {
            let before = draws(rng, 100, normal(20.0, 4.0));
            let noise = draws(rng, 100, normal(effect, 1.0));
            let metric: Vec<f64> = before.iter().zip(noise).map(|(x, e)| 0.7 * x + e).collect();
            Pair::of(&metric, &before).unwrap()
        };
        let adjusted = cuped(&[group(0.0), group(1.0)]).unwrap();
        welch(&adjusted.groups[0], &adjusted.groups[1], Scale::Absolute, 0.95).unwrap()
    });
    assert_close("cuped", covered, 0.95, 0.01);
}

/// A customer's basket values lie around his own mean, so that orders are not independent but customers are.
#[test]
fn a_ratio_covers_although_orders_of_a_customer_are_alike() {
    let covered = coverage(2.0, |rng| {
        let mut group = |mean: f64| {
            let customer = |rng: &mut ChaCha8Rng| {
                let own = mean + Normal::new(0.0, 3.0).unwrap().sample(rng);
                let orders = 1 + rng.random_range(0..5usize);
                (draws(rng, orders, Normal::new(own, 1.0).unwrap()).iter().sum::<f64>(), orders as f64)
            };
            let (revenue, orders): (Vec<f64>, Vec<f64>) = (0..200).map(|_| customer(rng)).unzip();
            Pair::of(&revenue, &orders).unwrap().ratio().unwrap()
        };
        welch(&group(30.0), &group(32.0), Scale::Absolute, 0.95).unwrap()
    });
    assert_close("ratio", covered, 0.95, 0.01);
}

/// Looked at after every 20 customers of skewed data: a fixed interval misses the truth at some look far more often than
/// in 5 % of experiments, a confidence sequence does not.
#[test]
fn a_sequence_covers_at_all_looks_at_once() {
    let spends = Exp::new(0.1).unwrap();
    let at_all_looks = |fixed: bool| {
        coverage(0.0, |rng| {
            let (a, b) = (draws(rng, 1000, spends), draws(rng, 1000, spends));
            let look = |rows: usize| {
                let (a, b) = (Sample::of(&a[..rows]).unwrap(), Sample::of(&b[..rows]).unwrap());
                if fixed {
                    welch(&a, &b, Scale::Absolute, 0.95).unwrap()
                } else {
                    sequential(&a, &b, Scale::Absolute, 0.95, 500.0).unwrap()
                }
            };
            let looks: Vec<Effect> = (1..=50).map(|i| look(20 * i)).collect();
            let of = |pick: fn(f64, f64) -> f64, side: fn(&Effect) -> f64| looks.iter().map(side).reduce(pick).unwrap();
            Effect { low: of(f64::max, |e| e.low), high: of(f64::min, |e| e.high), ..looks[0] }
        })
    };
    let (fixed, sequence) = (at_all_looks(true), at_all_looks(false));
    assert!(fixed < 0.8, "a fixed interval covers {fixed}");
    assert!(sequence >= 0.95, "a sequence covers {sequence}");
}

#[test]
fn variants_are_compared_with_the_control_only() {
    let sample = |mean: f64| Sample::new(500, mean, 4.0).unwrap();
    let groups = [sample(10.3), sample(10.0), sample(10.2)];
    let comparison = Comparison { control: 1, ..Comparison::default() };
    let compared = compare_means(&groups, &comparison).unwrap();
    assert_eq!(compared.iter().map(|c| c.group).collect::<Vec<_>>(), [0, 2]);
    let alone = welch(&groups[1], &groups[0], Scale::Absolute, 0.95).unwrap();
    assert_eq!(compared[0].effect, alone);
    assert_eq!(compared[0].adjusted_p, 2.0 * alone.p_value);
    assert!(compared[0].is_significant && !compared[1].is_significant, "{compared:?}");
    let wide = Comparison { correction: Correction::Bonferroni, ..comparison };
    let simultaneous = welch(&groups[1], &groups[0], Scale::Absolute, 0.975).unwrap();
    assert_eq!(compare_means(&groups, &wide).unwrap()[0].effect, simultaneous);
    let any_time = Comparison { method: Method::Sequential { tuning: 1000.0 }, ..comparison };
    let rates = [rate(50.0, 500.0), rate(60.0, 500.0)];
    let compared = compare_rates(&rates, &any_time).unwrap();
    let (a, b) = (Sample::of_rate(rates[1]).unwrap(), Sample::of_rate(rates[0]).unwrap());
    assert_eq!(compared[0].effect, sequential(&a, &b, Scale::Absolute, 0.95, 1000.0).unwrap());
}

#[test]
fn what_is_wrong_is_said() {
    let setting = |name| move |error: &Error| matches!(error, Error::Setting { name: found, .. } if *found == name);
    let good = Sample::new(10, 1.0, 1.0).unwrap();
    assert!(Sample::of(&[]).is_err() && Sample::of(&[1.0]).is_err() && Sample::of(&[f64::MAX, f64::MAX]).is_err());
    assert!(matches!(Sample::of(&[1.0, f64::INFINITY]), Err(Error::Value { row: 1, .. })));
    assert!(Sample::new(10, f64::NAN, 1.0).is_err_and(|e| setting("the mean of a group")(&e)));
    assert!(Sample::new(10, 1.0, -1.0).is_err_and(|e| setting("the variance of a group")(&e)));
    assert!(Rate::new(3, 2).is_err_and(|e| setting("successes")(&e)));
    assert_eq!(Rate::new(0, 0), Err(Error::Empty { what: "trials" }));
    let flat = Sample::new(10, 1.0, 0.0).unwrap();
    assert!(matches!(welch(&flat, &flat, Scale::Absolute, 0.95), Err(Error::Undefined { .. })));
    assert!(matches!(bayes_means(&flat, &flat, &Bayes::default()), Err(Error::Undefined { .. })));
    assert!(welch(&flat, &good, Scale::Absolute, 0.95).is_ok());
    let zero = Sample::new(10, 0.0, 1.0).unwrap();
    assert!(matches!(welch(&zero, &good, Scale::Relative, 0.95), Err(Error::Undefined { .. })));
    assert!(welch(&good, &good, Scale::Absolute, 1.0).is_err_and(|e| setting("level")(&e)));
    assert!(sequential(&good, &good, Scale::Absolute, 0.95, 0.0).is_err_and(|e| setting("tuning")(&e)));
    assert_eq!(
        compare_means(&[good], &Comparison::default()),
        Err(Error::Length { what: "groups", expected: 2, found: 1 })
    );
    let outside = Comparison { control: 2, ..Comparison::default() };
    assert!(compare_means(&[good, good], &outside).is_err_and(|e| setting("control")(&e)));
    assert!(matches!(adjust(&[0.5, 1.5], Correction::Holm), Err(Error::Value { row: 1, .. })));
    assert!(matches!(sample_ratio(&[1, 2], &[1.0, 0.0]), Err(Error::Value { row: 1, .. })));
    assert!(matches!(sample_ratio(&[0, 0], &[1.0, 1.0]), Err(Error::Setting { value: 0.0, .. })));
    assert!(matches!(sample_ratio(&[1], &[1.0]), Err(Error::Length { .. })));
    let all = proportions(rate(9.0, 9.0), rate(7.0, 7.0), Scale::Absolute, 0.95).unwrap();
    assert_eq!((all.estimate, all.p_value), (0.0, 1.0));
    assert!(all.low < 0.0 && all.high > 0.0);
    assert!(Design::default().rows_for_means(0.0, 1.0).is_err() && Design::default().rows_for_rates(0.2, 0.2).is_err());
    assert!(Design { power: 0.01, ..Design::default() }.rows_for_means(1.0, 1.0).is_err_and(|e| setting("power")(&e)));
    assert!(Design::default().rows_for_rates(0.2, 1.2).is_err_and(|e| setting("the treatment's rate")(&e)));
    assert!(Design::default().power_of_means(1.0, 1.0, 1.0).is_err());
    assert!(Design::default().detectable_rate(0.9, 3.0).is_err());
    assert!(
        bayes_rates(rate(1.0, 2.0), rate(1.0, 2.0), &Bayes { prior_rate: (0.0, 1.0), ..Bayes::default() }).is_err()
    );
    let assigner = |weights, holdout| Assigner::new(&Assignment { weights, holdout, ..Assignment::default() });
    assert!(assigner(vec![], 0.0).is_err() && assigner(vec![0.0], 0.0).is_err());
    assert!(assigner(vec![1.0, f64::NAN], 0.0).is_err() && assigner(vec![1.0], 1.1).is_err());
    assert!(Pair::of(&[1.0, 2.0], &[1.0, -1.0]).unwrap().ratio().is_err());
    assert!(Pair::new(good, good, 2.0).is_err());
}

proptest! {
    #[test]
    fn sums_and_counts_say_what_rows_say(values in proptest::collection::vec(-50.0..50.0f64, 2..40), ones in 0..20u64) {
        let of = Sample::of(&values).unwrap();
        let sums = Sample::of_sums(values.len() as u64, values.iter().sum(), values.iter().map(|v| v * v).sum()).unwrap();
        prop_assert!((of.mean - sums.mean).abs() < 1e-12 && (of.variance - sums.variance).abs() < 1e-9);
        let bits: Vec<f64> = (0..25).map(|i| f64::from(u8::from(i < ones))).collect();
        let (of, counted) = (Sample::of(&bits).unwrap(), Sample::of_rate(Rate::new(ones, 25).unwrap()).unwrap());
        prop_assert!((of.variance - counted.variance).abs() < 1e-14 && of.mean == counted.mean);
    }

    /// Any counts have a finite answer, and what the treatment gains over the control is what the control loses.
    #[test]
    fn every_pair_of_rates_has_a_verdict(
        a in (0..2000u64, 0..2000u64), b in (0..2000u64, 0..2000u64), is_relative: bool, is_large: bool,
    ) {
        let times = if is_large { 1_000_000 } else { 1 };
        let of = |(x, y): (u64, u64)| Rate::new(x * times, (x + y).max(1) * times).unwrap();
        let bayes = Bayes { scale: scale(f64::from(u8::from(is_relative))), ..Bayes::default() };
        let (forth, back) = (bayes_rates(of(a), of(b), &bayes).unwrap(), bayes_rates(of(b), of(a), &bayes).unwrap());
        for value in [forth.estimate, forth.low, forth.high, forth.loss_of_control, forth.loss_of_treatment] {
            prop_assert!(value.is_finite());
        }
        prop_assert!(forth.low < forth.high && forth.low >= -1.0);
        prop_assert!((forth.chance_to_win + back.chance_to_win - 1.0).abs() < 1e-9);
        if !is_relative {
            prop_assert!((forth.loss_of_control - back.loss_of_treatment).abs() < 1e-12);
            prop_assert!((forth.low + back.high).abs() < 1e-8);
            let mean = |r: Rate| (r.successes as f64 + 1.0) / (r.trials as f64 + 2.0);
            let net = forth.loss_of_control - forth.loss_of_treatment;
            prop_assert!((net - (mean(of(b)) - mean(of(a)))).abs() < 1e-11);
        }
    }
}
