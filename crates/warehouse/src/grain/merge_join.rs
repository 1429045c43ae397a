//! [`MergeJoinExec`]: a left join of two sides that come in the order of its keys, as a spine and features of it do.
//!
//! The engine's join holds one side in a hash table and copies every column of both for each of many joins in a row. Here
//! rows stream, and where both sides have the same keys, row by row, nothing is copied at all.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DynComparator, RecordBatch, RecordBatchOptions, UInt32Array, make_comparator};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{JoinType, NullEquality, internal_err};
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, execute_stream,
};
use futures::{StreamExt, stream};

use super::buckets::leaf_properties;
use super::changes::Changes;

/// [`MergeJoinExec`] in place of the engine's join.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let join = node.downcast_ref::<HashJoinExec>()?;
    let is_plain = *join.join_type() == JoinType::Left
        && join.filter().is_none()
        && !join.null_aware
        && join.null_equality() == NullEquality::NullEqualsNothing;
    let keys = keys(join).filter(|_| is_plain)?;
    let all = (0..node.schema().fields().len()).collect();
    let columns = join.projection.as_ref().map_or(all, |projection| projection.to_vec());
    let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
    Some(Arc::new(MergeJoinExec::new(left, right, keys, columns, node.schema())))
}

/// The keys' columns of both sides, in the order that both sides come in; None if they do not.
fn keys(join: &HashJoinExec) -> Option<Vec<(usize, usize)>> {
    let column = |expr: &Arc<dyn PhysicalExpr>| expr.downcast_ref::<Column>().map(Column::index);
    let pairs = join.on().iter().map(|(left, right)| Some((column(left)?, column(right)?)));
    let pairs = pairs.collect::<Option<Vec<_>>>()?;
    let order = |plan: &Arc<dyn ExecutionPlan>| -> Option<Vec<usize>> {
        let sorts = plan.output_ordering()?.iter().take(pairs.len());
        let columns: Vec<usize> =
            sorts.map(|sort| column(&sort.expr).filter(|_| sort.options == store::ORDER)).collect::<Option<_>>()?;
        (columns.len() == pairs.len()).then_some(columns)
    };
    let keys: Vec<(usize, usize)> = order(join.left())?.into_iter().zip(order(join.right())?).collect();
    keys.iter().all(|key| pairs.contains(key)).then_some(keys)
}

/// One stream; of the right side the rows of the newest keys are held.
#[derive(Debug)]
struct MergeJoinExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    keys: Vec<(usize, usize)>,
    /// The columns that go out, of those of the left and then the right side.
    columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl MergeJoinExec {
    fn new(
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        keys: Vec<(usize, usize)>,
        columns: Vec<usize>,
        schema: SchemaRef,
    ) -> MergeJoinExec {
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        let mut order = Vec::new();
        for sort in left.output_ordering().into_iter().flatten() {
            let index = sort.expr.downcast_ref::<Column>().map(Column::index);
            let Some(at) = columns.iter().position(|column| Some(*column) == index) else { break };
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(at).name(), at));
            order.push(PhysicalSortExpr::new(column, sort.options));
        }
        equivalence.add_ordering(order);
        MergeJoinExec { left, right, keys, columns, properties: leaf_properties(equivalence, 1) }
    }

    fn required(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        of: fn(&(usize, usize)) -> usize,
    ) -> Option<OrderingRequirements> {
        let schema = plan.schema();
        let sort = |index: usize| {
            PhysicalSortExpr::new(Arc::new(Column::new(schema.field(index).name(), index)) as _, store::ORDER)
        };
        Some(LexOrdering::new(self.keys.iter().map(|key| sort(of(key))))?.into())
    }
}

impl DisplayAs for MergeJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let (left, right) = (self.left.schema(), self.right.schema());
        let key = |(l, r): &(usize, usize)| format!("{} = {}", left.field(*l).name(), right.field(*r).name());
        write!(f, "MergeJoinExec: left, {}", self.keys.iter().map(key).collect::<Vec<_>>().join(" and "))
    }
}

impl ExecutionPlan for MergeJoinExec {
    fn name(&self) -> &str {
        "MergeJoinExec"
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

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.required(&self.left, |key| key.0), self.required(&self.right, |key| key.1)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([left, right]) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return internal_err!("a join has two inputs");
        };
        let (keys, columns) = (self.keys.clone(), self.columns.clone());
        Ok(Arc::new(MergeJoinExec::new(left, right, keys, columns, self.schema())))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let left = execute_stream(Arc::clone(&self.left), Arc::clone(&context))?;
        let rows = execute_stream(Arc::clone(&self.right), context)?;
        let right = Right { held: RecordBatch::new_empty(rows.schema()), rows, is_done: false, memory };
        let join = Join { keys: self.keys.clone(), columns: self.columns.clone(), schema: self.schema(), right };
        let joined = stream::try_unfold((left, join), |(mut left, mut join)| async move {
            while let Some(batch) = left.next().await.transpose()? {
                if batch.num_rows() > 0 {
                    let joined = join.join(&batch).await?;
                    return Ok(Some((joined, (left, join))));
                }
            }
            Ok(None)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), joined)))
    }
}

