//! Defines what type a text value has, and the parsers that accept exactly the values guessed so. A number is one only
//! if nothing is lost by making it one: `007` and 30-digit ids stay text.

use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{DataType, Date32Type};
use chrono::Utc;

use crate::ddl::timestamp;

const DATE_LENGTH: usize = "2026-01-31".len();
const SHORTEST_TIMESTAMP: usize = "2026-01-31T00:00:00".len();

/// The type of a column seen so far; `None` while all values were NULL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Guess(Option<Shape>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Boolean,
    Integer,
    Real,
    Date,
    Timestamp,
    Text,
}

impl Guess {
    /// Takes one more value into account.
    pub(crate) fn see(&mut self, value: &str) {
        let value = value.trim();
        if self.0 != Some(Shape::Text) && !value.is_empty() {
            self.0 = Some(widest(self.0, shape(value)));
        }
    }

    /// Takes the values into account that `other` saw.
    pub(crate) fn merge(&mut self, other: Guess) {
        if let Some(shape) = other.0 {
            self.0 = Some(widest(self.0, shape));
        }
    }

    /// A value that its file marks as text (a JSON string): a date or a time at most, never a number.
    pub(crate) fn see_text(&mut self, value: &str) {
        let value = value.trim();
        if self.0 != Some(Shape::Text) && !value.is_empty() {
            let shape = match shape(value) {
                time @ (Shape::Date | Shape::Timestamp) => time,
                _ => Shape::Text,
            };
            self.0 = Some(widest(self.0, shape));
        }
    }

    /// The type that holds all values seen.
    pub(crate) fn data_type(self) -> Option<DataType> {
        self.0.map(|shape| match shape {
            Shape::Boolean => DataType::Boolean,
            Shape::Integer => DataType::Int64,
            Shape::Real => DataType::Float64,
            Shape::Date => DataType::Date32,
            Shape::Timestamp => timestamp(),
            Shape::Text => DataType::Utf8,
        })
    }
}

/// Whether a value that a column of this type holds would have made it another, had it been seen before. No type is one
/// told by no value at all.
pub(crate) fn is_surprise(told: Option<&DataType>, value: &str) -> bool {
    match told {
        None => !value.trim().is_empty(),
        Some(DataType::Float64) => is_long_id(value.trim()),
        Some(_) => false,
    }
}

/// The columns of several files, each once, with a type that holds its values in all of them; `None` where all are NULL.
pub(crate) fn all_columns<'a>(
    columns: impl IntoIterator<Item = (&'a str, Option<DataType>)>,
) -> Vec<(&'a str, Option<DataType>)> {
    let mut all: Vec<(&str, Option<DataType>)> = Vec::new();
    for (name, data_type) in columns {
        match all.iter_mut().find(|(known, _)| *known == name) {
            None => all.push((name, data_type)),
            Some((_, known)) => {
                *known = match (known.take(), data_type) {
                    (Some(a), Some(b)) => Some(common_type(&a, &b)),
                    (a, b) => a.or(b),
                }
            }
        }
    }
    all
}

/// The type that holds the values of both; text if nothing else does.
pub(crate) fn common_type(a: &DataType, b: &DataType) -> DataType {
    use DataType::{Date32, Float64, Int64, Timestamp};
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Date32, Timestamp(..)) | (Timestamp(..), Date32) => timestamp(),
        _ => DataType::Utf8,
    }
}

pub(crate) fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Digits with an optional minus; not `007`, which would lose its zeros.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let zeros_lost = digits.len() > 1 && digits.starts_with('0');
    match !zeros_lost && digits.starts_with(|c: char| c.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

/// An integer, or digits with a point or a signed exponent (`12E45` is rather a product code).
pub(crate) fn parse_real(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut bytes = digits.bytes();
    let zeros_lost = bytes.next() == Some(b'0') && bytes.next().is_some_and(|b| b.is_ascii_digit());
    let plain = || digits.bytes().all(|b| b.is_ascii_digit());
    let written_as_real = || digits.contains('.') || ["e-", "e+", "E-", "E+"].iter().any(|sign| digits.contains(sign));
    let allowed = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+');
    match !zeros_lost && (plain() || written_as_real()) && digits.bytes().all(allowed) {
        true => text.parse().ok().filter(|value: &f64| value.is_finite()),
        false => None,
    }
}

/// Days since 1970, from `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    (text.len() == DATE_LENGTH && dashes(text)).then(|| Date32Type::parse(text)).flatten()
}

