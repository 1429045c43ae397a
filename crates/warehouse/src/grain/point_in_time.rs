//! [`PointInTimeExec`]: aggregates over what was known at each cut-off, in one pass over the facts.
//!
//! Users write a join of cut-offs and facts with `fact.event_time < cut_off.as_of` under an aggregate by customer and
//! cut-off, which makes a row for every pair. Here each fact is looked at once: it enters the first of its customer's
//! cut-offs that sees it, and what a cut-off knows is what entered it merged with what the cut-off before it knew.

use std::fmt;
use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNullExpr};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::cut_offs::CutOffs;

/// [`PointInTimeExec`] in place of the aggregate and the join.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let found = node.downcast_ref::<AggregateExec>().and_then(found)?;
    Some(Arc::new(PointInTimeExec { aggregate: Arc::clone(node), found }))
}

/// The parts of a join and an aggregate that are a point-in-time question. All expressions are over the columns of the
/// side that they name.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) spine: Arc<dyn ExecutionPlan>,
    pub(super) facts: Arc<dyn ExecutionPlan>,
    /// Indices of the customer in both.
    pub(super) customer: (usize, usize),
    /// Index of the cut-off in the spine.
    pub(super) as_of: usize,
    /// Indices of the group's columns in the spine; customer and cut-off are among them.
    pub(super) keys: Vec<usize>,
    pub(super) measures: Vec<MeasureExpr>,
    /// From when on, and until when, a fact is seen: the latest and the earliest of these.
    pub(super) bounds: Vec<Bound>,
    /// A cut-off without facts has a row, too.
    pub(super) is_outer: bool,
}

