//! Defines [`Root`]: a URL and the object store behind it, for warehouses and publish targets alike.
//!
//! A local folder is addressed through the object store of the whole file system, as a bucket is, so that the same
//! paths work in Delta, in DataFusion and here.

use std::path::{Component, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{Error, Result};
use crate::idempotent::Idempotent;
use crate::local::LocalFiles;

/// Options count only with one of these prefixes, in any case: a program can pass its whole environment.
const OPTION_PREFIXES: [&str; 3] = ["aws_", "azure_", "google_"];

/// A place that holds files: one prefix of one object store.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Ends with a slash.
    pub(crate) url: Url,
    /// Where `url` lies in `objects`.
    pub(crate) prefix: Path,
    /// Rooted at the bucket, or at the root of the file system.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The folder, when it is one of this machine.
    pub(crate) folder: Option<PathBuf>,
}

impl Root {
    pub(crate) fn open(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let root = Root::open_to_read(url, options)?;
        if root.is_web() {
            let reason = "files of the web can only be read".to_owned();
            return Err(Error::Location { url: url.to_owned(), reason });
        }
        Ok(root)
    }

    /// Whether it lies on a web server; object stores have URLs of the same kind.
    pub(crate) fn is_web(&self) -> bool {
        matches!(ObjectStoreScheme::parse(&self.url), Ok((ObjectStoreScheme::Http, _)))
    }

