//! Defines how the rows of a load's files become batches of its table, on a thread of their own, a few batches ahead of
//! the writer. What does not fit is set apart as rejects.

use std::collections::BTreeMap;
use std::io::{Error as IoError, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, stream};
use tokio::sync::mpsc;

use super::rejects::{Reject, Rejects};
use super::{Incoming, LoadedColumn, SYSTEM_COLUMNS};
use crate::conform::{Misfit, conform, misfits};
use crate::ddl::type_name;
use crate::error::{Error, Result};
use crate::joined;
use crate::read::{self, Origin, Rows, TextOptions};

/// Batches on their way from the reader to the writer.
const BATCHES_IN_FLIGHT: usize = 4;

pub(super) struct Reader {
    pub(super) table: String,
    pub(super) files: Vec<Incoming>,
    pub(super) text: TextOptions,
    pub(super) schema: SchemaRef,
    pub(super) source: String,
    /// `None` for a historical load.
    pub(super) loaded_at: Option<DateTime<Utc>>,
    /// Nothing says of which types the columns are.
    pub(super) is_untold: bool,
    pub(super) seen: Seen,
}

/// What was read so far, shared with the load that waits for it.
#[derive(Clone)]
pub(super) struct Seen(Arc<Mutex<Sight>>);

pub(super) struct Sight {
    pub(super) rejects: Rejects,
    /// The table's own columns.
    pub(super) columns: Vec<LoadedColumn>,
}

impl Seen {
    pub(super) fn new(schema: &SchemaRef, most_rejects: u64) -> Seen {
        let own = schema.fields().iter().filter(|field| !SYSTEM_COLUMNS.contains(&field.name().as_str()));
        let column =
            |name: &String, data_type: String| LoadedColumn { name: name.clone(), data_type, example: None, nulls: 0 };
        let columns = own.map(|field| column(field.name(), type_name(field.data_type()))).collect();
        Seen(Arc::new(Mutex::new(Sight { rejects: Rejects { all: Vec::new(), most: most_rejects }, columns })))
    }

