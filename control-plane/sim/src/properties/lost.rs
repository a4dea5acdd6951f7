//! What must hold though the store has lost what it acknowledged: somebody says so, what was
//! there comes back when it is asked for, and nothing that runs ends for it.

use std::collections::{BTreeMap, BTreeSet};

use wattle_brain::{Alarm, Kept};
use wattle_types::{ActorId, AppHead, AppName, Assignment, Digest, Key, Owner, Part, stored};

use super::known::{Fact, Known, read};
use super::{Law, Property};
use crate::controllers::Seen;
use crate::network::{Process, Who};
use crate::store::Message;
use crate::world::World;

type Verdict = Result<(), (Property, String)>;

/// How far an application had come before the store lost something of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Promise {
    change: u64,
    /// What ran of it,
    runs: BTreeSet<ActorId>,
    /// and all ids that any of its revisions names.
    ids: BTreeSet<ActorId>,
    /// Controllers whose exports had it.
    known_by: BTreeSet<usize>,
}

/// What a controller knew when it sent a batch.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// How far it had followed the store.
    position: u64,
    /// The store had lost nothing since it began to follow it.
    is_fresh: bool,
    /// The change of each application that its export has. Only after a loss.
    changes: BTreeMap<AppName, u64>,
}

pub(crate) const fn alarm_of_loss(alarm: &Alarm) -> bool {
    matches!(
        alarm,
        Alarm::StateLost { .. }
            | Alarm::AppLost { .. }
            | Alarm::AssignmentLost { .. }
            | Alarm::AssignmentForked { .. }
            | Alarm::AppUnreadable { .. }
            | Alarm::Withheld { .. }
            | Alarm::StoreGone
    )
}

