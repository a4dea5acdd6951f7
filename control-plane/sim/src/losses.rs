//! What the store loses of what it acknowledged, heads that nobody can read for a while, and the
//! operator who puts back what controllers have in their exports.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use wattle_brain::apps::Command;
use wattle_brain::{Alarm, Kept};
use wattle_trust::signed::{self, Context};
use wattle_types::{AppHead, AppName, Key, stored};

use crate::faults::happens;
use crate::hosts::opened;
use crate::network::Who;
use crate::store::{Ask, Expect, Loss, Mood, Outcome, Write};
use crate::world::{Due, World, controller_key, lattice};

/// The number of a controller that there is not, or not any more.
const DISMISSED: usize = 200;
/// Older than that is no backup.
const BACKUP_WRITES_MAX: usize = 150;
const TAIL_WRITES_MAX: u64 = 12;
const UNREADABLE_MS: std::ops::Range<u64> = 2_000..25_000;
const LOOK_MS: std::ops::Range<u64> = 500..2_000;

#[derive(Debug)]
pub(crate) struct Losses {
    /// Of its own, so that a storm without losses is the same whether there could be some or not.
    rng: Rng,
    /// What was stored in place of heads that could be read, and those. Not by sequences, which a
    /// loss lets the store give to others.
    readable: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The operator looks at what controllers say.
    looks: bool,
}

impl Losses {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(!seed), readable: BTreeMap::new(), looks: false }
    }
}

impl World {
    /// Each half second.
    pub(crate) fn lose_something(&mut self) {
        let hazards = self.network.hazards.clone();
        let rng = &mut self.losses.rng;
        let tail = happens(rng, hazards.lost_tail);
        let backup = happens(rng, hazards.old_backup);
        let deleted = happens(rng, hazards.stream_deleted);
        let unreadable = happens(rng, hazards.head_unreadable);
        if self.store.is_deleted() {
            return;
        }
        if tail {
            let writes = self.losses.rng.u64(1..=TAIL_WRITES_MAX);
            self.lose(Loss::Tail(writes));
        }
        if backup {
            let writes = self.losses.rng.usize(10..BACKUP_WRITES_MAX);
            let last_seq = self.store.seq_before(writes);
            self.lose(Loss::Backup { last_seq });
        }
        if deleted {
            self.lose(Loss::Deleted);
        }
        if unreadable && !self.store.is_deleted() {
            self.make_head_unreadable();
        }
    }

    fn lose(&mut self, loss: Loss) {
        self.note(format!("the store loses {loss:?} of {}", self.store.last_seq()));
        self.make_heads_readable();
        self.store.lose(loss);
        // What nobody could read once is there again.
        self.make_heads_readable();
        self.law.lost(self.now, self.store.all());
        self.note_who_knows();
        self.pump_all();
        if !std::mem::replace(&mut self.losses.looks, true) {
            self.look_later();
        }
    }

    pub(crate) fn make_stream(&mut self) {
        if self.store.is_deleted() {
            self.note("the stream is made again");
            self.store.make();
            self.pump_all();
        }
    }

    /// Somebody who is not believed any more signs a head, or a later version writes it.
    fn make_head_unreadable(&mut self) {
        let rng = &mut self.losses.rng;
        let apps = &self.operator.apps;
        let name = apps[rng.usize(..apps.len())].clone();
        let (later, ms) = (rng.bool(), rng.u64(UNREADABLE_MS));
        let key = Key::App(name.clone());
        let Some(newest) = self.store.newest(&key) else { return };
        let Some(bytes) = newest.value.clone() else { return };
        let (seq, Some(body)) = (newest.seq, opened(Context::Head, &bytes)) else { return };
        if self.losses.readable.contains_key(&bytes) {
            return;
        }
        let sealed = match later {
            true => {
                let Ok(mut head) = stored::decode::<AppHead>("a head", &body) else { return };
                head.v += 1;
                let signer = self.controllers[0].key();
                signed::seal(Context::Head, &stored::encode(&head), signer)
            }
            false => signed::seal(Context::Head, &body, &controller_key(DISMISSED)),
        };
        let write = Write { key, value: Some(sealed.clone()), expect: Expect::Seq(seq) };
        if let Outcome::Stored { last_seq } = self.store.ask(&Ask::Put(write), Mood::Fine) {
            self.note(format!("nobody can read the head of {name}, later version: {later}"));
            self.losses.readable.insert(sealed, bytes);
            self.law.unreadable_from(&name, Some(last_seq));
            self.pump_all();
            self.agenda.plan(self.now + ms, Due::HeadsReadable);
        }
    }

