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
    /// Of these names, row by row.
    pub(crate) fn new(view: &str, names: Vec<String>, values: Vec<f32>) -> Features {
        Features { view: view.into(), names, values }
    }

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
        let mut filling = Filling::new(names, keys);
        while let Some(batch) = stream.next().await {
            filling.push(&Rows { what: view.into(), batches: vec![batch?] })?;
        }
        Ok(filling.finish(view))
    }

    /// The same of rows of a view, of which there is at least a batch without any.
    pub(crate) fn of_rows(rows: Rows, keys: &[(String, i64)]) -> Result<Features> {
        let names = rows.batches.first().map_or(Vec::new(), |batch| numeric_columns(&batch.schema()));
        let mut filling = Filling::new(names, keys);
        filling.push(&rows)?;
        Ok(filling.finish(&rows.what))
    }

    /// The features of a task, nothing where it names no view.
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

    /// Columns of these names, in this order, of several features of the same keys; each is taken from the first that has it.
    ///
    /// # Errors
    /// One that none of them has, or no more as a number.
    pub(crate) fn select(from: &[&Features], names: &[String]) -> Result<Features> {
        let view = from.first().map_or(String::new(), |features| features.view.clone());
        let place = |name: &String| {
            let in_part = |features: &&Features| features.names.iter().position(|own| own == name);
            let place = from.iter().enumerate().find_map(|(part, features)| Some((part, in_part(features)?)));
            place.ok_or_else(|| Error::Column { what: view.clone(), column: name.clone(), expected: "number" })
        };
        let places = names.iter().map(place).collect::<Result<Vec<(usize, usize)>>>()?;
        let rows = from.iter().map(|part| part.values.len() / part.names.len().max(1)).max().unwrap_or(0);
        let values = (0..rows).flat_map(|row| places.iter().map(move |&(part, place)| from[part].row(row)[place]));
        Ok(Features { values: values.collect(), names: names.to_vec(), view })
    }

    /// These and what else is known of the same keys.
    pub(crate) fn beside(self, others: Features) -> Result<Features> {
        if others.names.is_empty() {
            return Ok(self);
        }
        let names: Vec<String> = self.names.iter().chain(&others.names).cloned().collect();
        Features::select(&[&self, &others], &names)
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

/// Features of some keys, as far as their rows have come.
struct Filling<'a> {
    names: Vec<String>,
    places: HashMap<&'a (String, i64), usize>,
    values: Vec<f32>,
}

impl<'a> Filling<'a> {
    fn new(names: Vec<String>, keys: &'a [(String, i64)]) -> Filling<'a> {
        let values = vec![f32::NAN; keys.len() * names.len()];
        Filling { names, places: keys.iter().zip(0..).collect(), values }
    }

    fn push(&mut self, rows: &Rows) -> Result<()> {
        let Filling { names, places, values } = self;
        let places: Vec<Option<usize>> = rows.keys()?.iter().map(|key| places.get(key).copied()).collect();
        for (column, name) in names.iter().enumerate() {
            for (value, place) in rows.numbers(name)?.into_iter().zip(&places) {
                if let (Some(value), Some(place)) = (value.filter(|value| value.is_finite()), place) {
                    values[place * names.len() + column] = value.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
                }
            }
        }
        Ok(())
    }

    fn finish(self, view: &str) -> Features {
        Features { view: view.into(), names: self.names, values: self.values }
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
        let found = Features::select(&[&features()], &["c".into(), "a".into()]).unwrap();
        assert_eq!((found.row(0), found.row(1)), ([3.0, 1.0].as_slice(), [6.0, 4.0].as_slice()));
        assert_eq!(found.columns(), [3.0, 6.0, 1.0, 4.0]);
        let beside = Features::new("the prior", vec!["p".into()], vec![7.0, 8.0]);
        let both = Features::select(&[&features(), &beside], &["p".into(), "b".into()]).unwrap();
        assert_eq!(both.row(0), [7.0, 2.0]);
        let message = Features::select(&[&features(), &beside], &["d".into()]).err().unwrap().to_string();
        assert!(message.contains("features.mine: column d"), "{message}");
    }

    #[test]
    fn a_task_without_features_has_none() {
        assert!(Features::default().row(7).is_empty());
        assert!(Features::select(&[&Features::default()], &[]).unwrap().row(7).is_empty());
    }
}