impl Law {
    /// The store has these messages left.
    pub(crate) fn lost<'a>(&mut self, now: u64, messages: impl Iterator<Item = &'a Message>) {
        let mut left = Known::default();
        for message in messages.filter(|message| !matches!(message.key, Key::Canary(_))) {
            match read(message) {
                Ok(fact) => left.take(fact),
                Err(reason) => return self.breaks(Property::Kept, now, reason),
            }
        }
        self.counts.losses += 1;
        let before = std::mem::replace(&mut self.known, left);
        for (name, head) in &before.heads {
            let left = self.known.heads.get(name).map_or(0, |left| left.change);
            let promise = self.promised.get(name).map_or(0, |promise| promise.change);
            if left < head.change && promise < head.change {
                let runs = before.deployed(head).map(actors).unwrap_or_default();
                let all = before.applications.iter().chain(&self.known.applications);
                let all = all.filter(|((of, _), _)| of == name);
                let mut ids: BTreeSet<ActorId> =
                    all.flat_map(|(_, application)| actors(application)).collect();
                let owners = before.owners.iter().chain(&self.known.owners);
                let owned = owners.filter(|(_, owner)| **owner == Owner::App(name.clone()));
                ids.extend(owned.map(|(id, _)| id.clone()));
                let known_by = BTreeSet::new();
                let promise = Promise { change: head.change, runs, ids, known_by };
                self.promised.insert(name.clone(), promise);
                self.said.remove(name);
            }
        }
    }

    /// Whether an alarm that nobody raises while all is well is right.
    pub(super) fn is_true(&mut self, alarm: &Alarm) -> bool {
        if let Alarm::AppLost { app, .. } = alarm {
            self.said.insert(app.clone());
        }
        let of_a_loss = 0 < self.counts.losses && alarm_of_loss(alarm);
        let unread = matches!(alarm, Alarm::AppUnreadable { .. } | Alarm::Withheld { .. });
        of_a_loss || (unread && 0 < self.counts.unreadable)
    }

    pub(super) fn asks_to_restore(&mut self, entries: &[Kept]) {
        for entry in entries {
            if let (Key::App(_), Some(bytes)) = (&entry.key, &entry.bytes)
                && let Ok(head) = stored::decode::<AppHead>("a head", bytes)
            {
                self.restoring.insert(said_by(&head));
            }
        }
    }

    /// A head follows the one before it; or is one that was there once, and is put back.
    pub(super) fn check_head(&mut self, next: &AppHead) -> Verdict {
        let name = &next.name;
        let before = self.known.heads.get(name).map_or(0, |before| before.change);
        if self.unreadable.get(name).is_some_and(|seq| *seq <= self.writer.position) {
            if before < next.change && self.restoring.contains(&said_by(next)) {
                self.unreadable.remove(name);
                return Ok(());
            }
            return Err((Property::Kept, format!("{name} is changed, and nobody can read it")));
        }
        let is_lost = self.promised.contains_key(name) && before < next.change;
        if is_lost && self.restoring.contains(&said_by(next)) {
            self.counts.restored += 1;
            return Ok(());
        }
        self.check_edit(next)
    }

    /// Whether the batch was sent before a loss, and its conditions hold because sequences were
    /// given again. The store cannot tell; behind it stand the epochs that hosts remember.
    pub(super) fn is_let_through(&self) -> bool {
        0 < self.counts.losses && !self.writer.is_fresh
    }

    pub(super) fn take_unseen(&mut self, facts: Vec<Fact>) {
        self.counts.let_through += 1;
        for fact in facts {
            if let Fact::Owner(id, owner, hosts) = &fact {
                self.owned(id, owner, hosts);
            }
            if let Fact::Head(head) = &fact {
                self.note_stored(head);
            }
            if let Fact::Assignment(told) = &fact {
                self.accepted.entry(told.host).or_default().insert(told.hash());
            }
            self.known.take(fact);
        }
    }

    /// Whether the store has lost, at some time, what this should be.
    pub(super) fn is_excused(&self, id: &ActorId) -> bool {
        self.promised.values().any(|promise| promise.ids.contains(id))
            || self.unreadable.keys().any(|app| {
                let owns = self.known.owners.get(id) == Some(&Owner::App(app.clone()));
                owns || self.runs_of(app).contains(id)
            })
    }

    fn runs_of(&self, app: &AppName) -> BTreeSet<ActorId> {
        let head = self.known.heads.get(app);
        head.and_then(|head| self.known.deployed(head)).map(actors).unwrap_or_default()
    }

    /// What runs of an application whose head cannot be read goes on running.
    pub(super) fn check_unreadable(&self, told: &Assignment) -> Verdict {
        let Some(before) = self.known.assignments.get(&told.host) else { return Ok(()) };
        // Whose host a person gives up ends with it.
        if self.is_to_be_forgotten(&told.host) {
            return Ok(());
        }
        let known = self.unreadable.iter().filter(|(_, seq)| **seq <= self.writer.position);
        let keeps: BTreeSet<ActorId> = known.flat_map(|(app, _)| self.runs_of(app)).collect();
        let has = |of: &Assignment, id: &ActorId| of.entries.iter().any(|entry| entry.id == *id);
        match keeps.iter().find(|id| has(before, id) && !has(told, id)) {
            None => Ok(()),
            Some(id) => {
                let message = format!("{} is to end {id}, and nobody can read why", told.host);
                Err((Property::Kept, message))
            }
        }
    }

    /// Of what the writer knows to be lost nothing may end by this.
    pub(super) fn note_not_to_end(&mut self, told: &Assignment) {
        if !self.writer.is_fresh {
            return;
        }
        let lost = self.promised.iter().filter(|(name, promise)| {
            let stored = self.known.heads.get(*name).map_or(0, |head| head.change);
            let known = self.writer.changes.get(*name).copied().unwrap_or(0);
            stored < promise.change && promise.change <= known
        });
        let mut keeps: BTreeSet<ActorId> =
            lost.flat_map(|(_, promise)| promise.runs.clone()).collect();
        keeps.retain(|id| !told.entries.iter().any(|entry| entry.id == *id));
        if !keeps.is_empty() {
            self.not_to_end.insert(told.hash(), keeps);
        }
    }

    /// The head of an application cannot be read from this sequence on, or can again.
    pub(crate) fn unreadable_from(&mut self, app: &AppName, seq: Option<u64>) {
        match seq {
            Some(seq) => {
                self.counts.unreadable += 1;
                self.unreadable.insert(app.clone(), seq);
            }
            None => drop(self.unreadable.remove(app)),
        }
    }
}

