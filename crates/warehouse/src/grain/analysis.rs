//! Finds the parts of a logical plan in which rows of different customers never meet.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::logical_plan::{Aggregate, Join, Projection, TableScan as ScanNode, Union, Window};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use store::CUSTOMER_ID;

use super::planner::{Once, PerBucket};
use crate::scan::{TableScan, scanned};

/// Replaces every part of `plan` that stays within customers, and does more than read, by a [`PerBucket`] node.
pub(super) fn by_bucket(plan: LogicalPlan) -> Result<LogicalPlan> {
    visit(plan)?.finish()
}

/// How the rows of a plan's output lie.
#[derive(Debug, Clone)]
enum Grain {
    /// No row of it depends on rows of more than one bucket; the columns hold the customer that gave the bucket.
    Customer {
        buckets: u32,
        keys: BTreeSet<Column>,
    },
    Global,
}

/// A plan whose parts are replaced, except for itself.
struct Visited {
    plan: LogicalPlan,
    grain: Grain,
    /// Does it anything that gains from going bucket by bucket?
    is_work: bool,
}

impl Visited {
    fn global(plan: LogicalPlan) -> Visited {
        Visited { plan, grain: Grain::Global, is_work: false }
    }

    fn finish(self) -> Result<LogicalPlan> {
        match self.grain {
            Grain::Customer { buckets, .. } if self.is_work => Ok(PerBucket::node(self.plan, buckets)),
            _ => Ok(self.plan),
        }
    }
}

fn visit(plan: LogicalPlan) -> Result<Visited> {
    if let LogicalPlan::TableScan(scan) = &plan {
        let grain = scan_grain(scan)?;
        return Ok(Visited { plan, grain, is_work: false });
    }
    let inputs = plan.inputs().into_iter().cloned().map(visit).collect::<Result<Vec<_>>>()?;
    if asks_subqueries(&plan)? {
        return rebuilt(plan, inputs);
    }
    match &plan {
        LogicalPlan::Join(join) => visit_join(join.clone(), inputs),
        LogicalPlan::Union(union) => visit_union(union.clone(), inputs),
        _ => match (one(&plan, &inputs), <[Visited; 1]>::try_from(inputs)) {
            (Some((grain, is_work)), Ok([input])) => {
                let plan = with_inputs(plan, [input.plan])?;
                Ok(Visited { plan, grain, is_work: is_work || input.is_work })
            }
            (_, Ok([input])) => rebuilt(plan, vec![input]),
            (_, Err(inputs)) => rebuilt(plan, inputs),
        },
    }
}

/// The plan over inputs each of which is a part of its own.
fn rebuilt(plan: LogicalPlan, inputs: Vec<Visited>) -> Result<Visited> {
    if inputs.is_empty() {
        return Ok(Visited::global(plan));
    }
    let inputs = inputs.into_iter().map(Visited::finish).collect::<Result<Vec<_>>>()?;
    Ok(Visited::global(with_inputs(plan, inputs)?))
}

/// The same plan over other inputs of the same schemas.
fn with_inputs(plan: LogicalPlan, inputs: impl IntoIterator<Item = LogicalPlan>) -> Result<LogicalPlan> {
    let mut inputs = inputs.into_iter();
    plan.map_children(|old| Ok(Transformed::yes(inputs.next().unwrap_or(old)))).data()
}

