//! `date_trunc` over the only timestamp type that tables have. The engine's own looks up the time zone for each row, and
//! knows no time before 1677 or after 2262; here rows of the same month or day as the one before cost a comparison.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, FieldRef, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate};
use datafusion::error::Result;
use datafusion::functions::datetime::date_trunc::DateTruncFunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion::scalar::ScalarValue;

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
            let newest = Cell::new((0, 0));
            let truncated = times.try_unary::<_, TimestampMicrosecondType, ()>(|time| {
                let (start, end) = newest.get();
                if !(start..end).contains(&time) {
                    let found = period(time).ok_or(())?;
                    newest.set((found.start, found.end));
                }
                Ok(newest.get().0)
            });
            if let Ok(truncated) = truncated {
                return Ok(ColumnarValue::Array(Arc::new(truncated.with_data_type(timestamp()))));
            }
        }
        // A time beyond all calendars is an error there.
        self.0.invoke_with_args(args)
    }
}

/// The period that a time in microseconds lies in; None beyond the calendar.
type Period = fn(i64) -> Option<Range<i64>>;

/// Of the parts that take more than a division.
fn period(part: &str) -> Option<Period> {
    Some(match part {
        "day" => |time| dates(time, |day| (Some(day), day.checked_add_days(Days::new(1)))),
        "week" => |time| {
            dates(time, |day| {
                let monday = day.week(chrono::Weekday::Mon).checked_first_day();
                (monday, monday.and_then(|monday| monday.checked_add_days(Days::new(7))))
            })
        },
        "month" => |time| dates(time, |day| months(day, 1)),
        "quarter" => |time| dates(time, |day| months(day, 3)),
        "year" => |time| dates(time, |day| months(day, 12)),
        _ => return None,
    })
}

/// The first days of `count` months of the calendar, and of the next ones.
fn months(day: NaiveDate, count: u32) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let first = NaiveDate::from_ymd_opt(day.year(), day.month0() / count * count + 1, 1);
    (first, first.and_then(|first| first.checked_add_months(Months::new(count))))
}

fn dates(time: i64, of_day: fn(NaiveDate) -> (Option<NaiveDate>, Option<NaiveDate>)) -> Option<Range<i64>> {
    let (first, next) = of_day(DateTime::from_timestamp_micros(time)?.date_naive());
    let micros = |day: NaiveDate| Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    Some(micros(first?)?..micros(next?)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
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
            let parts = ["year", "quarter", "MONTH", "week", "day", "hour", "minute"];
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
