//! Whose the ids of an application are, before anything runs under them.
//!
//! *Expected flow.* An id that nobody has is the application's from its deployment on. One that
//! runs by hand is adopted if it is the same component: the hosts that run it are assigned it, and
//! nothing of it is started anew. *Caveats.* What an image is, is not known here: two are the same
//! if they are written alike, and hosts that run it agree on what it was.

use std::collections::BTreeSet;

use wattle_types::{
    ActorId, ActorReport, ActorSpec, ActorState, AppComponent, Application, HostId, IdRecord, Key,
    Owner, Part, stored,
};

use crate::effect::{Payload, Write};
use crate::event::Stamp;
use crate::fleet::Fleet;
use crate::mirror::Mirror;

/// The records of all ids that are not the application's yet, or why it does not get one.
pub(super) fn claim_ids(
    application: &Application,
    takeover: bool,
    at: Stamp,
    mirror: &Mirror,
    fleet: &Fleet,
) -> Result<Vec<Write>, String> {
    let name = &application.name;
    let mut writes = Vec::new();
    for component in &application.components {
        let id = &component.id;
        let known = mirror.ids.get(id);
        if known.is_some_and(|at| at.unreadable) {
            return Err(format!("the record of who owns {id} is unreadable"));
        }
        let record = known.and_then(|at| at.value.as_ref());
        match record {
            Some(record) if record.owner == Owner::App(name.clone()) => continue,
            Some(record) if record.owner.is_by_hand() && !takeover => {
                may_adopt(record, component, fleet)?;
            }
            _ => {}
        }
        if let Some(owner) = mirror.app_owning(id) {
            return Err(format!(
                "{id} belongs to application {owner}; delete that application, or choose another \
                 id for component {}",
                component.name
            ));
        }
        // Of another owner's, neither who signed it nor where it ran holds any more.
        let record = IdRecord {
            unknown: record.map(|record| record.unknown.clone()).unwrap_or_default(),
            ..IdRecord::new(id.clone(), Owner::App(name.clone()), at.unix_ms / 1_000)
        };
        writes.push(Write {
            key: Key::Id(id.clone()),
            payload: Payload::Plain(stored::encode(&record)),
            expect: mirror.expect_id(id),
        });
    }
    Ok(writes)
}

/// Whether every host that has this by hand runs the component that is asked for.
fn may_adopt(record: &IdRecord, component: &AppComponent, fleet: &Fleet) -> Result<(), String> {
    let id = &record.id;
    if record.hosts.is_empty() {
        return Err(format!(
            "{id} belongs to {}; stop it there, choose another id, or deploy with `--takeover`",
            record.owner
        ));
    }
    let asked = match &component.part {
        Part::Actor(spec) => Some(spec),
        Part::Unsupported(_) => None,
    };
    let mut digests = BTreeSet::new();
    for host in &record.hosts {
        let report = by_hand(id, host, fleet);
        let refused = |what: String| {
            let name = fleet.hosts().get(host).and_then(|host| host.name());
            let named = name.map(|name| format!("{name} ({host})"));
            let named = named.unwrap_or_else(|| host.to_string());
            Err(format!(
                "{id} was started by hand on host {named}{what}; stop it there, choose another id, \
                 or deploy with `--takeover`"
            ))
        };
        match (report, asked) {
            (None, _) => return refused(", which does not say what it runs".to_owned()),
            (Some(report), Some(spec)) if is_the_same(report, spec) => {
                digests.extend(report.digest);
                if 1 < digests.len() {
                    return refused(", and is another component there than elsewhere".to_owned());
                }
            }
            (Some(report), _) => return refused(format!(" as {}", report.image)),
        }
    }
    Ok(())
}

/// What a host says of something that was started on it by hand.
fn by_hand<'a>(id: &ActorId, host: &HostId, fleet: &'a Fleet) -> Option<&'a ActorReport> {
    let inventory = fleet.hosts().get(host)?.inventory.as_ref()?;
    let mut reports = inventory.actors.iter();
    reports.find(|report| {
        report.id == *id && report.owner.is_by_hand() && report.state != ActorState::Draining
    })
}

fn is_the_same(report: &ActorReport, spec: &ActorSpec) -> bool {
    report.image == spec.image
}
