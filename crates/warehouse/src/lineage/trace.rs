//! Defines [`trace`]: of which columns of which tables each column of a query is computed, read off its plan.
//!
//! What a value is computed from counts: arguments, conditions of CASE and FILTER, partitions and order of windows. What
//! only chooses rows (WHERE, join conditions, EXISTS) does not. Plans are those of the SQL as it was written: the
//! optimiser may fold a column away.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, TableReference};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Subquery};

use crate::functions::Call;
use crate::world::DEFAULT_SCHEMA;

/// Columns as (table, column); the column [`ROWS`] where only the number of rows counts.
pub(crate) type Sources = BTreeSet<(String, String)>;

/// Stands for no column in particular: `count(*)` is computed from the rows.
pub(crate) const ROWS: &str = "*";

/// For each output column its sources, tables and views being where it ends; None where a plan holds something of
/// which this cannot be told.
pub(crate) fn trace(plan: &LogicalPlan) -> Option<Vec<Sources>> {
    Tracer::default().columns(plan)
}

/// `schema.table` as the catalogue has it; session tables have no schema.
pub(crate) fn table_name(reference: &TableReference) -> String {
    match reference.schema().filter(|schema| *schema != DEFAULT_SCHEMA) {
        Some(schema) => format!("{schema}.{}", reference.table()),
        None => reference.table().to_string(),
    }
}

/// The table or view that a plan is, where it is nothing else. A view is its plan under its name, and only a name of the
/// catalogue has a schema: aliases have none.
pub(crate) fn leaf(plan: &LogicalPlan) -> Option<&TableReference> {
    match plan {
        LogicalPlan::TableScan(scan) => Some(&scan.table_name),
        LogicalPlan::SubqueryAlias(alias) => Some(&alias.alias).filter(|alias| alias.schema().is_some()),
        _ => None,
    }
}

#[derive(Default)]
struct Tracer<'a> {
    /// Queries around the one that is traced, innermost last.
    outer: Vec<(&'a DFSchema, Vec<Sources>)>,
    /// What recursive queries have so far.
    recursive: BTreeMap<String, Vec<Sources>>,
}

