//! [`PointInTimeTotalsExec`]: aggregates over what each cut-off sees, in one pass over the facts.
//!
//! Users write an aggregate by customer and cut-off over a point-in-time join. Here each fact is looked at once: it enters
//! the first of its customer's cut-offs that sees it, and what a cut-off knows is what entered it merged with what the
//! cut-off before it knew. Only facts that are seen until some time go to each cut-off that sees them.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{OrderingRequirements, PhysicalExpr, conjunction, split_conjunction};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, aggregate_expressions};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements,
    PlanProperties, ReplaceChildrenOptions, execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::customers::sort_by;
use super::cut_offs::CutOffs;
use super::point_in_time::{Bound, Place, PointInTimeJoinExec, Question, bound, moved, place};
use super::reread::by_dictionaries;
use super::slots::Slots;
use crate::dictionaries::show_dictionaries;

/// [`PointInTimeTotalsExec`] in place of an aggregate over a point-in-time join.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let totals = node.downcast_ref::<AggregateExec>().and_then(totals)?;
    Some(Arc::new(PointInTimeTotalsExec { aggregate: Arc::clone(node), totals: Arc::new(totals) }))
}

/// What is asked of which facts. All expressions over facts are over their own columns.
#[derive(Debug, Clone)]
pub(super) struct Totals {
    pub(super) question: Question,
    /// Indices of the group's columns in the spine; customer and cut-off are among them.
    pub(super) keys: Vec<usize>,
    pub(super) measures: Vec<Measure>,
    /// The bounds of facts, and those with what single measures add.
    pub(super) bounds: Vec<Vec<Bound>>,
}

impl Totals {
    /// The group's columns beside customer and cut-off.
    fn other_keys(&self) -> Vec<usize> {
        let ours = [self.question.customer.0, self.question.as_of];
        self.keys.iter().copied().filter(|key| !ours.contains(key)).collect()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Measure {
    pub(super) function: Arc<AggregateFunctionExpr>,
    pub(super) arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
    /// Index of its bounds in [`Totals::bounds`].
    pub(super) bounds: usize,
}

fn totals(aggregate: &AggregateExec) -> Option<Totals> {
    let groups = aggregate.group_expr();
    if *aggregate.mode() != AggregateMode::Single || groups.is_empty() || !groups.is_single() {
        return None;
    }
    let (join, projections) = join_below(aggregate.input())?;
    let question = join.question.clone();
    let facts = question.spine_side().negate();
    let below = |expr: &Arc<dyn PhysicalExpr>| composed(expr, &projections);
    let key = |expr: &Arc<dyn PhysicalExpr>| place(below(expr)?.as_ref(), &join.columns, question.spine_side());
    let keys = groups.input_exprs().iter().map(key).collect::<Option<Vec<_>>>()?;
    let is_keyed = keys.contains(&question.customer.0) && keys.contains(&question.as_of);
    if !is_keyed || !comes_out_sorted(aggregate, &keys, &question) {
        return None;
    }
    let mut bounds = vec![question.bounds.clone()];
    let mut measures = Vec::new();
    let arguments = aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), keys.len()).ok()?;
    for ((function, filter), arguments) in aggregate.aggr_expr().iter().zip(aggregate.filter_expr()).zip(arguments) {
        let over_facts = |expr: &Arc<dyn PhysicalExpr>| moved(&below(expr)?, &join.columns, facts);
        let (filter, of_measure) = match filter {
            Some(filter) => parted(&below(filter)?, &join.columns, &question)?,
            None => (None, Vec::new()),
        };
        let of_measure: Vec<Bound> = question.bounds.iter().cloned().chain(of_measure).collect();
        let known = bounds.iter().position(|known| *known == of_measure);
        measures.push(Measure {
            function: mergeable(function)?,
            arguments: arguments.iter().map(over_facts).collect::<Option<_>>()?,
            filter,
            bounds: known.unwrap_or_else(|| {
                bounds.push(of_measure);
                bounds.len() - 1
            }),
        });
    }
    let facts = facts_by_dictionary(&question, &measures, &bounds).unwrap_or_else(|| Arc::clone(&question.facts));
    Some(Totals { question: Question { facts, ..question }, keys, measures, bounds })
}

/// The facts with their customers as a dictionary, if these are only told apart.
fn facts_by_dictionary(
    question: &Question,
    measures: &[Measure],
    bounds: &[Vec<Bound>],
) -> Option<Arc<dyn ExecutionPlan>> {
    let customer = sort_by(&question.facts.schema(), question.customer.1).expr;
    let arguments =
        measures.iter().flat_map(|measure| measure.arguments.iter().map(move |argument| (measure, argument)));
    let is_read = |(measure, argument): &(&Measure, &Arc<dyn PhysicalExpr>)| {
        measure.function.fun().name() != "count" || !argument.is::<Column>()
    };
    let read = arguments.filter(is_read).map(|(_, argument)| argument);
    let read = read.chain(measures.iter().flat_map(|measure| &measure.filter));
    by_dictionaries(&question.facts, &[customer], read.chain(bounds.iter().flatten().map(|bound| &bound.time)))
}

