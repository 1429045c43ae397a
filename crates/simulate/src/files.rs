//! The folder a shop is written to. It is written beside its place and moved there whole, so it is never half.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{Months, TimeDelta};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::block::{Block, iso, months};
use crate::catalogue::Product;
use crate::parameters::*;
use crate::shop::{Shop, days};
use crate::tables::{self, Lines, Rows, Table};
use crate::{Error, Kind, Result};

/// Rows per Parquet row group: bounds what a writer holds in memory.
const ROW_GROUP: usize = 256 * 1024;

/// A folder beside its final place; removed when dropped before [`Staging::publish`].
pub(crate) struct Staging {
    folder: PathBuf,
    target: PathBuf,
}

impl Staging {
    /// # Errors
    /// [`Error::OutputNotEmpty`] and [`Error::OutputNotAFolder`] when there is something at `target` already.
    pub(crate) fn beside(target: &Path) -> Result<Self> {
        if target.exists() && !target.is_dir() {
            return Err(Error::OutputNotAFolder { path: target.into() });
        }
        if target.is_dir() && fs::read_dir(target).map_err(|e| write_error(target, e))?.next().is_some() {
            return Err(Error::OutputNotEmpty { path: target.into() });
        }
        let target = std::path::absolute(target).map_err(|e| write_error(target, e))?;
        let name = target.file_name().ok_or_else(|| Error::OutputNotEmpty { path: target.clone() })?;
        let folder = target.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        if folder.exists() {
            // Left by a run that was killed.
            fs::remove_dir_all(&folder).map_err(|e| write_error(&folder, e))?;
        }
        for sub in ["orders", "truth"] {
            let path = folder.join(sub);
            fs::create_dir_all(&path).map_err(|e| write_error(&path, e))?;
        }
        Ok(Self { folder, target })
    }

