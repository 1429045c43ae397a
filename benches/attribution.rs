//! `insights.attribution` over many touches, beside DuckDB asked the same SQL of Parquet files of the same rows; and how time
//! grows with them. `cargo bench --bench attribution -- [touches]... [python]`

mod support;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use pipeline::SqlOptions;
use support::{Arguments, benches, compare, growth::Growth, orders, peak_memory, rows, shop::Shop};

const TOUCHES: u64 = 10_000_000;
/// As sql/staging/contacts says.
const MESSAGES: &str = "raw.contacts_messages";
/// A company sends more than its customers buy.
const TOUCHES_PER_ORDER: u64 = 5;
const VIEW: &str = "SELECT * FROM insights.attribution";

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(TOUCHES) else { return Ok(()) };
    let mut growth = Growth::default();
    for &size in &arguments.sizes {
        let folder = tempfile::tempdir()?;
        let bought = orders::source(folder.path(), size / TOUCHES_PER_ORDER)?;
        let customers = size / TOUCHES_PER_ORDER / orders::ORDERS_PER_CUSTOMER;
        let sent = orders::source_of(MESSAGES, &folder.path().join("messages.parquet"), size, customers)?;
        let shop = Shop::new(folder, Some(&benches().join("sql")), &[bought, sent]).await?;
        // As a company's own systems export them: nobody else has them by customer.
        for (table, key) in [("orders", "order_id"), ("touches", "touch_id")] {
            let (_, rows) =
                shop.export(table, &format!("SELECT * FROM core.{table} ORDER BY event_time, {key}")).await?;
            println!("core.{table}: {rows} rows");
        }
        let sql = benches().with_file_name("sql");
        let peers = arguments.peer("attribution_duckdb.py", &[shop.folder(), &sql])?;
        let peer = peers.as_ref().map(|peers| peers.get("attribution").context("no answer")).transpose()?;
        let ask = async || -> Result<_> {
            Ok(pipeline::sql(&shop.warehouse, VIEW, &SqlOptions::default()).await?.stream().await?)
        };
        let (answer, memory) = peak_memory(async || rows::answer(ask().await?).await).await?;
        let seconds = compare("attribution", Some(size), &answer, peer, async || {
            Ok(ask().await?.try_for_each(async |_| Ok(())).await?)
        })
        .await?;
        println!("{:<24} {} rows, {memory} MB at most", "attribution", answer.rows);
        growth.note("attribution", size, seconds);
    }
    growth.print();
    Ok(())
}
