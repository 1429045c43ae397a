//! [`SortedGroupsExec`]: aggregates over rows that come sorted by their group, or by a part of its columns, without a hash
//! table of all groups.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::Schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, aggregate_expressions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, stream};

use super::changes::Changes;
use super::distinct_counts::DistinctCounts;
use super::folds::accumulator;
use super::part::{Part, Place};
use super::reread::by_dictionaries;
use crate::dictionaries::show_dictionaries;

/// [`SortedGroupsExec`] in place of an aggregate some of whose group columns come sorted.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let aggregate = node.downcast_ref::<AggregateExec>().filter(|aggregate| is_streamable(aggregate))?;
    let input = input_by_dictionaries(aggregate).unwrap_or_else(|| Arc::clone(aggregate.input()));
    Some(Arc::new(SortedGroupsExec { aggregate: Arc::new(aggregate.clone()), input }))
}

/// The aggregate's input with dictionaries for texts that it groups by, or whose distinct values it counts.
fn input_by_dictionaries(aggregate: &AggregateExec) -> Option<Arc<dyn ExecutionPlan>> {
    if *aggregate.input_order_mode() != InputOrderMode::Sorted {
        return None;
    }
    let mut told_apart = aggregate.group_expr().input_exprs();
    let mut read: Vec<_> = aggregate.filter_expr().iter().flatten().cloned().collect();
    for function in aggregate.aggr_expr() {
        let arguments = if counts_distinct(aggregate, function) { &mut told_apart } else { &mut read };
        arguments.extend(function.expressions());
        read.extend(function.order_bys().iter().map(|sort| Arc::clone(&sort.expr)));
    }
    by_dictionaries(aggregate.input(), &told_apart, &read)
}

fn is_streamable(aggregate: &AggregateExec) -> bool {
    let group_by = aggregate.group_expr();
    *aggregate.mode() == AggregateMode::Single
        && *aggregate.input_order_mode() != InputOrderMode::Linear
        && !group_by.is_empty()
        && group_by.is_single()
        && aggregate.limit_options().is_none()
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| counts_distinct(aggregate, function) || function.groups_accumulator_supported())
}

/// Whether [`DistinctCounts`] does, for which groups must come one after the other.
fn counts_distinct(aggregate: &AggregateExec, function: &AggregateFunctionExpr) -> bool {
    *aggregate.input_order_mode() == InputOrderMode::Sorted
        && function.is_distinct()
        && function.fun().name() == "count"
        && function.expressions().len() == 1
}

/// The same result as its [`AggregateExec`], in the order of the groups.
#[derive(Debug)]
struct SortedGroupsExec {
    aggregate: Arc<AggregateExec>,
    /// The aggregate's, or the same rows with some texts as dictionaries.
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for SortedGroupsExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("SortedGroupsExec of ")?;
        self.aggregate.fmt_as(kind, f)?;
        show_dictionaries(&self.input.schema(), f)
    }
}

