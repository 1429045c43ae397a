//! [`CutOffs`]: what is known at each cut-off of each customer, from facts that come customer by customer.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;

use super::changes::{Changes, runs};
use super::folds::slot_accumulator;
use super::point_in_time::Bound;
use super::running::{Customers, SlotAccumulator};
use super::slots::{Ranges, Slots};
use super::totals::{Measure, Totals};

/// Cut-offs whose result is put out together, as soon as all of their facts were seen.
const CUT_OFFS_AT_ONCE: usize = 8192;

/// The slots of a bucket, and what entered them so far.
pub(super) struct CutOffs {
    totals: Arc<Totals>,
    schema: SchemaRef,
    slots: Slots,
    /// Slots before this one are put out; accumulators count from here.
    base: usize,
    /// Facts that are seen from a slot on, by that slot.
    entered: Sums,
    /// Facts that are seen by some slots only, by each of these.
    within: Sums,
}

impl CutOffs {
    pub(super) fn new(slots: Slots, totals: Arc<Totals>, schema: SchemaRef) -> Result<CutOffs> {
        Ok(CutOffs { entered: Sums::new(&totals)?, within: Sums::new(&totals)?, base: 0, totals, schema, slots })
    }

    /// Takes facts in; they come sorted by customer.
    pub(super) fn see(&mut self, facts: &RecordBatch) -> Result<()> {
        if facts.num_rows() == 0 {
            return Ok(());
        }
        let totals = Arc::clone(&self.totals);
        let ranges = totals.bounds.iter().map(|bounds| Ranges::of(bounds, facts)).collect::<Result<Vec<_>>>()?;
        let customers = facts.column(totals.question.customer.1);
        let mut entered: Vec<Places> = ranges.iter().map(|_| Places::default()).collect();
        let mut within: Vec<Places> = ranges.iter().map(|_| Places::default()).collect();
        for run in runs(customers)?.windows(2) {
            let Some(slots) = self.slots.of(customers, run[0]) else { continue };
            let mut near = 0;
            for (ranges, (entered, within)) in ranges.iter().zip(entered.iter_mut().zip(&mut within)) {
                for row in run[0]..run[1] {
                    let seen = self.slots.between(&slots, ranges.from[row], ranges.until[row], &mut near);
                    if seen.end < slots.end {
                        seen.for_each(|slot| within.push(row, slot - self.base));
                    } else if seen.start < seen.end {
                        entered.push(row, seen.start - self.base);
                    }
                }
            }
        }
        let total = (self.slots.end_of_newest() - self.base).max(self.entered.total());
        self.entered.add(&totals.measures, facts, &entered, total)?;
        if self.within.total() > 0 || within.iter().any(|places| !places.rows.is_empty()) {
            self.within.add(&totals.measures, facts, &within, total)?;
        }
        Ok(())
    }

    /// The result of the slots whose facts were all seen, once there are many of them.
    pub(super) fn finish_complete(&mut self) -> Result<Option<RecordBatch>> {
        let end = self.slots.reached();
        if end - self.base < CUT_OFFS_AT_ONCE { Ok(None) } else { self.finish(end).map(Some) }
    }

    /// The result of all slots that are left.
    pub(super) fn finish_all(&mut self) -> Result<Option<RecordBatch>> {
        let end = self.slots.len();
        if end == self.base { Ok(None) } else { self.finish(end).map(Some) }
    }