    /// Puts right what could not be read.
    pub(crate) fn make_heads_readable(&mut self) {
        let newest = self.store.all().filter_map(|message| {
            let Key::App(name) = &message.key else { return None };
            let bytes = self.losses.readable.get(message.value.as_ref()?)?;
            Some((name.clone(), message.seq, bytes.clone()))
        });
        for (name, seq, bytes) in newest.collect::<Vec<(AppName, _, _)>>() {
            let (key, expect) = (Key::App(name.clone()), Expect::Seq(seq));
            self.store.ask(&Ask::Put(Write { key, value: Some(bytes), expect }), Mood::Fine);
            self.note(format!("the head of {name} can be read again"));
            self.law.unreadable_from(&name, None);
            self.pump_all();
        }
    }

    fn look_later(&mut self) {
        let at = self.now + self.losses.rng.u64(LOOK_MS);
        self.agenda.plan(at, Due::Restorer);
    }

    /// The operator looks at what the leader says, and puts back what exports have: each of them
    /// unforced, and what is still lost then by force, from the newest.
    pub(crate) fn restore_lost(&mut self) {
        self.look_later();
        let reachable = |index: &usize| !self.network.is_cut(Who::Controller(*index));
        let Some(index) = self.leading().filter(reachable) else { return };
        let Some(run) = &self.controllers[index].running else { return };
        let clock = run.clock_at(self.now);
        let lost: BTreeSet<AppName> = run
            .brain
            .alarms(clock)
            .filter_map(|(alarm, _)| match alarm {
                Alarm::AppLost { app, .. } => Some(app.clone()),
                _ => None,
            })
            .collect();
        let (tries, exports) = (self.operator.restored, self.controllers.len());
        if !run.brain.is_leading(clock) || (lost.is_empty() && exports <= tries) {
            return;
        }
        self.operator.restored += 1;
        let force = exports <= tries;
        let from = match force {
            false => tries,
            true => self.newest_export(&lost),
        };
        let is_meant = |key: &Key| match key {
            Key::App(name) | Key::Manifest(name, _) => !force || lost.contains(name),
            Key::Id(_) => true,
            _ => false,
        };
        let kept = self.controllers[from].kept().iter().filter(|(key, _)| is_meant(key));
        let entry = |(key, bytes): (&Key, &Option<Vec<u8>>)| Kept {
            key: key.clone(),
            seq: 0,
            bytes: bytes.clone(),
        };
        let entries = kept.map(entry).collect();
        self.ask_controller(index, Command::Restore { lattice: lattice(), entries, force });
    }

    /// Whether the operator has not put back yet what every export has.
    pub(crate) fn is_restoring(&self) -> bool {
        self.losses.looks && self.operator.restored < self.controllers.len()
    }

    /// Whose export has the most changes of one of these.
    fn newest_export(&self, lost: &BTreeSet<AppName>) -> usize {
        let newest = |index: &usize| {
            let kept = self.controllers[*index].kept();
            let changes = lost.iter().filter_map(|name| {
                let bytes = kept.get(&Key::App(name.clone()))?.as_ref()?;
                Some(stored::decode::<AppHead>("a head", bytes).ok()?.change)
            });
            changes.max()
        };
        (0..self.controllers.len()).max_by_key(newest).unwrap_or(0)
    }
}