    /// A place of which files are only read, which may be a web server.
    pub(crate) fn open_to_read(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let invalid = |reason: String| Error::Location { url: url.to_owned(), reason };
        let mut parsed = match url.contains("://") {
            true => Url::parse(url).map_err(|e| invalid(e.to_string()))?,
            false => folder_url(url).map_err(&invalid)?,
        };
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(invalid("it has a '?' or '#'".to_owned()));
        }
        if !parsed.path().ends_with('/') {
            parsed.set_path(&format!("{}/", parsed.path()));
        }
        let (scheme, prefix) = ObjectStoreScheme::parse(&parsed).map_err(|e| invalid(e.to_string()))?;
        if prefix.as_ref().contains('%') {
            return Err(invalid("it has a '%', which other readers of Delta tables decode once too often".to_owned()));
        }
        let (objects, folder): (Arc<dyn ObjectStore>, _) = match scheme {
            ObjectStoreScheme::Local => {
                let folder = parsed.to_file_path().map_err(|()| invalid("it is no absolute path".to_owned()))?;
                (Arc::new(LocalFiles::default()), Some(folder))
            }
            ObjectStoreScheme::AmazonS3
            | ObjectStoreScheme::GoogleCloudStorage
            | ObjectStoreScheme::MicrosoftAzure
            | ObjectStoreScheme::Http => {
                let options: Vec<(String, String)> = options
                    .into_iter()
                    .map(|(key, value)| (key.to_ascii_lowercase(), value))
                    .filter(|(key, _)| OPTION_PREFIXES.iter().any(|prefix| key.starts_with(prefix)))
                    .collect();
                // Whoever names a server so wants it asked so.
                let is_http =
                    |(key, value): &(String, String)| key.contains("endpoint") && value.starts_with("http://");
                let is_unencrypted = parsed.scheme() == "http" || options.iter().any(is_http);
                let unencrypted = is_unencrypted.then(|| ("allow_http".to_owned(), true.to_string()));
                let objects = object_store::parse_url_opts(&parsed, unencrypted.into_iter().chain(options));
                (Arc::new(Idempotent::new(objects.map_err(|e| invalid(e.to_string()))?.0)), None)
            }
            _ => return Err(invalid(format!("'{}' is no supported kind of storage", parsed.scheme()))),
        };
        Ok(Root { url: parsed, prefix, objects, folder })
    }

    /// The place of `rel` in `objects`.
    pub(crate) fn path(&self, rel: &str) -> Result<Path> {
        let rel = Path::parse(rel)
            .map_err(|_| Error::Name { name: rel.to_owned(), valid: "a path below the root, with no '..' or '//'" })?;
        Ok(self.prefix.parts().chain(rel.parts()).collect())
    }

    /// How messages name `rel`.
    pub(crate) fn show(&self, rel: &str) -> String {
        match &self.folder {
            Some(folder) => folder.join(rel).display().to_string(),
            None => format!("{}{rel}", self.url),
        }
    }

    pub(crate) async fn get(&self, rel: &str) -> Result<Bytes> {
        let result = async { self.objects.get(&self.path(rel)?).await.map_err(|e| Error::storage(self.show(rel), e)) };
        result.await?.bytes().await.map_err(|e| Error::storage(self.show(rel), e))
    }

    /// Writes `rel`, whole or not at all, over what was there.
    pub(crate) async fn put(&self, rel: &str, bytes: Bytes) -> Result<()> {
        let put = self.objects.put(&self.path(rel)?, bytes.into()).await;
        put.map(|_| ()).map_err(|e| Error::write(self.show(rel), e))
    }

    /// Writes `rel`, whole or not at all; [`Error::Exists`] if it is there already.
    pub(crate) async fn create(&self, rel: &str, bytes: Bytes) -> Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.objects.put_opts(&self.path(rel)?, bytes.into(), options).await;
        put.map(|_| ()).map_err(|e| Error::write(self.show(rel), e))
    }

    pub(crate) async fn get_json<T: DeserializeOwned>(&self, rel: &str) -> Result<T> {
        let bytes = self.get(rel).await?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Damaged { path: self.show(rel), reason: e.to_string() })
    }

    /// Every file below `rel`, relative to the root, in order of name.
    pub(crate) async fn list(&self, rel: &str) -> Result<Vec<String>> {
        let found = self.list_objects(rel).await?;
        let mut names: Vec<String> = found.iter().filter_map(|meta| self.relative(&meta.location)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The same with size and age, in no order.
    pub(crate) async fn list_objects(&self, rel: &str) -> Result<Vec<ObjectMeta>> {
        let path = self.path(rel)?;
        self.objects.list(Some(&path)).try_collect().await.map_err(|e| Error::storage(self.show(rel), e))
    }

    /// Deletes `rel`; that it is gone already is fine.
    pub(crate) async fn delete(&self, rel: &str) -> Result<()> {
        match self.objects.delete(&self.path(rel)?).await.map_err(|e| Error::storage(self.show(rel), e)) {
            Err(Error::Missing { .. }) => Ok(()),
            deleted => deleted,
        }
    }

    /// The names of the folders directly below `rel`.
    pub(crate) async fn folders(&self, rel: &str) -> Result<Vec<String>> {
        let (_, folders) = self.entries(rel).await?;
        Ok(folders.iter().filter_map(|folder| folder.rsplit('/').next().map(str::to_owned)).collect())
    }

    /// The files and the folders directly below `rel`, relative to the root.
    pub(crate) async fn entries(&self, rel: &str) -> Result<(Vec<String>, Vec<String>)> {
        let path = self.path(rel)?;
        let found = self.objects.list_with_delimiter(Some(&path)).await;
        let found = found.map_err(|e| Error::storage(self.show(rel), e))?;
        let files = found.objects.iter().filter_map(|object| self.relative(&object.location));
        let folders = found.common_prefixes.iter().filter_map(|path| self.relative(path));
        Ok((files.collect(), folders.collect()))
    }

    pub(crate) fn relative(&self, path: &Path) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.prefix)?.collect();
        Some(parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>().join("/"))
    }
}

/// `value` as the bytes of a JSON file that people may read.
pub(crate) fn json_bytes<T: Serialize>(path: &str, value: &T) -> Result<Bytes> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::Damaged { path: path.to_owned(), reason: e.to_string() })?;
    Ok(text.into())
}

/// The URL of a folder that may not exist yet; `..` is resolved the way the file system would.
fn folder_url(folder: &str) -> Result<Url, String> {
    let mut resolved = PathBuf::new();
    for component in std::path::absolute(folder).map_err(|e| e.to_string())?.components() {
        if component == Component::ParentDir {
            resolved = resolved.canonicalize().unwrap_or(resolved);
            resolved.pop();
        } else {
            resolved.push(component);
        }
    }
    Url::from_directory_path(&resolved).map_err(|()| "it is no path of this machine".to_owned())
}
