//! Defines [`TableScan`], one version of a table (or some of its files) for the query engine. Files that a filter rules
//! out by bucket or by their clocks are left out when planning. No partitioning is claimed: the engine takes two inputs
//! that claim to be hashed alike for co-partitioned by *its* hash, which our buckets are not, and joins lose rows.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as QueryResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableScan as ScanNode, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use store::{CUSTOMER_ID, DataFile, EVENT_TIME, KNOWN_TIME, Layout, Table, TimeRange, bucket_of};

use crate::bucket_scan::BucketScan;
use crate::grain::InBucket;

/// One clock of a file.
type RangeOf = fn(&DataFile) -> Option<TimeRange>;

/// Files of one table version.
#[derive(Debug, Clone)]
pub(crate) struct TableScan {
    pub(crate) schema: SchemaRef,
    pub(crate) layout: Layout,
    pub(crate) files: Vec<DataFile>,
    store_url: ObjectStoreUrl,
}

impl TableScan {
    /// `schema` may have columns that the files lack (they read as NULL), and leave others out.
    pub(crate) fn new(table: &Table, schema: SchemaRef, files: Vec<DataFile>, store_url: ObjectStoreUrl) -> TableScan {
        TableScan { schema, layout: table.layout.clone(), files, store_url }
    }

    /// The number of buckets, if it is clustered by customer.
    pub(crate) fn buckets(&self) -> Option<u32> {
        match self.layout {
            Layout::Clustered { buckets, .. } => Some(buckets),
            _ => None,
        }
    }

    /// Whether the column is of the key of a clustered table.
    pub(crate) fn is_key(&self, column: &str) -> bool {
        matches!(&self.layout, Layout::Clustered { key, .. } if key.iter().any(|name| name == column))
    }

    /// Whether the log says that every row has the column.
    pub(crate) fn is_never_null(&self, column: &str) -> bool {
        self.files.iter().all(|file| file.null_counts.get(column) == Some(&0))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.rows == 0)
    }

    /// The files that may hold rows for which `filters`, which together are this `predicate`, are true.
    fn files_for(&self, filters: &[Expr], predicate: Option<&Arc<dyn PhysicalExpr>>) -> QueryResult<Vec<DataFile>> {
        let mut files = self.files.clone();
        if let Some(buckets) = self.buckets()
            && let Some(wanted) = buckets_of(filters, buckets)
        {
            files.retain(|file| file.bucket.is_none_or(|bucket| wanted.contains(&bucket)));
        }
        let Some(predicate) = predicate else { return Ok(files) };
        // A predicate that says nothing about single columns prunes nothing; it is evaluated on the rows anyway.
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema));
        let Ok(predicate) = builder.try_build(Arc::clone(predicate)) else { return Ok(files) };
        let kept = predicate.prune(&Clocks(&files))?;
        let mut kept = kept.into_iter();
        files.retain(|_| kept.next().unwrap_or(true));
        Ok(files)
    }

    pub(crate) fn read(
        &self,
        source: ParquetSource,
        groups: Vec<FileGroup>,
        projection: Option<&Vec<usize>>,
    ) -> QueryResult<FileScanConfigBuilder> {
        FileScanConfigBuilder::new(self.store_url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())
    }

    pub(crate) fn statistics_of(&self, files: &[DataFile]) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(files.iter().map(|file| file.rows as usize).sum());
        let clocks: [(&str, RangeOf); 2] = [(EVENT_TIME, |file| file.event_time), (KNOWN_TIME, |file| file.known_time)];
        for (name, range) in clocks {
            let ranges: Option<Vec<TimeRange>> = files.iter().map(range).collect();
            let (Ok(index), Some(ranges)) = (self.schema.index_of(name), ranges) else { continue };
            let time = |micros: Option<i64>| match micros {
                Some(micros) => Precision::Exact(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))),
                None => Precision::Absent,
            };
            statistics.column_statistics[index] = ColumnStatistics {
                min_value: time(ranges.iter().map(|range| range.min).min()),
                max_value: time(ranges.iter().map(|range| range.max).max()),
                ..ColumnStatistics::new_unknown()
            };
        }
        statistics
    }

    /// Up to `count` groups of files read one after the other: a bucket's files stay together, others are spread by
    /// size.
    fn groups(&self, files: &[DataFile], count: usize) -> Vec<FileGroup> {
        let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); count.max(1)];
        let mut group_of_bucket: Vec<(i32, usize)> = Vec::new();
        for file in files {
            let known = file.bucket.and_then(|bucket| group_of_bucket.iter().find(|(known, _)| *known == bucket));
            let group = known.map_or_else(|| smallest(&groups), |(_, group)| *group);
            if let (Some(bucket), None) = (file.bucket, known) {
                group_of_bucket.push((bucket, group));
            }
            groups[group].0 += file.size;
            groups[group].1.push(partitioned(file));
        }
        groups.into_iter().map(|(_, files)| files).filter(|files| !files.is_empty()).map(FileGroup::new).collect()
    }
}