impl<'a> Tracer<'a> {
    fn columns(&mut self, plan: &'a LogicalPlan) -> Option<Vec<Sources>> {
        if let Some(reference) = leaf(plan) {
            if let Some(known) = self.recursive.get(reference.table()).filter(|_| reference.schema().is_none()) {
                return Some(known.clone());
            }
            let table = table_name(reference);
            let fields = plan.schema().fields().iter();
            return Some(fields.map(|field| Sources::from([(table.clone(), field.name().clone())])).collect());
        }
        match plan {
            LogicalPlan::Projection(node) => self.expressions(&node.expr, &node.input),
            LogicalPlan::Aggregate(node) => {
                // Grouping sets are one expression that makes several columns, and one more: which of the sets.
                let keys = grouping_set_to_exprlist(&node.group_expr).ok()?;
                let mut told = self.expressions(keys, &node.input)?;
                if matches!(node.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
                    told.push(Sources::new());
                }
                told.extend(self.expressions(&node.aggr_expr, &node.input)?);
                Some(told).filter(|told| told.len() == plan.schema().fields().len())
            }
            LogicalPlan::Window(node) => {
                let mut columns = self.columns(&node.input)?;
                columns.extend(self.expressions(&node.window_expr, &node.input)?);
                Some(columns)
            }
            LogicalPlan::Join(join) => {
                let left = self.columns(&join.left)?;
                let right = self.columns(&join.right)?;
                match join.join_type {
                    JoinType::LeftSemi | JoinType::LeftAnti => Some(left),
                    JoinType::RightSemi | JoinType::RightAnti => Some(right),
                    JoinType::LeftMark | JoinType::RightMark => None,
                    _ => Some([left, right].concat()),
                }
            }
            LogicalPlan::Union(union) => {
                let inputs = union.inputs.iter().map(|input| self.columns(input)).collect::<Option<Vec<_>>>()?;
                inputs.into_iter().reduce(|a, b| a.into_iter().zip(b).map(|(a, b)| &a | &b).collect())
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.expressions(&on.select_expr, &on.input),
            LogicalPlan::Unnest(node) => {
                let input = self.columns(&node.input)?;
                node.dependency_indices.iter().map(|&index| input.get(index).cloned()).collect()
            }
            LogicalPlan::RecursiveQuery(query) => {
                self.recursion(&query.name, &query.static_term, &query.recursive_term)
            }
            LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => {
                Some(vec![Sources::new(); plan.schema().fields().len()])
            }
            LogicalPlan::Subquery(query) => self.columns(&query.subquery),
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => self.columns(plan.inputs().first()?),
            // A function may compute each column from all of its query's.
            LogicalPlan::Extension(call) if call.node.as_any().is::<Call>() => {
                let input = self.columns(plan.inputs().first()?)?;
                let all = input.into_iter().flatten().collect::<Sources>();
                Some(vec![all; plan.schema().fields().len()])
            }
            _ => None,
        }
    }

    /// Until another round tells nothing new: each can only add sources.
    fn recursion(&mut self, name: &str, first: &'a LogicalPlan, next: &'a LogicalPlan) -> Option<Vec<Sources>> {
        let mut known = self.columns(first)?;
        loop {
            let before = self.recursive.insert(name.to_string(), known.clone());
            let round = self.columns(next);
            self.recursive.remove(name);
            self.recursive.extend(before.map(|before| (name.to_string(), before)));
            let more: Vec<Sources> = known.iter().zip(round?).map(|(a, b)| a | &b).collect();
            if more == known {
                return Some(known);
            }
            known = more;
        }
    }

    fn expressions(
        &mut self,
        expressions: impl IntoIterator<Item = &'a Expr>,
        input: &'a LogicalPlan,
    ) -> Option<Vec<Sources>> {
        let columns = self.columns(input)?;
        expressions.into_iter().map(|expression| self.expression(expression, input, &columns)).collect()
    }

    fn expression(&mut self, expression: &'a Expr, input: &'a LogicalPlan, columns: &[Sources]) -> Option<Sources> {
        let (mut sources, mut is_told, mut is_of_rows) = (Sources::new(), true, false);
        let walked = expression.apply(|part| {
            let found = match part {
                Expr::Column(column) => lookup(input.schema(), columns, column),
                Expr::OuterReferenceColumn(_, column) => {
                    self.outer.iter().rev().find_map(|(schema, columns)| lookup(schema, columns, column))
                }
                Expr::ScalarSubquery(query) => self.subquery(query, input, columns),
                Expr::InSubquery(within) => self.subquery(&within.subquery, input, columns),
                Expr::SetComparison(comparison) => self.subquery(&comparison.subquery, input, columns),
                Expr::AggregateFunction(_) | Expr::WindowFunction(_) => {
                    is_of_rows = true;
                    Some(Sources::new())
                }
                _ => Some(Sources::new()),
            };
            is_told &= found.is_some();
            sources.extend(found.into_iter().flatten());
            Ok(TreeNodeRecursion::Continue)
        });
        if is_of_rows && sources.is_empty() {
            sources.extend(tables(input).into_iter().map(|table| (table, ROWS.to_string())));
        }
        Some(sources).filter(|_| is_told && walked.is_ok())
    }

    /// The sources of the one column of a subquery in an expression.
    fn subquery(&mut self, query: &'a Subquery, around: &'a LogicalPlan, columns: &[Sources]) -> Option<Sources> {
        self.outer.push((around.schema(), columns.to_vec()));
        let inner = self.columns(&query.subquery);
        self.outer.pop();
        inner?.into_iter().next()
    }
}

fn lookup(schema: &DFSchema, columns: &[Sources], column: &Column) -> Option<Sources> {
    columns.get(schema.maybe_index_of_column(column)?).cloned()
}

/// The tables and views that a plan reads, where it ends.
fn tables(plan: &LogicalPlan) -> BTreeSet<String> {
    match leaf(plan) {
        Some(reference) => BTreeSet::from([table_name(reference)]),
        None => plan.inputs().into_iter().flat_map(tables).collect(),
    }
}
