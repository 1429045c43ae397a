//! Questions over a shop's core tables, as `perennial sql` asks them, and the shipped feature views at one and many
//! cut-offs, beside DuckDB on Parquet files of the same rows; and how time grows with the rows.
//! `cargo bench --bench features -- [orders]... [python]`

mod support;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use pipeline::{Every, Silent, Spine, SqlOptions, parse_time};
use std::path::Path;
use support::{Arguments, benches, compare, growth::Growth, orders, peak_memory, rows, shop::Shop};

const ORDERS: u64 = 1_000_000;
/// `queries/<name>.sql`, as a user writes it; DuckDB runs the same text.
const QUERIES: [&str; 6] = ["windows", "distinct", "gaps", "cutoffs", "rfm", "cohorts"];
/// All feature families side by side.
const VIEW: &str = "SELECT * FROM features.customer";
/// First cut-offs; the last one is LAST_CUT_OFF, and there is one a month.
const FIRST_CUT_OFFS: [(&str, &str); 3] = [("1", "2024-12-01"), ("12", "2024-01-01"), ("36", "2022-01-01")];
const LAST_CUT_OFF: &str = "2024-12-01";
/// Peers make a row of each fact and cut-off: what takes them hours is not asked.
const MOST_PEER_ROWS: u64 = 150_000_000;
/// Tables that the queries read.
const TABLES: [&str; 2] = ["orders", "order_lines"];

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(ORDERS) else { return Ok(()) };
    let mut growth = Growth::default();
    for &size in &arguments.sizes {
        let folder = tempfile::tempdir()?;
        let source = orders::source(folder.path(), size)?;
        let shop = Shop::new(folder, Some(&benches().join("sql")), &[source]).await?;
        for table in TABLES {
            // As a shop's own systems export it: nobody else has it by customer.
            let query = format!("SELECT * FROM core.{table} ORDER BY event_time, order_id");
            let (_, rows) = shop.export(table, &query).await?;
            println!("core.{table}: {rows} rows");
        }
        queries(&shop, &arguments, size, &mut growth).await?;
        views(&shop, &arguments, size, &mut growth).await?;
    }
    growth.print();
    Ok(())
}

async fn queries(shop: &Shop, arguments: &Arguments, size: u64, growth: &mut Growth) -> Result<()> {
    let queries = benches().join("queries");
    let peers = arguments.peer("features_duckdb.py", &[shop.folder(), &queries])?;
    for name in QUERIES {
        let path = queries.join(name).with_extension("sql");
        let query = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let ask = async || pipeline::sql(&shop.warehouse, &query, &SqlOptions::default()).await;
        let answer = rows::answer(ask().await?.stream().await?).await?;
        let peer = peers.as_ref().map(|peers| peers.get(name).with_context(|| format!("no peer for {name}")));
        let seconds = compare(name, None, &answer, peer.transpose()?, async || {
            ask().await?.collect().await?;
            Ok(())
        })
        .await?;
        growth.note(name, size, seconds);
    }
    Ok(())
}

/// The shipped views: DuckDB makes its own of the same SQL files.
async fn views(shop: &Shop, arguments: &Arguments, size: u64, growth: &mut Growth) -> Result<()> {
    let options = |first: &str| -> Result<SqlOptions> {
        let spine = Spine::Range { from: parse_time(first)?, to: parse_time(LAST_CUT_OFF)?, every: Every::Months(1) };
        Ok(SqlOptions { spine, ..SqlOptions::default() })
    };
    for (count, first) in FIRST_CUT_OFFS {
        let spine = pipeline::sql(&shop.warehouse, "SELECT * FROM spine", &options(first)?).await?;
        pipeline::query_to_file(spine, &shop.folder().join(format!("spine_{count}.parquet")), &Silent).await?;
    }
    let sql = benches().with_file_name("sql");
    for (count, first) in FIRST_CUT_OFFS {
        let peers = match size * count.parse::<u64>()? <= MOST_PEER_ROWS {
            true => arguments.peer("views_duckdb.py", &[shop.folder(), &sql, Path::new(count)])?,
            false => None,
        };
        let options = options(first)?;
        // Batch by batch: there may be more rows than memory.
        let ask = async || -> Result<_> { Ok(pipeline::sql(&shop.warehouse, VIEW, &options).await?.stream().await?) };
        let (answer, memory) = peak_memory(async || rows::answer(ask().await?).await).await?;
        let peer = peers.as_ref().map(|peers| peers.get(count).with_context(|| format!("no peer for {count}")));
        let name = format!("views, {count} cut-offs");
        let seconds = compare(&name, None, &answer, peer.transpose()?, async || {
            Ok(ask().await?.try_for_each(async |_| Ok(())).await?)
        })
        .await?;
        println!("{name:<24} {} rows, {memory} MB at most", answer.rows);
        growth.note(&name, size, seconds);
    }
    Ok(())
}
