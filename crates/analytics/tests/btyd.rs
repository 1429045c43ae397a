//! Buy-till-you-die models against published and exact numbers, and what must hold for any customer.

use crate::support::{assert_close, assert_relative, numbers, oracle};
use analytics::Error;
use analytics::btyd::{BgNbd, GammaGamma, ParetoNbd, PurchaseModel, Summary, Transaction, summaries};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn history(x: f64, t_x: f64, t: f64) -> Summary {
    Summary { x, t_x, t, value: 0.0 }
}

/// Fader, Hardie & Lee's parameters for the CDNOW sample.
fn published() -> BgNbd {
    BgNbd::new(0.2426, 4.4135, 0.7929, 2.4258).unwrap()
}

/// `btyd.csv`: the published closed forms evaluated in as many digits as it takes.
#[test]
fn both_models_equal_their_closed_forms() {
    let rows = oracle("btyd.csv");
    assert!(rows.len() > 60);
    for row in &rows {
        let n = numbers(&row[1..]);
        let (customer, horizon) = (history(n[4], n[5], n[6]), n[7]);
        let model: Box<dyn PurchaseModel> = match row[0].as_str() {
            "bg_nbd" => Box::new(BgNbd::new(n[0], n[1], n[2], n[3]).unwrap()),
            "pareto_nbd" => Box::new(ParetoNbd::new(n[0], n[1], n[2], n[3]).unwrap()),
            other => panic!("unknown model {other}"),
        };
        let what = |name: &str| format!("{name} of {row:?}");
        // Logarithms of gamma functions of some thousand: an absolute error in them is a relative one in the rest.
        let slack = 1e-10 + 1e-13 * n[8].abs();
        assert_close(&what("log likelihood"), model.log_likelihood(&customer), n[8], slack);
        assert_relative(&what("P(alive)"), model.p_alive(&customer), n[9], slack);
        assert_relative(&what("expected"), model.expected(&customer, horizon), n[10], slack);
        assert_relative(&what("P(zero)"), model.p_zero(&customer, horizon), n[11], 2.0 * slack);
        let outlook = model.outlook(&customer, horizon);
        assert_eq!((outlook.p_alive, outlook.expected), (model.p_alive(&customer), model.expected(&customer, horizon)));
        assert_relative(&what("P(zero) of the outlook"), outlook.p_zero, n[11], 2.0 * slack);
    }
}

/// Published in the supplement of Fader, Hardie & Lee (2005), for the customer with x 2, t_x 30.43, T 38.86.
#[test]
fn bg_nbd_of_the_published_customer() {
    let customer = history(2.0, 30.43, 38.86);
    assert_close("E[Y(39)]", published().expected(&customer, 39.0), 1.2259, 0.0002);
    assert_close("P(alive)", published().p_alive(&customer), 0.7266, 0.0001);
}

/// The examples of the R package BTYD (`bgnbd.pmf`), which round the published parameters.
#[test]
fn bg_nbd_count_probabilities() {
    let model = BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap();
    assert_close("P(X(39) = 0)", model.p_count(0, 39.0).unwrap(), 0.5737864, 1e-7);
    assert_relative("P(X(2) = 10)", model.p_count(10, 2.0).unwrap(), 1.07869e-07, 1e-5);
    let all: f64 = (0..3000).map(|n| model.p_count(n, 39.0).unwrap()).sum();
    assert_close("all counts together", all, 1.0, 1e-9);
    let mean: f64 = (0..3000).map(|n| f64::from(n) * model.p_count(n, 39.0).unwrap()).sum();
    assert_relative("mean of the counts", mean, model.expected_of_new(39.0), 1e-9);
}

/// The two cases of ORACLES (and of `lifetimes`) in which a likelihood out of log space over- or underflows.
#[test]
fn bg_nbd_likelihood_is_stable() {
    let model = BgNbd::new(0.25, 4.0, 0.8, 2.5).unwrap();
    assert_close("one-time buyer", model.log_likelihood(&history(0.0, 0.0, 40.0)), -0.59947382, 1e-8);
    assert_close("200 purchases", model.log_likelihood(&history(200.0, 38.0, 40.0)), 100.7957, 5e-5);
}

/// Simulated from the model itself, the fit finds parameters at least as likely as the true ones, and near them.
#[test]
fn fits_find_the_parameters_they_came_from() {
    let customers = simulated(20_000, 52.0);
    let truth = ParetoNbd::new(0.8, 6.0, 0.7, 10.0).unwrap();
    let found = ParetoNbd::fit(&customers).unwrap();
    let (of_truth, of_found) =
        (truth.total_log_likelihood(&customers).unwrap(), found.total_log_likelihood(&customers).unwrap());
    // Twice the gain is chi-squared with 4 degrees of freedom: 18.5 is its 99.9 % point.
    assert!(of_found >= of_truth && of_found - of_truth < 9.25, "{of_truth} {of_found} {found:?}");
    assert_relative("purchase rate", found.r / found.alpha, 0.8 / 6.0, 0.03);
}

