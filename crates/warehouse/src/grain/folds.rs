//! Sums, means, deviations, extremes and counts for rows of which those of a group lie together. The engine's accumulators
//! go to a row's group for each row, and keep for each group whether it had a value; here a group's rows are folded at once.

use std::marker::PhantomData;
use std::mem::size_of;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, Int64Array, PrimitiveArray, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::filter;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::running::{Customers, OfEngine, SlotAccumulator};

/// The function's accumulator for such rows, over `input`: one of these where there is one, with the results and states of
/// the engine's.
pub(super) fn accumulator(
    function: &AggregateFunctionExpr,
    arguments: &[Arc<dyn PhysicalExpr>],
    input: &Schema,
) -> Result<Box<dyn GroupsAccumulator>> {
    match folded(function, arguments, input)? {
        Some(folded) => Ok(folded),
        None => function.create_groups_accumulator(),
    }
}

/// The same where groups are slots.
pub(super) fn slot_accumulator(
    function: &Arc<AggregateFunctionExpr>,
    arguments: &[Arc<dyn PhysicalExpr>],
    input: &Schema,
) -> Result<Box<dyn SlotAccumulator>> {
    match folded(function, arguments, input)? {
        Some(folded) => Ok(folded),
        None => Ok(Box::new(OfEngine::new(Arc::clone(function))?)),
    }
}

fn folded(
    function: &AggregateFunctionExpr,
    arguments: &[Arc<dyn PhysicalExpr>],
    input: &Schema,
) -> Result<Option<Box<dyn SlotAccumulator>>> {
    Ok(match arguments {
        [argument] if !function.is_distinct() => fold_of(function, &argument.data_type(input)?),
        _ => None,
    })
}

fn fold_of(function: &AggregateFunctionExpr, argument: &DataType) -> Option<Box<dyn SlotAccumulator>> {
    let name = function.fun().name();
    Some(match (name, argument) {
        ("count", _) => boxed(Count),
        ("sum", DataType::Float64) => one_by_one::<Float64Type>(argument, Some(0.0), |a, b| a + b),
        ("sum", DataType::Int64) => one_by_one::<Int64Type>(argument, Some(0), i64::wrapping_add),
        ("avg", DataType::Float64) => boxed(Mean),
        ("var", DataType::Float64) => boxed(Deviation { is_sample: true, is_root: false }),
        ("var_pop", DataType::Float64) => boxed(Deviation { is_sample: false, is_root: false }),
        ("stddev", DataType::Float64) => boxed(Deviation { is_sample: true, is_root: true }),
        ("stddev_pop", DataType::Float64) => boxed(Deviation { is_sample: false, is_root: true }),
        ("min" | "max", DataType::Float64) => extreme::<Float64Type>(name, argument),
        ("min" | "max", DataType::Int64) => extreme::<Int64Type>(name, argument),
        ("min" | "max", DataType::Date32) => extreme::<Date32Type>(name, argument),
        ("min" | "max", DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            extreme::<TimestampMicrosecondType>(name, argument)
        }
        _ => return None,
    })
}

/// What the values of a group come to.
trait Fold: Send + Sync + 'static {
    /// Its default is that of no values.
    type Total: Copy + Default + Send + 'static;

    /// Adds the values of each run to its group's total.
    fn add(&self, totals: &mut [Self::Total], runs: &Runs) -> Result<()>;

    /// Adds to `total` what came before it.
    fn follow(&self, before: Self::Total, total: &mut Self::Total);

    fn results(&self, totals: Vec<Self::Total>) -> ArrayRef;

    fn states(&self, totals: Vec<Self::Total>) -> Vec<ArrayRef> {
        vec![self.results(totals)]
    }

    /// Adds states to their groups' totals.
    fn merge(&self, totals: &mut [Self::Total], states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        self.add(totals, &Runs::new(&states[0], groups, None))
    }
}

/// The rows that have a value and for which the filter is true; None for all.
pub(super) fn counted(values: &dyn Array, filter: Option<&BooleanArray>) -> Option<BooleanBuffer> {
    let valid = values.logical_nulls().map(NullBuffer::into_inner);
    let wanted = filter.map(|filter| match filter.nulls() {
        Some(nulls) => filter.values() & nulls.inner(),
        None => filter.values().clone(),
    });
    let mask = match (valid, wanted) {
        (Some(valid), Some(wanted)) => Some(&valid & &wanted),
        (valid, wanted) => valid.or(wanted),
    };
    mask.filter(|mask| mask.count_set_bits() < mask.len())
}

