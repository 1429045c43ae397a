//! [`OnceExec`]: rows that every bucket reads, computed once the first asks, in a task of its own: a plan can't be run a second
//! time, so the one who asked first may go away (its join needs no rows) without taking the work along.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Schema;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, TryStreamExt, stream};
use store::bucket_of;

use super::buckets::{leaf_properties, show_inside};
use super::customers::sort_by;
use super::point_in_time::time_type;
use super::slots::in_order;

/// All rows of a plan, for every bucket; or, divided by a column, to each bucket its own. The rows are held in memory, and
/// counted there.
#[derive(Debug, Clone)]
pub(super) struct OnceExec {
    plan: Arc<dyn ExecutionPlan>,
    by: Option<(usize, u32)>,
    bucket: Option<i32>,
    rows: Arc<OnceLock<Computed>>,
    properties: Arc<PlanProperties>,
}

/// Of all that wait for it. Dropped by all, the work ends.
type Computed = Shared<BoxFuture<'static, Result<Arc<Held>, Arc<DataFusionError>>>>;

/// Rows by bucket; under `None` if they are not divided.
#[derive(Debug)]
struct Held {
    rows: BTreeMap<Option<i32>, Vec<RecordBatch>>,
    /// Gives the memory back when dropped.
    _memory: MemoryReservation,
}

impl OnceExec {
    /// `by`: index of a text column, and the number of buckets. Divided rows that have a time come by that column and the
    /// first time, as everything does that is made for the customers and cut-offs of a spine.
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>, by: Option<(usize, u32)>) -> OnceExec {
        let schema = plan.schema();
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        if let Some((customer, as_of)) = order(&schema, by) {
            equivalence.add_ordering([sort_by(&schema, customer), sort_by(&schema, as_of)]);
        }
        OnceExec { plan, by, bucket: None, rows: Arc::default(), properties: leaf_properties(equivalence, 1) }
    }

    /// The same rows as one bucket sees them; all of them share one computation.
    pub(super) fn at(&self, bucket: i32) -> OnceExec {
        OnceExec { bucket: self.by.map(|_| bucket), ..self.clone() }
    }
}

/// The columns that divided rows are sorted by, if there is a time among them.
fn order(schema: &Schema, by: Option<(usize, u32)>) -> Option<(usize, usize)> {
    let as_of = schema.fields().iter().position(|field| *field.data_type() == time_type())?;
    by.map(|(customer, _)| (customer, as_of))
}

fn begin(plan: Arc<dyn ExecutionPlan>, by: Option<(usize, u32)>, context: Arc<TaskContext>) -> Computed {
    let task = SpawnedTask::spawn(compute(plan, by, context));
    let held = task.join_unwind().map(|held| match held {
        Ok(held) => held.map(Arc::new).map_err(Arc::new),
        Err(ended) => Err(Arc::new(DataFusionError::ExecutionJoin(Box::new(ended)))),
    });
    held.boxed().shared()
}

async fn compute(plan: Arc<dyn ExecutionPlan>, by: Option<(usize, u32)>, context: Arc<TaskContext>) -> Result<Held> {
    let memory = MemoryConsumer::new("rows that all buckets share").register(context.memory_pool());
    let size = context.session_config().batch_size();
    let mut batches = execute_stream(plan, context)?;
    let schema = batches.schema();
    let mut rows: BTreeMap<Option<i32>, Vec<RecordBatch>> = BTreeMap::new();
    while let Some(batch) = batches.try_next().await? {
        memory.try_grow(batch.get_array_memory_size())?;
        let Some((column, buckets)) = by else {
            rows.entry(None).or_default().push(batch);
            continue;
        };
        let mut found: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for (row, customer) in (0..).zip(batch.column(column).as_string::<i32>()) {
            found.entry(bucket_of(customer, buckets)).or_default().push(row);
        }
        for (bucket, indices) in found {
            rows.entry(Some(bucket)).or_default().push(take_record_batch(&batch, &UInt32Array::from(indices))?);
        }
    }
    if let Some((customer, as_of)) = order(&schema, by) {
        for batches in rows.values_mut() {
            let (whole, _) = in_order(concat_batches(&schema, batches.iter())?, customer, as_of, &[])?;
            let portion = |start: usize| whole.slice(start, size.min(whole.num_rows() - start));
            *batches = (0..whole.num_rows()).step_by(size).map(portion).collect();
        }
    }
    Ok(Held { rows, _memory: memory })
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match self.by {
            Some((column, _)) => write!(f, "OnceExec: by {}", self.schema().field(column).name())?,
            None => f.write_str("OnceExec")?,
        }
        show_inside(&self.plan, f)
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (plan, by, bucket, rows) = (Arc::clone(&self.plan), self.by, self.bucket, Arc::clone(&self.rows));
        let batches = async move {
            let computed = rows.get_or_init(|| begin(plan, by, context)).clone();
            let held = computed.await.map_err(DataFusionError::Shared)?;
            let batches = held.rows.get(&bucket).cloned().unwrap_or_default();
            Ok::<_, DataFusionError>(stream::iter(batches.into_iter().map(Ok)))
        };
        let batches = stream::once(batches).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use datafusion::physical_plan::{Partitioning, coalesce_partitions::CoalescePartitionsExec};
    use datafusion::prelude::SessionContext;
    use futures::{StreamExt, poll};

    use super::*;

    #[tokio::test]
    async fn who_asked_first_may_go_away() {
        let column = Arc::new(Int64Array::from(vec![1, 2, 3])) as Arc<dyn arrow::array::Array>;
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let source = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None).unwrap();
        let plan = RepartitionExec::try_new(source, Partitioning::RoundRobinBatch(2)).unwrap();
        let once = OnceExec::new(Arc::new(CoalescePartitionsExec::new(Arc::new(plan))), None);
        let context = SessionContext::new().task_ctx();
        let mut first = once.at(0).execute(0, Arc::clone(&context)).unwrap();
        assert!(poll!(first.next()).is_pending());
        drop(first);
        let rows: Vec<RecordBatch> = once.at(1).execute(0, context).unwrap().try_collect().await.unwrap();
        assert_eq!(rows, [batch]);
    }
}
