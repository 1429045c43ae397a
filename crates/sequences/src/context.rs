//! What all of a customer's visible history amounts to at the cut-off, in a few numbers.
//!
//! An example holds only the newest events; these aggregates run over *every* visible one, so that a long history is
//! not forgotten and the model starts from what recency-frequency-value baselines know. Counts, days and money span
//! orders of magnitude, so all are logarithms, ln(1 + x).

use crate::sequences::{Field, Sequences};
use crate::time::{MICROS_PER_DAY, calendar, days_between};
use crate::{PURCHASE, RETURN};

/// The aggregates, in the order of [`crate::Example::context`]. An order is all purchases at one event time.
pub const CONTEXT_FEATURES: [&str; COUNT] = [
    "log_orders",
    "log_returns",
    "log_other_events",
    "log_orders_30_days",
    "log_orders_90_days",
    "log_orders_365_days",
    "log_other_events_30_days",
    "log_other_events_90_days",
    "log_days_since_order",
    "log_days_since_event",
    "log_days_since_first_event",
    "log_mean_gap_days",
    "log_gap_deviation_days",
    "log_days_since_order_per_gap",
    "log_spend",
    "log_spend_per_order",
    "returned_share",
    "year_sin",
    "year_cos",
    "week_sin",
    "week_cos",
];
const COUNT: usize = 21;

pub(crate) type Context = [f32; COUNT];

/// The codes of the kinds that mean buying and giving back, looked up once per example.
#[derive(Clone, Copy)]
pub(crate) struct Kinds {
    pub(crate) purchase: u32,
    pub(crate) returned: u32,
}

impl Kinds {
    pub(crate) fn of(sequences: &Sequences) -> Self {
        let code = |kind| sequences.code_of(Field::Kind, kind);
        Self { purchase: code(PURCHASE), returned: code(RETURN) }
    }
}

/// Counts and sums over the visible events seen so far, which come in time order.
pub(crate) struct Tally<'a> {
    sequences: &'a Sequences,
    kinds: Kinds,
    as_of: i64,
    first_event: Option<i64>,
    last_event: i64,
    first_order: i64,
    last_order: Option<i64>,
    orders: u32,
    orders_within: [u32; 3],
    others: u32,
    others_within: [u32; 2],
    returns: u32,
    squared_gaps: f64,
    spend: f64,
    returned: f64,
}

/// The windows of the counts, in days before the cut-off; other events use the first two.
const WINDOWS: [i64; 3] = [30, 90, 365];

impl<'a> Tally<'a> {
    pub(crate) fn new(sequences: &'a Sequences, as_of: i64) -> Self {
        Self {
            sequences,
            kinds: Kinds::of(sequences),
            as_of,
            first_event: None,
            last_event: 0,
            first_order: 0,
            last_order: None,
            orders: 0,
            orders_within: [0; 3],
            others: 0,
            others_within: [0; 2],
            returns: 0,
            squared_gaps: 0.0,
            spend: 0.0,
            returned: 0.0,
        }
    }

    /// Counts the next visible event.
    pub(crate) fn add(&mut self, event: usize) {
        let time = self.sequences.event_time(event);
        let amount = f64::from(self.sequences.amount(event));
        let kind = self.sequences.code(event, Field::Kind);
        self.first_event.get_or_insert(time);
        self.last_event = time;
        if kind == self.kinds.purchase {
            self.spend += amount;
            self.add_order(time);
        } else if kind == self.kinds.returned {
            self.returns += 1;
            self.returned += amount.abs();
        } else {
            self.others += 1;
            count_within(&mut self.others_within, time, self.as_of);
        }
    }

    fn add_order(&mut self, time: i64) {
        match self.last_order {
            Some(last) if last == time => return,
            Some(last) => self.squared_gaps += days_between(last, time).powi(2),
            None => self.first_order = time,
        }
        self.last_order = Some(time);
        self.orders += 1;
        count_within(&mut self.orders_within, time, self.as_of);
    }

    pub(crate) fn finish(self) -> Context {
        let log = |x: f64| x.max(0.0).ln_1p() as f32;
        let tenure = self.first_event.map_or(0.0, |first| days_between(first, self.as_of));
        let since_event = self.first_event.map_or(0.0, |_| days_between(self.last_event, self.as_of));
        // Who never bought has been without an order for as long as he is known; one order has no gap yet.
        let since_order = self.last_order.map_or(tenure, |last| days_between(last, self.as_of));
        let gaps = f64::from(self.orders.saturating_sub(1));
        let active = self.last_order.map_or(0.0, |last| days_between(self.first_order, last));
        let (mean_gap, deviation) = if gaps > 0.0 {
            let mean = active / gaps;
            (mean, (self.squared_gaps / gaps - mean * mean).max(0.0).sqrt())
        } else {
            (tenure, 0.0)
        };
        let orders = f64::from(self.orders);
        let [year_sin, year_cos, week_sin, week_cos] = calendar(self.as_of);
        [
            log(orders),
            log(f64::from(self.returns)),
            log(f64::from(self.others)),
            log(f64::from(self.orders_within[0])),
            log(f64::from(self.orders_within[1])),
            log(f64::from(self.orders_within[2])),
            log(f64::from(self.others_within[0])),
            log(f64::from(self.others_within[1])),
            log(since_order),
            log(since_event),
            log(tenure),
            log(mean_gap),
            log(deviation),
            log(since_order) - log(mean_gap),
            log(self.spend),
            log(self.spend / orders.max(1.0)),
            (self.returned / (self.spend.abs() + self.returned).max(f64::MIN_POSITIVE)) as f32,
            year_sin,
            year_cos,
            week_sin,
            week_cos,
        ]
    }
}

fn count_within(counts: &mut [u32], time: i64, as_of: i64) {
    for (count, days) in counts.iter_mut().zip(WINDOWS) {
        *count += u32::from(time >= as_of - days * MICROS_PER_DAY);
    }
}
