//! Defines how a column becomes the type its table has. Tables know six types; a value that does not fit is reported
//! with its row, never turned into NULL.

use std::sync::Arc;

use analytics::{IN_BOUNDS, is_in_bounds};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, StringBuilder,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::array_value_to_string;

use crate::clock::MICROS_PER_DAY;
use crate::ddl::{timestamp, type_name};
use crate::infer::{is_surprise, parse_boolean, parse_date, parse_integer, parse_real, parse_timestamp};

/// A value that is not of the type wanted.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Index in the batch.
    pub(crate) row: usize,
    pub(crate) value: String,
    pub(crate) problem: String,
}

/// The table type that holds a file's or query's type: `None` for binary ones.
pub(crate) fn table_type(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    match data_type {
        Boolean => Some(Boolean),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Some(Int64),
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Some(Float64),
        Utf8 | LargeUtf8 | Utf8View | Null => Some(Utf8),
        Date32 => Some(Date32),
        Date64 | Timestamp(..) => Some(timestamp()),
        Time32(_) | Time64(_) | Interval(_) | Duration(_) => Some(Utf8),
        Dictionary(_, values) => table_type(values),
        RunEndEncoded(_, values) => table_type(values.data_type()),
        Union(..) => None,
        nested if nested.is_nested() => Some(Utf8),
        _ => None,
    }
}

