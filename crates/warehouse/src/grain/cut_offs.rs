//! [`CutOffs`]: what is known at each cut-off of each customer, from facts that come customer by customer.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::compute::{SortColumn, SortOptions, filter_record_batch, lexsort_to_indices, take, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::changes::Changes;
use super::point_in_time::{Bound, Found, MeasureExpr};

/// Cut-offs whose result is put out together, as soon as all of their facts were seen.
const CUT_OFFS_AT_ONCE: usize = 8192;

/// The cut-offs ("slots") of a bucket, sorted by customer and time, and what entered them so far.
pub(super) struct CutOffs {
    found: Found,
    functions: Vec<Arc<AggregateFunctionExpr>>,
    schema: SchemaRef,
    /// Sorted; one row a slot.
    spine: RecordBatch,
    /// Time of each slot; those without one come last among a customer's and see nothing.
    times: Vec<Option<i64>>,
    /// First slot of each customer, and the end.
    starts: Vec<usize>,
    /// The customer whose facts are coming.
    customer: usize,
    /// Slots before this one are put out; accumulators count from here.
    base: usize,
    /// Facts that are seen from a slot on, by that slot.
    entered: Sums,
    /// Facts that are seen by some slots only, by each of these.
    within: Sums,
}

impl CutOffs {
    pub(super) fn new(
        spine: RecordBatch,
        found: Found,
        functions: Vec<Arc<AggregateFunctionExpr>>,
        schema: SchemaRef,
    ) -> Result<CutOffs> {
        let mut order = vec![found.customer.0, found.as_of];
        order.extend(found.keys.iter().filter(|key| ![found.customer.0, found.as_of].contains(key)));
        let options = Some(SortOptions { descending: false, nulls_first: false });
        let columns = order.iter().map(|index| SortColumn { values: Arc::clone(spine.column(*index)), options });
        let spine = take_record_batch(&spine, &lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?)?;
        let times = spine.column(found.as_of).as_primitive::<TimestampMicrosecondType>().iter().collect();
        let mut starts: Vec<usize> =
            Changes::find(&[Arc::clone(spine.column(found.customer.0))], &[])?.rows().collect();
        starts.push(spine.num_rows());
        Ok(CutOffs {
            entered: Sums::new(&functions)?,
            within: Sums::new(&functions)?,
            customer: 0,
            base: 0,
            found,
            functions,
            schema,
            spine,
            times,
            starts,
        })
    }

    /// Takes facts in; they come sorted by customer.
    pub(super) fn see(&mut self, facts: &RecordBatch) -> Result<()> {
        if facts.num_rows() == 0 {
            return Ok(());
        }
        let ranges = Ranges::of(&self.found.bounds, facts)?;
        let customers = facts.column(self.found.customer.1);
        let changes = Changes::find(std::slice::from_ref(customers), &[])?;
        let (mut entered, mut within) = (Places::default(), Places::default());
        let mut starts = changes.rows().chain([facts.num_rows()]);
        let mut start = starts.next().unwrap_or_default();
        for end in starts {
            if let Some((first, last)) = self.slots_of(customers, start) {
                let times = &self.times[first..last];
                let last = first + times.partition_point(Option::is_some);
                for row in start..end {
                    let Some((from, until)) = ranges.at(row) else { continue };
                    let from = first + times.partition_point(|time| time.is_some_and(|time| time < from));
                    let until = until.map_or(last, |until| {
                        first + times.partition_point(|time| time.is_some_and(|time| time <= until))
                    });
                    match until == last {
                        true if from < last => entered.push(row, from),
                        true => {}
                        false => (from..until).for_each(|slot| within.push(row, slot)),
                    }
                }
            }
            start = end;
        }
        let end = self.starts.get(self.customer + 1).copied().unwrap_or(self.times.len());
        let (base, total) = (self.base, (end - self.base).max(self.entered.total()));
        self.entered.add(&self.found.measures, facts, &entered, base, total)?;
        if self.within.total() > 0 || !within.rows.is_empty() {
            self.within.add(&self.found.measures, facts, &within, base, total)?;
        }
        Ok(())
    }

    /// The slots of the customer of a row, who comes after all customers asked for before.
    fn slots_of(&mut self, customers: &ArrayRef, row: usize) -> Option<(usize, usize)> {
        if customers.is_null(row) {
            return None;
        }
        let customer = customers.as_string::<i32>().value(row);
        let of_slots = self.spine.column(self.found.customer.0).as_string::<i32>();
        while self.customer + 1 < self.starts.len() {
            let first = self.starts[self.customer];
            // NULLs are last.
            if of_slots.is_null(first) || of_slots.value(first) > customer {
                return None;
            }
            if of_slots.value(first) == customer {
                return Some((first, self.starts[self.customer + 1]));
            }
            self.customer += 1;
        }
        None
    }