#[async_trait]
impl TableProvider for TableScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> QueryResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics_of(&self.files))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let predicate = conjunction(filters.iter().cloned());
        let predicate = predicate.map(|filter| state.create_physical_expr(filter, &schema)).transpose()?;
        let files = self.files_for(filters, predicate.as_ref())?;
        if self.buckets().is_some() && state.config().get_extension::<InBucket>().is_some() {
            let scan = BucketScan {
                table: TableScan { files, ..self.clone() },
                projection: projection.cloned(),
                predicate,
                options: state.default_table_options().parquet,
                objects: state.runtime_env().object_store(&self.store_url)?,
            };
            return Ok(Arc::new(Arc::new(scan).source(&[])?));
        }
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let groups = self.groups(&files, state.config().target_partitions());
        let source = ParquetSource::new(Arc::clone(&self.schema));
        let source = source.with_table_parquet_options(state.default_table_options().parquet);
        let config = self.read(source, groups, projection)?.with_statistics(self.statistics_of(&files));
        Ok(DataSourceExec::from_data_source(config.with_limit(limit).build()))
    }
}

/// What is asked of the table that a plan scans, if it is one of these.
pub(crate) fn scanned<T>(scan: &ScanNode, ask: impl FnOnce(&TableScan) -> T) -> Option<T> {
    source_as_provider(&scan.source).ok()?.downcast_ref::<TableScan>().map(ask)
}

pub(crate) fn partitioned(file: &DataFile) -> PartitionedFile {
    PartitionedFile::new(file.path.to_string(), file.size)
}

fn smallest(groups: &[(u64, Vec<PartitionedFile>)]) -> usize {
    (0..groups.len()).min_by_key(|i| groups[*i].0).unwrap_or(0)
}

/// The buckets of the customers that `filters` name, or `None` if they name none.
fn buckets_of(filters: &[Expr], buckets: u32) -> Option<BTreeSet<i32>> {
    let mut wanted: Option<BTreeSet<i32>> = None;
    for filter in filters.iter().flat_map(split_conjunction) {
        let Some(customers) = customers_in(filter) else { continue };
        let named: BTreeSet<i32> = customers.into_iter().map(|id| bucket_of(Some(id), buckets)).collect();
        wanted = Some(match wanted {
            Some(others) => &others & &named,
            None => named,
        });
    }
    wanted
}

/// The customers of `customer_id = 'x'` or `customer_id IN ('x', …)`.
fn customers_in(filter: &Expr) -> Option<Vec<&str>> {
    let is_customer = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == CUSTOMER_ID);
    match filter {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            match (is_customer(&binary.left), is_customer(&binary.right)) {
                (true, false) => Some(vec![literal(&binary.right)?]),
                (false, true) => Some(vec![literal(&binary.left)?]),
                _ => None,
            }
        }
        Expr::InList(list) if !list.negated && is_customer(&list.expr) => list.list.iter().map(literal).collect(),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// The ranges of both clocks, file by file.
struct Clocks<'a>(&'a [DataFile]);

impl Clocks<'_> {
    fn bound(&self, column: &Column, bound: fn(TimeRange) -> i64) -> Option<ArrayRef> {
        let range: RangeOf = match column.name.as_str() {
            EVENT_TIME => |file| file.event_time,
            KNOWN_TIME => |file| file.known_time,
            _ => return None,
        };
        let bounds = self.0.iter().map(|file| range(file).map(bound));
        Some(Arc::new(bounds.collect::<TimestampMicrosecondArray>().with_timezone("UTC")))
    }
}

impl PruningStatistics for Clocks<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |range| range.min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |range| range.max)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.0.iter().map(|file| file.rows))))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
