//! [`PointInTimeJoinExec`]: cut-offs joined with the facts that each of them sees, in the order of customers, cut-offs and
//! facts.
//!
//! Users write a join with `fact.event_time < cut_off.as_of` and its likes. The engine's join looks at all pairs of a
//! customer's cut-offs and facts, and puts the rows out as the facts come; here each fact's first and last cut-off are
//! looked up, and whatever reads the rows has them by customer and cut-off, so that it needs neither a table of groups
//! nor a sort. An aggregate by cut-off over it does not even make the rows: see [`super::totals`].

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, ScalarValue, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNullExpr, Literal};
use datafusion::physical_expr::{
    EquivalenceProperties, OrderingRequirements, PhysicalExpr, PhysicalSortExpr, split_conjunction,
};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::{EmbeddedProjection, ProjectionExec, try_embed_projection};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions, execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::buckets::leaf_properties;
use super::changes::runs;
use super::customers::{WholeCustomers, comes_by, index_of, must_come_by, sort_by};
use super::slots::{Ranges, Slots};
use crate::clock::MICROS_PER_DAY;

/// [`PointInTimeJoinExec`] in place of the engine's join.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let join = node.downcast_ref::<HashJoinExec>()?;
    let question = question(join)?;
    let all = (0..node.schema().fields().len()).collect();
    let projection = join.projection.as_ref().map_or(all, |projection| projection.to_vec());
    PointInTimeJoinExec::new(question, projection).ok().map(|exec| Arc::new(exec) as _)
}

/// Which facts each cut-off sees. All expressions are over the columns of the side that they name.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The sides of the join in the order of its columns; whether the spine is the left one.
    pub(super) is_spine_left: bool,
    pub(super) spine: Arc<dyn ExecutionPlan>,
    pub(super) facts: Arc<dyn ExecutionPlan>,
    /// Indices of the customer in both.
    pub(super) customer: (usize, usize),
    /// Index of the cut-off in the spine.
    pub(super) as_of: usize,
    /// From when on, and until when, a fact is seen: the latest and the earliest of these.
    pub(super) bounds: Vec<Bound>,
    /// A cut-off without facts has a row, too.
    pub(super) is_outer: bool,
}

/// One comparison of a time of the fact with the cut-off, as a first or last cut-off that sees the fact.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) time: Arc<dyn PhysicalExpr>,
    /// Whether cut-offs see the fact from the time on, or until it.
    pub(super) is_first: bool,
    /// Microseconds to add to the time.
    pub(super) shift: i64,
    /// A fact without the time is seen by every cut-off, or by none.
    pub(super) is_null_open: bool,
}

impl PartialEq for Bound {
    fn eq(&self, other: &Bound) -> bool {
        let key = |bound: &Bound| (bound.is_first, bound.shift, bound.is_null_open);
        key(self) == key(other) && *self.time == *other.time
    }
}

/// A column of a join's inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) side: JoinSide,
    pub(super) index: usize,
}

fn question(join: &HashJoinExec) -> Option<Question> {
    // The rows of the spine are those that the result keeps; of an inner join either side may be it.
    let sides: &[JoinSide] = match join.join_type() {
        JoinType::Left => &[JoinSide::Left],
        JoinType::Right => &[JoinSide::Right],
        JoinType::Inner => &[JoinSide::Left, JoinSide::Right],
        _ => &[],
    };
    sides.iter().find_map(|spine_side| question_over(join, *spine_side))
}

fn question_over(join: &HashJoinExec, spine_side: JoinSide) -> Option<Question> {
    let [(left_key, right_key)] = join.on() else { return None };
    let is_spine_left = spine_side == JoinSide::Left;
    let ((spine, spine_key), (facts, facts_key)) = match is_spine_left {
        true => ((join.left(), left_key), (join.right(), right_key)),
        false => ((join.right(), right_key), (join.left(), left_key)),
    };
    let customer = (index_of(spine_key)?, index_of(facts_key)?);
    let filter = join.filter()?;
    let places: Vec<Place> =
        filter.column_indices().iter().map(|column| Place { side: column.side, index: column.index }).collect();
    let (as_of, bounds) = bounds(filter.expression(), &places, spine_side)?;
    let is_text =
        |plan: &Arc<dyn ExecutionPlan>, index: usize| *plan.schema().field(index).data_type() == DataType::Utf8;
    let question = Question {
        is_spine_left,
        spine: Arc::clone(spine),
        facts: Arc::clone(facts),
        customer,
        as_of,
        bounds,
        is_outer: *join.join_type() != JoinType::Inner,
    };
    let is_fact_time = |bound: &Bound| question.is_time_of_facts(&bound.time);
    (*spine.schema().field(as_of).data_type() == time_type()
        && question.bounds.iter().all(is_fact_time)
        && is_text(spine, customer.0)
        && is_text(facts, customer.1)
        && comes_by(facts) == Some(customer.1))
    .then_some(question)
}

