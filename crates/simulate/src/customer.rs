//! One customer's life: what he is (latent) and everything he does until the end of the simulated time.
//!
//! All processes are Poisson given the latent values, drawn by thinning candidates that are homogeneous in clock time
//! (Lewis & Shedler 1979), so intensities are exact, not discretised.

use rand::Rng;

use crate::acquisition::{self, Arrival};
use crate::catalogue::cents;
use crate::checkout;
use crate::draw::{between, chance, exponential, gamma, index, poisson};
use crate::feedback::{self, Answer};
use crate::loyalty::{self, Change};
use crate::parameters::*;
use crate::shop::{Campaign, Seconds, Shop, days, seconds};

pub(crate) struct Latent {
    pub(crate) acquired: Seconds,
    /// Purchases per clock day while a customer.
    pub(crate) purchase_rate: f64,
    /// Sessions per clock day before they fade; 0 where the shop records none.
    pub(crate) session_rate: f64,
    /// Day on which he stops being a customer; often after the end.
    pub(crate) died: f64,
    pub(crate) taste: usize,
    /// Index into [`CAMPAIGN_CLASSES`].
    pub(crate) class: usize,
    pub(crate) further_lines: f64,
    /// Rate of the Gamma of his order amounts; the control shop only.
    pub(crate) spend_rate: f64,
}

pub(crate) struct Line {
    pub(crate) product: usize,
    pub(crate) quantity: f64,
    pub(crate) unit_price: f64,
    pub(crate) discount: f64,
}

impl Line {
    pub(crate) fn amount(&self) -> f64 {
        self.quantity * self.unit_price - self.discount
    }
}

pub(crate) struct Purchase {
    pub(crate) at: Seconds,
    pub(crate) recorded: Seconds,
    /// Index into [`CHANNELS`].
    pub(crate) channel: usize,
    pub(crate) store: Option<usize>,
    pub(crate) campaign: Option<usize>,
    /// The main line first.
    pub(crate) lines: Vec<Line>,
}

/// A return or cancellation of some lines of an earlier purchase.
pub(crate) struct Reversal {
    pub(crate) of: usize,
    pub(crate) at: Seconds,
    pub(crate) recorded: Seconds,
    pub(crate) cancels: bool,
    pub(crate) lines: Vec<usize>,
}

pub(crate) struct Event {
    pub(crate) at: Seconds,
    pub(crate) recorded: Seconds,
    pub(crate) kind: &'static str,
    pub(crate) product: Option<usize>,
    pub(crate) dwell: f64,
}

pub(crate) struct Session {
    pub(crate) channel: &'static str,
    pub(crate) device: &'static str,
    pub(crate) events: Vec<Event>,
}

pub(crate) struct Touch {
    pub(crate) at: Seconds,
    pub(crate) campaign: usize,
    pub(crate) kind: TouchKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TouchKind {
    Sent,
    Open,
    Click,
}

/// What the coin said of a customer to whom a campaign could go.
pub(crate) struct Assignment {
    pub(crate) campaign: usize,
    pub(crate) is_sent: bool,
}

#[derive(Default)]
pub(crate) struct Consents {
    /// Marketing channels he agreed to when he registered, a bit each.
    pub(crate) marketing: usize,
    pub(crate) profiling: bool,
    pub(crate) withdrawn: Option<Seconds>,
}

/// What happened, sorted by time within each list; nothing is at or after the end.
pub(crate) struct History {
    pub(crate) latent: Latent,
    pub(crate) purchases: Vec<Purchase>,
    pub(crate) reversals: Vec<Reversal>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) touches: Vec<Touch>,
    pub(crate) consents: Consents,
    pub(crate) arrival: Arrival,
    pub(crate) checkouts: Vec<Session>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) loyalty: Vec<Change>,
    /// Orders of people who did not say who they are.
    pub(crate) guests: Vec<Purchase>,
}

pub(crate) const CHANNELS: [&str; 3] = ["web", "app", "store"];
pub(crate) const STORE: usize = 2;
pub(crate) const STORES: usize = 12;

