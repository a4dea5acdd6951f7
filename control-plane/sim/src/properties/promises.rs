//! What clients are told, what controllers complain of, and what hosts do.

use wattle_agent::Refusal;
use wattle_brain::Alarm;
use wattle_brain::apps::{Answer, Command};
use wattle_types::{
    ActorId, AppHead, AppName, Applied, Assignment, Beat, Digest, Revision, stored,
};

use super::{Law, Property};
use crate::controllers::OLD_VERSION;
use crate::hosts::{Host, Run};

/// A change somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edit {
    Put(AppName, String),
    Deploy(AppName),
    Undeploy(AppName),
    Delete(AppName, Option<String>),
}

/// The application and version that an operator's manifest is of.
fn stated(text: &str) -> Option<(AppName, String)> {
    let name = text.split("  name: ").nth(1)?.lines().next()?.trim().parse().ok()?;
    let version = text.split("{version: ").nth(1)?.split('}').next()?;
    Some((name, version.to_owned()))
}

impl Law {
    pub(crate) fn asked(&mut self, command: &Command) {
        if let Command::Delete { name, .. } = command {
            self.deleted.insert(name.clone());
        }
        if let Command::Forget { host, yes } = command {
            *self.to_forget.entry(*host).or_default() |= yes;
        }
        let edit = match command.clone() {
            Command::Put { text } => stated(&text).map(|(name, version)| Edit::Put(name, version)),
            Command::Deploy { name, .. } => Some(Edit::Deploy(name)),
            Command::Undeploy { name } => Some(Edit::Undeploy(name)),
            Command::Delete { name, version } => Some(Edit::Delete(name, version)),
            Command::Restore { entries, .. } => {
                self.asks_to_restore(&entries);
                None
            }
            _ => None,
        };
        self.asked.extend(edit);
    }

    pub(crate) fn answered(&mut self, now: u64, command: &Command, answer: &Answer) {
        let broken = match (command, answer) {
            (_, Answer::Put { name, version, .. }) => {
                !self.stored.contains(&(name.clone(), version.clone()))
            }
            (_, Answer::Deployed { name, version, .. }) => {
                !self.deployed.contains(&(name.clone(), version.clone()))
            }
            (Command::Put { text }, Answer::Refused(_) | Answer::Unavailable(_)) => {
                // What was lost meanwhile is not there, and so it is said.
                let is_stored = |put| self.counts.losses == 0 && self.stored.contains(&put);
                stated(text).is_some_and(is_stored)
            }
            _ => false,
        };
        if broken {
            self.breaks(Property::Kept, now, format!("{command:?} was answered {answer:?}"));
        }
    }

    /// A client was told that this is stored, or told what is. Whoever wants to be told at least
    /// what they saw is told of their own writes.
    pub(crate) fn read(
        &mut self,
        now: u64,
        command: &Command,
        answer: &Answer,
        at_least: u64,
        sequence: u64,
    ) {
        let lossless = self.counts.losses == 0;
        match (command, answer) {
            (_, Answer::Put { name, version, .. }) => {
                let key = (name.clone(), version.clone());
                if lossless && !self.deleted.contains(&key.0) {
                    self.acknowledged.insert(key, sequence);
                }
            }
            (Command::Versions { name, .. }, Answer::Versions { .. } | Answer::NotFound(_)) => {
                let versions = match answer {
                    Answer::Versions { versions, .. } => &versions[..],
                    _ => &[],
                };
                let is_there = |version: &str| versions.iter().any(|of| of.version == version);
                let missing = self.acknowledged.iter().find(|((app, version), written)| {
                    app == name && **written <= at_least && !is_there(version)
                });
                let may_be_deleted = self.deleted.contains(name) || !lossless;
                if let Some(((_, version), written)) = missing.filter(|_| !may_be_deleted) {
                    let message = format!(
                        "{version} of {name} was stored at {written}, and is missing in an answer \
                         that knows {sequence} and was to know {at_least}"
                    );
                    self.breaks(Property::Kept, now, message);
                }
            }
            _ => {}
        }
    }

    /// A head changes by exactly one thing that somebody asked for. A write made from an old
    /// reading would undo another, and so change two.
    pub(super) fn check_edit(&mut self, next: &AppHead) -> Result<(), (Property, String)> {
        let name = &next.name;
        let before = self.known.heads.get(name).cloned();
        let before = before.unwrap_or_else(|| AppHead::new(name.clone()));
        let added: Vec<_> =
            next.revisions.iter().filter(|of| before.by_revision(of.revision).is_none()).collect();
        let removed: Vec<_> =
            before.revisions.iter().filter(|of| next.by_revision(of.revision).is_none()).collect();
        let stays = next.deployed == before.deployed;
        let undeployed = next.deployed.is_none()
            && removed.iter().any(|of| Some(of.revision) == before.deployed);
        let edit = match (&added[..], &removed[..]) {
            ([new], []) if stays => Some(Edit::Put(name.clone(), new.version.clone())),
            ([], []) if stays => None,
            ([], []) if next.deployed.is_some() => Some(Edit::Deploy(name.clone())),
            ([], []) => Some(Edit::Undeploy(name.clone())),
            ([], gone) if stays || undeployed => {
                let one = Edit::Delete(name.clone(), Some(gone[0].version.clone()));
                let is_one = gone.len() == 1 && self.asked.contains(&one);
                Some(if is_one { one } else { Edit::Delete(name.clone(), None) })
            }
            _ => None,
        };
        let in_order = next.revisions.is_sorted_by_key(|of| of.revision)
            && next.latest().map_or(Revision::ZERO, |of| of.revision) <= next.revision_max
            && before.revision_max <= next.revision_max;
        let whole = !matches!(edit, Some(Edit::Delete(_, None))) || next.revisions.is_empty();
        let last = (0 < before.change).then(|| Digest::of(&stored::encode(&before)));
        let chained = next.change == before.change + 1 && next.previous == last;
        if !chained {
            let message = format!("{before:?} is followed by {next:?}, which names another");
            return Err((Property::Kept, message));
        }
        let says = |head: &AppHead| (head.revisions.clone(), head.revision_max, head.deployed);
        let claims_only = edit.is_none() && says(next) == says(&before);
        let asked = edit.as_ref().is_some_and(|edit| self.asked.contains(edit));
        if !in_order || !whole || !(asked || claims_only) {
            let message = format!("nobody asked for this ({edit:?}): {before:?} becomes {next:?}");
            return Err((Property::Kept, message));
        }
        self.counts.edits += 1;
        self.note_stored(next);
        Ok(())
    }

