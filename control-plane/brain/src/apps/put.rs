//! Storing a manifest as the next revision.

use wattle_types::{AppName, Application, Digest, Key, Manifest, Revision, RevisionHead, stored};

use super::{
    Answer, Base, Decision, PutResult, head_to_change, overtaken, ulid::ulid, unknown, write_head,
};
use crate::effect::{Payload, Write};
use crate::event::Stamp;
use crate::mirror::{Mirror, StoredManifest};

/// More than anybody looks through, and deleting them all must fit into one batch.
const REVISIONS_MAX: usize = 900;

pub(super) fn put(text: &str, base: Option<Base>, at: Stamp, mirror: &Mirror) -> Decision {
    let read = Manifest::parse(text).and_then(|manifest| {
        let application = Application::try_from(&manifest)?;
        Ok((manifest, application))
    });
    let (mut manifest, application) = match read {
        Ok(read) => read,
        Err(error) => return Decision::Answer(Answer::Refused(error.to_string())),
    };
    let name = application.name;
    let unreadable = mirror.heads.get(&name).is_some_and(|at| at.unreadable);
    if unreadable || mirror.lost.contains_key(&name) {
        return Decision::Answer(unknown(&name, mirror));
    }
    if let Some(conflict) = overtaken(&name, base, mirror) {
        return Decision::Answer(conflict);
    }
    if let Some(other) = namesake(&name, mirror) {
        let message = format!(
            "applications {other} and {name} would have the same ids and names of configuration, \
             which begin with {}; choose another name",
            name.normal()
        );
        return Decision::Answer(Answer::Refused(message));
    }
    let mut head = head_to_change(&name, mirror);
    let version = application.version.unwrap_or_else(|| ulid(at));
    if head.by_version(&version).is_some() {
        // In wadm's words: clients look for them.
        let message = format!("Manifest version {version} already exists");
        return Decision::Answer(Answer::Refused(message));
    }
    if REVISIONS_MAX <= head.revisions.len() {
        let message = format!("application {name} has {REVISIONS_MAX} versions; delete some first");
        return Decision::Answer(Answer::Refused(message));
    }
    // Stored as it will be named, so that reading it again gives the same version.
    manifest.metadata.annotations.insert("version".to_owned(), version.clone());

    let value = StoredManifest { v: stored::VERSION, json: manifest.to_json().to_string() };
    let value = stored::encode(&value);
    let revision: Revision = head.revision_max.next();
    head.revision_max = revision;
    head.revisions.push(RevisionHead {
        revision,
        version: version.clone(),
        description: application.description,
        stored_unix_s: at.unix_ms / 1_000,
        author: at.by,
        manifest: Some(Digest::of(&value)),
    });
    let key = Key::Manifest(name.clone(), revision);
    let expect = mirror.expect_manifest(&name, revision);
    let writes =
        vec![Write { key, payload: Payload::Plain(value), expect }, write_head(&head, at, mirror)];
    let total_versions = head.revisions.len();
    let result = if total_versions == 1 { PutResult::Created } else { PutResult::NewVersion };
    let message = format!("Successfully put manifest {name} {version}");
    Decision::Commit(writes, Answer::Put { result, name, version, total_versions, message })
}

/// Another application whose ids and names begin as those of a new one would. One that was stored
/// before this was looked at goes on as it is.
fn namesake<'a>(name: &AppName, mirror: &'a Mirror) -> Option<&'a AppName> {
    if mirror.head(name).is_some() {
        return None;
    }
    let stored = mirror.heads.keys().filter(|other| mirror.head(other).is_some());
    let mut others = stored.chain(mirror.lost.keys());
    others.find(|other| *other != name && other.normal() == name.normal())
}
