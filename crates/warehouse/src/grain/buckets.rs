//! [`BucketsExec`]: a plan made for one bucket, run for all of them.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Statistics, internal_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, displayable, execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};
use store::NO_CUSTOMER_BUCKET;

use super::once::OnceExec;
use crate::bucket_scan::BucketScan;

/// What a table reads for one bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) number: i32,
    /// Size of its files.
    pub(crate) bytes: u64,
    /// One stream.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
}

/// What the engine is told of the leaves here: no partitioning that it could use, because its hash is not ours.
pub(super) fn leaf_properties(equivalence: EquivalenceProperties, streams: usize) -> Arc<PlanProperties> {
    let partitioning = Partitioning::UnknownPartitioning(streams);
    Arc::new(PlanProperties::new(equivalence, partitioning, EmissionType::Incremental, Boundedness::Bounded))
}

/// Shows a plan that the engine does not see below the leaf that runs it.
pub(super) fn show_inside(plan: &Arc<dyn ExecutionPlan>, f: &mut fmt::Formatter) -> fmt::Result {
    displayable(plan.as_ref()).indent(false).to_string().lines().try_for_each(|line| write!(f, "\n    {line}"))
}

/// A leaf of a bucket's plan: the rows of one bucket of a table, in the order that it declares.
#[derive(Debug, Clone)]
pub(crate) struct BucketSource {
    /// Those that have rows.
    buckets: Arc<Vec<Bucket>>,
    /// The bucket that is read; none is chosen while planning.
    bucket: Option<i32>,
    /// Of the whole table: what the engine compares when it chooses the side of a join to build.
    statistics: Arc<Statistics>,
    /// What it was made from, to be made again in another way.
    pub(super) scan: Arc<BucketScan>,
    properties: Arc<PlanProperties>,
}

impl BucketSource {
    /// Each bucket's plan must have one partition, and the properties given.
    pub(crate) fn new(
        buckets: Vec<Bucket>,
        equivalence: EquivalenceProperties,
        statistics: Statistics,
        scan: Arc<BucketScan>,
    ) -> BucketSource {
        let properties = leaf_properties(equivalence, 1);
        BucketSource { buckets: Arc::new(buckets), bucket: None, statistics: Arc::new(statistics), scan, properties }
    }

    fn at(&self, bucket: i32) -> BucketSource {
        BucketSource { bucket: Some(bucket), ..self.clone() }
    }
}

impl DisplayAs for BucketSource {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "BucketSource: {} buckets", self.buckets.len())?;
        if let Some(order) = self.properties.output_ordering() {
            write!(f, ", sorted by [{order}]")?;
        }
        if let Some(Bucket { plan, .. }) = self.buckets.first() {
            write!(f, ", such as")?;
            show_inside(plan, f)?;
        }
        Ok(())
    }
}

impl ExecutionPlan for BucketSource {
    fn name(&self) -> &str {
        "BucketSource"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::clone(&self.statistics))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(wanted) = self.bucket else { return internal_err!("no bucket was chosen") };
        match self.buckets.iter().find(|bucket| bucket.number == wanted) {
            Some(bucket) => bucket.plan.execute(0, context),
            None => Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::empty()))),
        }
    }
}

/// Runs `plan` for every bucket, the buckets spread over streams by their size.
#[derive(Debug)]
pub(super) struct BucketsExec {
    plan: Arc<dyn ExecutionPlan>,
    /// The buckets of each stream.
    streams: Vec<Vec<i32>>,
    properties: Arc<PlanProperties>,
}

impl BucketsExec {
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>, buckets: u32, streams: usize) -> Result<BucketsExec> {
        let mut sizes: Vec<(u64, i32)> = (NO_CUSTOMER_BUCKET..buckets as i32).map(|bucket| (0, bucket)).collect();
        plan.apply(|node| {
            if let Some(source) = node.downcast_ref::<BucketSource>() {
                for bucket in source.buckets.iter() {
                    sizes[(bucket.number - NO_CUSTOMER_BUCKET) as usize].0 += bucket.bytes;
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        // Largest first, each to the stream that has least to do.
        sizes.sort_by(|a, b| b.cmp(a));
        let mut loads = vec![(0, Vec::new()); streams.max(1)];
        for (size, bucket) in sizes {
            if let Some((load, buckets)) = loads.iter_mut().min_by_key(|(load, buckets)| (*load, buckets.len())) {
                *load += size;
                buckets.push(bucket);
            }
        }
        let properties = leaf_properties(EquivalenceProperties::new(plan.schema()), loads.len());
        let streams = loads.into_iter().map(|(_, buckets)| buckets).collect();
        Ok(BucketsExec { plan, streams, properties })
    }
}

/// A fresh copy of the plan that reads one bucket.
fn at_bucket(plan: &Arc<dyn ExecutionPlan>, bucket: i32) -> Result<Arc<dyn ExecutionPlan>> {
    let at = |node: Arc<dyn ExecutionPlan>| -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        Ok(Transformed::yes(if let Some(source) = node.downcast_ref::<BucketSource>() {
            Arc::new(source.at(bucket))
        } else if let Some(once) = node.downcast_ref::<OnceExec>() {
            Arc::new(once.at(bucket))
        } else {
            node.reset_state()?
        }))
    };
    Arc::clone(plan).transform_up(at).data()
}

impl DisplayAs for BucketsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let buckets: usize = self.streams.iter().map(Vec::len).sum();
        write!(f, "BucketsExec: {buckets} buckets in {} streams", self.streams.len())?;
        show_inside(&self.plan, f)
    }
}

impl ExecutionPlan for BucketsExec {
    fn name(&self) -> &str {
        "BucketsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// None: the rules for whole plans must not touch the plan of a bucket.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let plan = Arc::clone(&self.plan);
        let buckets = stream::iter(self.streams[partition].clone());
        let rows = buckets.map(move |bucket| execute_stream(at_bucket(&plan, bucket)?, Arc::clone(&context)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.try_flatten())))
    }
}