/// The right side as far as it is read.
struct Right {
    rows: SendableRecordBatchStream,
    /// Rows whose keys were not passed yet.
    held: RecordBatch,
    is_done: bool,
    /// Of the rows held.
    memory: MemoryReservation,
}

struct Join {
    keys: Vec<(usize, usize)>,
    columns: Vec<usize>,
    schema: SchemaRef,
    right: Right,
}

impl Join {
    async fn join(&mut self, left: &RecordBatch) -> Result<RecordBatch> {
        let last = left.num_rows() - 1;
        // All rows of the last key are needed, so one after it must be seen.
        while !self.right.is_done {
            let count = self.right.held.num_rows();
            if count > 0 && self.compare(left)?.at(last, count - 1).is_lt() {
                break;
            }
            self.right.read().await?;
        }
        let order = self.compare(left)?;
        let start = partition_point(self.right.held.num_rows(), |row| order.at(0, row).is_gt());
        let joined = match self.is_alike(left, start, &order)? {
            true => self.side_by_side(left, start)?,
            false => self.matched(left, start, &order)?,
        };
        let passed = partition_point(self.right.held.num_rows(), |row| order.at(last, row).is_gt());
        let held = &self.right.held;
        self.right.held = held.slice(passed, held.num_rows() - passed);
        Ok(joined)
    }

    fn key_columns(&self, left: &RecordBatch) -> (Vec<ArrayRef>, Vec<ArrayRef>) {
        let left = self.keys.iter().map(|key| Arc::clone(left.column(key.0)));
        (left.collect(), self.keys.iter().map(|key| Arc::clone(self.right.held.column(key.1))).collect())
    }

    fn compare(&self, left: &RecordBatch) -> Result<Order> {
        let (left, right) = self.key_columns(left);
        let keys = left.iter().zip(&right).map(|(left, right)| make_comparator(left, right, store::ORDER));
        Ok(Order(keys.collect::<Result<_, _>>()?))
    }

    /// Whether each row has one match and these stand one after the other from `start` on.
    fn is_alike(&self, left: &RecordBatch, start: usize, order: &Order) -> Result<bool> {
        let rows = left.num_rows();
        let (of_left, of_right) = self.key_columns(left);
        let is_known = of_left.iter().all(|key| key.null_count() == 0);
        let end = start + rows;
        if !is_known || self.right.held.num_rows() < end || Changes::find(&of_left, &[])?.rows().count() < rows {
            return Ok(false);
        }
        let is_last = end == self.right.held.num_rows() || order.at(rows - 1, end).is_ne();
        let alike = |(left, right): (&ArrayRef, &ArrayRef)| **left == *right.slice(start, rows);
        Ok(is_last && of_left.iter().zip(&of_right).all(alike))
    }

    fn side_by_side(&self, left: &RecordBatch, start: usize) -> Result<RecordBatch> {
        let rows = left.num_rows();
        self.output(left, rows, |column| Ok(Arc::clone(column)), |column| Ok(column.slice(start, rows)))
    }

    fn matched(&self, left: &RecordBatch, start: usize, order: &Order) -> Result<RecordBatch> {
        let (of_left, _) = self.key_columns(left);
        let count = self.right.held.num_rows();
        let (mut rows, mut matches, mut next) = (Vec::new(), Vec::new(), start);
        for row in 0..left.num_rows() {
            while next < count && order.at(row, next).is_gt() {
                next += 1;
            }
            let is_known = of_left.iter().all(|key| key.is_valid(row));
            let found = (next..count).take_while(|at| is_known && order.at(row, *at).is_eq()).map(|at| Some(at as u32));
            let before = matches.len();
            matches.extend(found);
            if matches.len() == before {
                matches.push(None);
            }
            rows.resize(matches.len(), row as u32);
        }
        let (rows, matches) = (UInt32Array::from(rows), UInt32Array::from(matches));
        let taken = |column: &ArrayRef, rows: &UInt32Array| Ok(take(column, rows, None)?);
        self.output(left, rows.len(), |column| taken(column, &rows), |column| taken(column, &matches))
    }

    fn output(
        &self,
        left: &RecordBatch,
        rows: usize,
        of_left: impl Fn(&ArrayRef) -> Result<ArrayRef>,
        of_right: impl Fn(&ArrayRef) -> Result<ArrayRef>,
    ) -> Result<RecordBatch> {
        let column = |index: &usize| match index.checked_sub(left.num_columns()) {
            None => of_left(left.column(*index)),
            Some(index) => of_right(self.right.held.column(index)),
        };
        let columns = self.columns.iter().map(column).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

impl Right {
    async fn read(&mut self) -> Result<()> {
        match self.rows.next().await.transpose()? {
            Some(batch) => self.held = concat_batches(&batch.schema(), [&self.held, &batch])?,
            None => self.is_done = true,
        }
        self.memory.try_resize(self.held.get_array_memory_size())
    }
}

/// Compares the keys of a left row with those of a right one.
struct Order(Vec<DynComparator>);

impl Order {
    fn at(&self, left: usize, right: usize) -> Ordering {
        self.0.iter().map(|compare| compare(left, right)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The first row that is not before; rows before come first.
fn partition_point(rows: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, rows);
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