/// Rows of which those of a group lie together.
struct Runs<'a> {
    values: &'a ArrayRef,
    groups: &'a [usize],
    /// The rows that count, if not all do.
    mask: Option<BooleanBuffer>,
}

impl<'a> Runs<'a> {
    fn new(values: &'a ArrayRef, groups: &'a [usize], filter: Option<&BooleanArray>) -> Runs<'a> {
        Runs { values, groups, mask: counted(values, filter) }
    }

    /// Of each run that has rows that count its group, and these rows' places among all that count.
    fn each(&self, mut see: impl FnMut(usize, Range<usize>)) {
        let (mut start, mut counted) = (0, 0);
        while let Some(&group) = self.groups.get(start) {
            let rows = run_length(&self.groups[start..], group);
            let of_run = self.mask.as_ref().map_or(rows, |mask| ones(mask, start, rows));
            if of_run > 0 {
                see(group, counted..counted + of_run);
            }
            (start, counted) = (start + rows, counted + of_run);
        }
    }

    /// The same with the values themselves, which are of this type.
    fn each_values<T: ArrowPrimitiveType>(&self, mut see: impl FnMut(usize, &[T::Native])) -> Result<()> {
        let kept = self.mask.clone().map(|mask| filter(self.values, &BooleanArray::new(mask, None))).transpose()?;
        let values = kept.as_ref().unwrap_or(self.values).as_primitive::<T>().values();
        self.each(|group, rows| see(group, &values[rows]));
        Ok(())
    }
}

/// How many rows from the first one on are of the group.
fn run_length(groups: &[usize], group: usize) -> usize {
    const AT_ONCE: usize = 8;
    let is_whole = |groups: &&[usize]| groups.iter().fold(true, |is, other| is & (*other == group));
    let rows = AT_ONCE * groups.chunks_exact(AT_ONCE).take_while(is_whole).count();
    rows + groups[rows..].iter().take_while(|other| **other == group).count()
}

/// How many of the bits are set. Runs are short, and a slice of the mask takes longer than to count it.
fn ones(mask: &BooleanBuffer, start: usize, bits: usize) -> usize {
    const AT_ONCE: usize = 56;
    let (first, mut left, mut count) = (mask.offset() + start, bits, 0);
    while left > 0 {
        let at = first + bits - left;
        let bytes = &mask.values()[at / 8..];
        let mut word = [0; size_of::<u64>()];
        let known = bytes.len().min(word.len());
        word[..known].copy_from_slice(&bytes[..known]);
        let next = left.min(AT_ONCE);
        count += (u64::from_le_bytes(word) >> (at % 8) & ((1 << next) - 1)).count_ones() as usize;
        left -= next;
    }
    count
}

struct Count;

impl Fold for Count {
    type Total = i64;

    fn add(&self, totals: &mut [i64], runs: &Runs) -> Result<()> {
        runs.each(|group, rows| totals[group] += rows.len() as i64);
        Ok(())
    }

    fn follow(&self, before: i64, total: &mut i64) {
        *total += before;
    }

    fn results(&self, totals: Vec<i64>) -> ArrayRef {
        Arc::new(Int64Array::from(totals))
    }

    fn merge(&self, totals: &mut [i64], states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let counts = states[0].as_primitive::<Int64Type>().values();
        groups.iter().zip(counts).for_each(|(group, count)| totals[*group] += count);
        Ok(())
    }
}

/// One value put to the one before, row by row.
struct OneByOne<T: ArrowPrimitiveType, F> {
    data_type: DataType,
    /// None to start from the first value.
    start: Option<T::Native>,
    put: F,
    of: PhantomData<fn() -> T>,
}

fn one_by_one<T: ArrowPrimitiveType>(
    of: &DataType,
    start: Option<T::Native>,
    put: impl Fn(T::Native, T::Native) -> T::Native + Send + Sync + 'static,
) -> Box<dyn SlotAccumulator> {
    boxed(OneByOne::<T, _> { data_type: of.clone(), start, put, of: PhantomData })
}