/// Microseconds since 1970 in UTC, from ISO 8601 with `T` or a space, and a zone or none (UTC), or from a date.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let long_enough = text.len() == DATE_LENGTH || text.len() >= SHORTEST_TIMESTAMP;
    (long_enough && dashes(text)).then(|| string_to_datetime(&Utc, text).ok()).flatten().map(|t| t.timestamp_micros())
}

fn dashes(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-')
}

fn shape(text: &str) -> Shape {
    match text.as_bytes().first() {
        None => Shape::Text,
        Some(b'0'..=b'9' | b'-' | b'.') if parse_integer(text).is_some() => Shape::Integer,
        Some(b'0'..=b'9' | b'-' | b'.') if parse_date(text).is_some() => Shape::Date,
        Some(b'0'..=b'9' | b'-' | b'.') if parse_timestamp(text).is_some() => Shape::Timestamp,
        Some(b'0'..=b'9' | b'-' | b'.') if parse_real(text).is_some() && !is_long_id(text) => Shape::Real,
        Some(b't' | b'T' | b'f' | b'F') if parse_boolean(text).is_some() => Shape::Boolean,
        _ => Shape::Text,
    }
}

/// An integer beyond 64 bits is an id, not a quantity.
fn is_long_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && !text.is_empty() && parse_integer(text).is_none()
}

fn widest(seen: Option<Shape>, new: Shape) -> Shape {
    match (seen, new) {
        (None, new) => new,
        (Some(seen), new) if seen == new => new,
        (Some(Shape::Integer | Shape::Real), Shape::Integer | Shape::Real) => Shape::Real,
        (Some(Shape::Date | Shape::Timestamp), Shape::Date | Shape::Timestamp) => Shape::Timestamp,
        _ => Shape::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(values: &[&str]) -> Option<DataType> {
        let mut guess = Guess::default();
        values.iter().for_each(|value| guess.see(value));
        guess.data_type()
    }

    #[test]
    fn a_number_is_one_only_if_nothing_is_lost() {
        assert_eq!(guess(&["1", "", "-20"]), Some(DataType::Int64));
        assert_eq!(guess(&["1", "2.5"]), Some(DataType::Float64));
        assert_eq!(guess(&["1e-05"]), Some(DataType::Float64));
        for text in ["007", "123456789012345678901234567890", "12E45", "1 2", "--3", "nan", "00.5", "+4"] {
            assert_eq!(guess(&["1", text]), Some(DataType::Utf8), "{text}");
        }
        assert_eq!(guess(&["0", "0.5", "-0.25"]), Some(DataType::Float64));
        assert_eq!(guess(&["", ""]), None);
    }

    #[test]
    fn dates_and_times_are_iso() {
        assert_eq!(guess(&["2026-01-31"]), Some(DataType::Date32));
        assert_eq!(guess(&["2026-01-31", "2026-01-31 10:00:00"]), Some(timestamp()));
        assert_eq!(guess(&["2026-01-31T10:00:00.123Z"]), Some(timestamp()));
        assert_eq!(guess(&["31/01/2026"]), Some(DataType::Utf8));
        assert_eq!(guess(&["2026-02-31"]), Some(DataType::Utf8));
        assert_eq!(parse_timestamp("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(parse_timestamp("1970-01-02"), Some(86_400_000_000));
    }

    #[test]
    fn a_json_string_is_no_number() {
        let mut guess = Guess::default();
        guess.see_text("42");
        assert_eq!(guess.data_type(), Some(DataType::Utf8));
    }
}
