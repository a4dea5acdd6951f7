//! How an application is: derived from the newest plan and from what hosts report, so that what
//! people are told and what is done cannot differ.

mod links;
mod tally;

use std::cell::OnceCell;

use wattle_planner::{Plan, Unplaced};
use wattle_types::time::Millis;
use wattle_types::{
    ActorId, ActorReport, ActorSpec, AppComponent, AppHead, AppName, Part, ScalerKind, SpecHash,
};

use super::{AppStatus, ComponentStatus, LinkStatus, StatusKind};
use crate::fleet::{Fleet, Phase};
use crate::links::Wanted;
use crate::mirror::{Mirror, Stated};
use crate::reconcile::{Reconcile, Waits};
use links::Source;
use tally::Tally;

/// What a status is derived from.
pub(crate) struct View<'a> {
    mirror: &'a Mirror,
    fleet: &'a Fleet,
    /// None until the first one after taking over.
    plan: Option<&'a Plan>,
    /// Until when lost hosts are waited for, by that plan.
    waits: Option<(Millis, &'a Waits)>,
    /// Why nobody here can say how what is deployed is.
    unknown: Option<&'a str>,
    /// Gathered when the first link is looked at.
    wanted: OnceCell<Wanted<'a>>,
}

impl<'a> View<'a> {
    /// Of the leader, at `now`.
    pub(crate) fn new(
        now: Millis,
        mirror: &'a Mirror,
        fleet: &'a Fleet,
        reconcile: &'a Reconcile,
    ) -> Self {
        let (plan, waits) = (reconcile.plan(), Some((now, reconcile.waits())));
        Self { mirror, fleet, plan, waits, unknown: None, wanted: OnceCell::new() }
    }

    /// Of one who does not lead, and says why the leader was not asked.
    pub(crate) fn without_lead(mirror: &'a Mirror, fleet: &'a Fleet, unknown: &'a str) -> Self {
        let (plan, waits, unknown) = (None, None, Some(unknown));
        Self { mirror, fleet, plan, waits, unknown, wanted: OnceCell::new() }
    }

