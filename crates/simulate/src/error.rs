use std::path::PathBuf;

use parquet::errors::ParquetError;

/// What can go wrong while a shop is simulated, by the user's situation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{setting} = {value} can not be simulated; valid is {valid}")]
    Setting { setting: &'static str, value: String, valid: String },
    #[error("{} is not empty; name a folder that does not exist yet, or empty this one", path.display())]
    OutputNotEmpty { path: PathBuf },
    #[error("{} is not a folder; name a folder that does not exist yet", path.display())]
    OutputNotAFolder { path: PathBuf },
    #[error("could not read {}: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("could not write Parquet rows to {}", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
}

pub type Result<T> = std::result::Result<T, Error>;
