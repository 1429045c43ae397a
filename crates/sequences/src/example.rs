//! One customer's history as it stood at a cut-off, and what happened after.

use std::ops::Range;

use crate::context::{Context, Kinds, Tally};
use crate::{Encoding, Field, PAD, Sequences, UNKNOWN};

/// A model input: the newest events of a customer before a cut-off, aggregates over all of them, and whatever features
/// the caller adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    customer: usize,
    as_of: i64,
    events: Events,
    context: Context,
    features: Box<[f32]>,
}

impl Example {
    /// The only constructor: the last `max_length` events of `customer` with event time *and* known time before
    /// `as_of` (microseconds since 1970 UTC) that were not superseded before it, in time order, and the aggregates over
    /// all such events. Customers without visible events have an empty example.
    ///
    /// # Panics
    /// If `customer` is not a number of `sequences`.
    pub fn at(sequences: &Sequences, customer: usize, as_of: i64, max_length: usize) -> Self {
        let mut tally = Tally::new(sequences, as_of);
        let mut count = 0;
        for event in sequences.visible(customer, as_of) {
            tally.add(event);
            count += 1;
        }
        let newest = || sequences.visible(customer, as_of).skip(count - count.min(max_length));
        let length = count.min(max_length);
        let events = match newest().next() {
            None => Events::Run(0..0),
            // Only a late or corrected row tears a hole into the run, so nearly every example is two numbers.
            Some(first) if newest().last() == Some(first + length - 1) => Events::Run(first..first + length),
            Some(_) => Events::Picked(newest().collect()),
        };
        Self { customer, as_of, events, context: tally.finish(), features: Box::default() }
    }

    /// The same with what else is known of the customer at the cut-off, as numbers, NaN where unknown. All examples of a
    /// model have equally many, in the same order.
    pub fn with_features(self, features: &[f32]) -> Self {
        Self { features: features.into(), ..self }
    }

    /// The customer's number in the sequences.
    pub fn customer(&self) -> usize {
        self.customer
    }

    /// The cut-off, in microseconds since 1970 UTC.
    pub fn as_of(&self) -> i64 {
        self.as_of
    }

    /// How many events the example holds.
    pub fn len(&self) -> usize {
        match &self.events {
            Events::Run(run) => run.len(),
            Events::Picked(events) => events.len(),
        }
    }

    /// Whether nothing of the customer was visible.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events, in time order.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = usize> {
        let (run, picked) = match &self.events {
            Events::Run(run) => (run.clone(), [].as_slice()),
            Events::Picked(events) => (0..0, events.as_ref()),
        };
        run.chain(picked.iter().copied())
    }

    /// The aggregates at the cut-off, in the order of [`crate::CONTEXT_FEATURES`].
    pub fn context(&self) -> &[f32] {
        &self.context
    }

    /// What [`Example::with_features`] was given; nothing without it.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// Of each event whether it is the largest line of its order, the first of equally large ones.
    pub(crate) fn largest_lines(&self, sequences: &Sequences) -> Vec<bool> {
        largest_of_orders(sequences, self.events())
    }

    /// What was bought next, inside the visible history: entry `j` of `len() + 1` is the product id of the first order
    /// strictly later than the first `j` events (for `j = 0`: of the first order), by its largest line, the first of
    /// equally large ones. [`PAD`] where no order follows or its product is not in the vocabulary.
    pub fn next_products(&self, sequences: &Sequences, encoding: &Encoding) -> Vec<u32> {
        let is_largest = self.largest_lines(sequences);
        let mut next = vec![PAD; self.len() + 1];
        // From the newest event to the oldest: the order at the event's own time, and the first one later than that.
        let (mut time, mut order, mut later) = (i64::MAX, None::<usize>, PAD);
        for (j, event) in (0..self.len()).rev().zip(self.events().rev()) {
            if sequences.event_time(event) != time {
                later = order.map_or(later, |line| known_product(sequences, encoding, line));
                (time, order) = (sequences.event_time(event), None);
            }
            next[j + 1] = later;
            if is_largest[j] {
                order = Some(event);
            }
        }
        next[0] = order.map_or(later, |line| known_product(sequences, encoding, line));
        next
    }
}

