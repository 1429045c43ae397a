//! What campaigns change, against the experiments that they are and against brute force.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::customer::{Line, Purchase};
use crate::draw::{chance, index, poisson};
use crate::increments::{Increment, of_campaign};
use crate::parameters::*;

/// Orders, any order and net amount of one window.
type Outcomes = [f64; 3];

fn outcomes(increment: &Increment) -> Outcomes {
    let &Increment { orders, bought, value } = increment;
    [orders, bought, value]
}

fn observed(window: (f64, f64), purchases: &[Purchase]) -> Outcomes {
    let within = purchases.iter().filter(|p| (window.0..window.1).contains(&days(p.at)));
    let (mut orders, mut value) = (0.0, 0.0);
    for purchase in within {
        orders += 1.0;
        value += purchase.lines.iter().map(Line::amount).sum::<f64>();
    }
    [orders, f64::min(orders, 1.0), value]
}

/// Mean and variance of the mean.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n)
}

/// Deviation of the difference of two arms from the mean of `expected`, in its standard errors.
fn deviation(sent: &[f64], holdout: &[f64], expected: &[f64]) -> f64 {
    let ((a, of_a), (b, of_b)) = (moments(sent), moments(holdout));
    (a - b - moments(expected).0) / (of_a + of_b).sqrt()
}

#[test]
fn the_arms_of_every_campaign_differ_by_the_mean_increment() {
    let shop = Shop::new(&config(Kind::Full, 40_000, 21)).unwrap();
    let one = |number| {
        let history = customer::simulate(&shop, number, &mut shop.customer_rng(number));
        let of = |assignment: &customer::Assignment| {
            let campaign = &shop.campaigns[assignment.campaign];
            let increment = outcomes(&of_campaign(&shop, &history, campaign));
            (assignment.campaign, assignment.is_sent, increment, observed(campaign.window(), &history.purchases))
        };
        history.assignments.iter().map(of).collect::<Vec<_>>()
    };
    let rows: Vec<(usize, bool, Outcomes, Outcomes)> = (0..shop.customers).into_par_iter().flat_map_iter(one).collect();
    for (metric, name) in ["orders", "bought", "value"].into_iter().enumerate() {
        let arm = |campaign: usize, sent: bool| -> Vec<f64> {
            rows.iter().filter(|r| r.0 == campaign && r.1 == sent).map(|r| r.3[metric]).collect()
        };
        let deviations = (0..shop.campaigns.len()).map(|campaign| {
            let expected: Vec<f64> = rows.iter().filter(|r| r.0 == campaign).map(|r| r.2[metric]).collect();
            let z = deviation(&arm(campaign, true), &arm(campaign, false), &expected);
            assert!(z.abs() < 4.0, "{name} of campaign {campaign}: z {z:.2}");
            z
        });
        let deviations: Vec<f64> = deviations.collect();
        // The deviations of so many experiments are those of chance: no trend, and as wide.
        let count = deviations.len() as f64;
        let (mean, squares) = (deviations.iter().sum::<f64>() / count, deviations.iter().map(|z| z * z).sum::<f64>());
        assert!(mean.abs() * count.sqrt() < 4.0, "{name}: mean z {mean:.2} of {count}");
        assert!((squares / count - 1.0).abs() * (count / 2.0).sqrt() < 4.0, "{name}: mean z² {:.2}", squares / count);
    }
}

/// Expected orders of the window without the campaign, minute by minute.
fn usual(shop: &Shop, history: &customer::History, (from, to): (f64, f64)) -> f64 {
    let minute = |minute: i32| from + f64::from(minute) / 1440.0;
    let alive = (0..((to - from) * 1440.0).round() as i32).filter(|&m| minute(m) < history.latent.died);
    alive.map(|m| history.latent.purchase_rate * (shop.clock.at(minute(m + 1)) - shop.clock.at(minute(m)))).sum()
}

/// Outcomes of the window, drawn order by order and line by line.
fn drawn(
    shop: &Shop,
    history: &customer::History,
    usual: f64,
    before: usize,
    sent: bool,
    rng: &mut ChaCha8Rng,
) -> Outcomes {
    let (latent, class) = (&history.latent, &CAMPAIGN_CLASSES[history.latent.class]);
    let count = poisson(if sent { class.multiplier * usual } else { usual }, rng);
    let (mut last, mut value) = (before, 0.0);
    for _ in 0..count {
        last = shop.catalogue.draw_main(latent.taste, Some(last), rng);
        let mut gross = (1.0 + index(MAIN_PIECES.into_iter(), rng) as f64) * shop.catalogue.products[last].price;
        for _ in 0..poisson(latent.further_lines, rng) {
            gross += shop.catalogue.products[shop.catalogue.draw_further(latent.taste, last, rng)].price;
        }
        let names = sent && chance(class.names_campaign, rng);
        value += if names { (1.0 - CAMPAIGN_DISCOUNT) * gross } else { gross };
    }
    [count as f64, f64::from(u8::from(count > 0)), value]
}

#[test]
fn an_increment_is_brute_force() {
    let shop = Shop::new(&config(Kind::Full, 2_000, 22)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let mut seen = [false; CAMPAIGN_CLASSES.len()];
    let (mut leaves, mut left) = (false, false);
    for number in 0..shop.customers {
        let history = customer::simulate(&shop, number, &mut shop.customer_rng(number));
        let Some(assignment) = history.assignments.last() else { continue };
        let campaign = &shop.campaigns[assignment.campaign];
        let window = campaign.window();
        let increment = of_campaign(&shop, &history, campaign);
        if history.latent.died < window.0 {
            assert_eq!(outcomes(&increment), [0.0; 3]);
            left = true;
            continue;
        }
        // One of each class, and one who leaves in the window.
        let is_new = !std::mem::replace(&mut seen[history.latent.class], true);
        let is_leaving = history.latent.died < window.1 && !std::mem::replace(&mut leaves, true);
        if !is_new && !is_leaving {
            continue;
        }
        let usual = usual(&shop, &history, window);
        let before = history.purchases.iter().rfind(|p| days(p.at) < window.0).unwrap().lines[0].product;
        let draw = |sent, rng: &mut _| -> Vec<Outcomes> {
            (0..50_000).map(|_| drawn(&shop, &history, usual, before, sent, rng)).collect()
        };
        let (sent, holdout) = (draw(true, &mut rng), draw(false, &mut rng));
        for (metric, expected) in outcomes(&increment).into_iter().enumerate() {
            let of = |rows: &[Outcomes]| rows.iter().map(|row| row[metric]).collect::<Vec<_>>();
            let z = deviation(&of(&sent), &of(&holdout), &[expected]);
            assert!(z.abs() < 4.0, "metric {metric} of customer {number}: {expected}, z {z:.2}");
        }
    }
    assert!(seen == [true; 3] && leaves && left, "{seen:?} {leaves} {left}");
}
