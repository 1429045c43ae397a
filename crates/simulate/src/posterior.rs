//! What a history says about the customer's future, given the shop's true parameters: exact Bayes by quadrature.
//!
//! Given the day τ on which he leaves and his campaign class, purchases and sessions are Poisson with Gamma rates, so
//! both rates integrate out in closed form (as in Schmittlein, Morrison & Colombo 1987, with clock time for time);
//! what is left is a sum over classes and a one-dimensional integral over τ, whose integrand is smooth between the
//! sessions and their fade-outs. Gauss-Legendre on those pieces is exact to about 1e-6. Rows not yet known at the
//! cut-off are thinned out of the processes by their known probability, which is exact for Poisson processes.

use crate::customer::{History, TouchKind};
use crate::outlook::Outlook;
use crate::parameters::*;
use crate::shop::{Seconds, Shop, days};

/// What is visible of one customer at the cut-off, as far as it bears on rates and leaving.
#[derive(Default, Clone)]
pub(crate) struct Evidence {
    pub(crate) acquired: f64,
    /// Purchases after the acquiring one, ascending.
    pub(crate) repeats: Vec<f64>,
    /// For each repeat in a campaign's window: whether it names the campaign.
    pub(crate) named: Vec<bool>,
    pub(crate) sessions: Vec<f64>,
    /// Windows of the campaigns received, and how he reacted to each.
    pub(crate) received: Vec<((f64, f64), Reaction)>,
    /// Marketing consents that hold at the cut-off.
    pub(crate) consent_mask: usize,
}

/// Reaction to a sent touch; ages in days at the cut-off.
#[derive(Clone, Copy)]
pub(crate) enum Reaction {
    None { sent_age: f64 },
    Opened { open_age: f64 },
    Clicked,
}

/// Purchases in the horizon, given the evidence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Future {
    pub(crate) p_none: f64,
    pub(crate) p_one: f64,
    pub(crate) orders: f64,
    /// Expected orders weighted by the share of the amount that stays: after campaign discounts and reversals.
    pub(crate) net_orders: f64,
}

impl Evidence {
    pub(crate) fn at(shop: &Shop, history: &History) -> Self {
        let as_of = shop.as_of;
        let known = |at: Seconds, recorded: Seconds| at < as_of && recorded < as_of;
        let consents = &history.consents;
        let received = received(shop, history);
        let mut evidence = Self {
            acquired: days(history.latent.acquired),
            consent_mask: if consents.withdrawn.is_some_and(|at| at < as_of) { 0 } else { consents.marketing },
            ..Self::default()
        };
        for purchase in history.purchases.iter().filter(|p| known(p.at, p.recorded) && p.at > history.latent.acquired) {
            let day = days(purchase.at);
            evidence.repeats.push(day);
            if received.iter().any(|((from, to), _)| (*from..*to).contains(&day)) {
                evidence.named.push(purchase.campaign.is_some());
            }
        }
        let starts = history.sessions.iter().map(|session| &session.events[0]);
        evidence.sessions =
            starts.filter(|start| known(start.at, start.recorded)).map(|start| days(start.at)).collect();
        evidence.received = received;
        evidence
    }
}

fn received(shop: &Shop, history: &History) -> Vec<((f64, f64), Reaction)> {
    let age = |at: Seconds| days(shop.as_of - at);
    let mut received: Vec<((f64, f64), Reaction)> = Vec::new();
    for touch in history.touches.iter().filter(|touch| touch.at < shop.as_of) {
        let reaction = match touch.kind {
            TouchKind::Sent => Reaction::None { sent_age: age(touch.at) },
            TouchKind::Open => Reaction::Opened { open_age: age(touch.at) },
            TouchKind::Click => Reaction::Clicked,
        };
        match received.last_mut() {
            // Touches of one campaign follow each other, and windows do not overlap.
            Some(last) if touch.kind != TouchKind::Sent => last.1 = reaction,
            _ => received.push((shop.campaigns[touch.campaign].window(), reaction)),
        }
    }
    received
}

/// The posterior's view of the horizon.
pub(crate) fn future(population: &Population, outlook: &Outlook, evidence: &Evidence) -> Future {
    let model = Model { population, outlook, evidence };
    let points = model.points();
    let top = points.iter().flat_map(|point| point.logs).fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut sum) = (0.0, Future { p_none: 0.0, p_one: 0.0, orders: 0.0, net_orders: 0.0 });
    for point in points.iter().filter(|point| point.logs.iter().any(|log| *log > top - NEGLIGIBLE)) {
        let weights = point.logs.map(|log| (log - top).exp());
        total += weights.iter().sum::<f64>();
        if point.day <= outlook.as_of {
            sum.p_none += weights.iter().sum::<f64>();
            continue;
        }
        let horizon = model.horizon(point.day);
        for (class, weight) in weights.into_iter().enumerate() {
            let ahead = model.ahead(&horizon, class, point.exposures[class]);
            sum.p_none += weight * ahead.p_none;
            sum.p_one += weight * ahead.p_one;
            sum.orders += weight * ahead.orders;
            sum.net_orders += weight * ahead.net_orders;
        }
    }
    Future {
        p_none: sum.p_none / total,
        p_one: sum.p_one / total,
        orders: sum.orders / total,
        net_orders: sum.net_orders / total,
    }
}

