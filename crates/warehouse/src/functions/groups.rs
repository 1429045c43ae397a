//! [`Groups`]: the one column more, before those of a function, that makes it do its work for each of its values alone, such
//! as for each cut-off.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::columns::{all_present, engine, exactly, offsets};
use super::{Problem, Shape};

/// The column of groups, where the query has it, and the function's own.
pub(super) struct Groups<const N: usize> {
    pub(super) group: Option<FieldRef>,
    pub(super) columns: [FieldRef; N],
}

impl<const N: usize> Groups<N> {
    /// Of the columns of a query: those wanted, by what they are for, or a group before them.
    pub(super) fn of(columns: &Schema, wanted: [&str; N]) -> Result<Groups<N>, Problem> {
        let fields = columns.fields();
        if fields.len() == N + 1 {
            let own = Schema::new(fields[1..].to_vec());
            return Ok(Groups { group: Some(Arc::clone(&fields[0])), columns: exactly(&own, wanted)? });
        }
        let columns = exactly(columns, wanted).map_err(|problem| format!("{problem}; or a group, then these"))?;
        Ok(Groups { group: None, columns })
    }

    /// The shape of the function's own columns, with the group before them and before those of the result.
    pub(super) fn shape(self, own: Shape) -> Shape {
        let Some(group) = self.group else { return own };
        let Shape { mut input, sorted_by, output } = own;
        input.insert(0, group.data_type().clone());
        let output = std::iter::once(group).chain(output.fields().iter().cloned()).collect::<Vec<FieldRef>>();
        Shape { input, sorted_by: sorted_by + 1, output: Arc::new(Schema::new(output)) }
    }
}

/// What `run` gives for the rows of each group, which come together, or for all rows where there are no groups: where there
/// are no more columns than `own`. `run` gets the function's own columns and the output without the group.
pub(super) fn of_each(
    rows: &RecordBatch,
    own: usize,
    output: &SchemaRef,
    run: impl Fn(&RecordBatch, &SchemaRef) -> Result<RecordBatch, Problem>,
) -> Result<RecordBatch, Problem> {
    if rows.num_columns() == own {
        return run(rows, output);
    }
    all_present(rows, 0)?;
    let inner = Arc::new(Schema::new(output.fields()[1..].to_vec()));
    let without_group: Vec<usize> = (1..rows.num_columns()).collect();
    let ends = offsets(rows.column(0))?;
    let each = ends.windows(2).map(|pair| {
        let part = rows.slice(pair[0], pair[1] - pair[0]);
        let found = run(&part.project(&without_group).map_err(engine)?, &inner)?;
        let group = UInt32Array::from_value(0, found.num_rows());
        let group = take(part.column(0), &group, None).map_err(engine)?;
        let columns = std::iter::once(group).chain(found.columns().iter().cloned()).collect();
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    });
    concat_batches(output, &each.collect::<Result<Vec<_>, _>>()?).map_err(engine)
}

/// The column of a result that numbers the rows of a customer or item from 1, the best first.
pub(super) fn rank() -> Arc<Field> {
    Arc::new(Field::new("rank", DataType::Int64, false))
}
