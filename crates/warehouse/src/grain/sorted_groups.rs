//! [`SortedGroupsExec`]: aggregates over rows that come sorted by their group, without a hash table of groups.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
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

/// [`SortedGroupsExec`] in place of an aggregate all of whose group columns come sorted.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let aggregate = node.downcast_ref::<AggregateExec>().filter(|aggregate| is_streamable(aggregate))?;
    Some(Arc::new(SortedGroupsExec { aggregate: Arc::new(aggregate.clone()) }))
}

fn is_streamable(aggregate: &AggregateExec) -> bool {
    let group_by = aggregate.group_expr();
    *aggregate.mode() == AggregateMode::Single
        && *aggregate.input_order_mode() == InputOrderMode::Sorted
        && !group_by.is_empty()
        && group_by.is_single()
        && aggregate.limit_options().is_none()
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| counts_distinct(function) || function.groups_accumulator_supported())
}

fn counts_distinct(function: &AggregateFunctionExpr) -> bool {
    function.is_distinct() && function.fun().name() == "count" && function.expressions().len() == 1
}

/// The same result as its [`AggregateExec`], in the order of the groups.
#[derive(Debug)]
struct SortedGroupsExec {
    aggregate: Arc<AggregateExec>,
}

impl DisplayAs for SortedGroupsExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("SortedGroupsExec of ")?;
        self.aggregate.fmt_as(kind, f)
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
        vec![self.aggregate.input()]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = Arc::clone(&self.aggregate).replace_children(children, options)?;
        // Over a child that does not come sorted it is what it was made from.
        Ok(instead_of(&plan).unwrap_or(plan))
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
        let rows = self.aggregate.input().execute(partition, context)?;
        let groups = Groups::new(&self.aggregate)?;
        let results = stream::try_unfold(Some((rows, groups)), move |state| async move {
            let Some((mut rows, mut groups)) = state else { return Ok(None) };
            while groups.complete() < size {
                match rows.next().await {
                    Some(batch) => groups.push(&batch?)?,
                    None => return Ok(groups.emit(EmitTo::All)?.map(|batch| (batch, None))),
                }
            }
            let complete = groups.complete();
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
    /// The keys of the newest row.
    last: Vec<ArrayRef>,
    /// The group of each row of the batch at hand.
    indices: Vec<usize>,
}

struct Function {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    accumulator: Box<dyn GroupsAccumulator>,
}

impl Groups {
    fn new(aggregate: &Arc<AggregateExec>) -> Result<Groups> {
        let keys = aggregate.group_expr().input_exprs();
        let arguments = aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), keys.len())?;
        let functions = aggregate.aggr_expr().iter().zip(aggregate.filter_expr()).zip(arguments);
        let functions = functions.map(|((function, filter), arguments)| {
            let accumulator = match counts_distinct(function) {
                true => Box::new(DistinctCounts::new(&arguments[0].data_type(&aggregate.input_schema())?)?),
                false => function.create_groups_accumulator()?,
            };
            Ok(Function { arguments, filter: filter.clone(), accumulator })
        });
        Ok(Groups {
            pieces: vec![Vec::new(); keys.len()],
            functions: functions.collect::<Result<_>>()?,
            keys,
            aggregate: Arc::clone(aggregate),
            count: 0,
            last: Vec::new(),
            indices: Vec::new(),
        })
    }

    /// All but the last are, which the next rows may belong to.
    fn complete(&self) -> usize {
        self.count.saturating_sub(1)
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
        Ok(())
    }

    /// Numbers the rows' groups: a group begins where a key differs from the row before.
    fn find_groups(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let changes = Changes::find(keys, &self.last)?;
        let starts: UInt32Array = changes.rows().map(|row| row as u32).collect::<Vec<_>>().into();
        self.indices.clear();
        for start in changes.rows() {
            // Rows before the start belong to the newest group so far, of an earlier batch for the first of them.
            self.indices.resize(start, self.count.saturating_sub(1));
            self.count += 1;
        }
        let rows = keys[0].len();
        self.indices.resize(rows, self.count - 1);
        for (key, pieces) in keys.iter().zip(&mut self.pieces) {
            if !starts.is_empty() {
                pieces.push(take(key, &starts, None)?);
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
        Ok(Some(RecordBatch::try_new(self.aggregate.schema(), columns)?))
    }
}
