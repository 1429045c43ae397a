//! What is known after each slot of a customer, from what entered each: the merge of its slots so far.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

/// Slots in their order; those without a cut-off are no one's and know nothing.
pub(super) struct Customers {
    /// For each slot, whether the one before it is the same customer's and has a cut-off, as it has.
    pub(super) goes_on: Vec<bool>,
    /// Whether it has a cut-off.
    pub(super) is_timed: Vec<bool>,
}

/// An accumulator whose groups are slots.
pub(super) trait SlotAccumulator: GroupsAccumulator {
    /// What is known at each of so many first slots, from what entered them. They are taken out.
    fn known(&mut self, customers: &Customers) -> Result<Box<dyn SlotAccumulator>>;
}

/// The engine's accumulator of any function.
pub(super) struct OfEngine {
    function: Arc<AggregateFunctionExpr>,
    inner: Box<dyn GroupsAccumulator>,
}

impl OfEngine {
    pub(super) fn new(function: Arc<AggregateFunctionExpr>) -> Result<OfEngine> {
        let inner = function.create_groups_accumulator()?;
        Ok(OfEngine { function, inner })
    }
}

impl SlotAccumulator for OfEngine {
    fn known(&mut self, customers: &Customers) -> Result<Box<dyn SlotAccumulator>> {
        let entered = self.inner.state(EmitTo::First(customers.goes_on.len()))?;
        let inner = merged(&self.function, &entered, customers)?;
        Ok(Box::new(OfEngine { function: Arc::clone(&self.function), inner }))
    }
}

impl GroupsAccumulator for OfEngine {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.inner.update_batch(values, groups, filter, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.inner.evaluate(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(states, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

/// With the function's own merge: the first slots of all customers, then their second ones, and so on.
fn merged(
    function: &AggregateFunctionExpr,
    entered: &[ArrayRef],
    customers: &Customers,
) -> Result<Box<dyn GroupsAccumulator>> {
    let slots = customers.goes_on.len();
    // The slots by their place among their customer's, each with the number of its customer.
    let mut ranks: Vec<Vec<(u32, usize)>> = Vec::new();
    let (mut count, mut rank) = (0, 0);
    for slot in (0..slots).filter(|slot| customers.is_timed[*slot]) {
        rank = if customers.goes_on[slot] { rank + 1 } else { 0 };
        count += usize::from(rank == 0);
        if ranks.len() == rank {
            ranks.push(Vec::new());
        }
        ranks[rank].push((slot as u32, count - 1));
    }
    let mut result = function.create_groups_accumulator()?;
    let mut known = function.create_groups_accumulator()?;
    let everyone: Vec<usize> = (0..count).collect();
    for members in &ranks {
        let (of_slots, of_customers): (Vec<u32>, Vec<usize>) = members.iter().copied().unzip();
        let here = taken(entered, &UInt32Array::from(of_slots.clone()))?;
        known.merge_batch(&here, &of_customers, count)?;
        let so_far = known.state(EmitTo::All)?;
        let of_members =
            taken(&so_far, &of_customers.iter().map(|customer| *customer as u32).collect::<Vec<_>>().into())?;
        let places: Vec<usize> = of_slots.iter().map(|slot| *slot as usize).collect();
        result.merge_batch(&of_members, &places, slots)?;
        known.merge_batch(&so_far, &everyone, count)?;
    }
    if ranks.is_empty() {
        result.merge_batch(&taken(entered, &UInt32Array::from(Vec::<u32>::new()))?, &[], slots)?;
    }
    Ok(result)
}

fn taken(arrays: &[ArrayRef], indices: &UInt32Array) -> Result<Vec<ArrayRef>> {
    Ok(arrays.iter().map(|array| take(array, indices, None)).collect::<Result<Vec<_>, _>>()?)
}
