//! `date_trunc` over the only timestamp type that tables have. The engine's own looks up the time zone for each row, and
//! knows no time before 1677 or after 2262; here a day that was asked for lately costs a comparison.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::LocalKey;

use arrow::array::{Array, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, FieldRef, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate, Weekday};
use datafusion::error::Result;
use datafusion::functions::datetime::date_trunc::DateTruncFunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion::scalar::ScalarValue;

use crate::clock::MICROS_PER_DAY;
use crate::ddl::timestamp;

/// The engine's function, faster for columns of times in UTC.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DateTrunc(DateTruncFunc);

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.0.return_field_from_args(args)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.0.output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Scalar(ScalarValue::Utf8(Some(part))), ColumnarValue::Array(times)] = &args.args[..]
            && let Some(period) = period(&part.to_lowercase())
            && *times.data_type() == timestamp()
        {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            let truncated: Option<TimestampMicrosecondArray> = match period {
                Period::Micros(length) => {
                    let start = |time: i64| time.checked_sub(time.rem_euclid(length)).ok_or(());
                    times.try_unary::<_, TimestampMicrosecondType, ()>(start).ok()
                }
                Period::Days(days) => days.starts(times),
            };
            if let Some(truncated) = truncated {
                return Ok(ColumnarValue::Array(Arc::new(truncated.with_data_type(timestamp()))));
            }
        }
        // A time beyond all calendars is an error there.
        self.0.invoke_with_args(args)
    }
}

/// What times are truncated to.
enum Period {
    /// Of this length.
    Micros(i64),
    Days(Days),
}

fn period(part: &str) -> Option<Period> {
    Some(match part {
        "second" => Period::Micros(1_000_000),
        "minute" => Period::Micros(60_000_000),
        "hour" => Period::Micros(3_600_000_000),
        "day" => Period::Micros(MICROS_PER_DAY),
        "week" => Period::Days(Days { first: |day| day.week(Weekday::Mon).checked_first_day(), recent: &WEEKS }),
        "month" => Period::Days(Days { first: |day| months(day, 1), recent: &MONTHS }),
        "quarter" => Period::Days(Days { first: |day| months(day, 3), recent: &QUARTERS }),
        "year" => Period::Days(Days { first: |day| months(day, 12), recent: &YEARS }),
        _ => return None,
    })
}

/// Days remembered of each kind of period: those of some years.
const RECENT: usize = 2048;

thread_local! {
    static WEEKS: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
    static MONTHS: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
    static QUARTERS: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
    static YEARS: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
}

/// A day since 1970, and the start of its period in microseconds.
#[derive(Clone, Copy)]
struct Recent {
    day: i64,
    start: i64,
}

/// Periods of whole days.
struct Days {
    /// The first day of the period that a day lies in.
    first: fn(NaiveDate) -> Option<NaiveDate>,
    /// Days asked for before, each at its number modulo [`RECENT`].
    recent: &'static LocalKey<RefCell<Vec<Recent>>>,
}

impl Days {
    /// None if a time lies beyond the calendar.
    fn starts(&self, times: &TimestampMicrosecondArray) -> Option<TimestampMicrosecondArray> {
        self.recent.with_borrow_mut(|recent| {
            recent.resize(RECENT, Recent { day: i64::MIN, start: 0 });
            let mut start = |time: i64| {
                let day = time.div_euclid(MICROS_PER_DAY);
                let known = &mut recent[day.rem_euclid(RECENT as i64) as usize];
                if known.day != day {
                    let first = (self.first)(DateTime::from_timestamp_micros(time)?.date_naive())?;
                    *known = Recent { day, start: first.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros() };
                }
                Some(known.start)
            };
            times.iter().map(|time| time.map_or(Some(None), |time| start(time).map(Some))).collect()
        })
    }
}

/// The first day of so many months of the calendar.
fn months(day: NaiveDate, count: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(day.year(), day.month0() / count * count + 1, 1)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use datafusion::logical_expr::ScalarUDF;
    use datafusion::prelude::SessionContext;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn truncates_as_the_engine_does(
            times in prop::collection::vec(prop::option::of(-9_200_000_000_000_000..9_200_000_000_000_000_i64), 1..50),
        ) {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
            let batch = RecordBatch::try_from_iter([("t", times)]).unwrap();
            let parts = ["year", "quarter", "MONTH", "week", "day", "hour", "minute", "second"];
            let columns = parts.map(|part| format!("cast(date_trunc('{part}', t) AS VARCHAR)")).join(" || ';' || ");
            let query = format!("SELECT coalesce({columns}, 'none') AS found FROM rows");
            let ask = |own: bool| {
                let context = SessionContext::new();
                context.register_batch("rows", batch.clone()).unwrap();
                if own {
                    context.register_udf(ScalarUDF::from(DateTrunc::default()));
                }
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let rows = runtime.block_on(async { context.sql(&query).await.unwrap().collect().await.unwrap() });
                let texts = |rows: &RecordBatch| {
                    arrow::compute::cast(rows.column(0), &DataType::Utf8).unwrap().as_string::<i32>().clone()
                };
                rows.iter().map(texts).collect::<Vec<StringArray>>()
            };
            prop_assert_eq!(ask(true), ask(false));
        }
    }
}
