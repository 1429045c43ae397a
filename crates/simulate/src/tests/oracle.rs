use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::function::gamma::ln_gamma;

use super::*;
use crate::draw::{chance, gamma, index};
use crate::parameters::*;
use crate::posterior::{Evidence, Reaction, future};

/// Gauss' hypergeometric series, |z| < 1.
fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 0..5_000 {
        let n = f64::from(n);
        term *= (a + n) * (b + n) / (c + n) * z / (n + 1.0);
        sum += term;
        if term.abs() < 1e-17 * sum.abs() {
            break;
        }
    }
    sum
}

/// Log of the Pareto/NBD likelihood by equation (A2) of Fader & Hardie's note (2005), for alpha >= beta or not.
fn log_pareto_nbd(population: &Population, x: f64, t_x: f64, t: f64) -> f64 {
    let (Gamma { shape: r, rate: alpha }, Lomax { shape: s, scale: beta }) =
        (population.purchases, population.lifetime);
    let (larger, b) = if alpha >= beta { (alpha, s + 1.0) } else { (beta, r + x) };
    let part = |at: f64| {
        let z = (alpha - beta).abs() / (larger + at);
        hypergeometric(r + s + x, b, r + s + x + 1.0, z) / ((larger + at) / (larger + t_x)).powf(r + s + x)
    };
    let a0 = part(t_x) - part(t);
    let constant = ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln() + s * beta.ln();
    let alive = -(r + x) * (alpha + t).ln() - s * (beta + t).ln();
    let dead = (s / (r + s + x) * a0).ln() - (r + s + x) * (larger + t_x).ln();
    let top = alive.max(dead);
    constant + top + ((alive - top).exp() + (dead - top).exp()).ln()
}

#[test]
fn the_control_shop_is_the_closed_form_of_pareto_nbd() {
    let shop = Shop::new(&config(Kind::ParetoNbd, 1, 1)).unwrap();
    let outlook = Outlook::new(&shop);
    for (x, t_x, t) in [(0, 0.0, 400.0), (1, 20.0, 600.0), (3, 500.0, 520.0), (26, 215.0, 270.0), (120, 580.0, 640.0)] {
        let acquired = outlook.as_of - t;
        let repeats = (1..=x).map(|n| acquired + t_x * f64::from(n) / f64::from(x)).collect();
        let evidence = Evidence { acquired, repeats, ..Evidence::default() };
        // No purchase in the horizon is a longer history with the same purchases.
        let longer = log_pareto_nbd(&shop.population, f64::from(x), t_x, t + 90.0);
        let expected = (longer - log_pareto_nbd(&shop.population, f64::from(x), t_x, t)).exp();
        let found = future(&shop.population, &outlook, &evidence).p_none;
        assert!((found - expected).abs() < 1e-6, "x {x}, t_x {t_x}, T {t}: {found} against {expected}");
    }
}

/// The same posterior from nothing but the definition of the processes: latent values from the prior, weighted by the
/// likelihood of the evidence, intensities summed hour by hour, future campaigns drawn.
struct BruteForce<'a> {
    shop: &'a Shop,
    evidence: &'a Evidence,
    /// Hours from the acquisition to the end of the horizon: middle (days), clock time.
    hours: Vec<(f64, f64)>,
}

struct Estimate {
    p_none: f64,
    orders: f64,
    errors: (f64, f64),
}

impl BruteForce<'_> {
    fn estimate(&self, samples: usize, rng: &mut ChaCha8Rng) -> Estimate {
        let drawn: Vec<(f64, f64, f64)> = (0..samples).map(|_| self.sample(rng)).collect();
        let top = drawn.iter().map(|d| d.0).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = drawn.iter().map(|d| (d.0 - top).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mean = |value: &dyn Fn(&(f64, f64, f64)) -> f64| {
            let mean = drawn.iter().zip(&weights).map(|(d, w)| w * value(d)).sum::<f64>() / total;
            let square = drawn.iter().zip(&weights).map(|(d, w)| (w * (value(d) - mean)).powi(2)).sum::<f64>();
            (mean, square.sqrt() / total)
        };
        let (none, orders) = (mean(&|d| d.1), mean(&|d| d.2));
        Estimate { p_none: none.0, orders: orders.0, errors: (none.1, orders.1) }
    }

    /// Log weight, P(no order), expected orders.
    fn sample(&self, rng: &mut ChaCha8Rng) -> (f64, f64, f64) {
        let Self { shop, evidence, hours } = self;
        let (as_of, end) = (days(shop.as_of), days(shop.end));
        let rate = gamma(shop.population.purchases, rng);
        let session_rate = gamma(shop.population.sessions.unwrap(), rng);
        let died = evidence.acquired + shop.population.lifetime.quantile(1.0 - rng.random::<f64>());
        let class = &CAMPAIGN_CLASSES[index(CAMPAIGN_CLASSES.iter().map(|c| c.share), rng)];
        let mut windows: Vec<(f64, f64)> = evidence.received.iter().map(|r| r.0).collect();
        let upcoming: Vec<_> = shop.campaigns.iter().filter(|c| c.sent >= shop.as_of).collect();
        let withdrawn = as_of + crate::draw::exponential(1.0 / WITHDRAWAL, rng);
        for campaign in upcoming {
            let agreed = evidence.consent_mask >> campaign.channel & 1 == 1 && days(campaign.sent) < withdrawn;
            if agreed && chance(CAMPAIGN_REACH, rng) {
                windows.push(campaign.window());
            }
        }
        let lift = |day: f64| if windows.iter().any(|w| w.0 <= day && day < w.1) { class.multiplier } else { 1.0 };
        let purchase = |day: f64| if day < died { rate * lift(day) } else { 0.0 };
        let session = |day: f64| session_rate * customer::fade(died - day);

        let mut log = 0.0;
        evidence.repeats.iter().for_each(|&day| log += purchase(day).ln());
        evidence.sessions.iter().for_each(|&day| log += session(day).ln());
        let named = |&named: &bool| if named { class.names_campaign } else { 1.0 - class.names_campaign };
        log += evidence.named.iter().map(|n| named(n).ln()).sum::<f64>();
        for (_, reaction) in &evidence.received {
            log += match reaction {
                Reaction::None { sent_age } => (1.0 - class.opens * (1.0 - (-sent_age / OPEN_DELAY).exp())).ln(),
                Reaction::Opened { .. } => (class.opens * (1.0 - class.clicks_if_open)).ln(),
                Reaction::Clicked => (class.opens * class.clicks_if_open).ln(),
            };
        }
        let mut ahead = 0.0;
        for &(day, clock) in hours {
            if day < as_of {
                log -= clock * purchase(day) * ORDER_DELAY.known(as_of - day);
                log -= clock * session(day) * SESSION_DELAY.known(as_of - day);
            } else {
                ahead += clock * purchase(day) * ORDER_DELAY.known(end - day);
            }
        }
        (log, (-ahead).exp(), ahead)
    }
}

