//! Defines the plain files of a warehouse: run folders, and whatever else is no table.
//!
//! A folder is uploaded file by file, and one file of it, named by the caller, last: where that file is, the folder is
//! whole. No rename is needed, which object stores do not have.

use std::fs::File;
use std::io::Read;
use std::path::{Path as FolderPath, PathBuf};

use bytes::Bytes;
use object_store::{ObjectStoreExt, WriteMultipart};

use crate::error::{Error, Result};
use crate::root::Root;
use crate::store::Store;

/// The folder that the folders of runs lie in.
pub const RUNS: &str = "runs";
/// Larger files are sent in parts of this size, so that no whole file need be in memory.
const PART_BYTES: usize = 16 << 20;
/// Parts on their way at once.
const PARTS_IN_FLIGHT: usize = 4;

impl Store {
    /// Writes the file `rel`, whole or not at all, over what was there.
    pub async fn put_file(&self, rel: &str, bytes: impl Into<Bytes>) -> Result<()> {
        self.root.put(rel, bytes.into()).await
    }

    /// Writes the file `rel`, whole or not at all; [`Error::Exists`] if it is there, whoever wrote it.
    pub async fn create_file(&self, rel: &str, bytes: impl Into<Bytes>) -> Result<()> {
        self.root.create(rel, bytes.into()).await
    }

    /// Reads the file `rel`; [`Error::Missing`] if it is not there.
    pub async fn get_file(&self, rel: &str) -> Result<Bytes> {
        self.root.get(rel).await
    }

    /// Every file below the folder `rel`, by its path in the warehouse, in order of name.
    pub async fn list(&self, rel: &str) -> Result<Vec<String>> {
        self.root.list(rel).await
    }

    /// Copies the folder `local` to `rel`, its file `last` after all others. [`Error::Exists`] if `rel` is whole
    /// already; what a killed upload left there is written over.
    pub async fn upload_folder(&self, local: &FolderPath, rel: &str, last: &str) -> Result<()> {
        let marker = format!("{rel}/{last}");
        if self.root.has(&marker).await? {
            return Err(Error::Exists { path: self.root.show(&marker) });
        }
        let final_bytes = std::fs::read(local.join(last)).map_err(|e| Error::io(&local.join(last), e))?;
        for name in files_below(local)? {
            if name != last {
                self.upload_file(&local.join(&name), &format!("{rel}/{name}")).await?;
            }
        }
        self.create_file(&marker, final_bytes).await
    }

    /// Copies the folder `rel` to `local`, its file `last` after all others. [`Error::Missing`] if `rel` has no file
    /// `last`: no such folder, or one that was never finished.
    pub async fn download_folder(&self, rel: &str, local: &FolderPath, last: &str) -> Result<()> {
        let marker = format!("{rel}/{last}");
        let final_bytes = self.get_file(&marker).await?;
        for file in self.list(rel).await? {
            let Some(name) = file.strip_prefix(&format!("{rel}/")).filter(|name| *name != last) else { continue };
            self.root.download(&file, &local.join(name)).await?;
        }
        write_whole(&local.join(last), &final_bytes)
    }

    async fn upload_file(&self, local: &FolderPath, rel: &str) -> Result<()> {
        let io = |e| Error::io(local, e);
        let mut file = File::open(local).map_err(io)?;
        if file.metadata().map_err(io)?.len() <= PART_BYTES as u64 {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(io)?;
            return self.root.put(rel, bytes.into()).await;
        }
        let failed = |e| Error::storage(self.root.show(rel), e);
        let upload = self.root.objects.put_multipart(&self.path(rel)?).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        loop {
            upload.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(failed)?;
            let mut part = Vec::with_capacity(PART_BYTES);
            if file.by_ref().take(PART_BYTES as u64).read_to_end(&mut part).map_err(io)? == 0 {
                break;
            }
            upload.put(part.into());
        }
        upload.finish().await.map(|_| ()).map_err(failed)
    }
}

impl Root {
    pub(crate) async fn has(&self, rel: &str) -> Result<bool> {
        match self.objects.head(&self.path(rel)?).await.map_err(|e| Error::storage(self.show(rel), e)) {
            Ok(_) => Ok(true),
            Err(Error::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Copies the file `rel` to `local`, in parts if it is large.
    pub(crate) async fn download(&self, rel: &str, local: &FolderPath) -> Result<()> {
        let failed = |e| Error::storage(self.show(rel), e);
        let size = self.objects.head(&self.path(rel)?).await.map_err(failed)?.size;
        if size <= PART_BYTES as u64 {
            return write_whole(local, &self.get(rel).await?);
        }
        create_parent(local)?;
        let mut file = File::create(local).map_err(|e| Error::io(local, e))?;
        let mut start = 0;
        while start < size {
            let end = size.min(start + PART_BYTES as u64);
            let part = self.objects.get_range(&self.path(rel)?, start..end).await.map_err(failed)?;
            std::io::Write::write_all(&mut file, &part).map_err(|e| Error::io(local, e))?;
            start = end;
        }
        Ok(())
    }
}

/// Every file below `folder`, relative to it with slashes, in order of name.
fn files_below(folder: &FolderPath) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting: Vec<(PathBuf, String)> = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))? {
            let entry = entry.map_err(|e| Error::io(&folder, e))?;
            let Ok(name) = entry.file_name().into_string() else {
                let name = entry.path().display().to_string();
                return Err(Error::Name { name, valid: "names of files must be UTF-8" });
            };
            // Follows links: what a run folder points at belongs to it.
            let is_folder = std::fs::metadata(entry.path()).map_err(|e| Error::io(&entry.path(), e))?.is_dir();
            match is_folder {
                true => waiting.push((entry.path(), format!("{prefix}{name}/"))),
                false => found.push(format!("{prefix}{name}")),
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn write_whole(path: &FolderPath, bytes: &[u8]) -> Result<()> {
    create_parent(path)?;
    std::fs::write(path, bytes).map_err(|e| Error::io(path, e))
}

fn create_parent(path: &FolderPath) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))
}