impl Question {
    pub(super) fn is_time_of_facts(&self, time: &Arc<dyn PhysicalExpr>) -> bool {
        time.data_type(&self.facts.schema()).is_ok_and(|found| found == time_type())
    }

    pub(super) fn spine_side(&self) -> JoinSide {
        if self.is_spine_left { JoinSide::Left } else { JoinSide::Right }
    }

    /// The columns of the join, without a projection.
    pub(super) fn places(&self) -> Vec<Place> {
        let (spine, facts) = (self.spine.schema().fields().len(), self.facts.schema().fields().len());
        let (left, right) = if self.is_spine_left { (spine, facts) } else { (facts, spine) };
        let side = |side, count: usize| (0..count).map(move |index| Place { side, index });
        side(JoinSide::Left, left).chain(side(JoinSide::Right, right)).collect()
    }

    /// Facts must come by customer.
    pub(super) fn required_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![None, must_come_by(&self.facts, [self.customer.1])]
    }

    /// Over other inputs of the same columns.
    pub(super) fn over(&self, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Question> {
        let Ok([spine, facts]) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return internal_err!("cut-offs and facts are two inputs");
        };
        Ok(Question { spine, facts, ..self.clone() })
    }
}

pub(super) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The index in its side of an expression that is a column of that side.
pub(super) fn place(expr: &dyn PhysicalExpr, places: &[Place], side: JoinSide) -> Option<usize> {
    let place = places.get(expr.downcast_ref::<Column>()?.index())?;
    (place.side == side).then_some(place.index)
}

/// The expression over the columns of one side; None if it asks for columns of the other.
pub(super) fn moved(expr: &Arc<dyn PhysicalExpr>, places: &[Place], side: JoinSide) -> Option<Arc<dyn PhysicalExpr>> {
    let mut is_of_side = true;
    let moved = Arc::clone(expr).transform(|node| {
        let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
        let (name, index) = (column.name().to_owned(), place(node.as_ref(), places, side));
        is_of_side &= index.is_some();
        Ok(Transformed::yes(Arc::new(Column::new(&name, index.unwrap_or_default())) as Arc<dyn PhysicalExpr>))
    });
    moved.ok().filter(|_| is_of_side).map(|moved| moved.data)
}

/// The spine's column that every part of the filter compares a time of the fact with, and what each of them says.
fn bounds(filter: &Arc<dyn PhysicalExpr>, places: &[Place], spine_side: JoinSide) -> Option<(usize, Vec<Bound>)> {
    let mut as_of = None;
    let mut bounds = Vec::new();
    for part in split_conjunction(filter) {
        let (at, bound) = bound(part, places, spine_side)?;
        if *as_of.get_or_insert(at) != at {
            return None;
        }
        bounds.push(bound);
    }
    Some((as_of?, bounds))
}

/// `time < as_of` and its likes, such as `time >= as_of - INTERVAL '30 days'`, and `time IS NULL OR time >= as_of`.
pub(super) fn bound(part: &Arc<dyn PhysicalExpr>, places: &[Place], spine_side: JoinSide) -> Option<(usize, Bound)> {
    let binary = part.downcast_ref::<BinaryExpr>()?;
    if *binary.op() == Operator::Or {
        let either = |null: &Arc<dyn PhysicalExpr>, other: &Arc<dyn PhysicalExpr>| {
            let null = null.downcast_ref::<IsNullExpr>()?;
            let (at, bound) = bound(other, places, spine_side)?;
            let time = moved(null.arg(), places, spine_side.negate())?;
            (*time == *bound.time && !bound.is_null_open).then_some((at, Bound { is_null_open: true, ..bound }))
        };
        return either(binary.left(), binary.right()).or_else(|| either(binary.right(), binary.left()));
    }
    let (time, op, (at, later)) = match cut_off(binary.right(), places, spine_side) {
        Some(at) => (binary.left(), *binary.op(), at),
        None => (binary.right(), binary.op().swap()?, cut_off(binary.left(), places, spine_side)?),
    };
    let (is_first, shift) = match op {
        Operator::Lt => (true, 1),
        Operator::LtEq => (true, 0),
        Operator::GtEq => (false, 0),
        Operator::Gt => (false, -1),
        _ => return None,
    };
    let time = moved(time, places, spine_side.negate())?;
    Some((at, Bound { time, is_first, shift: shift - later, is_null_open: false }))
}

