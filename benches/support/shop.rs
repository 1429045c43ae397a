//! A simulated shop in a warehouse of its own.

use anyhow::Result;
use pipeline::{LoadOptions, Project, Silent, SimulateOptions, SqlOptions, Warehouse};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MONTHS: u32 = 24;
const SEED: u64 = 7;

/// Lives as long as its folder.
pub struct Shop {
    folder: TempDir,
    pub warehouse: Warehouse,
}

impl Shop {
    /// Loads those of the shop's raw tables that are wanted, and builds.
    pub async fn new(customers: u64, is_wanted: impl Fn(&str) -> bool) -> Result<Shop> {
        let folder = tempfile::tempdir()?;
        let options = SimulateOptions { customers, months: MONTHS, seed: SEED, horizon_days: 90, control: false };
        pipeline::simulate(&options, folder.path(), &Silent).await?;
        let project = Project::read(folder.path())?;
        let warehouse = pipeline::init(&project.warehouse_url(), pipeline::DEFAULT_BUCKETS, []).await?;
        for source in project.config.sources.iter().filter(|source| is_wanted(&source.table)) {
            let history = LoadOptions { history: source.history, ..LoadOptions::default() };
            pipeline::load(&warehouse, &source.table, &project.files(source), &history, &Silent).await?;
        }
        pipeline::build(&warehouse, &Silent).await?;
        Ok(Shop { folder, warehouse })
    }

    /// Where a peer finds what it reads.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a query's rows to `<name>.parquet` for a peer. Returns the file and its number of rows.
    pub async fn export(&self, name: &str, query: &str) -> Result<(PathBuf, u64)> {
        let file = self.folder().join(format!("{name}.parquet"));
        let query = pipeline::sql(&self.warehouse, query, &SqlOptions::default()).await?;
        let rows = pipeline::query_to_file(query, &file, &Silent).await?;
        Ok((file, rows))
    }
}
