//! Defines [`Eraser`]: rows are taken out of every version of every table, as if they had never been there.
//!
//! 1. The lock is taken ([`lock`]); other writers stop.
//! 2. Each file that has such rows is copied without them. Nobody reads the copies yet.
//! 3. The journal is put: which copy takes the place of which file. From here on the erasure will be done, by whoever
//!    holds the lock next if need be. The journal names files, and nothing that was in them.
//! 4. The logs are rewritten ([`all_files`]), checkpoints made anew, and every file that no version names is deleted: the
//!    old ones, and what killed writers left.
//! 5. The journal is deleted and the lock released.
//!
//! Killed before 3, nothing has changed; after it, [`Eraser::apply`] goes on. A reader who holds the name of a file that
//! was deleted fails, and never reads other rows.

mod all_files;
mod lock;
mod published;
mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::BUCKET;
use crate::doctor::Finding;
use crate::error::{Error, Result};
use crate::root::{Root, json_bytes};
use crate::store::Store;
use crate::table::{add_action, table_folder};
pub(crate) use all_files::is_ours;
pub use all_files::{AllFiles, PastFile};
use all_files::{NewFile, Swap};
use lock::Held;
pub use lock::LEASE;
pub(crate) use lock::{FOLDER, number_at_open};
pub use published::ErasedVersions;
pub use rows::Rule;
use rows::{Form, Without, without};

const JOURNAL: &str = "_erasures/journal.json";

/// An erasure that has begun: nobody else writes to the warehouse.
#[derive(Debug)]
pub struct Eraser {
    held: Held,
    id: Uuid,
    tables: BTreeMap<String, Vec<Swap>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    tables: BTreeMap<String, Vec<Swap>>,
    note: Value,
}

impl Store {
    /// Takes the lock of the warehouse for `owner`, a name for messages. It lasts for `lease` after the last sign of life.
    ///
    /// Errors: [`Error::Erasing`] if somebody alive has it.
    pub async fn begin_erase(&self, owner: &str, lease: Duration) -> Result<Eraser> {
        let held = self.take_lock(owner, lease).await?;
        for name in self.table_names().await? {
            held.store.fence(&name).await?;
        }
        Ok(Eraser { held, id: Uuid::now_v7(), tables: BTreeMap::new() })
    }

    /// An erasure that is not finished, and what to do about it.
    pub async fn examine_erasure(&self) -> Result<Option<Finding>> {
        let (path, owner, since) = match self.may_write().await {
            Err(Error::Erasing { path, owner, since }) => (path, owner, since),
            Ok(()) | Err(Error::ErasedMeanwhile) => return Ok(None),
            Err(error) => return Err(error),
        };
        let state = match self.root.has(JOURNAL).await? {
            true => "it was decided, and its rows may still be there",
            false => "it was not decided, and nothing is erased",
        };
        let problem =
            format!("customers are being erased by {owner} since {since}: {state}, and nobody else can write");
        let remedy = "wait until that is done; if its process is gone, repeat the same `perennial erase`, which finishes it \
                      once its lock is a minute old";
        let (place, remedy) = ("erasures".to_owned(), remedy.to_owned());
        Ok(Some(Finding { place, file: Some(path), problem, remedy }))
    }

    /// How many rows of a file `rule` says, and nothing is changed. A file that is not there any more has none.
    pub async fn count_rows(&self, table: &AllFiles, file: &PastFile, rule: &Rule) -> Result<u64> {
        Ok(self.without(table, file, Form::Uncopied, rule).await?.removed)
    }

    async fn without(&self, table: &AllFiles, file: &PastFile, form: Form, rule: &Rule) -> Result<Without> {
        match self.root.get(&format!("{}/{}", table_folder(&table.table)?, file.name)).await {
            Ok(bytes) => without(&table.table, bytes, form, rule).await,
            Err(Error::Missing { .. }) => Ok(Without { removed: 0, copy: None }),
            Err(error) => Err(error),
        }
    }
}

