//! [`MergeJoinExec`]: a left or inner join of two sides that come in the order of its keys, as a spine and features of it do.
//!
//! The engine's join holds one side in a hash table and copies every column of both for each of many joins in a row. Here
//! rows stream, and where both sides have the same keys, row by row, nothing is copied at all.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{JoinType, NullEquality, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, execute_stream,
};
use futures::{StreamExt, stream};

use super::buckets::leaf_properties;
use super::changes::Changes;
use super::customers::{index_of, must_come_by, sort_by};
use super::order::{Order, partition_point};

/// [`MergeJoinExec`] in place of the engine's join; or, if only the left side comes in an order, the engine's with that
/// side streamed, which keeps it.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let join = node.downcast_ref::<HashJoinExec>().filter(|join| !join.null_aware)?;
    let is_plain = join.filter().is_none() && join.null_equality() == NullEquality::NullEqualsNothing;
    let keys = keys(join).filter(|_| is_plain);
    let (left, right) = (join.left(), join.right());
    let widths = (left.schema().fields().len(), right.schema().fields().len());
    let all = || (0..widths.0 + widths.1).collect();
    let columns: Vec<usize> = join.projection.as_ref().map_or_else(all, |projection| projection.to_vec());
    match (join.join_type(), keys) {
        (JoinType::Left, Some(keys)) => {
            let sides = [Arc::clone(left), Arc::clone(right)];
            Some(Arc::new(MergeJoinExec::new(sides, keys, true, columns, node.schema()).ok()?))
        }
        // As the engine does, this streams the right side and keeps its order.
        (JoinType::Inner, Some(keys)) => {
            let of_right = |index: usize| index.checked_sub(widths.0).unwrap_or(widths.1 + index);
            let sides = [Arc::clone(right), Arc::clone(left)];
            let keys = keys.into_iter().map(|(left, right)| (right, left)).collect();
            let columns = columns.into_iter().map(of_right).collect();
            Some(Arc::new(MergeJoinExec::new(sides, keys, false, columns, node.schema()).ok()?))
        }
        (JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti, None) => {
            left.output_ordering()?;
            join.swap_inputs(*join.partition_mode()).ok()
        }
        _ => None,
    }
}

/// The keys' columns of both sides, in the order that both sides come in; None if they do not.
fn keys(join: &HashJoinExec) -> Option<Vec<(usize, usize)>> {
    let pairs = join.on().iter().map(|(left, right)| Some((index_of(left)?, index_of(right)?)));
    let pairs = pairs.collect::<Option<Vec<_>>>()?;
    let order = |plan: &Arc<dyn ExecutionPlan>| -> Option<Vec<usize>> {
        let sorts = plan.output_ordering()?.iter().take(pairs.len());
        let columns: Vec<usize> =
            sorts.map(|sort| index_of(&sort.expr).filter(|_| sort.options == store::ORDER)).collect::<Option<_>>()?;
        (columns.len() == pairs.len()).then_some(columns)
    };
    let keys: Vec<(usize, usize)> = order(join.left())?.into_iter().zip(order(join.right())?).collect();
    keys.iter().all(|key| pairs.contains(key)).then_some(keys)
}