/// The spine's column of `as_of`, `as_of - INTERVAL …` or `as_of + INTERVAL …`, and the microseconds added to it. Months
/// have no length.
fn cut_off(expr: &Arc<dyn PhysicalExpr>, places: &[Place], spine_side: JoinSide) -> Option<(usize, i64)> {
    if let Some(at) = place(expr.as_ref(), places, spine_side) {
        return Some((at, 0));
    }
    let binary = expr.downcast_ref::<BinaryExpr>()?;
    let sign = match binary.op() {
        Operator::Plus => 1,
        Operator::Minus => -1,
        _ => return None,
    };
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = binary.right().downcast_ref::<Literal>()?.value() else {
        return None;
    };
    let is_whole = interval.months == 0 && interval.nanoseconds % 1000 == 0;
    let micros = i64::from(interval.days) * MICROS_PER_DAY + interval.nanoseconds / 1000;
    Some((place(binary.left().as_ref(), places, spine_side)?, is_whole.then_some(sign * micros)?))
}

/// The rows of a join, without its projection's others.
#[derive(Debug, Clone)]
pub(super) struct PointInTimeJoinExec {
    pub(super) question: Question,
    /// The columns that go out, of those of both sides.
    pub(super) columns: Vec<Place>,
    properties: Arc<PlanProperties>,
}

impl PointInTimeJoinExec {
    fn new(question: Question, projection: Vec<usize>) -> Result<PointInTimeJoinExec> {
        let places = question.places();
        let columns = projection.iter().map(|index| places[*index]).collect();
        PointInTimeJoinExec::with_columns(question, columns)
    }

    fn with_columns(question: Question, columns: Vec<Place>) -> Result<PointInTimeJoinExec> {
        let field = |place: &Place| {
            let is_spine = place.side == question.spine_side();
            let schema = if is_spine { question.spine.schema() } else { question.facts.schema() };
            let field = schema.field(place.index).clone();
            if !is_spine && question.is_outer { field.with_nullable(true) } else { field }
        };
        let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        let at = |side, index| columns.iter().position(|place| place.side == side && place.index == index);
        let spine = question.spine_side();
        if let (Some(customer), Some(as_of)) = (at(spine, question.customer.0), at(spine, question.as_of)) {
            let mut order = vec![sort_by(&schema, customer), sort_by(&schema, as_of)];
            // Within a cut-off facts stay in their order.
            for of_facts in question.facts.output_ordering().into_iter().flatten().skip(1) {
                let Some(at) = index_of(&of_facts.expr).and_then(|index| at(spine.negate(), index)) else { break };
                order.push(PhysicalSortExpr { options: of_facts.options, ..sort_by(&schema, at) });
            }
            equivalence.add_ordering(order);
        }
        Ok(PointInTimeJoinExec { question, columns, properties: leaf_properties(equivalence, 1) })
    }
}

impl EmbeddedProjection for PointInTimeJoinExec {
    fn with_projection(&self, projection: Option<Vec<usize>>) -> Result<Self> {
        let columns = match projection {
            Some(projection) => projection.iter().map(|index| self.columns[*index]).collect(),
            None => self.columns.clone(),
        };
        PointInTimeJoinExec::with_columns(self.question.clone(), columns)
    }
}

impl DisplayAs for PointInTimeJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let Question { bounds, is_outer, .. } = &self.question;
        f.write_str(if *is_outer { "PointInTimeJoinExec: outer" } else { "PointInTimeJoinExec: inner" })?;
        for Bound { time, is_first, shift, .. } in bounds {
            write!(f, ", {} {time} + {shift} µs", if *is_first { "from" } else { "until" })?;
        }
        Ok(())
    }
}

impl ExecutionPlan for PointInTimeJoinExec {
    fn name(&self) -> &str {
        "PointInTimeJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.question.spine, &self.question.facts]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.question.required_ordering()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(PointInTimeJoinExec::with_columns(self.question.over(children)?, self.columns.clone())?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for bound in &self.question.bounds {
            if f(&bound.time)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        try_embed_projection(projection, self)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let size = context.session_config().batch_size();
        let spine = execute_stream(Arc::clone(&self.question.spine), Arc::clone(&context))?;
        let customers = WholeCustomers::by(self.question.customer.1, self.name(), &context);
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let facts = execute_stream(Arc::clone(&self.question.facts), context)?;
        let (exec, schema) = (self.clone(), self.schema());
        let start = async move {
            let slots = Slots::read(spine, &exec.question, &[], memory).await?;
            let pairs =
                Pairs { exec, slots, done: 0, slot: Vec::new(), fact: Vec::new(), size, ready: VecDeque::new() };
            let rows = Rows { facts, customers, pairs, is_done: false };
            let joined = stream::try_unfold(rows, |mut rows| async move {
                let batch = rows.next().await?;
                Ok(batch.map(|batch| (batch, rows)))
            });
            Ok::<_, DataFusionError>(joined)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(start).try_flatten())))
    }
}

