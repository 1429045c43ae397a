//! Defines [`Error`]: every way in which a warehouse lets its user down, each with what to do about it.

use std::error::Error as StdError;
use std::io::ErrorKind;

use chrono::{DateTime, Utc};
use deltalake::DeltaTableError;

use crate::refusal::Refusal;

/// An error of any origin: what streams of batches handed to the store may fail with.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// The result of anything that touches a warehouse.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a user of a warehouse can run into.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use '{url}': {reason}; give a folder, file://, s3://bucket/…, gs://bucket/… or az://container/…")]
    Location { url: String, reason: String },

    #[error("there is no warehouse at {url}: run `perennial init` first, or check the path")]
    NotAWarehouse { url: String },

    #[error("there is a warehouse at {url} already")]
    WarehouseExists { url: String },

    #[error("{path} has format {found}, this program reads up to {supported}: use a newer perennial")]
    NewerFormat { path: String, found: u32, supported: u32 },

    #[error("a warehouse has between 1 and {most} buckets, not {buckets}")]
    Buckets { buckets: u32, most: u32 },

    #[error("there is no bucket or container for {path}: create it first, or check its name")]
    NoBucket { path: String },

    #[error("the credentials for {path} are not accepted: check {}", settings(.path))]
    Credentials { path: String, source: BoxError },

    #[error("no permission for {path}: check the rights to read, write, list and delete there")]
    Denied { path: String, source: BoxError },

    #[error("there is no {path}")]
    Missing { path: String },

    #[error("{place} lies in the warehouse {root}, whose files are its own: name a place outside of it")]
    InWarehouse { place: String, root: String },

    #[error("{path} exists already and is not replaced")]
    Exists { path: String },

    #[error("cannot read or write {path}")]
    Storage { path: String, source: BoxError },

    #[error("{path} is damaged: {reason}")]
    Damaged { path: String, reason: String },

    #[error("'{name}' is no valid name: {valid}")]
    Name { name: String, valid: &'static str },

    #[error("there is no table {table} at version {version}{}", newest_version(.newest))]
    NoTable { table: String, version: u64, newest: Option<u64> },

    #[error("there is no snapshot {id}; {}", snapshots(*.oldest, *.newest))]
    NoSnapshot { id: u64, oldest: u64, newest: u64 },

    #[error("{table}.{column}: {reason}")]
    Column { table: String, column: String, reason: String },

    #[error("{table} is laid out as {existing}, not as {asked}: the layout is fixed when a table is created")]
    Layout { table: String, existing: String, asked: String },

    #[error("another writer has just written '{app_id}' to {table}: run this again to see what is left to do")]
    AlreadyWritten { table: String, app_id: String },

    #[error("an older snapshot was restored meanwhile, and {table} with it: run this again on what there is now")]
    Restored { table: String },

    #[error(
        "{table} at version {version} is no longer whole: vacuum took {files} of its files; perennial history {table} \
             shows which versions snapshots still name"
    )]
    Vacuumed { table: String, version: u64, files: usize },

    #[error(
        "{table}: what was written more than {hours} hours ago can't be committed, since vacuum may have taken it for \
             left over; write less at a time"
    )]
    TooOld { table: String, hours: i64 },

    #[error("{what}: other writers were faster {attempts} times in a row; run this again")]
    Contended { what: String, attempts: u32 },

    #[error("cannot read the rows for {table}")]
    Input { table: String, source: BoxError },

    #[error("cannot use the Delta log of {table}")]
    Delta { table: String, source: DeltaTableError },

    #[error("cannot keep the rows for {table} in a temporary file in {folder}; TMPDIR can name another folder")]
    Spill { table: String, folder: String, source: arrow::error::ArrowError },

    #[error("cannot write Parquet for {table}")]
    Parquet { table: String, source: parquet::errors::ParquetError },

    #[error(
        "customers are being erased by {owner} since {since}: wait until that is done. If its process is gone, \
         `perennial erase` finishes its work once its lock {path} is a minute old"
    )]
    Erasing { path: String, owner: String, since: DateTime<Utc> },

    #[error(
        "customers were erased since this began, and what it has read may hold them: nothing was written; run this again"
    )]
    ErasedMeanwhile,

    #[error("version {version} was not published: {newest} was published meanwhile; run this again")]
    Overtaken { version: u64, newest: u64 },
}

