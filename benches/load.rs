//! A CSV file to a committed raw table, beside DuckDB copying it to a Parquet file.
//! `cargo bench --bench load -- [rows] [python]`

mod support;

use anyhow::{Context, Result};
use pipeline::{LoadOptions, Silent, SqlOptions, Warehouse};
use support::{
    Arguments, compare,
    orders::{self, TABLE},
    rows,
};

const ROWS: u64 = 300_000;

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(ROWS) else { return Ok(()) };
    let size = arguments.sizes[0];
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.csv");
    orders::write_csv(&file, size)?;
    println!("{TABLE}: {size} rows, {} MB", file.metadata()?.len() / 1_000_000);

    // What was loaded before is skipped, so every run has its own warehouse.
    let warehouses = tempfile::tempdir_in(folder.path())?;
    let load = async || -> Result<Warehouse> {
        let place = tempfile::tempdir_in(&warehouses)?.keep();
        let warehouse = pipeline::init(&place.to_string_lossy(), pipeline::DEFAULT_BUCKETS, []).await?;
        let files = [file.to_string_lossy().into_owned()];
        pipeline::load(&warehouse, TABLE, &files, &LoadOptions::default(), &Silent).await?;
        Ok(warehouse)
    };
    let query = format!("SELECT order_id, customer_id, event_time, amount, product_id, channel FROM {TABLE}");
    let loaded = pipeline::sql(&load().await?, &query, &SqlOptions::default()).await?;
    let answer = rows::answer(loaded.stream().await?).await?;
    let peers = arguments.peer("load_duckdb.py", &[&file])?;
    let peer = peers.as_ref().map(|peers| peers.get("load").context("no peer for load")).transpose()?;
    compare("load", Some(size), &answer, peer, async || load().await.map(drop)).await?;
    Ok(())
}
