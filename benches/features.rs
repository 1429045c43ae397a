//! Questions over a shop's core tables, as `perennial sql` asks them, and the shipped feature views at one and many
//! cut-offs, beside DuckDB on Parquet files of the same rows.
//! `cargo bench --bench features -- [customers] [python]`

#[path = "support/rows.rs"]
mod rows;
#[path = "support/shop.rs"]
mod shop;
mod support;

use anyhow::{Context, Result};
use pipeline::{Every, Silent, Spine, SqlOptions};
use shop::Shop;
use std::path::Path;
use support::{Arguments, benches, compare};

const CUSTOMERS: u64 = 50_000;
/// `queries/<name>.sql`, as a user writes it; DuckDB runs the same text.
const QUERIES: [&str; 4] = ["windows", "distinct", "gaps", "cutoffs"];
/// All feature families side by side.
const VIEW: &str = "SELECT * FROM features.customer";
/// First cut-offs; the last one is LAST_CUT_OFF, and there is one a month.
const FIRST_CUT_OFFS: [(&str, &str); 2] = [("1", "2024-12-01T00:00:00Z"), ("12", "2024-01-01T00:00:00Z")];
const LAST_CUT_OFF: &str = "2024-12-01T00:00:00Z";
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
    views(&shop, &arguments).await
}

/// The shipped views: DuckDB makes its own of the same SQL files.
async fn views(shop: &Shop, arguments: &Arguments) -> Result<()> {
    let options = |first: &str| -> Result<SqlOptions> {
        let spine = Spine::Range { from: first.parse()?, to: LAST_CUT_OFF.parse()?, every: Every::Months(1) };
        Ok(SqlOptions { spine, ..SqlOptions::default() })
    };
    for (count, first) in FIRST_CUT_OFFS {
        let spine = pipeline::sql(&shop.warehouse, "SELECT * FROM spine", &options(first)?).await?;
        pipeline::query_to_file(spine, &shop.folder().join(format!("spine_{count}.parquet")), &Silent).await?;
    }
    let sql = benches().with_file_name("sql");
    let counts = FIRST_CUT_OFFS.map(|(count, _)| count).join(",");
    let peers = arguments.peer("views_duckdb.py", &[shop.folder(), &sql, Path::new(&counts)])?;
    for (count, first) in FIRST_CUT_OFFS {
        let ask = async || -> Result<_> {
            Ok(pipeline::sql(&shop.warehouse, VIEW, &options(first)?).await?.collect().await?)
        };
        let answer = rows::answer(&ask().await?)?;
        let peer = peers.as_ref().map(|peers| peers.get(count).with_context(|| format!("no peer for {count}")));
        let name = format!("views, {count} cut-offs");
        compare(&name, None, &answer, peer.transpose()?, async || ask().await.map(drop)).await?;
    }
    Ok(())
}
