//! Defines [`Files`]: files to be read that lie at a URL of their own, outside of any warehouse.

use std::path::Path as FolderPath;

use crate::error::Result;
use crate::root::Root;

/// The files below one URL.
#[derive(Debug, Clone)]
pub struct Files {
    root: Root,
}

impl Files {
    /// The files below `url`, a folder, a prefix, or a folder of a web server. Options as in [`crate::Store::open`].
    ///
    /// Errors: [`crate::Error::Location`].
    pub fn open(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        Ok(Files { root: Root::open_to_read(url, options)? })
    }

    /// Whether it is a web server, which lists no files.
    pub fn is_web(&self) -> bool {
        self.root.is_web()
    }

    /// Whether there is a file `rel`.
    pub async fn has(&self, rel: &str) -> Result<bool> {
        self.root.has(rel).await
    }

    /// Every file below the folder `rel`, by its path from the URL, in order of name.
    pub async fn list(&self, rel: &str) -> Result<Vec<String>> {
        self.root.list(rel).await
    }

    /// How messages name the file `rel`.
    pub fn show(&self, rel: &str) -> String {
        self.root.show(rel)
    }

    /// Copies the file `rel` to the local file `local`; [`crate::Error::Missing`] if it is not there.
    pub async fn download(&self, rel: &str, local: &FolderPath) -> Result<()> {
        self.root.download(rel, local).await
    }
}