impl ExecutionPlan for SortedGroupsExec {
    fn name(&self) -> &str {
        "SortedGroupsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let [input] = children.as_slice()
            && input.schema() != self.aggregate.input().schema()
        {
            let (aggregate, input) = (Arc::clone(&self.aggregate), Arc::clone(input));
            return Ok(Arc::new(SortedGroupsExec { aggregate, input }));
        }
        let plan = Arc::clone(&self.aggregate).replace_children(children, options)?;
        // Over a child that does not come sorted it is what it was made from.
        let Some(aggregate) = plan.downcast_ref::<AggregateExec>().filter(|aggregate| is_streamable(aggregate)) else {
            return Ok(plan);
        };
        let input = Arc::clone(aggregate.input());
        Ok(Arc::new(SortedGroupsExec { aggregate: Arc::new(aggregate.clone()), input }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(f)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let size = context.session_config().batch_size();
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let groups = Groups::new(&self.aggregate, &self.input.schema(), memory)?;
        let rows = self.input.execute(partition, context)?;
        let results = stream::try_unfold(Some((rows, groups)), move |state| async move {
            let Some((mut rows, mut groups)) = state else { return Ok(None) };
            while groups.complete < size {
                match rows.next().await {
                    Some(batch) => groups.push(&batch?)?,
                    None => return Ok(groups.emit(EmitTo::All)?.map(|batch| (batch, None))),
                }
            }
            let complete = groups.complete;
            Ok(groups.emit(EmitTo::First(complete))?.map(|batch| (batch, Some((rows, groups)))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), results)))
    }
}

/// The groups seen and not yet emitted.
struct Groups {
    aggregate: Arc<AggregateExec>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    functions: Vec<Function>,
    /// Of each key column the values of the groups, in pieces.
    pieces: Vec<Vec<ArrayRef>>,
    count: usize,
    /// Groups that no more rows belong to.
    complete: usize,
    /// If only some of the keys come sorted: the groups that have those of the newest row, which are the last ones.
    part: Option<Part>,
    /// The keys of the newest row, and its group.
    last: Vec<ArrayRef>,
    newest: usize,
    /// The group of each row of the batch at hand.
    indices: Vec<usize>,
    memory: MemoryReservation,
}

struct Function {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    accumulator: Box<dyn GroupsAccumulator>,
}

impl Groups {
    fn new(aggregate: &Arc<AggregateExec>, input: &Schema, memory: MemoryReservation) -> Result<Groups> {
        let keys = aggregate.group_expr().input_exprs();
        let arguments = aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), keys.len())?;
        let functions = aggregate.aggr_expr().iter().zip(aggregate.filter_expr()).zip(arguments);
        let functions = functions.map(|((function, filter), arguments)| {
            let accumulator = match counts_distinct(aggregate, function) {
                true => Box::new(DistinctCounts::new(&arguments[0].data_type(input)?)?),
                false => accumulator(function, &arguments, input)?,
            };
            Ok(Function { arguments, filter: filter.clone(), accumulator })
        });
        let functions = functions.collect::<Result<_>>()?;
        let part = match aggregate.input_order_mode() {
            InputOrderMode::PartiallySorted(sorted) => Some(Part::new(sorted, &keys, &aggregate.input_schema())?),
            _ => None,
        };
        Ok(Groups {
            pieces: vec![Vec::new(); keys.len()],
            functions,
            keys,
            aggregate: Arc::clone(aggregate),
            count: 0,
            complete: 0,
            part,
            last: Vec::new(),
            newest: 0,
            indices: Vec::new(),
            memory,
        })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = batch.num_rows();
        let keys = self.keys.iter().map(|key| key.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        self.find_groups(&keys)?;
        for Function { arguments, filter, accumulator } in &mut self.functions {
            let values = arguments.iter().map(|argument| argument.evaluate(batch)?.into_array(rows));
            let values = values.collect::<Result<Vec<_>>>()?;
            let filter = filter.as_ref().map(|filter| filter.evaluate(batch)?.into_array(rows)).transpose()?;
            let filter = filter.as_ref().map(|filter| filter.as_boolean());
            accumulator.update_batch(&values, &self.indices, filter, self.count)?;
        }
        let accumulators = self.functions.iter().map(|function| function.accumulator.size()).sum::<usize>();
        self.memory.try_resize(accumulators + self.part.as_ref().map_or(0, Part::size))
    }

    /// Numbers the rows' groups: where a key differs from the row before another group begins, or goes on.
    fn find_groups(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let (changes, mut part) = match &mut self.part {
            Some(part) => part.over(keys, &self.last).map(|(changes, part)| (changes, Some(part)))?,
            None => (Changes::find(keys, &self.last)?, None),
        };
        let mut starts: Vec<u32> = Vec::new();
        self.indices.clear();
        for start in changes.rows() {
            // Rows before the start belong to the newest group so far, of an earlier batch for the first of them.
            self.indices.resize(start, self.newest);
            let place = part.as_mut().map(|part| part.next(start));
            self.complete = match place {
                Some(Place { is_first: false, .. }) => self.complete,
                _ => self.count,
            };
            self.newest = place.map_or(self.count, |place| self.complete + place.index);
            if self.newest == self.count {
                starts.push(start as u32);
                self.count += 1;
            }
        }
        let rows = keys[0].len();
        self.indices.resize(rows, self.newest);
        let starts = UInt32Array::from(starts);
        let schema = self.aggregate.schema();
        for ((key, pieces), field) in keys.iter().zip(&mut self.pieces).zip(schema.fields()) {
            if !starts.is_empty() {
                pieces.push(cast(&take(key, &starts, None)?, field.data_type())?);
            }
        }
        self.last = keys.iter().map(|key| key.slice(rows - 1, 1)).collect();
        Ok(())
    }

    /// None if there are no groups at all.
    fn emit(&mut self, emit: EmitTo) -> Result<Option<RecordBatch>> {
        let count = match emit {
            EmitTo::All => self.count,
            EmitTo::First(count) => count,
        };
        if count == 0 {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.pieces.len() + self.functions.len());
        for pieces in &mut self.pieces {
            let all = concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
            pieces.clear();
            if count < all.len() {
                pieces.push(all.slice(count, all.len() - count));
            }
            columns.push(all.slice(0, count));
        }
        for function in &mut self.functions {
            columns.push(function.accumulator.evaluate(emit)?);
        }
        self.count -= count;
        self.complete = self.complete.saturating_sub(count);
        self.newest = self.newest.saturating_sub(count);
        Ok(Some(RecordBatch::try_new(self.aggregate.schema(), columns)?))
    }
}
