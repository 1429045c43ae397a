//! [`NeighboursExec`]: `lead` and `lag` within something that belongs to a customer (the versions of an order, say), over
//! rows that come customer by customer. The rows go out in the order in which they came, so whatever reads them still has
//! them sorted; the engine's window would sort all of them by the key instead.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DynComparator, RecordBatch, UInt32Array, make_comparator, new_null_array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::hash_utils::create_hashes;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions, WindowExpr,
};
use foldhash::fast::FixedState;
use futures::{StreamExt, stream};

use super::buckets::leaf_properties;
use super::changes::runs;
use super::customers::{WholeCustomers, comes_by, index_of, must_come_by};
use super::lag::{Neighbour, neighbour};

/// [`NeighboursExec`] in place of a window over rows that come by a column of its partitions, but not by all of them.
pub(super) fn instead_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let found = node.downcast_ref::<BoundedWindowAggExec>().and_then(found)?;
    NeighboursExec::new(node.schema(), found).ok().map(|exec| Arc::new(exec) as _)
}

#[derive(Debug, Clone)]
struct Found {
    input: Arc<dyn ExecutionPlan>,
    /// Index of the column that the rows come by.
    customer: usize,
    partition: Vec<Arc<dyn PhysicalExpr>>,
    order: Vec<PhysicalSortExpr>,
    functions: Vec<Neighbour>,
}

fn found(window: &BoundedWindowAggExec) -> Option<Found> {
    let functions = window.window_expr();
    let first = functions.first()?;
    let (partition, order) = (first.partition_by(), first.order_by());
    let is_alike = |other: &Arc<dyn WindowExpr>| other.partition_by() == partition && other.order_by() == order;
    let input = window.input();
    let customer = comes_by(input)?;
    let is_by_customer = |expr: &Arc<dyn PhysicalExpr>| index_of(expr) == Some(customer);
    let [by] = partition.iter().filter(|expr| is_by_customer(expr)).collect::<Vec<_>>()[..] else { return None };
    // With nothing but the customer in the partitions, rows may already come as the window wants them.
    let whole = [PhysicalSortExpr::new(Arc::clone(by), store::ORDER)].into_iter().chain(order.iter().cloned());
    let is_sorted =
        partition.len() == 1 && input.equivalence_properties().ordering_satisfy(whole.collect::<Vec<_>>()).ok()?;
    if is_sorted || !functions.iter().all(is_alike) {
        return None;
    }
    let neighbours = functions.iter().map(|function| neighbour(function.as_ref()));
    Some(Found {
        input: Arc::clone(input),
        customer,
        partition: partition.iter().filter(|expr| !is_by_customer(expr)).cloned().collect(),
        order: order.to_vec(),
        functions: neighbours.map(|found| found.filter(|neighbour| neighbour.rows == 1)).collect::<Option<_>>()?,
    })
}

#[derive(Debug)]
struct NeighboursExec {
    found: Found,
    properties: Arc<PlanProperties>,
}

impl NeighboursExec {
    /// `schema`: the input's columns and one for each function.
    fn new(schema: SchemaRef, found: Found) -> Result<NeighboursExec> {
        let mut equivalence = EquivalenceProperties::new(schema);
        // The input's columns keep their places.
        let orders = found.input.equivalence_properties().oeq_class().iter().cloned();
        equivalence.add_orderings(orders);
        Ok(NeighboursExec { found, properties: leaf_properties(equivalence, 1) })
    }
}

impl DisplayAs for NeighboursExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let Found { customer, partition, order, functions, .. } = &self.found;
        let names: Vec<&str> = functions.iter().map(|function| if function.is_next { "lead" } else { "lag" }).collect();
        let partition: Vec<String> = partition.iter().map(ToString::to_string).collect();
        let order: Vec<String> = order.iter().map(ToString::to_string).collect();
        let (names, partition, order) = (names.join(", "), partition.join(", "), order.join(", "));
        write!(f, "NeighboursExec: {names} by [{partition}] within column {customer}, in the order of [{order}]")
    }
}

