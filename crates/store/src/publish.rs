//! Defines [`Publisher`]: tables as flat folders of plain Parquet, for tools that know nothing of this program.
//!
//! A publish takes a number `n` that nobody had, writes everything below `v<n>/`, marks it whole with
//! `v<n>/_manifest.json`, and only then puts `_latest.json`, which says the same. Whoever reads `_latest.json` first
//! and then the files that it names sees one version, however many publishes are running or were killed.
//!
//! `current/` is for tools that can only point at a fixed path. In a local folder it is a link to `v<n>`, swapped by
//! one rename. Object stores have neither, so there `current/<table>.parquet` is a copy of a table that has one file:
//! each table whole, but not all of them at once; a larger table is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FolderPath;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use chrono::{DateTime, SubsecRound, Utc};
use futures::{Stream, StreamExt};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::error::{BoxError, Error, Result};
use crate::root::{Root, json_bytes};
use crate::schema::{publishable, to_published};
use crate::snapshot::ATTEMPTS;
use crate::store::Store;
use crate::writer::{FileEncoder, blocking};

pub(crate) const LATEST: &str = "_latest.json";
pub(crate) const CURRENT: &str = "current";
/// In the folder of a version: a publish has begun, and the number is taken.
const STARTED: &str = "_started.json";
/// In the folder of a version: what it holds; it is there once all of that is.
pub(crate) const MANIFEST: &str = "_manifest.json";
const DICTIONARY: &str = "_dictionary.json";

/// Where tables are published.
#[derive(Debug, Clone)]
pub struct Publisher {
    pub(crate) root: Root,
}

/// A publish that has begun: no reader sees anything of it before [`Publication::finish`].
#[derive(Debug)]
pub struct Publication {
    root: Root,
    version: u64,
    tables: BTreeMap<String, PublishedTable>,
}

/// What `_latest.json` says: one published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedVersion {
    pub version: u64,
    /// The snapshot of the warehouse that the rows were read from.
    pub snapshot: u64,
    pub published_at: DateTime<Utc>,
    pub tables: BTreeMap<String, PublishedTable>,
}

/// One published table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedTable {
    pub rows: u64,
    /// In the order of the rows.
    pub files: Vec<PublishedFile>,
}

/// One published Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// Relative to the publish target.
    pub path: String,
    pub rows: u64,
    /// In bytes.
    pub size: u64,
    /// Of the whole file, in hexadecimal.
    pub sha256: String,
}

impl Publisher {
    /// A publish target: a folder or bucket, and options, as for [`crate::Store::open`]. It need not exist yet.
    pub fn open(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        Ok(Publisher { root: Root::open(url, options)? })
    }

    /// Where it publishes to.
    pub fn url(&self) -> &Url {
        &self.root.url
    }

    /// [`Error::InWarehouse`] if it lies in `store`, or in another warehouse of this machine.
    pub fn must_be_outside(&self, store: &Store) -> Result<()> {
        match &self.root.folder {
            Some(folder) => Store::must_be_outside(folder),
            None if self.url().as_str().starts_with(store.url().as_str()) => {
                Err(Error::InWarehouse { place: self.url().to_string(), root: store.url().to_string() })
            }
            None => Ok(()),
        }
    }

    /// What was published last; None before the first publish.
    pub async fn latest(&self) -> Result<Option<PublishedVersion>> {
        latest(&self.root).await
    }

    /// Whether no publish has ever begun there.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.latest().await?.is_none() && versions(&self.root).await?.is_empty())
    }

    /// Begins a version with a number that no publish had, and clears away what killed ones left.
    pub async fn begin(&self) -> Result<Publication> {
        let latest = self.latest().await?.map_or(0, |latest| latest.version);
        let versions = versions(&self.root).await?;
        self.clear(&versions, latest).await?;
        let mut version = versions.last().copied().unwrap_or(0).max(latest);
        for _ in 0..ATTEMPTS {
            version += 1;
            let path = format!("{}/{STARTED}", folder(version));
            let started = serde_json::json!({ "started_at": Utc::now().trunc_subsecs(6) });
            match self.root.create(&path, json_bytes(&path, &started)?).await {
                Ok(()) => return Ok(Publication { root: self.root.clone(), version, tables: BTreeMap::new() }),
                Err(Error::Exists { .. }) => continue,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { what: "beginning a publish".to_owned(), attempts: ATTEMPTS })
    }

    /// Deletes versions older than the latest that were never finished. One that is still being written will find
    /// that it was overtaken, so nobody will ever read it.
    pub(crate) async fn clear(&self, versions: &BTreeSet<u64>, latest: u64) -> Result<()> {
        for &version in versions.range(..latest) {
            let folder = folder(version);
            let files = self.root.list(&folder).await?;
            if files.contains(&format!("{folder}/{MANIFEST}")) {
                continue;
            }
            for file in files {
                self.root.delete(&file).await?;
            }
            if let Some(local) = &self.root.folder {
                // Fails if a file came meanwhile; then the next publish tries again.
                let _ = remove_empty(&local.join(&folder));
            }
        }
        Ok(())
    }
}

