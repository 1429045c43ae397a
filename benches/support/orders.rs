//! Orders of any number, made up by a hash: one line each, over three years and some days, of a twentieth as many customers.

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::temporal_conversions::timestamp_s_to_datetime;
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// The raw table of the orders.
pub const TABLE: &str = "raw.bench_orders";
/// 2021-12-01.
const START: u64 = 1_638_316_800;
const SECONDS: u64 = 37 * 30 * 86_400;
pub const ORDERS_PER_CUSTOMER: u64 = 20;
const PRODUCTS: u64 = 500;
const CHANNELS: [&str; 4] = ["web", "app", "store", "phone"];
const BATCH: u64 = 64 * 1024;

struct Order {
    id: u64,
    customer: u64,
    /// Seconds since 1970.
    at: u64,
    cents: u64,
    product: u64,
    channel: &'static str,
}

/// In time order.
fn orders(rows: u64, customers: u64) -> impl Iterator<Item = Order> {
    (0..rows).map(move |id| {
        let [customer, cents, product, channel] = [1, 2, 3, 4].map(|stream| mix(id * 4 + stream));
        Order {
            id,
            customer: customer % customers.max(1),
            at: START + (id as u128 * u128::from(SECONDS) / u128::from(rows)) as u64,
            cents: cents % 20_000,
            product: product % PRODUCTS,
            channel: CHANNELS[channel as usize % CHANNELS.len()],
        }
    })
}

/// As a shop's own systems export them.
pub fn write_csv(path: &Path, rows: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "order_id,customer_id,event_time,amount,product_id,channel")?;
    for Order { id, customer, at, cents, product, channel } in orders(rows, rows / ORDERS_PER_CUSTOMER) {
        let at = timestamp_s_to_datetime(at as i64).context("a time")?;
        writeln!(file, "{id},c{customer},{at},{}.{:02},{product},{channel}", cents / 100, cents % 100)?;
    }
    Ok(file.flush()?)
}

/// A raw table and the Parquet file in `folder` that it is loaded from.
pub fn source(folder: &Path, rows: u64) -> Result<(String, Vec<String>)> {
    source_of(TABLE, &folder.join("raw.parquet"), rows, rows / ORDERS_PER_CUSTOMER)
}

/// The same for any number of customers, of any table.
pub fn source_of(table: &str, file: &Path, rows: u64, customers: u64) -> Result<(String, Vec<String>)> {
    write_parquet(file, orders(rows, customers))?;
    Ok((table.to_owned(), vec![file.to_string_lossy().into_owned()]))
}

fn write_parquet(path: &Path, mut orders: impl Iterator<Item = Order>) -> Result<()> {
    let mut writer: Option<ArrowWriter<File>> = None;
    loop {
        let portion: Vec<Order> = orders.by_ref().take(BATCH as usize).collect();
        if portion.is_empty() {
            break;
        }
        let batch = batch(&portion)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?),
        };
        writer.write(&batch)?;
    }
    writer.context("no orders")?.close()?;
    Ok(())
}

fn batch(orders: &[Order]) -> Result<RecordBatch> {
    let text = |of: fn(&Order) -> String| -> ArrayRef {
        Arc::new(orders.iter().map(|order| Some(of(order))).collect::<StringArray>())
    };
    let micros = orders.iter().map(|order| order.at as i64 * 1_000_000);
    let amounts: Float64Array = orders.iter().map(|order| Some(order.cents as f64 / 100.0)).collect();
    Ok(RecordBatch::try_from_iter([
        ("order_id", text(|order| order.id.to_string())),
        ("customer_id", text(|order| format!("c{}", order.customer))),
        ("event_time", Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC")) as ArrayRef),
        ("amount", Arc::new(amounts)),
        ("product_id", text(|order| order.product.to_string())),
        ("channel", text(|order| order.channel.to_owned())),
    ])?)
}

/// SplitMix64's output function: well spread numbers of consecutive ones.
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    seed ^ (seed >> 31)
}