/// `array` as its own table type: of a decimal the nearest real, of nested values their JSON.
pub(crate) fn normalise(array: &ArrayRef) -> Result<ArrayRef, Misfit> {
    let Some(wanted) = table_type(array.data_type()) else {
        return Err(misfit(array, 0, format!("is of type {}, which tables don't hold", array.data_type())));
    };
    if array.data_type() == &wanted {
        return Ok(Arc::clone(array));
    }
    let failed = |e: ArrowError| misfit(array, 0, format!("can't be a {}: {e}", type_name(&wanted)));
    match array.data_type() {
        // Whole steps, so that what has no zone counts as UTC and nanoseconds are cut, not refused.
        DataType::Timestamp(_, None) | DataType::Date64 => {
            let naive = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(failed)?;
            Ok(Arc::new(naive.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC")))
        }
        nested if nested.is_nested() => Ok(Arc::new(json_texts(array).map_err(failed)?)),
        // Dividing by a power of ten is a bit off where one of the two is no exact real.
        decimal if is_long_decimal(decimal) => {
            let texts = decimal_texts(array).map_err(failed)?;
            Ok(Arc::new(texts.iter().map(|text| text.and_then(|text| text.parse().ok())).collect::<Float64Array>()))
        }
        DataType::Dictionary(_, values) => normalise(&cast(array, values).map_err(failed)?),
        DataType::UInt64 => {
            let cut = cast(array, &wanted).map_err(failed)?;
            match first_lost(array, &cut) {
                Some(row) => Err(misfit(array, row, "is beyond BIGINT".into())),
                None => Ok(cut),
            }
        }
        _ => cast(array, &wanted).map_err(failed),
    }
}

/// `array` as `wanted`, one of the table types.
pub(crate) fn conform(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    if array.null_count() == array.len() {
        return Ok(new_null_array(wanted, array.len()));
    }
    if is_long_decimal(array.data_type()) {
        return conform_digits(array, wanted);
    }
    let array = normalise(array)?;
    let converted: ArrayRef = match (array.data_type(), wanted) {
        (from, to) if from == to => return Ok(array),
        (DataType::Utf8, _) => return parse(array.as_string(), wanted),
        (DataType::Float64, DataType::Utf8) => Arc::new(reals_as_text(array.as_primitive())),
        (_, DataType::Utf8) | (DataType::Int64, DataType::Float64) | (DataType::Boolean, DataType::Int64) => {
            cast(&array, wanted).map_err(|e| misfit(&array, 0, e.to_string()))?
        }
        (DataType::Float64, DataType::Int64) => {
            let reals = array.as_primitive::<Float64Type>();
            let whole = |v: f64| (v.fract() == 0.0 && v.abs() < i64::MAX as f64).then_some(v as i64);
            Arc::new(reals.iter().map(|v| v.and_then(whole)).collect::<Int64Array>())
        }
        (DataType::Int64, DataType::Boolean) => {
            let flag = |v: i64| matches!(v, 0 | 1).then_some(v == 1);
            Arc::new(array.as_primitive::<Int64Type>().iter().map(|v| v.and_then(flag)).collect::<BooleanArray>())
        }
        (DataType::Date32, DataType::Timestamp(..)) => {
            let days = array.as_primitive::<Date32Type>().iter().map(|v| v.map(|day| i64::from(day) * MICROS_PER_DAY));
            Arc::new(days.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        (DataType::Timestamp(..), DataType::Date32) => {
            let midnight = |v: i64| (v.rem_euclid(MICROS_PER_DAY) == 0).then(|| v.div_euclid(MICROS_PER_DAY) as i32);
            let times = array.as_primitive::<TimestampMicrosecondType>().iter();
            Arc::new(times.map(|v| v.and_then(midnight)).collect::<Date32Array>())
        }
        (from, to) => {
            let row = (0..array.len()).find(|row| array.is_valid(*row)).unwrap_or(0);
            return Err(misfit(&array, row, format!("is a {}, not a {}", type_name(from), type_name(to))));
        }
    };
    match first_lost(&array, &converted) {
        Some(row) => Err(misfit(&array, row, format!("is no {}", type_name(wanted)))),
        None => Ok(converted),
    }
}

/// As [`conform`], for what a query has computed: of a decimal the nearest real, which a file's own decimals must be.
pub(crate) fn conform_computed(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    match wanted {
        DataType::Float64 => conform(&normalise(array)?, wanted),
        _ => conform(array, wanted),
    }
}

/// As [`conform_computed`], for the rows of a table: NaN, the infinities and what nears them are no values of a real column.
pub(crate) fn conform_stored(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    let stored = conform_computed(array, wanted)?;
    in_bounds(&stored).map(|()| stored)
}

/// As [`conform`], for values of a file: those are none of its either, nor are they texts.
pub(crate) fn conform_loaded(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    // What stays a real is looked at below, once.
    if array.data_type().is_floating() && wanted != &DataType::Float64 {
        in_bounds(&normalise(array)?)?;
    }
    let loaded = conform(array, wanted)?;
    in_bounds(&loaded).map(|()| loaded)
}

/// The first value that makes NaN or an infinity of the sums that it is in, or of their squares.
fn in_bounds(array: &ArrayRef) -> Result<(), Misfit> {
    let Some(reals) = array.as_primitive_opt::<Float64Type>() else { return Ok(()) };
    if reals.values().iter().all(is_in_bounds) {
        return Ok(());
    }
    match (0..reals.len()).find(|row| reals.is_valid(*row) && !is_in_bounds(&reals.value(*row))) {
        None => Ok(()),
        Some(row) => Err(misfit(array, row, format!("is not {IN_BOUNDS}; what is not known is NULL"))),
    }
}

/// Decimals as `wanted`, with all their digits.
fn conform_digits(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    let texts = decimal_texts(array).map_err(|e| misfit(array, 0, e.to_string()))?;
    if wanted == &DataType::Utf8 {
        return Ok(Arc::new(texts));
    }
    let parsed = parse(&texts, wanted)?;
    let kept = parsed.as_primitive_opt::<Float64Type>().map(reals_as_text);
    match kept.and_then(|kept| (0..texts.len()).find(|row| kept.value(*row) != texts.value(*row))) {
        None => Ok(parsed),
        Some(row) => Err(misfit_text(&texts, row, "has more digits than a DOUBLE holds; a VARCHAR holds all".into())),
    }
}

/// Every value of a file's `array` that can't be `wanted`.
pub(crate) fn misfits(array: &ArrayRef, wanted: &DataType) -> Vec<Misfit> {
    let misfit = |row| conform_loaded(&array.slice(row, 1), wanted).err().map(|misfit| Misfit { row, ..misfit });
    (0..array.len()).filter_map(misfit).collect()
}

/// The first value of `array` that would have made a column's type another than `told`, had the type been told from it too.
pub(crate) fn surprise(array: &ArrayRef, told: Option<&DataType>) -> Option<Misfit> {
    let texts = array.as_string_opt::<i32>()?;
    let row = (0..texts.len()).find(|row| texts.is_valid(*row) && is_surprise(told, texts.value(*row)))?;
    Some(misfit_text(texts, row, "is of another type than the values before it".into()))
}

/// Customer ids as canonical text: no blanks around, no `.0` after digits, empty is NULL.
pub(crate) fn canonical_ids(ids: &StringArray) -> StringArray {
    ids.iter().map(|id| id.map(canonical_id).filter(|id| !id.is_empty())).collect()
}

fn canonical_id(id: &str) -> &str {
    let id = id.trim();
    match id.split_once('.') {
        Some((whole, zeros)) if digits(whole) && !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => id,
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Numbers that came as reals only because a value was missing keep no `.0`.
fn reals_as_text(reals: &Float64Array) -> StringArray {
    let mut texts = StringBuilder::with_capacity(reals.len(), reals.len() * 8);
    for value in reals {
        match value {
            // `{}` writes whole reals without a point and others with the fewest digits that read back the same.
            Some(value) => texts.append_value(format!("{value}")),
            None => texts.append_null(),
        }
    }
    texts.finish()
}

/// Whether there may be more digits than every real holds.
fn is_long_decimal(data_type: &DataType) -> bool {
    use DataType::*;
    match data_type {
        Decimal32(digits, scale) | Decimal64(digits, scale) | Decimal128(digits, scale) | Decimal256(digits, scale) => {
            u32::from(*digits) > f64::DIGITS || *scale < 0
        }
        _ => false,
    }
}

/// As text, without the zeros at the end that only the type adds.
fn decimal_texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let texts = cast(array, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().iter().map(|text| text.map(without_zeros)).collect())
}

fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// Each value as a text of its own, NULLs inside it kept.
fn json_texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let field = Arc::new(Field::new("", array.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, array, &options)?;
    let (mut texts, mut json) = (StringBuilder::new(), Vec::new());
    for row in 0..array.len() {
        if encoder.is_null(row) {
            texts.append_null();
            continue;
        }
        json.clear();
        encoder.encode(row, &mut json);
        texts.append_value(String::from_utf8_lossy(&json));
    }
    Ok(texts.finish())
}

fn parse(texts: &StringArray, wanted: &DataType) -> Result<ArrayRef, Misfit> {
    let cells = || texts.iter().map(|text| text.map(trimmed).filter(|text| !text.is_empty()));
    let parsed: ArrayRef = match wanted {
        DataType::Boolean => Arc::new(cells().map(|c| c.and_then(parse_boolean)).collect::<BooleanArray>()),
        DataType::Int64 => Arc::new(cells().map(|c| c.and_then(parse_integer)).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(cells().map(|c| c.and_then(parse_real)).collect::<Float64Array>()),
        DataType::Date32 => Arc::new(cells().map(|c| c.and_then(parse_date)).collect::<Date32Array>()),
        _ => Arc::new(
            cells().map(|c| c.and_then(parse_timestamp)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"),
        ),
    };
    let is_lost = |(row, cell): &(usize, Option<&str>)| cell.is_some() && parsed.is_null(*row);
    let lost = match parsed.null_count() == texts.null_count() {
        true => None,
        false => cells().enumerate().find(is_lost).map(|(row, _)| row),
    };
    match lost {
        None => Ok(parsed),
        Some(row) => {
            let hint = match wanted {
                DataType::Int64 => " (a whole number without leading zeros)",
                DataType::Date32 => " (YYYY-MM-DD)",
                DataType::Timestamp(..) => " (YYYY-MM-DD HH:MM:SS, or a date)",
                DataType::Boolean => " (true or false)",
                _ => "",
            };
            Err(misfit_text(texts, row, format!("is no {}{hint}", type_name(wanted))))
        }
    }
}

/// Without blanks around. Most texts have none: to see that takes a look at both ends, not at what counts as one.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// The first value that became NULL.
fn first_lost(from: &ArrayRef, to: &ArrayRef) -> Option<usize> {
    match from.null_count() == to.null_count() {
        true => None,
        false => (0..from.len()).find(|row| from.is_valid(*row) && to.is_null(*row)),
    }
}

fn misfit(array: &ArrayRef, row: usize, problem: String) -> Misfit {
    let value = array_value_to_string(array, row).unwrap_or_default();
    Misfit { row, value, problem }
}

fn misfit_text(texts: &StringArray, row: usize, problem: String) -> Misfit {
    Misfit { row, value: texts.value(row).to_string(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Float32Array, ListArray, TimestampNanosecondArray, UInt64Array};
    use arrow::buffer::NullBuffer;

    #[test]
    fn ids_that_came_as_reals_or_with_blanks_are_canonical() {
        let reals: ArrayRef = Arc::new(Float64Array::from(vec![Some(17850.0), None, Some(1.5)]));
        let text = conform(&reals, &DataType::Utf8).unwrap();
        assert_eq!(text.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("17850"), None, Some("1.5")]);
        let ids = StringArray::from(vec![Some(" 17850.0 "), Some("007"), Some(""), Some("A.0"), None]);
        let canonical = canonical_ids(&ids);
        assert_eq!(canonical.iter().collect::<Vec<_>>(), [Some("17850"), Some("007"), None, Some("A.0"), None]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), None, Some("x")]));
        let misfit = conform(&texts, &DataType::Int64).unwrap_err();
        assert_eq!((misfit.row, misfit.value.as_str()), (2, "x"));
        let reals: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.5]));
        assert_eq!(conform(&reals, &DataType::Int64).unwrap_err().row, 1);
        let large: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
        assert_eq!(normalise(&large).unwrap_err().row, 1);
        let dates: ArrayRef = Arc::new(Int64Array::from(vec![20260131]));
        assert!(conform(&dates, &DataType::Date32).is_err());
    }

    #[test]
    fn what_is_stored_or_loaded_can_be_added_up() {
        let reals = |values: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2e100] {
            let array = reals(vec![Some(1.0), None, Some(odd)]);
            assert_eq!(conform_stored(&array, &DataType::Float64).unwrap_err().row, 2);
            for wanted in [DataType::Float64, DataType::Utf8] {
                let misfit = conform_loaded(&array, &wanted).unwrap_err();
                let value: f64 = misfit.value.parse().unwrap();
                assert_eq!((misfit.row, value.to_bits()), (2, odd.to_bits()));
            }
        }
        let narrow: ArrayRef = Arc::new(Float32Array::from(vec![1.0, f32::INFINITY]));
        assert_eq!(conform_loaded(&narrow, &DataType::Float64).unwrap_err().row, 1);
        // What lies where a value is missing does not count.
        let nulls = Some(NullBuffer::from(vec![true, false]));
        let hidden: ArrayRef = Arc::new(Float64Array::new(vec![1.0, f64::NAN].into(), nulls));
        assert!(conform_stored(&hidden, &DataType::Float64).is_ok());
    }

    #[test]
    fn decimals_lose_no_digit() {
        let decimals = |values: &[i128], digits, scale| -> ArrayRef {
            let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(digits, scale);
            Arc::new(array.unwrap())
        };
        let reals =
            |array: &ArrayRef| conform(array, &DataType::Float64).unwrap().as_primitive::<Float64Type>().clone();
        let texts = |array: &ArrayRef| conform(array, &DataType::Utf8).unwrap().as_string::<i32>().clone();
        let short = decimals(&[10, -123_450, 0], 10, 2);
        assert_eq!(reals(&short).values(), &[0.1, -1234.5, 0.0]);
        assert_eq!(texts(&short).iter().flatten().collect::<Vec<_>>(), ["0.1", "-1234.5", "0"]);
        // Divided, the first is 0.13276282959980498.
        let long = decimals(&[132_762_829_599_805_000, -2_000_000_000_000_000_000, 0], 38, 18);
        assert_eq!(reals(&long).values(), &[0.132762829599805, -2.0, 0.0]);
        assert_eq!(texts(&long).iter().flatten().collect::<Vec<_>>(), ["0.132762829599805", "-2", "0"]);
        let third = decimals(&[1_000_000_000_000_000_000, 3_333_333_333_333_333_333], 38, 18);
        let misfit = conform(&third, &DataType::Float64).unwrap_err();
        assert_eq!((misfit.row, misfit.value.as_str()), (1, "3.333333333333333333"));
        assert_eq!(texts(&third).value(1), "3.333333333333333333");
        // A result may be rounded.
        let rounded = normalise(&third).unwrap();
        assert_eq!(rounded.as_primitive::<Float64Type>().value(1), 3.3333333333333335);
        let ids = decimals(&[123_456_789_012_345_678, 9_007_199_254_740_993], 38, 0);
        assert!(conform(&ids, &DataType::Float64).is_err());
        let whole = conform(&ids, &DataType::Int64).unwrap();
        assert_eq!(whole.as_primitive::<Int64Type>().values(), &[123_456_789_012_345_678, 9_007_199_254_740_993]);
    }

    #[test]
    fn nested_values_are_their_json() {
        let lists = vec![Some(vec![Some(1), None]), None, Some(vec![])];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
        let texts = conform(&lists, &DataType::Utf8).unwrap();
        assert_eq!(texts.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("[1,null]"), None, Some("[]")]);
        assert_eq!(conform(&lists, &DataType::Int64).unwrap_err().value, "[1,null]");
    }

    #[test]
    fn times_without_zone_count_as_utc() {
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_999, -1_000]));
        let micros = normalise(&nanos).unwrap();
        assert_eq!(micros.data_type(), &timestamp());
        assert_eq!(micros.as_primitive::<TimestampMicrosecondType>().value(0), 1);
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![1]));
        let times = conform(&dates, &timestamp()).unwrap();
        assert_eq!(times.as_primitive::<TimestampMicrosecondType>().value(0), MICROS_PER_DAY);
        assert_eq!(conform(&times, &DataType::Date32).unwrap().as_primitive::<Date32Type>().value(0), 1);
    }
}