impl World {
    pub(crate) fn knowledge(&self, from: Process, seen: Seen) -> Knowledge {
        let Who::Controller(index) = from.who else { return Knowledge::default() };
        let is_fresh = seen.losses == Some(self.store.losses());
        let changes = match self.law.promised.is_empty() {
            true => BTreeMap::new(),
            false => self.controllers[index].changes(),
        };
        Knowledge { position: seen.position, is_fresh, changes }
    }

    /// Something was lost just now: who has it in the export must not forget that.
    pub(crate) fn note_who_knows(&mut self) {
        for (index, controller) in self.controllers.iter().enumerate() {
            let changes = controller.changes();
            for (name, promise) in &mut self.law.promised {
                if changes.get(name).is_some_and(|known| promise.change <= *known) {
                    promise.known_by.insert(index);
                }
            }
        }
    }

    /// Whether a host runs something of an application whose last changes are lost, and no export
    /// of whoever leads has them: what it should run is for people to say, and nothing ends
    /// until they do.
    pub(crate) fn is_for_people_to_say(&self) -> bool {
        let lost = self.law.promised.iter().filter(|(name, promise)| {
            self.law.known.heads.get(*name).map_or(0, |head| head.change) < promise.change
        });
        let ids: BTreeSet<&ActorId> = lost.flat_map(|(_, promise)| &promise.ids).collect();
        let desired = self.law.known.desired();
        let runs = self.hosts.iter().flat_map(|host| &host.running);
        let mut runs = runs.flat_map(|daemon| daemon.runs.values());
        runs.any(|run| {
            let explained = self.law.known.owners.contains_key(&run.id);
            ids.contains(&run.id) && !explained && !desired.actors.contains_key(&run.id)
        })
    }

    /// An application that has not come back though who leads had more of it than is stored.
    pub(crate) fn unrestored(&self) -> Option<String> {
        if self.law.promised.is_empty() {
            return None;
        }
        let leader = self.leading()?;
        self.law.promised.iter().find_map(|(name, promise)| {
            let stored = self.law.known.heads.get(name).map_or(0, |head| head.change);
            let is_known = promise.known_by.contains(&leader);
            let said = if self.law.said.contains(name) { "it was said" } else { "nobody said it" };
            let change = promise.change;
            (stored < promise.change && is_known).then(|| {
                format!("change {change} of {name} was stored, and {stored} is there; {said}")
            })
        })
    }
}

impl crate::controllers::Controller {
    /// The newest change of each application in its export.
    fn changes(&self) -> BTreeMap<AppName, u64> {
        let heads = self.kept().iter().filter_map(|(key, bytes)| match (key, bytes) {
            (Key::App(name), Some(bytes)) => {
                let head = stored::decode::<AppHead>("a head", bytes).ok()?;
                Some((name.clone(), head.change))
            }
            _ => None,
        });
        heads.collect()
    }
}

/// What a head says, whatever its number.
fn said_by(head: &AppHead) -> Digest {
    let bare = AppHead { change: 0, previous: None, ..head.clone() };
    Digest::of(&stored::encode(&bare))
}

fn actors(application: &wattle_types::Application) -> BTreeSet<ActorId> {
    let components = application.components.iter();
    let ids = components.filter(|component| matches!(component.part, Part::Actor(_)));
    ids.map(|component| component.id.clone()).collect()
}
