//! Defines [`Spine`], the customers and cut-offs that feature and label views read, and how its rows are found. A
//! customer is in it from the first cut-off that sees a completed order of his: before that he is nobody's customer.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use chrono::{DateTime, Days, Months, SecondsFormat, Utc};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;

use crate::clock::Clock;
use crate::conform::{canonical_ids, conform};
use crate::ddl::timestamp;
use crate::error::{Error, Result};
use crate::read::{self, Depth, InputFile, Rows, TextOptions};
use crate::world::World;

const CUSTOMER_ID: &str = "customer_id";
const AS_OF: &str = "as_of";

/// Which customers at which cut-offs.
#[derive(Debug, Clone, Default)]
pub enum Spine {
    /// Every customer at the snapshot's default cut-off.
    #[default]
    Default,
    /// Every customer at one cut-off.
    AsOf(DateTime<Utc>),
    /// Every customer at several cut-offs, the last one included if a step ends there.
    Range {
        /// First cut-off.
        from: DateTime<Utc>,
        /// No cut-off after this.
        to: DateTime<Utc>,
        /// Step.
        every: Every,
    },
    /// Every customer at the cut-offs given.
    CutOffs(Vec<DateTime<Utc>>),
    /// These rows: columns `customer_id` and `as_of`, no row twice.
    Rows(RecordBatch),
    /// The rows of a CSV, JSON lines or Parquet file with columns `customer_id` and `as_of`.
    File(PathBuf),
}

/// The step between cut-offs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// A number of days.
    Days(u32),
    /// A number of calendar months, counted from the first cut-off.
    Months(u32),
}

impl World {
    /// Fails where the asked spine is not possible, before any query reads it.
    pub(crate) async fn check_spine(&self) -> Result<()> {
        match &self.spine {
            Spine::Default => Ok(()),
            Spine::Rows(_) | Spine::File(_) => given_rows(&self.spine).await.map(|_| ()),
            other => cut_offs(other, self.clock().await?).map(|_| ()),
        }
    }
}

/// The columns of `spine`.
pub(crate) fn schema() -> SchemaRef {
    let customer_id = Field::new(CUSTOMER_ID, DataType::Utf8, true);
    Arc::new(Schema::new(vec![customer_id, Field::new(AS_OF, timestamp(), true)]))
}

/// The rows of `spine`; of each bucket by customer and cut-off, the order in which views look at them.
pub(crate) async fn rows(spine: &Spine, state: &SessionState, world: &World) -> Result<Vec<RecordBatch>> {
    if let Some(batch) = given_rows(spine).await? {
        return Ok(vec![batch]);
    }
    let clock = world.clock().await?;
    if clock.is_none() && matches!(spine, Spine::Default) {
        return Ok(Vec::new());
    }
    let plan = state.create_logical_plan(&customers_at(&cut_offs(spine, clock)?)).await?;
    let batches = DataFrame::new(state.clone(), plan).collect().await?;
    batches.iter().map(|batch| to_spine("the spine", batch)).collect()
}