/// Of values that do not compare the later one, as the engine has it.
fn extreme<T: ArrowPrimitiveType>(name: &str, of: &DataType) -> Box<dyn SlotAccumulator> {
    match name {
        "min" => one_by_one::<T>(of, None, |a, b| if a <= b { a } else { b }),
        _ => one_by_one::<T>(of, None, |a, b| if a >= b { a } else { b }),
    }
}

impl<T: ArrowPrimitiveType, F: Fn(T::Native, T::Native) -> T::Native + Send + Sync + 'static> Fold for OneByOne<T, F> {
    type Total = Option<T::Native>;

    fn add(&self, totals: &mut [Self::Total], runs: &Runs) -> Result<()> {
        runs.each_values::<T>(|group, values| {
            let (start, values) = match totals[group].or(self.start) {
                Some(start) => (start, values),
                None => (values[0], &values[1..]),
            };
            totals[group] = Some(values.iter().copied().fold(start, &self.put));
        })
    }

    fn follow(&self, before: Self::Total, total: &mut Self::Total) {
        *total = match (before, *total) {
            (Some(before), Some(total)) => Some((self.put)(before, total)),
            (before, total) => before.or(total),
        };
    }

    fn results(&self, totals: Vec<Self::Total>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter(totals).with_data_type(self.data_type.clone()))
    }
}

struct Mean;

impl Fold for Mean {
    /// Number and sum.
    type Total = (u64, f64);

    fn add(&self, totals: &mut [(u64, f64)], runs: &Runs) -> Result<()> {
        runs.each_values::<Float64Type>(|group, values| {
            let (count, sum) = &mut totals[group];
            *count += values.len() as u64;
            *sum = values.iter().fold(*sum, |sum, value| sum + value);
        })
    }

    fn follow(&self, before: (u64, f64), total: &mut (u64, f64)) {
        total.0 += before.0;
        total.1 += before.1;
    }

    fn results(&self, totals: Vec<Self::Total>) -> ArrayRef {
        let mean = |(count, sum)| (count > 0).then(|| sum / count as f64);
        Arc::new(totals.into_iter().map(mean).collect::<Float64Array>())
    }

    fn states(&self, totals: Vec<Self::Total>) -> Vec<ArrayRef> {
        let known = |(count, sum)| if count > 0 { (Some(count), Some(sum)) } else { (None, None) };
        let (counts, sums): (Vec<_>, Vec<_>) = totals.into_iter().map(known).unzip();
        vec![Arc::new(UInt64Array::from(counts)), Arc::new(Float64Array::from(sums))]
    }

    fn merge(&self, totals: &mut [(u64, f64)], states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let (counts, sums) = (states[0].as_primitive::<UInt64Type>(), states[1].as_primitive::<Float64Type>());
        for ((group, count), sum) in groups.iter().zip(counts).zip(sums) {
            totals[*group].0 += count.unwrap_or(0);
            totals[*group].1 += sum.unwrap_or(0.0);
        }
        Ok(())
    }
}

/// Variance, or its root. Source: Chan, Golub & LeVeque, "Algorithms for computing the sample variance" (1983): values of a
/// run in two passes, runs put together by their means.
struct Deviation {
    is_sample: bool,
    is_root: bool,
}

#[derive(Clone, Copy, Default)]
struct Moments {
    count: u64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

/// Without each addition waiting for the one before.
fn sum(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        sums.iter_mut().zip(four).for_each(|(sum, value)| *sum += of(*value));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| of(*value)).sum::<f64>()
}

impl Moments {
    /// There is at least one value. As distances from the first one, so that values that are all the same deviate by nothing.
    fn of(values: &[f64]) -> Moments {
        let mean = values[0] + sum(values, |value| value - values[0]) / values.len() as f64;
        let squares = sum(values, |value| (value - mean) * (value - mean));
        Moments { count: values.len() as u64, mean, squares }
    }

    fn add(&mut self, other: Moments) {
        if self.count == 0 {
            *self = other;
            return;
        }
        if other.count == 0 {
            return;
        }
        let (before, added) = (self.count as f64, other.count as f64);
        let (all, distance) = (before + added, other.mean - self.mean);
        self.count += other.count;
        self.mean += distance * added / all;
        self.squares += other.squares + distance * distance * before * added / all;
    }
}

