//! Examples → batches: which go together ([`Batcher`]) and their packed columns ([`Batch`]).
//!
//! A batch stores offsets and columns and no padding; batches hold examples of similar length, so that a trainer that
//! must pad wastes little. Padding is the trainer's, at the last moment.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::time::{calendar, days_between};
use crate::{CONTEXT_FEATURES, Encoding, Example, Field, PAD, Sequences};

/// The numbers that describe an event, in the order of [`Batch::features`]. The last but one is 1 for the line of an order
/// that [`Example::next_products`] means, else 0. The last one looks back from the cut-off, so a loss at an earlier event
/// must leave it out.
pub const EVENT_FEATURES: [&str; 8] = [
    "log_amount",
    "log_gap_days",
    "year_sin",
    "year_cos",
    "week_sin",
    "week_cos",
    "is_largest_of_order",
    "log_days_to_cut_off",
];

/// Packed columns of some examples: example `i` owns the events `offsets[i]..offsets[i + 1]`.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// One number more than there are examples.
    pub offsets: Vec<usize>,
    /// Per field of [`Field::ALL`] the id of each event.
    pub ids: [Vec<u32>; 4],
    /// Per event the id of the product that the newest order so far is of: its largest line.
    pub last_products: Vec<u32>,
    /// Per event the [`EVENT_FEATURES`]: signed logarithms ln(1 + |x|), and the calendar as it is.
    pub features: Vec<f32>,
    /// Per event its time, in microseconds since 1970 UTC.
    pub times: Vec<i64>,
    /// Per example its cut-off, in the same.
    pub as_of: Vec<i64>,
    /// Per example the [`CONTEXT_FEATURES`].
    pub context: Vec<f32>,
    /// Per example its [`Example::features`].
    pub customer_features: Vec<f32>,
}

impl Batch {
    /// The packed columns of `examples`, in their order.
    pub fn gather<'a>(
        sequences: &Sequences,
        encoding: &Encoding,
        examples: impl IntoIterator<Item = &'a Example>,
    ) -> Self {
        let mut batch = Batch { offsets: vec![0], ..Batch::default() };
        for example in examples {
            let (mut previous, mut last_product) = (None, PAD);
            let largest = example.largest_lines(sequences);
            for (event, is_largest) in example.events().zip(largest) {
                for (field, ids) in Field::ALL.into_iter().zip(&mut batch.ids) {
                    ids.push(encoding.id(field, sequences.code(event, field)));
                }
                if is_largest {
                    last_product = encoding.id(Field::Product, sequences.code(event, Field::Product));
                }
                batch.last_products.push(last_product);
                let time = sequences.event_time(event);
                let amount = sequences.amount(event);
                batch.features.push(amount.abs().ln_1p().copysign(amount));
                batch.features.push(log_days(previous.unwrap_or(time), time));
                batch.features.extend(calendar(time));
                batch.features.push(f32::from(u8::from(is_largest)));
                batch.features.push(log_days(time, example.as_of()));
                batch.times.push(time);
                previous = Some(time);
            }
            batch.offsets.push(batch.ids[0].len());
            batch.as_of.push(example.as_of());
            batch.context.extend(example.context());
            batch.customer_features.extend(example.features());
        }
        debug_assert_eq!(batch.context.len(), batch.len() * CONTEXT_FEATURES.len());
        batch
    }

    /// How many examples the batch holds.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether the batch holds no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of the longest example.
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}

/// How much there is to learn from an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lessons {
    /// One loss, at its end: batches hold equally many examples.
    PerExample,
    /// A loss at every event: batches hold about equally many events, so that each weighs the same in a mean over them.
    PerEvent,
}

/// Decides which examples form a batch.
#[derive(Debug, Clone)]
pub struct Batcher {
    lengths: Vec<usize>,
    lessons: Lessons,
    batch_size: usize,
    max_examples: usize,
    seed: u64,
}

/// Examples are sorted by length only within this many batches, so that batches stay random.
const POOL_BATCHES: usize = 16;

