//! What people run by hand: whose an id is, what was answered, and what a restart brings back.

use std::collections::{BTreeMap, BTreeSet};

use wattle_agent::Command;
use wattle_types::{ActorId, HostId, Life, ManualEntry, ManualSet, Owner, SpecHash};

use super::known::{Fact, read};
use super::{Law, Property};
use crate::hosts::{Host, Phase, Run};
use crate::orders::is_outdated;
use crate::store::Message;
use crate::world::World;

/// What people were told, and what ran.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    /// What a host was told to keep and said it does, nobody having said anything else since.
    kept: BTreeMap<(HostId, ActorId), (String, u32)>,
    /// Where something ran by hand at some time: what is assigned there may be that.
    ran: BTreeSet<(HostId, ActorId)>,
    /// Which hosts a record ever named.
    named: BTreeSet<(HostId, ActorId)>,
}

/// What a host has on its disk of what was started by hand.
pub(crate) fn entries_of(host: &Host) -> Vec<ManualEntry> {
    let bytes = host.disk.manual.as_deref();
    bytes.and_then(|bytes| ManualSet::decode(bytes).ok()).map(|set| set.entries).unwrap_or_default()
}

impl Law {
    /// Somebody tells a host something else; until it answers nobody knows what holds.
    pub(crate) fn ordered(&mut self, host: HostId, id: &ActorId) {
        self.by_hand.kept.remove(&(host, id.clone()));
    }

    /// A host said that it is done. `is_last`: nothing else about the id was asked of it since.
    pub(crate) fn done(&mut self, now: u64, host: &Host, command: &Command, is_last: bool) {
        let id = command.id();
        let stored = entries_of(host).into_iter().find(|entry| entry.spec.id == *id);
        let found = stored.as_ref().map(|entry| (entry.spec.image.as_str(), entry.count));
        let fits = match (command, found) {
            (Command::Start(start), _) if start.count == 0 => is_gone(stored.as_ref()),
            (Command::Scale { count: 0, .. }, _) => is_gone(stored.as_ref()),
            (Command::Stop { .. }, _) => {
                let kept = |entry: &ManualEntry| is_outdated(&entry.annotations, command);
                is_gone(stored.as_ref()) || stored.as_ref().is_some_and(kept)
            }
            (Command::Start(start), Some((image, count))) => {
                count == start.count && (!start.replace || image == start.spec.image)
            }
            (Command::Scale { count: asked, .. }, Some((_, count))) => count == *asked,
            (Command::Update { image: asked, .. }, Some((image, _))) => image == asked,
            (_, None) => false,
        };
        if !fits {
            let message = format!(
                "host {} says that {command:?} is done, and its disk has {stored:?}",
                host.index
            );
            return self.breaks(Property::Kept, now, message);
        }
        let (host, starts) = (host.id, stored.is_some());
        let named = self.by_hand.named.contains(&(host, id.clone()));
        if starts && !named && self.counts.losses == 0 {
            let message = format!("{id} is started by hand, and no record ever named its host");
            return self.breaks(Property::OneOwner, now, message);
        }
        self.counts.by_hand += 1;
        let keeps = stored.filter(|entry| entry.life == Life::Manual && is_last);
        if let Some(entry) = keeps.filter(|_| !self.is_of_an_application(id)) {
            let kept = (entry.spec.image, entry.count);
            self.by_hand.kept.insert((host, id.clone()), kept);
        }
    }

    fn is_of_an_application(&self, id: &ActorId) -> bool {
        matches!(self.known.owners.get(id), Some(Owner::App(_)))
    }

    /// The record of an id says this now.
    pub(super) fn owned(&mut self, id: &ActorId, owner: &Owner, hosts: &BTreeSet<HostId>) {
        let named = hosts.iter().map(|host| (*host, id.clone()));
        self.by_hand.named.extend(named);
        if matches!(owner, Owner::App(_)) {
            self.by_hand.kept.retain(|(_, of), _| of != id);
        }
    }

