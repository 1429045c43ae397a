/// How many baskets (or customers) there are, and how many hold the antecedent, the consequent, and both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) all: u32,
    pub(super) antecedent: u32,
    pub(super) consequent: u32,
    pub(super) both: u32,
}

impl Counts {
    pub(super) fn share(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.all)
    }

    /// P(consequent | antecedent).
    pub(super) fn confidence(&self) -> f64 {
        f64::from(self.both) / f64::from(self.antecedent)
    }

    /// P(both) / (P(antecedent) · P(consequent)): exactly 1 for independent ones.
    pub(super) fn lift(&self) -> f64 {
        product(self.both, self.all) as f64 / product(self.antecedent, self.consequent) as f64
    }

    /// P(both) − P(antecedent) · P(consequent).
    pub(super) fn leverage(&self) -> f64 {
        self.surplus() / (f64::from(self.all) * f64::from(self.all))
    }

    /// P(not consequent) / P(not consequent | antecedent); infinite where the antecedent never goes without.
    pub(super) fn conviction(&self) -> f64 {
        if self.both == self.antecedent {
            return f64::INFINITY;
        }
        let expected = product(self.all - self.consequent, self.antecedent);
        expected as f64 / product(self.all, self.antecedent - self.both) as f64
    }

    /// Zhang's metric: from −1 (never together) over 0 (independent) to 1; 0 where one of them is in all baskets.
    pub(super) fn zhang(&self) -> f64 {
        let with = product(self.both, self.all - self.antecedent);
        let without = product(self.antecedent, self.consequent - self.both);
        match with.max(without) {
            0 => 0.0,
            most => self.surplus() / most as f64,
        }
    }

    /// Leverage times the square of `all`.
    fn surplus(&self) -> f64 {
        (i128::from(product(self.both, self.all)) - i128::from(product(self.antecedent, self.consequent))) as f64
    }
}

fn product(a: u32, b: u32) -> u64 {
    u64::from(a) * u64::from(b)
}
