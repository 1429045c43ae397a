//! Every number the shop is made of, once, with its unit.
//!
//! They were settled before any model was tuned on the shop's data, and no option changes them: a benchmark whose
//! mechanism can be adjusted is no yardstick. All times are days, all rates are per day.

use crate::Kind;

/// Gamma distribution over customers of a Poisson rate; mean = shape / rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gamma {
    pub(crate) shape: f64,
    pub(crate) rate: f64,
}

/// Pareto II: an exponential lifetime whose rate is Gamma(shape, scale) over customers; days.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lomax {
    pub(crate) shape: f64,
    pub(crate) scale: f64,
}

impl Lomax {
    pub(crate) fn survival(&self, age: f64) -> f64 {
        (self.scale / (self.scale + age)).powf(self.shape)
    }

    pub(crate) fn log_density(&self, age: f64) -> f64 {
        self.shape.ln() + self.shape * self.scale.ln() - (self.shape + 1.0) * (self.scale + age).ln()
    }

    pub(crate) fn quantile(&self, survival: f64) -> f64 {
        self.scale * (survival.powf(-1.0 / self.shape) - 1.0)
    }
}

/// The heterogeneity of one kind of shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Population {
    pub(crate) purchases: Gamma,
    pub(crate) lifetime: Lomax,
    /// Browsing sessions; `None` where the shop records none.
    pub(crate) sessions: Option<Gamma>,
    /// Share of the simulated time, from its start, in which customers are acquired.
    pub(crate) acquired_within: f64,
}

impl Population {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Full => Self {
                purchases: Gamma { shape: 1.4, rate: 80.0 },
                lifetime: Lomax { shape: 1.6, scale: 800.0 },
                sessions: Some(Gamma { shape: 2.0, rate: 40.0 }),
                acquired_within: 0.9,
            },
            // CDNOW in weeks: r = .5533, alpha = 10.577, s = .6062, beta = 11.669 (Fader & Hardie 2005).
            Kind::ParetoNbd => Self {
                purchases: Gamma { shape: 0.5533, rate: 10.577 * 7.0 },
                lifetime: Lomax { shape: 0.6062, scale: 11.669 * 7.0 },
                sessions: None,
                acquired_within: 1.0 / 3.0,
            },
        }
    }
}

/// Engagement as a share of a customer's own session rate, by days before leaving: (from that day on, share).
/// The last entry is what remains after he left.
pub(crate) const FADE: [(f64, f64); 3] = [(60.0, 0.6), (30.0, 0.22), (0.0, 0.03)];

/// How a customer responds to campaigns. Classes are discrete so that a posterior over them is a sum.
pub(crate) struct CampaignClass {
    pub(crate) share: f64,
    /// Purchase intensity in the window after a sent touch, as a multiple of the usual one.
    pub(crate) multiplier: f64,
    /// Probability that an order in the window names the campaign (and so gets its discount).
    pub(crate) names_campaign: f64,
    pub(crate) opens: f64,
    pub(crate) clicks_if_open: f64,
}

pub(crate) const CAMPAIGN_CLASSES: [CampaignClass; 3] = [
    CampaignClass { share: 0.5, multiplier: 1.0, names_campaign: 0.08, opens: 0.25, clicks_if_open: 0.10 },
    CampaignClass { share: 0.3, multiplier: 1.6, names_campaign: 0.35, opens: 0.40, clicks_if_open: 0.20 },
    CampaignClass { share: 0.2, multiplier: 2.5, names_campaign: 0.55, opens: 0.55, clicks_if_open: 0.35 },
];

