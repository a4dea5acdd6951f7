//! What a host does about what is started on it by hand: who owns an id is read and written, and
//! what runs is kept on disk.

use std::sync::Arc;

use wattle_agent::{Effect, Event, OwnerReading};
use wattle_types::{ActorId, Key, ManualSet, SpecHash};

use super::Daemon;
use super::driver::READ_MS;
use crate::controllers::Wanted;
use crate::faults::happens;
use crate::network::{Process, Who};
use crate::store::{Ask, Expect, Outcome, Write};
use crate::world::{Due, World};

/// By everybody's clock when a run begins.
const EPOCH_UNIX_S: u64 = 1_700_000_000;

impl World {
    pub(super) fn do_by_hand(&mut self, process: Process, effect: Effect) {
        match effect {
            Effect::ReadOwner { id } => {
                let failed = self.owner_read(id.clone(), OwnerReading::Failed);
                let late = |process, ask| Due::AgentAnswer(process, ask, failed);
                self.ask_store(process, Wanted::Owner { id }, READ_MS, late);
            }
            Effect::WriteOwner { id, record, expect } => {
                let failed = Event::OwnerWritten { id: id.clone(), stored: false };
                let late = |process, ask| Due::AgentAnswer(process, ask, failed);
                let expect = if expect == 0 { Expect::Absent } else { Expect::Seq(expect) };
                let write = Write { key: Key::Id(id.clone()), value: record, expect };
                self.ask_store(process, Wanted::Own { id, write }, READ_MS, late);
            }
            Effect::StoreManual { number, set } => {
                let ms = self.disk_ms();
                self.later(ms, Due::SavedByHand(process, number, Arc::clone(&set)));
            }
            Effect::Answer { request, answer } => {
                self.note(format!("answered {request:?}: {answer:?}"));
                self.ordered(process, request, &answer);
            }
            other => self.note(format!("{other:?}")),
        }
    }

    fn owner_read(&self, id: ActorId, reading: OwnerReading) -> Event {
        Event::OwnerRead { id, reading, unix_s: EPOCH_UNIX_S + self.now / 1_000 }
    }

    /// None: no answer comes.
    pub(crate) fn read_owner_for_host(
        &mut self,
        from: Process,
        ask: u64,
        id: ActorId,
    ) -> Option<Due> {
        let reading = match self.put_to_store(&Ask::ReadLeader(Key::Id(id.clone()))) {
            Outcome::Found { seq, value } => OwnerReading::Record { bytes: value, seq },
            Outcome::Marker { seq } => OwnerReading::Free { seq },
            Outcome::Nothing => OwnerReading::Free { seq: 0 },
            _ => return None,
        };
        Some(Due::AgentAnswer(from, ask, self.owner_read(id, reading)))
    }

    pub(crate) fn write_owner_for_host(
        &mut self,
        from: Process,
        ask: u64,
        id: ActorId,
        write: Write,
    ) -> Option<Due> {
        let before = self.store.last_seq();
        let outcome = self.put_to_store(&Ask::Put(write));
        if before < self.store.last_seq() {
            let Who::Host(index) = from.who else { return None };
            self.law.owned_by_host(self.now, index, self.store.since(before));
            self.pump_all();
        }
        let stored = match outcome {
            Outcome::Stored { .. } => true,
            Outcome::Unknown => return None,
            _ => false,
        };
        Some(Due::AgentAnswer(from, ask, Event::OwnerWritten { id, stored }))
    }

    /// What was started by hand has reached the disk, or not.
    pub(crate) fn saved_by_hand(&mut self, process: Process, number: u64, set: &ManualSet) {
        let Some((index, _)) = self.host_run(process) else { return };
        let fails = happens(&mut self.rng, self.network.hazards.disk_fails);
        // What a disk that failed has kept is anybody's guess.
        if !fails || self.rng.bool() {
            self.hosts[index].disk.manual = Some(set.encode());
        }
        if let Some((_, daemon)) = self.host_run(process).filter(|_| !fails) {
            daemon.by_hand.clone_from(&set.entries);
        }
        let message = "no space is left".to_owned();
        self.tell_agent(
            process,
            if fails {
                Event::ManualStoreFailed { number, message }
            } else {
                Event::ManualStored { number }
            },
        );
    }
}

impl Daemon {
    /// Whether this is what somebody started by hand.
    pub(super) fn has_by_hand(&self, id: &ActorId, hash: SpecHash, count: u32) -> bool {
        let mut entries = self.by_hand.iter();
        entries.any(|of| (&of.spec.id, of.spec.hash(), of.count) == (id, hash, count))
    }
}
