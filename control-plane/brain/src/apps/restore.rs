//! Putting back what an export has and the store has not.
//!
//! *Guarantees.* Nothing that is stored is lowered: of two heads of an application the one with
//! more changes stays. A manifest is put back where the head, as it is then, names it. What an
//! application owns beside its ids (its links, its configuration) is not put back, since it follows
//! from the manifest. *Caveats.* Two heads with the same number of changes and different content, a
//! head older than one that was seen, and whatever replaces what nobody here can read, take
//! `force`; then the number skips one, so that whoever knows either of them believes the restored
//! one.

use std::collections::BTreeMap;

use wattle_types::{
    AppHead, AppName, ConfigRecord, Digest, IdRecord, Key, LinkRecord, Owner, stored,
};

use super::{Answer, Decision};
use crate::effect::{Expect, Kept, Payload, Write};
use crate::mirror::{At, Mirror, Stated, StoredManifest};

/// Below the thousand messages of a batch, and quick enough for the lease it renews.
const ENTRIES_MAX: usize = 500;

/// Those that are put back.
type Heads = BTreeMap<AppName, AppHead>;

/// What is to be done about one entry.
enum Fate {
    Write(Payload, Expect),
    PassOver,
    Refuse(String),
}

pub(super) fn restore(entries: &[Kept], force: bool, mirror: &Mirror) -> Decision {
    if ENTRIES_MAX < entries.len() {
        let message = format!("at most {ENTRIES_MAX} entries are put back at once");
        return Decision::Answer(Answer::Refused(message));
    }
    let (mut passed_over, mut refused) = (0, Vec::new());
    let mut put_back = |entries: Vec<&Kept>, heads: &Heads| {
        let mut writes = Vec::<Write>::new();
        for entry in entries {
            let twice = writes.iter().any(|write| write.key == entry.key);
            match fate(entry, force, mirror, heads) {
                Fate::Write(payload, expect) if !twice => {
                    writes.push(Write { key: entry.key.clone(), payload, expect });
                }
                Fate::Write(..) => refused.push(format!("{} is there twice", entry.key)),
                Fate::PassOver => passed_over += 1,
                Fate::Refuse(reason) => refused.push(reason),
            }
        }
        writes
    };
    // Which manifests are right the heads say; whoever follows one must find its manifests.
    let (heads, rest) = entries.iter().partition(|entry| matches!(entry.key, Key::App(_)));
    let heads = put_back(heads, &Heads::new());
    let writes = [put_back(rest, &heads_in(&heads)), heads].concat();
    let answer = Answer::Restored { stored: writes.len(), passed_over, refused };
    match writes.is_empty() {
        true => Decision::Answer(answer),
        false => Decision::Commit(writes, answer),
    }
}

fn fate(entry: &Kept, force: bool, mirror: &Mirror, heads: &Heads) -> Fate {
    // What was deleted stays so.
    let Some(bytes) = &entry.bytes else { return Fate::PassOver };
    let unreadable = || Fate::Refuse(format!("{} cannot be read", entry.key));
    match &entry.key {
        Key::App(name) => match stored::decode::<AppHead>("an application", bytes) {
            Ok(kept) if kept.name == *name => head(name, &kept, bytes, force, mirror),
            _ => unreadable(),
        },
        Key::Manifest(name, revision) => {
            let at = mirror.manifests.get(&(name.clone(), *revision));
            let known = at.and_then(|at| at.value.as_ref()).map(Stated::digest);
            let stored = || mirror.heads.get(name)?.value.as_ref();
            let head = heads.get(name).or_else(stored);
            let expected = head.and_then(|head| head.by_revision(*revision)?.manifest);
            // One that its head does not vouch for is as good as none.
            let is_right = |digest| expected.is_none_or(|expected| expected == digest);
            match stored::decode::<StoredManifest>("a manifest", bytes) {
                Ok(_) if known.is_some_and(is_right) => Fate::PassOver,
                Ok(_) if !is_right(Digest::of(bytes)) => Fate::PassOver,
                Ok(_) => plain(bytes, mirror.expect_manifest(name, *revision)),
                Err(_) => unreadable(),
            }
        }
        Key::Id(id) => match stored::decode::<IdRecord>("an id", bytes) {
            Ok(record) if record.id == *id => match mirror.ids.get(id) {
                Some(at) if at.value.is_some() || at.unreadable => Fate::PassOver,
                _ => plain(bytes, mirror.expect_id(id)),
            },
            _ => unreadable(),
        },
        Key::Link { .. } => match stored::decode::<LinkRecord>("a link", bytes) {
            Ok(link) if link.key() == entry.key => {
                absent(mirror.links.get(&entry.key), &link.owner, bytes)
            }
            _ => unreadable(),
        },
        Key::Config(name) => match stored::decode::<ConfigRecord>("a configuration", bytes) {
            Ok(config) if config.name == *name => {
                absent(mirror.configs.get(name), &config.owner, bytes)
            }
            _ => unreadable(),
        },
        Key::Lease | Key::Spec(_) | Key::Assign(_) | Key::Canary(_) => Fate::PassOver,
    }
}

