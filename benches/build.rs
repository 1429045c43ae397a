//! Raw orders to clustered core tables, beside DuckDB and Polars writing copies sorted by customer and time through the
//! same staging files; and how time grows with the rows.
//! `cargo bench --bench build -- [orders]... [python]`

mod support;

use anyhow::{Context, Result};
use pipeline::{Silent, SqlOptions};
use std::slice;
use support::{Answer, Arguments, RUNS, benches, compare, growth::Growth, orders, peak_memory, rows, shop::Shop};

const ORDERS: u64 = 1_000_000;
/// What is built: `sql/staging/bench/<table>.sql`.
const TABLES: [&str; 2] = ["orders", "order_lines"];

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(ORDERS) else { return Ok(()) };
    let mut growth = Growth::default();
    for &size in &arguments.sizes {
        let folder = tempfile::tempdir()?;
        let source = orders::source(folder.path(), size)?;
        // What was built before is skipped, so every build has its own warehouse.
        let mut shops = Vec::new();
        for _ in 0..=RUNS {
            let own = tempfile::tempdir_in(&folder)?;
            shops.push(Shop::loaded(own, Some(&benches().join("sql")), slice::from_ref(&source)).await?);
        }
        let mut unbuilt = shops.iter();
        let mut build = async || -> Result<&Shop> {
            let shop = unbuilt.next().context("a warehouse for each run")?;
            pipeline::build(&shop.warehouse, &Silent).await?;
            Ok(shop)
        };
        let (shop, memory) = peak_memory(&mut build).await?;
        let mut built = Answer::default();
        for table in TABLES {
            built.add_table(table, answer(shop, table).await?);
        }
        let inputs = [folder.path(), &benches().join("sql/staging/bench")];
        let peers = arguments.peers("build", &["build_duckdb.py", "build_polars.py"], &inputs)?;
        let seconds = compare("build", Some(built.rows), &built, &peers, async || build().await.map(drop)).await?;
        println!("{:<24} {} rows of {}, {memory} MB at most", "build", built.rows, TABLES.join(" and "));
        growth.note("build", size, seconds);
    }
    growth.print();
    Ok(())
}

async fn answer(shop: &Shop, table: &str) -> Result<Answer> {
    let query = format!("SELECT * FROM core.{table}");
    rows::answer(pipeline::sql(&shop.warehouse, &query, &SqlOptions::default()).await?.stream().await?).await
}
