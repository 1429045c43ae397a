//! What is known after each slot of a customer, from what entered each: the merge of its slots so far.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type};
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

/// Slots in their order; those without a cut-off are no one's and know nothing.
pub(super) struct Customers {
    /// For each slot, whether the one before it is the same customer's and has a cut-off, as it has.
    pub(super) goes_on: Vec<bool>,
    /// Whether it has a cut-off.
    pub(super) is_timed: Vec<bool>,
}

/// How two values of a state become one; NULL is nothing.
#[derive(Clone, Copy)]
enum Merge {
    Sum,
    Least,
    Greatest,
}

/// The states of the function after each slot.
pub(super) fn running(
    function: &AggregateFunctionExpr,
    entered: &[ArrayRef],
    customers: &Customers,
) -> Result<Vec<ArrayRef>> {
    let merge = match function.fun().name() {
        "count" | "sum" | "avg" => Some(Merge::Sum),
        "min" => Some(Merge::Least),
        "max" => Some(Merge::Greatest),
        _ => None,
    };
    let scanned =
        merge.and_then(|merge| entered.iter().map(|state| scan(merge, state, customers)).collect::<Option<Vec<_>>>());
    match scanned {
        Some(scanned) => Ok(scanned),
        None => merged(function, entered, customers),
    }
}

fn scan(merge: Merge, state: &ArrayRef, customers: &Customers) -> Option<ArrayRef> {
    Some(match state.data_type() {
        DataType::Int64 => scanned::<Int64Type>(merge, state, customers, |a, b| a.wrapping_add(b)),
        DataType::UInt64 => scanned::<UInt64Type>(merge, state, customers, |a, b| a.wrapping_add(b)),
        DataType::Float64 => scanned::<Float64Type>(merge, state, customers, |a, b| a + b),
        DataType::Date32 => scanned::<Date32Type>(merge, state, customers, |a, _| a),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            scanned::<TimestampMicrosecondType>(merge, state, customers, |a, _| a)
        }
        _ => return None,
    })
}

fn scanned<T: ArrowPrimitiveType>(
    merge: Merge,
    state: &ArrayRef,
    customers: &Customers,
    sum: impl Fn(T::Native, T::Native) -> T::Native,
) -> ArrayRef {
    let values = state.as_primitive::<T>();
    let both = |a: T::Native, b: T::Native| match merge {
        Merge::Sum => sum(a, b),
        Merge::Least => {
            if b.partial_cmp(&a).is_some_and(|order| order.is_lt()) {
                b
            } else {
                a
            }
        }
        Merge::Greatest => {
            if b.partial_cmp(&a).is_some_and(|order| order.is_gt()) {
                b
            } else {
                a
            }
        }
    };
    let mut so_far: Option<T::Native> = None;
    let scanned: PrimitiveArray<T> = (0..values.len())
        .map(|slot| {
            let here = values.is_valid(slot).then(|| values.value(slot));
            so_far = match (so_far.filter(|_| customers.goes_on[slot]), here) {
                (Some(a), Some(b)) => Some(both(a, b)),
                (a, b) => a.or(b),
            };
            so_far
        })
        .collect();
    Arc::new(scanned.with_data_type(values.data_type().clone()))
}

/// With the function's own merge: the first slots of all customers, then their second ones, and so on.
fn merged(function: &AggregateFunctionExpr, entered: &[ArrayRef], customers: &Customers) -> Result<Vec<ArrayRef>> {
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
    result.state(EmitTo::All)
}

fn taken(arrays: &[ArrayRef], indices: &UInt32Array) -> Result<Vec<ArrayRef>> {
    Ok(arrays.iter().map(|array| take(array, indices, None)).collect::<Result<Vec<_>, _>>()?)
}
