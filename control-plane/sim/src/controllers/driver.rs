//! What the driver of a brain does: effects become requests, and each request ends once, with an
//! answer or when its time is over.

use wattle_brain::{Effect, Event, LeaseReading, OpId, Payload, ProbeReply, Write, Wrote};
use wattle_trust::KeyPair;
use wattle_trust::signed::{self, Context};
use wattle_types::{Epoch, HostId, Leadership};

use super::{Inquiry, Request, Wanted};
use crate::faults::happens;
use crate::network::{Process, SLEEP_MS, Way, Who};
use crate::store;
use crate::world::{Due, World, lattice};

const STORE_MS: u64 = 700;
const PROBE_MS: u64 = 250;
const INVENTORY_MS: u64 = 1_000;

impl World {
    pub(super) fn carry_out_of_brain(&mut self, process: Process, effect: Effect) {
        let Some((index, _)) = self.controller_run(process) else { return };
        match effect {
            Effect::ReadLease { op } => {
                let failed = Event::LeaseRead { op, reading: LeaseReading::Failed };
                self.ask_store(process, Wanted::Lease { op }, STORE_MS, Due::of_brain(failed));
            }
            Effect::Commit { op, writes } => self.commit(process, op, writes),
            Effect::Write { op, write } => {
                let write = sealed(write, &self.controllers[index].key);
                let unknown = Event::Written { op, wrote: Wrote::Unknown };
                let what = Wanted::Write { op, write };
                self.ask_store(process, what, STORE_MS, Due::of_brain(unknown));
            }
            Effect::MakeStore => {
                if let Way::After(ms) = self.network.way_to_store(&mut self.rng, process.who) {
                    let (ask, deadline) = (self.number(), self.now + STORE_MS);
                    let request = Request { from: process, ask, deadline, what: Wanted::Make };
                    self.agenda.plan(self.now + ms, Due::AtStore(Box::new(request)));
                }
                self.reset_follower(process);
            }
            Effect::Keep { entries } => {
                let values = entries.into_iter().map(|kept| (kept.key, kept.bytes));
                self.controllers[index].kept.extend(values);
            }
            Effect::RememberEpoch { epoch } => {
                let known = &mut self.controllers[index].epoch_known;
                *known = epoch.max(*known);
            }
            Effect::Probe { host } => {
                let event = Event::Probed { host, reply: ProbeReply::TimedOut };
                self.inquire(process, host, PROBE_MS, event);
            }
            Effect::AskInventory { host } => {
                let event = Event::Inventoried { host, inventory: None };
                self.inquire(process, host, INVENTORY_MS, event);
            }
            Effect::Wake { host, at_least } => {
                if let Some(to) = self.host_index(&host) {
                    let event = wattle_agent::Event::Woken { at_least };
                    self.tell_host(process.who, to, &event);
                }
            }
            Effect::TellLinks { source, at_least } => {
                let event = wattle_agent::Event::LinkChanged { source, at_least };
                self.tell_hosts(process.who, &event);
            }
            Effect::TellConfig { name, at_least } => {
                let event = wattle_agent::Event::ConfigChanged { name, at_least };
                self.tell_hosts(process.who, &event);
            }
            Effect::Announce { epoch } => self.announce(process, epoch),
            Effect::AskWhoServes => self.ask_who_serves(process),
            Effect::Serve { yes } => {
                if let Some((_, run)) = self.controller_run(process) {
                    run.serves = yes;
                }
            }
            Effect::Reply { request, answer, seen } => self.reply(request, *answer, seen),
            Effect::Forward { request, to, boot, within_ms } => {
                self.forward(process, request, (&to, boot), within_ms);
            }
            Effect::PassOn { request } => self.pass_on(request),
            Effect::Raise(alarm) => {
                self.note(format!("controller {index} says: {alarm}"));
                self.alarmed(&alarm);
            }
            Effect::Stopped => self.kill_controller(index, 500..4_000),
        }
    }

    fn commit(&mut self, process: Process, op: OpId, writes: Vec<Write>) {
        let Some((index, run)) = self.controller_run(process) else { return };
        let seen = run.seen_when_decided(&writes[0]);
        let key = &self.controllers[index].key;
        let writes: Vec<store::Write> =
            writes.into_iter().map(|write| sealed(write, key)).collect();
        let unknown = Event::Committed { op, wrote: Wrote::Unknown };
        if 1 < writes.len() && happens(&mut self.rng, self.network.hazards.sleeps_at_write) {
            let until = self.now + self.rng.u64(2_000..SLEEP_MS);
            self.note(format!("controller {index} sleeps before {op:?} until {until}"));
            if let Some((_, run)) = self.controller_run(process) {
                run.paused_until = until;
            }
        }
        self.ask_store(
            process,
            Wanted::Commit { op, writes, seen },
            STORE_MS,
            Due::of_brain(unknown),
        );
    }