    /// What a head says is stored and deployed, which clients may be told from now on.
    pub(super) fn note_stored(&mut self, head: &AppHead) {
        let version = |version: &String| (head.name.clone(), version.clone());
        self.stored.extend(head.revisions.iter().map(|of| version(&of.version)));
        let deployed = head.deployed.and_then(|revision| head.by_revision(revision));
        self.deployed.extend(deployed.map(|of| version(&of.version)));
    }

    /// A controller says that something is wrong.
    pub(crate) fn alarmed(&mut self, now: u64, alarm: &Alarm) {
        let may_be = matches!(
            alarm,
            Alarm::HostLost { .. }
                | Alarm::SilenceOfMany { .. }
                | Alarm::ApiTaken
                | Alarm::LeadershipLost { .. }
                | Alarm::LeadershipTaken { .. }
                // Its link may be as good as cut for so long.
                | Alarm::StoreWedged
                // Late beats of earlier processes look the same, for a while.
                | Alarm::Cloned { .. }
        );
        let is_old = matches!(alarm, Alarm::TooOld { own, .. } if own == OLD_VERSION);
        if !may_be && !is_old && !self.is_true(alarm) {
            self.breaks(Property::NoFalseAlarm, now, format!("a controller says: {alarm}"));
        }
    }

    pub(crate) fn refused(&mut self, now: u64, host: usize, refusal: &Refusal) {
        let of_a_loss = 0 < self.counts.losses;
        if refusal.is_alarm() && !of_a_loss && !matches!(refusal, Refusal::Mass { .. }) {
            self.breaks(Property::NoFalseAlarm, now, format!("host {host} refuses: {refusal}"));
        }
    }

    /// A host starts something while it follows `followed`.
    pub(crate) fn started(
        &mut self,
        now: u64,
        host: usize,
        run: &Run,
        followed: Option<&Assignment>,
    ) {
        self.counts.started += 1;
        let entries = followed.map(|followed| &followed.entries[..]).unwrap_or_default();
        let fits = entries
            .iter()
            .any(|entry| (&entry.id, entry.spec, entry.count) == (&run.id, run.hash, run.count));
        if !fits {
            let message = format!("host {host} starts {} x{}, unassigned", run.id, run.count);
            self.breaks(Property::OnlyAssigned, now, message);
        }
    }

    /// A host has made an assignment durable, and follows it from now on.
    pub(crate) fn follows(
        &mut self,
        now: u64,
        host: &Host,
        before: Option<&Assignment>,
        next: Option<&Assignment>,
        applied: Applied,
    ) {
        self.counts.followed += 1;
        let index = host.index;
        let known = self.accepted.get(&host.id).is_some_and(|all| all.contains(&applied.hash));
        let Some(next) = next.filter(|_| known) else {
            let message = format!("host {index} follows what the store never accepted for it");
            return self.breaks(Property::OnlyAssigned, now, message);
        };
        let entries = before.map(|before| &before.entries[..]).unwrap_or_default();
        let ends = |id: &ActorId| !next.entries.iter().any(|entry| entry.id == *id);
        // What was a hand's when the host agreed to this was not the assignment's to end.
        let ended = entries.iter().map(|entry| &entry.id).filter(|id| ends(id));
        let ended: Vec<&ActorId> = ended.filter(|id| !self.may_be_by_hand(&host.id, id)).collect();
        if entries.len() < 2 * ended.len() && !next.mass {
            let (ended, of) = (ended.len(), entries.len());
            let message = format!("host {index} ends {ended} of {of}, unmarked");
            return self.breaks(Property::NoMassEnd, now, message);
        }
        let keeps = self.not_to_end.get(&applied.hash);
        if let Some(id) = ended.into_iter().find(|id| keeps.is_some_and(|all| all.contains(*id))) {
            let message = format!("host {index} ends {id}, whose application is lost");
            return self.breaks(Property::Kept, now, message);
        }
        self.acknowledges(now, host, applied);
    }

    pub(crate) fn beat(&mut self, now: u64, host: &Host, beat: &Beat) {
        let Some(applied) = beat.applied else { return };
        if host.disk.applied.is_none_or(|durable| durable.generation < applied.generation) {
            let message = format!("host {} acknowledges {applied:?}, not on disk", host.index);
            return self.breaks(Property::NeverBack, now, message);
        }
        self.acknowledges(now, host, applied);
    }

    fn acknowledges(&mut self, now: u64, host: &Host, applied: Applied) {
        let Some(facts) = self.hosts.get_mut(&host.id) else { return };
        let before = facts.applied.replace(applied);
        let falls = |before: Applied| {
            applied.generation < before.generation || applied.epoch < before.epoch
        };
        if let Some(before) = before.filter(|before| falls(*before)) {
            let message = format!("host {} goes from {before:?} to {applied:?}", host.index);
            self.breaks(Property::NeverBack, now, message);
        }
    }
}