/// Points whose weight is below e^-NEGLIGIBLE of the largest are left out.
const NEGLIGIBLE: f64 = 32.0;

/// Gauss-Legendre nodes and weights on [-1, 1].
const GAUSS: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

struct Node {
    day: f64,
    log_prior: f64,
}

const CLASSES: usize = CAMPAIGN_CLASSES.len();

/// One leaving day with, per campaign class, its unnormalised log posterior weight.
struct Point {
    day: f64,
    /// Clock in which purchases would have been seen, campaign effects included.
    exposures: [f64; CLASSES],
    logs: [f64; CLASSES],
}

/// Clocks of the horizon up to a leaving day, each as (orders, net orders).
struct Horizon {
    all: (f64, f64),
    /// In windows of campaigns already received.
    running: (f64, f64),
    /// In the window of each upcoming campaign.
    upcoming: Vec<(f64, f64)>,
}

struct Model<'a> {
    population: &'a Population,
    outlook: &'a Outlook,
    evidence: &'a Evidence,
}

impl Model<'_> {
    /// Quadrature of the prior of the leaving day over everything after the last purchase.
    fn nodes(&self) -> Vec<Node> {
        let lifetime = &self.population.lifetime;
        let acquired = self.evidence.acquired;
        let edges = self.edges();
        let mut nodes = Vec::with_capacity(edges.len() * GAUSS.len());
        for pair in edges.windows(2) {
            let (middle, half) = ((pair[0] + pair[1]) / 2.0, (pair[1] - pair[0]) / 2.0);
            nodes.extend(GAUSS.iter().map(|(x, weight)| {
                let day = middle + half * x;
                Node { day, log_prior: (half * weight).ln() + lifetime.log_density(day - acquired) }
            }));
        }
        // From the last edge on nothing depends on the leaving day any more.
        let last = edges[edges.len() - 1];
        nodes.push(Node { day: last, log_prior: lifetime.survival(last - acquired).ln() });
        nodes
    }

    /// Where the integrand may bend, and, because it decays fast after many purchases or sessions, geometric steps.
    fn edges(&self) -> Vec<f64> {
        let Self { population, outlook, evidence } = self;
        let first = evidence.repeats.last().copied().unwrap_or(evidence.acquired);
        let fades = FADE.iter().map(|(left, _)| *left);
        let longest_fade = if population.sessions.is_some() { FADE[0].0 } else { 0.0 };
        let last = outlook.horizon_end.max(outlook.as_of + longest_fade);
        let mut edges = vec![first, outlook.as_of, outlook.horizon_end, last];
        for session in evidence.sessions.iter().chain([&outlook.as_of, &evidence.acquired]) {
            edges.extend(fades.clone().map(|left| session + left));
        }
        edges.extend(
            evidence.received.iter().map(|r| r.0).chain(outlook.upcoming.iter().copied()).flat_map(|w| [w.0, w.1]),
        );
        let steps = |from: f64, prior: Gamma, count: usize| {
            let step = 0.5 * (prior.rate + outlook.as_of - evidence.acquired) / (prior.shape + count as f64);
            (0..).map(move |power| from + step * f64::from(1 << power)).take_while(move |&edge| edge < last).take(24)
        };
        edges.extend(steps(first, population.purchases, evidence.repeats.len()));
        if let (Some(prior), Some(&session)) = (population.sessions, evidence.sessions.last()) {
            for left in fades {
                edges.extend(steps(session + left, prior, evidence.sessions.len()));
            }
        }
        edges.retain(|&edge| edge >= first && edge <= last);
        edges.sort_by(f64::total_cmp);
        edges.dedup_by(|later, earlier| *later - *earlier < 1e-9);
        edges
    }

    fn points(&self) -> Vec<Point> {
        let Gamma { shape, rate } = self.population.purchases;
        let count = shape + self.evidence.repeats.len() as f64;
        let classes: [f64; CLASSES] = std::array::from_fn(|class| self.log_class(class));
        let point = |Node { day, log_prior }| {
            let sessions = self.population.sessions.map_or(0.0, |prior| self.log_sessions(prior, day));
            let (all, in_windows) = self.purchase_exposure(day);
            let exposures = std::array::from_fn(|c| all + (CAMPAIGN_CLASSES[c].multiplier - 1.0) * in_windows);
            let logs = std::array::from_fn(|c| log_prior + sessions + classes[c] - count * (rate + exposures[c]).ln());
            Point { day, exposures, logs }
        };
        self.nodes().into_iter().map(point).collect()
    }

    /// Clock in which purchases would have been seen, were the leaving day `day`: all of it, and that in campaign windows.
    fn purchase_exposure(&self, day: f64) -> (f64, f64) {
        let Self { outlook: Outlook { seen, as_of, .. }, evidence, .. } = self;
        let until = day.min(*as_of);
        let windows = evidence.received.iter().map(|((from, to), _)| seen.between(*from, to.min(until))).sum();
        (seen.between(evidence.acquired, until), windows)
    }

    fn log_sessions(&self, prior: Gamma, day: f64) -> f64 {
        let Self { outlook: Outlook { seen_sessions, as_of, .. }, evidence, .. } = self;
        let (mut from, mut share) = (evidence.acquired, 1.0_f64);
        let (mut exposure, mut log) = (0.0, 0.0);
        let zones = FADE.iter().map(|&(left, next)| (day - left, next)).chain([(*as_of, 0.0)]);
        for (to, next) in zones {
            let to = to.clamp(from, *as_of);
            let before = |day: f64| evidence.sessions.partition_point(|&session| session < day);
            exposure += share * seen_sessions.between(from, to);
            log += (before(to) - before(from)) as f64 * share.ln();
            (from, share) = (to, next);
        }
        log - (prior.shape + evidence.sessions.len() as f64) * (prior.rate + exposure).ln()
    }

    /// Prior of the class, and what orders and touches say about it regardless of the leaving day.
    fn log_class(&self, class: usize) -> f64 {
        let class = &CAMPAIGN_CLASSES[class];
        let named = |&named: &bool| if named { class.names_campaign } else { 1.0 - class.names_campaign };
        let orders: f64 = self.evidence.named.iter().map(|n| (class.multiplier * named(n)).ln()).sum();
        let reaction = |reaction: &Reaction| match reaction {
            Reaction::None { sent_age } => 1.0 - class.opens * by_then(*sent_age, OPEN_DELAY),
            Reaction::Opened { open_age } => {
                class.opens * (1.0 - class.clicks_if_open * by_then(*open_age, CLICK_DELAY))
            }
            Reaction::Clicked => class.opens * class.clicks_if_open,
        };
        class.share.ln() + orders + self.evidence.received.iter().map(|(_, r)| reaction(r).ln()).sum::<f64>()
    }

    fn horizon(&self, day: f64) -> Horizon {
        let Self { outlook, evidence, .. } = self;
        let until = day.min(outlook.horizon_end);
        let within = |&(from, to): &(f64, f64)| {
            let (from, to) = (from.max(outlook.as_of), to.min(until));
            (outlook.future.between(from, to), outlook.net.between(from, to))
        };
        let running = evidence.received.iter().map(|(window, _)| within(window));
        Horizon {
            all: within(&(outlook.as_of, until)),
            running: running.fold((0.0, 0.0), |sum, clock| (sum.0 + clock.0, sum.1 + clock.1)),
            upcoming: outlook.upcoming.iter().map(within).collect(),
        }
    }

    /// The horizon, given leaving day and class: negative binomial counts per subset of upcoming campaigns.
    fn ahead(&self, horizon: &Horizon, class: usize, exposure: f64) -> Future {
        let Self { population, outlook, evidence } = self;
        let class = &CAMPAIGN_CLASSES[class];
        let lift = class.multiplier - 1.0;
        let net_lift = class.multiplier * (1.0 - CAMPAIGN_DISCOUNT * class.names_campaign) - 1.0;
        let Gamma { shape, rate } = population.purchases;
        let (count, rate) = (shape + evidence.repeats.len() as f64, rate + exposure);
        let base = horizon.all.0 + lift * horizon.running.0;
        let chances = outlook.chances(evidence.consent_mask);
        // Counts depend on the subset of campaigns received, expectations only on the chance of each.
        let mut sum =
            Future { p_none: 0.0, p_one: 0.0, orders: base, net_orders: horizon.all.1 + net_lift * horizon.running.1 };
        for (window, chance) in horizon.upcoming.iter().zip(&chances.each) {
            sum.orders += chance * lift * window.0;
            sum.net_orders += chance * net_lift * window.1;
        }
        (sum.orders, sum.net_orders) = (sum.orders * count / rate, sum.net_orders * count / rate);
        let subsets = if lift == 0.0 { &[1.0][..] } else { &chances.subsets };
        for (subset, &probability) in subsets.iter().enumerate().filter(|(_, probability)| **probability > 0.0) {
            let taken = horizon.upcoming.iter().enumerate().filter(|(k, _)| subset >> k & 1 == 1);
            let ahead = base + lift * taken.map(|(_, window)| window.0).sum::<f64>();
            let none = (rate / (rate + ahead)).powf(count);
            sum.p_none += probability * none;
            sum.p_one += probability * none * count * ahead / (rate + ahead);
        }
        sum
    }
}

fn by_then(age: f64, mean: f64) -> f64 {
    1.0 - (-age / mean).exp()
}