/// One stream of the left side; of the right one the rows of the newest keys are held.
#[derive(Debug)]
struct MergeJoinExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    keys: Vec<(usize, usize)>,
    /// Whether left rows without a match stay.
    is_outer: bool,
    /// The columns that go out, of those of the left and then the right side.
    columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl MergeJoinExec {
    fn new(
        [left, right]: [Arc<dyn ExecutionPlan>; 2],
        keys: Vec<(usize, usize)>,
        is_outer: bool,
        columns: Vec<usize>,
        schema: SchemaRef,
    ) -> Result<MergeJoinExec> {
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        let mut order = Vec::new();
        for sort in left.output_ordering().into_iter().flatten() {
            let index = index_of(&sort.expr);
            let Some(at) = columns.iter().position(|column| Some(*column) == index) else { break };
            order.push(PhysicalSortExpr { options: sort.options, ..sort_by(&schema, at) });
        }
        equivalence.add_ordering(order);
        // Where rows without a match stay, the right side's keys are NULL there.
        for (left_key, right_key) in keys.iter().filter(|_| !is_outer) {
            let at = |index: usize| columns.iter().position(|column| *column == index);
            if let (Some(one), Some(other)) = (at(*left_key), at(left.schema().fields().len() + right_key)) {
                equivalence.add_equal_conditions(sort_by(&schema, one).expr, sort_by(&schema, other).expr)?;
            }
        }
        Ok(MergeJoinExec { left, right, keys, is_outer, columns, properties: leaf_properties(equivalence, 1) })
    }
}

impl DisplayAs for MergeJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let (left, right) = (self.left.schema(), self.right.schema());
        let key = |(l, r): &(usize, usize)| format!("{} = {}", left.field(*l).name(), right.field(*r).name());
        let kind = if self.is_outer { "left" } else { "inner" };
        write!(f, "MergeJoinExec: {kind}, {}", self.keys.iter().map(key).collect::<Vec<_>>().join(" and "))
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
        let (left, right): (Vec<usize>, Vec<usize>) = self.keys.iter().copied().unzip();
        vec![must_come_by(&self.left, left), must_come_by(&self.right, right)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok(sides) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return internal_err!("a join has two inputs");
        };
        let (keys, columns) = (self.keys.clone(), self.columns.clone());
        Ok(Arc::new(MergeJoinExec::new(sides, keys, self.is_outer, columns, self.schema())?))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let size = context.session_config().batch_size();
        let left = execute_stream(Arc::clone(&self.left), Arc::clone(&context))?;
        let rows = execute_stream(Arc::clone(&self.right), context)?;
        let join = Join {
            keys: self.keys.clone(),
            is_outer: self.is_outer,
            columns: self.columns.clone(),
            schema: self.schema(),
            size,
            left: RecordBatch::new_empty(left.schema()),
            left_rows: left,
            right: Right { held: RecordBatch::new_empty(rows.schema()), rows, is_done: false, memory },
        };
        let joined =
            stream::try_unfold(join, |mut join| async move { Ok(join.next().await?.map(|rows| (rows, join))) });
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
    is_outer: bool,
    columns: Vec<usize>,
    schema: SchemaRef,
    /// Rows that go out at once, if no single left row has more matches.
    size: usize,
    left_rows: SendableRecordBatchStream,
    /// Rows that were read and are not joined yet.
    left: RecordBatch,
    right: Right,
}

