//! An A/B test beside the truth of the shop it is held in, replayed: its intervals hold the true effect as often as they say.

use analytics::experiments::{Rate, Sample, Scale, proportions, welch};

use super::*;
use crate::increments::of_campaign;

const REPLAYS: u64 = 2_000;
const CUSTOMERS: u64 = 400;
/// The campaign of the third one is judged.
const MONTHS: u32 = 3;

/// Whether the intervals of orders for each customer and of the share who bought hold what the campaign changed.
fn holds(seed: u64) -> [bool; 2] {
    let shop = Shop::new(&Config { months: MONTHS, horizon_days: 30, ..config(Kind::Full, CUSTOMERS, seed) }).unwrap();
    let last = shop.campaigns.len() - 1;
    let (from, to) = shop.campaigns[last].window();
    // Orders of the holdout and of those it was sent to; true effects of both together.
    let (mut orders, mut effects) = ([vec![], vec![]], vec![]);
    for number in 0..shop.customers {
        let history = customer::simulate(&shop, number, &mut shop.customer_rng(number));
        let Some(assignment) = history.assignments.iter().find(|assignment| assignment.campaign == last) else {
            continue;
        };
        let bought = history.purchases.iter().filter(|purchase| (from..to).contains(&days(purchase.at))).count();
        orders[usize::from(assignment.is_sent)].push(bought as f64);
        effects.push(of_campaign(&shop, &history, &shop.campaigns[last]));
    }
    let [control, treatment] = orders.each_ref().map(|orders| Sample::of(orders).unwrap());
    let by_orders = welch(&control, &treatment, Scale::Absolute, 0.95).unwrap();
    let [control, treatment] = orders
        .each_ref()
        .map(|orders| Rate::new(orders.iter().filter(|n| **n > 0.0).count() as u64, orders.len() as u64).unwrap());
    let by_share = proportions(control, treatment, Scale::Absolute, 0.95).unwrap();
    let mean =
        |of: fn(&crate::increments::Increment) -> f64| effects.iter().map(of).sum::<f64>() / effects.len() as f64;
    [(by_orders, mean(|i| i.orders)), (by_share, mean(|i| i.bought))]
        .map(|(effect, truth)| (effect.low..=effect.high).contains(&truth))
}

#[test]
fn intervals_of_an_ab_test_hold_the_true_effect_in_95_of_100_replays() {
    let replays: Vec<[bool; 2]> = (0..REPLAYS).into_par_iter().map(holds).collect();
    for (measure, name) in ["orders", "bought"].into_iter().enumerate() {
        let held = replays.iter().filter(|replay| replay[measure]).count() as f64 / REPLAYS as f64;
        assert!((0.94..=0.96).contains(&held), "{name}: {held}");
    }
}
