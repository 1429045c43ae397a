//! Defines how a Parquet file is written: in memory, to be put into the object store in one piece.
//!
//! A file has at most a few hundred megabytes, so that one put makes it visible whole, its checksum is known, and no
//! half-written file is ever seen. Core files choose encodings for decode speed; published ones keep to what every
//! reader knows.

use std::collections::BTreeSet;
use std::mem::take;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max, min, partition, sort};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

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

/// Writes one Parquet file into memory, its columns at the same time.
pub(crate) struct FileEncoder {
    file: SerializedFileWriter<Vec<u8>>,
    groups: ArrowRowGroupWriterFactory,
    /// The columns of the row group that is open, if one is, and its rows.
    columns: Vec<ArrowColumnWriter>,
    group_rows: usize,
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
    /// A file of a table of the warehouse, whose rows come in the order of `layout`, and of which `first` are the first
    /// ones, if any are known yet.
    pub(crate) fn stored(
        schema: SchemaRef,
        layout: &Layout,
        first: Option<&RecordBatch>,
    ) -> Result<Self, ParquetError> {
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
        for (column, field) in schema.fields().iter().enumerate() {
            let path = ColumnPath::from(field.name().as_str());
            let is_time = matches!(field.data_type(), DataType::Timestamp(..));
            // Times rise within a customer, and in a file ids and the numbers of its rows mostly do: small differences, no
            // dictionary to look up.
            if is_time || (*layout == Layout::FileOrder && *field.data_type() == DataType::Int64) {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            } else if let Some(first) = first.filter(|_| *layout == Layout::FileOrder) {
                // A dictionary is looked up row by row, which pays where values come again, but not always the same.
                properties = match repetition(first.column(column))? {
                    Repetition::Always => properties
                        .set_column_dictionary_enabled(path.clone(), false)
                        .set_column_encoding(path, Encoding::DELTA_BYTE_ARRAY),
                    Repetition::Often => properties,
                    Repetition::Seldom => properties.set_column_dictionary_enabled(path, false),
                };
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
        let (file, groups) = writer.into_serialized_writer()?;
        Ok(FileEncoder { file, groups, columns: Vec::new(), group_rows: 0, statistics })
    }

    /// Takes the encoder and gives it back, so that it can go to another thread and return.
    pub(crate) fn write(mut self, batch: &RecordBatch) -> Result<Self, ParquetError> {
        self.statistics.see(batch);
        let mut written = 0;
        while written < batch.num_rows() {
            let rows = (batch.num_rows() - written).min(ROW_GROUP_ROWS - self.group_rows);
            self.write_to_group(&batch.slice(written, rows))?;
            written += rows;
        }
        Ok(self)
    }

    fn write_to_group(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        if self.group_rows == 0 {
            self.columns = self.groups.create_column_writers(self.file.flushed_row_groups().len())?;
        }
        let schema = batch.schema();
        let arrays = schema.fields().par_iter().zip(batch.columns());
        let leaves = arrays.map(|(field, array)| compute_leaves(field, array)).collect::<Result<Vec<_>, _>>()?;
        let leaves: Vec<_> = leaves.into_iter().flatten().collect();
        self.columns.par_iter_mut().zip(&leaves).try_for_each(|(column, leaf)| column.write(leaf))?;
        self.group_rows += batch.num_rows();
        if self.group_rows == ROW_GROUP_ROWS {
            self.close_group()?;
        }
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), ParquetError> {
        let chunks = take(&mut self.columns).into_par_iter().map(ArrowColumnWriter::close);
        let chunks: Vec<_> = chunks.collect::<Result<_, _>>()?;
        let mut group = self.file.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        self.group_rows = 0;
        group.close().map(drop)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.statistics.rows
    }

    pub(crate) fn is_full(&self) -> bool {
        let open: usize = self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
        self.file.bytes_written() + open >= FILE_BYTES
    }

    pub(crate) fn finish(mut self) -> Result<EncodedFile, ParquetError> {
        if self.group_rows > 0 {
            self.close_group()?;
        }
        let bytes = self.file.into_inner()?.into();
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

/// How often a column's values come again.
enum Repetition {
    /// All rows have one text.
    Always,
    Often,
    Seldom,
}

fn repetition(values: &ArrayRef) -> Result<Repetition, ParquetError> {
    let runs = partition(std::slice::from_ref(values))?.len();
    if runs == 1 && *values.data_type() == DataType::Utf8 {
        return Ok(Repetition::Always);
    }
    let sorted = sort(values, None)?;
    match partition(&[sorted])?.len() > values.len() / 2 {
        true => Ok(Repetition::Seldom),
        false => Ok(Repetition::Often),
    }
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("perennial version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // Page statistics are the page index.
        .set_statistics_enabled(EnabledStatistics::Page)
}
