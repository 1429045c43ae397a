//! Defines [`Store`]: one warehouse, opened.
//!
//! The file `_perennial.json` makes a folder a warehouse and holds what can never change in it: the number of buckets,
//! and the format, so that an older program refuses a newer warehouse instead of misreading it.

use std::path::{Path as FolderPath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::erase::number_at_open;
use crate::error::{Error, Result};
use crate::root::{Root, json_bytes};

pub(crate) const MARKER: &str = "_perennial.json";
const FORMAT: u32 = 1;
const MOST_BUCKETS: u32 = 4096;

/// A warehouse: tables, snapshots and run folders below one URL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) root: Arc<Root>,
    pub(crate) buckets: u32,
    /// The newest erasure when this was opened: after a later one this handle may not write.
    pub(crate) erasures: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    format: u32,
    buckets: u32,
}

impl Store {
    /// Makes `url` a warehouse whose customers are spread over `buckets` buckets, for ever. Options as in
    /// [`Store::open`].
    ///
    /// Errors: [`Error::WarehouseExists`], [`Error::Buckets`], and those of the storage.
    pub async fn init(url: &str, options: impl IntoIterator<Item = (String, String)>, buckets: u32) -> Result<Self> {
        Self::init_root(Root::open(url, options)?, buckets).await
    }

    /// Opens the warehouse at `url`: a folder, `file://`, `s3://`, `gs://`, `az://` or `abfss://`.
    ///
    /// `options` hold credentials and endpoints by the names of the clouds' environment variables (`AWS_…`, `AZURE_…`,
    /// `GOOGLE_…`); others are ignored, so a program can pass its whole environment.
    ///
    /// Errors: [`Error::NotAWarehouse`], [`Error::NewerFormat`], and those of the storage.
    pub async fn open(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        Self::open_root(Root::open(url, options)?).await
    }

    /// [`Error::InWarehouse`] if a file or folder of this machine, which need not be there yet, would lie in a warehouse:
    /// everything below its root is its own to read, to vacuum and to erase.
    pub fn must_be_outside(path: &FolderPath) -> Result<()> {
        match real(path).ancestors().find(|folder| folder.join(MARKER).is_file()) {
            Some(root) => Err(Error::InWarehouse { place: show(path), root: show(root) }),
            None => Ok(()),
        }
    }

    pub(crate) async fn init_root(root: Root, buckets: u32) -> Result<Self> {
        if !(1..=MOST_BUCKETS).contains(&buckets) {
            return Err(Error::Buckets { buckets, most: MOST_BUCKETS });
        }
        let bytes = json_bytes(MARKER, &Marker { format: FORMAT, buckets })?;
        match root.create(MARKER, bytes).await {
            Err(Error::Exists { .. }) => Err(Error::WarehouseExists { url: root.show("") }),
            created => created.map(|()| Store { root: Arc::new(root), buckets, erasures: 0 }),
        }
    }

    pub(crate) async fn open_root(root: Root) -> Result<Self> {
        let marker: serde_json::Value = match root.get_json(MARKER).await {
            Err(Error::Missing { .. }) => return Err(Error::NotAWarehouse { url: root.show("") }),
            marker => marker?,
        };
        // The format first: a newer one may have other fields.
        let format = marker.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let found = u32::try_from(format).unwrap_or(u32::MAX);
        if found > FORMAT {
            return Err(Error::NewerFormat { path: root.show(MARKER), found, supported: FORMAT });
        }
        let marker: Marker = serde_json::from_value(marker)
            .map_err(|e| Error::Damaged { path: root.show(MARKER), reason: e.to_string() })?;
        let erasures = number_at_open(&root).await?;
        Ok(Store { root: Arc::new(root), buckets: marker.buckets, erasures })
    }

    /// The root of the warehouse; ends with a slash.
    pub fn url(&self) -> &Url {
        &self.root.url
    }

    /// Scheme and bucket of [`Store::url`]: what [`Store::object_store`] is registered under.
    pub fn store_url(&self) -> Url {
        let mut url = self.root.url.clone();
        url.set_path("/");
        url
    }

    /// The object store that the warehouse lies in, rooted at the bucket or at the root of the file system.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.root.objects.clone()
    }

    /// Where the file `rel` of the warehouse lies in [`Store::object_store`].
    pub fn path(&self, rel: &str) -> Result<Path> {
        self.root.path(rel)
    }

    /// The folder of the warehouse, when it is one of this machine.
    pub fn folder(&self) -> Option<&FolderPath> {
        self.root.folder.as_deref()
    }

    /// How many buckets customers are spread over.
    pub fn buckets(&self) -> u32 {
        self.buckets
    }
}

/// The path without links, as far as it is there.
fn real(path: &FolderPath) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path.ancestors().find_map(|there| Some((there.canonicalize().ok()?, path.strip_prefix(there).ok()?)));
    real.map_or_else(|| path.clone(), |(real, rest)| real.join(rest))
}

fn show(path: &FolderPath) -> String {
    path.display().to_string()
}