impl Join {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.left.num_rows() == 0 {
            let Some(batch) = self.left_rows.next().await.transpose()? else { return Ok(None) };
            self.left = batch;
            if self.left.num_rows() > 0 {
                self.read_right().await?;
            }
        }
        let order = self.order(&self.right.held)?;
        let held = self.right.held.num_rows();
        let start = partition_point(0..held, |row| order.compare(0, row).is_gt());
        let (joined, rows) = match self.is_alike(start, &order)? {
            true => (self.output(&Rows::From(0), &Rows::From(start), self.left.num_rows())?, self.left.num_rows()),
            false => self.matched(start, &order)?,
        };
        let passed = partition_point(0..held, |row| order.compare(rows - 1, row).is_gt());
        self.right.held = self.right.held.slice(passed, held - passed);
        self.left = self.left.slice(rows, self.left.num_rows() - rows);
        Ok(Some(joined))
    }

    /// All rows of the last left key are needed, so one after it must be seen.
    async fn read_right(&mut self) -> Result<()> {
        let last = self.left.num_rows() - 1;
        let passed = |join: &Join, rows: &RecordBatch| {
            Ok::<_, DataFusionError>(
                rows.num_rows() > 0 && join.order(rows)?.compare(last, rows.num_rows() - 1).is_lt(),
            )
        };
        let mut read = vec![self.right.held.clone()];
        while !self.right.is_done && !passed(self, &read[read.len() - 1])? {
            match self.right.rows.next().await.transpose()? {
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => {
                    self.right.memory.try_grow(batch.get_array_memory_size())?;
                    read.push(batch);
                }
                None => self.right.is_done = true,
            }
        }
        if read.len() > 1 {
            self.right.held = concat_batches(&read[0].schema(), &read)?;
            self.right.memory.try_resize(self.right.held.get_array_memory_size())?;
        }
        Ok(())
    }

    fn left_keys(&self) -> Vec<ArrayRef> {
        self.keys.iter().map(|key| Arc::clone(self.left.column(key.0))).collect()
    }

    fn order(&self, right: &RecordBatch) -> Result<Order> {
        Order::between(&self.left, right, self.keys.iter().copied())
    }

    /// Whether each left row has one match and these stand one after the other from `start` on.
    fn is_alike(&self, start: usize, order: &Order) -> Result<bool> {
        let (keys, rows, held) = (self.left_keys(), self.left.num_rows(), &self.right.held);
        let is_known = keys.iter().all(|key| key.null_count() == 0);
        let end = start + rows;
        if !is_known || held.num_rows() < end || Changes::find(&keys, &[])?.rows().count() < rows {
            return Ok(false);
        }
        let is_last = end == held.num_rows() || order.compare(rows - 1, end).is_ne();
        let alike = |key: &(usize, usize)| **self.left.column(key.0) == *held.column(key.1).slice(start, rows);
        Ok(is_last && self.keys.iter().all(alike))
    }

    /// The matches of as many left rows as make about a batch, and how many left rows these are.
    fn matched(&self, start: usize, order: &Order) -> Result<(RecordBatch, usize)> {
        let (keys, rows, held) = (self.left_keys(), self.left.num_rows(), self.right.held.num_rows());
        let changes = Changes::find(&keys, &[])?;
        let (mut taken, mut matches, mut found, mut done) = (Vec::new(), Vec::new(), start..start, 0);
        for row in 0..rows {
            if changes.at(row) {
                let first = (found.end..held).find(|at| !order.compare(row, *at).is_gt()).unwrap_or(held);
                let is_known = keys.iter().all(|key| key.is_valid(row));
                let last = (first..held).find(|at| !(is_known && order.compare(row, *at).is_eq())).unwrap_or(held);
                found = first..last;
            }
            if matches.len() + found.len() > self.size && row > 0 {
                break;
            }
            matches.extend(found.clone().map(|at| Some(at as u32)));
            if found.is_empty() && self.is_outer {
                matches.push(None);
            }
            taken.resize(matches.len(), row as u32);
            done = row + 1;
        }
        let is_each_once = taken.len() == done && (0..).zip(&taken).all(|(row, taken)| row == *taken);
        let left = if is_each_once { Rows::From(0) } else { Rows::These(taken.into()) };
        let count = matches.len();
        Ok((self.output(&left, &Rows::These(matches.into()), count)?, done))
    }

    /// `count` rows of the columns that go out.
    fn output(&self, left: &Rows, right: &Rows, count: usize) -> Result<RecordBatch> {
        let column = |index: &usize| match index.checked_sub(self.left.num_columns()) {
            None => left.of(self.left.column(*index), count),
            Some(index) => right.of(self.right.held.column(index), count),
        };
        let columns = self.columns.iter().map(column).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// Rows of one side.
enum Rows {
    /// Those from here on.
    From(usize),
    These(UInt32Array),
}

impl Rows {
    fn of(&self, column: &ArrayRef, count: usize) -> Result<ArrayRef> {
        match self {
            Rows::From(start) => Ok(column.slice(*start, count)),
            Rows::These(rows) => Ok(take(column, rows, None)?),
        }
    }
}