impl Fold for Deviation {
    type Total = Moments;

    fn add(&self, totals: &mut [Moments], runs: &Runs) -> Result<()> {
        runs.each_values::<Float64Type>(|group, values| totals[group].add(Moments::of(values)))
    }

    fn follow(&self, mut before: Moments, total: &mut Moments) {
        before.add(*total);
        *total = before;
    }

    fn results(&self, totals: Vec<Moments>) -> ArrayRef {
        let result = |Moments { count, squares, .. }| {
            let freedom = if self.is_sample { count.saturating_sub(1) } else { count };
            let variance = (freedom > 0).then(|| squares / freedom as f64);
            if self.is_root { variance.map(f64::sqrt) } else { variance }
        };
        Arc::new(totals.into_iter().map(result).collect::<Float64Array>())
    }

    fn states(&self, totals: Vec<Moments>) -> Vec<ArrayRef> {
        let of = |of: fn(&Moments) -> f64| Arc::new(Float64Array::from_iter_values(totals.iter().map(of)));
        let counts = UInt64Array::from_iter_values(totals.iter().map(|total| total.count));
        vec![Arc::new(counts), of(|total| total.mean), of(|total| total.squares)]
    }

    fn merge(&self, totals: &mut [Moments], states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>().values().iter();
        let [means, squares] = [1, 2].map(|state| states[state].as_primitive::<Float64Type>().values().iter());
        for (((group, &count), &mean), &squares) in groups.iter().zip(counts).zip(means).zip(squares) {
            totals[*group].add(Moments { count, mean, squares });
        }
        Ok(())
    }
}

struct Folds<F: Fold> {
    fold: Arc<F>,
    totals: Vec<F::Total>,
}

fn boxed(fold: impl Fold) -> Box<dyn SlotAccumulator> {
    Box::new(Folds { fold: Arc::new(fold), totals: Vec::new() })
}

impl<F: Fold> SlotAccumulator for Folds<F> {
    fn known(&mut self, customers: &Customers) -> Result<Box<dyn SlotAccumulator>> {
        let mut totals = EmitTo::First(customers.goes_on.len()).take_needed(&mut self.totals);
        for slot in (1..totals.len()).filter(|slot| customers.goes_on[*slot]) {
            let before = totals[slot - 1];
            self.fold.follow(before, &mut totals[slot]);
        }
        Ok(Box::new(Folds { fold: Arc::clone(&self.fold), totals }))
    }
}