impl Eraser {
    /// The warehouse, as this erasure may write to it.
    pub fn store(&self) -> &Store {
        &self.held.store
    }

    /// A number of its own, which says nothing about what is erased.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What [`Eraser::decide`] noted, if an erasure was decided and is not finished: it must be applied before anything
    /// else is.
    pub async fn decided(&self) -> Result<Option<Value>> {
        match self.store().root.get_json::<Journal>(JOURNAL).await {
            Ok(journal) => Ok(Some(journal.note)),
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Copies a file without the rows that `rule` says, if it has any, and returns their number.
    pub async fn copy_without(&mut self, table: &AllFiles, file: &PastFile, rule: &Rule) -> Result<u64> {
        self.held.renew().await?;
        let store = &self.held.store;
        let Without { removed, copy } = store.without(table, file, Form::Stored(file.layout.clone()), rule).await?;
        if removed == 0 {
            return Ok(0);
        }
        let mut swap = Swap { old: file.name.clone(), new: None };
        if let Some(copy) = copy {
            let name = match file.bucket {
                Some(bucket) => format!("{BUCKET}={bucket}/{}.parquet", Uuid::now_v7()),
                None => format!("{}.parquet", Uuid::now_v7()),
            };
            store.root.put(&format!("{}/{name}", table_folder(&table.table)?), copy.bytes.clone()).await?;
            swap.new = Some(NewFile::new(add_action(&name, file.bucket, &copy, Utc::now().timestamp_millis())));
        }
        self.tables.entry(table.table.clone()).or_default().push(swap);
        Ok(removed)
    }

    /// Decides that the copies take the place of their files. `note` is given back by [`Eraser::decided`] and must hold
    /// nothing that is to be forgotten.
    pub async fn decide(&self, note: Value) -> Result<()> {
        self.store().may_write().await?;
        let journal = Journal { tables: self.tables.clone(), note };
        self.store().root.create(JOURNAL, json_bytes(JOURNAL, &journal)?).await
    }

    /// Does what was decided, by this process or one that is gone, and deletes what no version names. Doing it again
    /// changes nothing.
    pub async fn apply(&self) -> Result<()> {
        let store = self.store();
        let journal: Journal = store.root.get_json(JOURNAL).await?;
        for name in store.possible_tables().await? {
            self.held.renew().await?;
            let swaps = journal.tables.get(&name);
            if let Some(swaps) = swaps {
                store.rewrite_log(&name, swaps).await?;
            }
            store.sweep(&name).await?;
            if swaps.is_some() {
                store.checkpoint(&name).await?;
            }
        }
        store.root.delete_partial_files()
    }

    /// Ends the erasure: others may write again.
    pub async fn finish(self) -> Result<()> {
        self.store().root.delete(JOURNAL).await?;
        self.held.release().await
    }

    /// Ends an erasure that was not decided: nothing was changed. One that was, though its answer was lost, stays locked
    /// until it is finished.
    pub async fn abandon(self) -> Result<()> {
        if self.decided().await?.is_some() {
            return Ok(());
        }
        for (table, swaps) in &self.tables {
            for new in swaps.iter().filter_map(|swap| swap.new.as_ref()) {
                self.store().root.delete(&format!("{}/{}", table_folder(table)?, new.name)).await?;
            }
        }
        self.held.release().await
    }
}

impl Root {
    /// Deletes what killed writers of this machine left half-written: the storage names such files `<name>#<number>` and
    /// lists them to nobody.
    fn delete_partial_files(&self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut waiting = vec![folder.clone()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))? {
                let path = entry.map_err(|e| Error::io(&folder, e))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let number = name.split_once('#').map_or("", |(_, number)| number);
                if path.is_dir() && !path.is_symlink() {
                    waiting.push(path);
                } else if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                    std::fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
                }
            }
        }
        Ok(())
    }
}
