//! A shop before its customers: time line, clock, catalogue, campaigns.

use chrono::{DateTime, Datelike, Months, TimeDelta, TimeZone, Utc};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::acquisition::{self, Advertisement};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::parameters::*;
use crate::{Config, Kind, Result};

pub(crate) const SECONDS_PER_DAY: f64 = 86_400.0;

/// Seconds since the shop's start; the resolution of everything that happens.
pub(crate) type Seconds = i64;

pub(crate) fn days(at: Seconds) -> f64 {
    at as f64 / SECONDS_PER_DAY
}

pub(crate) fn seconds(day: f64) -> Seconds {
    (day * SECONDS_PER_DAY) as Seconds
}

pub(crate) struct Campaign {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Index into [`MARKETING`].
    pub(crate) channel: usize,
    pub(crate) sent: Seconds,
    pub(crate) cost: f64,
}

impl Campaign {
    /// Days in which a customer who got it buys more.
    pub(crate) fn window(&self) -> (f64, f64) {
        (days(self.sent), days(self.sent) + CAMPAIGN_WINDOW)
    }
}

pub(crate) struct Shop {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) customers: u64,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: Seconds,
    pub(crate) as_of: Seconds,
    pub(crate) horizon_days: u32,
    pub(crate) population: Population,
    pub(crate) clock: Clock,
    pub(crate) catalogue: Catalogue,
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) advertisements: Vec<Advertisement>,
}

impl Shop {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let times = config.times()?;
        // Every field has its use here, so that one that nothing reads is a warning.
        let &Config { customers, months: _, seed, start: _, kind, horizon_days, truth_as_of: _ } = config;
        let end = (times.end - times.start).num_seconds();
        let (clock, campaigns) = match kind {
            Kind::Full => (Clock::seasonal(times.start, days(end)), campaigns(times.start, times.end)),
            Kind::ParetoNbd => (Clock::even(days(end)), Vec::new()),
        };
        let population = Population::of(kind);
        let advertisements = match kind {
            Kind::Full => {
                acquisition::advertisements(times.start, &clock, days(end) * population.acquired_within, customers)
            }
            Kind::ParetoNbd => Vec::new(),
        };
        let catalogue = Catalogue::generate(kind, &mut stream(seed, SHOP_STREAM));
        Ok(Self {
            kind,
            seed,
            customers,
            start: times.start,
            end,
            as_of: (times.as_of - times.start).num_seconds(),
            horizon_days,
            population,
            clock,
            catalogue,
            campaigns,
            advertisements,
        })
    }

    /// The random numbers of one customer, the same whoever simulates him and when.
    pub(crate) fn customer_rng(&self, index: u64) -> ChaCha8Rng {
        stream(self.seed, index + 1)
    }

    /// More random numbers of his, for what was added later: what was drawn before stays as it was.
    pub(crate) fn further_rng(&self, index: u64) -> ChaCha8Rng {
        stream(self.seed, u64::MAX - index)
    }

    pub(crate) fn time(&self, at: Seconds) -> DateTime<Utc> {
        self.start + TimeDelta::seconds(at)
    }

    pub(crate) fn micros(&self, at: Seconds) -> i64 {
        self.time(at).timestamp_micros()
    }

    pub(crate) fn horizon_end(&self) -> f64 {
        days(self.as_of) + f64::from(self.horizon_days)
    }

    pub(crate) fn order_delay(&self) -> Delay {
        match self.kind {
            Kind::Full => ORDER_DELAY,
            Kind::ParetoNbd => NO_DELAY,
        }
    }
}

const SHOP_STREAM: u64 = 0;

fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

const THEMES: [&str; 12] = [
    "New year",
    "Winter sale",
    "Spring",
    "Easter",
    "Garden",
    "Early summer",
    "Holiday",
    "Late summer",
    "Back to school",
    "Autumn",
    "Black week",
    "Christmas",
];

/// One campaign a month, on the same day and hour, its channel in turn.
fn campaigns(start: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Campaign> {
    let first = Utc.with_ymd_and_hms(start.year(), start.month(), CAMPAIGN_SENT.0, CAMPAIGN_SENT.1, 0, 0).single();
    let months = (0..).map_while(|month| first?.checked_add_months(Months::new(month)));
    let sent = months.take_while(|&at| at + TimeDelta::days(CAMPAIGN_WINDOW as i64) < end).filter(|&at| at >= start);
    sent.enumerate()
        .map(|(index, at)| {
            let channel = index % MARKETING.len();
            Campaign {
                id: format!("cp{:03}", index + 1),
                name: format!("{} {}", THEMES[at.month0() as usize], at.year()),
                channel,
                sent: (at - start).num_seconds(),
                cost: 400.0 + 150.0 * (index % 5) as f64,
            }
        })
        .collect()
}
