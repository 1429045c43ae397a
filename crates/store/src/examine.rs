//! Defines what is examined of one Parquet file of a table: that it is what was written, and holds what the log says of
//! it, in the order that the log says, to the last page.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use xxhash_rust::xxh3::xxh3_64;

use crate::CUSTOMER_ID;
use crate::layout::{Layout, ORDER, bucket_of, column_indices};
use crate::table::{DataFile, TimeRange};
use crate::writer::{BATCH_ROWS, Nulls, Statistics, sorting_columns};

/// What is wrong with `file`, whose bytes these are, in a table of this schema and layout; nothing if all is true.
pub(crate) fn examine(file: &DataFile, bytes: Bytes, schema: &SchemaRef, layout: &Layout) -> Vec<String> {
    if bytes.len() as u64 != file.size {
        return vec![format!("it has {} bytes, and the log says {}", bytes.len(), file.size)];
    }
    if file.checksum.is_some_and(|checksum| checksum != xxh3_64(&bytes)) {
        return vec!["its bytes are not those that were written: its checksum is another".to_owned()];
    }
    match examine_rows(file, bytes, schema, layout) {
        Ok(problems) => problems,
        Err(error) => vec![format!("it cannot be read: {error}")],
    }
}

fn examine_rows(
    file: &DataFile,
    bytes: Bytes,
    schema: &SchemaRef,
    layout: &Layout,
) -> Result<Vec<String>, ParquetError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(BATCH_ROWS);
    let mut problems = Vec::new();
    for field in reader.schema().fields() {
        match schema.field_with_name(field.name()) {
            Ok(known) if known.data_type() == field.data_type() => {}
            Ok(known) => {
                let (is, was) = (field.data_type(), known.data_type());
                problems.push(format!("its column {} is {is}, the table's is {was}", field.name()));
            }
            Err(_) => problems.push(format!("its column {} is none of the table's", field.name())),
        }
    }
    if !problems.is_empty() {
        return Ok(problems);
    }
    if file.sorted {
        let sorting = sorting_columns(reader.schema(), layout)?;
        let is_recorded = |group: &parquet::file::metadata::RowGroupMetaData| group.sorting_columns() == Some(&sorting);
        if !reader.metadata().row_groups().iter().all(is_recorded) {
            problems.push("it does not record the order that the log says it has".to_owned());
        }
    }
    let mut rows = Rows::new(file, reader.schema(), layout)?;
    for batch in reader.build()? {
        rows.see(&batch?)?;
    }
    problems.extend(rows.problems());
    Ok(problems)
}

/// What the rows of a file are, against what the log says.
struct Rows<'a> {
    file: &'a DataFile,
    statistics: Statistics,
    order: Option<Order>,
    /// How many buckets there are, of a clustered table.
    buckets: Option<u32>,
    elsewhere: Option<String>,
}

/// The order of the rows so far.
struct Order {
    columns: Vec<usize>,
    converter: RowConverter,
    last: Option<OwnedRow>,
    /// The first row that comes before its predecessor.
    broken_at: Option<u64>,
}

impl<'a> Rows<'a> {
    fn new(file: &'a DataFile, schema: &SchemaRef, layout: &Layout) -> Result<Self, ParquetError> {
        let buckets = match layout {
            Layout::Clustered { buckets, .. } => Some(*buckets),
            _ => None,
        };
        let order = file.sorted.then(|| Order::new(schema, layout)).transpose()?;
        Ok(Rows { file, statistics: Statistics::of(schema, layout), order, buckets, elsewhere: None })
    }

    fn see(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let before = self.statistics.rows;
        if let Some(order) = &mut self.order {
            order.see(batch, before)?;
        }
        if let (Some(buckets), Some(customers), None) =
            (self.buckets, batch.column_by_name(CUSTOMER_ID), &self.elsewhere)
        {
            let customers = customers.as_string::<i32>();
            let bucket = |row: usize| bucket_of(customers.is_valid(row).then(|| customers.value(row)), buckets);
            let stray = (0..customers.len()).find(|row| Some(bucket(*row)) != self.file.bucket);
            self.elsewhere = stray.map(|row| {
                let (is, number) = (bucket(row), before + row as u64 + 1);
                format!("row {number} belongs in bucket {is}, not in {}", self.file.bucket.unwrap_or_default())
            });
        }
        self.statistics.see(batch);
        Ok(())
    }

    fn problems(self) -> Vec<String> {
        let Rows { file, statistics: Statistics { rows, clocks, nulls }, order, elsewhere, .. } = self;
        let mut problems: Vec<String> = elsewhere.into_iter().collect();
        if rows != file.rows {
            problems.push(format!("it has {rows} rows, and the log says {}", file.rows));
        }
        if let Some(row) = order.and_then(|order| order.broken_at) {
            problems.push(format!("row {row} comes before the row above it, and the log says that they are sorted"));
        }
        for clock in clocks {
            let (name, found) = (clock.name, clock.range);
            let logged = if name == crate::EVENT_TIME { file.event_time } else { file.known_time };
            if logged.is_some() && logged != found {
                let (is, was) = (range_text(found), range_text(logged));
                problems.push(format!("its {name} is {is}, and the log says {was}"));
            }
        }
        for Nulls { name, rows, .. } in nulls {
            if let Some(logged) = file.null_counts.get(&name).filter(|logged| **logged != rows) {
                problems.push(format!("its {name} is NULL in {rows} rows, and the log says in {logged}"));
            }
        }
        problems
    }
}

impl Order {
    fn new(schema: &SchemaRef, layout: &Layout) -> Result<Self, ParquetError> {
        let columns = column_indices(schema, &layout.sort_columns())?;
        let field = |&column: &usize| SortField::new_with_options(schema.field(column).data_type().clone(), ORDER);
        let converter = RowConverter::new(columns.iter().map(field).collect())?;
        Ok(Order { columns, converter, last: None, broken_at: None })
    }

    /// `above` rows came before these.
    fn see(&mut self, batch: &RecordBatch, above: u64) -> Result<(), ParquetError> {
        if self.broken_at.is_some() || batch.num_rows() == 0 {
            return Ok(());
        }
        let columns: Vec<_> = self.columns.iter().map(|&column| batch.column(column).clone()).collect();
        let rows = self.converter.convert_columns(&columns)?;
        let first_is_broken = self.last.as_ref().is_some_and(|last| rows.row(0) < last.row());
        let broken = (1..rows.num_rows()).find(|&row| rows.row(row) < rows.row(row - 1));
        self.broken_at = if first_is_broken { Some(0) } else { broken }.map(|row| above + row as u64 + 1);
        self.last = Some(rows.row(rows.num_rows() - 1).owned());
        Ok(())
    }
}

fn range_text(range: Option<TimeRange>) -> String {
    let time = |micros| chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%F %H:%M:%S%.f");
    range.map_or("NULL".to_owned(), |range| format!("{} to {}", time(range.min), time(range.max)))
}