fn asks_subqueries(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|expr| {
            Ok(matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn scan_grain(scan: &ScanNode) -> Result<Grain> {
    let Some(buckets) = scanned(scan, TableScan::buckets).flatten() else { return Ok(Grain::Global) };
    let keys = scan.projected_schema.columns().into_iter().filter(|column| column.name == CUSTOMER_ID).collect();
    // A limit is of the whole table.
    Ok(if scan.fetch.is_none() { Grain::Customer { buckets, keys } } else { Grain::Global })
}

/// The grain of a plan with one input; None where it is not the input's.
fn one(plan: &LogicalPlan, inputs: &[Visited]) -> Option<(Grain, bool)> {
    let [Visited { grain: Grain::Customer { buckets, keys }, .. }] = inputs else { return None };
    let is_key = |expr: &Expr| matches!(bare(expr), Expr::Column(column) if keys.contains(column));
    let columns = plan.schema().columns();
    let named = |exprs: &[Expr]| -> BTreeSet<Column> {
        exprs.iter().zip(&columns).filter(|(expr, _)| is_key(expr)).map(|(_, column)| column.clone()).collect()
    };
    let (keys, is_work) = match plan {
        LogicalPlan::Projection(Projection { expr, .. }) => (named(expr), false),
        LogicalPlan::Filter(_) => (keys.clone(), false),
        LogicalPlan::SubqueryAlias(alias) => {
            let renamed = alias.input.schema().columns().into_iter().zip(&columns);
            (renamed.filter(|(old, _)| keys.contains(old)).map(|(_, new)| new.clone()).collect(), false)
        }
        LogicalPlan::Aggregate(Aggregate { group_expr, .. })
            if group_expr.iter().any(is_key) && !group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) =>
        {
            (named(group_expr), true)
        }
        LogicalPlan::Window(Window { window_expr, .. }) => {
            let within = |expr: &Expr| match bare(expr) {
                Expr::WindowFunction(window) => window.params.partition_by.iter().any(is_key),
                _ => false,
            };
            if !window_expr.iter().all(within) {
                return None;
            }
            (keys.clone(), true)
        }
        LogicalPlan::Distinct(Distinct::All(_)) if !keys.is_empty() => (keys.clone(), true),
        _ => return None,
    };
    Some((Grain::Customer { buckets: *buckets, keys }, is_work))
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

fn visit_join(join: Join, inputs: Vec<Visited>) -> Result<Visited> {
    let plan = LogicalPlan::Join(join.clone());
    let Ok([left, right]) = <[Visited; 2]>::try_from(inputs) else { return Ok(Visited::global(plan)) };
    // NOT IN asks about NULLs of all buckets.
    let sides = if join.null_aware { None } else { match_sides(&join, &left, &right) };
    let Some((buckets, left_side, right_side)) = sides else { return rebuilt(plan, vec![left, right]) };
    let (left_keys, left) = side(left, left_side, buckets)?;
    let (right_keys, right) = side(right, right_side, buckets)?;
    let keys = match join.join_type {
        JoinType::Inner => &left_keys | &right_keys,
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left_keys,
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right_keys,
        // Either may be the NULL of a missing partner.
        JoinType::Full => BTreeSet::new(),
    };
    let plan = with_inputs(plan, [left, right])?;
    Ok(Visited { plan, grain: Grain::Customer { buckets, keys }, is_work: true })
}

/// How a side of a join comes to lie by bucket.
enum Side {
    AsItIs,
    /// Computed once, and divided by the bucket of this column.
    Divided(Column),
    /// Computed once, all of it for every bucket.
    Shared,
}

fn match_sides(join: &Join, left: &Visited, right: &Visited) -> Option<(u32, Side, Side)> {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    let pairs: Vec<(&Column, &Column)> =
        join.on.iter().filter_map(|(l, r)| Some((l.try_as_col()?, r.try_as_col()?))).collect();
    let divided = |plan: &LogicalPlan, column: &Column| {
        let (_, field) = plan.schema().qualified_field_from_column(column).ok()?;
        (*field.data_type() == DataType::Utf8).then(|| Side::Divided(column.clone()))
    };
    match (&left.grain, &right.grain) {
        (Grain::Customer { buckets, keys }, Grain::Customer { buckets: others, keys: other_keys }) => {
            let meets = pairs.iter().any(|(l, r)| keys.contains(*l) && other_keys.contains(*r));
            (meets && buckets == others).then_some((*buckets, Side::AsItIs, Side::AsItIs))
        }
        (Grain::Customer { buckets, keys }, Grain::Global) => {
            let column = pairs.iter().find(|(l, _)| keys.contains(*l)).map(|(_, r)| *r);
            let side = column.and_then(|column| divided(&right.plan, column));
            let is_optional = matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark);
            Some((*buckets, Side::AsItIs, side.or(is_optional.then_some(Side::Shared))?))
        }
        (Grain::Global, Grain::Customer { buckets, keys }) => {
            let column = pairs.iter().find(|(_, r)| keys.contains(*r)).map(|(l, _)| *l);
            let side = column.and_then(|column| divided(&left.plan, column));
            let is_optional = matches!(join.join_type, Inner | Right | RightSemi | RightAnti | RightMark);
            Some((*buckets, side.or(is_optional.then_some(Side::Shared))?, Side::AsItIs))
        }
        (Grain::Global, Grain::Global) => None,
    }
}

fn side(visited: Visited, side: Side, buckets: u32) -> Result<(BTreeSet<Column>, LogicalPlan)> {
    match (side, visited.grain.clone()) {
        (Side::Divided(column), _) => {
            let keys = BTreeSet::from([column.clone()]);
            Ok((keys, Once::node(visited.finish()?, Some((column, buckets)))?))
        }
        (Side::Shared, _) => Ok((BTreeSet::new(), Once::node(visited.finish()?, None)?)),
        (Side::AsItIs, Grain::Customer { keys, .. }) => Ok((keys, visited.plan)),
        (Side::AsItIs, Grain::Global) => Ok((BTreeSet::new(), visited.plan)),
    }
}

/// A union stays within customers if its inputs do, or can be divided by the column in which the others hold the customer.
fn visit_union(union: Union, inputs: Vec<Visited>) -> Result<Visited> {
    let plan = LogicalPlan::Union(union);
    let mut places: Option<(u32, BTreeSet<usize>)> = None;
    for input in &inputs {
        let Grain::Customer { buckets, keys } = &input.grain else { continue };
        let columns = input.plan.schema().columns();
        let here: BTreeSet<usize> = (0..columns.len()).filter(|i| keys.contains(&columns[*i])).collect();
        places = match places {
            None => Some((*buckets, here)),
            Some((others, there)) if others == *buckets => Some((others, &here & &there)),
            Some(_) => return rebuilt(plan, inputs),
        };
    }
    let Some((buckets, places)) = places else { return rebuilt(plan, inputs) };
    let is_text = |i: &usize| *plan.schema().field(*i).data_type() == DataType::Utf8;
    let Some(place) = places.iter().copied().find(is_text) else { return rebuilt(plan, inputs) };
    let mut is_work = false;
    let mut parts = Vec::with_capacity(inputs.len());
    for input in inputs {
        is_work |= input.is_work;
        parts.push(match input.grain {
            Grain::Customer { .. } => input.plan,
            Grain::Global => {
                is_work = true;
                let column = input.plan.schema().columns()[place].clone();
                Once::node(input.finish()?, Some((column, buckets)))?
            }
        });
    }
    let keys = places.iter().map(|place| plan.schema().columns()[*place].clone()).collect();
    let plan = with_inputs(plan, parts)?;
    Ok(Visited { plan, grain: Grain::Customer { buckets, keys }, is_work })
}
