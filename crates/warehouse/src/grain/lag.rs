//! [`LagExec`]: `lag` and `row_number` over rows that come sorted by partition and order: a shift of the column, and the row's
//! place in its partition.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ScalarValue, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::window::StandardWindowExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions, WindowExpr,
};
use futures::StreamExt;

use super::changes::Changes;

/// [`LagExec`] in place of a window all of whose functions are plain lags or row numbers.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let functions = node.downcast_ref::<BoundedWindowAggExec>().and_then(functions)?;
    Some(Arc::new(LagExec { window: Arc::clone(node), functions }))
}

/// What is asked of a row's partition.
#[derive(Debug, Clone)]
enum Function {
    Lag(Neighbour),
    RowNumber,
}

/// The functions of the window; None if one of them is another one.
fn functions(window: &BoundedWindowAggExec) -> Option<Vec<Function>> {
    let is_sorted = window.input_order_mode == InputOrderMode::Sorted;
    let lag = |function| neighbour(function).filter(|neighbour| !neighbour.is_next).map(Function::Lag);
    let number = |function| named(function, "row_number").then_some(Function::RowNumber);
    let functions =
        window.window_expr().iter().map(|function| lag(function.as_ref()).or_else(|| number(function.as_ref())));
    functions.collect::<Option<Vec<_>>>().filter(|_| is_sorted)
}

fn of_engine(function: &dyn WindowExpr) -> Option<&WindowUDFExpr> {
    let standard = function.as_any().downcast_ref::<StandardWindowExpr>()?;
    standard.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>()
}

fn named(function: &dyn WindowExpr, name: &str) -> bool {
    of_engine(function).is_some_and(|function| function.fun().name() == name)
}

/// The value of a row so many rows before or after, within the partition; NULL if there is none.
#[derive(Debug, Clone)]
pub(super) struct Neighbour {
    pub(super) value: Arc<dyn PhysicalExpr>,
    pub(super) rows: usize,
    pub(super) is_next: bool,
}

/// What `lag` or `lead` asks for; None if the function is no plain one of these.
pub(super) fn neighbour(function: &dyn WindowExpr) -> Option<Neighbour> {
    let function = of_engine(function)?;
    let arguments = function.args();
    // Read backwards, or past NULLs, it is another function; only its debug form tells.
    let is_plain = {
        let form = format!("{function:?}");
        form.contains("is_reversed: false") && form.contains("ignore_nulls: false")
    };
    let is_next = match function.fun().name() {
        "lag" => false,
        "lead" => true,
        _ => return None,
    };
    if arguments.len() > 2 || !is_plain {
        return None;
    }
    let rows = match arguments.get(1) {
        None => 1,
        Some(offset) => match offset.downcast_ref::<Literal>()?.value() {
            ScalarValue::Int64(Some(rows)) => usize::try_from(*rows).ok()?,
            _ => return None,
        },
    };
    Some(Neighbour { value: Arc::clone(arguments.first()?), rows, is_next })
}

/// The same result as its window, which says what comes out and how it is sorted.
#[derive(Debug)]
struct LagExec {
    window: Arc<dyn ExecutionPlan>,
    functions: Vec<Function>,
}

impl LagExec {
    fn window(&self) -> Result<&BoundedWindowAggExec> {
        self.window.downcast_ref().ok_or_else(|| internal_datafusion_err!("not made from a window"))
    }
}

impl DisplayAs for LagExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("LagExec of ")?;
        self.window.fmt_as(kind, f)
    }
}

impl ExecutionPlan for LagExec {
    fn name(&self) -> &str {
        "LagExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.window.children()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let window = Arc::clone(&self.window).replace_children(children, options)?;
        // Over a child that does not come sorted it is what it was made from.
        Ok(instead_of(&window).unwrap_or(window))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.window.apply_expressions(f)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let window = self.window()?;
        let mut shift = Shift {
            schema: self.schema(),
            // All functions of one window share its partitions.
            keys: window.window_expr().first().map(|f| f.partition_by().to_vec()).unwrap_or_default(),
            functions: self.functions.iter().map(|function| (function.clone(), None)).collect(),
            last: Vec::new(),
            position: 0,
        };
        let rows = window.input().execute(partition, context)?;
        let shifted = rows.map(move |batch| shift.push(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), shifted)))
    }
}

/// What must be known of the rows that went by.
struct Shift {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    /// A lag with the newest values, as many as it looks back at.
    functions: Vec<(Function, Option<ArrayRef>)>,
    /// The partition of the newest row; empty before there is one.
    last: Vec<ArrayRef>,
    /// Rows of that partition so far.
    position: usize,
}

impl Shift {
    fn push(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let positions = self.positions(batch)?;
        let mut columns = batch.columns().to_vec();
        for (function, kept) in &mut self.functions {
            let Function::Lag(Neighbour { value, rows: back, .. }) = function else {
                columns
                    .push(Arc::new(UInt64Array::from_iter_values(positions.iter().map(|before| *before as u64 + 1))));
                continue;
            };
            let values = value.evaluate(batch)?.into_array(rows)?;
            let before = kept.as_ref().map_or(0, |kept| kept.len());
            let all = match kept {
                Some(kept) => concat(&[kept, &values])?,
                None => values,
            };
            // A row of a partition that has as many before it finds them in `all`.
            let source = |row: usize| (positions[row] >= *back).then(|| (before + row - *back) as u64);
            let sources: UInt64Array = (0..rows).map(source).collect();
            columns.push(take(&all, &sources, None)?);
            let keep = all.len().min(*back);
            *kept = Some(all.slice(all.len() - keep, keep));
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// How many rows of its partition come before each row.
    fn positions(&mut self, batch: &RecordBatch) -> Result<Vec<usize>> {
        let rows = batch.num_rows();
        let keys = self.keys.iter().map(|key| key.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let changes = Changes::find(&keys, &self.last)?;
        let mut positions = Vec::with_capacity(rows);
        for row in 0..rows {
            if changes.at(row) {
                self.position = 0;
            }
            positions.push(self.position);
            self.position += 1;
        }
        if rows > 0 {
            self.last = keys.iter().map(|key| key.slice(rows - 1, 1)).collect();
        }
        Ok(positions)
    }
}
