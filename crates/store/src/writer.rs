//! Defines how a Parquet file is written: in memory, to be put into the object store in one piece.
//!
//! A file has at most a few hundred megabytes, so that one put makes it visible whole, its checksum is known, and no
//! half-written file is ever seen. Core files choose encodings for decode speed; published ones keep to what every
//! reader knows.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::layout::{Layout, ORDER, column_indices};
use crate::table::TimeRange;
use crate::{CUSTOMER_ID, EVENT_TIME, KNOWN_TIME};

/// A file is closed when it reaches this size.
pub(crate) const FILE_BYTES: usize = 256 << 20;
/// Rows that are encoded at a time.
pub(crate) const BATCH_ROWS: usize = 1 << 14;
const ROW_GROUP_ROWS: usize = 1 << 18;
/// The customers of a row group, whose ids are mostly of some bytes, and at most of some dozens.
const CUSTOMERS_BYTES: usize = 16 << 20;

/// A whole Parquet file and what the log says about it.
#[derive(Debug)]
pub(crate) struct EncodedFile {
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
    pub(crate) event_time: Option<TimeRange>,
    pub(crate) known_time: Option<TimeRange>,
    pub(crate) nulls: Vec<Nulls>,
}

/// A file, and its bucket if its table has buckets.
pub(crate) type FileOfBucket = (Option<i32>, EncodedFile);

/// Writes one Parquet file into memory.
pub(crate) struct FileEncoder {
    writer: ArrowWriter<Vec<u8>>,
    statistics: Statistics,
}

/// What the log says of the rows of a file.
pub(crate) struct Statistics {
    pub(crate) rows: u64,
    pub(crate) clocks: Vec<Clock>,
    pub(crate) nulls: Vec<Nulls>,
}

/// What is known of a time column.
pub(crate) struct Clock {
    pub(crate) name: &'static str,
    column: usize,
    pub(crate) range: Option<TimeRange>,
}

/// The rows of a column that have no value.
#[derive(Debug)]
pub(crate) struct Nulls {
    pub(crate) name: String,
    column: usize,
    pub(crate) rows: u64,
}

impl FileEncoder {
    /// A file of a table of the warehouse, whose rows come in the order of `layout`.
    pub(crate) fn stored(schema: SchemaRef, layout: &Layout) -> Result<Self, ParquetError> {
        let mut properties = properties();
        if let Layout::Clustered { key, .. } = layout {
            properties = properties
                // Read again and again: a third larger than with zstd, and decoded in less than half the time.
                .set_compression(Compression::LZ4_RAW)
                .set_sorting_columns(Some(sorting_columns(&schema, layout)?))
                // A customer's rows lie together: a dictionary has him once, however many customers there are.
                .set_column_dictionary_page_size_limit(CUSTOMER_ID.into(), CUSTOMERS_BYTES);
            if let [id] = key.as_slice() {
                // Most have one row: a dictionary would be filled in vain.
                properties = properties.set_column_dictionary_enabled(ColumnPath::from(id.as_str()), false);
            }
        }
        for field in schema.fields() {
            let path = ColumnPath::from(field.name().as_str());
            // Times rise within a customer: small differences, no dictionary to look up.
            if matches!(field.data_type(), DataType::Timestamp(..)) {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
        Self::new(schema, layout, properties.build(), ArrowWriterOptions::new())
    }

    /// A file for other tools: no encoding that is not in every reader, no Arrow types beside the Parquet ones.
    pub(crate) fn published(schema: SchemaRef) -> Result<Self, ParquetError> {
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        Self::new(schema, &Layout::Plain, properties().build(), options)
    }

    fn new(
        schema: SchemaRef,
        layout: &Layout,
        properties: WriterProperties,
        options: ArrowWriterOptions,
    ) -> Result<Self, ParquetError> {
        let statistics = Statistics::of(&schema, layout);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options.with_properties(properties))?;
        Ok(FileEncoder { writer, statistics })
    }

    /// Takes the encoder and gives it back, so that it can go to another thread and return.
    pub(crate) fn write(mut self, batch: &RecordBatch) -> Result<Self, ParquetError> {
        self.statistics.see(batch);
        self.writer.write(batch)?;
        Ok(self)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.statistics.rows
    }

    pub(crate) fn is_full(&self) -> bool {
        self.writer.bytes_written() + self.writer.in_progress_size() >= FILE_BYTES
    }

    pub(crate) fn finish(self) -> Result<EncodedFile, ParquetError> {
        let bytes = self.writer.into_inner()?.into();
        let Statistics { rows, clocks, nulls } = self.statistics;
        let range = |name| clocks.iter().find(|clock| clock.name == name).and_then(|clock| clock.range);
        Ok(EncodedFile { bytes, rows, event_time: range(EVENT_TIME), known_time: range(KNOWN_TIME), nulls })
    }
}

impl Statistics {
    /// Of no rows yet.
    pub(crate) fn of(schema: &Schema, layout: &Layout) -> Statistics {
        Statistics { rows: 0, clocks: clocks(schema), nulls: nulls(schema, layout) }
    }

    pub(crate) fn see(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        self.clocks.iter_mut().for_each(|clock| clock.see(batch));
        self.nulls.iter_mut().for_each(|nulls| nulls.see(batch));
    }
}

impl Clock {
    fn see(&mut self, batch: &RecordBatch) {
        let times = batch.column(self.column).as_primitive::<TimestampMicrosecondType>();
        if let (Some(min), Some(max)) = (min(times), max(times)) {
            let range = self.range.get_or_insert(TimeRange { min, max });
            *range = TimeRange { min: range.min.min(min), max: range.max.max(max) };
        }
    }
}

impl Nulls {
    fn see(&mut self, batch: &RecordBatch) {
        self.rows += batch.column(self.column).null_count() as u64;
    }
}

/// Runs work that would keep an asynchronous thread busy.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The columns whose values go into the Delta log. Only these: a log keeps what it once said, and everything else may be
/// personal data.
pub(crate) fn logged_columns(schema: &Schema) -> Vec<&'static str> {
    clocks(schema).into_iter().map(|clock| clock.name).collect()
}

/// What a file of this layout records of its order.
pub(crate) fn sorting_columns(schema: &Schema, layout: &Layout) -> Result<Vec<SortingColumn>, ParquetError> {
    let columns = column_indices(schema, &layout.sort_columns())?.into_iter();
    let sorting = columns.map(|column| SortingColumn {
        column_idx: column as i32,
        descending: ORDER.descending,
        nulls_first: ORDER.nulls_first,
    });
    Ok(sorting.collect())
}

fn clocks(schema: &Schema) -> Vec<Clock> {
    let clock = |name: &'static str| {
        let (column, field) = schema.column_with_name(name)?;
        let is_time = *field.data_type() == crate::schema::timestamp();
        is_time.then_some(Clock { name, column, range: None })
    };
    [EVENT_TIME, KNOWN_TIME].into_iter().filter_map(clock).collect()
}

/// The columns of which the log says how many rows have none: clocks, and what rows are sorted by. Of a column that every
/// row has, nothing need be read to count it.
fn nulls(schema: &Schema, layout: &Layout) -> Vec<Nulls> {
    let names: BTreeSet<&str> = logged_columns(schema).into_iter().chain(layout.sort_columns()).collect();
    let nulls = |name: &str| Some(Nulls { name: name.to_owned(), column: schema.index_of(name).ok()?, rows: 0 });
    names.into_iter().filter_map(nulls).collect()
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("perennial version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // Page statistics are the page index.
        .set_statistics_enabled(EnabledStatistics::Page)
}
