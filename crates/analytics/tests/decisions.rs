//! Decisions against trying every set of candidates.

use analytics::Error;
use analytics::decisions::{Budgets, Candidates, Decision, decide};
use proptest::prelude::*;

/// One candidate: customer, channel, action, gain, cost, whether held out.
type Row = (u32, u32, u32, f64, f64, bool);

const ACTIONS: usize = 3;

#[derive(Debug)]
struct Case {
    rows: Vec<Row>,
    /// Of each customer.
    contacts_left: Vec<u32>,
    of_actions: Vec<f64>,
    total: f64,
}

impl Case {
    fn decide(&self) -> analytics::Result<Vec<Decision>> {
        let column = |of: fn(&Row) -> u32| self.rows.iter().map(of).collect::<Vec<_>>();
        let real = |of: fn(&Row) -> f64| self.rows.iter().map(of).collect::<Vec<_>>();
        let candidates = Candidates {
            customers: &column(|row| row.0),
            channels: &column(|row| row.1),
            actions: &column(|row| row.2),
            gains: &real(|row| row.3),
            costs: &real(|row| row.4),
            contacts_left: &self.rows.iter().map(|row| self.contacts_left[row.0 as usize]).collect::<Vec<_>>(),
            held_out: &self.rows.iter().map(|row| row.5).collect::<Vec<_>>(),
        };
        decide(&candidates, &Budgets { of_actions: &self.of_actions, total: self.total })
    }

    /// Whether these rows may be taken together.
    fn allows(&self, taken: &[&Row]) -> bool {
        let acted: Vec<&&Row> = taken.iter().filter(|row| !row.5).collect();
        let spent = |of: &dyn Fn(&Row) -> bool| acted.iter().filter(|row| of(row)).map(|row| row.4).sum::<f64>();
        let one_each = taken.iter().enumerate().all(|(i, a)| taken[..i].iter().all(|b| (a.0, a.1) != (b.0, b.1)));
        let contacts = (0..).zip(&self.contacts_left);
        let mut within =
            contacts.map(|(customer, left)| acted.iter().filter(|row| row.0 == customer).count() <= *left as usize);
        let mut affordable =
            (0..).zip(&self.of_actions).map(|(action, budget)| spent(&|row| row.2 == action) <= *budget);
        one_each && within.all(|is| is) && affordable.all(|is| is) && spent(&|_| true) <= self.total
    }
}

fn cases() -> impl Strategy<Value = Case> {
    // Halves add up without rounding.
    let halves = |most: u32| (0..=most).prop_map(|halves| f64::from(halves) / 2.0);
    let row = (
        0..3u32,
        0..2u32,
        0..ACTIONS as u32,
        halves(8).prop_map(|gain| gain - 1.0),
        halves(4),
        prop::bool::weighted(0.2),
    );
    let budget = || prop_oneof![3 => halves(8), 1 => Just(f64::INFINITY)];
    (
        prop::collection::vec(row, 0..9),
        prop::collection::vec(prop_oneof![3 => 0..3u32, 1 => Just(u32::MAX)], 3),
        prop::collection::vec(budget(), ACTIONS),
        budget(),
    )
        .prop_map(|(mut rows, contacts_left, of_actions, total)| {
            // A held-out row needs room as any other but takes none, which no set of rows can say: such cases have one
            // limit only, that of the channel.
            let is_mixed = rows.iter().any(|row| row.5);
            let free = is_mixed.then_some(f64::INFINITY);
            let contacts_left = if is_mixed { vec![u32::MAX; 3] } else { contacts_left };
            rows.iter_mut().enumerate().for_each(|(i, row)| row.3 += (i as f64) / 1024.0);
            let of_actions = of_actions.into_iter().map(|budget| free.unwrap_or(budget)).collect();
            Case { rows, contacts_left, of_actions, total: free.unwrap_or(total) }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Of all sets of rows that gain and that the limits allow, the one whose best gain is the largest, then whose second best
    /// is, and so on.
    #[test]
    fn the_best_rows_that_fit_are_taken(case in cases()) {
        let decisions = case.decide().unwrap();
        let taken = |of: &[Decision]| {
            let of = of.iter().zip(&case.rows).filter(|(d, _)| matches!(d, Decision::Act | Decision::HoldOut));
            of.map(|(_, row)| row.3).collect::<Vec<f64>>()
        };
        let mut found = taken(&decisions);
        found.sort_by(|a, b| b.total_cmp(a));
        let mut best: Vec<f64> = Vec::new();
        for chosen in 0..1u32 << case.rows.len() {
            let set: Vec<&Row> =
                case.rows.iter().enumerate().filter(|(i, row)| chosen >> i & 1 == 1 && row.3 > 0.0).map(|(_, row)| row).collect();
            if set.len() == chosen.count_ones() as usize && case.allows(&set) {
                let mut gains: Vec<f64> = set.iter().map(|row| row.3).collect();
                gains.sort_by(|a, b| b.total_cmp(a));
                if gains.partial_cmp(&best) == Some(std::cmp::Ordering::Greater) {
                    best = gains;
                }
            }
        }
        prop_assert_eq!(found, best);
        for (decision, row) in decisions.iter().zip(&case.rows) {
            prop_assert_eq!(*decision == Decision::NoGain, row.3 <= 0.0);
            prop_assert!(row.5 || *decision != Decision::HoldOut);
        }
    }
}

/// Two customers, one channel, a budget for one message.
fn pair(held_out: bool) -> Case {
    let rows = vec![(0, 0, 0, 2.0, 1.0, held_out), (1, 0, 0, 1.0, 1.0, false), (1, 0, 1, 0.5, 0.0, false)];
    Case { rows, contacts_left: vec![1, 1], of_actions: vec![1.0, f64::INFINITY], total: 5.0 }
}

#[test]
fn a_budget_that_is_spent_leaves_the_next_best_action() {
    assert_eq!(pair(false).decide().unwrap(), [Decision::Act, Decision::OverBudget, Decision::Act]);
}

#[test]
fn who_is_held_out_spends_nothing() {
    assert_eq!(pair(true).decide().unwrap(), [Decision::HoldOut, Decision::Act, Decision::Outranked]);
}

#[test]
fn contacts_are_counted_over_channels() {
    let rows = vec![(0, 0, 0, 2.0, 0.1, false), (0, 1, 0, 1.0, 0.1, false), (0, 2, 0, 3.0, 0.1, false)];
    let mut case = Case { rows, contacts_left: vec![2], of_actions: vec![0.2], total: f64::INFINITY };
    assert_eq!(case.decide().unwrap(), [Decision::Act, Decision::ContactLimit, Decision::Act]);
    // Three tenths are a little more than .3 when added up.
    (case.contacts_left, case.of_actions) = (vec![3], vec![0.3]);
    assert_eq!(case.decide().unwrap(), [Decision::Act; 3]);
}

#[test]
fn wrong_numbers_name_their_row() {
    let with = |row: Row| Case { rows: vec![row], contacts_left: vec![1], of_actions: vec![1.0], total: 1.0 }.decide();
    assert!(matches!(with((0, 0, 0, f64::NAN, 0.0, false)), Err(Error::Value { what: "gain", row: 0, .. })));
    assert!(matches!(with((0, 0, 0, 1.0, -1.0, false)), Err(Error::Value { what: "cost", row: 0, .. })));
    assert!(matches!(with((0, 0, 1, 1.0, 1.0, false)), Err(Error::Value { what: "action", row: 0, .. })));
    let mut case = pair(false);
    case.total = f64::NAN;
    assert!(matches!(case.decide(), Err(Error::Setting { name: "budget", .. })));
}