/// The join that the plan reads, and the projections over it, the outermost first.
fn join_below(plan: &Arc<dyn ExecutionPlan>) -> Option<(&PointInTimeJoinExec, Vec<&ProjectionExec>)> {
    let mut projections = Vec::new();
    let mut plan = plan;
    while let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        projections.push(projection);
        plan = projection.input();
    }
    Some((plan.downcast_ref()?, projections))
}

/// The expression over what the innermost projection reads.
fn composed(expr: &Arc<dyn PhysicalExpr>, projections: &[&ProjectionExec]) -> Option<Arc<dyn PhysicalExpr>> {
    projections.iter().try_fold(Arc::clone(expr), |expr, projection| {
        expr.transform_down(|node| {
            Ok(match node.downcast_ref::<Column>().and_then(|column| projection.expr().get(column.index())) {
                // What it stands for is over the next projection's columns already.
                Some(found) => Transformed::new(Arc::clone(&found.expr), true, TreeNodeRecursion::Jump),
                None => Transformed::no(node),
            })
        })
        .data()
        .ok()
    })
}

/// What a filter says of facts alone, and how it compares their times with the cut-off.
type Parted = (Option<Arc<dyn PhysicalExpr>>, Vec<Bound>);

fn parted(filter: &Arc<dyn PhysicalExpr>, columns: &[Place], question: &Question) -> Option<Parted> {
    let (mut of_facts, mut bounds) = (Vec::new(), Vec::new());
    for part in split_conjunction(filter) {
        match moved(part, columns, question.spine_side().negate()) {
            Some(part) => of_facts.push(part),
            None => {
                let (as_of, bound) = bound(part, columns, question.spine_side())?;
                if as_of != question.as_of || !question.is_time_of_facts(&bound.time) {
                    return None;
                }
                bounds.push(bound);
            }
        }
    }
    Some(((!of_facts.is_empty()).then(|| conjunction(of_facts)), bounds))
}

/// The function as it is over rows in any order, if what it knows of two sets of rows can be merged.
fn mergeable(function: &Arc<AggregateFunctionExpr>) -> Option<Arc<AggregateFunctionExpr>> {
    if function.is_distinct() || !function.groups_accumulator_supported() {
        return None;
    }
    if function.order_bys().is_empty() {
        return Some(Arc::clone(function));
    }
    Arc::clone(function).with_beneficial_ordering(false).ok().flatten().map(Arc::new)
}

/// Whether the order that the aggregate declares, if any, is that of customers and rising cut-offs.
fn comes_out_sorted(aggregate: &AggregateExec, keys: &[usize], question: &Question) -> bool {
    let ours = [question.customer.0, question.as_of];
    aggregate.properties().output_ordering().is_none_or(|order| {
        order.len() <= ours.len()
            && order.iter().zip(ours).all(|(sort, ours)| {
                let by = sort.expr.downcast_ref::<Column>().and_then(|column| keys.get(column.index()));
                by == Some(&ours) && sort.options == store::ORDER
            })
    })
}

/// The same result as the aggregate, which says what comes out.
#[derive(Debug)]
struct PointInTimeTotalsExec {
    aggregate: Arc<dyn ExecutionPlan>,
    totals: Arc<Totals>,
}

impl DisplayAs for PointInTimeTotalsExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("PointInTimeTotalsExec of ")?;
        self.aggregate.fmt_as(kind, f)?;
        show_dictionaries(&self.totals.question.facts.schema(), f)
    }
}

impl ExecutionPlan for PointInTimeTotalsExec {
    fn name(&self) -> &str {
        "PointInTimeTotalsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.totals.question.spine, &self.totals.question.facts]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.totals.question.required_ordering()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let totals = Totals { question: self.totals.question.over(children)?, ..(*self.totals).clone() };
        Ok(Arc::new(PointInTimeTotalsExec { aggregate: Arc::clone(&self.aggregate), totals: Arc::new(totals) }))
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
        let (totals, schema) = (Arc::clone(&self.totals), self.schema());
        let spine = execute_stream(Arc::clone(&totals.question.spine), Arc::clone(&context))?;
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let facts = execute_stream(Arc::clone(&totals.question.facts), context)?;
        let start = async move {
            let slots = Slots::read(spine, &totals.question, &totals.other_keys(), memory).await?;
            let cut_offs = CutOffs::new(slots, totals, schema)?;
            let results = stream::try_unfold(Some((facts, cut_offs)), |state| async move {
                let Some((mut facts, mut cut_offs)) = state else { return Ok(None) };
                while let Some(batch) = facts.next().await {
                    cut_offs.see(&batch?)?;
                    if let Some(result) = cut_offs.finish_complete()? {
                        return Ok(Some((result, Some((facts, cut_offs)))));
                    }
                }
                Ok::<_, DataFusionError>(cut_offs.finish_all()?.map(|result| (result, None)))
            });
            Ok::<_, DataFusionError>(results)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::once(start).try_flatten())))
    }
}
