//! Defines what `build` notes in `core.moves`: keys that passed from one customer to another, as an order does that was a
//! guest's at first. With that the versions of a key can be told customer by customer: nobody else's rows are needed.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::hash_utils::create_hashes;
use foldhash::fast::FixedState;
use futures::{TryStreamExt, stream};
use store::{Append, CUSTOMER_ID, DataFile, EVENT_TIME, KNOWN_TIME, Layout, Table};

use crate::Warehouse;
use crate::ddl::quoted;
use crate::error::{Error, Result};
use crate::joined;
use crate::owners::{Owned, Owners, Parts};
use crate::session::{Batches, Session, SessionOptions};

/// The table of moves.
pub(crate) const MOVES: &str = "core.moves";

/// New rows whose keys are held at once, some 300 MB of hashes; more of them are divided.
const KEYS_AT_ONCE: u64 = 8 << 20;

/// One version of a key.
struct Version {
    key: Vec<Option<String>>,
    known_time: i64,
    event_time: i64,
    customer: Option<String>,
}

/// The rows that end what a customer had, column by column.
#[derive(Default)]
struct Ends {
    of_table: Vec<String>,
    versions: Vec<Version>,
}

impl Warehouse {
    /// Notes the moves in what these versions of core tables have anew; returns the version of `core.moves` that has them,
    /// None if there is nothing new to look at. What was looked at is recorded with them, so that it is done once.
    pub(crate) async fn note_moves(&self, built: &BTreeMap<String, u64>, epoch: Option<u64>) -> Result<Option<u64>> {
        let Some(moves) = self.catalog().get(MOVES) else { return Ok(None) };
        let noted = self.store().latest(MOVES).await?;
        let mut ends = Ends::default();
        let mut transactions = Vec::new();
        let session = self.session_over(SessionOptions::default(), BTreeMap::new()).await?;
        for (name, version) in built {
            let Some(definition) = self.catalog().get(name) else { continue };
            let Layout::Clustered { key, .. } = self.layout(definition) else { continue };
            if key.is_empty() || key.iter().any(|column| column == CUSTOMER_ID) {
                continue;
            }
            let transaction = format!("moves:{name}");
            let known = match &noted {
                Some(noted) => noted.transaction(&transaction).await?.map(|version| version as u64),
                None => None,
            };
            if known.is_none_or(|known| known < *version) {
                let table = self.store().table(name, *version).await?;
                let new = match known {
                    Some(known) => table.files_since(&self.store().table(name, known).await?),
                    None => table.files.clone(),
                };
                let columns = definition.columns.clone().unwrap_or_else(|| Arc::clone(&table.schema));
                let keys = Keys { session: &session, table, columns, key: &key };
                ends.extend(&definition.name, keys.moved(&new).await?);
                transactions.push((transaction, *version as i64));
            }
        }
        if transactions.is_empty() {
            return Ok(None);
        }
        let schema = moves.columns.clone().unwrap_or_else(|| Arc::new(Schema::empty()));
        let append = Append { operation: "note moves".into(), schema, transactions, epoch };
        let rows = stream::iter([ends.into_batch()]);
        Ok(Some(self.store().append(MOVES, &self.layout(moves), append, rows).await?.version))
    }
}

/// The keys of a table that no snapshot has yet.
struct Keys<'a> {
    session: &'a Session,
    table: Table,
    columns: SchemaRef,
    key: &'a [String],
}