/// Simulates customer `number` (from 0); `rng` is his, and of more use to the caller.
pub(crate) fn simulate(shop: &Shop, number: u64, rng: &mut impl Rng) -> History {
    let latent = latent(shop, rng);
    if shop.kind == crate::Kind::ParetoNbd {
        return control(shop, latent, rng);
    }
    let consents = consents(shop, &latent, rng);
    let (assignments, touches) = campaigns(shop, &latent, &consents, rng);
    let purchases = purchases(shop, &latent, &touches, rng);
    let reversals = reversals(shop, &purchases, rng);
    let sessions = sessions(shop, &latent, rng);
    let guests = guests(shop, rng);
    let further = &mut shop.further_rng(number);
    History {
        arrival: acquisition::arrival(shop, number, &latent, further),
        checkouts: checkout::checkouts(&purchases, further),
        answers: feedback::answers(&purchases, &reversals, &sessions, further),
        loyalty: loyalty::changes(&purchases, further),
        latent,
        purchases,
        reversals,
        sessions,
        assignments,
        touches,
        consents,
        guests,
    }
}

/// Session intensity as a share of the usual one, `left` days before leaving (negative: after).
pub(crate) fn fade(left: f64) -> f64 {
    FADE.iter().take_while(|(from, _)| left < *from).last().map_or(1.0, |(_, share)| *share)
}

/// When the first purchase is made; the first thing that is drawn of a customer.
pub(crate) fn acquired(shop: &Shop, rng: &mut impl Rng) -> Seconds {
    let clock = shop.clock.at(days(shop.end) * shop.population.acquired_within) * rng.random::<f64>();
    seconds(shop.clock.day(clock).unwrap_or(0.0))
}

fn latent(shop: &Shop, rng: &mut impl Rng) -> Latent {
    let population = shop.population;
    let acquired = acquired(shop, rng);
    // A survival probability of 0 would be an infinite life.
    let survival = 1.0 - rng.random::<f64>();
    let (_, q, spend) = SPEND;
    Latent {
        acquired,
        purchase_rate: gamma(population.purchases, rng),
        session_rate: population.sessions.map_or(0.0, |sessions| gamma(sessions, rng)),
        died: days(acquired) + population.lifetime.quantile(survival),
        taste: index(shop.catalogue.tastes.iter().map(|t| t.share), rng),
        class: if shop.campaigns.is_empty() { 0 } else { index(CAMPAIGN_CLASSES.iter().map(|c| c.share), rng) },
        further_lines: gamma(BASKET, rng),
        spend_rate: gamma(Gamma { shape: q, rate: spend }, rng),
    }
}

fn control(shop: &Shop, latent: Latent, rng: &mut impl Rng) -> History {
    let amounts = Gamma { shape: SPEND.0, rate: latent.spend_rate };
    let times = purchase_times(shop, &latent, &[], rng);
    let purchases = times.into_iter().map(|at| {
        let unit_price = cents(gamma(amounts, rng)).max(0.01);
        let product = shop.catalogue.draw(latent.taste, shop.catalogue.products.len() - 1, rng);
        let lines = vec![Line { product, quantity: 1.0, unit_price, discount: 0.0 }];
        Purchase { at, recorded: at, channel: 0, store: None, campaign: None, lines }
    });
    let purchases = purchases.collect();
    History {
        latent,
        purchases,
        reversals: Vec::new(),
        sessions: Vec::new(),
        assignments: Vec::new(),
        touches: Vec::new(),
        consents: Consents::default(),
        arrival: Arrival::Unknown,
        checkouts: Vec::new(),
        answers: Vec::new(),
        loyalty: Vec::new(),
        guests: Vec::new(),
    }
}

fn consents(shop: &Shop, latent: &Latent, rng: &mut impl Rng) -> Consents {
    let marketing =
        MARKETING.iter().enumerate().map(|(bit, channel)| usize::from(chance(channel.2, rng)) << bit).sum::<usize>();
    let withdrawn = latent.acquired + seconds(exponential(1.0 / WITHDRAWAL, rng));
    let withdraws = marketing != 0 && withdrawn < shop.end;
    Consents { marketing, profiling: chance(PROFILING_CONSENT, rng), withdrawn: withdraws.then_some(withdrawn) }
}

