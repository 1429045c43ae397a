//! Features of customers at their cut-offs: the numbers and flags of a view's columns, as models and trees read them.

use crate::columns::Rows;
use crate::dataset;
use crate::error::{Error, Result};
use crate::task::Task;
use arrow::datatypes::{DataType, SchemaRef};
use futures::StreamExt;
use std::collections::HashMap;
use warehouse::Warehouse;

/// The view of every shipped feature.
pub(crate) const EVERY_FEATURE: &str = "features.customer";

/// A row per key asked for, a column per feature; nothing at all for a task without features.
#[derive(Default)]
pub(crate) struct Features {
    view: String,
    pub(crate) names: Vec<String>,
    /// Row by row, NaN where unknown. A shop of a million customers has dozens of them at a dozen cut-offs: not doubles.
    values: Vec<f32>,
}

impl Features {
    /// The numeric columns of `view`, in its order, for each (customer, cut-off). NULL, a number that is not finite and a
    /// row that the view lacks are unknown; what does not fit into a float is as large as one gets.
    pub(crate) async fn read(
        warehouse: &Warehouse,
        snapshot: u64,
        view: &str,
        keys: &[(String, i64)],
    ) -> Result<Features> {
        let mut cutoffs: Vec<i64> = keys.iter().map(|key| key.1).collect();
        cutoffs.sort_unstable();
        cutoffs.dedup();
        let session = dataset::session(warehouse, snapshot, dataset::cut_offs(&cutoffs), None).await?;
        let query = session.sql(&format!("SELECT * FROM {view}")).await?;
        let names = numeric_columns(&query.schema());
        let mut stream = query.stream().await?;
        let places: HashMap<&(String, i64), usize> = keys.iter().zip(0..).collect();
        let mut values = vec![f32::NAN; keys.len() * names.len()];
        while let Some(batch) = stream.next().await {
            let batch = Rows { what: view.into(), batches: vec![batch?] };
            let places: Vec<Option<usize>> = batch.keys()?.iter().map(|key| places.get(key).copied()).collect();
            for (column, name) in names.iter().enumerate() {
                for (value, place) in batch.numbers(name)?.into_iter().zip(&places) {
                    if let (Some(value), Some(place)) = (value.filter(|value| value.is_finite()), place) {
                        values[place * names.len() + column] = value.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
                    }
                }
            }
        }
        Ok(Features { view: view.into(), names, values })
    }

    /// What a task's model may read, nothing where it names no view.
    pub(crate) async fn of_task(
        warehouse: &Warehouse,
        snapshot: u64,
        task: &Task,
        keys: &[(String, i64)],
    ) -> Result<Features> {
        match &task.features {
            Some(view) => Features::read(warehouse, snapshot, view, keys).await,
            None => Ok(Features::default()),
        }
    }

    /// The features of the key with this place.
    pub(crate) fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.names.len()..][..self.names.len()]
    }

    /// Columns of these names, in this order.
    ///
    /// # Errors
    /// One that the view does not have, or no more as a number.
    pub(crate) fn select(&self, names: &[String]) -> Result<Features> {
        let place = |name: &String| {
            let place = self.names.iter().position(|own| own == name);
            place.ok_or_else(|| Error::Column { what: self.view.clone(), column: name.clone(), expected: "number" })
        };
        let places = names.iter().map(place).collect::<Result<Vec<usize>>>()?;
        let rows = self.values.chunks_exact(self.names.len().max(1));
        let values = rows.flat_map(|row| places.iter().map(|&place| row[place])).collect();
        Ok(Features { view: self.view.clone(), names: names.to_vec(), values })
    }

    /// Row after row.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Column after column.
    pub(crate) fn columns(&self) -> Vec<f64> {
        let column = |column| self.values.iter().skip(column).step_by(self.names.len().max(1)).map(|&x| f64::from(x));
        (0..self.names.len()).flat_map(column).collect()
    }
}

fn numeric_columns(schema: &SchemaRef) -> Vec<String> {
    let is_number = |kind: &DataType| kind.is_numeric() || *kind == DataType::Boolean;
    schema.fields().iter().filter(|field| is_number(field.data_type())).map(|field| field.name().clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Features {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Features { view: "features.mine".into(), names, values: vec![1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0] }
    }

    #[test]
    fn columns_are_taken_by_name() {
        let found = features().select(&["c".into(), "a".into()]).unwrap();
        assert_eq!((found.row(0), found.row(1)), ([3.0, 1.0].as_slice(), [6.0, 4.0].as_slice()));
        assert_eq!(found.columns(), [3.0, 6.0, 1.0, 4.0]);
        let message = features().select(&["d".into()]).err().unwrap().to_string();
        assert!(message.contains("features.mine: column d"), "{message}");
    }

    #[test]
    fn a_task_without_features_has_none() {
        assert!(Features::default().row(7).is_empty());
        assert!(Features::default().select(&[]).unwrap().row(7).is_empty());
    }
}
