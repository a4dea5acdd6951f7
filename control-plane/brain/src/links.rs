//! Links and named configuration of applications: which should be stored, and who has a right to
//! what is.
//!
//! *Expected flow.* Every record that a deployed manifest asks for is stored and stays stored: what
//! is deleted or changed by hand is put back at the next look. *Guarantees.* A record of another
//! owner is neither changed nor deleted; the status of the application names the owner.
//! *Caveats.* A record that cannot be read has an owner nobody knows, so it is left alone too.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::stored::Unknown;
use wattle_types::{AppName, ConfigName, ConfigRecord, Key, LinkRecord, Owner};

use crate::mirror::{At, Mirror};

/// A stored value that belongs to somebody.
pub(crate) trait Owned: Clone + PartialEq {
    fn owner(&self) -> &Owner;
    /// What a newer version wrote into it.
    fn unknown(&mut self) -> &mut Unknown;
}

impl Owned for LinkRecord {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn unknown(&mut self) -> &mut Unknown {
        &mut self.unknown
    }
}

impl Owned for ConfigRecord {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn unknown(&mut self) -> &mut Unknown {
        &mut self.unknown
    }
}

/// Everything that deployed manifests ask for, and for which application.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) links: BTreeMap<(Key, &'a AppName), &'a LinkRecord>,
    pub(crate) configs: BTreeMap<(Key, &'a AppName), &'a ConfigRecord>,
}

/// What is to be done about a record that is wanted.
#[derive(Debug, PartialEq)]
pub(crate) enum Standing<'a, T> {
    /// It is stored as it should be.
    Stored,
    /// Something else is there, or nothing: this should be.
    Differs(T),
    /// It belongs to somebody else.
    Foreign(&'a Owner),
    Unreadable,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(mirror: &'a Mirror) -> Self {
        let mut wanted = Self { links: BTreeMap::new(), configs: BTreeMap::new() };
        for (app, at) in &mirror.heads {
            let Some(stated) = at.value.as_ref().and_then(|head| mirror.deployed(head)) else {
                continue;
            };
            let application = &stated.application;
            let ours =
                application.components.iter().filter(|part| mirror.is_free_for(&part.id, app));
            let links = ours.flat_map(|part| &part.links);
            wanted.links.extend(links.map(|link| ((link.key(), app), link)));
            let configs = application.configs.iter();
            wanted.configs.extend(configs.map(|config| ((key_of(&config.name), app), config)));
        }
        wanted
    }

    pub(crate) fn link(
        &self,
        app: &AppName,
        link: &LinkRecord,
        mirror: &'a Mirror,
    ) -> Standing<'a, LinkRecord> {
        let key = link.key();
        stand(mirror.links.get(&key), link, app, mirror, |other| {
            self.links.contains_key(&(key.clone(), other))
        })
    }

    pub(crate) fn config(
        &self,
        app: &AppName,
        config: &ConfigRecord,
        mirror: &'a Mirror,
    ) -> Standing<'a, ConfigRecord> {
        stand(mirror.configs.get(&config.name), config, app, mirror, |other| {
            self.configs.contains_key(&(key_of(&config.name), other))
        })
    }
}

pub(crate) fn key_of(config: &ConfigName) -> Key {
    Key::Config(config.clone())
}

/// The configuration that a link refers to.
pub(crate) fn configs_of(link: &LinkRecord) -> BTreeSet<&ConfigName> {
    link.targets
        .iter()
        .flat_map(|target| target.source_config.iter().chain(&target.target_config))
        .collect()
}

/// `is_wanted_by` says whether another application asks for this very key.
fn stand<'a, T: Owned>(
    at: Option<&'a At<T>>,
    wanted: &T,
    app: &AppName,
    mirror: &Mirror,
    is_wanted_by: impl Fn(&AppName) -> bool,
) -> Standing<'a, T> {
    let Some(stored) = at.and_then(|at| at.value.as_ref()) else {
        return match at {
            Some(at) if at.unreadable => Standing::Unreadable,
            _ => Standing::Differs(wanted.clone()),
        };
    };
    let is_foreign = match stored.owner() {
        Owner::App(other) if other == app => false,
        // Left over from an application that asks for it no more.
        Owner::App(other) => is_wanted_by(other) || mirror.is_unreadable(other),
        Owner::Manual | Owner::Session => true,
    };
    if is_foreign {
        return Standing::Foreign(stored.owner());
    }
    let mut next = wanted.clone();
    next.unknown().clone_from(stored.clone().unknown());
    if next == *stored { Standing::Stored } else { Standing::Differs(next) }
}
