//! Defines [`Buckets`]: the rows of a clustered append, split by bucket as they come, so that each bucket is sorted by
//! itself and becomes one file, however many rows there are. Beyond a size they wait in temporary files.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::mem::take;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use parquet::errors::ParquetError;
use rayon::prelude::*;

use crate::CUSTOMER_ID;
use crate::error::{Error, Result};
use crate::layout::{Layout, NO_CUSTOMER_BUCKET, bucket_of};
use crate::sort::sort;
use crate::writer::{BATCH_ROWS, EncodedFile, FileEncoder};

/// Rows are split in portions of this size, so that every bucket gets batches that are worth their overhead.
const SPLIT_BYTES: usize = 16 << 20;
/// How often the rows that are held unsorted fit into what is sorted at once.
const SORTED_AT_ONCE: usize = 2;

/// The rows of an append so far.
pub(crate) struct Buckets {
    table: String,
    schema: SchemaRef,
    layout: Layout,
    /// From [`NO_CUSTOMER_BUCKET`] on.
    buckets: Vec<Bucket>,
    /// Rows that are not split yet, and their size.
    arrived: Vec<RecordBatch>,
    arrived_bytes: usize,
    /// More than this is not held in memory.
    most_bytes: usize,
}

/// The rows of one bucket.
struct Bucket {
    number: i32,
    /// Those that came before the ones held.
    spilled: Option<StreamWriter<BufWriter<File>>>,
    spilled_bytes: usize,
    held: Vec<RecordBatch>,
    held_bytes: usize,
}

impl Buckets {
    /// Of a table that is clustered into `buckets`.
    pub(crate) fn new(table: &str, schema: &SchemaRef, layout: &Layout, buckets: u32, most_bytes: usize) -> Buckets {
        let bucket = |number| Bucket { number, spilled: None, spilled_bytes: 0, held: Vec::new(), held_bytes: 0 };
        Buckets {
            table: table.to_owned(),
            schema: schema.clone(),
            layout: layout.clone(),
            buckets: (NO_CUSTOMER_BUCKET..buckets as i32).map(bucket).collect(),
            arrived: Vec::new(),
            arrived_bytes: 0,
            most_bytes,
        }
    }

    /// Takes rows. True: [`Buckets::split`] is due.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> bool {
        self.arrived_bytes += memory_size(&batch);
        self.arrived.push(batch);
        self.arrived_bytes >= SPLIT_BYTES.min(self.most_bytes)
    }

    /// Divides the rows that arrived. Takes the buckets and gives them back, so that they can go to another thread.
    pub(crate) fn split(mut self) -> Result<Buckets> {
        self.divide().map_err(|e| Error::parquet(&self.table, e))?;
        if self.buckets.iter().map(|bucket| bucket.held_bytes).sum::<usize>() > self.most_bytes {
            let spilled = self.buckets.iter_mut().try_for_each(Bucket::spill);
            spilled.map_err(|e| Error::spill(&self.table, e))?;
        }
        Ok(self)
    }

    fn divide(&mut self) -> Result<(), ArrowError> {
        let arrived = take(&mut self.arrived);
        self.arrived_bytes = 0;
        let count = self.buckets.len() as u32 - 1;
        let mut rows: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.buckets.len()];
        for (number, batch) in arrived.iter().enumerate() {
            let customers = batch.column(batch.schema().index_of(CUSTOMER_ID)?).as_string::<i32>();
            for (row, customer) in customers.iter().enumerate() {
                rows[(bucket_of(customer, count) - NO_CUSTOMER_BUCKET) as usize].push((number, row));
            }
        }
        let arrived: Vec<&RecordBatch> = arrived.iter().collect();
        let buckets = self.buckets.par_iter_mut().zip(rows).filter(|(_, rows)| !rows.is_empty());
        buckets.map(|(bucket, rows)| Ok(bucket.hold(interleave_record_batch(&arrived, &rows)?))).collect()
    }

    /// Files of the next buckets, as many as are sorted at once; none if there are no more. All rows must be split.
    pub(crate) fn encode_next(mut self) -> Result<(Buckets, Vec<(i32, EncodedFile)>)> {
        let most = self.most_bytes.saturating_mul(SORTED_AT_ONCE);
        let (mut next, mut bytes) = (Vec::new(), 0);
        while let Some(bucket) = self.buckets.pop_if(|bucket| next.is_empty() || bytes + bucket.bytes() <= most) {
            bytes += bucket.bytes();
            next.push(bucket);
        }
        let files = next.into_par_iter().map(|bucket| {
            let number = bucket.number;
            Ok(bucket.encode(&self, most)?.into_iter().map(|file| (number, file)).collect::<Vec<_>>())
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        Ok((self, files.into_iter().flatten().collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl Bucket {
    fn bytes(&self) -> usize {
        self.spilled_bytes + self.held_bytes
    }

    fn hold(&mut self, rows: RecordBatch) {
        self.held_bytes += memory_size(&rows);
        self.held.push(rows);
    }

    fn spill(&mut self) -> Result<(), ArrowError> {
        let Some(first) = self.held.first() else { return Ok(()) };
        let writer = match &mut self.spilled {
            Some(writer) => writer,
            // It has no name, and is gone with the process.
            None => {
                let file = BufWriter::new(tempfile::tempfile()?);
                self.spilled.insert(StreamWriter::try_new(file, &first.schema())?)
            }
        };
        take(&mut self.held).iter().try_for_each(|batch| writer.write(batch))?;
        self.spilled_bytes += take(&mut self.held_bytes);
        Ok(())
    }

    /// Its rows as files: one, unless they are more than `most_bytes`.
    fn encode(self, of: &Buckets, most_bytes: usize) -> Result<Vec<EncodedFile>> {
        let file =
            |rows: &[RecordBatch]| encode(rows, &of.schema, &of.layout).map_err(|e| Error::parquet(&of.table, e));
        let (mut files, mut rows, mut bytes) = (Vec::new(), Vec::new(), 0);
        let spilled = self.spilled.map(read).transpose().map_err(|e| Error::spill(&of.table, e))?;
        for batch in spilled.into_iter().flatten().chain(self.held.into_iter().map(Ok)) {
            let batch = batch.map_err(|e| Error::spill(&of.table, e))?;
            bytes += memory_size(&batch);
            rows.push(batch);
            if bytes > most_bytes {
                files.push(file(&take(&mut rows))?);
                bytes = 0;
            }
        }
        if !rows.is_empty() {
            files.push(file(&rows)?);
        }
        Ok(files)
    }
}

/// What was written to a temporary file.
fn read(mut writer: StreamWriter<BufWriter<File>>) -> Result<StreamReader<BufReader<File>>, ArrowError> {
    writer.finish()?;
    let mut file = writer.into_inner()?.into_inner().map_err(|e| ArrowError::from(e.into_error()))?;
    file.rewind()?;
    StreamReader::try_new(BufReader::new(file), None)
}

/// A file of a bucket's rows, which need not be sorted.
pub(crate) fn encode(rows: &[RecordBatch], schema: &SchemaRef, layout: &Layout) -> Result<EncodedFile, ParquetError> {
    let mut encoder = FileEncoder::stored(schema.clone(), layout)?;
    for batch in sort(rows, &layout.sort_columns())?.batches(BATCH_ROWS) {
        encoder = encoder.write(&batch?)?;
    }
    encoder.finish()
}

fn memory_size(batch: &RecordBatch) -> usize {
    let size = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(column.get_array_memory_size());
    batch.columns().iter().map(size).sum()
}
