//! What people ask for: manifests as revisions, which of them should run, and how it goes.
//!
//! A change is a batch of writes on the condition that nothing it was decided from changed, and
//! the answer that is given once the batch is stored. An application that is deleted keeps an
//! empty head: that it should not run is then something said, and not something missing.

mod answer;
mod claim;
mod deploy;
mod put;
mod restore;
mod status;
mod ulid;

use std::ops::Bound;

use wattle_types::{AppName, HostId, LatticeId, Page, Revision, RevisionHead, stored};

use crate::effect::{Kept, Payload, Write};
use crate::event::Stamp;
use crate::mirror::Mirror;

pub use answer::{
    Answer, AppStatus, ComponentStatus, LinkStatus, PutResult, StatusKind, Summary, VersionSummary,
};
pub(crate) use status::View;
use wattle_types::{AppHead, Key};

/// What a client can ask (`PROTOCOL.md` 4.2). Names are checked before they get here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Store this manifest, YAML or JSON, as the next revision.
    Put {
        text: String,
    },
    /// One manifest; the newest unless a version is named.
    Get {
        name: AppName,
        version: Option<String>,
    },
    List {
        page: Page<AppName>,
    },
    /// The stored versions, oldest first.
    Versions {
        name: AppName,
        page: Page<Revision>,
    },
    Deploy {
        name: AppName,
        version: Option<String>,
        /// Also what a person runs by hand, whatever it is.
        takeover: bool,
    },
    /// Deploy what was deployed before what is deployed now.
    Rollback {
        name: AppName,
    },
    Undeploy {
        name: AppName,
    },
    /// One version, or the whole application.
    Delete {
        name: AppName,
        version: Option<String>,
    },
    Status {
        name: AppName,
    },
    /// Let another controller lead.
    StepDown,
    /// Take a host out of the lattice that is lost, or, if a person agrees, also one that is not.
    Forget {
        host: HostId,
        yes: bool,
    },
    /// Put back what an export has and the store has not. In several requests, if it is much.
    Restore {
        lattice: LatticeId,
        entries: Vec<Kept>,
        /// Also what is older than what was seen, or another than what is stored.
        force: bool,
    },
}

impl Command {
    /// Whether answering needs nothing written.
    pub(crate) const fn is_question(&self) -> bool {
        matches!(
            self,
            Self::Get { .. } | Self::List { .. } | Self::Versions { .. } | Self::Status { .. }
        )
    }

    /// Whether the store says everything there is to answer; how an application is does not stand
    /// there.
    pub(crate) const fn is_of_store(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::Versions { .. })
    }

    /// Whether it is for one controller, and nothing that another one could be asked instead.
    pub(crate) const fn is_personal(&self) -> bool {
        matches!(self, Self::StepDown | Self::Restore { .. } | Self::Forget { .. })
    }

    /// The application that is asked about or changed; of a manifest it is in the text.
    pub(crate) const fn app(&self) -> Option<&AppName> {
        match self {
            Self::Get { name, .. }
            | Self::Versions { name, .. }
            | Self::Rollback { name }
            | Self::Deploy { name, .. }
            | Self::Undeploy { name }
            | Self::Delete { name, .. }
            | Self::Status { name } => Some(name),
            Self::Put { .. }
            | Self::List { .. }
            | Self::StepDown
            | Self::Forget { .. }
            | Self::Restore { .. } => None,
        }
    }

    /// Whether it changes one application, if any.
    pub(crate) const fn edits_one(&self) -> bool {
        !self.is_personal()
    }
}

/// What somebody had seen of an application when they asked for a change of it: the change is made
/// only if nothing has come between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// This was the newest revision. For whoever stores the next one, whatever else changes.
    Revision(Revision),
    /// The head had this many changes.
    Change(u64),
}

/// What follows from a command.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    Answer(Answer),
    /// Once these writes are stored, the answer.
    Commit(Vec<Write>, Answer),
}

/// `own` is the lattice that this controller is of.
pub(crate) fn decide(
    command: &Command,
    base: Option<Base>,
    at: Stamp,
    own: &LatticeId,
    mirror: &Mirror,
    view: &View<'_>,
) -> Decision {
    match command {
        Command::Put { text } => put::put(text, base, at, mirror),
        Command::Deploy { name, version, takeover } => unless_overtaken(name, base, mirror, || {
            let version = version.as_deref();
            deploy::deploy(name, version, *takeover, at, mirror, view.fleet())
        }),
        Command::Rollback { name } => unless_overtaken(name, base, mirror, || {
            deploy::rollback(name, at, mirror, view.fleet())
        }),
        Command::Undeploy { name } => {
            unless_overtaken(name, base, mirror, || deploy::undeploy(name, at, mirror))
        }
        Command::Delete { name, version } => unless_overtaken(name, base, mirror, || {
            deploy::delete(name, version.as_deref(), at, mirror)
        }),
        Command::Restore { lattice, .. } if lattice != own => {
            let message = format!("the export is of lattice {lattice}, and this is {own}");
            Decision::Answer(Answer::Refused(message))
        }
        Command::Restore { entries, force, .. } => restore::restore(entries, *force, mirror),
        question => Decision::Answer(ask(question, mirror, view)),
    }
}

fn unless_overtaken(
    name: &AppName,
    base: Option<Base>,
    mirror: &Mirror,
    edit: impl FnOnce() -> Decision,
) -> Decision {
    overtaken(name, base, mirror).map_or_else(edit, Decision::Answer)
}