impl Batcher {
    /// Batches of `batch_size` examples, on average, with the given lengths (numbers of events); an epoch takes at most
    /// `max_examples` of them, drawn anew each time.
    pub fn new(lengths: Vec<usize>, lessons: Lessons, batch_size: usize, max_examples: usize, seed: u64) -> Self {
        Self { lengths, lessons, batch_size: batch_size.max(1), max_examples, seed }
    }

    /// The batches of an epoch, as numbers of examples: each example at most once, similar lengths together, in an
    /// order that depends on seed and epoch only.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(epoch as u64);
        let mut examples: Vec<usize> = (0..self.lengths.len()).collect();
        examples.shuffle(&mut random);
        examples.truncate(self.max_examples);
        let mut batches: Vec<Vec<usize>> = Vec::with_capacity(examples.len().div_ceil(self.batch_size));
        for pool in examples.chunks_mut(self.batch_size * POOL_BATCHES) {
            pool.sort_by_key(|&example| self.lengths[example]);
            match self.lessons {
                Lessons::PerExample => batches.extend(pool.chunks(self.batch_size).map(<[usize]>::to_vec)),
                Lessons::PerEvent => self.cut_evenly(pool, &mut batches),
            }
        }
        batches.shuffle(&mut random);
        batches
    }

    /// Cuts a pool into as many batches as its examples fill, of about equally many events.
    fn cut_evenly(&self, pool: &[usize], batches: &mut Vec<Vec<usize>>) {
        let count = pool.len().div_ceil(self.batch_size);
        // The token that is no event counts, too.
        let size = |example: &usize| self.lengths[*example] + 1;
        let total: usize = pool.iter().map(size).sum();
        let (mut cut, mut from, mut seen) = (0, 0, 0);
        for (end, example) in (1..).zip(pool) {
            seen += size(example);
            let is_full = seen * count >= total * (cut + 1);
            // The batches still to come need an example each.
            if is_full || pool.len() - end < count - cut {
                batches.push(pool[from..end].to_vec());
                (cut, from) = (cut + 1, end);
            }
        }
    }

    /// How many batches an epoch has.
    pub fn batches_per_epoch(&self) -> usize {
        self.lengths.len().min(self.max_examples).div_ceil(self.batch_size)
    }

    /// What a loss that each example has once weighs in a batch of so many: how many they are to those of the mean batch.
    pub fn share(&self, examples: usize) -> f64 {
        let all = self.lengths.len().min(self.max_examples);
        match self.lessons {
            Lessons::PerExample => 1.0,
            Lessons::PerEvent => (examples * self.batches_per_epoch()) as f64 / all as f64,
        }
    }

    /// All examples once, sorted by length: the batches for scoring.
    pub fn by_length(lengths: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
        let mut examples: Vec<usize> = (0..lengths.len()).collect();
        examples.sort_by_key(|&example| lengths[example]);
        examples.chunks(batch_size.max(1)).map(<[usize]>::to_vec).collect()
    }
}