impl<F: Fold> GroupsAccumulator for Folds<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.totals.resize(total, F::Total::default());
        self.fold.add(&mut self.totals, &Runs::new(&values[0], groups, filter))
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(self.fold.results(emit.take_needed(&mut self.totals)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(self.fold.states(emit.take_needed(&mut self.totals)))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.totals.resize(total, F::Total::default());
        self.fold.merge(&mut self.totals, states, groups)
    }

    fn convert_to_state(&self, _: &[ArrayRef], _: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        internal_err!("rows of groups that lie together are worth a total each")
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<F::Total>()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion::functions_aggregate::average::avg_udaf;
    use datafusion::functions_aggregate::count::count_udaf;
    use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
    use datafusion::functions_aggregate::stddev::{stddev_pop_udaf, stddev_udaf};
    use datafusion::functions_aggregate::sum::sum_udaf;
    use datafusion::functions_aggregate::variance::{var_pop_udaf, var_samp_udaf};
    use datafusion::logical_expr::AggregateUDF;
    use datafusion::physical_expr::aggregate::AggregateExprBuilder;
    use datafusion::physical_expr::expressions::col;
    use proptest::prelude::*;

    use super::*;

    const GROUPS: usize = 6;

    fn close(ours: &[ArrayRef], theirs: &[ArrayRef]) -> bool {
        let alike = |(ours, theirs): (&ArrayRef, &ArrayRef)| match ours.as_primitive_opt::<Float64Type>() {
            Some(ours) => ours.iter().zip(theirs.as_primitive::<Float64Type>()).all(|pair| match pair {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
                (a, b) => a == b,
            }),
            None => ours == theirs,
        };
        ours.len() == theirs.len() && ours.iter().zip(theirs).all(alike)
    }

    /// A group, and a value that counts or does not.
    type Row = (usize, Option<i64>, Option<bool>);

    fn values(rows: &[Row], data_type: &DataType) -> ArrayRef {
        let values = rows.iter().map(|row| row.1);
        match data_type {
            DataType::Float64 => {
                Arc::new(values.map(|value| Some(value? as f64 / 4.0 + 100.0)).collect::<Float64Array>())
            }
            _ => Arc::new(values.collect::<Int64Array>()),
        }
    }

    fn check(function: &Arc<AggregateUDF>, data_type: &DataType, batches: &[&[Row]], is_merged: bool, is_state: bool) {
        let schema = Arc::new(Schema::new(vec![Field::new("x", data_type.clone(), true)]));
        let argument = col("x", &schema).unwrap();
        let function = AggregateExprBuilder::new(Arc::clone(function), vec![argument]).schema(schema).alias("y");
        let function = function.build().unwrap();
        let mut ours = fold_of(&function, data_type).unwrap();
        let mut theirs = function.create_groups_accumulator().unwrap();
        for rows in batches {
            let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let filter: BooleanArray = rows.iter().map(|row| row.2).collect();
            if is_merged {
                let mut part = fold_of(&function, data_type).unwrap();
                part.update_batch(&[values(rows, data_type)], &groups, Some(&filter), GROUPS).unwrap();
                ours.merge_batch(&part.state(EmitTo::All).unwrap(), &[0, 1, 2, 3, 4, 5], GROUPS).unwrap();
            } else {
                ours.update_batch(&[values(rows, data_type)], &groups, Some(&filter), GROUPS).unwrap();
            }
            theirs.update_batch(&[values(rows, data_type)], &groups, Some(&filter), GROUPS).unwrap();
        }
        for emit in [EmitTo::First(2), EmitTo::All] {
            let (ours, theirs) = match is_state {
                true => (ours.state(emit).unwrap(), theirs.state(emit).unwrap()),
                false => (vec![ours.evaluate(emit).unwrap()], vec![theirs.evaluate(emit).unwrap()]),
            };
            assert!(close(&ours, &theirs), "{} of {data_type}: {ours:?}, not {theirs:?}", function.fun().name());
        }
    }

    #[test]
    fn values_that_are_all_the_same_deviate_by_nothing() {
        for (value, size) in
            [0.1, 4.7, 19.99, 1e160].into_iter().flat_map(|value| (1..9).map(move |size| (value, size)))
        {
            let mut deviation = boxed(Deviation { is_sample: true, is_root: true });
            for rows in [value; 25].chunks(size) {
                let values: ArrayRef = Arc::new(Float64Array::from(rows.to_vec()));
                deviation.update_batch(&[values], &vec![0; rows.len()], None, 1).unwrap();
            }
            let found = deviation.evaluate(EmitTo::All).unwrap();
            assert_eq!(found.as_primitive::<Float64Type>().value(0), 0.0, "{value}, {size} at a time");
        }
    }

    proptest! {
        /// Whatever batches rows come in; groups may come again, or have no row that counts.
        #[test]
        fn results_and_states_are_those_of_the_engine(
            runs in prop::collection::vec((0..GROUPS, prop::collection::vec((prop::option::weighted(0.8, -9i64..9), 0usize..4), 1..6)), 1..20),
            size in 1usize..12,
            is_filtered: bool,
            is_merged: bool,
            is_state: bool,
        ) {
            let counts = |kind: usize| if is_filtered { [None, Some(false), Some(true), Some(true)][kind] } else { Some(true) };
            let rows = runs.iter().flat_map(|(group, rows)| rows.iter().map(|(value, kind)| (*group, *value, counts(*kind))));
            let rows: Vec<Row> = rows.collect();
            let batches: Vec<&[Row]> = rows.chunks(size).collect();
            let of_any = [count_udaf(), sum_udaf(), min_udaf(), max_udaf()];
            let of_reals = [avg_udaf(), var_samp_udaf(), var_pop_udaf(), stddev_udaf(), stddev_pop_udaf()];
            for function in of_any.iter().chain(&of_reals) {
                check(function, &DataType::Float64, &batches, is_merged, is_state);
            }
            of_any.iter().for_each(|function| check(function, &DataType::Int64, &batches, is_merged, is_state));
        }
    }
}