/// A join under way.
struct Rows {
    facts: SendableRecordBatchStream,
    customers: WholeCustomers,
    pairs: Pairs,
    is_done: bool,
}

impl Rows {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.pairs.ready.is_empty() && !self.is_done {
            let batch = self.facts.next().await.transpose()?;
            self.is_done = batch.is_none();
            let complete = match batch {
                Some(batch) => self.customers.push(batch)?,
                None => self.customers.rest()?,
            };
            if let Some(complete) = complete {
                self.pairs.see(&complete)?;
            }
            if self.is_done {
                self.pairs.finish()?;
            }
        }
        Ok(self.pairs.ready.pop_front())
    }
}

/// Slots and the facts that they see, on their way to batches.
struct Pairs {
    exec: PointInTimeJoinExec,
    slots: Slots,
    /// Slots before this one were put out.
    done: usize,
    slot: Vec<u32>,
    /// None for a slot that sees nothing.
    fact: Vec<Option<u32>>,
    /// Rows of a batch.
    size: usize,
    ready: VecDeque<RecordBatch>,
}

impl Pairs {
    /// Takes in facts of whole customers.
    fn see(&mut self, facts: &RecordBatch) -> Result<()> {
        let ranges = Ranges::of(&self.exec.question.bounds, facts)?;
        let customers = facts.column(self.exec.question.customer.1);
        for run in runs(customers)?.windows(2) {
            if let Some(slots) = self.slots.of(customers, run[0]) {
                self.see_nothing(slots.start, facts)?;
                self.see_customer(slots, run[0]..run[1], &ranges, facts)?;
            }
        }
        self.put_out(facts)
    }

    fn see_customer(
        &mut self,
        slots: Range<usize>,
        rows: Range<usize>,
        ranges: &Ranges,
        facts: &RecordBatch,
    ) -> Result<()> {
        let mut first = slots.start;
        while first < slots.end {
            let Some(time) = self.slots.times[first] else { break };
            // The same cut-off twice has the same facts side by side, so that facts stay in their order.
            let alike = self.slots.times[first..slots.end].partition_point(|other| *other == Some(time));
            let before = self.slot.len();
            for row in rows.clone().filter(|row| ranges.from[*row] <= time && time <= ranges.until[*row]) {
                for slot in first..first + alike {
                    self.slot.push(slot as u32);
                    self.fact.push(Some(row as u32));
                }
            }
            self.done = if self.slot.len() > before { first + alike } else { first };
            first += alike;
            self.see_nothing(first, facts)?;
            if self.slot.len() >= self.size {
                self.put_out(facts)?;
            }
        }
        Ok(())
    }

    /// Slots up to `end` that are not put out yet see nothing.
    fn see_nothing(&mut self, end: usize, facts: &RecordBatch) -> Result<()> {
        if self.exec.question.is_outer {
            for slot in self.done..end {
                self.slot.push(slot as u32);
                self.fact.push(None);
                if self.slot.len() >= self.size {
                    self.put_out(facts)?;
                }
            }
        }
        self.done = self.done.max(end);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let nothing = RecordBatch::new_empty(self.exec.question.facts.schema());
        self.see_nothing(self.slots.len(), &nothing)?;
        self.put_out(&nothing)
    }

    fn put_out(&mut self, facts: &RecordBatch) -> Result<()> {
        let rows = self.slot.len();
        if rows == 0 {
            return Ok(());
        }
        let slots = UInt32Array::from(std::mem::take(&mut self.slot));
        let of_facts = std::mem::take(&mut self.fact);
        let of_facts: UInt32Array = of_facts.into();
        let column = |place: &Place| -> Result<ArrayRef> {
            if place.side == self.exec.question.spine_side() {
                return Ok(take(self.slots.spine.column(place.index), &slots, None)?);
            }
            let values = facts.column(place.index);
            Ok(match facts.num_rows() {
                0 => new_null_array(values.data_type(), rows),
                _ => take(values, &of_facts, None)?,
            })
        };
        let columns = self.exec.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        self.ready.push_back(RecordBatch::try_new_with_options(self.exec.schema(), columns, &options)?);
        Ok(())
    }
}