    pub(crate) fn publish(self) -> Result<PathBuf> {
        if self.target.is_dir() {
            fs::remove_dir(&self.target).map_err(|e| write_error(&self.target, e))?;
        }
        fs::rename(&self.folder, &self.target).map_err(|e| write_error(&self.target, e))?;
        Ok(self.target.clone())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a publish there is nothing left here; after a failure a leftover is cleared by the next run.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Open writers of every file.
pub(crate) struct Files {
    customers: Csv,
    consents: Csv,
    orders: Vec<Csv>,
    late_orders: Csv,
    /// Of [`tables::TABLES`], in their order.
    tables: Vec<Parquet>,
    rows: BTreeMap<String, u64>,
}

impl Files {
    /// Opens every file and writes the two that do not depend on customers.
    pub(crate) fn create(shop: &Shop, staging: &Staging) -> Result<Self> {
        let folder = &staging.folder;
        let header = tables::LATE_ORDERS.1;
        let order_file = |month: usize| {
            let first = shop.start.date_naive() + Months::new(month as u32);
            Csv::create(folder, (&format!("orders/orders-{}.csv", first.format("%Y-%m")), header))
        };
        let mut files = Self {
            customers: Csv::create(folder, tables::CUSTOMERS)?,
            consents: Csv::create(folder, tables::CONSENTS)?,
            orders: (0..months(shop)).map(order_file).collect::<Result<_>>()?,
            late_orders: Csv::create(folder, tables::LATE_ORDERS)?,
            tables: tables::TABLES.iter().map(|table| Parquet::create(folder, table)).collect::<Result<_>>()?,
            rows: BTreeMap::new(),
        };
        for (file, lines) in [(tables::PRODUCTS_FILE, products(shop)), (tables::CAMPAIGNS, campaigns(shop))] {
            let mut csv = Csv::create(folder, file)?;
            csv.append(&lines)?;
            csv.close(&mut files.rows)?;
        }
        Ok(files)
    }

    pub(crate) fn append(&mut self, block: Block) -> Result<()> {
        self.customers.append(&block.customers)?;
        self.consents.append(&block.consents)?;
        self.late_orders.append(&block.late_orders)?;
        for (csv, lines) in self.orders.iter_mut().zip(&block.orders) {
            csv.append(lines)?;
        }
        self.tables.iter_mut().zip(block.tables).try_for_each(|(parquet, rows)| parquet.append(rows))
    }

    /// Finishes every file; rows per file, headers not counted.
    pub(crate) fn close(self) -> Result<BTreeMap<String, u64>> {
        let mut rows = self.rows;
        for csv in [self.customers, self.consents, self.late_orders].into_iter().chain(self.orders) {
            csv.close(&mut rows)?;
        }
        for parquet in self.tables {
            parquet.close(&mut rows)?;
        }
        Ok(rows)
    }
}

struct Csv {
    name: String,
    path: PathBuf,
    writer: BufWriter<File>,
    rows: u64,
}

impl Csv {
    fn create(folder: &Path, (name, header): (&str, &str)) -> Result<Self> {
        let path = folder.join(name);
        let mut writer = BufWriter::new(File::create(&path).map_err(|e| write_error(&path, e))?);
        writeln!(writer, "{header}").map_err(|e| write_error(&path, e))?;
        Ok(Self { name: name.into(), path, writer, rows: 0 })
    }

    fn append(&mut self, lines: &Lines) -> Result<()> {
        self.rows += lines.count;
        self.writer.write_all(lines.text.as_bytes()).map_err(|e| write_error(&self.path, e))
    }

    fn close(mut self, rows: &mut BTreeMap<String, u64>) -> Result<()> {
        self.writer.flush().map_err(|e| write_error(&self.path, e))?;
        rows.insert(self.name, self.rows);
        Ok(())
    }
}

struct Parquet {
    name: &'static str,
    path: PathBuf,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl Parquet {
    fn create(folder: &Path, table: &Table) -> Result<Self> {
        let path = folder.join(table.file);
        let file = File::create(&path).map_err(|e| write_error(&path, e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .build();
        let writer = ArrowWriter::try_new(file, table.schema(), Some(properties)).map_err(parquet_error(&path))?;
        Ok(Self { name: table.file, path, writer, rows: 0 })
    }

    fn append(&mut self, rows: Rows) -> Result<()> {
        let batch = rows.finish().map_err(|e| parquet_error(&self.path)(e.into()))?;
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(parquet_error(&self.path))
    }

    fn close(self, rows: &mut BTreeMap<String, u64>) -> Result<()> {
        self.writer.close().map_err(parquet_error(&self.path))?;
        rows.insert(self.name.into(), self.rows);
        Ok(())
    }
}

fn write_error(path: &Path, source: std::io::Error) -> Error {
    Error::Write { path: path.into(), source }
}

fn parquet_error(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |source| Error::Parquet { path: path.into(), source }
}

fn products(shop: &Shop) -> Lines {
    let mut lines = Lines::default();
    let mut by_id: Vec<&Product> = shop.catalogue.products.iter().collect();
    by_id.sort_by(|a, b| a.id.cmp(&b.id));
    for Product { id, name, category, subcategory, brand, price, cost, listed_before } in by_id {
        let listed = iso(shop.start - TimeDelta::seconds(crate::shop::seconds(*listed_before)));
        let category = CATEGORIES[*category].0;
        lines.push(&format!("{id},{name},{category},{subcategory},{brand},{price:.2},{cost:.2},{listed}"));
    }
    lines
}

fn campaigns(shop: &Shop) -> Lines {
    let mut lines = Lines::default();
    for campaign in &shop.campaigns {
        let (from, to) = campaign.window();
        let [from, to] = [from, to].map(|day| iso(shop.time((day * crate::shop::SECONDS_PER_DAY).round() as i64)));
        let (id, name, channel) = (&campaign.id, &campaign.name, MARKETING[campaign.channel].0);
        lines.push(&format!("{id},{name},{channel},{from},{to},{:.2}", campaign.cost));
    }
    for ad in &shop.advertisements {
        let [from, to] = [ad.from, ad.to].map(|at| iso(shop.time(at)));
        lines.push(&format!("{},{},{},{from},{to},{:.2}", ad.id, ad.name, ADVERTISING[ad.channel].0, ad.cost));
    }
    if shop.kind == Kind::Full {
        let from = iso(shop.time(0));
        lines.push(&format!("{REFERRAL},Friends bring friends,{REFERRAL},{from},,0.00"));
    }
    debug_assert!(shop.campaigns.iter().all(|campaign| campaign.window().1 < days(shop.end)));
    lines
}
