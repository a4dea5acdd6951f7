//! Which hosts can be counted on.
//!
//! `alive`, until no beat came for 2.4 of the host's own periods; then `suspect`: it is probed
//! every 250 ms, and two answers "nobody listens" 500 ms apart make it `lost`; if only time-outs
//! come, that takes until 3.8 s after it became suspect (5 s of silence for a host that beats
//! twice a second). Any beat, and any answer, makes it `alive`.
//!
//! An observer that was deaf judges nobody: after its own reconnect, a pause, or taking over,
//! everybody's silence begins anew. Who hears nobody at all, and gets no answer either, is taken
//! for deaf itself. Silence of many is the network's fault ([`outage`]).
//!
//! Who does not hold the lease judges nobody, but listens and asks for inventories, so that a new
//! leader need not begin with that. Who holds it and cannot write, as while the NATS nodes elect a
//! leader of the stream, may be cut off itself: only that nobody listens there is believed then.
//!
//! *Lost* says that a replacement may start elsewhere. It does not say that the host stopped. An
//! application may wait longer than that: [`Host::silent_since`] is what it counts from.

mod host;
mod outage;

use std::collections::BTreeMap;

use wattle_types::time::Millis;
use wattle_types::{Beat, HostId, Inventory};

use crate::alarm::Alarm;
use crate::effect::Effect;
use crate::event::ProbeReply;

use host::Verdict;
pub(crate) use host::{Host, Phase};
use outage::Outage;

/// Ticks come ten times as often; a longer pause means that we were not running.
const PAUSE_MS: u64 = 1_000;
/// So long one must listen to have heard every host that beats at the usual period.
const SETTLE_MS: u64 = 1_200;
/// Hosts whose inventory does not come for so long are planned without.
const INVENTORY_WAIT_MS: u64 = 3_000;
/// A thousand hosts are asked within two seconds, and their answers do not come all at once.
const INVENTORIES_AT_ONCE: usize = 50;
/// More hosts than this nobody has; a flood of made-up ids ends here.
const HOSTS_MAX: usize = 20_000;

/// Who may be found to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judging {
    Nobody,
    /// Whom the server says that nobody listens there.
    Gone,
    All,
}

#[derive(Debug, Default)]
pub struct Fleet {
    hosts: BTreeMap<HostId, Host>,
    /// Since when we hear without a break. None: the link is down.
    listening: Option<Millis>,
    /// Since when we judge all.
    judging: Option<Millis>,
    ticked: Option<Millis>,
    outage: Option<Outage>,
    /// The same for hosts that this process never heard: most are gone for good, but those behind
    /// a server that hung when we began are not.
    absence: Option<Outage>,
    /// We hear nobody, which is more likely our fault than everybody's.
    deaf: bool,
    changed: bool,
}

impl Fleet {
    pub(crate) fn hosts(&self) -> &BTreeMap<HostId, Host> {
        &self.hosts
    }

