//! A CSV file to a committed raw table, beside DuckDB copying it to a Parquet file.
//! `cargo bench --bench load -- [rows] [python]`

#[path = "support/rows.rs"]
mod rows;
mod support;

use anyhow::{Context, Result};
use pipeline::{LoadOptions, Silent, SqlOptions, Warehouse};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use support::{Arguments, compare};

const ROWS: u64 = 300_000;
const TABLE: &str = "raw.bench_orders";
const CHANNELS: [&str; 4] = ["web", "app", "store", "phone"];

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(ROWS) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.csv");
    write_orders(&file, arguments.size)?;
    println!("{}: {} rows, {} MB", TABLE, arguments.size, file.metadata()?.len() / 1_000_000);

    // What was loaded before is skipped, so every run has its own warehouse.
    let warehouses = tempfile::tempdir_in(folder.path())?;
    let load = async || -> Result<Warehouse> {
        let place = tempfile::tempdir_in(&warehouses)?.keep();
        let warehouse = pipeline::init(&place.to_string_lossy(), pipeline::DEFAULT_BUCKETS, []).await?;
        let files = [file.to_string_lossy().into_owned()];
        pipeline::load(&warehouse, TABLE, &files, &LoadOptions::default(), &Silent).await?;
        Ok(warehouse)
    };
    let query = format!("SELECT order_id, customer_id, ordered_at, amount, product_id, channel FROM {TABLE}");
    let loaded = pipeline::sql(&load().await?, &query, &SqlOptions::default()).await?;
    let answer = rows::answer(&loaded.collect().await?)?;
    let peers = arguments.peer("load_duckdb.py", &[&file])?;
    let peer = peers.as_ref().map(|peers| peers.get("load").context("no peer for load")).transpose()?;
    compare("load", Some(arguments.size), &answer, peer, async || load().await.map(drop)).await
}

/// Orders of a twentieth as many customers, in time order, over two years.
fn write_orders(path: &Path, rows: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "order_id,customer_id,ordered_at,amount,product_id,channel")?;
    let step = 2 * 365 * 86_400 / rows.max(1);
    let start = arrow::temporal_conversions::timestamp_s_to_datetime(1_672_531_200).context("2023")?;
    for order in 0..rows {
        let [customer, cents, product, channel] = [1, 2, 3, 4].map(|stream| mix(order * 4 + stream));
        let (customer, product) = (customer % (rows / 20).max(1), product % 500);
        let at = start + std::time::Duration::from_secs(order * step);
        let (cents, channel) = (cents % 20_000, CHANNELS[channel as usize % CHANNELS.len()]);
        writeln!(file, "{order},c{customer},{at},{}.{:02},{product},{channel}", cents / 100, cents % 100)?;
    }
    Ok(file.flush()?)
}

/// SplitMix64's output function: well spread numbers of consecutive ones.
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    seed ^ (seed >> 31)
}