fn heads_in(writes: &[Write]) -> Heads {
    let heads = writes.iter().filter_map(|write| match (&write.key, &write.payload) {
        (Key::App(name), Payload::Head(bytes)) => {
            Some((name.clone(), stored::decode("an application", bytes).ok()?))
        }
        _ => None,
    });
    heads.collect()
}

fn plain(bytes: &[u8], expect: Expect) -> Fate {
    Fate::Write(Payload::Plain(bytes.to_vec()), expect)
}

/// What somebody put by hand, and nobody has touched since: a marker is somebody's deletion.
fn absent<T>(at: Option<&At<T>>, owner: &Owner, bytes: &[u8]) -> Fate {
    match (owner, at) {
        (Owner::Manual | Owner::Session, None) => plain(bytes, Expect::Absent),
        _ => Fate::PassOver,
    }
}

fn head(name: &AppName, kept: &AppHead, bytes: &[u8], force: bool, mirror: &Mirror) -> Fate {
    let at = mirror.heads.get(name);
    if at.is_some_and(|at| at.newer) {
        return Fate::Refuse(format!("a later version wrote the head of application {name}"));
    }
    let (digest, mark) = (Digest::of(bytes), mirror.marks().get(name));
    let stored = at.and_then(|at| at.value.as_ref()).map(|stored| stored.change);
    if mirror.head_digest(name) == Some(digest) || stored.is_some_and(|stored| kept.change < stored)
    {
        return Fate::PassOver;
    }
    // What is stored and does not follow what was seen is somebody's change, too.
    let lost = mirror.lost.get(name);
    let stored = stored.or_else(|| lost?.found);
    let is_unreadable = lost.is_none() && at.is_some_and(|at| at.unreadable);
    let seen = mark.map_or(0, |mark| mark.change).max(stored.unwrap_or(0));
    let other = mark.is_some_and(|mark| mark.change == kept.change && mark.digest != digest)
        || stored == Some(kept.change);
    let reason = if is_unreadable {
        format!("what is stored of application {name} cannot be read here, and may be newer")
    } else if other {
        format!("change {seen} of application {name} is another one here")
    } else if kept.change < seen {
        format!("change {seen} of application {name} was seen, the export has {}", kept.change)
    } else {
        return Fate::Write(Payload::Head(bytes.to_vec()), mirror.expect_head(name));
    };
    if !force {
        let look = match is_unreadable {
            true => "see why in `wattle controller status`",
            false => "use another export",
        };
        return Fate::Refuse(format!("{reason}; {look}, or force it"));
    }
    let next = AppHead { change: seen.max(kept.change) + 2, previous: None, ..kept.clone() };
    Fate::Write(Payload::Head(stored::encode(&next)), mirror.expect_head(name))
}

#[cfg(test)]
mod tests;