    /// The result of the slots before `end`.
    fn finish(&mut self, end: usize) -> Result<RecordBatch> {
        let (base, slots) = (self.base, end - self.base);
        let totals = Arc::clone(&self.totals);
        let keys: Vec<ArrayRef> =
            totals.keys.iter().map(|key| self.slots.spine.column(*key).slice(base, slots)).collect();
        let customers = self.customers(end);
        let groups = Groups::of(&keys, &customers, &self.slots.times[base..end])?;
        self.entered.reach(&totals.measures, &totals.question.facts.schema(), slots)?;
        let (mut known, mut seen) = self.entered.known(&customers)?;
        for slot in (1..slots).filter(|slot| customers.goes_on[*slot]) {
            seen[slot] += seen[slot - 1];
        }
        if self.within.total() > 0 {
            self.within.reach(&totals.measures, &totals.question.facts.schema(), slots)?;
            let everyone: Vec<usize> = (0..slots).collect();
            for (known, within) in known.sums.iter_mut().zip(&mut self.within.sums) {
                known.merge_batch(&within.state(EmitTo::First(slots))?, &everyone, slots)?;
            }
            seen.iter_mut().zip(self.within.rows.drain(..slots)).for_each(|(seen, within)| *seen += within);
        }
        let mut result = known.grouped(&totals, &groups)?;
        if totals.question.is_outer {
            let unseen = (0..slots).filter(|slot| seen[*slot] == 0).map(|slot| groups.of_slot[slot]);
            result.add_missing(&totals, &unseen.collect::<Vec<_>>(), groups.count)?;
        }
        let mut columns = groups.first_of_each(keys)?;
        for sum in &mut result.sums {
            columns.push(sum.evaluate(EmitTo::All)?);
        }
        self.base = end;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        if totals.question.is_outer {
            return Ok(batch);
        }
        let mut is_seen = vec![false; groups.count];
        (0..slots).filter(|slot| seen[*slot] > 0).for_each(|slot| is_seen[groups.of_slot[slot]] = true);
        Ok(filter_record_batch(&batch, &BooleanArray::from(is_seen))?)
    }

    /// Of the slots from `base` to `end`.
    fn customers(&self, end: usize) -> Customers {
        let is_timed: Vec<bool> = self.slots.times[self.base..end].iter().map(Option::is_some).collect();
        let mut goes_on = is_timed.clone();
        for start in &self.slots.starts[self.slots.starts.partition_point(|start| *start < self.base)..] {
            if let Some(goes_on) = goes_on.get_mut(*start - self.base) {
                *goes_on = false;
            }
        }
        Customers { goes_on, is_timed }
    }
}

/// Slots with the same key; they come one after the other.
struct Groups {
    of_slot: Vec<usize>,
    count: usize,
    /// The first slot of each; None where each slot is a group.
    starts: Option<Vec<u32>>,
}

impl Groups {
    /// Of slots with these cut-offs.
    fn of(keys: &[ArrayRef], customers: &Customers, times: &[Option<i64>]) -> Result<Groups> {
        let slots = times.len();
        let is_first =
            |slot: usize| customers.is_timed[slot] && !(customers.goes_on[slot] && times[slot - 1] == times[slot]);
        if (0..slots).all(is_first) {
            return Ok(Groups { of_slot: (0..slots).collect(), starts: None, count: slots });
        }
        let starts: Vec<u32> = Changes::find(keys, &[])?.rows().map(|row| row as u32).collect();
        let mut of_slot = vec![0; slots];
        for (group, start) in starts.iter().enumerate() {
            let end = starts.get(group + 1).map_or(slots, |end| *end as usize);
            of_slot[*start as usize..end].fill(group);
        }
        Ok(Groups { of_slot, count: starts.len(), starts: Some(starts) })
    }

    /// Of columns of the slots.
    fn first_of_each(&self, columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
        let Some(starts) = &self.starts else { return Ok(columns) };
        let starts = UInt32Array::from(starts.clone());
        Ok(columns.iter().map(|column| take(column, &starts, None)).collect::<Result<_, _>>()?)
    }
}

/// The measures over the rows of each slot or group, and the number of these rows.
struct Sums {
    sums: Vec<Box<dyn SlotAccumulator>>,
    rows: Vec<u64>,
}

impl Sums {
    fn new(totals: &Totals) -> Result<Sums> {
        let facts = totals.question.facts.schema();
        let sums =
            totals.measures.iter().map(|measure| slot_accumulator(&measure.function, &measure.arguments, &facts));
        Ok(Sums { sums: sums.collect::<Result<_>>()?, rows: Vec::new() })
    }

    fn total(&self) -> usize {
        self.rows.len()
    }

