//! Puts our own operators where the engine's do not see the order that rows come in.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

use super::{cross, lag, merge_join, neighbours, point_in_time, sorted_groups, totals, whole_partitions};

type InsteadOf = fn(&Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>>;

/// What may stand in place of an operator once it is known how its rows come, in the order in which they are tried.
const ORDER_USERS: [InsteadOf; 4] =
    [totals::instead_of, lag::instead_of, sorted_groups::instead_of, whole_partitions::instead_of];

/// What keeps an order that the operator in its place would have to be given by a sort.
const ORDER_KEEPERS: [InsteadOf; 4] =
    [cross::instead_of, neighbours::instead_of, point_in_time::instead_of, merge_join::instead_of];

/// A rule for physical plans that puts some operators.
#[derive(Debug)]
pub(crate) enum Operators {
    /// The first rule, before the engine puts sorts where its own operators need them.
    KeepOrder,
    /// The last rule.
    UseOrder,
}

impl PhysicalOptimizerRule for Operators {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let operators: &[InsteadOf] = match self {
            // They are one stream each, as the plans of buckets are.
            Operators::KeepOrder if config.execution.target_partitions > 1 => &[],
            Operators::KeepOrder => &ORDER_KEEPERS,
            Operators::UseOrder => &ORDER_USERS,
        };
        operators.iter().try_fold(plan, |plan, instead_of| {
            let replace = |node| Ok(instead_of(&node).map_or_else(|| Transformed::no(node), Transformed::yes));
            plan.transform_up(replace).data()
        })
    }

    fn name(&self) -> &str {
        match self {
            Operators::KeepOrder => "operators that keep the order",
            Operators::UseOrder => "operators that use the order",
        }
    }

    fn schema_check(&self) -> bool {
        true
    }
}
