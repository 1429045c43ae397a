//! What brought a customer to the shop: an advertisement that was paid for, another customer, or nothing that is known.
//!
//! Whoever comes is alike, whatever brought him: what sources cost differs, what their customers are worth does not.

use chrono::{DateTime, Datelike, Months, TimeZone, Utc};
use rand::Rng;

use crate::clock::Clock;
use crate::customer::{Latent, acquired};
use crate::draw::{between, exponential, index};
use crate::parameters::*;
use crate::shop::{Seconds, Shop, days, seconds};

/// A month of one of the [`ADVERTISING`] channels, as a campaign.
pub(crate) struct Advertisement {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Index into [`ADVERTISING`].
    pub(crate) channel: usize,
    pub(crate) from: Seconds,
    pub(crate) to: Seconds,
    pub(crate) cost: f64,
}

pub(crate) enum Arrival {
    Unknown,
    Advertised { advertisement: usize, clicked: Seconds },
    Referred { by: u64 },
}

/// What is spent in a month is that of the customers to be expected, dearer in some months than in others.
pub(crate) fn advertisements(start: DateTime<Utc>, clock: &Clock, until: f64, customers: u64) -> Vec<Advertisement> {
    let first = Utc.with_ymd_and_hms(start.year(), start.month(), 1, 0, 0, 0).single();
    let begins = (0..).map_while(|month| first?.checked_add_months(Months::new(month)));
    let mut advertisements = Vec::new();
    let mut begins = begins.enumerate().peekable();
    while let (Some((month, begin)), Some((_, next))) = (begins.next(), begins.peek()) {
        let (from, to) = ((begin - start).num_seconds().max(0), (*next - start).num_seconds().min(seconds(until)));
        if from >= to {
            break;
        }
        let arrivals = customers as f64 * clock.between(days(from), days(to)) / clock.at(until);
        for (channel, (name, share, cost)) in ADVERTISING.iter().enumerate() {
            let dear = 0.8 + 0.1 * ((month + channel) % 5) as f64;
            let month = begin.format("%Y-%m");
            advertisements.push(Advertisement {
                id: format!("ad-{name}-{month}"),
                name: format!("{name} advertising {month}"),
                channel,
                from,
                to,
                cost: arrivals * share * cost * dear,
            });
        }
    }
    advertisements
}

/// What brought customer `number` (from 0). A referrer is one of the customers before him, the first ones most often.
pub(crate) fn arrival(shop: &Shop, number: u64, latent: &Latent, rng: &mut impl Rng) -> Arrival {
    let shares = ADVERTISING.iter().map(|(_, share, _)| *share);
    let nothing = 1.0 - REFERRED - shares.clone().sum::<f64>();
    let source = index(shares.chain([REFERRED, nothing]), rng);
    if source < ADVERTISING.len() {
        let clicked = (latent.acquired - seconds(exponential(CLICK_TO_PURCHASE, rng))).max(0);
        let is_shown = |ad: &Advertisement| ad.channel == source && ad.from <= clicked && clicked < ad.to;
        let advertisement = shop.advertisements.iter().position(is_shown);
        return advertisement.map_or(Arrival::Unknown, |advertisement| Arrival::Advertised { advertisement, clicked });
    }
    let mut candidates = (0..REFERRERS_ASKED).map(|_| (number as f64 * between((0.0, 1.0), rng).powi(2)) as u64);
    let came_before = |&other: &u64| other < number && acquired(shop, &mut shop.customer_rng(other)) < latent.acquired;
    match (source == ADVERTISING.len()).then(|| candidates.find(came_before)).flatten() {
        Some(by) => Arrival::Referred { by },
        None => Arrival::Unknown,
    }
}