    /// Whether anything that a plan depends on changed since this was asked last.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn connected(&mut self, now: Millis) {
        self.listening = Some(now);
        self.hear_anew(now);
    }

    pub(crate) fn disconnected(&mut self) {
        self.listening = None;
        self.judging = None;
    }

    /// There is an assignment for this host: it is judged from now on, heard of or not.
    pub(crate) fn expect(&mut self, now: Millis, id: HostId) {
        let host = self.hosts.entry(id).or_insert_with(|| Host::unheard(now));
        self.changed |= !host.expected;
        host.expected = true;
    }

    /// Its assignment is gone: once it is lost, it is not remembered.
    pub(crate) fn forget(&mut self, id: &HostId) {
        if let Some(host) = self.hosts.get_mut(id) {
            self.changed |= host.expected;
            host.expected = false;
            if host.phase == Phase::Lost {
                host.inventory = None;
            }
        }
    }

    pub(crate) fn beat(&mut self, now: Millis, beat: Beat) -> Option<Alarm> {
        if !self.hosts.contains_key(&beat.host) && HOSTS_MAX <= self.hosts.len() {
            return None;
        }
        let id = beat.host;
        let host = self.hosts.entry(id).or_insert_with(|| Host::unheard(now));
        let heard = host.heard(now, beat);
        self.changed |= heard.changed;
        heard.cloned.then_some(Alarm::Cloned { host: id })
    }

    pub(crate) fn probed(&mut self, now: Millis, id: &HostId, reply: ProbeReply) {
        if let Some(host) = self.hosts.get_mut(id) {
            self.changed |= host.probed(now, reply);
        }
    }

    pub(crate) fn inventoried(&mut self, id: &HostId, inventory: Option<Box<Inventory>>) {
        if let Some(host) = self.hosts.get_mut(id) {
            self.changed |= host.inventoried(inventory);
        }
    }

    pub(crate) fn is_outage(&self) -> bool {
        self.outage.is_some()
    }

    /// What anybody said before was not heard.
    fn hear_anew(&mut self, now: Millis) {
        self.hosts.values_mut().for_each(|host| host.was_not_heard(now));
        self.begin_anew(now);
    }

    /// Everybody's silence begins now: what went before was not heard, or not by a judge.
    fn begin_anew(&mut self, now: Millis) {
        for host in self.hosts.values_mut() {
            self.changed |= host.begin_anew(now);
        }
        self.judging = None;
        self.outage = None;
        self.absence = None;
    }

    /// Whether enough was heard to place something new.
    pub(crate) fn is_settled(&self, now: Millis) -> bool {
        let heard = self.listening.is_some_and(|since| SETTLE_MS <= now.since(since));
        let waited = self.judging.is_some_and(|since| INVENTORY_WAIT_MS <= now.since(since));
        heard && (waited || !self.hosts.values().any(Host::lacks_inventory))
    }

    /// Looks at everybody.
    pub(crate) fn tick(&mut self, now: Millis, judging: Judging) -> Vec<Effect> {
        let paused = self.ticked.is_some_and(|before| PAUSE_MS < now.since(before));
        self.ticked = Some(now);
        if paused {
            self.hear_anew(now);
        }
        if self.listening.is_none() {
            self.judging = None;
            return Vec::new();
        }
        let mut effects = self.ask_inventories(now);
        if judging != Judging::All {
            self.judging = None;
        }
        if judging == Judging::Nobody {
            return effects;
        }
        let deaf = self.hears_nobody(now);
        let was_deaf = std::mem::replace(&mut self.deaf, deaf);
        if was_deaf && !self.deaf {
            self.hear_anew(now);
        }
        if judging == Judging::All && self.judging.is_none() {
            self.begin_anew(now);
            self.judging = Some(now);
        }
        let mut condemned = Vec::new();
        for (id, host) in &mut self.hosts {
            match host.look(now) {
                Verdict::Nothing => {}
                Verdict::Probe => effects.push(Effect::Probe { host: *id }),
                Verdict::Suspected => {
                    self.changed = true;
                    effects.push(Effect::Probe { host: *id });
                }
                // That nobody listens there is something heard.
                Verdict::Condemned
                    if (self.deaf || judging == Judging::Gone) && !host.is_gone() => {}
                Verdict::Condemned => condemned.push(*id),
            }
        }
        effects.extend(self.judge(now, condemned));
        // Who was never more than a beat is not remembered, or made-up ids would fill the table.
        self.hosts.retain(|_, host| {
            host.phase != Phase::Lost || host.expected || host.inventory.is_some()
        });
        effects
    }

    /// In the order in which they were asked before, so that hosts that never answer keep nobody
    /// waiting.
    fn ask_inventories(&mut self, now: Millis) -> Vec<Effect> {
        let due = self.hosts.iter().filter(|(_, host)| host.wants_inventory(now));
        let mut due: Vec<(Option<Millis>, HostId)> =
            due.map(|(id, host)| (host.asked_at, *id)).collect();
        due.sort_unstable();
        due.truncate(INVENTORIES_AT_ONCE);
        for (_, id) in &due {
            let host = self.hosts.get_mut(id).expect("it was found there");
            host.asked_at = Some(now);
        }
        due.into_iter().map(|(_, host)| Effect::AskInventory { host }).collect()
    }

    /// Whether there are hosts that lived, and of none came anything for three of its periods.
    fn hears_nobody(&self, now: Millis) -> bool {
        let mut lived = self.hosts.values().filter(|host| host.has_lived()).peekable();
        lived.peek().is_some() && lived.all(|host| host.is_unheard_of(now))
    }

    /// Whom to give up, of those that would be given up if they were alone.
    fn judge(&mut self, now: Millis, condemned: Vec<HostId>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let census = outage::census(&self.hosts);
        if self.outage.is_none() && census.is_outage() {
            self.outage = Some(Outage::default());
            let (silent, known) = (census.silent, census.known);
            effects.push(Effect::Raise(Alarm::SilenceOfMany { silent, known }));
        } else if census.silent == 0 {
            self.outage = None;
        }
        if !census.is_absence() {
            self.absence = None;
        } else if self.absence.is_none() {
            self.absence = Some(Outage::default());
        }
        for id in condemned {
            let host = self.hosts.get_mut(&id).expect("only known hosts are condemned");
            let pace = if host.beat.is_some() { &mut self.outage } else { &mut self.absence };
            let given_up = match pace {
                None => true,
                Some(outage) => {
                    let silent_long = host.is_silent_for(now, outage::LOST_AFTER_MS);
                    silent_long && outage.may_lose_one(now, census.known)
                }
            };
            if given_up {
                host.lose();
                self.changed = true;
                effects.push(Effect::Raise(Alarm::HostLost { host: id }));
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests;