impl Keys<'_> {
    /// All versions of the keys that these files, new in the table, give to another customer.
    async fn moved(&self, new: &[DataFile]) -> Result<Vec<Version>> {
        let old: Vec<DataFile> = self.table.files.iter().filter(|file| !new.contains(file)).cloned().collect();
        let parts = new.iter().map(|file| file.rows).sum::<u64>().div_ceil(KEYS_AT_ONCE);
        let moved = if parts > 1 {
            let (new, old) = (self.parted(new, parts).await?, self.parted(&old, parts).await?);
            let moved = tokio::task::spawn_blocking(move || Owners::moved_by_parts(new, old).map_err(not_kept));
            joined(moved.await)?
        } else {
            let mut owners = Owners::default();
            let mut rows = self.rows(new).await?;
            while let Some(batch) = rows.try_next().await? {
                hashes(&batch)?.for_each(|row| owners.gain(row));
            }
            let mut rows = self.rows(&old).await?;
            while let Some(batch) = rows.try_next().await? {
                hashes(&batch)?.for_each(|row| owners.had(row));
            }
            owners.moved()
        };
        if moved.is_empty() { Ok(Vec::new()) } else { self.versions(&moved).await }
    }

    async fn parted(&self, files: &[DataFile], count: u64) -> Result<Parts> {
        let mut parts = Parts::new(count).map_err(not_kept)?;
        let mut rows = self.rows(files).await?;
        while let Some(batch) = rows.try_next().await? {
            hashes(&batch)?.try_for_each(|row| parts.add(row)).map_err(not_kept)?;
        }
        Ok(parts)
    }

    /// Customer, both clocks and the key's columns of these files.
    async fn rows(&self, files: &[DataFile]) -> Result<Batches> {
        let name = &self.table.name;
        let files = self.session.world.over(&self.table, files.to_vec(), Arc::clone(&self.columns))?;
        self.session.keep(name.clone(), files);
        let key: Vec<String> = self.key.iter().map(|column| quoted(column)).collect();
        let query = format!("SELECT {CUSTOMER_ID}, {EVENT_TIME}, {KNOWN_TIME}, {} FROM {name}", key.join(", "));
        self.session.sql(&query).await?.stream().await
    }

    /// All versions of the keys with these hashes.
    async fn versions(&self, wanted: &HashSet<u64>) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        let mut rows = self.rows(&self.table.files).await?;
        while let Some(batch) = rows.try_next().await? {
            for (row, (hash, _)) in hashes(&batch)?.enumerate() {
                if wanted.contains(&hash) {
                    versions.push(Version::at(&batch, row)?);
                }
            }
        }
        Ok(versions)
    }
}

fn not_kept(source: io::Error) -> Error {
    Error::Io { action: "keep rows in a temporary file in", path: tempfile::env::temp_dir(), source }
}

/// The hashes of each row's key and customer.
fn hashes(batch: &RecordBatch) -> Result<impl Iterator<Item = Owned> + use<>> {
    let hash = |columns: &[ArrayRef]| -> Result<Vec<u64>> {
        let mut hashes = vec![0; batch.num_rows()];
        create_hashes(columns, &FixedState::default(), &mut hashes)?;
        Ok(hashes)
    };
    Ok(hash(&batch.columns()[3..])?.into_iter().zip(hash(&batch.columns()[..1])?))
}

impl Version {
    fn at(batch: &RecordBatch, row: usize) -> Result<Version> {
        let text = |column: &ArrayRef| -> Result<Option<String>> {
            let text = arrow::compute::cast(&column.slice(row, 1), &arrow::datatypes::DataType::Utf8)?;
            let text = text.as_string::<i32>();
            Ok(text.is_valid(0).then(|| text.value(0).to_owned()))
        };
        let time = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>().value(row);
        Ok(Version {
            key: batch.columns()[3..].iter().map(text).collect::<Result<_>>()?,
            known_time: time(2),
            event_time: time(1),
            customer: text(batch.column(0))?,
        })
    }
}

impl Ends {
    /// Where a version of a key is followed by another customer's, the one before loses it then. That stays true whatever
    /// comes to be known later.
    fn extend(&mut self, of_table: &str, mut versions: Vec<Version>) {
        versions.sort_by(|a, b| (&a.key, a.known_time, a.event_time).cmp(&(&b.key, b.known_time, b.event_time)));
        for pair in versions.windows(2) {
            let [before, after] = pair else { continue };
            if before.key == after.key && before.customer != after.customer {
                self.of_table.push(of_table.to_owned());
                self.versions.push(Version {
                    key: before.key.clone(),
                    customer: before.customer.clone(),
                    event_time: before.event_time,
                    known_time: after.known_time,
                });
            }
        }
    }

    fn into_batch(self) -> Result<RecordBatch> {
        let key = |at: usize| self.versions.iter().map(move |version| version.key.get(at).cloned().flatten());
        let times = |of: fn(&Version) -> i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(self.versions.iter().map(of)).with_timezone("UTC"))
        };
        let texts = |values: &mut dyn Iterator<Item = Option<String>>| -> ArrayRef {
            Arc::new(values.collect::<StringArray>())
        };
        let columns = [
            ("of_table", texts(&mut self.of_table.iter().cloned().map(Some))),
            ("id", texts(&mut key(0))),
            ("sub_id", texts(&mut key(1))),
            (CUSTOMER_ID, texts(&mut self.versions.iter().map(|version| version.customer.clone()))),
            (EVENT_TIME, times(|version| version.event_time)),
            (KNOWN_TIME, times(|version| version.known_time)),
        ];
        let columns = columns.map(|(name, array)| (name, array, true));
        RecordBatch::try_from_iter_with_nullable(columns).map_err(Error::from)
    }
}