/// Who is sent what depends on consent and chance only, never on behaviour: what follows a touch is its effect.
fn campaigns(shop: &Shop, latent: &Latent, consents: &Consents, rng: &mut impl Rng) -> (Vec<Assignment>, Vec<Touch>) {
    let class = &CAMPAIGN_CLASSES[latent.class];
    let (mut assignments, mut touches) = (Vec::new(), Vec::new());
    for (campaign, Campaign { channel, sent, .. }) in shop.campaigns.iter().enumerate() {
        let is_sent = chance(CAMPAIGN_REACH, rng);
        let agreed = consents.marketing >> channel & 1 == 1 && consents.withdrawn.is_none_or(|at| *sent < at);
        if !agreed || *sent <= latent.acquired {
            continue;
        }
        assignments.push(Assignment { campaign, is_sent });
        if !is_sent {
            continue;
        }
        touches.push(Touch { at: *sent, campaign, kind: TouchKind::Sent });
        if chance(class.opens, rng) {
            let opened = sent + seconds(exponential(OPEN_DELAY, rng));
            touches.push(Touch { at: opened, campaign, kind: TouchKind::Open });
            if chance(class.clicks_if_open, rng) {
                let clicked = opened + seconds(exponential(CLICK_DELAY, rng));
                touches.push(Touch { at: clicked, campaign, kind: TouchKind::Click });
            }
        }
    }
    touches.retain(|touch| touch.at < shop.end);
    (assignments, touches)
}

fn campaign_at(shop: &Shop, touches: &[Touch], day: f64) -> Option<usize> {
    touches.iter().filter(|touch| touch.kind == TouchKind::Sent).map(|touch| touch.campaign).find(|&campaign| {
        let (from, to) = shop.campaigns[campaign].window();
        from <= day && day < to
    })
}

/// The first purchase acquires the customer; the others follow at his rate until he leaves.
fn purchase_times(shop: &Shop, latent: &Latent, touches: &[Touch], rng: &mut impl Rng) -> Vec<Seconds> {
    let multiplier = CAMPAIGN_CLASSES[latent.class].multiplier;
    let mut times = vec![latent.acquired];
    let mut clock = shop.clock.at(days(latent.acquired));
    loop {
        clock += exponential(1.0 / (latent.purchase_rate * multiplier), rng);
        let Some(day) = shop.clock.day(clock).filter(|&day| day < latent.died) else { return times };
        let at = seconds(day);
        if multiplier == 1.0 || campaign_at(shop, touches, days(at)).is_some() || chance(1.0 / multiplier, rng) {
            times.push(at);
        }
    }
}

fn purchases(shop: &Shop, latent: &Latent, touches: &[Touch], rng: &mut impl Rng) -> Vec<Purchase> {
    let class = &CAMPAIGN_CLASSES[latent.class];
    let habit = index([0.5, 0.3, 0.2].into_iter(), rng);
    let mut last = None;
    let mut purchases = Vec::new();
    for at in purchase_times(shop, latent, touches, rng) {
        let campaign = campaign_at(shop, touches, days(at)).filter(|_| chance(class.names_campaign, rng));
        let main = shop.catalogue.draw_main(latent.taste, last, rng);
        let channel = if chance(0.7, rng) { habit } else { rng.random_range(0..CHANNELS.len()) };
        let mut lines = vec![line(shop, main, 1.0 + index(MAIN_PIECES.into_iter(), rng) as f64, campaign.is_some())];
        for _ in 0..poisson(latent.further_lines, rng) {
            let product = shop.catalogue.draw_further(latent.taste, main, rng);
            lines.push(line(shop, product, 1.0, campaign.is_some()));
        }
        purchases.push(purchase(shop, at, channel, campaign, lines, rng));
        last = Some(main);
    }
    purchases
}

fn line(shop: &Shop, product: usize, quantity: f64, discounted: bool) -> Line {
    let unit_price = shop.catalogue.products[product].price;
    let discount = if discounted { cents(quantity * unit_price * CAMPAIGN_DISCOUNT) } else { 0.0 };
    Line { product, quantity, unit_price, discount }
}

fn purchase(
    shop: &Shop,
    at: Seconds,
    channel: usize,
    campaign: Option<usize>,
    lines: Vec<Line>,
    rng: &mut impl Rng,
) -> Purchase {
    let store = (channel == STORE).then(|| rng.random_range(0..STORES));
    Purchase { at, recorded: at + delay(shop.order_delay(), rng), channel, store, campaign, lines }
}

