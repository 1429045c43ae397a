//! The attainable truth: the best that can be said about each customer at the cut-off from what the files show.

use crate::Kind;
use crate::catalogue::worth_of_next;
use crate::customer::{History, Purchase};
use crate::outlook::Outlook;
use crate::parameters::*;
use crate::posterior::{self, Evidence};
use crate::shop::{Shop, days};

/// Products listed per customer in the attainable next-product table.
pub(crate) const NEXT_PRODUCTS: usize = 20;

pub(crate) struct Attainable {
    /// P(no completed purchase in the horizon).
    pub(crate) p_churn: f64,
    /// Expected net amount of the orders, returns and cancellations in the horizon.
    pub(crate) expected_value: f64,
    pub(crate) expected_orders: f64,
    /// Most probable main products of the first order in the horizon, should there be one; best first.
    pub(crate) next: Vec<(usize, f64)>,
}

/// `None` for a customer with no purchase known before the cut-off.
pub(crate) fn attainable(shop: &Shop, outlook: &Outlook, history: &History) -> Option<Attainable> {
    let known: Vec<(usize, &Purchase)> =
        history.purchases.iter().enumerate().filter(|(_, p)| p.at < shop.as_of && p.recorded < shop.as_of).collect();
    let (_, newest) = known.last()?;
    let evidence = Evidence::at(shop, history);
    let future = posterior::future(&shop.population, outlook, &evidence);
    let tastes = tastes(shop, history, &known);
    let expected_value = match shop.kind {
        Kind::ParetoNbd => future.net_orders * gamma_gamma_mean(&known),
        Kind::Full => new_value(shop, &future, &tastes, &known) - pending_reversals(shop, history, &known),
    };
    let mut next: Vec<(usize, f64)> =
        shop.catalogue.next_main(&tastes, newest.lines[0].product).into_iter().enumerate().collect();
    let order = |a: &(usize, f64), b: &(usize, f64)| {
        b.1.total_cmp(&a.1).then_with(|| shop.catalogue.products[a.0].id.cmp(&shop.catalogue.products[b.0].id))
    };
    next.select_nth_unstable_by(NEXT_PRODUCTS, order);
    next.truncate(NEXT_PRODUCTS);
    next.sort_by(order);
    Some(Attainable { p_churn: future.p_none, expected_value, expected_orders: future.orders, next })
}

/// Posterior over taste profiles from every known purchase line and product view. A purchase that is not yet known
/// may hide a link of the chain; that (1 % of recent orders) is the one thing left out.
fn tastes(shop: &Shop, history: &History, known: &[(usize, &Purchase)]) -> Vec<f64> {
    let catalogue = &shop.catalogue;
    let mut logs: Vec<f64> = catalogue.tastes.iter().map(|taste| taste.share.ln()).collect();
    if shop.kind == Kind::ParetoNbd {
        return vec![1.0];
    }
    let events = history.sessions.iter().flat_map(|session| &session.events);
    let viewed: Vec<usize> = events
        .filter(|event| event.kind == "view" && event.at < shop.as_of && event.recorded < shop.as_of)
        .filter_map(|event| event.product)
        .collect();
    for (taste, log) in logs.iter_mut().enumerate() {
        let mut last = None;
        for (_, purchase) in known {
            let main = purchase.lines[0].product;
            *log += catalogue.main_probability(taste, last, main).ln();
            let further = purchase.lines[1..].iter().map(|line| line.product);
            *log += further.map(|product| catalogue.further_probability(taste, main, product).ln()).sum::<f64>();
            last = Some(main);
        }
        *log += viewed.iter().map(|&product| catalogue.tastes[taste].probability[product].ln()).sum::<f64>();
    }
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|log| (log - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// Value of the horizon's orders, net of their own reversals. The net share is that of the mean order; that, and what
/// [`worth_of_next`] leaves out of the chain, matter less than .1 % of the value.
fn new_value(shop: &Shop, future: &posterior::Future, tastes: &[f64], known: &[(usize, &Purchase)]) -> f64 {
    if future.orders <= 0.0 {
        return 0.0;
    }
    let last = known[known.len() - 1].1.lines[0].product;
    let bought: usize = known.iter().map(|(_, purchase)| purchase.lines.len() - 1).sum();
    let further_lines = (BASKET.shape + bought as f64) / (BASKET.rate + known.len() as f64);
    let worth = |rank: usize| -> f64 {
        let one = |(taste, p): (usize, &f64)| p * shop.catalogue.order_worth(rank, taste, last, further_lines);
        tastes.iter().enumerate().map(one).sum()
    };
    let (first, second) = (1.0 - future.p_none, 1.0 - future.p_none - future.p_one);
    worth_of_next(first, second, future.orders, worth) * future.net_orders / future.orders
}

/// Expected amount that known purchases will still lose to reversals in the horizon.
fn pending_reversals(shop: &Shop, history: &History, known: &[(usize, &Purchase)]) -> f64 {
    let as_of = days(shop.as_of);
    let reversed = |of: usize| history.reversals.iter().any(|r| r.of == of && r.recorded < shop.as_of);
    let pending = known.iter().filter(|(of, _)| !reversed(*of)).map(|(_, purchase)| {
        let age = as_of - days(purchase.at);
        let amount: f64 = purchase.lines.iter().map(|line| line.amount()).sum();
        let any_line = 1.0 - (1.0 - RETURNED_LINE).powi(purchase.lines.len() as i32);
        let (cancelled, returned) = (uniform_cdf(CANCELLED_AFTER, age), uniform_cdf(RETURNED_AFTER, age));
        let none_yet = 1.0 - CANCELLED * cancelled - RETURNED * any_line * returned;
        let to_come = |after, past| uniform_cdf(after, age + f64::from(shop.horizon_days)) - past;
        let cancels = CANCELLED * to_come(CANCELLED_AFTER, cancelled);
        amount * (cancels + RETURNED * RETURNED_LINE * to_come(RETURNED_AFTER, returned)) / none_yet
    });
    pending.sum()
}

/// Posterior mean order amount of the Gamma-Gamma model (Fader, Hardie & Lee 2005) over all known purchases.
fn gamma_gamma_mean(known: &[(usize, &Purchase)]) -> f64 {
    let (p, q, gamma) = SPEND;
    let spent: f64 = known.iter().map(|(_, purchase)| purchase.lines[0].amount()).sum();
    p * (gamma + spent) / (p * known.len() as f64 + q - 1.0)
}