fn log_days(from: i64, to: i64) -> f32 {
    days_between(from, to).ln_1p() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FIRST_KNOWN, Vocabulary};

    fn lengths() -> Vec<usize> {
        (0..5000).map(|i| (i * 7919) % 201).collect()
    }

    fn padding(batches: &[Vec<usize>], lengths: &[usize]) -> f64 {
        let padded: usize = batches.iter().map(|b| b.len() * b.iter().map(|&e| lengths[e]).max().unwrap()).sum();
        let real: usize = batches.iter().flatten().map(|&e| lengths[e]).sum();
        1.0 - real as f64 / padded as f64
    }

    #[test]
    fn an_epoch_takes_each_example_once() {
        for lessons in [Lessons::PerExample, Lessons::PerEvent] {
            for batch_size in [1, 7, 64, 4000, 9000] {
                let batcher = Batcher::new(lengths(), lessons, batch_size, usize::MAX, 3);
                let batches = batcher.epoch(0);
                assert_eq!(batches.len(), batcher.batches_per_epoch());
                assert!(batches.iter().all(|batch| !batch.is_empty()));
                let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
                seen.sort_unstable();
                assert_eq!(seen, (0..5000).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn batches_weigh_the_same_where_every_event_is_a_lesson() {
        let spread = |lessons| {
            let batches = Batcher::new(lengths(), lessons, 64, usize::MAX, 3).epoch(0);
            let events = |batch: &Vec<usize>| batch.iter().map(|&example| lengths()[example] + 1).sum::<usize>();
            // The last pool is a small one.
            let mut events: Vec<usize> = batches.iter().map(events).collect();
            events.sort_unstable();
            events[events.len() * 9 / 10] as f64 / events[events.len() / 10] as f64
        };
        let batcher = Batcher::new(lengths(), Lessons::PerEvent, 64, usize::MAX, 3);
        let shares: f64 = batcher.epoch(0).iter().map(|batch| batcher.share(batch.len())).sum();
        assert!((shares - batcher.batches_per_epoch() as f64).abs() < 1e-6);
        assert!(spread(Lessons::PerExample) > 5.0, "{}", spread(Lessons::PerExample));
        assert!(spread(Lessons::PerEvent) < 1.2, "{}", spread(Lessons::PerEvent));
    }

    #[test]
    fn seed_and_epoch_decide_the_order() {
        let batcher = |seed| Batcher::new(lengths(), Lessons::PerEvent, 64, 1000, seed);
        assert_eq!(batcher(3).epoch(5), batcher(3).epoch(5));
        assert_ne!(batcher(3).epoch(5), batcher(3).epoch(6));
        assert_ne!(batcher(3).epoch(5), batcher(4).epoch(5));
        assert_eq!(batcher(3).epoch(5).iter().flatten().count(), 1000);
        assert_eq!(batcher(3).batches_per_epoch(), 16);
    }

    #[test]
    fn similar_lengths_go_together() {
        // Uniform lengths up to 200 in random batches waste half; in pools of 16 batches about 1/32.
        // With equally many events in each, the batch of the shortest spans many lengths.
        for (lessons, most) in [(Lessons::PerExample, 0.06), (Lessons::PerEvent, 0.12)] {
            let batches = Batcher::new(lengths(), lessons, 64, usize::MAX, 3).epoch(0);
            assert!(padding(&batches, &lengths()) < most, "{}", padding(&batches, &lengths()));
        }
        let sorted = Batcher::by_length(&lengths(), 64);
        assert!(padding(&sorted, &lengths()) < 0.02);
        assert_eq!(sorted.iter().flatten().count(), 5000);
    }

    #[test]
    fn a_batch_is_its_examples_side_by_side() {
        let sequences = Sequences::from_interactions("1 tea\n1 jam\n2 rye\n2 jam\n2 oat\n", "x").unwrap();
        let encoding = Vocabulary::fit(&sequences, 2, 1).encode(&sequences);
        let examples: Vec<Example> = [(0, 2), (1, 0), (1, 3)].map(|(c, t)| Example::at(&sequences, c, t, 5)).into();
        let batch = Batch::gather(&sequences, &encoding, &examples);
        assert_eq!(batch.offsets, [0, 2, 2, 5]);
        assert_eq!((batch.len(), batch.longest()), (3, 3));
        // Most frequent first, then by name: jam, rye, tea; oat comes too late to be known.
        let product = &batch.ids[Field::Product.index()];
        assert_eq!(product, &[FIRST_KNOWN + 2, FIRST_KNOWN, FIRST_KNOWN + 1, FIRST_KNOWN, crate::UNKNOWN]);
        assert!(batch.ids[Field::Category.index()].iter().all(|&id| id == PAD));
        assert_eq!(batch.features.len(), 5 * EVENT_FEATURES.len());
        assert_eq!(batch.context.len(), 3 * CONTEXT_FEATURES.len());
    }
}
