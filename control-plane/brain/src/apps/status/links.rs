//! How the links of a component are: the worst of what the store and its hosts say. And which it
//! lacks.

use std::collections::{BTreeMap, BTreeSet};

use wattle_planner::Plan;
use wattle_types::{
    ActorId, ActorReport, ActorState, AppName, ComponentName, InterfaceName, LinkName, LinkRecord,
    LinkState, Owner, SpecHash, Unlinked, Why,
};

use super::View;
use crate::apps::{LinkStatus, StatusKind};
use crate::fleet::{Host, Phase};
use crate::links::{Standing, configs_of};
use crate::mirror::Stated;

/// An actor in the revision that is deployed.
pub(super) struct Source<'a> {
    pub(super) app: &'a AppName,
    pub(super) stated: &'a Stated,
    pub(super) id: &'a ActorId,
    pub(super) spec: SpecHash,
}

impl View<'_> {
    /// One status per interface, those without a record last.
    pub(super) fn links(
        &self,
        source: &Source<'_>,
        records: &[LinkRecord],
        unlinked: &[Unlinked],
    ) -> Vec<LinkStatus> {
        let mut all = Vec::new();
        for record in records {
            let stored = self.stored(source, record);
            for target in &record.targets {
                for interface in &target.interfaces {
                    let (namespace, package) = (&record.namespace, &record.package);
                    let interface = InterfaceName::new(namespace, package, interface, None);
                    let (kind, message) = stored.clone().unwrap_or_else(|| {
                        self.on_hosts(source, &interface, &record.name, &target.target)
                    });
                    let (name, target) =
                        (record.name.clone(), name_of(&target.target, source.stated));
                    all.push(LinkStatus { interface, name, target, kind, message });
                }
            }
        }
        all.extend(unlinked.iter().map(without_record));
        all
    }

    /// What is wrong with the record, so that what hosts say is of no interest.
    fn stored(&self, source: &Source<'_>, record: &LinkRecord) -> Option<(StatusKind, String)> {
        let wanted = self.wanted();
        let standing = wanted.link(source.app, record, self.mirror);
        let standing = say(&standing, "the link");
        let referred = configs_of(record);
        let configs = &source.stated.application.configs;
        let mut configs = configs.iter().filter(|config| referred.contains(&config.name));
        standing.or_else(|| {
            configs.find_map(|config| {
                let standing = wanted.config(source.app, config, self.mirror);
                say(&standing, &format!("configuration {}", config.name))
            })
        })
    }

    /// What the hosts report that run the source. One that does not run it yet says so elsewhere.
    fn on_hosts(
        &self,
        source: &Source<'_>,
        interface: &InterfaceName,
        name: &LinkName,
        target: &ActorId,
    ) -> (StatusKind, String) {
        let mut worst = StatusKind::Deployed;
        let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (host, report) in self.reports(source) {
            let of_this = report.links.iter().filter(|report| {
                report.interface.path() == interface.path()
                    && (&report.name, &report.target) == (name, target)
            });
            let states: Vec<_> = of_this.map(|report| judged(&report.state)).collect();
            let waits = || (StatusKind::Waiting, "not reported yet".to_owned());
            let (kind, why) = states.into_iter().min().unwrap_or_else(waits);
            if kind != StatusKind::Deployed {
                said.entry(why).or_default().push(host);
            }
            worst = worst.min(kind);
        }
        (worst, joined(&said))
    }

    /// What hosts find to have no link, and why that is wrong. Not what the manifest links: before
    /// its record is stored there is none, and its own status says so.
    pub(super) fn missing_links(
        &self,
        source: &Source<'_>,
        records: &[LinkRecord],
        unlinked: &[Unlinked],
    ) -> Option<String> {
        let is_stated = |path: &str| {
            let mut recorded = records.iter().flat_map(|record| {
                let interfaces = record.targets.iter().flat_map(|target| &target.interfaces);
                interfaces.map(|interface| record.path(interface))
            });
            recorded.any(|recorded| recorded == path)
                || unlinked.iter().any(|unlinked| unlinked.interface.path() == path)
        };
        let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (host, report) in self.reports(source) {
            let missing = report.missing_links.iter();
            let missing = missing.filter(|missing| !is_stated(missing.interface.path()));
            let whys: BTreeSet<&String> = missing.map(|missing| &missing.why).collect();
            for why in whys {
                said.entry(why.clone()).or_default().push(host);
            }
        }
        (!said.is_empty()).then(|| joined(&said))
    }

    /// What each host says of a source that is ready there.
    fn reports(&self, source: &Source<'_>) -> Vec<(&str, &ActorReport)> {
        let placed = |plan: &'_ &Plan, host, target: &BTreeMap<_, _>| {
            target.contains_key(source.id) && !plan.leaves(host, source.id)
        };
        let planned = self.plan.iter().flat_map(|plan| {
            plan.target.iter().filter(move |(host, target)| placed(plan, host, target))
        });
        let host = |id| {
            let host: &Host = self.fleet.hosts().get(id)?;
            let inventory = host.inventory.as_deref().filter(|_| host.phase == Phase::Alive)?;
            let report = inventory.actors.iter().find(|report| {
                (&report.id, report.spec) == (source.id, source.spec)
                    && report.state == ActorState::Ready
            })?;
            Some((inventory.name.as_str(), report))
        };
        planned.filter_map(|(id, _)| host(id)).collect()
    }
}

