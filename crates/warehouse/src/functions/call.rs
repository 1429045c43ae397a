//! [`Call`]: a function's call as a part of a plan.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, OrderingRequirements, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements,
    Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{Stream, TryStreamExt, stream};

use super::columns::without_nulls;
use super::{Algorithm, wrong_call};
use crate::grain::must_come_by;

/// A call whose query and settings were checked.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    function: &'static str,
    /// As JSON, to tell calls apart and to be shown.
    settings: String,
    algorithm: Arc<dyn Algorithm>,
    sorted_by: usize,
    input: LogicalPlan,
    schema: DFSchemaRef,
}

impl Call {
    /// Of rows of `input`, sorted by so many of the first columns.
    pub(super) fn new(
        function: &'static str,
        settings: String,
        algorithm: Arc<dyn Algorithm>,
        sorted_by: usize,
        input: LogicalPlan,
        output: SchemaRef,
    ) -> Result<Call> {
        let schema = Arc::new(DFSchema::try_from_qualified_schema(function, &output)?);
        Ok(Call { function, settings, algorithm, sorted_by, input, schema })
    }

    pub(super) fn node(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    fn identity(&self) -> (&str, &str, &LogicalPlan) {
        (self.function, &self.settings, &self.input)
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for Call {
    fn partial_cmp(&self, _: &Self) -> Option<Ordering> {
        None
    }
}

impl UserDefinedLogicalNodeCore for Call {
    fn name(&self) -> &str {
        self.function
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.function, self.settings)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else { return internal_err!("a call has one query") };
        Ok(Call { input, ..self.clone() })
    }
}

/// Plans [`Call`].
pub(crate) struct Calls;

#[async_trait]
impl ExtensionPlanner for Calls {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(call) = node.as_any().downcast_ref::<Call>() else { return Ok(None) };
        let [input] = inputs else { return internal_err!("a call has one query") };
        Ok(Some(Arc::new(CallExec::new(call.clone(), Arc::clone(input)))))
    }
}

/// Holds all rows of its input, counted as memory of the query, and runs the function over them.
#[derive(Debug)]
struct CallExec {
    call: Call,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl CallExec {
    fn new(call: Call, input: Arc<dyn ExecutionPlan>) -> CallExec {
        let equivalence = EquivalenceProperties::new(Arc::clone(call.schema.inner()));
        let one = Partitioning::UnknownPartitioning(1);
        let properties = PlanProperties::new(equivalence, one, EmissionType::Final, Boundedness::Bounded);
        CallExec { call, input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for CallExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CallExec: {} {}", self.call.function, self.call.settings)
    }
}

impl ExecutionPlan for CallExec {
    fn name(&self) -> &str {
        "CallExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![must_come_by(&self.input, 0..self.call.sorted_by)]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("a call has one query");
        };
        Ok(Arc::new(CallExec::new(self.call.clone(), input)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(self.call.function).register(context.memory_pool());
        let size = context.session_config().batch_size();
        let (call, mut input) = (self.call.clone(), self.input.execute(partition, context)?);
        let result = async move {
            let mut batches = Vec::new();
            while let Some(batch) = input.try_next().await? {
                // The rows, and once more while they are put together.
                memory.try_grow(2 * batch.get_array_memory_size())?;
                batches.push(batch);
            }
            let rows = concat_batches(&input.schema(), &batches)?;
            drop(batches);
            let columns = rows.num_columns();
            let run = tokio::task::spawn_blocking(move || {
                let output = Arc::clone(call.schema.inner());
                let rows = without_nulls(rows, call.algorithm.needed(columns));
                let result = rows.and_then(|rows| match rows.num_rows() {
                    0 => Ok(RecordBatch::new_empty(output)),
                    _ => call.algorithm.run(&rows, &output),
                });
                result.map_err(|problem| wrong_call(call.function, problem))
            });
            let result = run.await.map_err(|e| DataFusionError::External(Box::new(e)))??;
            Ok::<_, DataFusionError>(portions(result, size))
        };
        let batches = stream::once(result).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

fn portions(rows: RecordBatch, size: usize) -> impl Stream<Item = Result<RecordBatch>> {
    let starts = (0..rows.num_rows()).step_by(size);
    stream::iter(starts.map(move |start| Ok(rows.slice(start, size.min(rows.num_rows() - start)))))
}