    pub(super) fn get(&self) -> MutexGuard<'_, Sight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// The rows of all files; an error where more are rejected than the load bears.
    pub(super) fn stream(self, progress: &(dyn Fn(u64) + Sync)) -> impl Stream<Item = Result<RecordBatch>> + Send {
        let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
        let task = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.read_all(&sender) {
                // Nobody listens when the writer has failed first.
                let _ = sender.blocking_send(Err(error));
            }
        });
        stream::unfold((receiver, 0, Some(task)), move |(mut receiver, mut rows, task)| async move {
            match receiver.recv().await {
                Some(batch) => {
                    rows += batch.as_ref().map_or(0, |batch: &RecordBatch| batch.num_rows() as u64);
                    progress(rows);
                    Some((batch, (receiver, rows, task)))
                }
                // Without this, a reader that panicked would look like the end of the files.
                None => joined(task?.await.map(Ok)).err().map(|error| (Err(error), (receiver, rows, None))),
            }
        })
    }

    fn read_all(&self, sender: &mpsc::Sender<Result<RecordBatch>>) -> Result<()> {
        for (incoming, nth) in self.files.iter().zip(0..) {
            // Of two versions of a fact in two files the one in the later file is the newer.
            let loaded_at = self.loaded_at.map(|time| time + TimeDelta::microseconds(nth));
            read::read(&incoming.file, &self.text, &incoming.inspection.names(), &mut |rows| {
                let finished = self.finish(incoming, loaded_at, rows)?;
                self.check_rejects(false)?;
                // A closed channel: the writer failed, and its error is the one to tell.
                let stopped = || IoError::from(ErrorKind::BrokenPipe);
                let path = || PathBuf::from(&incoming.file.shown);
                let stop = |_| Error::Io { action: "load", path: path(), source: stopped() };
                sender.blocking_send(Ok(finished)).map_err(stop)
            })?;
        }
        self.check_rejects(true)?;
        match self.files.first() {
            Some(first) if self.is_untold => {
                let problem = format!("it has no values, so that the types of {} can't be told from it", self.table);
                let way_out = "name them (--schema), or load files with rows first";
                Err(Error::File { file: first.file.shown.clone(), problem: format!("{problem}: {way_out}") })
            }
            _ => Ok(()),
        }
    }

    fn check_rejects(&self, at_end: bool) -> Result<()> {
        let rejects = &self.seen.get().rejects;
        match rejects.too_many(at_end) {
            true => Err(Error::Rejected {
                table: self.table.clone(),
                rejects: rejects.all.clone(),
                is_all: at_end,
                most: rejects.most,
            }),
            false => Ok(()),
        }
    }

    /// Gives rows the table's types and the system columns.
    fn finish(&self, incoming: &Incoming, loaded_at: Option<DateTime<Utc>>, rows: Rows) -> Result<RecordBatch> {
        let Rows { batch, origins, broken } = rows;
        let reject = |origin, value, reason| Reject { file: incoming.file.shown.clone(), origin, value, reason };
        let mut rejects: Vec<Reject> = broken.into_iter().map(|row| reject(row.origin, None, row.reason)).collect();
        let (columns, origins) = match self.convert(&batch) {
            Ok(columns) => (columns, origins),
            Err(_) => {
                let mut misfits = self.misfits(&batch);
                let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(!misfits.contains_key(&row))).collect();
                let mut kept = Vec::with_capacity(origins.len());
                for (row, origin) in origins.into_iter().enumerate() {
                    match misfits.remove(&row) {
                        None => kept.push(origin),
                        Some((column, misfit)) => {
                            rejects.push(reject(origin, Some((column, misfit.value)), misfit.problem))
                        }
                    }
                }
                let converted = self.convert(&filter_record_batch(&batch, &mask)?);
                let failed = |(column, misfit): (String, Misfit)| Error::WrongValue {
                    place: incoming.file.shown.clone(),
                    column,
                    value: misfit.value,
                    problem: misfit.problem,
                };
                (converted.map_err(failed)?, kept)
            }
        };
        rejects.sort_by_key(|reject| reject.origin.row);
        let mut seen = self.seen.get();
        seen.rejects.all.extend(rejects);
        let mut own = seen.columns.iter_mut();
        let columns = columns.into_iter().zip(self.schema.fields()).map(|(column, field)| match column {
            Some(array) => {
                own.by_ref().take(1).for_each(|column| column.see(&array));
                array
            }
            None => self.system_column(field.name(), &incoming.label, loaded_at, &origins),
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect()).map_err(Error::from)
    }

    /// The table's columns of these rows, `None` for the system's, or the first value that does not fit.
    fn convert(&self, batch: &RecordBatch) -> Result<Vec<Option<ArrayRef>>, (String, Misfit)> {
        let fields = self.schema.fields().iter();
        let column = fields.map(|field| match batch.column_by_name(field.name()) {
            _ if SYSTEM_COLUMNS.contains(&field.name().as_str()) => Ok(None),
            None => Ok(Some(new_null_array(field.data_type(), batch.num_rows()))),
            Some(array) => conform(array, field.data_type()).map(Some).map_err(|misfit| (field.name().clone(), misfit)),
        });
        column.collect()
    }

    /// The first misfit of each row that has one, by row of the batch.
    fn misfits(&self, batch: &RecordBatch) -> BTreeMap<usize, (String, Misfit)> {
        let mut found = BTreeMap::new();
        for field in self.schema.fields() {
            let Some(array) = batch.column_by_name(field.name()) else { continue };
            for misfit in misfits(array, field.data_type()) {
                found.entry(misfit.row).or_insert_with(|| (field.name().clone(), misfit));
            }
        }
        found
    }

    fn system_column(&self, name: &str, label: &str, loaded_at: Option<DateTime<Utc>>, origins: &[Origin]) -> ArrayRef {
        let rows = origins.len();
        match name {
            "_source" => Arc::new(StringArray::from(vec![self.source.as_str(); rows])),
            "_file" => Arc::new(StringArray::from(vec![label; rows])),
            "_row" => Arc::new(Int64Array::from_iter_values(origins.iter().map(|origin| origin.row as i64))),
            _ => {
                let time = loaded_at.map(|time| time.timestamp_micros());
                Arc::new(TimestampMicrosecondArray::from(vec![time; rows]).with_timezone("UTC"))
            }
        }
    }
}

impl LoadedColumn {
    fn see(&mut self, array: &ArrayRef) {
        self.nulls += array.null_count() as u64;
        if self.example.is_none() {
            let first = (0..array.len()).find(|row| array.is_valid(*row));
            self.example = first.and_then(|row| array_value_to_string(array, row).ok());
        }
    }
}