#[derive(Debug, Clone)]
pub(super) struct MeasureExpr {
    pub(super) arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
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

/// A column of a join's inputs.
#[derive(Debug, Clone, Copy)]
struct Place {
    side: JoinSide,
    index: usize,
}

fn found(aggregate: &AggregateExec) -> Option<Found> {
    let join = aggregate.input().downcast_ref::<HashJoinExec>()?;
    // The rows of the spine are those that the result keeps; of an inner join either side may be it.
    let sides = match join.join_type() {
        JoinType::Left => vec![JoinSide::Left],
        JoinType::Right => vec![JoinSide::Right],
        JoinType::Inner => vec![JoinSide::Left, JoinSide::Right],
        _ => Vec::new(),
    };
    sides.into_iter().find_map(|spine_side| found_over(aggregate, join, spine_side))
}

fn found_over(aggregate: &AggregateExec, join: &HashJoinExec, spine_side: JoinSide) -> Option<Found> {
    let functions = aggregate.aggr_expr();
    let is_mergeable = functions.iter().all(|function| {
        !function.is_distinct() && function.order_bys().is_empty() && function.groups_accumulator_supported()
    });
    let groups = aggregate.group_expr();
    if *aggregate.mode() != AggregateMode::Single || !is_mergeable || groups.is_empty() || !groups.is_single() {
        return None;
    }
    let [(left_key, right_key)] = join.on() else { return None };
    let filter = join.filter()?;
    let of_spine = |expr: &Arc<dyn PhysicalExpr>| place(expr.as_ref(), &outputs(join), spine_side);
    let keys = groups.input_exprs().iter().map(of_spine).collect::<Option<Vec<_>>>()?;
    let (spine, facts) = match spine_side {
        JoinSide::Left => (join.left(), join.right()),
        _ => (join.right(), join.left()),
    };
    let (spine_key, facts_key) = match spine_side {
        JoinSide::Left => (left_key, right_key),
        _ => (right_key, left_key),
    };
    let column = |expr: &Arc<dyn PhysicalExpr>| expr.downcast_ref::<Column>().map(Column::index);
    let customer = (column(spine_key)?, column(facts_key)?);
    let (as_of, bounds) = bounds(filter, spine_side)?;
    let is_fact_time = |bound: &Bound| bound.time.data_type(&facts.schema()).is_ok_and(|found| found == time_type());
    let is_time = *spine.schema().field(as_of).data_type() == time_type() && bounds.iter().all(is_fact_time);
    let is_text =
        |plan: &Arc<dyn ExecutionPlan>, index: usize| *plan.schema().field(index).data_type() == DataType::Utf8;
    let is_keyed = keys.contains(&customer.0) && keys.contains(&as_of);
    if !is_time
        || !is_keyed
        || !is_text(spine, customer.0)
        || !is_text(facts, customer.1)
        || !comes_by(facts, customer.1)
    {
        return None;
    }
    if !comes_out_by(aggregate, &keys, customer.0) {
        return None;
    }
    Some(Found {
        spine: Arc::clone(spine),
        facts: Arc::clone(facts),
        customer,
        as_of,
        keys,
        measures: measures(aggregate, &outputs(join), spine_side.negate())?,
        bounds,
        is_outer: *join.join_type() != JoinType::Inner,
    })
}

/// The functions over the facts; None if one of them asks for a column of the spine.
fn measures(aggregate: &AggregateExec, outputs: &[Place], facts_side: JoinSide) -> Option<Vec<MeasureExpr>> {
    let over_facts = |expr: &Arc<dyn PhysicalExpr>| moved(expr, outputs, facts_side);
    let measure = |function: &AggregateFunctionExpr, filter: &Option<Arc<dyn PhysicalExpr>>| {
        Some(MeasureExpr {
            arguments: function.expressions().iter().map(over_facts).collect::<Option<_>>()?,
            filter: match filter {
                Some(filter) => Some(over_facts(filter)?),
                None => None,
            },
        })
    };
    aggregate
        .aggr_expr()
        .iter()
        .zip(aggregate.filter_expr())
        .map(|(function, filter)| measure(function, filter))
        .collect()
}

/// Whether the order that the aggregate declares, if any, is by customer only. That is kept; one that goes further may be
/// another than by rising cut-offs.
fn comes_out_by(aggregate: &AggregateExec, keys: &[usize], customer: usize) -> bool {
    aggregate.properties().output_ordering().is_none_or(|order| {
        let first = order.first();
        let by = first.expr.downcast_ref::<Column>().and_then(|column| keys.get(column.index()));
        order.len() == 1 && by == Some(&customer) && !first.options.descending
    })
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Whether rows come sorted by the column first, from the least to the greatest.
fn comes_by(plan: &Arc<dyn ExecutionPlan>, index: usize) -> bool {
    let first = plan.output_ordering().map(|order| order.first());
    plan.output_partitioning().partition_count() == 1
        && first.is_some_and(|first| {
            !first.options.descending
                && first.expr.downcast_ref::<Column>().is_some_and(|column| column.index() == index)
        })
}

/// Where the columns of a join's output come from.
fn outputs(join: &HashJoinExec) -> Vec<Place> {
    let side =
        |side, plan: &Arc<dyn ExecutionPlan>| (0..plan.schema().fields().len()).map(move |index| Place { side, index });
    let all: Vec<Place> = side(JoinSide::Left, join.left()).chain(side(JoinSide::Right, join.right())).collect();
    match &join.projection {
        Some(projection) => projection.iter().map(|index| all[*index]).collect(),
        None => all,
    }
}

/// The index in its side of an expression that is a column of that side.
fn place(expr: &dyn PhysicalExpr, places: &[Place], side: JoinSide) -> Option<usize> {
    let place = places.get(expr.downcast_ref::<Column>()?.index())?;
    (place.side == side).then_some(place.index)
}

/// The expression over the columns of one side; None if it asks for columns of the other.
fn moved(expr: &Arc<dyn PhysicalExpr>, places: &[Place], side: JoinSide) -> Option<Arc<dyn PhysicalExpr>> {
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
fn bounds(filter: &JoinFilter, spine_side: JoinSide) -> Option<(usize, Vec<Bound>)> {
    let places = filter.column_indices().iter().map(|column| Place { side: column.side, index: column.index });
    let places: Vec<Place> = places.collect();
    let mut as_of = None;
    let mut bounds = Vec::new();
    for part in split_conjunction(filter.expression()) {
        let (at, bound) = bound(part, &places, spine_side)?;
        if *as_of.get_or_insert(at) != at {
            return None;
        }
        bounds.push(bound);
    }
    Some((as_of?, bounds))
}

/// `time < as_of` and its likes, and `time IS NULL OR time >= as_of`.
fn bound(part: &Arc<dyn PhysicalExpr>, places: &[Place], spine_side: JoinSide) -> Option<(usize, Bound)> {
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
    let (time, op, at) = match place(binary.right().as_ref(), places, spine_side) {
        Some(at) => (binary.left(), *binary.op(), at),
        None => (binary.right(), binary.op().swap()?, place(binary.left().as_ref(), places, spine_side)?),
    };
    let (is_first, shift) = match op {
        Operator::Lt => (true, 1),
        Operator::LtEq => (true, 0),
        Operator::GtEq => (false, 0),
        Operator::Gt => (false, -1),
        _ => return None,
    };
    let time = moved(time, places, spine_side.negate())?;
    Some((at, Bound { time, is_first, shift, is_null_open: false }))
}

/// The same result as the aggregate, which says what comes out.
#[derive(Debug)]
struct PointInTimeExec {
    aggregate: Arc<dyn ExecutionPlan>,
    found: Found,
}

impl DisplayAs for PointInTimeExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("PointInTimeExec of ")?;
        self.aggregate.fmt_as(kind, f)
    }
}

impl ExecutionPlan for PointInTimeExec {
    fn name(&self) -> &str {
        "PointInTimeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.found.spine, &self.found.facts]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([spine, facts]) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return internal_err!("cut-offs and facts are two inputs");
        };
        let found = Found { spine, facts, ..self.found.clone() };
        Ok(Arc::new(PointInTimeExec { aggregate: Arc::clone(&self.aggregate), found }))
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(aggregate) = self.aggregate.downcast_ref::<AggregateExec>() else {
            return internal_err!("not made from an aggregate");
        };
        let functions = aggregate.aggr_expr().to_vec();
        let (found, schema) = (self.found.clone(), self.schema());
        let spine = execute_stream(Arc::clone(&self.found.spine), Arc::clone(&context))?;
        let facts = execute_stream(Arc::clone(&self.found.facts), context)?;
        let start = async move {
            let spine = concat_batches(&spine.schema(), &spine.try_collect::<Vec<_>>().await?)?;
            Ok::<_, DataFusionError>((facts, CutOffs::new(spine, found, functions, schema)?))
        };
        let results = stream::once(start).map_ok(|(facts, cut_offs)| {
            stream::try_unfold(Some((facts, cut_offs)), |state| async move {
                let Some((mut facts, mut cut_offs)) = state else { return Ok(None) };
                loop {
                    match facts.next().await {
                        Some(batch) => cut_offs.see(&batch?)?,
                        None => return Ok(cut_offs.finish_all()?.map(|batch| (batch, None))),
                    }
                    if let Some(batch) = cut_offs.finish_complete()? {
                        return Ok(Some((batch, Some((facts, cut_offs)))));
                    }
                }
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), results.try_flatten())))
    }
}