/// Days after a sent touch in which the multiplier holds.
pub(crate) const CAMPAIGN_WINDOW: f64 = 14.0;
/// Probability that a campaign goes to a customer who agreed to its channel, independent of what he did.
pub(crate) const CAMPAIGN_REACH: f64 = 0.5;
/// Day of the month and hour at which each month's campaign is sent: windows of two campaigns never overlap.
pub(crate) const CAMPAIGN_SENT: (u32, u32) = (5, 9);
pub(crate) const CAMPAIGN_DISCOUNT: f64 = 0.10;
pub(crate) const OPEN_DELAY: f64 = 0.25;
pub(crate) const CLICK_DELAY: f64 = 2.0 / 1440.0;

/// Marketing channels: name, cost of one touch, probability that a new customer agrees to it.
pub(crate) const MARKETING: [(&str, f64, f64); 3] =
    [("email", 0.002, 0.80), ("sms", 0.06, 0.45), ("push", 0.001, 0.60)];
/// Hazard per day of withdrawing all marketing consent, independent of behaviour.
pub(crate) const WITHDRAWAL: f64 = 0.12 / 365.25;
pub(crate) const PROFILING_CONSENT: f64 = 0.9;

/// Channels that bring new customers for money: name, share of the new customers, mean cost of one.
pub(crate) const ADVERTISING: [(&str, f64, f64); 3] =
    [("search", 0.30, 14.0), ("social", 0.22, 22.0), ("display", 0.08, 30.0)];
/// Mean days from the click on an advertisement to the first purchase.
pub(crate) const CLICK_TO_PURCHASE: f64 = 0.5;
/// Share of new customers whom another customer brought (where one of so many had come before), and his reward.
pub(crate) const REFERRED: f64 = 0.12;
pub(crate) const REFERRERS_ASKED: usize = 8;
pub(crate) const REFERRAL: &str = "referral";
pub(crate) const REFERRAL_REWARD: f64 = 5.0;

/// Share of customers who join the loyalty programme; points that buy a reward, and how often who has them takes it.
pub(crate) const LOYALTY_MEMBERS: f64 = 0.6;
pub(crate) const LOYALTY_REWARD: f64 = 500.0;
pub(crate) const LOYALTY_SPENDS: f64 = 0.3;
/// Tiers by the points ever collected.
pub(crate) const LOYALTY_TIERS: [(&str, f64); 4] =
    [("bronze", 0.0), ("silver", 300.0), ("gold", 1000.0), ("platinum", 3000.0)];

/// Shares of purchases and of calls for support with an answer, when, and of answers with a text.
pub(crate) const ANSWERS_ABOUT_PURCHASES: f64 = 0.10;
pub(crate) const ANSWERS_ABOUT_SUPPORT: f64 = 0.30;
pub(crate) const ANSWERED_AFTER: (f64, f64) = (1.0, 14.0);
pub(crate) const ANSWERS_WITH_TEXT: f64 = 0.6;
pub(crate) const CHINESE_SPEAKERS: f64 = 0.25;
/// Shares of the unhappy, the undecided and the happy, and after a return or cancellation.
pub(crate) const MOOD: [f64; 3] = [0.15, 0.25, 0.60];
pub(crate) const MOOD_AFTER_REVERSAL: [f64; 3] = [0.70, 0.20, 0.10];

/// How long the shop's systems take to know of something: mostly `prompt` days (exponential mean), sometimes uniform
/// between `late`'s two ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    pub(crate) late_share: f64,
    pub(crate) late: (f64, f64),
    pub(crate) prompt: f64,
}

impl Delay {
    /// Probability that something of this age (days) is known by now.
    pub(crate) fn known(&self, age: f64) -> f64 {
        if age <= 0.0 {
            return 0.0;
        }
        let prompt = if self.prompt > 0.0 { 1.0 - (-age / self.prompt).exp() } else { 1.0 };
        let late = if self.late_share > 0.0 { uniform_cdf(self.late, age) } else { 0.0 };
        (1.0 - self.late_share) * prompt + self.late_share * late
    }
}

/// Distribution function of the uniform distribution between two ends.
pub(crate) fn uniform_cdf((low, high): (f64, f64), x: f64) -> f64 {
    ((x - low) / (high - low)).clamp(0.0, 1.0)
}