/// Who was first, if somebody changed the application since `base`.
fn overtaken(name: &AppName, base: Option<Base>, mirror: &Mirror) -> Option<Answer> {
    let head = mirror.heads.get(name)?.value.as_ref()?;
    let latest = head.latest();
    let newest = latest.map_or(Revision::ZERO, |of| of.revision);
    let (by, unix_s) = match base? {
        Base::Revision(revision) if revision == newest => return None,
        Base::Change(change) if change == head.change => return None,
        Base::Revision(revision) => match latest.filter(|_| revision < newest) {
            Some(latest) => (latest.author, latest.stored_unix_s),
            // What was seen is deleted.
            None => (head.by, head.changed_unix_s),
        },
        Base::Change(_) => (head.by, head.changed_unix_s),
    };
    let (name, change) = (name.clone(), head.change);
    Some(Answer::Conflict { name, revision: newest, change, by, unix_s })
}

fn ask(question: &Command, mirror: &Mirror, view: &View<'_>) -> Answer {
    match question {
        Command::List { page } => {
            let from = page.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let heads = mirror.heads.range::<AppName, _>((from, Bound::Unbounded));
            let heads = heads.filter_map(|(_, at)| at.value.as_ref());
            let (heads, next) =
                page.take(heads.filter(|head| head.latest().is_some()), |head| head.name.clone());
            let models = heads.into_iter().filter_map(|head| summary(head, view)).collect();
            Answer::Models { models, next }
        }
        Command::Get { name, version } => {
            let found = find(name, version.as_deref(), mirror);
            match found.map(|(head, of)| mirror.stated(&head.name, of.revision)) {
                Ok(Some(stated)) => Answer::Manifest(Box::new(stated.manifest.clone())),
                Ok(None) => Answer::Refused(format!("the stored manifest of {name} is unreadable")),
                Err(answer) => answer,
            }
        }
        Command::Versions { name, page } => match mirror.head(name) {
            Some(head) => {
                let rest = head.revisions.iter();
                let rest = rest.filter(|of| page.after.is_none_or(|after| after < of.revision));
                let (part, next) = page.take(rest, |of| of.revision);
                let versions = part.into_iter().map(|of| version(head, of)).collect();
                Answer::Versions { versions, next }
            }
            None => unknown(name, mirror),
        },
        Command::Status { name } => match mirror.head(name) {
            Some(head) => Answer::Status(Box::new(view.status(head))),
            None => unknown(name, mirror),
        },
        _ => Answer::Refused("not a question".to_owned()),
    }
}

fn summary(head: &AppHead, view: &View<'_>) -> Option<Summary> {
    let latest = head.latest()?;
    Some(Summary {
        name: head.name.clone(),
        version: latest.version.clone(),
        description: latest.description.clone(),
        deployed_version: deployed_version(head),
        status: view.status(head),
    })
}

fn version(head: &AppHead, of: &RevisionHead) -> VersionSummary {
    VersionSummary {
        revision: of.revision,
        author: of.author,
        version: of.version.clone(),
        deployed: head.deployed == Some(of.revision),
        stored_unix_s: of.stored_unix_s,
    }
}

fn deployed_version(head: &AppHead) -> Option<String> {
    head.by_revision(head.deployed?).map(|of| of.version.clone())
}

/// The named version of an application, or its newest.
fn find<'a>(
    name: &AppName,
    version: Option<&str>,
    mirror: &'a Mirror,
) -> Result<(&'a AppHead, &'a RevisionHead), Answer> {
    let head = mirror.head(name).ok_or_else(|| unknown(name, mirror))?;
    let found = match version {
        Some(version) => head.by_version(version),
        None => head.latest(),
    };
    let missing = || {
        let version = version.unwrap_or_default();
        Answer::NotFound(format!("application {name} has no version {version}"))
    };
    Ok((head, found.ok_or_else(missing)?))
}

/// Why there is no application of this name to work on.
fn unknown(name: &AppName, mirror: &Mirror) -> Answer {
    if let Some(lost) = mirror.lost.get(name) {
        return Answer::Refused(lost.of(name));
    }
    if mirror.heads.get(name).is_some_and(|at| at.unreadable) {
        Answer::Refused(format!("the stored record of application {name} is unreadable"))
    } else {
        not_found(name)
    }
}

fn not_found(name: &AppName) -> Answer {
    Answer::NotFound(format!("there is no application {name}"))
}

/// Writes the next head of an application: one change more, after the one that is stored.
fn write_head(head: &AppHead, at: Stamp, mirror: &Mirror) -> Write {
    let next = AppHead {
        change: head.change + 1,
        previous: mirror.head_digest(&head.name),
        by: at.by,
        changed_unix_s: at.unix_ms / 1_000,
        ..head.clone()
    };
    Write {
        key: Key::App(head.name.clone()),
        payload: Payload::Head(stored::encode(&next)),
        expect: mirror.expect_head(&head.name),
    }
}

/// The head as it is, to be changed; a new one where there is none.
fn head_to_change(name: &AppName, mirror: &Mirror) -> AppHead {
    let known = mirror.heads.get(name).and_then(|at| at.value.clone());
    let mut head = known.unwrap_or_else(|| AppHead::new(name.clone()));
    // Numbers are never used again, also when a head was lost and its manifests were not.
    let manifests = mirror.manifests.keys().filter(|(app, _)| app == name);
    let highest = manifests.map(|(_, revision)| *revision).max().unwrap_or(Revision::ZERO);
    head.revision_max = head.revision_max.max(highest);
    head
}

#[cfg(test)]
mod tests;
