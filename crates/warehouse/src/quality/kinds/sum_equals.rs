//! A column whose sums equal those of another table's column: for each key that this table has, or over all rows. What the
//! other table lacks counts as 0.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, amount, column, column_of, must_be_number};
use crate::ddl::quoted;
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::{Relation, Subject};
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "sum_equals",
    dimension: Dimension::Consistency,
    usage: "sum_equals(<column>, <schema>.<table>.<column> [by <key> [= <its key>] [and …]], <tolerance>)",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name, other, tolerance] => {
            let (other, keys) = other.split_once(" by ").map_or((*other, None), |(other, keys)| (other, Some(keys)));
            let (table, of) = column_of(other.trim())?;
            let keys = keys.map_or(Ok(Vec::new()), |keys| keys.split(" and ").map(key).collect::<Result<_, _>>())?;
            Ok(Arc::new(SumEquals { column: column(name)?, table, of, keys, tolerance: amount(tolerance)? }))
        }
        _ => Err("it takes a column, a column of another table, and a tolerance".into()),
    },
};

#[derive(Debug)]
struct SumEquals {
    column: String,
    table: String,
    /// Column of that table.
    of: String,
    /// Here and there.
    keys: Vec<(String, String)>,
    tolerance: f64,
}

/// `order_id` or `order_id = receipt`.
fn key(text: &str) -> Result<(String, String), String> {
    let (here, there) = text.split_once('=').unwrap_or((text, text));
    Ok((column(here.trim())?, column(there.trim())?))
}

impl Check for SumEquals {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let other = on.other(&self.table).await?;
            must_be_number(on.relation, &self.column).map_err(|problem| on.fail(problem))?;
            must_be_number(&other, &self.of).map_err(|problem| on.fail(format!("in {}, {problem}", self.table)))?;
            for (here, there) in &self.keys {
                on.column(here)?;
                other.data_type(there).map_err(|problem| on.fail(format!("in {}, {problem}", self.table)))?;
            }
            match self.keys.as_slice() {
                [] => self.totals(on, &other).await,
                _ => Ok(self.by_key(on, &other)),
            }
        })
    }
}

impl SumEquals {
    fn by_key(&self, on: &Subject<'_>, other: &Relation) -> Test {
        let keys = |of: fn(&(String, String)) -> &String| -> Vec<String> {
            self.keys.iter().map(|pair| quoted(of(pair))).collect()
        };
        let (here, there) = (keys(|(here, _)| here).join(", "), keys(|(_, there)| there).join(", "));
        let sums = |keys: &str, column: &str, rows: &str| {
            format!("(SELECT {keys}, sum({}) AS _sum FROM {rows} GROUP BY {keys})", quoted(column))
        };
        let known: Vec<String> = keys(|(here, _)| here).iter().map(|key| format!("{key} IS NOT NULL")).collect();
        let rows = format!("(SELECT * FROM {} WHERE {}) AS t", on.rows(), known.join(" AND "));
        let ours = sums(&here, &self.column, &rows);
        let theirs = sums(&there, &self.of, &format!("{} AS t", other.sql));
        let same = self.keys.iter().map(|(here, there)| format!("a.{} = b.{}", quoted(here), quoted(there)));
        let both = format!("{ours} AS a LEFT JOIN {theirs} AS b ON {}", same.collect::<Vec<_>>().join(" AND "));
        let fails = format!("abs(coalesce(a._sum, 0.0) - coalesce(b._sum, 0.0)) > {:?}", self.tolerance);
        let counts = format!("SELECT count(*), count(*) FILTER (WHERE {fails}) FROM {both}");
        let failing = format!(
            "SELECT a.*, concat(coalesce(a._sum, 0.0), ', {} has ', coalesce(b._sum, 0.0)) AS _value FROM {both} WHERE {fails}",
            self.table
        );
        Test::Rows { counts, failing, key: self.keys.iter().map(|(here, _)| here.clone()).collect() }
    }

    async fn totals(&self, on: &Subject<'_>, other: &Relation) -> Result<Test> {
        let sum = |column: &str, rows: &str| format!("SELECT coalesce(sum({}), 0.0) FROM {rows}", quoted(column));
        let ours = on.numbers(&sum(&self.column, &on.rows())).await?;
        let theirs = on.numbers(&sum(&self.of, &format!("{} AS t", other.sql))).await?;
        let (ours, theirs) = (ours.first().copied().flatten(), theirs.first().copied().flatten());
        let difference = ours.zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
        Ok(Test::Number {
            value: difference,
            threshold: self.tolerance,
            passed: difference.is_some_and(|difference| difference <= self.tolerance),
            note: ours.zip(theirs).map(|(ours, theirs)| format!("{ours}, {} has {theirs}", self.table)),
        })
    }
}