/// A fit is a maximum: no small step in any direction of the parameters is more likely.
#[test]
fn fits_are_maxima() {
    let customers = simulated(5_000, 52.0);
    let bg = BgNbd::fit(&customers).unwrap();
    let pareto = ParetoNbd::fit(&customers).unwrap();
    let best_bg = bg.total_log_likelihood(&customers).unwrap();
    let best_pareto = pareto.total_log_likelihood(&customers).unwrap();
    for factor in [0.98, 1.02] {
        for parameter in 0..4 {
            let moved = |values: [f64; 4]| {
                let mut values = values;
                values[parameter] *= factor;
                values
            };
            let [r, alpha, a, b] = moved([bg.r, bg.alpha, bg.a, bg.b]);
            let other = BgNbd { r, alpha, a, b };
            assert!(other.total_log_likelihood(&customers).unwrap() < best_bg, "{other:?} beats {bg:?}");
            let [r, alpha, s, beta] = moved([pareto.r, pareto.alpha, pareto.s, pareto.beta]);
            let other = ParetoNbd { r, alpha, s, beta };
            assert!(other.total_log_likelihood(&customers).unwrap() < best_pareto, "{other:?} beats {pareto:?}");
        }
    }
}

/// Whatever unit time and money are in, the same customers are the same customers.
#[test]
fn fits_do_not_depend_on_the_unit() {
    let weeks = simulated(2_000, 52.0);
    let days: Vec<Summary> =
        weeks.iter().map(|c| Summary { t_x: c.t_x * 7.0, t: c.t * 7.0, value: c.value * 100.0, ..*c }).collect();
    let (a, b) = (BgNbd::fit(&weeks).unwrap(), BgNbd::fit(&days).unwrap());
    assert_relative("alpha", b.alpha, a.alpha * 7.0, 1e-4);
    assert_relative("b", b.b, a.b, 1e-4);
    let (a, b) = (ParetoNbd::fit(&weeks).unwrap(), ParetoNbd::fit(&days).unwrap());
    assert_relative("beta", b.beta, a.beta * 7.0, 1e-4);
    assert_relative("s", b.s, a.s, 1e-4);
    let (a, b) = (GammaGamma::fit(&weeks).unwrap(), GammaGamma::fit(&days).unwrap());
    assert_relative("v", b.v, a.v * 100.0, 1e-4);
    assert_relative("q", b.q, a.q, 1e-4);
}

#[test]
fn threads_do_not_change_a_bit() {
    let customers = simulated(3_000, 52.0);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (BgNbd::fit(&customers), ParetoNbd::fit(&customers), GammaGamma::fit(&customers)))
    };
    assert_eq!(with(1), with(3));
}

/// A prediction of the model's own kind: the simulated customers buy in the next year what is expected of them.
#[test]
fn forecasts_of_simulated_customers_add_up() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let truth = ParetoNbd::new(0.8, 6.0, 0.7, 10.0).unwrap();
    let (mut expected, mut bought, mut expected_zero, mut zero) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..20_000 {
        let times = purchases(&mut rng, 104.0);
        let forecast = truth.forecast(&[seen(&times, 52.0, 0.0)], 52.0).unwrap()[0];
        let later = times.iter().filter(|&&t| t > 52.0).count() as f64;
        expected += forecast.expected;
        expected_zero += forecast.p_zero;
        bought += later;
        zero += f64::from(u8::from(later == 0.0));
    }
    assert_relative("purchases", expected, bought, 0.04);
    assert_relative("customers without a purchase", expected_zero, zero, 0.01);
}