    /// Sends a request to the store; `late` is what is told when no answer came in time.
    pub(crate) fn ask_store(
        &mut self,
        process: Process,
        what: Wanted,
        within_ms: u64,
        late: impl FnOnce(Process, u64) -> Due,
    ) {
        let ask = self.number();
        self.begin_ask(process, ask);
        let deadline = self.now + within_ms;
        if let Way::After(ms) = self.network.way_to_store(&mut self.rng, process.who) {
            let request = Request { from: process, ask, deadline, what };
            // What falls asleep now sends it when it wakes.
            let sent = self.paused_until(process).unwrap_or(self.now);
            self.agenda.plan(sent + ms, Due::AtStore(Box::new(request)));
        }
        self.agenda.plan(deadline, late(process, ask));
    }

    pub(super) fn begin_ask(&mut self, process: Process, ask: u64) {
        match process.who {
            Who::Controller(_) => {
                if let Some((_, run)) = self.controller_run(process) {
                    run.asks.insert(ask);
                }
            }
            Who::Host(_) => self.begin_host_ask(process, ask),
        }
    }

    /// Asks a host for a sign of life or its inventory.
    fn inquire(&mut self, process: Process, host: HostId, within_ms: u64, late: Event) {
        let ask = self.number();
        self.begin_ask(process, ask);
        let for_inventory = matches!(late, Event::Inventoried { .. });
        self.agenda.plan(self.now + within_ms, Due::BrainAnswer(process, ask, late));
        let to = self.host_index(&host).map_or(process.who, Who::Host);
        let inquiry = Inquiry { from: process, ask, host, for_inventory };
        // A link that is cut loses it at the server, which may know that nobody listens.
        let lost = happens(&mut self.rng, self.network.hazards.drop);
        if !lost && !self.network.is_cut(process.who) {
            let known_gone = self.network.is_known_cut(to, self.now);
            if !self.network.is_cut(to) || known_gone {
                let ms = self.network.delay(&mut self.rng);
                self.agenda.plan(self.now + ms, Due::AtHost(inquiry));
            }
        }
    }

    pub(crate) fn at_host(&mut self, inquiry: &Inquiry) {
        let Inquiry { from, ask, host, for_inventory } = *inquiry;
        let index = self.host_index(&host);
        let is_gone = |index: usize| self.network.is_known_cut(Who::Host(index), self.now);
        let running = index.filter(|index| !is_gone(*index));
        let event = match running.and_then(|index| self.hosts[index].inventory(self.now)) {
            Some(None) => return,
            Some(Some(inventory)) if for_inventory => {
                Event::Inventoried { host, inventory: Some(Box::new(inventory)) }
            }
            Some(Some(_)) => Event::Probed { host, reply: ProbeReply::Answered },
            None if self.is_forged() && !for_inventory => {
                Event::Probed { host, reply: ProbeReply::Answered }
            }
            None if for_inventory => Event::Inventoried { host, inventory: None },
            None => Event::Probed { host, reply: ProbeReply::NoResponders },
        };
        if let Way::After(ms) = self.network.way_back(&mut self.rng, from.who) {
            self.agenda.plan(self.now + ms, Due::BrainAnswer(from, ask, event));
        }
    }

    fn announce(&mut self, process: Process, epoch: Epoch) {
        let Some((index, run)) = self.controller_run(process) else { return };
        let known = run.word.take().filter(|(said, _)| *said == epoch);
        let sealed = known.map_or_else(
            || {
                let word = Leadership::new(lattice(), format!("c{index}"), process.life, epoch);
                signed::seal(Context::Leader, &word.encode(), &self.controllers[index].key)
            },
            |(_, sealed)| sealed,
        );
        if let Some((_, run)) = self.controller_run(process) {
            run.word = Some((epoch, sealed.clone()));
        }
        self.tell_hosts(process.who, &wattle_agent::Event::LeaderHeard { sealed });
    }
}

/// As it is stored: signed, where that is asked for.
fn sealed(write: Write, key: &KeyPair) -> store::Write {
    store::Write {
        key: write.key,
        expect: write.expect,
        value: match write.payload {
            Payload::Plain(bytes) => Some(bytes),
            Payload::Assignment(bytes) => Some(signed::seal(Context::Assignment, &bytes, key)),
            Payload::Head(bytes) => Some(signed::seal(Context::Head, &bytes, key)),
            Payload::Gone => None,
        },
    }
}

impl Due {
    /// How a request of a brain ends when nobody answers.
    pub(crate) fn of_brain(event: Event) -> impl FnOnce(Process, u64) -> Self {
        move |process, ask| Self::BrainAnswer(process, ask, event)
    }
}
