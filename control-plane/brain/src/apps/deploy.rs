//! Which revision should run, if any.

use std::collections::BTreeMap;

use wattle_types::{AppName, Application, HttpRoute, Key, RevisionHead};

use super::claim::claim_ids;
use super::{Answer, Decision, deployed_version, find, unknown, write_head};
use crate::effect::{Payload, Write};
use crate::event::Stamp;
use crate::fleet::Fleet;
use crate::mirror::{Mirror, actors};

/// Records that a version should run, and with it who owns the ids of its actors, before
/// anything runs under them.
pub(super) fn deploy(
    name: &AppName,
    version: Option<&str>,
    takeover: bool,
    at: Stamp,
    mirror: &Mirror,
    fleet: &Fleet,
) -> Decision {
    let (head, of) = match find(name, version, mirror) {
        Ok(found) => found,
        Err(answer) => return Decision::Answer(answer),
    };
    let Some(stated) = mirror.stated(name, of.revision) else {
        let message = format!("the stored manifest of {name} {} is unreadable", of.version);
        return Decision::Answer(Answer::Refused(message));
    };
    let application = &stated.application;
    let ids = match claim_ids(application, takeover, at, mirror, fleet) {
        Ok(ids) => ids,
        Err(message) => return Decision::Answer(Answer::Refused(message)),
    };
    if let Some(message) = contested_route(name, application, mirror) {
        return Decision::Answer(Answer::Refused(message));
    }
    let version = of.version.clone();
    if head.deployed == Some(of.revision) && ids.is_empty() {
        let message = format!("Version {version} of {name} is already deployed");
        return Decision::Answer(Answer::Deployed { name: name.clone(), version, message });
    }
    let mut next = head.clone();
    next.deploy(Some(of.revision));
    let mut writes = ids;
    writes.push(write_head(&next, at, mirror));
    let message = format!("Deployed version {version} of {name}");
    Decision::Commit(writes, Answer::Deployed { name: name.clone(), version, message })
}

/// Deploys what was deployed before. Twice is back to where it was.
pub(super) fn rollback(name: &AppName, at: Stamp, mirror: &Mirror, fleet: &Fleet) -> Decision {
    let Some(head) = mirror.head(name) else { return Decision::Answer(unknown(name, mirror)) };
    match head.deployed_last() {
        Some(before) => deploy(name, Some(&before.version), false, at, mirror, fleet),
        None => {
            let message = format!(
                "no other version of {name} was deployed before, or it is deleted; name the one to \
                 deploy"
            );
            Decision::Answer(Answer::Refused(message))
        }
    }
}

/// Two applications cannot both answer one route; the one that has it keeps it.
fn contested_route(name: &AppName, application: &Application, mirror: &Mirror) -> Option<String> {
    let others = mirror.heads.values().filter_map(|at| at.value.as_ref());
    let mut taken: BTreeMap<&HttpRoute, &AppName> = BTreeMap::new();
    for head in others.filter(|head| head.name != *name) {
        let Some(stated) = mirror.deployed(head) else { continue };
        let routes = actors(&stated.application).flat_map(|(_, spec)| &spec.routes);
        taken.extend(routes.map(|route| (route, &head.name)));
    }
    actors(application).find_map(|(id, spec)| {
        let (route, owner) =
            spec.routes.iter().find_map(|route| Some((route, taken.get(route)?)))?;
        Some(format!(
            "{id} wants route {route}, which application {owner} has; undeploy that application, \
             or choose another path or host"
        ))
    })
}

pub(super) fn undeploy(name: &AppName, at: Stamp, mirror: &Mirror) -> Decision {
    let Some(head) = mirror.head(name) else { return Decision::Answer(unknown(name, mirror)) };
    let Some(version) = deployed_version(head).or_else(|| head.deployed.map(|_| String::new()))
    else {
        let message = format!("{name} is not deployed");
        return Decision::Answer(Answer::Undeployed { name: name.clone(), message });
    };
    let mut next = head.clone();
    next.deploy(None);
    let message = format!("Undeployed version {version} of {name}");
    let answer = Answer::Undeployed { name: name.clone(), message };
    Decision::Commit(vec![write_head(&next, at, mirror)], answer)
}

/// Deletes one version, or the application with all of them.
pub(super) fn delete(
    name: &AppName,
    version: Option<&str>,
    at: Stamp,
    mirror: &Mirror,
) -> Decision {
    let (head, of) = match find(name, version, mirror) {
        Ok(found) => found,
        Err(Answer::NotFound(message)) => return Decision::Answer(Answer::NothingToDo(message)),
        Err(answer) => return Decision::Answer(answer),
    };
    let goes = |revision: &RevisionHead| version.is_none() || revision.revision == of.revision;
    let mut next = head.clone();
    next.revisions.retain(|revision| !goes(revision));
    let undeployed = next.deployed.is_some_and(|revision| next.by_revision(revision).is_none());
    if undeployed {
        next.deploy(None);
    }
    // The head says it; the manifests are only swept up behind it.
    let gone = head.revisions.iter().filter(|revision| goes(revision)).map(|revision| Write {
        key: Key::Manifest(name.clone(), revision.revision),
        payload: Payload::Gone,
        expect: mirror.expect_manifest(name, revision.revision),
    });
    let mut writes = vec![write_head(&next, at, mirror)];
    writes.extend(gone);
    let what =
        version.map_or_else(|| name.to_string(), |version| format!("version {version} of {name}"));
    let also = if undeployed { " and undeployed it" } else { "" };
    let message = format!("Deleted {what}{also}");
    let answer = Answer::Deleted { name: name.clone(), undeployed, message };
    Decision::Commit(writes, answer)
}
