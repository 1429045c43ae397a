//! [`MergeFilesExec`]: the sorted files of a bucket as one stream, in their order.
//!
//! The engine's merge makes comparable bytes of every row and picks rows one by one. Here all rows of a file up to the next
//! one of any other are taken at once: rows of a customer lie together, and what a night brought is little beside what
//! there was.

use std::fmt;
use std::mem::take;
use std::sync::Arc;

use arrow::array::{ArrayRef, MutableArrayData, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::buckets::leaf_properties;
use super::customers::index_of;
use super::order::{Order, partition_point};

/// One stream of all partitions of its input, each of which comes in this order. Of equal rows those of the first one come
/// first.
#[derive(Debug)]
pub(crate) struct MergeFilesExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    properties: Arc<PlanProperties>,
}

impl MergeFilesExec {
    /// `order` is of columns.
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, order: LexOrdering) -> MergeFilesExec {
        let mut equivalence = EquivalenceProperties::new(input.schema());
        equivalence.add_ordering(order.clone());
        MergeFilesExec { input, order, properties: leaf_properties(equivalence, 1) }
    }
}

impl DisplayAs for MergeFilesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "MergeFilesExec: [{}]", self.order)
    }
}

impl ExecutionPlan for MergeFilesExec {
    fn name(&self) -> &str {
        "MergeFilesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = children.as_slice() else { return internal_err!("files are one input") };
        Ok(Arc::new(MergeFilesExec::new(Arc::clone(input), self.order.clone())))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.order.iter().try_fold(TreeNodeRecursion::Continue, |_, sort| f(&sort.expr))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(keys) = self.order.iter().map(|sort| index_of(&sort.expr)).collect() else {
            return internal_err!("files are sorted by columns");
        };
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let size = context.session_config().batch_size();
        let files = 0..self.input.output_partitioning().partition_count();
        let files = files.map(|file| self.input.execute(file, Arc::clone(&context)).map(File::new));
        let files = files.collect::<Result<Vec<_>>>()?;
        let mut merge = Merge {
            orders: std::iter::repeat_with(|| None).take(files.len() * files.len()).collect(),
            files,
            queue: Vec::new(),
            keys,
            size,
            taken: Vec::new(),
            taken_rows: 0,
            sources: Vec::new(),
            schema: self.schema(),
            memory,
        };
        let start = async move {
            for file in 0..merge.files.len() {
                merge.read(file).await?;
            }
            let next = |mut merge: Merge| async move { Ok(merge.next().await?.map(|rows| (rows, merge))) };
            Ok::<_, DataFusionError>(stream::try_unfold(merge, next))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::once(start).try_flatten())))
    }
}

/// A file as far as it is read.
struct File {
    stream: SendableRecordBatchStream,
    /// The newest batch; empty before the first and after the last one.
    batch: RecordBatch,
    /// Its first row that is not taken yet.
    row: usize,
    /// Where the batch is among [`Merge::sources`], if rows of it are to be put together.
    source: Option<usize>,
}

impl File {
    fn new(stream: SendableRecordBatchStream) -> File {
        let batch = RecordBatch::new_empty(stream.schema());
        File { stream, batch, row: 0, source: None }
    }
}

/// Rows of one of the sources, one after the other.
struct Run {
    source: usize,
    start: usize,
    rows: usize,
}

struct Merge {
    files: Vec<File>,
    /// The files that have rows, by the first of these.
    queue: Vec<usize>,
    /// Columns.
    keys: Vec<usize>,
    /// Rows that go out at once.
    size: usize,
    /// The next rows, to be put together.
    taken: Vec<Run>,
    taken_rows: usize,
    sources: Vec<RecordBatch>,
    /// How rows of two files compare, file by file; None after one has got another batch.
    orders: Vec<Option<Order>>,
    schema: SchemaRef,
    /// Of the newest batches.
    memory: MemoryReservation,
}

