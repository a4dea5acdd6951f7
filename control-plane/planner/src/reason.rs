//! Why something is not placed, in terms a person can act on.

use std::fmt;

use wattle_types::{HostId, Labels, Scaler, ScalerKind};

use crate::groups::Group;
use crate::input::{HostStatus, HostView, Observed};

/// Instances of one actor that run nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    pub missing: u32,
    /// At least one.
    pub reasons: Vec<Reason>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The lattice has no host.
    NoHost,
    /// Hosts there are, but none has these labels.
    NoMatch {
        spread: String,
        /// Those that not even one host has; all of them when only the combination is missing.
        lacking: Labels,
        /// Each host by name, with its value of the first of `lacking`.
        hosts: Vec<(String, Option<String>)>,
    },
    /// Hosts with the labels there are, but each has a reason of its own.
    NoRoom { spread: String, missing: u32, hosts: Vec<(String, Why)> },
    /// This version does not run such a part.
    Unsupported(String),
}

/// Why a host that matches does not take more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// All of so many places are taken.
    Full(u32),
    Suspect,
    Draining,
    Lost,
}

/// The reasons for `missing` (one number per group), or none when nothing is.
pub(crate) fn why(
    scaler: &Scaler,
    groups: &[Group],
    missing: &[u32],
    observed: &Observed,
) -> Option<Unplaced> {
    if scaler.kind == ScalerKind::Daemon && groups.is_empty() && 0 < scaler.instances {
        // Every spread is short of hosts; the first one stands for all.
        let reasons = vec![explain(scaler, scaler.spread.first().map(|_| 0), 0, None, observed)];
        return Some(Unplaced { missing: scaler.instances, reasons });
    }
    let short = groups.iter().zip(missing).filter(|(_, missing)| 0 < **missing);
    let mut total = 0u32;
    let mut reasons = Vec::new();
    for (group, &missing) in short {
        total = total.saturating_add(missing);
        let only = (scaler.kind == ScalerKind::Daemon).then_some(group);
        reasons.push(explain(scaler, group.spread, missing, only, observed));
    }
    (0 < total).then_some(Unplaced { missing: total, reasons })
}

fn explain(
    scaler: &Scaler,
    spread: Option<usize>,
    missing: u32,
    only: Option<&Group>,
    observed: &Observed,
) -> Reason {
    let nothing = Labels::new();
    let entry = spread.map(|index| &scaler.spread[index]);
    let requirements = entry.map_or(&nothing, |entry| &entry.requirements);
    let spread = entry.map(|entry| entry.name.clone()).unwrap_or_default();
    let known: Vec<(usize, &HostId, &HostView)> = observed
        .iter()
        .enumerate()
        .filter(|(_, (_, host))| host.about.is_some())
        .map(|(index, (id, host))| (index, id, host))
        .collect();
    if known.is_empty() {
        return Reason::NoHost;
    }
    let hosts: Vec<(String, Why)> = known
        .iter()
        .filter(|(index, _, host)| {
            only.is_none_or(|group| group.hosts.contains(index)) && host.satisfies(requirements)
        })
        .map(|(_, id, host)| (name(id, host), why_not(host)))
        .collect();
    if !hosts.is_empty() {
        return Reason::NoRoom { spread, missing, hosts };
    }
    let has = |key: &str, value: &str| {
        let mut labels = known.iter().filter_map(|(_, _, host)| host.about.as_ref());
        labels.any(|about| about.labels.get(key).is_some_and(|found| found == value))
    };
    let mut lacking = requirements.clone();
    lacking.retain(|key, value| !has(key, value));
    if lacking.is_empty() {
        lacking.clone_from(requirements);
    }
    let first = lacking.keys().next();
    let value =
        |host: &HostView| first.and_then(|key| host.about.as_ref()?.labels.get(key).cloned());
    let hosts = known.iter().map(|(_, id, host)| (name(id, host), value(host))).collect();
    Reason::NoMatch { spread, lacking, hosts }
}

fn why_not(host: &HostView) -> Why {
    match host.status {
        HostStatus::Ready => Why::Full(host.room()),
        HostStatus::Suspect => Why::Suspect,
        HostStatus::Draining => Why::Draining,
        HostStatus::Lost => Why::Lost,
    }
}

/// What people call the host; its id where they did not name it.
fn name(id: &HostId, host: &HostView) -> String {
    let name = host.about.as_ref().map(|about| about.name.clone());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string())
}

/// More names than these help nobody to find out what is wrong.
const HOSTS_NAMED_MAX: usize = 5;

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reason) in self.reasons.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("no host has joined the lattice; start one"),
            Self::NoMatch { spread, lacking, hosts } => {
                f.write_str("no host has ")?;
                list(f, lacking.iter().map(|(key, value)| format!("{key}={value}")), " and ")?;
                of_spread(f, spread)?;
                let first = lacking.keys().next().map_or("", String::as_str);
                f.write_str(": ")?;
                let host = |(name, value): &(String, Option<String>)| match value {
                    Some(value) => format!("{name} has {first}={value}"),
                    None => format!("{name} has no {first}"),
                };
                some(f, hosts.len(), hosts.iter().map(host))
            }
            Self::NoRoom { spread, missing, hosts } => {
                write!(f, "no room for {missing} more")?;
                of_spread(f, spread)?;
                f.write_str(": ")?;
                some(f, hosts.len(), hosts.iter().map(|(name, why)| format!("{name} {why}")))
            }
            Self::Unsupported(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(0) => f.write_str("takes no instances"),
            Self::Full(capacity) => write!(f, "is full (room for {capacity})"),
            Self::Suspect => f.write_str("is silent"),
            Self::Draining => f.write_str("is draining"),
            Self::Lost => f.write_str("is lost"),
        }
    }
}

fn of_spread(f: &mut fmt::Formatter<'_>, spread: &str) -> fmt::Result {
    if spread.is_empty() { Ok(()) } else { write!(f, " (spread {spread})") }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = String>,
    separator: &str,
) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if 0 < index {
            f.write_str(separator)?;
        }
        f.write_str(&item)?;
    }
    Ok(())
}

fn some(
    f: &mut fmt::Formatter<'_>,
    len: usize,
    items: impl Iterator<Item = String>,
) -> fmt::Result {
    list(f, items.take(HOSTS_NAMED_MAX), ", ")?;
    match len.checked_sub(HOSTS_NAMED_MAX) {
        Some(more) if 0 < more => write!(f, " and {more} more"),
        _ => Ok(()),
    }
}
