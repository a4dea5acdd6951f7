//! How many tries beyond the first the calls of one actor may cost. Pure; time is an argument.
//!
//! Without a bound a callee that is a little too busy is asked up to three times as often, and is
//! then much too busy. So repeated tries are a share of the calls themselves, and a small floor
//! lets an actor that is called once a minute still be tried elsewhere.

use std::collections::BTreeMap;

use wattle_types::{ActorId, Millis};

/// What one call adds, in thousandths of a try: a tenth.
const PER_CALL: u64 = 100;
const ONE_TRY: u64 = 1_000;
/// The floor: one try in a second, whatever the calls add.
const PER_SECOND: u64 = ONE_TRY;
/// What is saved up is spent in a burst, so it is bounded: ten tries.
const SAVED_MAX: u64 = 10 * ONE_TRY;
/// What an actor begins with, so that its very first calls can be tried elsewhere.
const AT_FIRST: u64 = 3 * ONE_TRY;

/// The budgets of all actors that were called elsewhere lately.
#[derive(Debug, Default)]
pub(crate) struct Budgets(BTreeMap<ActorId, Budget>);

#[derive(Clone, Copy, Debug)]
struct Budget {
    /// In thousandths of a try.
    saved: u64,
    at: Millis,
}

impl Budgets {
    /// A call is made for the first time.
    pub(crate) fn call(&mut self, actor: &ActorId, now: Millis) {
        match self.0.get_mut(actor) {
            Some(budget) => budget.add(PER_CALL),
            None => {
                self.0.insert(actor.clone(), Budget::new(now));
            }
        }
    }

    /// Whether one more try may be made now. If so it is paid for.
    pub(crate) fn retry(&mut self, actor: &ActorId, now: Millis) -> bool {
        let budget = match self.0.get_mut(actor) {
            Some(budget) => budget,
            None => self.0.entry(actor.clone()).or_insert_with(|| Budget::new(now)),
        };
        budget.pass(now);
        match budget.saved.checked_sub(ONE_TRY) {
            Some(left) => {
                budget.saved = left;
                true
            }
            None => false,
        }
    }

    /// Forgets those that are full again anyway: nobody tried anything for long.
    pub(crate) fn sweep(&mut self, now: Millis) {
        self.0.retain(|_, budget| now.since(budget.at) < SAVED_MAX);
    }
}

impl Budget {
    const fn new(now: Millis) -> Self {
        Self { saved: AT_FIRST, at: now }
    }

    fn add(&mut self, what: u64) {
        self.saved = SAVED_MAX.min(self.saved + what);
    }

    /// A thousandth of a try for each millisecond that passed.
    fn pass(&mut self, now: Millis) {
        self.add(now.since(self.at) * PER_SECOND / 1_000);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(budgets: &mut Budgets, times: usize, now: u64) -> usize {
        (0..times).filter(|_| budgets.retry(&web(), Millis(now))).count()
    }

    fn web() -> ActorId {
        "web".parse().unwrap()
    }

    #[test]
    fn under_load_one_call_in_ten_is_tried_again() {
        let mut budgets = Budgets::default();
        let mut tries = 0;
        for _ in 0..10_000 {
            budgets.call(&web(), Millis(0));
            tries += granted(&mut budgets, 2, 0);
        }
        assert!((1_000..=1_003).contains(&tries), "{tries}");
    }

    #[test]
    fn an_actor_that_is_rarely_called_may_still_be_tried_elsewhere() {
        let mut budgets = Budgets::default();
        assert_eq!(granted(&mut budgets, 10, 0), 3, "at first");
        assert_eq!(granted(&mut budgets, 10, 999), 0);
        assert_eq!(granted(&mut budgets, 10, 2_500), 2, "once in a second");
        assert_eq!(granted(&mut budgets, 10, 4_500), 2);
    }

    #[test]
    fn what_was_saved_up_is_bounded() {
        let mut budgets = Budgets::default();
        for _ in 0..100_000 {
            budgets.call(&web(), Millis(0));
        }
        assert_eq!(granted(&mut budgets, 100, 3_600_000), 10);
    }

    #[test]
    fn an_actor_does_not_pay_for_another_and_is_forgotten_when_it_is_quiet() {
        let mut budgets = Budgets::default();
        assert_eq!(granted(&mut budgets, 5, 0), 3);
        assert!(budgets.retry(&"db".parse().unwrap(), Millis(0)));
        budgets.sweep(Millis(9_999));
        assert_eq!(granted(&mut budgets, 5, 0), 0);
        budgets.sweep(Millis(10_000));
        assert!(budgets.0.is_empty());
    }
}