impl Merge {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.taken_rows < self.size {
            let Some((file, rows)) = self.next_run()? else { break };
            // Long runs are not copied.
            let is_long = rows > self.size / 2;
            if is_long && !self.taken.is_empty() {
                break;
            }
            let File { batch, row, source, .. } = &mut self.files[file];
            let long = is_long.then(|| batch.slice(*row, rows));
            if long.is_none() {
                let source = *source.get_or_insert_with(|| {
                    self.sources.push(batch.clone());
                    self.sources.len() - 1
                });
                self.taken.push(Run { source, start: *row, rows });
                self.taken_rows += rows;
            }
            self.pass(rows).await?;
            if long.is_some() {
                return Ok(long);
            }
        }
        self.put_together()
    }

    /// The first file in the queue, and how many rows of it come before the first one of the second.
    fn next_run(&mut self) -> Result<Option<(usize, usize)>> {
        let (Some(&first), second) = (self.queue.first(), self.queue.get(1).copied()) else { return Ok(None) };
        let (row, left) = (self.files[first].row, self.files[first].batch.num_rows() - self.files[first].row);
        let Some(second) = second else { return Ok(Some((first, left))) };
        let limit = self.files[second].row;
        let order = self.order(first, second)?;
        let is_before = |at: usize| order.compare(row + at, limit).then(first.cmp(&second)).is_lt();
        Ok(Some((first, run_length(left, is_before))))
    }

    /// Goes on behind so many rows of the first file in the queue.
    async fn pass(&mut self, rows: usize) -> Result<()> {
        let file = self.queue.remove(0);
        self.files[file].row += rows;
        if self.files[file].row < self.files[file].batch.num_rows() {
            self.enqueue(file)
        } else {
            self.read(file).await
        }
    }

    async fn read(&mut self, file: usize) -> Result<()> {
        let count = self.files.len();
        for other in 0..count {
            self.orders[file * count + other] = None;
            self.orders[other * count + file] = None;
        }
        let File { stream, batch, row, source } = &mut self.files[file];
        (*batch, *row, *source) = (RecordBatch::new_empty(Arc::clone(&self.schema)), 0, None);
        while let Some(next) = stream.next().await.transpose()? {
            if next.num_rows() > 0 {
                *batch = next;
                break;
            }
        }
        let is_empty = batch.num_rows() == 0;
        self.memory.try_resize(self.files.iter().map(|file| file.batch.get_array_memory_size()).sum())?;
        if is_empty { Ok(()) } else { self.enqueue(file) }
    }

    /// Puts a file that has rows where its first one belongs.
    fn enqueue(&mut self, file: usize) -> Result<()> {
        let mut place = 0;
        while let Some(&other) = self.queue.get(place) {
            let (one, row) = (self.files[other].row, self.files[file].row);
            if self.order(other, file)?.compare(one, row).then(other.cmp(&file)).is_gt() {
                break;
            }
            place += 1;
        }
        self.queue.insert(place, file);
        Ok(())
    }

    fn order(&mut self, one: usize, other: usize) -> Result<&Order> {
        match &mut self.orders[one * self.files.len() + other] {
            Some(order) => Ok(order),
            unknown => {
                let keys = self.keys.iter().map(|key| (*key, *key));
                Ok(unknown.insert(Order::between(&self.files[one].batch, &self.files[other].batch, keys)?))
            }
        }
    }

    /// One batch of the rows taken; None if there are none.
    fn put_together(&mut self) -> Result<Option<RecordBatch>> {
        let (taken, rows) = (take(&mut self.taken), take(&mut self.taken_rows));
        let sources = take(&mut self.sources);
        self.files.iter_mut().for_each(|file| file.source = None);
        if let [run] = taken.as_slice() {
            return Ok(Some(sources[run.source].slice(run.start, run.rows)));
        }
        if taken.is_empty() {
            return Ok(None);
        }
        let column = |index: usize| -> Result<ArrayRef> {
            let arrays: Vec<_> = sources.iter().map(|source| source.column(index).to_data()).collect();
            let mut merged = MutableArrayData::new(arrays.iter().collect(), false, rows);
            taken.iter().try_for_each(|run| merged.try_extend(run.source, run.start, run.start + run.rows))?;
            Ok(make_array(merged.freeze()))
        };
        let columns = (0..self.schema.fields().len()).map(column).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?))
    }
}

/// How many of so many rows come before, of which those that do come first. Few are looked at where few do.
fn run_length(rows: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let mut step = 1;
    while step <= rows && is_before(step - 1) {
        step *= 2;
    }
    partition_point(step / 2..(step - 1).min(rows), is_before)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::Int64Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::super::customers::sort_by;
    use super::*;

    /// A customer or none, a time, and where the row is of.
    type Row = (Option<u8>, i64, (usize, usize));

    fn batch(rows: &[Row]) -> RecordBatch {
        let ids = rows.iter().map(|row| row.0.map(|id| format!("customer number {id}")));
        let number = |of: fn(&Row) -> i64| Arc::new(rows.iter().map(of).collect::<Int64Array>()) as ArrayRef;
        RecordBatch::try_from_iter_with_nullable([
            ("customer_id", Arc::new(ids.collect::<StringArray>()) as ArrayRef, true),
            ("time", number(|row| row.1), true),
            ("file", number(|row| row.2.0 as i64), true),
            ("row", number(|row| row.2.1 as i64), true),
        ])
        .unwrap()
    }

    proptest! {
        /// As a stable sort of all files, one after the other, has them; in batches of about the size asked for.
        #[test]
        fn files_come_merged_as_if_they_were_sorted(
            mut files in prop::collection::vec(
                prop::collection::vec((prop::option::weighted(0.9, 0u8..5), 0i64..4), 0..60), 1..5),
            cut in 1usize..20,
            size in 1usize..30,
        ) {
            // NULLs last.
            let key = |row: &(Option<u8>, i64)| (row.0.is_none(), *row);
            files.iter_mut().for_each(|rows| rows.sort_by_key(key));
            let place = |(file, rows): (usize, &Vec<(Option<u8>, i64)>)| -> Vec<Row> {
                rows.iter().enumerate().map(|(at, row)| (row.0, row.1, (file, at))).collect()
            };
            let files: Vec<Vec<Row>> = files.iter().enumerate().map(place).collect();
            let partitions: Vec<Vec<RecordBatch>> =
                files.iter().map(|rows| rows.chunks(cut).map(batch).collect()).collect();
            let schema = batch(&[]).schema();
            let input = MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&schema), None).unwrap();
            let order = LexOrdering::new([sort_by(&schema, 0), sort_by(&schema, 1)]).unwrap();
            let merge = Arc::new(MergeFilesExec::new(input, order));
            let context = SessionContext::new_with_config(SessionConfig::new().with_batch_size(size)).task_ctx();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let merged = runtime.block_on(collect(merge, context)).unwrap();
            prop_assert!(merged.iter().all(|rows| rows.num_rows() > 0 && rows.num_rows() <= size + size.max(cut)));

            let mut expected: Vec<Row> = files.concat();
            expected.sort_by_key(|row| key(&(row.0, row.1)));
            let merged = concat_batches(&schema, &merged).unwrap();
            let of = |column: usize| merged.column(column).as_primitive::<Int64Type>().values().to_vec();
            let found: Vec<(i64, i64)> = of(2).into_iter().zip(of(3)).collect();
            let expected: Vec<(i64, i64)> = expected.iter().map(|row| (row.2.0 as i64, row.2.1 as i64)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
