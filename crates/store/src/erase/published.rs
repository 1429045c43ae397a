//! Defines how rows are taken out of published versions.
//!
//! Published files keep their names: tools read whole folders, and would see a row twice while two files hold it. Each is
//! replaced by one put, then the manifests say what the files are now. The copies wait in `_erase/` until then, with a
//! list of where they belong, so that a killed erasure goes on without knowing whom it was about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::publish::{CURRENT, LATEST, MANIFEST, PublishedVersion, Publisher, checksum, folder, latest, versions};
use crate::root::json_bytes;
use crate::writer::EncodedFile;

use super::rows::{Form, Rule, without};

const WAITING: &str = "_erase";
const SWAPS: &str = "_erase/swaps.json";

/// What an erasure takes out of published versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasedVersions {
    /// The versions that have such rows.
    pub versions: Vec<u64>,
    /// By table: rows, over all versions, and files.
    pub tables: BTreeMap<String, (u64, u64)>,
}

/// A file that is to be replaced.
#[derive(Debug, Serialize, Deserialize)]
struct Swap {
    path: String,
    copy: String,
    rows: u64,
    size: u64,
    sha256: String,
}

impl Publisher {
    /// Copies every published file that has rows which `rule` says, without them; readers see nothing of it. With
    /// `is_dry_run` nothing is written.
    pub async fn prepare_erase(&self, rule: &Rule, is_dry_run: bool) -> Result<ErasedVersions> {
        let mut erased = ErasedVersions::default();
        let mut swaps = Vec::new();
        if !is_dry_run {
            self.delete_waiting().await?;
        }
        for (version, table, path) in self.published_files().await? {
            let bytes = self.root.get(&path).await?;
            let form = if is_dry_run { Form::Uncopied } else { Form::Published };
            let found = without(&table, bytes, form, rule).await?;
            if found.removed == 0 {
                continue;
            }
            if let Some(version) = version.filter(|version| !erased.versions.contains(version)) {
                erased.versions.push(version);
            }
            let counts = erased.tables.entry(table).or_default();
            *counts = (counts.0 + found.removed, counts.1 + 1);
            if let Some(EncodedFile { bytes, rows, .. }) = found.copy {
                let copy = format!("{WAITING}/{:05}", swaps.len());
                let (size, sha256) = (bytes.len() as u64, checksum(&bytes));
                self.root.put(&copy, bytes).await?;
                swaps.push(Swap { path, copy, rows, size, sha256 });
            }
        }
        if !swaps.is_empty() {
            self.root.put(SWAPS, json_bytes(SWAPS, &swaps)?).await?;
        }
        Ok(erased)
    }

    /// Puts the copies in the place of their files, and deletes versions that were never finished. Doing it again changes
    /// nothing.
    pub async fn apply_erase(&self) -> Result<()> {
        let swaps: Vec<Swap> = match self.root.get_json(SWAPS).await {
            Err(Error::Missing { .. }) => Vec::new(),
            swaps => swaps?,
        };
        for swap in &swaps {
            self.root.put(&swap.path, self.root.get(&swap.copy).await?).await?;
        }
        let newest = latest(&self.root).await?.map(|latest| latest.version);
        for version in versions(&self.root).await? {
            let manifest = format!("{}/{MANIFEST}", folder(version));
            match self.root.get_json::<PublishedVersion>(&manifest).await {
                Ok(before) => {
                    let after = rewritten(&before, &swaps);
                    if after != before {
                        self.root.put(&manifest, json_bytes(&manifest, &after)?).await?;
                    }
                    if newest == Some(version) && latest(&self.root).await?.as_ref() != Some(&after) {
                        self.root.put(LATEST, json_bytes(LATEST, &after)?).await?;
                    }
                }
                Err(Error::Missing { .. }) => {
                    for file in self.root.list(&folder(version)).await? {
                        self.root.delete(&file).await?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.root.delete_partial_files()?;
        self.delete_waiting().await
    }

    /// Every Parquet file of a finished version, and of `current/` where that is copies: version, table, path.
    async fn published_files(&self) -> Result<Vec<(Option<u64>, String, String)>> {
        let mut found = Vec::new();
        for version in versions(&self.root).await? {
            let folder = folder(version);
            let files = self.root.list(&folder).await?;
            if !files.contains(&format!("{folder}/{MANIFEST}")) {
                continue;
            }
            for path in files.into_iter().filter(|path| path.ends_with(".parquet")) {
                let table = path.split('/').nth(1).unwrap_or_default().to_owned();
                found.push((Some(version), table, path));
            }
        }
        if self.root.folder.is_none() {
            for path in self.root.list(CURRENT).await? {
                let table = path.trim_start_matches("current/").trim_end_matches(".parquet").to_owned();
                found.push((None, table, path));
            }
        }
        Ok(found)
    }

    /// The list first: without it the copies belong nowhere.
    async fn delete_waiting(&self) -> Result<()> {
        self.root.delete(SWAPS).await?;
        for file in self.root.list(WAITING).await? {
            self.root.delete(&file).await?;
        }
        Ok(())
    }
}

/// What a version is with the new files.
fn rewritten(version: &PublishedVersion, swaps: &[Swap]) -> PublishedVersion {
    let mut version = version.clone();
    for table in version.tables.values_mut() {
        for file in &mut table.files {
            if let Some(swap) = swaps.iter().find(|swap| swap.path == file.path) {
                (file.rows, file.size, file.sha256) = (swap.rows, swap.size, swap.sha256.clone());
            }
        }
        table.rows = table.files.iter().map(|file| file.rows).sum();
    }
    version
}