    pub(crate) const fn fleet(&self) -> &'a Fleet {
        self.fleet
    }

    fn wanted(&self) -> &Wanted<'a> {
        self.wanted.get_or_init(|| Wanted::of(self.mirror))
    }

    pub(crate) fn status(&self, head: &AppHead) -> AppStatus {
        let shown = head.deployed.and_then(|revision| head.by_revision(revision));
        let version = shown.or(head.latest()).map(|of| of.version.clone()).unwrap_or_default();
        let Some(stated) = self.mirror.deployed(head) else {
            let (kind, message) = match head.deployed {
                None => (StatusKind::Undeployed, self.still_stopping(head)),
                Some(_) => {
                    let message =
                        "its stored manifest is unreadable; what runs of it is left alone";
                    (StatusKind::Failed, message.to_owned())
                }
            };
            return AppStatus { kind, message, version, components: Vec::new() };
        };
        if let Some(why) = self.unknown {
            let (kind, message) = (StatusKind::Waiting, why.to_owned());
            return AppStatus { kind, message, version, components: Vec::new() };
        }
        let components = &stated.application.components;
        let components: Vec<ComponentStatus> =
            components.iter().map(|part| self.component(part, &head.name, stated)).collect();
        let kind = components.iter().map(|component| component.kind).min();
        let said = components.iter().filter(|component| !component.message.is_empty());
        let said: Vec<String> =
            said.map(|component| format!("{}: {}", component.name, component.message)).collect();
        let kind = kind.unwrap_or(StatusKind::Deployed);
        AppStatus { kind, message: said.join("; "), version, components }
    }

    fn still_stopping(&self, head: &AppHead) -> String {
        let ours = |report: &&ActorReport| matches!(&report.owner, wattle_types::Owner::App(app) if *app == head.name);
        let running: u32 = self
            .fleet
            .hosts()
            .values()
            .filter(|host| host.phase == Phase::Alive)
            .filter_map(|host| host.inventory.as_ref())
            .map(|inventory| {
                inventory.actors.iter().filter(ours).map(|report| report.count).sum::<u32>()
            })
            .sum();
        if running == 0 { String::new() } else { format!("{running} instances are still ending") }
    }

    fn component(
        &self,
        component: &AppComponent,
        app: &AppName,
        stated: &Stated,
    ) -> ComponentStatus {
        let id = &component.id;
        let (mut links, mut missing) = (Vec::new(), None);
        let (tally, mut kind, message) = match (&component.part, stated.specs.get(id)) {
            (Part::Unsupported(reason), _) => {
                (Tally::default(), StatusKind::Failed, reason.clone())
            }
            (Part::Actor(_), None) => {
                (Tally::default(), StatusKind::Failed, "it has no spec".to_owned())
            }
            (Part::Actor(_), Some(spec)) => {
                let source = Source { app, stated, id, spec: *spec };
                let (records, unlinked) = (&component.links, &component.unlinked);
                links = self.links(&source, records, unlinked);
                missing = self.missing_links(&source, records, unlinked);
                self.actor(id, *spec)
            }
        };
        let mut said = Vec::from_iter(Some(message).filter(|message| !message.is_empty()));
        if let Part::Actor(spec) = &component.part
            && let Some(missing) = self.missing_config(spec)
        {
            kind = kind.min(StatusKind::Waiting);
            said.push(missing);
        }
        // A component that cannot call what it is linked to, or what it imports, is not what was
        // asked for.
        kind = links.iter().map(|link| link.kind).fold(kind, StatusKind::min);
        said.extend(links.iter().filter_map(LinkStatus::said));
        if let Some(missing) = missing {
            kind = kind.min(StatusKind::Failed);
            said.push(missing);
        }
        ComponentStatus {
            name: component.name.clone(),
            id: id.clone(),
            kind,
            message: said.join("; "),
            scaler: component.scaler.kind,
            instances: component.scaler.instances,
            hosts: tally.hosts,
            ready: tally.ready,
            links,
        }
    }

    /// Configuration that the actor refers to and that nobody has put.
    fn missing_config(&self, spec: &ActorSpec) -> Option<String> {
        let configs = &self.mirror.configs;
        let is_there = |name| configs.get(name).is_some_and(|at| at.value.is_some());
        let missing: Vec<&str> = spec
            .config_from
            .iter()
            .filter(|name| !is_there(*name))
            .map(|name| name.as_str())
            .collect();
        (!missing.is_empty()).then(|| {
            format!("there is no configuration {}; put it into the lattice", missing.join(", "))
        })
    }

    fn actor(&self, id: &ActorId, spec: SpecHash) -> (Tally, StatusKind, String) {
        let Some(plan) = self.plan else {
            let message = "the controller has only just begun to lead".to_owned();
            return (Tally::default(), StatusKind::Reconciling, message);
        };
        let tally = self.tally(plan, id, spec);
        let unplaced = plan.unplaced.get(id);
        let planned = unplaced.is_some() || !tally.hosts.is_empty();
        let kind = if !tally.failures.is_empty() {
            StatusKind::Failed
        } else if unplaced.is_some() || !tally.awaited.is_empty() {
            StatusKind::Waiting
        } else if !tally.pending.is_empty() {
            StatusKind::Reconciling
        } else {
            StatusKind::Deployed
        };
        let mut said = tally.failures.clone();
        said.extend(unplaced.map(Unplaced::to_string));
        said.extend(tally.awaited.iter().cloned());
        // Progress is of interest only while nothing is wrong.
        if said.is_empty() {
            said.extend(tally.pending.iter().cloned());
        }
        if !planned && !self.wants_none(id) {
            return (tally, StatusKind::Reconciling, "to be placed".to_owned());
        }
        (tally, kind, said.join("; "))
    }

    /// Whether nothing is what was asked for.
    fn wants_none(&self, id: &ActorId) -> bool {
        let heads = self.mirror.heads.values().filter_map(|at| at.value.as_ref());
        let mut components = heads
            .filter_map(|head| self.mirror.deployed(head))
            .flat_map(|stated| &stated.application.components);
        let none = |part: &AppComponent| {
            part.id == *id && (part.scaler.instances == 0 || part.scaler.kind == ScalerKind::Daemon)
        };
        components.any(none)
    }
}