    /// Adds rows of `facts`, for each bounds those that it lets in; there are `total` places from now on.
    fn add(&mut self, measures: &[Measure], facts: &RecordBatch, places: &[Places], total: usize) -> Result<()> {
        self.rows.resize(total, 0);
        places[0].slots.iter().for_each(|slot| self.rows[*slot] += 1);
        let rows: Vec<Option<UInt32Array>> = places.iter().map(|places| places.rows_of(facts)).collect();
        for (sum, measure) in self.sums.iter_mut().zip(measures) {
            let (places, rows) = (&places[measure.bounds], &rows[measure.bounds]);
            let values = |expr: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> {
                let values = expr.evaluate(facts)?.into_array(facts.num_rows())?;
                Ok(match rows {
                    Some(rows) => take(&values, rows, None)?,
                    None => values,
                })
            };
            let arguments = measure.arguments.iter().map(values).collect::<Result<Vec<_>>>()?;
            // Without any filter the engine's accumulators take every place for one that has rows.
            let filter = match &measure.filter {
                Some(filter) => values(filter)?,
                None => Arc::new(BooleanArray::new(BooleanBuffer::new_set(places.slots.len()), None)),
            };
            sum.update_batch(&arguments, &places.slots, Some(filter.as_boolean()), total)?;
        }
        Ok(())
    }

    /// Sees to it that there are at least so many places.
    fn reach(&mut self, measures: &[Measure], facts: &SchemaRef, places: usize) -> Result<()> {
        let bounds = measures.iter().map(|measure| measure.bounds + 1).max().unwrap_or(1);
        let none: Vec<Places> = (0..bounds).map(|_| Places::default()).collect();
        self.add(measures, &RecordBatch::new_empty(Arc::clone(facts)), &none, places.max(self.total()))
    }

    /// Adds the row of an outer join that has no fact to the groups.
    fn add_missing(&mut self, totals: &Totals, slots: &[usize], groups_count: usize) -> Result<()> {
        let none = missing(&totals.question.facts.schema())?;
        let of_join = totals.question.bounds.len();
        // It has no time: a measure with bounds of its own sees it only where they let facts in that have none.
        let is_seen = |bounds: &Vec<Bound>| bounds[of_join..].iter().all(|bound| bound.is_null_open);
        let seen = || Places { rows: vec![0; slots.len()], slots: slots.to_vec() };
        let places = totals.bounds.iter().map(|bounds| if is_seen(bounds) { seen() } else { Places::default() });
        let places: Vec<Places> = places.collect();
        self.add(&totals.measures, &none, &places, groups_count)
    }

    /// What is known at each of the customers' slots, which are gone afterwards, and the rows that entered each.
    fn known(&mut self, customers: &Customers) -> Result<(Sums, Vec<u64>)> {
        let rows: Vec<u64> = self.rows.drain(..customers.goes_on.len()).collect();
        let sums = self.sums.iter_mut().map(|sum| sum.known(customers)).collect::<Result<_>>()?;
        Ok((Sums { sums, rows: Vec::new() }, rows))
    }

    /// Slots put together.
    fn grouped(mut self, totals: &Totals, groups: &Groups) -> Result<Sums> {
        if groups.starts.is_none() {
            return Ok(self);
        }
        let mut grouped = Sums::new(totals)?;
        for (sum, of_slots) in grouped.sums.iter_mut().zip(&mut self.sums) {
            sum.merge_batch(&of_slots.state(EmitTo::All)?, &groups.of_slot, groups.count)?;
        }
        Ok(grouped)
    }
}

/// One row without a value in any column.
fn missing(schema: &SchemaRef) -> Result<RecordBatch> {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    Ok(RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(1)))?)
}

/// Rows of facts, and the slot that each is for, counted from the first that is not put out.
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

    /// None for all rows as they are.
    fn rows_of(&self, facts: &RecordBatch) -> Option<UInt32Array> {
        let is_whole = self.rows.len() == facts.num_rows() && (0..).zip(&self.rows).all(|(row, found)| row == *found);
        (!is_whole).then(|| UInt32Array::from(self.rows.clone()))
    }
}
