//! `variant(unit, salt, weight, …)`: the arm of an experiment that a customer is in, counted from 0, by a salted hash. The
//! same on any machine and at any time, so nothing need be stored to know later who was in which. Each arm gets its weight's
//! share of their sum; without weights there are two equal arms. Salts deal independently of each other.

use std::sync::Arc;

use analytics::experiments::{Assigner, Assignment};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::error::Error;

pub(crate) const NAME: &str = "variant";
pub(crate) const SOURCE: &str = include_str!("variant.rs");
const USAGE: &str =
    "variant(customer_id, 'salt') or variant(customer_id, 'salt', 0.9, 0.1): salt and weights are constants";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant(Signature);

impl Default for Variant {
    fn default() -> Self {
        Variant(Signature::variadic_any(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Variant {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.len() {
            0 | 1 => Err(wrong(format!("{} arguments", types.len()), USAGE.into())),
            _ => Ok(DataType::Int64),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [unit, salt, weights @ ..] = &args.args[..] else {
            return Err(wrong(format!("{} arguments", args.args.len()), USAGE.into()));
        };
        let mut assignment = Assignment { salt: constant_text(salt)?, ..Assignment::default() };
        if !weights.is_empty() {
            assignment.weights = weights.iter().map(constant_number).collect::<Result<_>>()?;
        }
        let assigner =
            Assigner::new(&assignment).map_err(|e| wrong(format!("{:?}", assignment.weights), e.to_string()))?;
        let units = cast(&unit.to_array(args.number_rows)?, &DataType::Utf8)?;
        let of = |unit: Option<&str>| unit.and_then(|unit| assigner.variant(unit)).map(|arm| arm as i64);
        let arms: ArrayRef = Arc::new(units.as_string::<i32>().iter().map(of).collect::<Int64Array>());
        match unit {
            ColumnarValue::Scalar(_) if !arms.is_empty() => {
                ScalarValue::try_from_array(&arms, 0).map(ColumnarValue::Scalar)
            }
            _ => Ok(ColumnarValue::Array(arms)),
        }
    }
}

fn constant_text(value: &ColumnarValue) -> Result<String> {
    match value {
        ColumnarValue::Scalar(text) => match text.cast_to(&DataType::Utf8)? {
            ScalarValue::Utf8(Some(text)) => Ok(text),
            _ => Err(wrong("NULL".into(), USAGE.into())),
        },
        ColumnarValue::Array(_) => Err(wrong("a column as salt".into(), USAGE.into())),
    }
}

fn constant_number(value: &ColumnarValue) -> Result<f64> {
    match value {
        ColumnarValue::Scalar(number) if number.data_type().is_numeric() => match number.cast_to(&DataType::Float64)? {
            ScalarValue::Float64(Some(number)) => Ok(number),
            _ => Err(wrong("NULL".into(), USAGE.into())),
        },
        other => Err(wrong(format!("{} as weight", other.data_type()), USAGE.into())),
    }
}

fn wrong(value: String, valid: String) -> DataFusionError {
    DataFusionError::External(Box::new(Error::Argument { what: "call of variant", value, valid }))
}
