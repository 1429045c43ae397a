//! [`Slots`]: the rows of a spine, customer by customer and by rising cut-off, and the facts that each of them sees.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use foldhash::fast::RandomState;
use futures::TryStreamExt;

use super::changes::runs;
use super::point_in_time::{Bound, Question};
use crate::dictionaries::text_at;

/// Sorted by customer, cut-off and then the other columns asked for; NULLs come last.
pub(super) struct Slots {
    pub(super) spine: RecordBatch,
    /// Index of the customer's column.
    customer: usize,
    /// The cut-off of each slot; those without one come last among a customer's and see nothing.
    pub(super) times: Vec<Option<i64>>,
    /// First slot of each customer, and the end.
    pub(super) starts: Vec<usize>,
    /// The customer asked for last, by its place in `starts`.
    newest: usize,
    _memory: MemoryReservation,
}

impl Slots {
    /// `others`: columns that slots of the same customer and cut-off are sorted by.
    pub(super) async fn read(
        spine: SendableRecordBatchStream,
        question: &Question,
        others: &[usize],
        memory: MemoryReservation,
    ) -> Result<Slots> {
        let spine = concat_batches(&spine.schema(), &spine.try_collect::<Vec<_>>().await?)?;
        memory.try_grow(spine.get_array_memory_size())?;
        let (customer, as_of) = (question.customer.0, question.as_of);
        let (spine, starts) = in_order(spine, customer, as_of, others)?;
        let times = spine.column(as_of).as_primitive::<TimestampMicrosecondType>().iter().collect();
        Ok(Slots { spine, customer, times, starts, newest: 0, _memory: memory })
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The slots with a cut-off of the customer of a row; rows must be asked for customer by customer.
    pub(super) fn of(&mut self, customers: &ArrayRef, row: usize) -> Option<Range<usize>> {
        let customer = text_at(customers, row)?;
        let of_slots = self.spine.column(self.customer).as_string::<i32>();
        while self.newest + 1 < self.starts.len() {
            let (first, end) = (self.starts[self.newest], self.starts[self.newest + 1]);
            // NULLs are last.
            if of_slots.is_null(first) || of_slots.value(first) > customer {
                return None;
            }
            if of_slots.value(first) == customer {
                return Some(first..first + self.times[first..end].partition_point(Option::is_some));
            }
            self.newest += 1;
        }
        None
    }

    /// The slots before this one are of customers that come before the one asked for last.
    pub(super) fn reached(&self) -> usize {
        self.starts[self.newest.min(self.starts.len() - 1)]
    }

    /// The end of the slots of the customer asked for last.
    pub(super) fn end_of_newest(&self) -> usize {
        self.starts.get(self.newest + 1).copied().unwrap_or(self.len())
    }

    /// Of the slots of a customer those with a cut-off in the range, both ends included. `near`: where the first one was
    /// for another fact of the customer, which it mostly is for the next one.
    pub(super) fn between(&self, slots: &Range<usize>, from: i64, until: i64, near: &mut usize) -> Range<usize> {
        let times = &self.times[slots.clone()];
        let is_before = |time: &Option<i64>| time.is_some_and(|time| time < from);
        let is_here = times[..*near].last().is_none_or(is_before) && !times.get(*near).is_some_and(is_before);
        let first = if is_here { *near } else { times.partition_point(is_before) };
        *near = first;
        // All of them have a cut-off.
        if until == i64::MAX {
            return slots.start + first..slots.end;
        }
        let end = first + times[first..].partition_point(|time| time.is_some_and(|time| time <= until));
        slots.start + first..slots.start + end
    }
}

/// The rows of the spine in the order of the slots, and where the customers' runs start.
pub(super) fn in_order(
    spine: RecordBatch,
    customer: usize,
    as_of: usize,
    others: &[usize],
) -> Result<(RecordBatch, Vec<usize>)> {
    let starts = runs(spine.column(customer))?;
    if others.is_empty() && is_ordered(&spine, customer, as_of, &starts) {
        return Ok((spine, starts));
    }
    let sorted = take_record_batch(&spine, &order(&spine, customer, as_of, others)?)?;
    let starts = runs(sorted.column(customer))?;
    Ok((sorted, starts))
}

/// Whether the rows of the spine stand in the order of the slots, as they do if somebody made them customer by customer.
fn is_ordered(spine: &RecordBatch, customer: usize, as_of: usize, starts: &[usize]) -> bool {
    let (customers, times) = (spine.column(customer), spine.column(as_of).as_primitive::<TimestampMicrosecondType>());
    let names = customers.as_string::<i32>();
    let is_known = |row: usize| names.is_valid(row).then(|| names.value(row));
    let do_customers_rise = starts.windows(3).all(|run| match (is_known(run[0]), is_known(run[1])) {
        (Some(one), Some(next)) => one < next,
        (one, _) => one.is_some(),
    });
    let rise = |run: &[usize]| (run[0] + 1..run[1]).all(|row| times.value(row - 1) <= times.value(row));
    do_customers_rise && times.null_count() == 0 && starts.windows(2).all(rise)
}

fn order(spine: &RecordBatch, customer: usize, as_of: usize, others: &[usize]) -> Result<UInt32Array> {
    let (customers, times) = (spine.column(customer), spine.column(as_of).as_primitive::<TimestampMicrosecondType>());
    let ranks = ranks(customers);
    // Flipped, so that unsigned order is that of the times.
    let time = |row: usize| times.is_valid(row).then(|| times.value(row) as u64 ^ (1 << 63));
    let key = |row: usize| (ranks[row], time(row).is_none(), time(row).unwrap_or_default());
    let mut rows: Vec<u32> = (0..spine.num_rows() as u32).collect();
    rows.sort_by_cached_key(|row| key(*row as usize));
    if !others.is_empty() {
        let columns: Vec<SortColumn> = others
            .iter()
            .map(|index| SortColumn { values: spine.column(*index).clone(), options: Some(store::ORDER) })
            .collect();
        let mut place = vec![0; rows.len()];
        let mut is_placed = false;
        for alike in rows.chunk_by_mut(|a, b| key(*a as usize) == key(*b as usize)).filter(|alike| alike.len() > 1) {
            if !is_placed {
                let sorted = lexsort_to_indices(&columns, None)?;
                (0..).zip(sorted.values()).for_each(|(at, row): (u32, _)| place[*row as usize] = at);
                is_placed = true;
            }
            alike.sort_by_key(|row| place[*row as usize]);
        }
    }
    Ok(rows.into())
}

/// For each row the place of its customer among all customers; NULL is the last.
fn ranks(customers: &ArrayRef) -> Vec<u32> {
    let customers = customers.as_string::<i32>();
    let mut numbers: HashMap<&str, u32, RandomState> = HashMap::default();
    let mut of_row = Vec::with_capacity(customers.len());
    for customer in customers {
        let next = numbers.len() as u32;
        of_row.push(customer.map(|customer| *numbers.entry(customer).or_insert(next)));
    }
    let mut sorted: Vec<(&str, u32)> = numbers.into_iter().collect();
    sorted.sort_unstable();
    let mut rank = vec![0; sorted.len()];
    (0..).zip(&sorted).for_each(|(at, (_, number))| rank[*number as usize] = at);
    of_row.into_iter().map(|number| number.map_or(u32::MAX, |number| rank[number as usize])).collect()
}

/// The first and last cut-offs that see each fact.
pub(super) struct Ranges {
    pub(super) from: Vec<i64>,
    /// `i64::MAX` for no end; before `from` where none sees it.
    pub(super) until: Vec<i64>,
}

impl Ranges {
    pub(super) fn of<'a>(bounds: impl IntoIterator<Item = &'a Bound>, facts: &RecordBatch) -> Result<Ranges> {
        let rows = facts.num_rows();
        let mut ranges = Ranges { from: vec![i64::MIN; rows], until: vec![i64::MAX; rows] };
        for Bound { time, is_first, shift, is_null_open } in bounds {
            let times = time.evaluate(facts)?.into_array(rows)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            for row in 0..rows {
                let (from, until) = (&mut ranges.from[row], &mut ranges.until[row]);
                match (times.is_valid(row), is_first) {
                    (true, true) => *from = (*from).max(times.value(row).saturating_add(*shift)),
                    (true, false) => *until = (*until).min(times.value(row).saturating_add(*shift)),
                    (false, _) if *is_null_open => {}
                    // Compared with NULL nothing is seen.
                    (false, _) => *until = i64::MIN,
                }
            }
        }
        Ok(ranges)
    }
}
