//! A column that every row has need not be read to be counted: `count(order_id)` is the number of rows where the log says
//! that no file lacks an id. In rows that an outer join adds it is NULL where the join's key is, which is read anyway.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, Join, LogicalPlan, Projection, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::scan::scanned;

/// Counts something else in place of columns that are never NULL.
#[derive(Debug)]
pub(crate) struct NeverNull;

impl OptimizerRule for NeverNull {
    fn name(&self) -> &str {
        "never_null"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(Aggregate { input, .. }) = &plan else { return Ok(Transformed::no(plan)) };
        let (input, names) = (Arc::clone(input), NamePreserver::new(&plan));
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let counted = expr.transform_down(|expr| Ok(counted(expr, &input)))?;
            Ok(counted.update_data(|expr| name.restore(expr)))
        })
    }
}

/// Another argument for a count of a column of this plan, if there is one.
fn counted(expr: Expr, input: &LogicalPlan) -> Transformed<Expr> {
    let argument = match &expr {
        Expr::AggregateFunction(AggregateFunction { func, params }) if func.name() == "count" && !params.distinct => {
            match params.args.as_slice() {
                [Expr::Column(column)] => argument(column, input),
                _ => None,
            }
        }
        _ => None,
    };
    match (expr, argument) {
        (Expr::AggregateFunction(AggregateFunction { func, mut params }), Some(argument)) => {
            params.args = vec![argument];
            Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params }))
        }
        (expr, _) => Transformed::no(expr),
    }
}

fn argument(column: &Column, input: &LogicalPlan) -> Option<Expr> {
    let index = input.schema().maybe_index_of_column(column)?;
    match presence(input, index)? {
        Presence::Always => Some(lit(1_i64)),
        Presence::As(key) if key == index => None,
        Presence::As(key) => Some(Expr::Column(Column::from(input.schema().qualified_field(key)))),
    }
}

/// In which rows of a plan a column has a value.
#[derive(Clone, Copy)]
enum Presence {
    Always,
    /// Where this column has one.
    As(usize),
}

/// None if nothing is known.
fn presence(plan: &LogicalPlan, index: usize) -> Option<Presence> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let column = scan.projected_schema.field(index).name();
            scanned(scan, |table| table.is_never_null(column))?.then_some(Presence::Always)
        }
        LogicalPlan::SubqueryAlias(alias) => presence(&alias.input, index),
        LogicalPlan::Filter(filter) => presence(&filter.input, index),
        LogicalPlan::Sort(sort) => presence(&sort.input, index),
        LogicalPlan::Limit(limit) => presence(&limit.input, index),
        // Its functions come after the columns of its input.
        LogicalPlan::Window(window) if index < window.input.schema().fields().len() => presence(&window.input, index),
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            let of = |expr: &Expr| match expr {
                Expr::Alias(alias) => alias.expr.try_as_col().cloned(),
                expr => expr.try_as_col().cloned(),
            };
            let place = |expr: &Expr| input.schema().maybe_index_of_column(&of(expr)?);
            match presence(input, place(&expr[index])?)? {
                Presence::Always => Some(Presence::Always),
                Presence::As(key) => expr.iter().position(|expr| place(expr) == Some(key)).map(Presence::As),
            }
        }
        LogicalPlan::Join(join) => in_join(join, index),
        _ => None,
    }
}

fn in_join(join: &Join, index: usize) -> Option<Presence> {
    let width = join.left.schema().fields().len();
    let (side, start, at, is_optional) = match (join.join_type, index.checked_sub(width)) {
        (JoinType::Inner | JoinType::Left, None) => (&join.left, 0, index, false),
        (JoinType::LeftSemi | JoinType::LeftAnti, None) => (&join.left, 0, index, false),
        (JoinType::Inner | JoinType::Right, Some(at)) => (&join.right, width, at, false),
        (JoinType::Left, Some(at)) => (&join.right, width, at, true),
        (JoinType::Right, None) => (&join.left, 0, index, true),
        _ => return None,
    };
    match (presence(side, at)?, is_optional) {
        (Presence::Always, false) => Some(Presence::Always),
        (Presence::As(key), false) => Some(Presence::As(start + key)),
        // A row that was found has the key by which it was.
        (Presence::Always, true) if join.null_equality == NullEquality::NullEqualsNothing => {
            let keys = join.on.iter().map(|(left, right)| if start == 0 { left } else { right });
            let mut keys = keys.filter_map(|key| side.schema().maybe_index_of_column(key.try_as_col()?));
            keys.next().map(|key| Presence::As(start + key))
        }
        _ => None,
    }
}
