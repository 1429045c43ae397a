//! Plans queries: parts that stay within customers once for a bucket, everything else as the engine does.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Column, DFSchemaRef, plan_err};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;

use super::analysis::by_bucket;
use super::buckets::BucketsExec;
use super::once::OnceExec;
use crate::functions::Calls;

/// Plans the parts that stay within customers bucket by bucket.
#[derive(Debug, Default)]
pub(crate) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner =
            DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Nodes::default()), Arc::new(Calls)]);
        planner.create_physical_plan(&by_bucket(plan.clone())?, session).await
    }
}

/// In the configuration while a part is planned for one bucket: what lies outside of it is planned by `outside`.
#[derive(Debug)]
pub(crate) struct InBucket {
    outside: SessionConfig,
}

/// A part of a plan that is run for every bucket. Its inputs are nobody else's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PerBucket {
    plan: LogicalPlan,
    buckets: u32,
}

impl PerBucket {
    pub(super) fn node(plan: LogicalPlan, buckets: u32) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(PerBucket { plan, buckets }) })
    }
}

/// A part of a bucket's plan that is computed once for all of them, and divided by a column's bucket if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Once {
    plan: LogicalPlan,
    /// Index of the column, and the number of buckets.
    by: Option<(usize, u32)>,
}

impl Once {
    pub(super) fn node(plan: LogicalPlan, by: Option<(Column, u32)>) -> Result<LogicalPlan> {
        let by = by
            .map(|(column, buckets)| {
                Ok::<_, datafusion::error::DataFusionError>((plan.schema().index_of_column(&column)?, buckets))
            })
            .transpose()?;
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(Once { plan, by }) }))
    }
}

/// Both nodes show themselves to the engine as leaves.
macro_rules! leaf {
    ($node:ident) => {
        impl PartialOrd for $node {
            fn partial_cmp(&self, _: &Self) -> Option<Ordering> {
                None
            }
        }

        impl UserDefinedLogicalNodeCore for $node {
            fn name(&self) -> &str {
                stringify!($node)
            }

            fn inputs(&self) -> Vec<&LogicalPlan> {
                Vec::new()
            }

            fn schema(&self) -> &DFSchemaRef {
                self.plan.schema()
            }

            fn expressions(&self) -> Vec<Expr> {
                Vec::new()
            }

            fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(concat!(stringify!($node), ":"))?;
                self.plan.display_indent().to_string().lines().try_for_each(|line| write!(f, "\n    {line}"))
            }

            fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
                Ok(self.clone())
            }
        }
    };
}

leaf!(PerBucket);
leaf!(Once);

/// Plans both nodes.
#[derive(Default)]
struct Nodes {
    /// What was planned already: a view that is read in several places is computed in one.
    shared: Mutex<HashMap<Once, Arc<OnceExec>>>,
}

#[async_trait]
impl ExtensionPlanner for Nodes {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        _: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return plan_err!("customer-clustered tables need a full session");
        };
        let mut state = state.clone();
        if let Some(PerBucket { plan, buckets }) = node.as_any().downcast_ref() {
            let outside = state.config().clone();
            let streams = outside.target_partitions();
            *state.config_mut() = for_one_bucket(outside);
            let plan = planner.create_physical_plan(plan, &state).await?;
            return Ok(Some(Arc::new(BucketsExec::new(plan, *buckets, streams)?)));
        }
        if let Some(once) = node.as_any().downcast_ref::<Once>() {
            let shared = || self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = shared().get(once) {
                return Ok(Some(Arc::clone(known) as _));
            }
            if let Some(within) = state.config().get_extension::<InBucket>() {
                *state.config_mut() = within.outside.clone();
            }
            let plan = planner.create_physical_plan(&once.plan, &state).await?;
            let planned = Arc::new(OnceExec::new(plan, once.by));
            shared().insert(once.clone(), Arc::clone(&planned));
            return Ok(Some(planned));
        }
        Ok(None)
    }
}

fn for_one_bucket(outside: SessionConfig) -> SessionConfig {
    let mut config = outside.clone().with_target_partitions(1).with_extension(Arc::new(InBucket { outside }));
    let options = config.options_mut();
    // A plan is made once and run for every bucket: nothing may flow from its run back into it.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    config
}
