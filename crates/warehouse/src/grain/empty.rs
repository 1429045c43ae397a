//! A table without rows is the empty relation, which the engine's own rules take out of unions and joins: a shop that has
//! no campaigns pays nothing for them.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::scan::TableScan;

/// Puts the empty relation in place of tables without rows.
#[derive(Debug)]
pub(crate) struct EmptyTables;

impl OptimizerRule for EmptyTables {
    fn name(&self) -> &str {
        "empty_tables"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::TableScan(scan) = &plan else { return Ok(Transformed::no(plan)) };
        let is_empty = source_as_provider(&scan.source).is_ok_and(|provider| {
            provider.downcast_ref::<EmptyTable>().is_some()
                || provider.downcast_ref::<TableScan>().is_some_and(TableScan::is_empty)
        });
        if !is_empty {
            return Ok(Transformed::no(plan));
        }
        let schema = Arc::clone(&scan.projected_schema);
        Ok(Transformed::yes(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })))
    }
}
