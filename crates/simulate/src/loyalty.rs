//! The loyalty programme: who joined collects points and climbs tiers by what he buys.

use rand::Rng;

use crate::customer::{Line, Purchase};
use crate::draw::chance;
use crate::parameters::*;
use crate::shop::Seconds;

/// Points earned (or, negative, spent), or a tier reached.
pub(crate) struct Change {
    pub(crate) at: Seconds,
    pub(crate) recorded: Seconds,
    pub(crate) points: f64,
    pub(crate) tier: Option<&'static str>,
}

/// A point for each whole unit of currency bought; what comes back keeps its points. Nothing for who did not join.
pub(crate) fn changes(purchases: &[Purchase], rng: &mut impl Rng) -> Vec<Change> {
    let mut changes = Vec::new();
    if !chance(LOYALTY_MEMBERS, rng) {
        return changes;
    }
    let (mut collected, mut balance, mut tier) = (0.0, 0.0, None);
    for purchase in purchases {
        let (at, recorded) = (purchase.at, purchase.recorded);
        if balance >= LOYALTY_REWARD && chance(LOYALTY_SPENDS, rng) {
            balance -= LOYALTY_REWARD;
            changes.push(Change { at, recorded, points: -LOYALTY_REWARD, tier: None });
        }
        let points = purchase.lines.iter().map(Line::amount).sum::<f64>().floor();
        collected += points;
        balance += points;
        let reached = LOYALTY_TIERS.iter().rev().find(|(_, from)| collected >= *from).map(|(name, _)| *name);
        changes.push(Change { at, recorded, points, tier: reached.filter(|_| reached != tier) });
        tier = reached;
    }
    changes
}