fn shop_of_a_year() -> Shop {
    Shop::new(&Config::new(1, 12, 1)).unwrap()
}

fn assert_quadrature_is_brute_force(shop: &Shop, name: &str, evidence: &Evidence) {
    let hours = (evidence.acquired as usize * 24..(shop.horizon_end() * 24.0) as usize).map(|hour| {
        let (from, to) = (hour as f64 / 24.0, (hour + 1) as f64 / 24.0);
        ((from + to) / 2.0, shop.clock.between(from, to))
    });
    let hours = hours.filter(|hour| hour.0 > evidence.acquired).collect();
    let samples = if name == "one order" { 20_000 } else { 60_000 };
    let brute = BruteForce { shop, evidence, hours }.estimate(samples, &mut ChaCha8Rng::seed_from_u64(5));
    let exact = future(&shop.population, &Outlook::new(shop), evidence);
    let Estimate { p_none, orders, errors } = brute;
    assert!(errors.0 < 0.02, "{name}: too few samples to tell, {}", errors.0);
    assert!((exact.p_none - p_none).abs() < 4.0 * errors.0, "{name}: {} against {p_none} ± {}", exact.p_none, errors.0);
    assert!((exact.orders - orders).abs() < 4.0 * errors.1, "{name}: {} against {orders} ± {}", exact.orders, errors.1);
}

#[test]
fn the_quadrature_is_brute_force_for_one_order() {
    let shop = shop_of_a_year();
    let evidence = Evidence { acquired: days(shop.as_of) - 120.0, consent_mask: 0b111, ..Evidence::default() };
    assert_quadrature_is_brute_force(&shop, "one order", &evidence);
}

#[test]
fn the_quadrature_is_brute_force_for_a_customer_who_browses_still() {
    let shop = shop_of_a_year();
    let acquired = days(shop.as_of) - 100.0;
    let evidence = Evidence {
        acquired,
        repeats: vec![acquired + 12.0, acquired + 31.5],
        sessions: [3.0, 14.0, 22.0, 41.0, 60.0, 83.0, 98.5].map(|day| acquired + day).to_vec(),
        consent_mask: 0b101,
        ..Evidence::default()
    };
    assert_quadrature_is_brute_force(&shop, "browses still", &evidence);
}

#[test]
fn the_quadrature_is_brute_force_for_a_customer_who_faded_and_had_campaigns() {
    let shop = shop_of_a_year();
    let acquired = days(shop.as_of) - 110.0;
    let known: Vec<(f64, f64)> =
        shop.campaigns.iter().filter(|c| days(c.sent) > acquired && c.sent < shop.as_of).map(|c| c.window()).collect();
    let age = |window: (f64, f64)| days(shop.as_of) - window.0;
    let evidence = Evidence {
        acquired,
        repeats: vec![known[0].0 + 3.0, known[0].0 + 9.0],
        named: vec![true, false],
        sessions: [1.0, 4.0, 11.0, 20.0, 25.0, 33.0, 38.0].map(|day| acquired + day).to_vec(),
        received: vec![
            (known[0], Reaction::Clicked),
            (known[1], Reaction::Opened { open_age: age(known[1]) - 0.1 }),
            (known[2], Reaction::None { sent_age: age(known[2]) }),
        ],
        consent_mask: 0b111,
    };
    assert_quadrature_is_brute_force(&shop, "faded", &evidence);
}
