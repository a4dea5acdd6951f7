//! What is written so that the links and the configuration of applications are what their
//! manifests say.

use std::collections::BTreeMap;

use wattle_types::{ActorId, AppName, Key, Owner, SpecHash, stored};

use crate::effect::{Expect, Payload, Write};
use crate::fleet::{Fleet, Phase};
use crate::links::{Standing, Wanted, configs_of, key_of};
use crate::mirror::Mirror;

/// One write per key, configuration before links.
pub(super) fn writes(mirror: &Mirror, fleet: &Fleet) -> Vec<Write> {
    let wanted = Wanted::of(mirror);
    let mut configs = BTreeMap::new();
    for ((key, app), config) in &wanted.configs {
        if let Standing::Differs(next) = wanted.config(app, config, mirror) {
            configs.entry(key.clone()).or_insert_with(|| Payload::Plain(stored::encode(&next)));
        }
    }
    let mut links = BTreeMap::new();
    for ((key, app), link) in &wanted.links {
        if let Standing::Differs(next) = wanted.link(app, link, mirror) {
            links.entry(key.clone()).or_insert_with(|| Payload::Plain(stored::encode(&next)));
        }
    }
    for (key, link) in mirror.links.iter().filter_map(|(key, at)| Some((key, at.value.as_ref()?))) {
        let ended =
            is_ended(&link.owner, mirror, |app| wanted.links.contains_key(&(key.clone(), app)));
        if ended && !runs_as_before(&link.source, mirror, fleet) {
            links.entry(key.clone()).or_insert(Payload::Gone);
        }
    }
    let kept = mirror.links.iter().filter(|(key, _)| links.get(key) != Some(&Payload::Gone));
    let kept: Vec<_> = kept.filter_map(|(_, at)| at.value.as_ref()).collect();
    for config in mirror.configs.values().filter_map(|at| at.value.as_ref()) {
        let key = key_of(&config.name);
        let ended =
            is_ended(&config.owner, mirror, |app| wanted.configs.contains_key(&(key.clone(), app)));
        // Nobody is left to read it once nothing refers to it.
        if ended && !kept.iter().any(|link| configs_of(link).contains(&config.name)) {
            configs.entry(key).or_insert(Payload::Gone);
        }
    }
    let write = |(key, payload): (Key, Payload)| {
        let expect = expect(&key, mirror);
        Write { key, payload, expect }
    };
    configs.into_iter().chain(links).map(write).collect()
}

/// Whether an application owns it, is known, and does not ask for it.
fn is_ended(owner: &Owner, mirror: &Mirror, is_wanted_by: impl Fn(&AppName) -> bool) -> bool {
    match owner {
        Owner::App(app) => !is_wanted_by(app) && !mirror.is_unreadable(app),
        Owner::Manual | Owner::Session => false,
    }
}

/// Whether a host still runs `source` in a revision that is not the deployed one: it may call
/// through its old links until it has ended. What a host has not reported does not count; at
/// worst a call in its last moments fails.
fn runs_as_before(source: &ActorId, mirror: &Mirror, fleet: &Fleet) -> bool {
    let deployed = deployed_spec(source, mirror);
    let alive = fleet.hosts().values().filter(|host| host.phase == Phase::Alive);
    let mut reports =
        alive.filter_map(|host| host.inventory.as_ref()).flat_map(|inventory| &inventory.actors);
    reports.any(|report| report.id == *source && Some(report.spec) != deployed)
}

fn deployed_spec(id: &ActorId, mirror: &Mirror) -> Option<SpecHash> {
    let heads = mirror.heads.values().filter_map(|at| at.value.as_ref());
    let mut stated = heads.filter_map(|head| mirror.deployed(head));
    stated.find_map(|stated| stated.specs.get(id)).copied()
}

fn expect(key: &Key, mirror: &Mirror) -> Expect {
    Expect::of(match key {
        Key::Config(name) => mirror.configs.get(name).map(|at| at.seq),
        key => mirror.links.get(key).map(|at| at.seq),
    })
}

#[cfg(test)]
mod tests;
