//! What the store accepted: by whom, under which epoch, and whether it may be so.

use std::collections::BTreeSet;

use wattle_brain::lease::MIN_VERSION;
use wattle_planner::{Desired, What};
use wattle_types::{ActorId, AppHead, Assignment, Entry, HostId, Key, Lease, Owner, stored};

use super::known::{Fact, read};
use super::leaving::{Before, was_told};
use super::{Law, Property};
use crate::controllers::OLD_VERSION;
use crate::hosts::Host;
use crate::network::AFTERMATH_MS;
use crate::store::{Message, Write};

impl Law {
    /// The store has taken these messages, all sent by the process `writer`.
    pub(crate) fn accepted(&mut self, now: u64, writer: u64, messages: &[Message], hosts: &[Host]) {
        self.counts.commits += 1;
        let mut facts = Vec::new();
        for message in messages {
            match read(message) {
                Ok(fact) => facts.push(fact),
                Err(reason) => return self.breaks(Property::Kept, now, reason),
            }
        }
        if self.is_let_through() {
            return self.take_unseen(facts);
        }
        let Some(Fact::Lease(lease)) = facts.first() else {
            let key = messages.first().map(|message| &message.key);
            let message = format!("boot {writer} wrote {key:?} without the lease");
            return self.breaks(Property::Fenced, now, message);
        };
        let lease = lease.clone();
        if let Err(message) = self.check_lease(writer, &lease, messages.len()) {
            return self.breaks(Property::Fenced, now, message);
        }
        if self.calm && self.leaders_max < self.counts.leaders {
            let message = format!("boot {writer} takes over from a leader that is well");
            return self.breaks(Property::Undisturbed, now, message);
        }
        let (mut told, mut before) = (BTreeSet::new(), Before::new());
        for fact in facts {
            let verdict = match &fact {
                Fact::Lease(_) | Fact::Spec(_) => Ok(()),
                Fact::Link(..) | Fact::Config(..) => self.check_link(&fact),
                Fact::Head(head) => self.check_head(head),
                Fact::Manifest(key, _) => match self.known.applications.contains_key(key) {
                    true if !self.promised.contains_key(&key.0) => {
                        Err((Property::Kept, format!("manifest {key:?} was written again")))
                    }
                    true => Ok(()),
                    false => Ok(()),
                },
                Fact::ManifestGone(key) => {
                    let head = self.known.heads.get(&key.0);
                    match head.and_then(|head| head.by_revision(key.1)) {
                        Some(_) => Err((Property::Kept, format!("manifest {key:?} is gone"))),
                        None => Ok(()),
                    }
                }
                Fact::AssignmentGone(host) => {
                    let told = self.known.assignments.get(host);
                    let is_asked = self.is_to_be_forgotten(host);
                    match told.is_some_and(|told| told.entries.is_empty()) && is_asked {
                        true => Ok(()),
                        false => {
                            let message = format!("the assignment of {host} is gone: {told:?}");
                            Err((Property::NoMassEnd, message))
                        }
                    }
                }
                Fact::Owner(id, owner, hosts) => {
                    self.owned(id, owner, hosts);
                    self.check_owner(id, owner)
                }
                Fact::OwnerGone(id) => {
                    Err((Property::OneOwner, format!("the owner of {id} is deleted")))
                }
                Fact::Assignment(assignment) => {
                    told.insert(assignment.host);
                    let was = self.known.assignments.get(&assignment.host);
                    before.extend(was.map(|was| (was.host, was.clone())));
                    self.check_assignment(&lease, assignment)
                }
            };
            if let Err((property, message)) = verdict {
                return self.breaks(property, now, message);
            }
            if let Fact::AssignmentGone(host) = &fact {
                self.forgets(host, hosts);
            }
            self.known.take(fact);
        }
        if let Err((property, message)) = self.check_state(now, writer, &told, &before) {
            self.breaks(property, now, message);
        }
        self.count_moves(now, &told, &before, hosts);
    }

