//! Defines [`BucketScan`]: the files of a clustered table, read bucket by bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::physical_plan::{FileGroup, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result as QueryResult;
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, expressions};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use store::{DataFile, NO_CUSTOMER_BUCKET};

use crate::dictionaries::{DictionaryReaders, texts_read, with_dictionaries};
use crate::grain::{Bucket, BucketSource, MergeFilesExec};
use crate::scan::{TableScan, partitioned};

/// How a query reads a clustered table.
#[derive(Debug)]
pub(crate) struct BucketScan {
    /// With the files that are read.
    pub(crate) table: TableScan,
    pub(crate) projection: Option<Vec<usize>>,
    /// What files and their parts are left out by.
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(crate) options: TableParquetOptions,
    pub(crate) objects: Arc<dyn ObjectStore>,
}

impl BucketScan {
    /// Each bucket's files as one stream, text columns of these names as dictionaries. They are merged in the order in which
    /// each is sorted, as far as the columns that give it are read.
    pub(crate) fn source(self: &Arc<Self>, texts: &[String]) -> QueryResult<BucketSource> {
        let schema = with_dictionaries(&self.table.schema, texts);
        let order = if self.table.files.iter().all(|file| file.sorted) { self.order(&schema)? } else { None };
        let parquet = self.parquet(schema, texts);
        // A stream for each file.
        let read = |files: &[&DataFile]| -> QueryResult<Arc<dyn ExecutionPlan>> {
            let groups = files.iter().map(|file| FileGroup::new(vec![partitioned(file)])).collect();
            let config = self.table.read(parquet.clone(), groups, self.projection.as_ref())?;
            let orders = order.clone().into_iter().collect();
            Ok(DataSourceExec::from_data_source(config.with_output_ordering(orders).build()))
        };
        let mut equivalence = EquivalenceProperties::new(read(&[])?.schema());
        let mut buckets = Vec::new();
        for (number, files) in self.files_by_bucket() {
            let mut plan = read(&files)?;
            let order = plan.output_ordering().cloned();
            if files.len() > 1 {
                plan = match &order {
                    Some(order) => Arc::new(MergeFilesExec::new(plan, order.clone())),
                    None => Arc::new(CoalescePartitionsExec::new(plan)),
                };
            }
            // The same for every bucket.
            if buckets.is_empty()
                && let Some(order) = order
            {
                equivalence.add_ordering(order);
            }
            buckets.push(Bucket { number, bytes: files.iter().map(|file| file.size).sum(), plan });
        }
        let statistics = self.table.statistics_of(&self.table.files).project(self.projection.as_ref());
        Ok(BucketSource::new(buckets, equivalence, statistics, Arc::clone(self)))
    }

    fn files_by_bucket(&self) -> BTreeMap<i32, Vec<&DataFile>> {
        let mut files_of: BTreeMap<i32, Vec<&DataFile>> = BTreeMap::new();
        for file in &self.table.files {
            files_of.entry(file.bucket.unwrap_or(NO_CUSTOMER_BUCKET)).or_default().push(file);
        }
        files_of
    }

    /// How the files are read.
    fn parquet(&self, schema: SchemaRef, texts: &[String]) -> ParquetSource {
        let mut source = ParquetSource::new(schema).with_table_parquet_options(self.options.clone());
        if let Some(predicate) = &self.predicate {
            source = source.with_predicate(Arc::clone(predicate));
        }
        if !texts.is_empty() {
            let readers = DictionaryReaders::new(texts, Arc::clone(&self.objects));
            source = source.with_parquet_file_reader_factory(Arc::new(readers));
        }
        source
    }

    /// The order in which sorted files lie.
    fn order(&self, schema: &Schema) -> QueryResult<Option<LexOrdering>> {
        let columns = self.table.layout.sort_columns().into_iter();
        let columns = columns.map(|name| Ok(PhysicalSortExpr::new(expressions::col(name, schema)?, store::ORDER)));
        Ok(LexOrdering::new(columns.collect::<QueryResult<Vec<_>>>()?))
    }

    /// The same rows, with the text columns of these names as dictionaries; None where that gains nothing.
    pub(crate) fn by_dictionaries(self: &Arc<Self>, texts: &[String]) -> QueryResult<Option<BucketSource>> {
        // What the reader compares must be text, and most keys differ from row to row.
        let compared = self.predicate.as_ref().map(texts_read).unwrap_or_default();
        let is_kept = |text: &String| self.table.is_key(text) || compared.contains(text);
        let texts: Vec<String> = texts.iter().filter(|text| !is_kept(text)).cloned().collect();
        // Streams that are merged must copy texts anyway.
        if texts.is_empty() || self.files_by_bucket().values().any(|files| files.len() > 1) {
            return Ok(None);
        }
        self.source(&texts).map(Some)
    }
}
