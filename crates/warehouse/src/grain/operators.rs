//! Puts our own operators where the engine's do not see the order that rows come in.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

use super::{lag, point_in_time, sorted_groups};

type InsteadOf = fn(&Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>>;

/// What may stand in place of an operator, in the order in which they are tried.
const OPERATORS: [InsteadOf; 3] = [point_in_time::instead_of, lag::instead_of, sorted_groups::instead_of];

/// The last rule for physical plans.
#[derive(Debug)]
pub(crate) struct Operators;

impl PhysicalOptimizerRule for Operators {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        OPERATORS.iter().try_fold(plan, |plan, instead_of| {
            let replace = |node| Ok(instead_of(&node).map_or_else(|| Transformed::no(node), Transformed::yes));
            plan.transform_up(replace).data()
        })
    }

    fn name(&self) -> &str {
        "operators"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