impl ExecutionPlan for NeighboursExec {
    fn name(&self) -> &str {
        "NeighboursExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.found.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 1])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![must_come_by(&self.found.input, [self.found.customer])]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("rows come from one input");
        };
        Ok(Arc::new(NeighboursExec::new(self.schema(), Found { input, ..self.found.clone() })?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let Found { partition, order, functions, .. } = &self.found;
        let of_functions = functions.iter().map(|function| &function.value);
        for expr in partition.iter().chain(order.iter().map(|order| &order.expr)).chain(of_functions) {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let customers = WholeCustomers::by(self.found.customer, self.name(), &context);
        let rows = self.found.input.execute(partition, context)?;
        let windows = Windows { found: self.found.clone(), schema: self.schema() };
        let results = stream::try_unfold(Some((rows, customers, windows)), |state| async move {
            let Some((mut rows, mut customers, windows)) = state else { return Ok(None) };
            while let Some(batch) = rows.next().await {
                if let Some(complete) = customers.push(batch?)? {
                    return Ok(Some((windows.with_neighbours(&complete)?, Some((rows, customers, windows)))));
                }
            }
            match customers.rest()? {
                Some(complete) => Ok(Some((windows.with_neighbours(&complete)?, None))),
                None => Ok(None),
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), results)))
    }
}

struct Windows {
    found: Found,
    schema: SchemaRef,
}

impl Windows {
    /// `rows` of whole customers, with the functions' columns.
    fn with_neighbours(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let pairs = self.pairs(rows)?;
        let mut columns = rows.columns().to_vec();
        for function in &self.found.functions {
            let values = function.value.evaluate(rows)?.into_array(rows.num_rows())?;
            columns.push(if pairs.is_empty() {
                new_null_array(values.data_type(), values.len())
            } else {
                let mut places = vec![None; rows.num_rows()];
                for (row, next) in &pairs {
                    let (at, of) = if function.is_next { (row, next) } else { (next, row) };
                    places[*at as usize] = Some(*of);
                }
                take(&values, &UInt32Array::from(places), None)?
            });
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Each row that another one of its partition comes after, with that one.
    fn pairs(&self, rows: &RecordBatch) -> Result<Vec<(u32, u32)>> {
        let count = rows.num_rows();
        let evaluate = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(rows)?.into_array(count);
        let keys = self.found.partition.iter().map(evaluate).collect::<Result<Vec<_>>>()?;
        let mut hashes = vec![0; count];
        create_hashes(&keys, &FixedState::default(), &mut hashes)?;
        let starts = runs(rows.column(self.found.customer))?;
        let mut order: Option<Order> = None;
        let mut pairs = Vec::new();
        let mut alike: Vec<(u64, u32)> = Vec::new();
        for customer in starts.windows(2) {
            alike.clear();
            alike.extend((customer[0]..customer[1]).map(|row| (hashes[row], row as u32)));
            alike.sort_unstable();
            for group in alike.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
                let order = match &order {
                    Some(order) => order,
                    None => order.insert(Order::new(&keys, &self.found.order, rows)?),
                };
                let mut group: Vec<u32> = group.iter().map(|(_, row)| *row).collect();
                group.sort_by(|a, b| order.compare(*a, *b));
                pairs.extend(group.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| order.is_one(*a, *b)));
            }
        }
        Ok(pairs)
    }
}

/// Compares rows by partition, and by order within it.
struct Order {
    keys: Vec<DynComparator>,
    order: Vec<DynComparator>,
}

impl Order {
    fn new(keys: &[ArrayRef], order: &[PhysicalSortExpr], rows: &RecordBatch) -> Result<Order> {
        let comparator = |array: &ArrayRef, options| Ok(make_comparator(array.as_ref(), array.as_ref(), options)?);
        let order = order.iter().map(|sort| {
            let values = sort.expr.evaluate(rows)?.into_array(rows.num_rows())?;
            comparator(&values, sort.options)
        });
        Ok(Order {
            keys: keys.iter().map(|key| comparator(key, Default::default())).collect::<Result<_>>()?,
            order: order.collect::<Result<_>>()?,
        })
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        first_difference(self.keys.iter().chain(&self.order), a, b)
    }

    fn is_one(&self, a: u32, b: u32) -> bool {
        first_difference(self.keys.iter(), a, b).is_eq()
    }
}

fn first_difference<'a>(mut by: impl Iterator<Item = &'a DynComparator>, a: u32, b: u32) -> Ordering {
    by.find_map(|compare| Some(compare(a as usize, b as usize)).filter(|order| order.is_ne()))
        .unwrap_or(Ordering::Equal)
}