/// What happened in the horizon after the cut-off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Whether it happened; of churn: whether the customer bought nothing.
    Label(bool),
    /// Of churn, where it is known when: days from the cut-off to the next purchase, `None` = none within the horizon.
    Absence { days: Option<f32> },
    /// The next purchase: its product as a code of the [`Sequences`] ([`Sequences::code_of`]), `None` where nothing
    /// was bought or the source names no products; days from the cut-off to it, `None` = none within the horizon.
    NextPurchase { product: Option<u32>, days: Option<f32> },
    /// How much or how many: of CLV the net value bought, in the source's currency.
    Value(f32),
}

impl Target {
    /// Whether the label is true, or the customer bought nothing; `None` of other targets.
    pub fn has_happened(&self) -> Option<bool> {
        match self {
            Target::Label(has_happened) => Some(*has_happened),
            Target::Absence { days } => Some(days.is_none()),
            Target::NextPurchase { .. } | Target::Value(_) => None,
        }
    }
}

/// An example with its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledExample {
    pub example: Example,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq)]
enum Events {
    Run(Range<usize>),
    Picked(Box<[usize]>),
}

/// The same of some events in time order.
pub(crate) fn largest_of_orders(sequences: &Sequences, events: impl Iterator<Item = usize>) -> Vec<bool> {
    let purchase = Kinds::of(sequences).purchase;
    let mut is_largest = Vec::new();
    let mut largest: Option<(usize, usize)> = None;
    for (place, event) in events.enumerate() {
        is_largest.push(false);
        if sequences.code(event, Field::Kind) != purchase {
            continue;
        }
        if let Some((before, line)) = largest
            && sequences.event_time(line) == sequences.event_time(event)
        {
            if sequences.amount(event) <= sequences.amount(line) {
                continue;
            }
            is_largest[before] = false;
        }
        is_largest[place] = true;
        largest = Some((place, event));
    }
    is_largest
}

