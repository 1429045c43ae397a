//! The visits in which online purchases are made.
//!
//! They follow from the purchase and chance alone and are known when it is, so that they say nothing of the customer that
//! the purchase does not say.

use rand::Rng;

use crate::catalogue::cents;
use crate::customer::{CHANNELS, Event, Purchase, STORE, Session, device};
use crate::draw::exponential;

/// One visit per purchase outside the stores: its main product is looked at and put into the cart.
pub(crate) fn checkouts(purchases: &[Purchase], rng: &mut impl Rng) -> Vec<Session> {
    let online = purchases.iter().filter(|purchase| purchase.channel != STORE);
    let visit = |purchase: &Purchase| {
        let channel = CHANNELS[purchase.channel];
        let product = Some(purchase.lines[0].product);
        let mut at = purchase.at;
        let mut event = |kind, rng: &mut _| {
            let dwell = cents(exponential(CHECKOUT_STEP, rng) + 1.0);
            at = (at - dwell.ceil() as i64).max(0);
            Event { at, recorded: purchase.recorded, kind, product, dwell }
        };
        let cart = event("cart", rng);
        let view = event("view", rng);
        Session { channel, device: device(channel == "app", rng), events: vec![view, cart] }
    };
    online.map(visit).collect()
}

/// Mean seconds from looking to the cart, and from the cart to the order.
const CHECKOUT_STEP: f64 = 120.0;