    /// The result of the slots whose facts were all seen, once there are many of them.
    pub(super) fn finish_complete(&mut self) -> Result<Option<RecordBatch>> {
        let end = self.starts[self.customer.min(self.starts.len() - 1)];
        if end - self.base < CUT_OFFS_AT_ONCE { Ok(None) } else { self.finish(end).map(Some) }
    }

    /// The result of all slots that are left.
    pub(super) fn finish_all(&mut self) -> Result<Option<RecordBatch>> {
        let end = self.times.len();
        if end == self.base { Ok(None) } else { self.finish(end).map(Some) }
    }

    /// The result of the slots before `end`.
    fn finish(&mut self, end: usize) -> Result<RecordBatch> {
        let (base, slots) = (self.base, end - self.base);
        let nothing = RecordBatch::new_empty(self.found.facts.schema());
        let total = slots.max(self.entered.total());
        self.entered.add(&self.found.measures, &nothing, &Places::default(), base, total)?;
        let keys: Vec<ArrayRef> =
            self.found.keys.iter().map(|key| self.spine.column(*key).slice(base, slots)).collect();
        let changes = Changes::find(&keys, &[])?;
        let mut groups = Groups { of_slot: vec![0; slots], starts: changes.rows().map(|row| row as u32).collect() };
        for (slot, group) in (1..slots).scan(0, |group, slot| {
            *group += usize::from(changes.at(slot));
            Some((slot, *group))
        }) {
            groups.of_slot[slot] = group;
        }
        let ranks = self.ranks(end);
        let (entered, count_entered) = self.entered.take(slots)?;
        let within = if self.within.total() > 0 { Some(self.within.take(slots)?) } else { None };
        let mut result = Sums::new(&self.functions)?;
        result.add(&self.found.measures, &nothing, &Places::default(), 0, groups.starts.len())?;
        for ((function, states), sum) in self.functions.iter().zip(entered).zip(&mut result.sums) {
            known(function, &states, &ranks, &groups, sum.as_mut())?;
        }
        let mut seen = vec![0; slots];
        for members in &ranks.slots {
            for (slot, _) in members {
                let before = if self.is_first_of_customer(base + slot) { 0 } else { seen[slot - 1] };
                seen[*slot] = before + count_entered[*slot];
            }
        }
        if let Some((states, counts)) = within {
            for (states, sum) in states.iter().zip(&mut result.sums) {
                sum.merge_batch(states, &groups.of_slot, groups.starts.len())?;
            }
            seen.iter_mut().zip(counts).for_each(|(seen, within)| *seen += within);
        }
        let unseen: Vec<usize> = (0..slots).filter(|slot| seen[*slot] == 0).collect();
        if self.found.is_outer {
            let none = missing(&self.found.facts.schema())?;
            let places =
                Places { rows: vec![0; unseen.len()], slots: unseen.iter().map(|s| groups.of_slot[*s]).collect() };
            result.add(&self.found.measures, &none, &places, 0, groups.starts.len())?;
        }
        let starts = UInt32Array::from(groups.starts.clone());
        let mut columns = keys.iter().map(|key| take(key, &starts, None)).collect::<Result<Vec<_>, _>>()?;
        for sum in &mut result.sums {
            columns.push(sum.evaluate(EmitTo::All)?);
        }
        self.base = end;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        if self.found.is_outer {
            return Ok(batch);
        }
        let mut is_seen = vec![false; groups.starts.len()];
        (0..slots).filter(|slot| seen[*slot] > 0).for_each(|slot| is_seen[groups.of_slot[slot]] = true);
        Ok(filter_record_batch(&batch, &BooleanArray::from(is_seen))?)
    }

    fn is_first_of_customer(&self, slot: usize) -> bool {
        self.starts.binary_search(&slot).is_ok()
    }

    /// The slots up to `end` that have a time, by their place among their customer's.
    fn ranks(&self, end: usize) -> Ranks {
        let mut ranks = Ranks { slots: Vec::new(), customers: 0 };
        let first = self.starts.partition_point(|start| *start < self.base);
        for pair in self.starts[first..].windows(2).take_while(|pair| pair[0] < end) {
            for (rank, slot) in (pair[0]..pair[1]).filter(|slot| self.times[*slot].is_some()).enumerate() {
                if ranks.slots.len() == rank {
                    ranks.slots.push(Vec::new());
                }
                ranks.slots[rank].push((slot - self.base, ranks.customers));
            }
            ranks.customers += 1;
        }
        ranks
    }
}

/// Slots by their rank, each with its customer.
struct Ranks {
    slots: Vec<Vec<(usize, usize)>>,
    customers: usize,
}

/// The group of each slot, and the first slot of each group.
struct Groups {
    of_slot: Vec<usize>,
    starts: Vec<u32>,
}

