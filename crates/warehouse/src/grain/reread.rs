//! Finds the bucket that an operator reads, to have it read again in another way.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use super::buckets::BucketSource;
use crate::dictionaries::{names_in, texts_read};

/// The same rows with dictionaries for texts of which nothing matters but whether two are the same: those that expressions
/// `told_apart` are and none that is `read` needs. None where there are no such texts.
pub(super) fn by_dictionaries<'a>(
    plan: &Arc<dyn ExecutionPlan>,
    told_apart: &'a [Arc<dyn PhysicalExpr>],
    read: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>,
) -> Option<Arc<dyn ExecutionPlan>> {
    let (columns, others): (Vec<_>, Vec<_>) = told_apart.iter().partition(|expr| expr.is::<Column>());
    let read = names_in(read.into_iter().chain(others));
    let texts = names_in(columns).into_iter().filter(|name| !read.contains(name)).collect();
    // What cannot be planned so is read as it is.
    reread(plan, texts).ok().flatten()
}

/// The same rows with dictionaries for these columns, as far as they are text of a bucket that nothing reads on the way.
fn reread(plan: &Arc<dyn ExecutionPlan>, mut texts: BTreeSet<String>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(source) = plan.downcast_ref::<BucketSource>() {
        let is_text =
            |name: &String| source.schema().field_with_name(name).is_ok_and(|f| *f.data_type() == DataType::Utf8);
        let texts: Vec<String> = texts.into_iter().filter(is_text).collect();
        return Ok(source.scan.by_dictionaries(&texts)?.map(|source| Arc::new(source) as _));
    }
    if let Some(pauses) = plan.downcast_ref::<CooperativeExec>() {
        let Some(input) = reread(pauses.input(), texts)? else { return Ok(None) };
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        return Arc::clone(plan).replace_children(vec![input], options).map(Some);
    }
    let Some(filter) = plan.downcast_ref::<FilterExec>() else { return Ok(None) };
    let read = texts_read(filter.predicate());
    texts.retain(|name| !read.contains(name));
    let Some(input) = reread(filter.input(), texts)? else { return Ok(None) };
    // Batches are handed on as they are: putting small ones together would repeat the dictionary for each.
    let filter = FilterExecBuilder::from(filter).with_input(input).with_batch_size(1).build()?;
    Ok(Some(Arc::new(filter)))
}
