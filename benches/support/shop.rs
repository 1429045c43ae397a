//! A warehouse of its own, in a folder that goes with it.

use anyhow::Result;
use pipeline::{LoadOptions, Silent, SqlOptions, Warehouse};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Lives as long as its folder.
pub struct Shop {
    folder: TempDir,
    pub warehouse: Warehouse,
}

impl Shop {
    /// Loads files into raw tables, and builds. `sql` has SQL files that are not shipped.
    pub async fn new(folder: TempDir, sql: Option<&Path>, sources: &[(String, Vec<String>)]) -> Result<Shop> {
        let shop = Shop::loaded(folder, sql, sources).await?;
        pipeline::build(&shop.warehouse, &Silent).await?;
        Ok(shop)
    }

    /// Only loads.
    pub async fn loaded(folder: TempDir, sql: Option<&Path>, sources: &[(String, Vec<String>)]) -> Result<Shop> {
        let url = folder.path().join("warehouse").to_string_lossy().into_owned();
        pipeline::init(&url, pipeline::DEFAULT_BUCKETS, []).await?;
        let warehouse = pipeline::open(&url, sql, []).await?;
        for (table, files) in sources {
            let history = LoadOptions { history: true, ..LoadOptions::default() };
            pipeline::load(&warehouse, table, files, &history, &Silent).await?;
        }
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