/// Adds to `result` what each slot knows: what entered it, and what the slots of its customer before it know.
fn known(
    function: &AggregateFunctionExpr,
    entered: &[ArrayRef],
    ranks: &Ranks,
    groups: &Groups,
    result: &mut dyn GroupsAccumulator,
) -> Result<()> {
    let indices =
        |values: &mut dyn Iterator<Item = usize>| UInt32Array::from_iter_values(values.map(|value| value as u32));
    let taken = |arrays: &[ArrayRef], indices: &UInt32Array| {
        arrays.iter().map(|array| take(array, indices, None)).collect::<Result<Vec<_>, _>>()
    };
    let everyone: Vec<usize> = (0..ranks.customers).collect();
    let mut running = function.create_groups_accumulator()?;
    for members in &ranks.slots {
        let customers: Vec<usize> = members.iter().map(|(_, customer)| *customer).collect();
        let here = taken(entered, &indices(&mut members.iter().map(|(slot, _)| *slot)))?;
        running.merge_batch(&here, &customers, ranks.customers)?;
        let so_far = running.state(EmitTo::All)?;
        let of_members = taken(&so_far, &indices(&mut customers.iter().copied()))?;
        let of_groups: Vec<usize> = members.iter().map(|(slot, _)| groups.of_slot[*slot]).collect();
        result.merge_batch(&of_members, &of_groups, groups.starts.len())?;
        running.merge_batch(&so_far, &everyone, ranks.customers)?;
    }
    Ok(())
}

/// One row without a value in any column.
fn missing(schema: &SchemaRef) -> Result<RecordBatch> {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    Ok(RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(1)))?)
}

/// The functions of the aggregate over the rows of each slot or group, and the number of these rows.
struct Sums {
    sums: Vec<Box<dyn GroupsAccumulator>>,
    counts: Vec<u64>,
}

impl Sums {
    fn new(functions: &[Arc<AggregateFunctionExpr>]) -> Result<Sums> {
        let sums = functions.iter().map(|function| function.create_groups_accumulator()).collect::<Result<_>>()?;
        Ok(Sums { sums, counts: Vec::new() })
    }

    fn total(&self) -> usize {
        self.counts.len()
    }

    /// Adds rows of `facts` to places counted from `base`; there are `total` of them from now on.
    fn add(
        &mut self,
        measures: &[MeasureExpr],
        facts: &RecordBatch,
        places: &Places,
        base: usize,
        total: usize,
    ) -> Result<()> {
        self.counts.resize(total, 0);
        places.slots.iter().for_each(|slot| self.counts[slot - base] += 1);
        let slots: Vec<usize> = places.slots.iter().map(|slot| slot - base).collect();
        let is_whole =
            places.rows.len() == facts.num_rows() && (0..).zip(&places.rows).all(|(row, found)| row == *found);
        let rows = (!is_whole).then(|| UInt32Array::from(places.rows.clone()));
        let values = |expr: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> {
            let values = expr.evaluate(facts)?.into_array(facts.num_rows())?;
            Ok(match &rows {
                Some(rows) => take(&values, rows, None)?,
                None => values,
            })
        };
        for (sum, MeasureExpr { arguments, filter }) in self.sums.iter_mut().zip(measures) {
            let arguments = arguments.iter().map(values).collect::<Result<Vec<_>>>()?;
            // Without any filter an accumulator takes every place for one that has rows.
            let filter = match filter {
                Some(filter) => values(filter)?,
                None => Arc::new(BooleanArray::from(vec![true; slots.len()])),
            };
            sum.update_batch(&arguments, &slots, Some(filter.as_boolean()), total)?;
        }
        Ok(())
    }

    /// The states and counts of the first places, which are gone afterwards.
    fn take(&mut self, places: usize) -> Result<(Vec<Vec<ArrayRef>>, Vec<u64>)> {
        let states = self.sums.iter_mut().map(|sum| sum.state(EmitTo::First(places))).collect::<Result<_>>()?;
        Ok((states, self.counts.drain(..places).collect()))
    }
}

/// Rows of facts, and the slot that each is for.
#[derive(Default)]
struct Places {
    rows: Vec<u32>,
    slots: Vec<usize>,
}

impl Places {
    fn push(&mut self, row: usize, slot: usize) {
        self.rows.push(row as u32);
        self.slots.push(slot);
    }
}

/// The first and last times of cut-offs that see each fact.
struct Ranges {
    from: Vec<i64>,
    /// `i64::MAX` for no end.
    until: Vec<i64>,
}

impl Ranges {
    fn of(bounds: &[Bound], facts: &RecordBatch) -> Result<Ranges> {
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

    /// None if no cut-off can see the row.
    fn at(&self, row: usize) -> Option<(i64, Option<i64>)> {
        let (from, until) = (self.from[row], self.until[row]);
        (from <= until).then_some((from, (until < i64::MAX).then_some(until)))
    }
}
