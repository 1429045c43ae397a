//! A shop's marts to a folder of Parquet files that BI reads, beside DuckDB and Polars writing the same marts from Parquet
//! files; and how time grows with the rows.
//! `cargo bench --bench publish -- [orders]... [python]`

mod support;

use anyhow::Result;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipeline::{PublishOptions, Silent};
use std::fs::File;
use std::path::Path;
use support::{Answer, Arguments, benches, compare, growth::Growth, orders, peak_memory, rows, shop::Shop};

const ORDERS: u64 = 1_000_000;
/// What is published: `sql/marts/<table>.sql`.
const TABLES: [&str; 2] = ["orders", "customer_360"];

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(ORDERS) else { return Ok(()) };
    let mut growth = Growth::default();
    for &size in &arguments.sizes {
        let folder = tempfile::tempdir()?;
        let source = orders::source(folder.path(), size)?;
        let shop = Shop::new(folder, Some(&benches().join("sql")), &[source]).await?;
        // As a shop's own systems export it: nobody else has it by customer.
        shop.export("orders", "SELECT * FROM core.orders ORDER BY event_time, order_id").await?;
        let target = shop.folder().join("published");
        let publish = async || publish(&shop, &target).await;
        let ((), memory) = peak_memory(publish).await?;
        let mut published = Answer::default();
        for table in TABLES {
            published.add_table(table, answer(&target.join("current").join(table))?);
        }
        let inputs = [shop.folder(), &benches().join("sql/marts")];
        let peers = arguments.peers("publish", &["publish_duckdb.py", "publish_polars.py"], &inputs)?;
        let seconds = compare("publish", Some(published.rows), &published, &peers, publish).await?;
        println!("{:<24} {} rows of {}, {memory} MB at most", "publish", published.rows, TABLES.join(" and "));
        growth.note("publish", size, seconds);
    }
    growth.print();
    Ok(())
}

/// As a version of its own beside those before.
async fn publish(shop: &Shop, target: &Path) -> Result<()> {
    pipeline::publish(&shop.warehouse, &target.to_string_lossy(), &PublishOptions::default(), &Silent).await?;
    Ok(())
}

fn answer(table: &Path) -> Result<Answer> {
    let mut answer = Answer::default();
    for file in table.read_dir()? {
        for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(file?.path())?)?.build()? {
            rows::add(&mut answer, &batch?)?;
        }
    }
    Ok(answer)
}
