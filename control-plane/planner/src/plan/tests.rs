//! Tables: desired and hosts in a short notation, the plan as its text.

mod awaiting;
mod checked;
mod moving;
mod notation;
mod placing;
mod trading;

use wattle_types::SpecHash;

use super::*;
use crate::check::check;
use notation::{apply, desired, observed, show};

struct Case {
    name: &'static str,
    desired: &'static [&'static str],
    hosts: &'static [&'static str],
    plan: &'static str,
}

impl Case {
    /// The plan is the expected one, is sound, and when it is carried out nothing is left to do.
    fn check(&self) {
        let (desired, mut observed) = (desired(self.desired), observed(self.hosts));
        let first = plan(&desired, &observed);
        assert_eq!(show(&first), self.plan, "{}", self.name);
        assert_eq!(check(&first, &desired, &observed), Ok(()), "{}", self.name);
        apply(&first, &mut observed);
        assert_eq!(plan(&desired, &observed), first, "{}: the second plan", self.name);
    }
}
