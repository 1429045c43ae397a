//! Questions over a shop's core tables, as `perennial sql` asks them, beside DuckDB on Parquet files of the same rows.
//! `cargo bench --bench features -- [customers] [python]`

#[path = "support/rows.rs"]
mod rows;
#[path = "support/shop.rs"]
mod shop;
mod support;

use anyhow::{Context, Result};
use pipeline::SqlOptions;
use shop::Shop;
use support::{Arguments, benches, compare};

const CUSTOMERS: u64 = 50_000;
/// `queries/<name>.sql`, as a user writes it; DuckDB runs the same text.
const QUERIES: [&str; 4] = ["windows", "distinct", "gaps", "cutoffs"];
/// Tables that the queries read.
const TABLES: [&str; 2] = ["orders", "order_lines"];

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(CUSTOMERS) else { return Ok(()) };
    let shop = Shop::new(arguments.size, |raw| TABLES.iter().any(|table| raw == format!("raw.shop_{table}"))).await?;
    for table in TABLES {
        // As a shop's own systems export it: nobody else has it by customer.
        let query = format!("SELECT * FROM core.{table} ORDER BY event_time, order_id");
        let (_, rows) = shop.export(table, &query).await?;
        println!("core.{table}: {rows} rows");
    }
    let queries = benches().join("queries");
    let peers = arguments.peer("features_duckdb.py", &[shop.folder(), &queries])?;
    for name in QUERIES {
        let path = queries.join(name).with_extension("sql");
        let query = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let ask = async || -> Result<_> {
            let planned = pipeline::sql(&shop.warehouse, &query, &SqlOptions::default()).await?;
            Ok(planned.collect().await?)
        };
        let answer = rows::answer(&ask().await?)?;
        let peer = peers.as_ref().map(|peers| peers.get(name).with_context(|| format!("no peer for {name}")));
        compare(name, None, &answer, peer.transpose()?, async || ask().await.map(drop)).await?;
    }
    Ok(())
}
