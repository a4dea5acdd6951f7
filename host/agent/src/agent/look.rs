//! Looking at our own assignment: when, and until what is read is as new as what we were told. And
//! at the links and configuration of what it names.

use std::collections::BTreeSet;

use wattle_types::{Key, Millis};

use super::Agent;
use crate::backoff::{LOOKS_MAX, READ};
use crate::effect::Effect;
use crate::event::Reading;

/// We were told of a change, and have not read it yet.
#[derive(Debug)]
pub(super) struct Looking {
    at_least: u64,
    looks: u32,
    again: Option<Millis>,
}

impl Looking {
    pub(super) const fn due(&self) -> Option<Millis> {
        self.again
    }
}

impl Agent {
    pub(super) fn look(&mut self, at_least: Option<u64>, out: &mut Vec<Effect>) {
        if !self.listens() {
            return;
        }
        if let Some(at_least) = at_least {
            self.looking = Some(Looking { at_least, looks: 0, again: None });
        }
        self.closures.look_again();
        out.push(self.read_assignment());
    }

    /// Looks at our assignment, and at everything else that may have changed unheard.
    pub(super) fn look_at_all(&mut self, out: &mut Vec<Effect>) {
        self.looks_at_all = true;
        self.ownership.look(out);
        self.look(None, out);
    }

    fn read_assignment(&self) -> Effect {
        Effect::Read { keys: BTreeSet::from([Key::Assign(self.config.host)]) }
    }

    /// No information changes nothing: a key that is missing, deleted or out of reach says
    /// nothing about what should run.
    pub(super) fn on_assignment(&mut self, reading: Reading, now: Millis, out: &mut Vec<Effect>) {
        if !self.listens() {
            return;
        }
        let seq = match &reading {
            Reading::Value { seq, .. } => Some(*seq),
            Reading::Nothing | Reading::Failed => None,
        };
        self.on_looked(seq, now);
        let Reading::Value { bytes, .. } = reading else { return };
        // Of a store that lost our assignment, that it has no links either is no information.
        if std::mem::take(&mut self.looks_at_all) {
            self.closures.look_at_all();
        }
        let before = self.acceptance.epoch_max();
        let mut running = [self.runs.targeted(), self.closures.imminent().cloned().collect()];
        for running in &mut running {
            running.retain(|id| !self.manual.has(id));
        }
        let verdict = self.acceptance.judge(&bytes, &running);
        let epoch = self.acceptance.epoch_max();
        match verdict {
            Ok(Some(accepted)) if self.leaving.is_some() => {
                if before < epoch {
                    out.push(Effect::StoreEpoch { epoch });
                }
                self.hand_over(&accepted.assignment.entries, now, out);
            }
            // Its epoch goes to the disk with its closure, before anything is done about it.
            Ok(Some(accepted)) => self.closures.follow(accepted, bytes, seq.unwrap_or_default()),
            Ok(None) => {}
            Err(refusal) => {
                if before < epoch {
                    out.push(Effect::StoreEpoch { epoch });
                }
                self.refuse(refusal, out);
            }
        }
    }

    /// Whether the reading was as new as what we were told of.
    fn on_looked(&mut self, seq: Option<u64>, now: Millis) {
        let Some(looking) = &mut self.looking else { return };
        looking.looks += 1;
        if seq.is_some_and(|seq| looking.at_least <= seq) || LOOKS_MAX <= looking.looks {
            self.looking = None;
        } else {
            looking.again = Some(now + READ.delay_ms(looking.looks));
        }
    }

    pub(super) fn look_if_due(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if let Some(looking) = &mut self.looking
            && looking.again.is_some_and(|at| at <= now)
        {
            looking.again = None;
            out.push(self.read_assignment());
        }
    }
}
