//! `core.timeline` to the trainer's sequences, beside Polars, which sorts and groups the finished timeline of a Parquet
//! file. `packing` leaves out the view and the sort on both sides.
//! `cargo bench --bench sequences -- [customers] [python]`

mod support;

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use futures::StreamExt;
use pipeline::{Project, Silent, SimulateOptions, Source, TIMELINE};
use sequences::{Field, Sequences, SequencesBuilder};
use std::collections::BTreeMap;
use support::{Answer, Arguments, compare, shop::Shop};
use warehouse::{SessionOptions, Warehouse};

const CUSTOMERS: u64 = 10_000;

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = Arguments::read(CUSTOMERS) else { return Ok(()) };
    let size = arguments.sizes[0];
    let shop = simulated(size).await?;
    let unsorted = "SELECT * FROM core.timeline ORDER BY event_time";
    let (file, events) = shop.export("timeline", unsorted).await?;
    println!("core.timeline: {events} events of {size} customers");

    let peers = arguments.peer("sequences_polars.py", &[&file])?;
    let peer = |name: &str| peers.as_ref().map(|peers| peers.get(name).context("no such peer")).transpose();
    let answer = answer(&read(&shop.warehouse, None).await?);
    // Training reads with one thread, so that it reads the same rows in the same order every time.
    for (name, threads) in [("one thread, as training", Some(1)), ("a thread per core", None)] {
        let work = async || read(&shop.warehouse, threads).await.map(drop);
        compare(name, Some(events), &answer, peer("sort and group")?, work).await?;
    }
    let options = SessionOptions::default();
    let batches = shop.warehouse.session(options).await?.sql(TIMELINE).await?.collect().await?;
    compare("packing", Some(events), &answer, peer("group")?, async || pack(&batches).map(drop)).await?;
    Ok(())
}

async fn simulated(customers: u64) -> Result<Shop> {
    let folder = tempfile::tempdir()?;
    let options = SimulateOptions { customers, months: 24, seed: 7, horizon_days: 90, control: false };
    pipeline::simulate(&options, folder.path(), &Silent).await?;
    let project = Project::read(folder.path())?;
    let files = |source: &Source| (source.table.clone(), project.files(source));
    let sources: Vec<_> = project.config.sources.iter().map(files).collect();
    Shop::new(folder, None, &sources).await
}

/// As `perennial train` does.
async fn read(warehouse: &Warehouse, threads: Option<usize>) -> Result<Sequences> {
    let session = warehouse.session(SessionOptions { threads, ..SessionOptions::default() }).await?;
    let mut stream = session.sql(TIMELINE).await?.stream().await?;
    let mut builder = SequencesBuilder::new();
    while let Some(batch) = stream.next().await {
        builder.push(&batch?)?;
    }
    Ok(builder.finish())
}

fn pack(batches: &[RecordBatch]) -> Result<Sequences> {
    let mut builder = SequencesBuilder::new();
    for batch in batches {
        builder.push(batch)?;
    }
    Ok(builder.finish())
}

/// Sums over each customer's events, weighted by their place in the sequence: they tell whether the order is the same.
fn answer(sequences: &Sequences) -> Answer {
    let mut columns: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    let mut add = |column: &str, value: Option<f64>, place: usize| {
        let (count, total) = columns.entry(column.into()).or_default();
        *count += u64::from(value.is_some());
        *total += value.unwrap_or(0.0) * place as f64;
    };
    for range in (0..sequences.customers().len()).map(|customer| sequences.range(customer)) {
        let first = sequences.event_time(range.start);
        for (place, event) in (1..).zip(range) {
            add("micros", Some((sequences.event_time(event) - first) as f64), place);
            add("amount", Some(f64::from(sequences.amount(event))), place);
            for field in Field::ALL {
                let text = sequences.text(field, sequences.code(event, field));
                add(field.column(), text.map(|text| text.len() as f64), place);
            }
        }
    }
    Answer { rows: sequences.customers().len() as u64, columns }
}
