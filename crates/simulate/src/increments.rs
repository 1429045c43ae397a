//! What a campaign changes for a customer: what he is expected to do in its window if it is sent to him, less what he
//! would do without, given all that is true of him before.
//!
//! No two windows overlap, so nothing else differs. With λ his rate, m his class's multiplier, q the chance that an order
//! in the window names the campaign, d its discount, and C the clock of the window until he leaves, his orders are
//! Poisson with mean mλC if sent and λC if not. Sent, he makes (m − 1)λC more orders, buys at all with a probability that
//! is e^−λC − e^−mλC higher, and spends (1 − dq) V(mλC) − V(λC) more, where V(μ) is the expected gross amount of a Poisson
//! number of orders with mean μ, each depending on the main product of the one before. The last can be negative: who
//! would have bought anyway gets a discount. Amounts are before returns and cancellations.

use crate::catalogue::worth_of_next;
use crate::customer::History;
use crate::parameters::{CAMPAIGN_CLASSES, CAMPAIGN_DISCOUNT};
use crate::shop::{Campaign, Shop};

/// Of being sent one campaign, in its window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Increment {
    pub(crate) orders: f64,
    /// Probability of any order.
    pub(crate) bought: f64,
    /// Net amount of the orders, before returns.
    pub(crate) value: f64,
}

/// Of a customer who was acquired before the campaign was sent.
pub(crate) fn of_campaign(shop: &Shop, history: &History, campaign: &Campaign) -> Increment {
    let latent = &history.latent;
    let class = &CAMPAIGN_CLASSES[latent.class];
    let (from, to) = campaign.window();
    let usual = latent.purchase_rate * shop.clock.between(from, to.min(latent.died));
    let sent = class.multiplier * usual;
    let before = history.purchases.partition_point(|purchase| purchase.at < campaign.sent);
    let last = history.purchases[before - 1].lines[0].product;
    let worth = |rank| shop.catalogue.order_worth(rank, latent.taste, last, latent.further_lines);
    let gross = |mean: f64| {
        let none = (-mean).exp();
        worth_of_next(1.0 - none, 1.0 - none * (1.0 + mean), mean, worth)
    };
    Increment {
        orders: sent - usual,
        bought: (-usual).exp() - (-sent).exp(),
        value: (1.0 - CAMPAIGN_DISCOUNT * class.names_campaign) * gross(sent) - gross(usual),
    }
}