    /// A host has written who owns an id, which it does only of what runs by hand.
    pub(crate) fn owned_by_host(&mut self, now: u64, host: usize, messages: &[Message]) {
        for message in messages {
            let (id, owner, hosts) = match read(message) {
                Ok(Fact::Owner(id, owner, hosts)) => (id, Some(owner), hosts),
                Ok(Fact::OwnerGone(id)) => (id, None, BTreeSet::new()),
                other => {
                    let message = format!("host {host} writes {other:?}");
                    return self.breaks(Property::OneOwner, now, message);
                }
            };
            let before = self.known.owners.get(&id);
            let takes = matches!(before, Some(Owner::App(_)));
            // Where sequences are given again, a condition may hold by chance.
            if (takes || matches!(owner, Some(Owner::App(_)))) && self.counts.losses == 0 {
                let message = format!("host {host} makes {before:?} of {id} {owner:?}");
                return self.breaks(Property::OneOwner, now, message);
            }
            if let Some(owner) = &owner {
                self.owned(&id, owner, &hosts);
            }
            self.known.take(match owner {
                Some(owner) => Fact::Owner(id, owner, hosts),
                None => Fact::OwnerGone(id),
            });
        }
    }

    /// Something by hand is started there.
    pub(crate) fn ran_by_hand(&mut self, host: HostId, id: &ActorId) {
        self.by_hand.ran.insert((host, id.clone()));
    }

    /// Whether what is assigned there may be what was started there by hand.
    pub(super) fn may_be_by_hand(&self, host: &HostId, id: &ActorId) -> bool {
        self.by_hand.ran.contains(&(*host, id.clone()))
    }

    /// Nothing of that disk is left.
    pub(super) fn forget_by_hand(&mut self, host: &HostId) {
        self.by_hand.kept.retain(|(of, _), _| of != host);
    }

    /// Something that this host was to keep and has not on its disk.
    pub(super) fn unkept(&self, host: &Host) -> Option<String> {
        let entries = entries_of(host);
        let has = |id: &ActorId, image: &str, count: u32| {
            entries.iter().any(|entry| {
                (&entry.spec.id, entry.spec.image.as_str(), entry.count) == (id, image, count)
            })
        };
        let kept = self.by_hand.kept.iter().filter(|((of, _), _)| *of == host.id);
        let missing = kept.map(|((_, id), (image, count))| (id, image, count));
        missing.into_iter().find(|(id, image, count)| !has(id, image, **count)).map(
            |(id, image, count)| {
                format!("host {} was to keep {id} as {image} x{count}: {entries:?}", host.index)
            },
        )
    }

    /// A host's process begins.
    pub(crate) fn restarts(&mut self, now: u64, host: &Host) {
        if let Some(message) = self.unkept(host) {
            self.breaks(Property::Kept, now, message);
        }
    }
}

/// Whether nothing of it is started again by itself.
fn is_gone(stored: Option<&ManualEntry>) -> bool {
    stored.is_none_or(|entry| entry.life == Life::Session)
}

impl World {
    /// An id that runs under two owners, or under one that its record does not name.
    pub(super) fn two_owners(&self) -> Option<String> {
        let serving = |run: &&Run| run.phase == Phase::Serving;
        self.hosts.iter().find_map(|host| {
            let runs = host.running.iter().flat_map(|daemon| daemon.runs.values());
            runs.filter(serving).find_map(|run| {
                let id = &run.id;
                let owner = self.law.known.owners.get(id);
                let fits = match owner {
                    Some(Owner::App(_)) => !run.by_hand,
                    Some(Owner::Manual | Owner::Session) => {
                        run.by_hand && self.law.by_hand.named.contains(&(host.id, id.clone()))
                    }
                    None => false,
                };
                let how = if run.by_hand { "by hand" } else { "by assignment" };
                (!fits).then(|| format!("host {} runs {id} {how}, owner {owner:?}", host.index))
            })
        })
    }

    /// What a host should run by hand besides what it is told.
    pub(super) fn by_hand_on(&self, host: &Host) -> Vec<(ActorId, SpecHash, u32)> {
        let told = self.law.known.assignments.get(&host.id);
        let told: BTreeSet<&ActorId> =
            told.into_iter().flat_map(|told| &told.entries).map(|entry| &entry.id).collect();
        let entries = entries_of(host).into_iter().filter(|entry| !told.contains(&entry.spec.id));
        entries.map(|entry| (entry.spec.id.clone(), entry.spec.hash(), entry.count)).collect()
    }
}