impl Publication {
    /// The number of the version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Writes a table: `schema` are its columns, cast to plain ones, also if there are no rows.
    ///
    /// Errors: [`Error::Column`] for a column that plain Parquet cannot hold, [`Error::Input`] if `batches` fails.
    pub async fn write<S, E>(&mut self, name: &str, schema: &Schema, batches: S) -> Result<()>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<BoxError>,
    {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        if !name.bytes().all(is_plain) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(Error::Name { name: name.to_owned(), valid: "a letter, then letters, digits, '_' and '.'" });
        }
        if self.tables.contains_key(name) {
            return Err(Error::Exists { path: self.root.show(&format!("{}/{name}", folder(self.version))) });
        }
        let failed = |e| Error::parquet(name, e);
        let schema = publishable(name, schema)?;
        let new = || FileEncoder::published(schema.clone()).map_err(failed);
        let mut batches = std::pin::pin!(batches);
        let mut files = Vec::new();
        let mut encoder = new()?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|e| Error::Input { table: name.to_owned(), source: e.into() })?;
            let batch = to_published(name, &batch, &schema)?;
            if encoder.is_full() {
                let full = std::mem::replace(&mut encoder, new()?);
                files.push(self.put_file(name, files.len(), full).await?);
            }
            encoder = blocking(move || encoder.write(&batch)).await.map_err(failed)?;
        }
        if encoder.rows() > 0 || files.is_empty() {
            files.push(self.put_file(name, files.len(), encoder).await?);
        }
        let rows = files.iter().map(|file| file.rows).sum();
        self.tables.insert(name.to_owned(), PublishedTable { rows, files });
        Ok(())
    }

    /// Publishes what was written: from now on readers see this version. `dictionary` describes tables and columns.
    ///
    /// Errors: [`Error::Overtaken`] if a later version was published meanwhile.
    pub async fn finish(self, snapshot: u64, dictionary: &serde_json::Value) -> Result<PublishedVersion> {
        let Publication { root, version, tables } = self;
        let folder = folder(version);
        let published = PublishedVersion { version, snapshot, published_at: Utc::now().trunc_subsecs(6), tables };
        let path = format!("{folder}/{DICTIONARY}");
        root.create(&path, json_bytes(&path, dictionary)?).await?;
        match latest(&root).await? {
            Some(latest) if latest.version > version => {
                return Err(Error::Overtaken { version, newest: latest.version });
            }
            _ => {}
        }
        let path = format!("{folder}/{MANIFEST}");
        root.create(&path, json_bytes(&path, &published)?).await?;
        root.put(LATEST, json_bytes(LATEST, &published)?).await?;
        match &root.folder {
            Some(local) => link_current(local, &folder)?,
            None => copy_current(&root, &published).await?,
        }
        Ok(published)
    }

    /// Deletes what was written, which nobody reads.
    pub async fn abandon(self) -> Result<()> {
        for file in self.root.list(&folder(self.version)).await? {
            self.root.delete(&file).await?;
        }
        Ok(())
    }

    async fn put_file(&self, name: &str, number: usize, encoder: FileEncoder) -> Result<PublishedFile> {
        let encoded = blocking(move || {
            let file = encoder.finish()?;
            let sha256 = checksum(&file.bytes);
            Ok((file, sha256))
        });
        let (file, sha256) = encoded.await.map_err(|e: parquet::errors::ParquetError| Error::parquet(name, e))?;
        let path = format!("{}/{name}/part-{number:05}.parquet", folder(self.version));
        let size = file.bytes.len() as u64;
        self.root.create(&path, file.bytes).await?;
        Ok(PublishedFile { path, rows: file.rows, size, sha256 })
    }
}

/// Not `v=<n>`: readers that look for hive partitions would see a column `v`.
pub(crate) fn folder(version: u64) -> String {
    format!("v{version}")
}

pub(crate) async fn latest(root: &Root) -> Result<Option<PublishedVersion>> {
    match root.get_json(LATEST).await {
        Ok(latest) => Ok(Some(latest)),
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The numbers that publishes took, whole or not.
pub(crate) async fn versions(root: &Root) -> Result<BTreeSet<u64>> {
    let folders = root.folders("").await?;
    Ok(folders.iter().filter_map(|name| name.strip_prefix('v')?.parse().ok()).collect())
}

/// As `_latest.json` has it.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remove_empty(folder: &FolderPath) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_dir(entry?.path())?;
    }
    std::fs::remove_dir(folder)
}

/// Points `current` at `folder` by one rename. The new link has a name of its own version, so two publishes do not
/// meet, and what a killed one left is written over.
fn link_current(local: &FolderPath, folder: &str) -> Result<()> {
    let current = local.join(CURRENT);
    if std::fs::symlink_metadata(&current).is_ok_and(|found| !found.is_symlink()) {
        // Somebody made it; replacing it would lose what is in it.
        return Err(Error::Exists { path: current.display().to_string() });
    }
    let new = local.join(format!("{CURRENT}.{folder}"));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&new, error)),
        _ => {}
    }
    std::os::unix::fs::symlink(folder, &new).map_err(|e| Error::io(&new, e))?;
    std::fs::rename(&new, &current).map_err(|e| Error::io(&current, e))
}

/// Copies the tables that have one file to `current/`, and takes away those that no longer belong there.
async fn copy_current(root: &Root, published: &PublishedVersion) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for (name, table) in &published.tables {
        let [file] = table.files.as_slice() else { continue };
        let current = format!("{CURRENT}/{name}.parquet");
        let copied = root.objects.copy(&root.path(&file.path)?, &root.path(&current)?).await;
        copied.map_err(|e| Error::storage(root.show(&current), e))?;
        wanted.insert(current);
    }
    for file in root.list(CURRENT).await? {
        if !wanted.contains(&file) {
            root.delete(&file).await?;
        }
    }
    Ok(())
}
