//! Defines how the rows of a load's files become batches of its table, on a thread of their own, a few batches ahead of
//! the writer. What does not fit is set apart as rejects.

use std::collections::BTreeMap;
use std::io::{Error as IoError, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, stream};
use tokio::sync::mpsc;

use super::rejects::{Reject, Rejects};
use super::{Incoming, LoadedColumn, SYSTEM_COLUMNS};
use crate::conform::{Misfit, conform, conform_loaded, misfits, surprise};
use crate::ddl::type_name;
use crate::error::{Error, Result};
use crate::joined;
use crate::read::{self, InputFile, Place, Rows, TextOptions};

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
    /// Columns whose types were told from a part of their values.
    pub(super) sampled: BTreeMap<String, Option<DataType>>,
    pub(super) seen: Seen,
}

/// What was read so far, shared with the load that waits for it.
#[derive(Clone)]
pub(super) struct Seen(Arc<Mutex<Sight>>);

pub(super) struct Sight {
    pub(super) rejects: Rejects,
    /// The table's own columns.
    pub(super) columns: Vec<LoadedColumn>,
    /// A value is of another type than those that its column's was told from.
    pub(super) is_surprised: bool,
}

/// Rows with the table's types.
struct Typed {
    /// `None` for the columns of the system.
    columns: Vec<Option<ArrayRef>>,
    /// Which rows they are of those that were read, the others being rejects.
    places: Vec<Place>,
    rejects: Vec<Reject>,
    count: u64,
}

impl Seen {
    pub(super) fn new(schema: &SchemaRef, most_rejects: u64) -> Seen {
        let own = schema.fields().iter().filter(|field| !SYSTEM_COLUMNS.contains(&field.name().as_str()));
        let column =
            |name: &String, data_type: String| LoadedColumn { name: name.clone(), data_type, example: None, nulls: 0 };
        let columns = own.map(|field| column(field.name(), type_name(field.data_type()))).collect();
        let rejects = Rejects { all: Vec::new(), most: most_rejects };
        Seen(Arc::new(Mutex::new(Sight { rejects, columns, is_surprised: false })))
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
            let mut before = 0;
            let work = |rows: Rows| self.typed(&incoming.file, rows);
            read::read(&incoming.file, &self.text, &incoming.inspection.names(), work, &mut |typed| {
                let count = typed.count;
                let finished = self.finish(incoming, loaded_at, typed, before)?;
                before += count;
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

    /// Gives rows the table's types.
    fn typed(&self, file: &InputFile, rows: Rows) -> Result<Typed> {
        let count = rows.count();
        let reject =
            |place, value, reason| Reject { file: file.shown.clone(), origin: rows.origin(place, 0), value, reason };
        let mut rejects: Vec<Reject> =
            rows.broken.iter().map(|(place, reason)| reject(*place, None, reason.clone())).collect();
        let failed = |(column, misfit): (String, Misfit)| Error::WrongValue {
            place: file.shown.clone(),
            column,
            value: misfit.value,
            problem: misfit.problem,
        };
        let converted = self.convert(&rows.batch);
        self.check_sampled(&rows.batch, converted.is_ok()).map_err(failed)?;
        let mut places = rows.places.clone();
        let columns = match converted {
            Ok(columns) => columns,
            Err(_) => {
                let mut misfits = self.misfits(&rows.batch);
                let fits: BooleanArray = (0..places.len()).map(|row| Some(!misfits.contains_key(&row))).collect();
                places.clear();
                for (row, place) in rows.places.iter().enumerate() {
                    match misfits.remove(&row) {
                        None => places.push(*place),
                        Some((column, misfit)) => {
                            rejects.push(reject(*place, Some((column, misfit.value)), misfit.problem))
                        }
                    }
                }
                self.convert(&filter_record_batch(&rows.batch, &fits)?).map_err(failed)?
            }
        };
        rejects.sort_by_key(|reject| reject.origin.row);
        Ok(Typed { columns, places, rejects, count })
    }

    /// Adds the system columns; `before` rows came before these in their file.
    fn finish(
        &self,
        incoming: &Incoming,
        loaded_at: Option<DateTime<Utc>>,
        typed: Typed,
        before: u64,
    ) -> Result<RecordBatch> {
        let Typed { columns, places, mut rejects, .. } = typed;
        rejects.iter_mut().for_each(|reject| reject.origin.row += before);
        let mut seen = self.seen.get();
        seen.rejects.all.extend(rejects);
        let mut own = seen.columns.iter_mut();
        let columns = columns.into_iter().zip(self.schema.fields()).map(|(column, field)| match column {
            Some(array) => {
                own.by_ref().take(1).for_each(|column| column.see(&array));
                array
            }
            None => self.system_column(field.name(), &incoming.label, loaded_at, &places, before),
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect()).map_err(Error::from)
    }

    /// An error for a value that is of another type than those that its column's was told from. `fits`: every value can
    /// be of its column's type.
    fn check_sampled(&self, batch: &RecordBatch, fits: bool) -> Result<(), (String, Misfit)> {
        for (name, told) in &self.sampled {
            let Some(array) = batch.column_by_name(name) else { continue };
            let misfit = match told {
                Some(data_type) if !fits => conform(array, data_type).err(),
                _ => None,
            };
            if let Some(misfit) = misfit.or_else(|| surprise(array, told.as_ref())) {
                self.seen.get().is_surprised = true;
                return Err((name.clone(), misfit));
            }
        }
        Ok(())
    }

    /// The table's columns of these rows, `None` for the system's, or the first value that does not fit.
    fn convert(&self, batch: &RecordBatch) -> Result<Vec<Option<ArrayRef>>, (String, Misfit)> {
        let fields = self.schema.fields().iter();
        let column = fields.map(|field| match batch.column_by_name(field.name()) {
            _ if SYSTEM_COLUMNS.contains(&field.name().as_str()) => Ok(None),
            None => Ok(Some(new_null_array(field.data_type(), batch.num_rows()))),
            Some(array) => {
                let loaded = conform_loaded(array, field.data_type());
                loaded.map(Some).map_err(|misfit| (field.name().clone(), misfit))
            }
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

    fn system_column(
        &self,
        name: &str,
        label: &str,
        loaded_at: Option<DateTime<Utc>>,
        places: &[Place],
        before: u64,
    ) -> ArrayRef {
        let rows = places.len();
        match name {
            "_source" => Arc::new(repeated(&self.source, rows)),
            "_file" => Arc::new(repeated(label, rows)),
            "_row" => {
                Arc::new(Int64Array::from_iter_values(places.iter().map(|place| (before + place.row + 1) as i64)))
            }
            _ => {
                let time = loaded_at.map(|time| time.timestamp_micros());
                Arc::new(TimestampMicrosecondArray::from(vec![time; rows]).with_timezone("UTC"))
            }
        }
    }
}

fn repeated(text: &str, rows: usize) -> StringArray {
    let offsets = OffsetBuffer::from_repeated_length(text.len(), rows);
    StringArray::new(offsets, Buffer::from_vec(text.repeat(rows).into_bytes()), None)
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