impl Error {
    /// Says what a failed request to the storage at `path` means for the user.
    pub(crate) fn storage(path: impl ToString, source: object_store::Error) -> Self {
        let path = path.to_string();
        match (Refusal::of(&source), source) {
            (Some(Refusal::Bucket), _) => Error::NoBucket { path },
            (Some(Refusal::Credentials(said)), _) => Error::Credentials { path, source: said.into() },
            (Some(Refusal::Rights(said)), _) => Error::Denied { path, source: said.into() },
            (None, object_store::Error::NotFound { .. }) => Error::Missing { path },
            (None, object_store::Error::AlreadyExists { .. }) => Error::Exists { path },
            (None, source) if is_denied_here(&source) => Error::Denied { path, source: source.into() },
            (None, source) => Error::Storage { path, source: source.into() },
        }
    }

    /// Says what a failed write to `path` means: only the bucket can be missing then.
    pub(crate) fn write(path: impl ToString, source: object_store::Error) -> Self {
        match Self::storage(path, source) {
            Error::Missing { path } => Error::NoBucket { path },
            error => error,
        }
    }

    /// Whether a commit was refused, before it was made, because of an erasure.
    pub(crate) fn is_of_erasure(&self) -> bool {
        matches!(self, Error::Erasing { .. } | Error::ErasedMeanwhile)
    }

    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        let path = path.display().to_string();
        match source.kind() {
            ErrorKind::NotFound => Error::Missing { path },
            ErrorKind::AlreadyExists => Error::Exists { path },
            ErrorKind::PermissionDenied => Error::Denied { path, source: source.into() },
            _ => Error::Storage { path, source: source.into() },
        }
    }

    pub(crate) fn parquet(table: &str, source: impl Into<parquet::errors::ParquetError>) -> Self {
        Error::Parquet { table: table.to_owned(), source: source.into() }
    }

    pub(crate) fn spill(table: &str, source: arrow::error::ArrowError) -> Self {
        Error::Spill { table: table.to_owned(), folder: tempfile::env::temp_dir().display().to_string(), source }
    }

    pub(crate) fn delta(table: &str, source: impl Into<DeltaTableError>) -> Self {
        match source.into() {
            DeltaTableError::ObjectStore { source } => Error::storage(table, source),
            source => Error::Delta { table: table.to_owned(), source },
        }
    }

    pub(crate) fn column(table: &str, column: &str, reason: impl Into<String>) -> Self {
        Error::Column { table: table.to_owned(), column: column.to_owned(), reason: reason.into() }
    }
}

fn newest_version(version: &Option<u64>) -> String {
    version.map_or_else(String::new, |version| format!("; its newest version is {version}"))
}

fn snapshots(oldest: u64, newest: u64) -> String {
    match oldest {
        0 | 1 => format!("the newest one is {newest}"),
        oldest => format!("vacuum kept {oldest} to {newest}"),
    }
}

/// Which settings hold the credentials for a URL.
fn settings(url: &str) -> &'static str {
    match url.split_once("://").map_or("", |(scheme, _)| scheme) {
        "s3" | "s3a" => "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, of temporary ones, AWS_SESSION_TOKEN",
        "gs" => "GOOGLE_APPLICATION_CREDENTIALS",
        "az" | "adl" | "azure" | "abfs" | "abfss" => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        _ => "the AWS_…, AZURE_… or GOOGLE_… variables",
    }
}

/// Local folders report missing rights only as the cause of another error.
fn is_denied_here(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if inner.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::PermissionDenied) {
            return true;
        }
        cause = inner.source();
    }
    false
}