/// The one row of `params`.
pub(crate) fn params(horizon_days: u32, clock: Option<Clock>) -> Result<RecordBatch> {
    let until = clock.map(|clock| clock.observed_until.timestamp_micros());
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("horizon_days", Arc::new(Int64Array::from(vec![i64::from(horizon_days)]))),
        ("observed_until", Arc::new(TimestampMicrosecondArray::from(vec![until]).with_timezone("UTC"))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .map_err(Error::from)
}

/// The distinct cut-offs of a spine, in order.
fn cut_offs(spine: &Spine, clock: Option<Clock>) -> Result<Vec<DateTime<Utc>>> {
    let Some(clock) = clock else {
        return Err(Error::CutOff("there are no orders or other facts yet: load some and build first".into()));
    };
    let mut cut_offs = match spine {
        Spine::AsOf(as_of) => vec![*as_of],
        Spine::Range { from, to, every } => steps(*from, *to, *every)?,
        Spine::CutOffs(all) => all.clone(),
        Spine::Default | Spine::Rows(_) | Spine::File(_) => vec![clock.default_as_of],
    };
    cut_offs.sort_unstable();
    cut_offs.dedup();
    match cut_offs.first() {
        None => Err(Error::CutOff("no cut-off is given".into())),
        Some(first) if *first <= clock.first_event => Err(Error::CutOff(format!(
            "the cut-off {} is before all data, which lies between {} and {}",
            text(first),
            text(&clock.first_event),
            text(&clock.last_event)
        ))),
        Some(first) if *first <= clock.first_known => Err(Error::CutOff(format!(
            "nothing was known before the cut-off {}: what is loaded is known from {} on. Files loaded with --history count as \
             known when things happened",
            text(first),
            text(&clock.first_known)
        ))),
        Some(_) => Ok(cut_offs),
    }
}

fn steps(from: DateTime<Utc>, to: DateTime<Utc>, every: Every) -> Result<Vec<DateTime<Utc>>> {
    if to < from {
        return Err(Error::CutOff(format!("the last cut-off {} is before the first one {}", text(&to), text(&from))));
    }
    let (Every::Days(step) | Every::Months(step)) = every;
    if step == 0 {
        return Err(Error::CutOff("the step between cut-offs must be at least 1".into()));
    }
    // From the first one each time: 31 January, 28 February, 31 March.
    let nth = |n: u32| match every {
        Every::Days(days) => from.checked_add_days(Days::new(u64::from(n) * u64::from(days))),
        Every::Months(months) => from.checked_add_months(Months::new(n.checked_mul(months)?)),
    };
    Ok((0..).map_while(nth).take_while(|as_of| *as_of <= to).collect())
}

/// A point-in-time join like those of the features, so that orders are looked at once for all cut-offs.
fn customers_at(cut_offs: &[DateTime<Utc>]) -> String {
    let values: Vec<String> = cut_offs.iter().map(|as_of| format!("(TIMESTAMP '{}')", text(as_of))).collect();
    format!(
        "WITH cut_offs (as_of) AS (VALUES {}),
        buyers AS (
            SELECT DISTINCT customer_id FROM core.orders WHERE status = 'completed' AND customer_id IS NOT NULL
        ),
        asked AS (
            SELECT b.customer_id, c.as_of FROM buyers AS b CROSS JOIN cut_offs AS c
        )
        SELECT a.customer_id, a.as_of
        FROM asked AS a
        INNER JOIN core.order_versions AS o
            ON o.customer_id = a.customer_id
            AND o.event_time < a.as_of
            AND o.known_time < a.as_of
            AND (o.superseded_at IS NULL OR o.superseded_at >= a.as_of)
        WHERE o.status = 'completed'
        GROUP BY a.customer_id, a.as_of
        -- Always true, and seen to be by nobody: without it this is a semi-join, which knows no order of cut-offs.
        HAVING count(*) > 0",
        values.join(", ")
    )
}

async fn given_rows(spine: &Spine) -> Result<Option<RecordBatch>> {
    let (place, batch) = match spine {
        Spine::Rows(batch) => ("the spine".to_string(), batch.clone()),
        Spine::File(path) => {
            let (place, path) = (path.display().to_string(), path.clone());
            let batches = crate::joined(tokio::task::spawn_blocking(move || file_rows(path)).await)?;
            let Some(first) = batches.first() else {
                return Err(Error::CutOff(format!("{place} has no rows: it needs columns customer_id and as_of")));
            };
            let whole = concat_batches(&first.schema(), &batches)?;
            (place, whole)
        }
        _ => return Ok(None),
    };
    let batch = to_spine(&place, &batch)?;
    check_rows(&place, &batch)?;
    Ok(Some(batch))
}

/// All rows of a file; every one of them must be one.
fn file_rows(path: PathBuf) -> Result<Vec<RecordBatch>> {
    let (file, text, mut batches) = (InputFile::from(path), TextOptions::default(), Vec::new());
    let columns = read::inspect(&file, &text, &Schema::empty(), Depth::Sample)?.names();
    let whole = |rows: Rows| rows.check(&file).map(|()| rows.batch);
    read::read(&file, &text, &columns, whole, &mut |batch| {
        batches.push(batch);
        Ok(())
    })?;
    Ok(batches)
}

/// `batch` with exactly the columns of `spine`.
fn to_spine(place: &str, batch: &RecordBatch) -> Result<RecordBatch> {
    let column = |name: &str, data_type: &DataType| {
        let array = batch
            .column_by_name(name)
            .ok_or_else(|| Error::CutOff(format!("{place} has no column {name}: it needs customer_id and as_of")))?;
        conform(array, data_type).map_err(|misfit| Error::WrongValue {
            place: format!("{place}, row {}", misfit.row + 1),
            column: name.into(),
            value: misfit.value,
            problem: misfit.problem,
        })
    };
    let customers = canonical_ids(column(CUSTOMER_ID, &DataType::Utf8)?.as_string());
    let columns = vec![Arc::new(customers) as ArrayRef, column(AS_OF, &timestamp())?];
    RecordBatch::try_new(schema(), columns).map_err(Error::from)
}

/// Every row names a customer and a cut-off, and none does so twice: one spine row is one row of every feature view.
fn check_rows(place: &str, batch: &RecordBatch) -> Result<()> {
    let customers: &StringArray = batch.column(0).as_string();
    let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
    let mut seen = HashSet::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        if customers.is_null(row) || times.is_null(row) {
            return Err(Error::CutOff(format!("{place}, row {}: customer_id and as_of can't be empty", row + 1)));
        }
        if !seen.insert((customers.value(row), times.value(row))) {
            let customer = customers.value(row);
            return Err(Error::CutOff(format!(
                "{place}, row {}: customer {customer} is there twice at that as_of",
                row + 1
            )));
        }
    }
    Ok(())
}

fn text(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