/// The id of an event's product, [`PAD`] where it is not in the vocabulary.
pub(crate) fn known_product(sequences: &Sequences, encoding: &Encoding, event: usize) -> u32 {
    match encoding.id(Field::Product, sequences.code(event, Field::Product)) {
        UNKNOWN => PAD,
        id => id,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;
    use crate::{CONTEXT_FEATURES, MICROS_PER_DAY, SequencesBuilder, Vocabulary};

    /// A timeline row: customer, event day, days until it was known, kind, product, amount, days from then until it was
    /// superseded.
    type Row = (u8, i64, i64, u8, u8, i32, Option<i64>);

    const KINDS: [&str; 4] = ["purchase", "return", "view", "touch_open"];

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        // Few distinct days and delays, so that ties and late rows are common.
        let late = prop_oneof![3 => Just(0i64), 1 => 0i64..8];
        let superseded = prop_oneof![3 => Just(None), 1 => (1i64..8).prop_map(Some)];
        let row = (0u8..4, 0i64..12, late, 0u8..4, 0u8..5, -3i32..9, superseded);
        prop::collection::vec(row, 0..60)
    }

    fn build(rows: &mut [Row]) -> Sequences {
        rows.sort_by_key(|r| (r.0, r.1, r.1 + r.2));
        let texts =
            |f: &dyn Fn(&Row) -> Option<String>| Arc::new(StringArray::from_iter(rows.iter().map(f))) as ArrayRef;
        let times = |f: &dyn Fn(&Row) -> i64| {
            let days = rows.iter().map(|r| f(r) * MICROS_PER_DAY);
            Arc::new(TimestampMicrosecondArray::from_iter_values(days).with_timezone("UTC")) as ArrayRef
        };
        let superseded = rows.iter().map(|r| r.6.map(|days| (r.1 + r.2 + days) * MICROS_PER_DAY));
        let superseded = TimestampMicrosecondArray::from_iter(superseded).with_timezone("UTC");
        let batch = RecordBatch::try_from_iter(vec![
            ("customer_id", texts(&|r| Some(format!("c{}", r.0)))),
            ("event_time", times(&|r| r.1)),
            ("known_time", times(&|r| r.1 + r.2)),
            ("superseded_at", Arc::new(superseded) as ArrayRef),
            ("kind", texts(&|r| Some(KINDS[r.3 as usize].to_owned()))),
            ("product_id", texts(&|r| (r.4 > 0).then(|| format!("p{}", r.4)))),
            ("category", texts(&|_| None)),
            ("channel", texts(&|_| Some("web".to_owned()))),
            ("amount", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| f64::from(r.5)))) as ArrayRef),
        ])
        .unwrap();
        // Two batches, so that customers are torn apart at their border.
        let mut builder = SequencesBuilder::new();
        let middle = rows.len() / 2;
        builder.push(&batch.slice(0, middle)).unwrap();
        builder.push(&batch.slice(middle, rows.len() - middle)).unwrap();
        builder.finish()
    }

    fn context_of(example: &Example, name: &str) -> f64 {
        let place = CONTEXT_FEATURES.iter().position(|feature| *feature == name).unwrap();
        f64::from(example.context()[place])
    }

    proptest! {
        /// The example is what a scan of all rows by both clocks gives, whatever ties and late rows there are.
        #[test]
        fn sees_what_a_scan_of_all_rows_sees(mut rows in rows(), as_of in 0i64..16, max_length in 1usize..8) {
            let sequences = build(&mut rows);
            for customer in 0u8..4 {
                let Some(number) = sequences.customer(&format!("c{customer}")) else {
                    prop_assert!(rows.iter().all(|r| r.0 != customer));
                    continue;
                };
                let example = Example::at(&sequences, number, as_of * MICROS_PER_DAY, max_length);
                let is_visible = |r: &Row| {
                    let known = r.1 + r.2;
                    r.0 == customer && r.1 < as_of && known < as_of && r.6.is_none_or(|days| known + days >= as_of)
                };
                let visible: Vec<Row> = rows.iter().copied().filter(is_visible).collect();
                let expected = &visible[visible.len() - visible.len().min(max_length)..];
                let got: Vec<(i64, i64, String, Option<String>, f32)> = example.events().map(|event| (
                    sequences.event_time(event) / MICROS_PER_DAY,
                    sequences.known_time(event) / MICROS_PER_DAY,
                    sequences.text(Field::Kind, sequences.code(event, Field::Kind)).unwrap().to_owned(),
                    sequences.text(Field::Product, sequences.code(event, Field::Product)).map(str::to_owned),
                    sequences.amount(event),
                )).collect();
                let wanted: Vec<_> = expected.iter().map(|r| (
                    r.1, r.1 + r.2, KINDS[r.3 as usize].to_owned(), (r.4 > 0).then(|| format!("p{}", r.4)), r.5 as f32,
                )).collect();
                prop_assert_eq!(got, wanted);
                prop_assert_eq!((example.len(), example.is_empty()), (expected.len(), expected.is_empty()));
                check_context(&example, &visible, as_of)?;
                check_next(&example, &sequences, expected)?;
            }
        }
    }

    /// The aggregates, each from its definition over all visible rows.
    fn check_context(example: &Example, visible: &[Row], as_of: i64) -> Result<(), TestCaseError> {
        let mut order_days: Vec<i64> = visible.iter().filter(|r| r.3 == 0).map(|r| r.1).collect();
        order_days.dedup();
        let others: Vec<&Row> = visible.iter().filter(|r| r.3 > 1).collect();
        let spend: f64 = visible.iter().filter(|r| r.3 == 0).map(|r| f64::from(r.5)).sum();
        let returned: f64 = visible.iter().filter(|r| r.3 == 1).map(|r| f64::from(r.5).abs()).sum();
        let tenure = visible.first().map_or(0.0, |r| (as_of - r.1) as f64);
        let gaps: Vec<f64> = order_days.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
        let mean = if gaps.is_empty() { tenure } else { gaps.iter().sum::<f64>() / gaps.len() as f64 };
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len().max(1) as f64;
        let since_order = order_days.last().map_or(tenure, |day| (as_of - day) as f64);
        let expected = [
            ("log_orders", (order_days.len() as f64).ln_1p()),
            ("log_returns", (visible.iter().filter(|r| r.3 == 1).count() as f64).ln_1p()),
            ("log_other_events", (others.len() as f64).ln_1p()),
            ("log_orders_30_days", (order_days.len() as f64).ln_1p()),
            ("log_days_since_order", since_order.ln_1p()),
            ("log_days_since_event", visible.last().map_or(0.0, |r| (as_of - r.1) as f64).ln_1p()),
            ("log_days_since_first_event", tenure.ln_1p()),
            ("log_mean_gap_days", mean.ln_1p()),
            ("log_gap_deviation_days", variance.sqrt().ln_1p()),
            ("log_days_since_order_per_gap", since_order.ln_1p() - mean.ln_1p()),
            ("log_spend", spend.max(0.0).ln_1p()),
            ("log_spend_per_order", (spend / order_days.len().max(1) as f64).max(0.0).ln_1p()),
            ("returned_share", if returned > 0.0 { returned / (spend.abs() + returned) } else { 0.0 }),
        ];
        for (name, value) in expected {
            let got = context_of(example, name);
            prop_assert!((got - value).abs() < 1e-5, "{name}: {got} is not {value}");
        }
        Ok(())
    }

    /// `next_products`, each entry by a search of its own through the events shown.
    fn check_next(example: &Example, sequences: &Sequences, shown: &[Row]) -> Result<(), TestCaseError> {
        let vocabulary = Vocabulary::fit(sequences, example.as_of(), 1);
        let encoding = vocabulary.encode(sequences);
        let next = example.next_products(sequences, &encoding);
        for (j, got) in next.iter().enumerate() {
            let after = if j == 0 { i64::MIN } else { shown[j - 1].1 };
            let day = shown.iter().filter(|r| r.3 == 0 && r.1 > after).map(|r| r.1).min();
            let lines = shown.iter().filter(|r| r.3 == 0 && Some(r.1) == day);
            let largest =
                lines.fold(None::<&Row>, |best, r| if best.is_some_and(|b| b.5 >= r.5) { best } else { Some(r) });
            let product = largest.filter(|r| r.4 > 0).map(|r| format!("p{}", r.4));
            let wanted =
                product.map_or(PAD, |text| encoding.id(Field::Product, sequences.code_of(Field::Product, &text)));
            prop_assert_eq!(*got, wanted, "entry {}", j);
        }
        prop_assert_eq!(next.len(), shown.len() + 1);
        for (j, got) in example.largest_lines(sequences).into_iter().enumerate() {
            let line = |r: &Row| r.3 == 0 && r.1 == shown[j].1;
            let beats = |(i, r): (usize, &Row)| line(r) && (r.5 > shown[j].5 || (r.5 == shown[j].5 && i < j));
            prop_assert_eq!(got, line(&shown[j]) && !shown.iter().enumerate().any(beats), "event {}", j);
        }
        Ok(())
    }

    #[test]
    fn windows_count_from_the_cut_off() {
        let mut rows: Vec<Row> = [0, 300, 340, 395].map(|day| (0, day, 0, 0, 1, 5, None)).into();
        rows.extend([330, 399].map(|day| (0, day, 0, 2, 0, 0, None)));
        let sequences = build(&mut rows);
        let example = Example::at(&sequences, 0, 400 * MICROS_PER_DAY, 3);
        for (name, count) in [
            ("log_orders_30_days", 1.0f64),
            ("log_orders_90_days", 2.0),
            ("log_orders_365_days", 3.0),
            ("log_other_events_30_days", 1.0),
            ("log_other_events_90_days", 2.0),
        ] {
            assert!((context_of(&example, name) - count.ln_1p()).abs() < 1e-6, "{name}");
        }
        assert_eq!(example.len(), 3);
    }
}
