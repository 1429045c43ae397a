//! Defines [`Origins`]: by which expression over the columns of one raw table a staged value comes about, so that it can
//! be computed for every raw row, and which rows of two raw tables belong together.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, Operator};

use crate::lineage::{leaf, table_name};

/// Aggregates and window functions whose value is one of those they look at.
const CHOOSING: [&str; 5] = ["min", "max", "first_value", "last_value", "nth_value"];
/// The function whose value is that of an argument.
const COALESCE: &str = "coalesce";

/// A value of the rows of one raw table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    /// Which reading of the table in the query.
    pub(super) scan: usize,
    pub(super) table: String,
    /// Over the columns of the table, without a qualifier.
    pub(super) value: Expr,
}

/// Where the values of a query come from.
#[derive(Debug, Default)]
pub(super) struct Origins {
    scans: usize,
    /// Values that are equal in rows that belong together.
    pub(super) pairs: Vec<(Origin, Origin)>,
}

impl Origins {
    /// For each output column every value that it may be; none where that can't be told.
    pub(super) fn columns(&mut self, plan: &LogicalPlan) -> Vec<Vec<Origin>> {
        if let Some(reference) = leaf(plan) {
            self.scans += 1;
            let of = |name: &str| Origin {
                scan: self.scans,
                table: table_name(reference),
                value: Expr::Column(Column::new_unqualified(name)),
            };
            return plan.schema().fields().iter().map(|field| vec![of(field.name())]).collect();
        }
        match plan {
            LogicalPlan::Projection(node) => {
                let input = self.columns(&node.input);
                node.expr.iter().map(|value| origins(value, node.input.schema(), &input)).collect()
            }
            LogicalPlan::Aggregate(node) => {
                let input = self.columns(&node.input);
                let values = node.group_expr.iter().chain(&node.aggr_expr);
                let mut columns: Vec<_> = values.map(|value| origins(value, node.input.schema(), &input)).collect();
                columns.resize(plan.schema().fields().len(), Vec::new());
                columns
            }
            LogicalPlan::Window(node) => {
                let mut columns = self.columns(&node.input);
                let values = node.window_expr.iter().map(|value| origins(value, node.input.schema(), &columns));
                let values: Vec<_> = values.collect();
                columns.extend(values);
                columns
            }
            LogicalPlan::Join(join) => self.joined(join),
            LogicalPlan::Filter(node) => {
                let columns = self.columns(&node.input);
                self.pairs_of(&node.predicate, node.input.schema(), &columns);
                columns
            }
            LogicalPlan::Union(union) => {
                let inputs = union.inputs.iter().map(|input| self.columns(input)).collect::<Vec<_>>();
                let joined = |a: Vec<Vec<Origin>>, b| {
                    a.into_iter().zip::<Vec<Vec<Origin>>>(b).map(|(a, b)| [a, b].concat()).collect()
                };
                inputs.into_iter().reduce(joined).unwrap_or_default()
            }
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let input = self.columns(&on.input);
                on.select_expr.iter().map(|value| origins(value, on.input.schema(), &input)).collect()
            }
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => {
                plan.inputs().first().map_or_else(Vec::new, |input| self.columns(input))
            }
            _ => vec![Vec::new(); plan.schema().fields().len()],
        }
    }

    fn joined(&mut self, join: &Join) -> Vec<Vec<Origin>> {
        let (left, right) = (self.columns(&join.left), self.columns(&join.right));
        for (a, b) in &join.on {
            self.pair(&origins(a, join.left.schema(), &left), &origins(b, join.right.schema(), &right));
        }
        let mut both = [left.clone(), right.clone()].concat();
        if let (Some(filter), Ok(schema)) = (&join.filter, join.left.schema().join(join.right.schema())) {
            self.pairs_of(filter, &schema, &both);
        }
        match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left,
            JoinType::RightSemi | JoinType::RightAnti => right,
            _ => {
                both.resize(join.schema.fields().len(), Vec::new());
                both
            }
        }
    }

    /// The equalities of a condition between different tables.
    fn pairs_of(&mut self, condition: &Expr, schema: &DFSchema, columns: &[Vec<Origin>]) {
        for part in split_conjunction(condition) {
            if let Expr::BinaryExpr(equality) = part
                && equality.op == Operator::Eq
            {
                self.pair(&origins(&equality.left, schema, columns), &origins(&equality.right, schema, columns));
            }
        }
    }

    fn pair(&mut self, left: &[Origin], right: &[Origin]) {
        for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (a, b))).filter(|(a, b)| a.table != b.table) {
            self.pairs.push((a.clone(), b.clone()));
            self.pairs.push((b.clone(), a.clone()));
        }
    }
}

/// Every value that an expression may have, one for each reading of a table.
fn origins(value: &Expr, schema: &DFSchema, columns: &[Vec<Origin>]) -> Vec<Origin> {
    let of = |value: &Expr| origins(value, schema, columns);
    let first = |arguments: &[Expr]| arguments.first().map_or_else(Vec::new, of);
    match value {
        Expr::Alias(alias) => return of(&alias.expr),
        Expr::AggregateFunction(function) => {
            let chooses = CHOOSING.contains(&function.func.name());
            return if chooses { first(&function.params.args) } else { Vec::new() };
        }
        Expr::WindowFunction(function) => {
            let chooses = CHOOSING.contains(&function.fun.name());
            return if chooses { first(&function.params.args) } else { Vec::new() };
        }
        _ => {}
    }
    let has_query = |part: &Expr| {
        matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_))
    };
    if value.exists(|part| Ok(has_query(part))).unwrap_or(true) {
        return Vec::new();
    }
    let of_columns: Option<BTreeMap<&Column, &Vec<Origin>>> = value
        .column_refs()
        .into_iter()
        .map(|column| Some((column, columns.get(schema.maybe_index_of_column(column)?)?)))
        .collect();
    let Some(of_columns) = of_columns.filter(|columns| !columns.is_empty()) else { return Vec::new() };
    let scans: BTreeSet<usize> =
        of_columns.values().flat_map(|origins| origins.iter().map(|origin| origin.scan)).collect();
    let of_scan = |scan: usize| -> Option<Origin> {
        let found = of_columns
            .iter()
            .map(|(column, origins)| Some((*column, origins.iter().find(|origin| origin.scan == scan)?)));
        let found: BTreeMap<&Column, &Origin> = found.collect::<Option<_>>()?;
        let table = found.values().next()?.table.clone();
        let replaced = value.clone().transform(|part| match &part {
            Expr::Column(column) => match found.get(column) {
                Some(origin) => Ok(Transformed::yes(origin.value.clone())),
                None => Ok(Transformed::no(part)),
            },
            _ => Ok(Transformed::no(part)),
        });
        Some(Origin { scan, table, value: replaced.ok()?.data })
    };
    let whole: Vec<Origin> = scans.into_iter().filter_map(of_scan).collect();
    match value {
        // Of several tables: each may give the value.
        Expr::ScalarFunction(function) if whole.is_empty() && function.name() == COALESCE => {
            function.args.iter().flat_map(of).collect()
        }
        _ => whole,
    }
}