fn delay(delay: Delay, rng: &mut impl Rng) -> Seconds {
    if chance(delay.late_share, rng) {
        seconds(between(delay.late, rng))
    } else {
        seconds(exponential(delay.prompt, rng))
    }
}

/// Per purchase at most one reversal. It is never known before the purchase it reverses.
fn reversals(shop: &Shop, purchases: &[Purchase], rng: &mut impl Rng) -> Vec<Reversal> {
    let mut reversals = Vec::new();
    for (of, purchase) in purchases.iter().enumerate() {
        let fate = rng.random::<f64>();
        let (after, lines): (_, Vec<usize>) = if fate < CANCELLED {
            (CANCELLED_AFTER, (0..purchase.lines.len()).collect())
        } else if fate < CANCELLED + RETURNED {
            (RETURNED_AFTER, (0..purchase.lines.len()).filter(|_| chance(RETURNED_LINE, rng)).collect())
        } else {
            continue;
        };
        let at = purchase.at + seconds(between(after, rng));
        let recorded = at.max(purchase.recorded) + seconds(exponential(ORDER_DELAY.prompt, rng));
        if !lines.is_empty() && at < shop.end {
            reversals.push(Reversal { of, at, recorded, cancels: fate < CANCELLED, lines });
        }
    }
    reversals
}

fn sessions(shop: &Shop, latent: &Latent, rng: &mut impl Rng) -> Vec<Session> {
    let mut sessions = Vec::new();
    let mut clock = shop.clock.at(days(latent.acquired));
    loop {
        clock += exponential(1.0 / latent.session_rate, rng);
        let Some(day) = shop.clock.day(clock) else { return sessions };
        if chance(fade(latent.died - day), rng) {
            sessions.push(session(shop, latent.taste, seconds(day), rng));
        }
    }
}

/// A session's first event is its start; how long it is and what is looked at tell taste, not loyalty.
fn session(shop: &Shop, taste: usize, start: Seconds, rng: &mut impl Rng) -> Session {
    let app = chance(0.45, rng);
    let device = device(app, rng);
    let synced = start + delay(Delay { prompt: 0.0, ..SESSION_DELAY }, rng);
    let mut events = Vec::new();
    let mut at = start;
    let mut happens = |kind, product, rng: &mut _| {
        let dwell = cents(exponential(35.0, rng) + 1.0);
        let recorded = synced.max(at) + seconds(exponential(SESSION_DELAY.prompt, rng));
        events.push(Event { at, recorded, kind, product, dwell });
        at += dwell.ceil() as Seconds;
    };
    if chance(if app { 0.4 } else { 0.1 }, rng) {
        happens("login", None, rng);
    }
    if chance(0.02, rng) {
        happens("support", None, rng);
    }
    for _ in 0..1 + poisson(1.0, rng) {
        if chance(0.2, rng) {
            happens("search", None, rng);
        }
        let product = shop.catalogue.draw(taste, shop.catalogue.products.len() - 1, rng);
        happens("view", Some(product), rng);
        if chance(0.10, rng) {
            happens("cart", Some(product), rng);
        } else if chance(0.06, rng) {
            happens("favourite", Some(product), rng);
        }
    }
    Session { channel: if app { "app" } else { "web" }, device, events }
}

pub(crate) fn device(is_app: bool, rng: &mut impl Rng) -> &'static str {
    if is_app || chance(0.35, rng) { "phone" } else { ["desktop", "tablet"][index([0.8, 0.2].into_iter(), rng)] }
}

fn guests(shop: &Shop, rng: &mut impl Rng) -> Vec<Purchase> {
    let whole = shop.clock.at(days(shop.end));
    let mut guests = Vec::new();
    for _ in 0..poisson(GUEST_ORDERS_PER_CUSTOMER, rng) {
        let at = seconds(shop.clock.day(whole * rng.random::<f64>()).unwrap_or(0.0));
        let taste = index(shop.catalogue.tastes.iter().map(|t| t.share), rng);
        let main = shop.catalogue.draw(taste, shop.catalogue.products.len() - 1, rng);
        let channel = rng.random_range(0..CHANNELS.len());
        guests.push(purchase(shop, at, channel, None, vec![line(shop, main, 1.0, false)], rng));
    }
    guests
}