pub(crate) const ORDER_DELAY: Delay = Delay { late_share: 0.01, late: (1.0, 20.0), prompt: 4.0 / 1440.0 };
/// Sessions of an app that was offline reach the shop hours to days later.
pub(crate) const SESSION_DELAY: Delay = Delay { late_share: 0.01, late: (0.2, 3.0), prompt: 20.0 / 86_400.0 };
/// The control shop knows everything when it happens.
pub(crate) const NO_DELAY: Delay = Delay { late_share: 0.0, late: (0.0, 1.0), prompt: 0.0 };

/// Share of orders followed by a cancellation of all lines, and when.
pub(crate) const CANCELLED: f64 = 0.02;
pub(crate) const CANCELLED_AFTER: (f64, f64) = (1.0 / 24.0, 2.0);
/// Share of orders followed by a return (never both), when, and the share of its lines that come back.
pub(crate) const RETURNED: f64 = 0.06;
pub(crate) const RETURNED_AFTER: (f64, f64) = (2.0, 21.0);
pub(crate) const RETURNED_LINE: f64 = 0.6;

pub(crate) const PRODUCTS: usize = 500;
pub(crate) const CONTROL_PRODUCTS: usize = 100;
pub(crate) const CATEGORIES: [(&str, f64); 12] = [
    ("grocery", 9.0),
    ("drinks", 12.0),
    ("beauty", 18.0),
    ("household", 15.0),
    ("books", 16.0),
    ("toys", 24.0),
    ("garden", 32.0),
    ("sports", 45.0),
    ("fashion", 40.0),
    ("shoes", 70.0),
    ("home", 85.0),
    ("electronics", 120.0),
];
/// Spread (of the logarithm) of prices in a category around its median, the number beside its name.
pub(crate) const PRICE_SPREAD: f64 = 0.45;
/// Popularity in a category falls as rank^-ZIPF.
pub(crate) const ZIPF: f64 = 1.0;

/// A taste profile's weights on its own category, the next one and the fifth after it; the rest is spread over all.
pub(crate) const TASTE: [(usize, f64); 3] = [(0, 0.50), (1, 0.20), (5, 0.15)];
/// Share of orders (but the first) whose main product follows from the last order's: bought again, or a companion.
pub(crate) const FOLLOWS_LAST: f64 = 0.40;
pub(crate) const BOUGHT_AGAIN: f64 = 0.30;
pub(crate) const COMPANIONS: usize = 4;
/// Share of an order's further lines that are accessories of its main product.
pub(crate) const ACCESSORY: f64 = 0.5;
pub(crate) const ACCESSORIES: usize = 5;
/// Further lines per order: Poisson with this Gamma over customers.
pub(crate) const BASKET: Gamma = Gamma { shape: 2.0, rate: 2.0 };
/// Probabilities of 1, 2, 3 pieces of the main product; further lines have one piece, so the main line is the largest.
pub(crate) const MAIN_PIECES: [f64; 3] = [0.85, 0.10, 0.05];

/// Gamma-Gamma spend of the control shop (Fader, Hardie & Lee 2005, CDNOW): p, q, gamma.
pub(crate) const SPEND: (f64, f64, f64) = (6.25, 3.74, 15.45);

/// Share of orders without a customer, and of dirt in each file.
pub(crate) const GUEST_ORDERS_PER_CUSTOMER: f64 = 0.06;
pub(crate) const DUPLICATE_ORDER: f64 = 0.003;
pub(crate) const ZERO_QUANTITY: f64 = 0.001;
pub(crate) const DUPLICATE_CUSTOMER: f64 = 0.02;
pub(crate) const BLANK_EMAIL: f64 = 0.03;
pub(crate) const BROKEN_BIRTH_DATE: f64 = 0.005;
pub(crate) const ODD_CASE: f64 = 0.05;
pub(crate) const PADDED: f64 = 0.02;