    fn check_lease(&mut self, writer: u64, lease: &Lease, messages: usize) -> Result<(), String> {
        let before = self.known.lease.clone().unwrap_or_else(Lease::vacant);
        if lease.boot != writer {
            return Err(format!("boot {writer} wrote a lease for boot {}", lease.boot));
        }
        if before.min_version == MIN_VERSION && self.is_old(writer) {
            return Err(format!("boot {writer} is of version {OLD_VERSION}, too old to lead"));
        }
        if before.min_version == MIN_VERSION && lease.min_version != MIN_VERSION {
            return Err(format!("boot {writer} lets older ones lead again"));
        }
        if lease.beat != before.beat + 1 {
            return Err(format!("the lease's beat went from {} to {}", before.beat, lease.beat));
        }
        if before.holder.is_some() && before.boot == writer {
            let rises = before.epoch <= lease.epoch;
            return rises.then_some(()).ok_or_else(|| format!("epoch {} fell", before.epoch));
        }
        // A take-over: nothing may come with it, since its writer has not read everything yet.
        if lease.epoch <= before.epoch {
            return Err(format!(
                "boot {writer} writes under epoch {} though boot {} leads with epoch {}",
                lease.epoch, before.boot, before.epoch
            ));
        }
        self.led.insert(writer);
        self.counts.leaders += 1;
        self.counts.led_old += u64::from(self.is_old(writer));
        let alone = messages == 1;
        alone.then_some(()).ok_or_else(|| format!("boot {writer} takes over and writes {messages}"))
    }

    fn check_owner(&self, id: &ActorId, owner: &Owner) -> Result<(), (Property, String)> {
        let before = self.known.owners.get(id);
        let Some(Owner::App(loser)) = before.filter(|before| *before != owner) else {
            return Ok(());
        };
        let Some(head) = self.known.heads.get(loser) else { return Ok(()) };
        let names_it = head.revisions.iter().any(|of| {
            let application = self.known.applications.get(&(loser.clone(), of.revision));
            application.is_some_and(|found| found.components.iter().any(|c| c.id == *id))
        });
        if names_it {
            let message = format!("{id} goes from {loser}, which still names it, to {owner}");
            return Err((Property::OneOwner, message));
        }
        Ok(())
    }

    fn check_assignment(
        &mut self,
        lease: &Lease,
        told: &Assignment,
    ) -> Result<(), (Property, String)> {
        self.counts.assignments += 1;
        let Assignment { host, epoch, generation, .. } = told;
        if *epoch != lease.epoch {
            let message = format!("{host} is told under epoch {epoch} by epoch {}", lease.epoch);
            return Err((Property::Fenced, message));
        }
        let before = self.known.assignments.get(host).map(|before| before.generation);
        if before.is_some_and(|before| *generation <= before) {
            let message = format!("{host} is told generation {generation} after {before:?}");
            return Err((Property::NeverBack, message));
        }
        self.accepted.entry(*host).or_default().insert(told.hash());
        self.check_unreadable(told)?;
        self.note_not_to_end(told);
        Ok(())
    }

    /// What must hold between keys once a batch is stored. The leader has seen everything before
    /// it decides, so this is exact and not a matter of who was how late.
    fn check_state(
        &mut self,
        now: u64,
        writer: u64,
        told: &BTreeSet<HostId>,
        before: &Before,
    ) -> Result<(), (Property, String)> {
        let whole = |head: &&AppHead| !self.promised.contains_key(&head.name);
        for head in self.known.heads.values().filter(whole) {
            let deployed = self.known.deployed(head);
            if head.deployed.is_some() && deployed.is_none() {
                let message = format!("{} should run, and has no manifest", head.name);
                return Err((Property::Kept, message));
            }
            for component in deployed.iter().flat_map(|deployed| &deployed.components) {
                let owner = self.known.owners.get(&component.id);
                if owner != Some(&Owner::App(head.name.clone())) {
                    let message =
                        format!("{} is deployed in {}, owner {owner:?}", component.id, head.name);
                    return Err((Property::OneOwner, message));
                }
            }
        }
        let desired = self.known.desired();
        self.check_double(told, before, &desired)?;
        for host in told {
            self.check_host(host, before, &desired)?;
            // A batch may have been on its way for as long as messages take at worst.
            let seen = self.seen.get(&(writer, *host));
            let unheard = seen.is_none_or(|since| now < since + AFTERMATH_MS);
            if let Some(id) = self.lacks_labels(host, before, &desired, unheard) {
                return Err((
                    Property::Constraints,
                    format!("{host} is told {id} and lacks its labels"),
                ));
            }
        }
        Ok(())
    }

