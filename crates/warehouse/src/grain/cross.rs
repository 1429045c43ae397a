//! [`CrossExec`]: every row of a side that comes sorted with every row of another, in the order of the first.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take_arrays};
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::joins::CrossJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::buckets::leaf_properties;
use super::customers::comes_by;

/// [`CrossExec`] in place of a cross join of customers with something else, such as cut-offs. The engine's makes a batch of
/// each customer.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let join = node.downcast_ref::<CrossJoinExec>()?;
    let (left, right) = (join.left(), join.right());
    (comes_by(left).is_some() && comes_by(right).is_none())
        .then(|| Arc::new(CrossExec::new(Arc::clone(left), Arc::clone(right), node.schema())) as _)
}

/// The right side is held in memory, and counted there.
#[derive(Debug)]
struct CrossExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl CrossExec {
    fn new(left: Arc<dyn ExecutionPlan>, right: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> CrossExec {
        // The left side's columns come first, so its order reads the same.
        let orders = left.output_ordering().into_iter().cloned();
        let properties = leaf_properties(EquivalenceProperties::new_with_orderings(schema, orders), 1);
        CrossExec { left, right, properties }
    }
}

impl DisplayAs for CrossExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("CrossExec")
    }
}

impl ExecutionPlan for CrossExec {
    fn name(&self) -> &str {
        "CrossExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([left, right]) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return internal_err!("a cross join has two inputs");
        };
        Ok(Arc::new(CrossExec::new(left, right, self.schema())))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let size = context.session_config().batch_size();
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let left = execute_stream(Arc::clone(&self.left), Arc::clone(&context))?;
        let right = execute_stream(Arc::clone(&self.right), context)?;
        let schema = self.schema();
        let rows = async move {
            let others = concat_batches(&right.schema(), &right.try_collect::<Vec<_>>().await?)?;
            memory.try_grow(others.get_array_memory_size())?;
            let rows = left.map(move |batch| {
                // Counted as long as the rows are held.
                let _ = &memory;
                Ok::<_, DataFusionError>(stream::iter(pairs(&schema, &batch?, &others, size)))
            });
            Ok::<_, DataFusionError>(rows.try_flatten())
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::once(rows).try_flatten())))
    }
}

/// The pairs in batches of about this size.
fn pairs(schema: &SchemaRef, left: &RecordBatch, others: &RecordBatch, size: usize) -> Vec<Result<RecordBatch>> {
    let count = others.num_rows();
    if count == 0 {
        return Vec::new();
    }
    let at_once = (size / count).max(1);
    let batch = |start: usize| {
        let rows = start..left.num_rows().min(start + at_once);
        let of_left = rows.clone().flat_map(|row| std::iter::repeat_n(row as u32, count));
        let of_others = rows.clone().flat_map(|_| 0..count as u32);
        let mut columns = take_arrays(left.columns(), &UInt32Array::from_iter_values(of_left), None)?;
        columns.extend(take_arrays(others.columns(), &UInt32Array::from_iter_values(of_others), None)?);
        // A query may need no column of either, only how many pairs there are.
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len() * count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    };
    (0..left.num_rows()).step_by(at_once).map(batch).collect()
}