/// Each reason once, with the hosts that give it.
fn joined(said: &BTreeMap<String, Vec<&str>>) -> String {
    let said = said.iter().map(|(why, hosts)| format!("{why} (host {})", hosts.join(", ")));
    said.collect::<Vec<_>>().join("; ")
}

fn judged(state: &LinkState) -> (StatusKind, String) {
    match state {
        LinkState::Failed { why } => (StatusKind::Failed, why.clone()),
        LinkState::Waiting { why } => (StatusKind::Waiting, why.clone()),
        LinkState::Bound => (StatusKind::Deployed, String::new()),
    }
}

fn without_record(unlinked: &Unlinked) -> LinkStatus {
    let (kind, message) = match &unlinked.why {
        Why::BuiltIn => (StatusKind::Deployed, "built into every host".to_owned()),
        Why::Impossible(why) => (StatusKind::Failed, why.clone()),
    };
    LinkStatus {
        interface: unlinked.interface.clone(),
        name: unlinked.name.clone(),
        target: unlinked.target.clone(),
        kind,
        message,
    }
}

/// None if it is stored as it should be.
fn say<T>(standing: &Standing<'_, T>, what: &str) -> Option<(StatusKind, String)> {
    match standing {
        Standing::Stored => None,
        Standing::Differs(_) => Some((StatusKind::Reconciling, format!("{what} is to be stored"))),
        Standing::Foreign(owner) => {
            let owner = match owner {
                Owner::App(app) => format!("application {app}"),
                Owner::Manual => "a person, who put it by hand".to_owned(),
                Owner::Session => "another manager's session".to_owned(),
            };
            let message = format!("{what} belongs to {owner}; delete it there to have it deployed");
            Some((StatusKind::Failed, message))
        }
        Standing::Unreadable => {
            Some((StatusKind::Failed, format!("{what} is stored in a form that cannot be read")))
        }
    }
}

/// What the manifest calls a target.
fn name_of(target: &ActorId, stated: &Stated) -> ComponentName {
    let components = &stated.application.components;
    let named = components.iter().find(|component| component.id == *target);
    named.map_or_else(|| target.token().clone().into(), |component| component.name.clone())
}

impl LinkStatus {
    /// For people: what is linked to what.
    pub(super) fn said(&self) -> Option<String> {
        let Self { interface, target, message, .. } = self;
        (self.kind != StatusKind::Deployed)
            .then(|| format!("link {interface} to {target}: {message}"))
    }
}

#[cfg(test)]
mod tests;