    fn check_host(
        &self,
        host: &HostId,
        before: &Before,
        desired: &Desired,
    ) -> Result<(), (Property, String)> {
        let (Some(facts), Some(told)) = (self.hosts.get(host), self.known.assignments.get(host))
        else {
            return Err((Property::Constraints, format!("{host} is told something and unknown")));
        };
        let broken = |message: String| Err((Property::Constraints, message));
        let sum: u32 = told.entries.iter().map(|entry| entry.count).sum();
        if facts.capacity < sum {
            return broken(format!("{host} has room for {} and is told {sum}", facts.capacity));
        }
        for entry in &told.entries {
            let id = &entry.id;
            if !self.known.specs.contains(&entry.spec) {
                return broken(format!("{host} is told {id}, whose spec is not stored"));
            }
            if self.is_excused(id) {
                continue;
            }
            let Some(wanted) = desired.actors.get(id) else {
                return broken(format!("{host} is told {id}, which no application wants"));
            };
            let leaves =
                || self.may_be_by_hand(host, id) || self.may_leave(host, entry, before, desired);
            if wanted.what != What::Run(entry.spec) && !leaves() {
                return broken(format!("{host} is told {id} in a revision that is not deployed"));
            }
        }
        Ok(())
    }

    /// Something the host is told, not only until it leaves, whose requirements it does not meet.
    /// Whoever knows nothing of a host that is `unheard` cannot know that what it has is not to be
    /// there any more.
    fn lacks_labels(
        &self,
        host: &HostId,
        before: &Before,
        desired: &Desired,
        unheard: bool,
    ) -> Option<ActorId> {
        let told = self.known.assignments.get(host)?;
        let lacks = |entry: &&Entry| {
            let stays =
                (unheard && was_told(host, entry, before)) || self.may_be_by_hand(host, &entry.id);
            let fits = self.fits(host, &entry.id, desired);
            !(fits
                || stays
                || self.is_excused(&entry.id)
                || self.may_leave(host, entry, before, desired))
        };
        told.entries.iter().find(lacks).map(|entry| entry.id.clone())
    }

    /// Whether the host has the labels that some spread of this actor requires.
    pub(super) fn fits(&self, host: &HostId, id: &ActorId, desired: &Desired) -> bool {
        let Some(facts) = self.hosts.get(host) else { return false };
        let has = |(key, value): (&String, &String)| facts.labels.get(key) == Some(value);
        let spread =
            desired.actors.get(id).map(|wanted| &wanted.scaler.spread[..]).unwrap_or_default();
        spread.is_empty() || spread.iter().any(|spread| spread.requirements.iter().all(has))
    }

    /// Whether these come from somebody who led and does not any more.
    pub(crate) fn is_deposed(&self, writer: u64, writes: &[Write]) -> bool {
        let Some(Write { key: Key::Lease, value: Some(bytes), .. }) = writes.first() else {
            return false;
        };
        let Ok(lease) = stored::decode::<Lease>("the lease", bytes) else { return false };
        let Some(now) = &self.known.lease else { return false };
        self.led.contains(&writer) && now.boot != writer && lease.epoch <= now.epoch
    }

    /// The store refused such writes.
    pub(crate) fn refused_deposed(&mut self, writes: usize) {
        self.counts.deposed += 1;
        self.counts.deposed_with_content += u64::from(1 < writes);
    }
}
