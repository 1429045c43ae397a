use super::*;

/// Mean prediction and mean outcome agree within three standard errors in every tenth by prediction.
fn assert_calibrated(name: &str, cases: impl Iterator<Item = (f64, bool)>) {
    let mut cases: Vec<_> = cases.collect();
    cases.sort_by(|a, b| a.0.total_cmp(&b.0));
    for tenth in cases.chunks(cases.len().div_ceil(10)) {
        let expected: f64 = tenth.iter().map(|c| c.0).sum();
        let observed = tenth.iter().filter(|c| c.1).count() as f64;
        let deviation = tenth.iter().map(|c| c.0 * (1.0 - c.0)).sum::<f64>().sqrt();
        let n = tenth.len();
        assert!((expected - observed).abs() < 3.0 * deviation + 1.0, "{name}: {expected:.1} against {observed} of {n}");
    }
}

/// The summed prediction is within three standard errors of the summed outcome, overall and in five parts that each
/// hold a fifth of the predicted total (equal numbers of customers would leave the lowest part without an outcome).
fn assert_unbiased(name: &str, cases: impl Iterator<Item = (f64, f64)>) {
    let mut cases: Vec<_> = cases.collect();
    cases.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = cases.iter().map(|c| c.0).sum();
    let part = cases.iter().scan(0.0, |sum, c| {
        *sum += c.0;
        Some(((5.0 * *sum / total) as usize).min(4))
    });
    let part: Vec<usize> = part.collect();
    let fifths = (0..5).map(|fifth| cases.iter().zip(&part).filter(|(_, p)| **p == fifth).map(|(c, _)| *c).collect());
    for part in fifths.chain([cases.clone()]) {
        let part: Vec<(f64, f64)> = part;
        let difference: f64 = part.iter().map(|c| c.0 - c.1).sum();
        let error = part.iter().map(|c| (c.0 - c.1).powi(2)).sum::<f64>().sqrt();
        let (expected, n) = (part.iter().map(|c| c.0).sum::<f64>(), part.len());
        assert!(difference.abs() < 3.0 * error, "{name}: {expected:.1} is off by {difference:.1} ± {error:.1} of {n}");
    }
}

fn assert_truth_is_calibrated(outcomes: &[Outcome]) {
    assert_calibrated("churn", outcomes.iter().map(|o| (o.truth.p_churn, o.is_churned)));
    assert_unbiased("orders", outcomes.iter().map(|o| (o.truth.expected_orders, o.orders)));
    assert_unbiased("value", outcomes.iter().map(|o| (o.truth.expected_value, o.value)));
}

#[test]
fn the_truth_of_the_full_shop_is_calibrated_and_beats_recency_and_frequency() {
    let shop = Shop::new(&config(Kind::Full, 30_000, 11)).unwrap();
    let outcomes = population(&shop);
    assert_truth_is_calibrated(&outcomes);

    let buyers: Vec<&Outcome> = outcomes.iter().filter(|o| o.next.is_some()).collect();
    assert_calibrated("first", buyers.iter().map(|o| (o.truth.next[0].1, o.next == Some(o.truth.next[0].0))));
    let listed = |o: &&&Outcome| o.truth.next.iter().position(|n| Some(n.0) == o.next).is_some_and(|rank| rank < 10);
    let expected: f64 = buyers.iter().map(|o| o.truth.next[..10].iter().map(|n| n.1).sum::<f64>()).sum();
    let hits = buyers.iter().filter(listed).count() as f64;
    assert!((hits - expected).abs() < 3.0 * expected.sqrt(), "{hits} against {expected}");

    let attainable = auc(outcomes.iter().map(|o| (o.truth.p_churn, o.is_churned)));
    let simple = auc(outcomes.iter().zip(recency_frequency(&shop, &outcomes)).map(|(o, score)| (score, o.is_churned)));
    assert!(attainable > simple + 0.02, "attainable {attainable:.4}, recency and frequency {simple:.4}");
}

#[test]
fn the_truth_of_the_control_is_calibrated_and_no_better_than_recency_and_frequency() {
    // A year and a quarter's horizon: the young cohorts of CDNOW, for which a BTYD model reaches about .83.
    let shop = Shop::new(&Config { months: 12, ..config(Kind::ParetoNbd, 30_000, 12) }).unwrap();
    let outcomes = population(&shop);
    assert_truth_is_calibrated(&outcomes);
    let attainable = auc(outcomes.iter().map(|o| (o.truth.p_churn, o.is_churned)));
    let simple = auc(outcomes.iter().zip(recency_frequency(&shop, &outcomes)).map(|(o, score)| (score, o.is_churned)));
    assert!((0.81..0.85).contains(&attainable), "{attainable:.4}");
    assert!((simple - attainable).abs() < 0.02, "attainable {attainable:.4}, recency and frequency {simple:.4}");
    let latent = auc(outcomes.iter().map(|o| (latent_churn(&shop, &o.history), o.is_churned)));
    assert!(latent > attainable + 0.1, "the latent truth should be out of reach, not {latent:.4}");
}

#[test]
fn a_cut_off_in_the_middle_and_a_short_horizon_are_calibrated_too() {
    let mut config = config(Kind::Full, 30_000, 13);
    config.horizon_days = 30;
    config.truth_as_of = Some("2024-02-10T07:00:00Z".parse().unwrap());
    assert_truth_is_calibrated(&population(&Shop::new(&config).unwrap()));
}

/// Share of churners among all customers with about the same recency and frequency: seen on the outcomes themselves,
/// so rather too good.
fn recency_frequency(shop: &Shop, outcomes: &[Outcome]) -> Vec<f64> {
    let cells: Vec<(usize, usize)> = outcomes.iter().map(|o| recency_frequency_cell(shop, &o.history)).collect();
    let mut counts = std::collections::HashMap::<_, (f64, f64)>::new();
    for (cell, outcome) in cells.iter().zip(outcomes) {
        let count = counts.entry(cell).or_default();
        count.0 += f64::from(u8::from(outcome.is_churned));
        count.1 += 1.0;
    }
    cells.iter().map(|cell| counts[cell].0 / counts[cell].1).collect()
}

fn recency_frequency_cell(shop: &Shop, history: &History) -> (usize, usize) {
    let known: Vec<_> = history.purchases.iter().filter(|p| p.at < shop.as_of && p.recorded < shop.as_of).collect();
    let recency = days(shop.as_of - known[known.len() - 1].at);
    ((2.5 * (1.0 + recency).ln()) as usize, ((known.len() as f64).ln() * 3.0) as usize)
}

/// P(no order in the horizon) for one who knows the rate and the leaving day.
fn latent_churn(shop: &Shop, history: &History) -> f64 {
    let until = history.latent.died.min(shop.horizon_end());
    (-history.latent.purchase_rate * shop.clock.between(days(shop.as_of), until)).exp()
}
