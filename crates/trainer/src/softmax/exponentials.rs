//! The exponentials of a softmax's logits, as fast as the device can.
//!
//! A CPU multiplies the transposed matrices up to twice as fast, as the products outnumber the rows by far, and of the passes
//! over the result that libtorch would make, one per operation, here are two.

use tch::{Device, Kind, Tensor};

use super::columns;
use crate::device;

/// Computes exponentials of the logits of some rows at a time.
pub(crate) struct Exponentials<'a> {
    /// `[P, D]`
    products: &'a Tensor,
    /// On a CPU in full precision the memory for all chunks' `[P, n]`.
    columns: Option<Tensor>,
}

/// Exponentials, none above 1.
pub(crate) struct Exps {
    /// `[n, P]`; gone once the next ones are computed.
    pub(crate) values: Tensor,
    /// What makes them add up to 1, `[n]`.
    pub(crate) per_sum: Tensor,
    /// ln Σ exp of the logits themselves, `[n]`.
    pub(crate) log_sum: Tensor,
}

/// The chunks `(first row, rows)` of `rows` rows whose logits of so many products are computed at once.
pub(crate) fn chunks(rows: i64, products: i64, device: Device) -> impl Iterator<Item = (i64, i64)> {
    let at_once = rows_at_once(products, device);
    (0..rows).step_by(at_once as usize).map(move |first| (first, at_once.min(rows - first)))
}

/// On a CPU few enough for its cache; a GPU wants few, large operations.
fn rows_at_once(products: i64, device: Device) -> i64 {
    /// What vector instructions like.
    const MULTIPLE: i64 = 32;
    let logits: i64 = if device.is_cuda() { 1 << 25 } else { 1 << 19 };
    (logits / products.max(1) / MULTIPLE).max(1) * MULTIPLE
}

impl<'a> Exponentials<'a> {
    pub(crate) fn new(products: &'a Tensor) -> Self {
        let (count, device) = (products.size()[0], products.device());
        let is_columns = device == Device::Cpu && products.kind() == Kind::Float;
        let columns = || Tensor::empty([count * rows_at_once(count, device)], (Kind::Float, device));
        Self { products, columns: is_columns.then(columns) }
    }

    /// Of the logits `hidden` `[n, D]` · products; with `left_out` without those products whose name, one of `[P]`, is the
    /// row's, one of `[n]`.
    pub(crate) fn of(&mut self, hidden: &Tensor, left_out: Option<(&Tensor, &Tensor)>) -> Exps {
        let Some(buffer) = &mut self.columns else { return by_rows(hidden, self.products, left_out) };
        let (rows, count) = (hidden.size()[0], self.products.size()[0]);
        let mut logits = buffer.narrow(0, 0, count * rows).view([count, rows]);
        let _ = self.products.mm_out(&logits, &hidden.tr());
        if let Some((products, rows)) = left_out {
            let _ = logits.masked_fill_(&products.unsqueeze(1).eq_tensor(rows), f64::NEG_INFINITY);
        }
        let mut largest = logits.amax([0], false);
        let sums = columns::exponentiate(device::floats_mut(&mut logits), device::floats_mut(&mut largest));
        let sums = Tensor::from_slice(&sums);
        Exps { values: logits.tr(), per_sum: sums.reciprocal(), log_sum: largest + sums.log() }
    }
}

fn by_rows(hidden: &Tensor, products: &Tensor, left_out: Option<(&Tensor, &Tensor)>) -> Exps {
    let mut logits = hidden.matmul(&products.tr());
    if let Some((products, rows)) = left_out {
        let _ = logits.masked_fill_(&rows.unsqueeze(1).eq_tensor(products), f64::NEG_INFINITY);
    }
    let softmax = logits.softmax(1, Kind::Float);
    let largest = |x: &Tensor| x.amax([1], false).to_kind(Kind::Float);
    // The largest probability is exp(its logit) / the sum.
    let log_sum = largest(&logits) - largest(&softmax).log();
    Exps { values: softmax.to_kind(hidden.kind()), per_sum: log_sum.ones_like(), log_sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CPU's way and a GPU's come to the same.
    #[test]
    fn by_columns_is_by_rows() {
        let normal = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 3.0;
        let (hidden, products) = device::seeded(1, 4, || (normal(&[37, 8]), normal(&[50, 8])));
        let (names, right) =
            (Tensor::arange(50, (Kind::Int64, Device::Cpu)), Tensor::full([37], 7, (Kind::Int64, Device::Cpu)));
        for left_out in [None, Some((&names, &right))] {
            let columns = Exponentials::new(&products).of(&hidden, left_out);
            let rows = by_rows(&hidden, &products, left_out);
            let softmax = |exps: &Exps| &exps.values * exps.per_sum.unsqueeze(1);
            let farthest = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
            assert!(farthest(&softmax(&columns), &softmax(&rows)) < 1e-6);
            assert!(farthest(&columns.log_sum, &rows.log_sum) < 1e-5);
            assert_eq!(left_out.is_some(), softmax(&rows).select(1, 7).max().double_value(&[]) < 1e-30);
        }
    }
}
