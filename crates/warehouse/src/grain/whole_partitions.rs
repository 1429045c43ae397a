//! [`WholePartitionsExec`]: aggregates over the whole partition of each row, for rows that come partition by partition. The
//! engine's window aggregates one partition after the other; here those of a batch are groups of one accumulator, which
//! pays where partitions are as small as an order.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_datafusion_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::window::PlainAggregateWindowExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    WindowExpr,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::changes::Changes;
use super::folds::accumulator;

/// [`WholePartitionsExec`] in place of a window all of whose functions are plain aggregates of the partition.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let window = node.downcast_ref::<WindowAggExec>()?;
    window.window_expr().iter().all(|function| aggregate(function.as_ref()).is_some()).then(|| {
        let window = Arc::clone(node);
        Arc::new(WholePartitionsExec { window }) as Arc<dyn ExecutionPlan>
    })
}

/// What a function aggregates; None if it isn't all of a partition's rows.
fn aggregate(function: &dyn WindowExpr) -> Option<&AggregateFunctionExpr> {
    let plain = function.as_any().downcast_ref::<PlainAggregateWindowExpr>()?;
    let (aggregate, frame) = (plain.get_aggregate_expr(), function.get_window_frame());
    let is_whole = frame.start_bound.is_unbounded() && frame.end_bound.is_unbounded();
    let is_plain =
        aggregate.order_bys().is_empty() && !aggregate.is_distinct() && aggregate.groups_accumulator_supported();
    // Only its debug form tells of a filter.
    let is_unfiltered = || format!("{plain:?}").ends_with("filter: None }");
    let is_ours = is_whole && is_plain && !function.partition_by().is_empty() && is_unfiltered();
    is_ours.then_some(aggregate)
}

/// The same result as its window, which says what comes out and how it is sorted.
#[derive(Debug)]
struct WholePartitionsExec {
    window: Arc<dyn ExecutionPlan>,
}

impl WholePartitionsExec {
    fn window(&self) -> Result<&WindowAggExec> {
        self.window.downcast_ref().ok_or_else(|| internal_datafusion_err!("not made from a window"))
    }
}

impl DisplayAs for WholePartitionsExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("WholePartitionsExec of ")?;
        self.window.fmt_as(kind, f)
    }
}

impl ExecutionPlan for WholePartitionsExec {
    fn name(&self) -> &str {
        "WholePartitionsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.window.children()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let window = Arc::clone(&self.window).replace_children(children, options)?;
        Ok(instead_of(&window).unwrap_or(window))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.window.apply_expressions(f)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let window = self.window()?;
        let size = context.session_config().batch_size();
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let partitions = Partitions::new(window, memory)?;
        let rows = window.input().execute(partition, context)?;
        let results = stream::try_unfold(Some((rows, partitions)), move |state| async move {
            let Some((mut rows, mut partitions)) = state else { return Ok(None) };
            while let Some(batch) = rows.next().await {
                partitions.push(batch?)?;
                if partitions.complete() >= size {
                    let complete = partitions.emit(EmitTo::First(partitions.complete()))?;
                    return Ok(Some((complete, Some((rows, partitions)))));
                }
            }
            Ok::<_, DataFusionError>(Some((partitions.emit(EmitTo::All)?, None)))
        });
        let results = results.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), results)))
    }
}

/// The rows of partitions that may go on.
struct Partitions {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    functions: Vec<Function>,
    /// The partition of the newest row; empty before there is one.
    last: Vec<ArrayRef>,
    /// Partitions among the rows that wait, of which the last one may go on.
    count: usize,
    /// Batches with the partition of each row.
    waiting: Vec<(RecordBatch, Vec<usize>)>,
    memory: MemoryReservation,
}

struct Function {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    accumulator: Box<dyn GroupsAccumulator>,
}

impl Partitions {
    fn new(window: &WindowAggExec, memory: MemoryReservation) -> Result<Partitions> {
        let input = window.input().schema();
        let functions = window.window_expr().iter().map(|function| {
            let aggregate = aggregate(function.as_ref()).ok_or_else(|| internal_datafusion_err!("not an aggregate"))?;
            let arguments = aggregate.expressions();
            let accumulator: Box<dyn GroupsAccumulator> = accumulator(aggregate, &arguments, &input)?;
            Ok(Function { arguments, accumulator })
        });
        Ok(Partitions {
            schema: window.schema(),
            // All functions of one window share its partitions.
            keys: window.window_expr().first().map(|function| function.partition_by().to_vec()).unwrap_or_default(),
            functions: functions.collect::<Result<_>>()?,
            last: Vec::new(),
            count: 0,
            waiting: Vec::new(),
            memory,
        })
    }

    fn complete(&self) -> usize {
        self.count.saturating_sub(1)
    }

    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let keys = self.keys.iter().map(|key| key.evaluate(&batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let changes = Changes::find(&keys, &self.last)?;
        let mut partitions = Vec::with_capacity(rows);
        for start in changes.rows() {
            partitions.resize(start, self.count.saturating_sub(1));
            self.count += 1;
        }
        partitions.resize(rows, self.count - 1);
        self.last = keys.iter().map(|key| key.slice(rows - 1, 1)).collect();
        for Function { arguments, accumulator } in &mut self.functions {
            let values = arguments.iter().map(|argument| argument.evaluate(&batch)?.into_array(rows));
            accumulator.update_batch(&values.collect::<Result<Vec<_>>>()?, &partitions, None, self.count)?;
        }
        self.waiting.push((batch, partitions));
        let accumulators = self.functions.iter().map(|function| function.accumulator.size()).sum::<usize>();
        let waiting = self.waiting.iter().map(|(batch, _)| batch.get_array_memory_size()).sum::<usize>();
        self.memory.try_resize(accumulators + waiting)
    }

    /// The rows of the first partitions with their aggregates.
    fn emit(&mut self, emit: EmitTo) -> Result<Vec<RecordBatch>> {
        let count = match emit {
            EmitTo::All => self.count,
            EmitTo::First(count) => count,
        };
        if count == 0 {
            return Ok(Vec::new());
        }
        let totals = self.functions.iter_mut().map(|function| function.accumulator.evaluate(emit));
        let totals = totals.collect::<Result<Vec<_>>>()?;
        let mut ready = Vec::new();
        for (batch, partitions) in std::mem::take(&mut self.waiting) {
            let end = partitions.partition_point(|partition| *partition < count);
            if end > 0 {
                let of_rows =
                    UInt64Array::from_iter_values(partitions[..end].iter().map(|partition| *partition as u64));
                let mut columns = batch.slice(0, end).columns().to_vec();
                for totals in &totals {
                    columns.push(take(totals, &of_rows, None)?);
                }
                ready.push(RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
            }
            if end < partitions.len() {
                let rest = partitions[end..].iter().map(|partition| partition - count).collect();
                self.waiting.push((batch.slice(end, partitions.len() - end), rest));
            }
        }
        self.count -= count;
        Ok(ready)
    }
}
