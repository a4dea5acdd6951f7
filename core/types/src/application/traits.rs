//! What the traits of one component say, taken together.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::links::{self, WrittenLink};
use super::{INSTANCES_MAX, Scaler, ScalerKind, Spread, disconnect, instances, limits};
use crate::manifest::{Component, Error, Trait};
use crate::{HttpRoute, InstancePolicy, InterfaceName, Messaging, SpecLimits, SubjectPattern};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScalerProperties {
    #[serde(alias = "replicas")]
    instances: u32,
    #[serde(default)]
    spread: Vec<Spread>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundProperties {
    hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagingProperties {
    #[serde(default)]
    subscribe: Vec<SubjectPattern>,
    #[serde(default)]
    publish: Vec<SubjectPattern>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryProperties {
    /// Interfaces whose calls may be repeated even if it is unknown what became of them.
    idempotent: Vec<InterfaceName>,
}

#[derive(Default)]
pub(super) struct Traits {
    pub(super) scaler: Option<Scaler>,
    pub(super) routes: Vec<HttpRoute>,
    pub(super) limits: SpecLimits,
    pub(super) outbound: Vec<String>,
    pub(super) messaging: Messaging,
    pub(super) instances: Option<InstancePolicy>,
    pub(super) lost_after_ms: Option<u64>,
    pub(super) links: Vec<WrittenLink>,
    /// Paths of interfaces, each of which is linked.
    pub(super) idempotent: BTreeSet<String>,
}

impl Traits {
    pub(super) fn read(component: &Component) -> Result<Self, Error> {
        let mut traits = Self::default();
        for written in &component.traits {
            traits.add(written)?;
        }
        // Links may stand behind it.
        for written in component.traits.iter().filter(|written| written.kind == "retry") {
            traits.retry(written)?;
        }
        Ok(traits)
    }

    fn add(&mut self, written: &Trait) -> Result<(), Error> {
        match written.kind.as_str() {
            "spreadscaler" => self.scale(ScalerKind::Spread, written)?,
            "daemonscaler" => self.scale(ScalerKind::Daemon, written)?,
            "http" => {
                let route: HttpRoute = properties(written)?;
                let route = route.normalised().map_err(|error| wrong(written, error))?;
                push_new(written, "route", &mut self.routes, [route])?;
            }
            "limits" => {
                refuse_second(written, self.limits != SpecLimits::default())?;
                self.limits = limits::read(written)?;
            }
            "instances" => {
                refuse_second(written, self.instances.is_some())?;
                self.instances = Some(instances::read(written)?);
            }
            "disconnect" => {
                refuse_second(written, self.lost_after_ms.is_some())?;
                self.lost_after_ms = Some(disconnect::read(written)?);
            }
            "outbound" => {
                let OutboundProperties { hosts } = properties(written)?;
                self.outbound.extend(hosts);
            }
            "messaging" => {
                let MessagingProperties { subscribe, publish } = properties(written)?;
                push_new(written, "subscribe", &mut self.messaging.subscribe, subscribe)?;
                push_new(written, "publish", &mut self.messaging.publish, publish)?;
            }
            "link" => self.links.push(links::written(written)?),
            // `retry` is read behind the others; traits of other tools are theirs to read.
            _ => {}
        }
        Ok(())
    }

    fn scale(&mut self, kind: ScalerKind, written: &Trait) -> Result<(), Error> {
        let ScalerProperties { instances, spread } = properties(written)?;
        if INSTANCES_MAX < instances {
            let message = format!("{instances} instances; at most {INSTANCES_MAX} are possible");
            return Err(wrong(written, message));
        }
        if self.scaler.is_some() {
            return Err(wrong(written, "a component has one scaler, this is the second"));
        }
        let mut names = BTreeSet::new();
        for share in &spread {
            if !names.insert(&share.name) {
                return Err(wrong(written, format!("spread {:?} is there twice", share.name)));
            }
        }
        if !spread.is_empty() && spread.iter().all(|share| share.weight == 0) {
            return Err(wrong(written, "all weights are 0, so no spread gets an instance"));
        }
        self.scaler = Some(Scaler { kind, instances, spread });
        Ok(())
    }

    fn retry(&mut self, written: &Trait) -> Result<(), Error> {
        let RetryProperties { idempotent } = properties(written)?;
        for interface in idempotent {
            if interface.version().is_some() {
                let message = format!("links have no version; write {}", interface.path());
                return Err(wrong(written, message));
            }
            if !self.links.iter().any(|link| link.leads(interface.path())) {
                return Err(wrong(written, format!("{interface} has no link trait")));
            }
            self.idempotent.insert(interface.path().to_owned());
        }
        Ok(())
    }
}

/// An error of one trait, with its place.
pub(super) fn wrong(written: &Trait, message: impl std::fmt::Display) -> Error {
    Error::new(written.properties.at, format!("trait {}: {message}", written.kind))
}

pub(super) fn properties<T: DeserializeOwned>(written: &Trait) -> Result<T, Error> {
    serde_json::from_value(written.properties.value.clone()).map_err(|error| wrong(written, error))
}

/// Of two traits of one kind, where there can be only one.
fn refuse_second(written: &Trait, is_second: bool) -> Result<(), Error> {
    if is_second {
        let message = format!("a component has one trait {}, this is the second", written.kind);
        return Err(wrong(written, message));
    }
    Ok(())
}

/// Adds what is not there yet; writing it twice is a slip of the pen.
fn push_new<T: PartialEq + std::fmt::Display>(
    written: &Trait,
    what: &str,
    list: &mut Vec<T>,
    more: impl IntoIterator<Item = T>,
) -> Result<(), Error> {
    for one in more {
        if list.contains(&one) {
            return Err(wrong(written, format!("{what} {one} is there twice")));
        }
        list.push(one);
    }
    Ok(())
}
