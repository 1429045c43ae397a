//! How time grows with the data.

use std::collections::BTreeMap;

/// Seconds of each thing that is measured, by the number of orders.
#[derive(Default)]
pub struct Growth(BTreeMap<String, Vec<(u64, f64)>>);

impl Growth {
    pub fn note(&mut self, name: &str, orders: u64, seconds: f64) {
        self.0.entry(name.into()).or_default().push((orders, seconds));
    }

    /// The exponent from the first size to the last; nothing where there was only one.
    pub fn print(&self) {
        for (name, times) in &self.0 {
            if let [(first, fast), .., (last, slow)] = times[..] {
                let exponent = (slow / fast).ln() / (last as f64 / first as f64).ln();
                println!("{name:<24} grows as orders^{exponent:.2} from {first} to {last} orders");
            }
        }
    }
}
