//! Defines [`Buckets`]: the rows of a clustered append, split by bucket as they come, so that each bucket is sorted by
//! itself and becomes one file, unless it alone is too large. Beyond a size rows wait in a temporary file.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::mem::take;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use parquet::errors::ParquetError;
use rayon::prelude::*;

use crate::CUSTOMER_ID;
use crate::error::{Error, Result};
use crate::layout::{Layout, NO_CUSTOMER_BUCKET, bucket_of};
use crate::sort::sort;
use crate::writer::{BATCH_ROWS, EncodedFile, FileEncoder, FileOfBucket};

/// Rows are split in portions of this size, so that every bucket gets batches that are worth their overhead.
const SPLIT_BYTES: usize = 16 << 20;
/// One file has at most so many times the rows that are held: a bucket is one file whenever that is possible.
const LARGEST_FILE: usize = 2;

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
    /// Once more than this is split and held, all of it goes to the temporary file.
    most_bytes: usize,
    spill: Spill,
}

/// The rows of one bucket.
struct Bucket {
    number: i32,
    /// Those that came before the ones held: places in the temporary file, and what they take in memory.
    spilled: Vec<(Range<u64>, usize)>,
    held: Vec<RecordBatch>,
    held_bytes: usize,
}

impl Buckets {
    /// Of a table that is clustered into `buckets`.
    pub(crate) fn new(table: &str, schema: &SchemaRef, layout: &Layout, buckets: u32, most_bytes: usize) -> Buckets {
        let bucket = |number| Bucket { number, spilled: Vec::new(), held: Vec::new(), held_bytes: 0 };
        Buckets {
            table: table.to_owned(),
            schema: schema.clone(),
            layout: layout.clone(),
            buckets: (NO_CUSTOMER_BUCKET..buckets as i32).map(bucket).collect(),
            arrived: Vec::new(),
            arrived_bytes: 0,
            most_bytes,
            spill: Spill::default(),
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
            self.spill().map_err(|e| Error::spill(&self.table, e))?;
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
        buckets.try_for_each(|(bucket, rows)| {
            bucket.hold(interleave_record_batch(&arrived, &rows)?);
            Ok(())
        })
    }

    fn spill(&mut self) -> Result<(), ArrowError> {
        let held = self.buckets.par_iter_mut().filter(|bucket| !bucket.held.is_empty());
        let encoded = held.map(|bucket| Ok((packed(&take(&mut bucket.held))?, bucket)));
        for (bytes, bucket) in encoded.collect::<Result<Vec<_>, ArrowError>>()? {
            let place = self.spill.write(&bytes)?;
            bucket.spilled.push((place, take(&mut bucket.held_bytes)));
        }
        Ok(())
    }

    /// Files of the next buckets, of as many rows as are held at most, or of one bucket. All rows must be split.
    pub(crate) fn encode_next(mut self) -> Result<(Buckets, Vec<FileOfBucket>)> {
        let largest = self.most_bytes.saturating_mul(LARGEST_FILE);
        let (mut next, mut bytes) = (Vec::new(), 0);
        while let Some(mut bucket) = self.buckets.pop_if(|bucket| is_next(bucket.bytes(), bytes, self.most_bytes)) {
            bytes += bucket.bytes();
            let rows = bucket.take(largest, &mut self.spill).map_err(|e| Error::spill(&self.table, e))?;
            next.push((bucket.number, rows));
            // What is too much for once is another file.
            self.buckets.extend((bucket.bytes() > 0).then_some(bucket));
        }
        let files = next.into_par_iter().filter(|(_, rows)| !rows.is_empty()).map(|(bucket, rows)| {
            let file = encode(&rows, &self.schema, &self.layout).map_err(|e| Error::parquet(&self.table, e))?;
            Ok((Some(bucket), file))
        });
        let files = files.collect::<Result<_>>()?;
        Ok((self, files))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl Bucket {
    fn bytes(&self) -> usize {
        self.spilled.iter().map(|(_, bytes)| bytes).sum::<usize>() + self.held_bytes
    }

    fn hold(&mut self, rows: RecordBatch) {
        self.held_bytes += memory_size(&rows);
        self.held.push(rows);
    }

    /// Its first rows, about `most` of them; those that came first are the first.
    fn take(&mut self, most: usize, spill: &mut Spill) -> Result<Vec<RecordBatch>, ArrowError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some((place, size)) = self.spilled.first().cloned().filter(|(_, size)| is_next(*size, bytes, most)) {
            rows.extend(unpacked(spill.read(place)?)?);
            bytes += size;
            self.spilled.remove(0);
        }
        if self.spilled.is_empty() && is_next(self.held_bytes, bytes, most) {
            rows.append(&mut self.held);
            self.held_bytes = 0;
        }
        Ok(rows)
    }
}

/// Whether so much is taken beside what is taken already: the first always is.
fn is_next(next: usize, taken: usize, most: usize) -> bool {
    taken == 0 || taken + next <= most
}

/// A temporary file, made when it is first asked for. It has no name, and is gone with the process.
#[derive(Default)]
struct Spill {
    file: Option<File>,
    end: u64,
}

impl Spill {
    /// Returns the place of the bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<Range<u64>> {
        self.file_at(self.end)?.write_all(bytes)?;
        let start = self.end;
        self.end += bytes.len() as u64;
        Ok(start..self.end)
    }

    fn read(&mut self, place: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; (place.end - place.start) as usize];
        self.file_at(place.start)?.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn file_at(&mut self, place: u64) -> io::Result<&mut File> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(place))?;
        Ok(file)
    }
}

/// Bytes of batches, of which there is one at least; most columns of a bucket repeat themselves.
fn packed(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options)?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.into_inner()
}

fn unpacked(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(Cursor::new(bytes), None)?.collect()
}

/// A file of a bucket's rows, which need not be sorted.
pub(crate) fn encode(rows: &[RecordBatch], schema: &SchemaRef, layout: &Layout) -> Result<EncodedFile, ParquetError> {
    let mut encoder = FileEncoder::stored(schema.clone(), layout, None)?;
    for batch in sort(rows, &layout.sort_columns())?.batches(BATCH_ROWS) {
        encoder = encoder.write(&batch?)?;
    }
    encoder.finish()
}

fn memory_size(batch: &RecordBatch) -> usize {
    let size = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(column.get_array_memory_size());
    batch.columns().iter().map(size).sum()
}