/// Data without a finite optimum end at finite parameters: nobody leaves, all leave, one customer, huge counts.
#[test]
fn degenerate_data_are_fitted() {
    let clockwork: Vec<Summary> = (0..50).map(|_| Summary { x: 10.0, t_x: 50.0, t: 51.0, value: 20.0 }).collect();
    let quitters: Vec<Summary> =
        (0..50).map(|i| Summary { x: 1.0, t_x: 0.1, t: 500.0 + f64::from(i), value: 1e6 }).collect();
    let one = vec![Summary { x: 1.0, t_x: 1.0, t: 1.0, value: 0.01 }];
    let frantic: Vec<Summary> =
        (1..50).map(|i| Summary { x: 4000.0 * f64::from(i), t_x: 0.9, t: 1.0, value: 1e-3 }).collect();
    let mut new = vec![history(0.0, 0.0, 0.0); 100];
    new.push(Summary { x: 1.0, t_x: 1e-6, t: 1e-6, value: 5.0 });
    for (name, customers) in
        [("clockwork", clockwork), ("quitters", quitters), ("one", one), ("frantic", frantic), ("new", new)]
    {
        let bg = BgNbd::fit(&customers).unwrap();
        let pareto = ParetoNbd::fit(&customers).unwrap();
        let spend = GammaGamma::fit(&customers).unwrap();
        for customer in &customers {
            for model in [&bg as &dyn PurchaseModel, &pareto] {
                assert_sane(model, customer, 10.0);
            }
            let value = spend.expected_value(customer);
            assert!(value > 0.0 && value.is_finite(), "{name}: {spend:?} expects {value}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..Default::default() })]

    #[test]
    fn forecasts_are_finite_and_ordered(
        logs in proptest::array::uniform4(-4.0..6.0f64), x in 0u32..2000, last in 0.001..1.0f64,
        age in 0.001..500.0f64, horizon in 0.01..500.0f64,
    ) {
        let [p1, p2, p3, p4] = logs.map(f64::exp);
        let customer = history(f64::from(x), if x > 0 { last * age } else { 0.0 }, age);
        assert_sane(&BgNbd::new(p1, p2, p3, p4).unwrap(), &customer, horizon);
        assert_sane(&ParetoNbd::new(p1, p2, p3, p4).unwrap(), &customer, horizon);
    }

    #[test]
    fn expected_value_lies_between_own_mean_and_all(
        p in 0.1..50.0f64, q in 1.1..50.0f64, v in 0.1..500.0f64, x in 1u32..100, value in 0.01..1e4f64,
    ) {
        let model = GammaGamma::new(p, q, v).unwrap();
        let all = model.expected_value(&history(0.0, 0.0, 9.0));
        let found = model.expected_value(&Summary { x: f64::from(x), t_x: 5.0, t: 9.0, value });
        prop_assert!(found >= all.min(value) * (1.0 - 1e-12) && found <= all.max(value) * (1.0 + 1e-12));
    }

    /// Brute force over the definition: distinct days, ages from the first, mean over repeat days.
    #[test]
    fn summaries_follow_their_definition(
        mut days in proptest::collection::vec((0i32..30, 0u32..100), 0..12), end in 0i32..30,
    ) {
        days.sort_by_key(|d| d.0);
        let transactions: Vec<Transaction> =
            days.iter().map(|&(day, value)| Transaction { day, value: f64::from(value) }).collect();
        let found = summaries([transactions.as_slice()], end, 7.0).unwrap()[0];
        let mut seen: Vec<i32> = days.iter().map(|d| d.0).filter(|&d| d <= end).collect();
        seen.dedup();
        match found {
            None => prop_assert!(seen.is_empty()),
            Some(found) => {
                let (first, last) = (seen[0], *seen.last().unwrap());
                let x = (seen.len() - 1) as f64;
                let spent: u32 = days.iter().filter(|d| d.0 > first && d.0 <= end).map(|d| d.1).sum();
                let value = if x > 0.0 { f64::from(spent) / x } else { 0.0 };
                let age = |day: i32| f64::from(day - first) / 7.0;
                prop_assert_eq!(found, Summary { x, t_x: age(last), t: age(end), value });
            }
        }
    }
}

#[test]
fn errors_name_the_customer() {
    let good = Summary { x: 1.0, t_x: 2.0, t: 3.0, value: 4.0 };
    let fit = |bad: Summary| BgNbd::fit(&[good, bad]).unwrap_err();
    assert_eq!(BgNbd::fit(&[]), Err(Error::Empty { what: "customers" }));
    assert_eq!(fit(Summary { t_x: 4.0, ..good }), Error::PurchaseAfterEnd { customer: 1, t_x: 4.0, t: 3.0 });
    for bad in [
        Summary { x: -1.0, ..good },
        Summary { x: 1.5, ..good },
        Summary { x: 0.0, ..good },
        Summary { t_x: 0.0, ..good },
        Summary { t: f64::NAN, ..good },
        Summary { value: -4.0, ..good },
    ] {
        assert!(matches!(fit(bad), Error::Customer { customer: 1, .. }), "{bad:?}");
        assert!(matches!(ParetoNbd::fit(&[good, bad]), Err(Error::Customer { customer: 1, .. })), "{bad:?}");
        assert!(matches!(GammaGamma::fit(&[good, bad]), Err(Error::Customer { customer: 1, .. })), "{bad:?}");
    }
    let once = vec![history(0.0, 0.0, 3.0); 7];
    assert!(matches!(BgNbd::fit(&once), Err(Error::NoRepeatPurchase { customers: 7, .. })));
    assert!(matches!(ParetoNbd::fit(&once), Err(Error::NoRepeatPurchase { customers: 7, .. })));
    assert!(matches!(GammaGamma::fit(&once), Err(Error::NoRepeatPurchase { customers: 7, .. })));
    assert!(matches!(published().forecast(&[good], -1.0), Err(Error::Setting { name: "horizon", .. })));
    assert!(matches!(BgNbd::new(1.0, 0.0, 1.0, 1.0), Err(Error::Setting { name: "alpha", .. })));

    let sold = |day, value| Transaction { day, value };
    let unsorted = [sold(3, 1.0), sold(2, 1.0)];
    let refund = [sold(1, 1.0), sold(2, -5.0)];
    assert_eq!(
        summaries([&[][..], &unsorted[..]], 9, 1.0),
        Err(Error::Unsorted { customer: 1, row: 1, day: 2, previous: 3 })
    );
    assert!(matches!(summaries([&refund[..]], 9, 1.0), Err(Error::Customer { customer: 0, value: -5.0, .. })));
}

#[track_caller]
fn assert_sane(model: &dyn PurchaseModel, customer: &Summary, horizon: f64) {
    let found = model.forecast(&[*customer], horizon).unwrap()[0];
    let longer = model.forecast(&[*customer], 2.0 * horizon).unwrap()[0];
    let likelihood = model.log_likelihood(customer);
    assert!(likelihood.is_finite(), "log likelihood {likelihood} of {customer:?}");
    assert!((0.0..=1.0).contains(&found.p_alive), "{found:?} of {customer:?}");
    assert!((0.0..=1.0).contains(&found.p_zero), "{found:?} of {customer:?}");
    assert!(found.expected >= 0.0 && found.expected.is_finite(), "{found:?} of {customer:?}");
    assert!(
        longer.expected >= found.expected * (1.0 - 1e-10) && longer.p_zero <= found.p_zero + 1e-9,
        "{found:?}, {longer:?} of {customer:?}"
    );
    // Markov: at least one purchase is at most as probable as the mean number; and only the living buy.
    let buys = 1.0 - found.p_zero;
    assert!(buys <= found.expected + 1e-9 && buys <= found.p_alive + 1e-9, "{found:?} of {customer:?}");
}

/// Customers of a Pareto/NBD world with r .8, alpha 6, s .7, beta 10, seen for up to `until` weeks.
fn simulated(count: usize, until: f64) -> Vec<Summary> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let one = |_| {
        let value = gamma(&mut rng, 4.0) * 9.0 / gamma(&mut rng, 3.5);
        let age = until * rng.random_range(0.5..1.0);
        seen(&purchases(&mut rng, age), age, value)
    };
    (0..count).map(one).collect()
}

fn purchases(rng: &mut ChaCha8Rng, until: f64) -> Vec<f64> {
    let rate = gamma(rng, 0.8) / 6.0;
    let end = until.min(exponential(rng) / (gamma(rng, 0.7) / 10.0));
    let (mut times, mut time) = (vec![], exponential(rng) / rate);
    while time < end {
        times.push(time);
        time += exponential(rng) / rate;
    }
    times
}

fn seen(times: &[f64], age: f64, value: f64) -> Summary {
    let times: Vec<f64> = times.iter().copied().filter(|&t| t <= age).collect();
    let x = times.len() as f64;
    Summary { x, t_x: times.last().copied().unwrap_or(0.0), t: age, value: if x > 0.0 { value } else { 0.0 } }
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

/// Gamma(shape, 1) by Ahrens & Dieter (1974) below 1, and as a sum of exponentials above.
fn gamma(rng: &mut ChaCha8Rng, shape: f64) -> f64 {
    if shape >= 1.0 {
        return exponential(rng) + gamma(rng, shape - 1.0);
    }
    if shape == 0.0 {
        return 0.0;
    }
    loop {
        let p = rng.random::<f64>() * (1.0 + shape / std::f64::consts::E);
        let (value, accept) = if p <= 1.0 {
            let value = p.powf(1.0 / shape);
            (value, (-value).exp())
        } else {
            let value = -((1.0 + shape / std::f64::consts::E - p) / shape).ln();
            (value, value.powf(shape - 1.0))
        };
        if rng.random::<f64>() <= accept {
            return value;
        }
    }
}
