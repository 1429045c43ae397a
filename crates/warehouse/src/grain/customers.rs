//! [`WholeCustomers`]: batches of a stream that comes customer by customer, cut between customers.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::changes::Changes;

/// The column that the rows of a plan come sorted by first, as the rows of a bucket do by customer.
pub(super) fn comes_by(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let first = plan.output_ordering()?.first();
    (first.options == store::ORDER).then(|| index_of(&first.expr)).flatten()
}

/// Of an expression that is a column.
pub(super) fn index_of(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expr.downcast_ref::<Column>().map(Column::index)
}

/// That they must come so, and by the other columns then.
pub(crate) fn must_come_by(
    plan: &Arc<dyn ExecutionPlan>,
    columns: impl IntoIterator<Item = usize>,
) -> Option<OrderingRequirements> {
    let schema = plan.schema();
    Some(LexOrdering::new(columns.into_iter().map(|index| sort_by(&schema, index)))?.into())
}

/// A column of those by which rows are sorted as the store sorts them.
pub(super) fn sort_by(schema: &Schema, index: usize) -> PhysicalSortExpr {
    PhysicalSortExpr::new(Arc::new(Column::new(schema.field(index).name(), index)), store::ORDER)
}

/// Holds back the newest customer's rows until another one's come.
pub(super) struct WholeCustomers {
    /// Index of the customer's column.
    column: usize,
    held: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl WholeCustomers {
    /// What is held back is counted for `operator`.
    pub(super) fn by(column: usize, operator: &str, context: &TaskContext) -> WholeCustomers {
        let memory = MemoryConsumer::new(operator).register(context.memory_pool());
        WholeCustomers { column, held: Vec::new(), memory }
    }

    /// The rows, if there are any, of customers that have no more.
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let last = self.held.last().map(|held| held.column(self.column).slice(held.num_rows() - 1, 1));
        let last: Vec<ArrayRef> = last.into_iter().collect();
        let newest = Changes::find(std::slice::from_ref(batch.column(self.column)), &last)?.rows().last();
        // Without a change all rows are the newest customer's.
        let Some(start) = newest else {
            self.memory.try_grow(batch.get_array_memory_size())?;
            self.held.push(batch);
            return Ok(None);
        };
        let mut complete = std::mem::replace(&mut self.held, vec![batch.slice(start, batch.num_rows() - start)]);
        complete.push(batch.slice(0, start));
        self.memory.free();
        joined(&complete)
    }

    /// The rows of the newest customer, if there is one, after the last batch.
    pub(super) fn rest(&mut self) -> Result<Option<RecordBatch>> {
        joined(&std::mem::take(&mut self.held))
    }
}

fn joined(pieces: &[RecordBatch]) -> Result<Option<RecordBatch>> {
    let joined = match pieces {
        [] => return Ok(None),
        [one] => one.clone(),
        [first, ..] => concat_batches(&first.schema(), pieces)?,
    };
    Ok((joined.num_rows() > 0).then_some(joined))
}
