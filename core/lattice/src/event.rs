//! Events in the words of the wasmCloud 1.x clients: CloudEvents 1.0, JSON.
//!
//! Hints for people and other controllers: nothing of ours decides by them. wash and wadm wait
//! for them after a command, and compare reference, id, host and annotations for equality, so
//! these are always repeated exactly as the command gave them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wattle_types::HostId;

use crate::ctl::{self, Annotations, HostInventory, Link, LinkKey, PayloadError};

/// A heartbeat carries the whole inventory, so its bound is the server's usual one.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

const TYPE_PREFIX: &str = "com.wasmcloud.lattice.";

/// The names of events: the last token of the subject, and the end of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventName {
    ComponentScaled,
    ComponentScaleFailed,
    LinkdefSet,
    LinkdefSetFailed,
    LinkdefDeleted,
    ProviderStarted,
    ProviderStartFailed,
    ProviderStopped,
    ProviderStopFailed,
    HealthCheckPassed,
    HealthCheckFailed,
    HealthCheckStatus,
    ConfigSet,
    ConfigDeleted,
    LabelsChanged,
    HostStarted,
    HostStopped,
    HostHeartbeat,
}

impl EventName {
    pub const ALL: [Self; 18] = [
        Self::ComponentScaled,
        Self::ComponentScaleFailed,
        Self::LinkdefSet,
        Self::LinkdefSetFailed,
        Self::LinkdefDeleted,
        Self::ProviderStarted,
        Self::ProviderStartFailed,
        Self::ProviderStopped,
        Self::ProviderStopFailed,
        Self::HealthCheckPassed,
        Self::HealthCheckFailed,
        Self::HealthCheckStatus,
        Self::ConfigSet,
        Self::ConfigDeleted,
        Self::LabelsChanged,
        Self::HostStarted,
        Self::HostStopped,
        Self::HostHeartbeat,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ComponentScaled => "component_scaled",
            Self::ComponentScaleFailed => "component_scale_failed",
            Self::LinkdefSet => "linkdef_set",
            Self::LinkdefSetFailed => "linkdef_set_failed",
            Self::LinkdefDeleted => "linkdef_deleted",
            Self::ProviderStarted => "provider_started",
            Self::ProviderStartFailed => "provider_start_failed",
            Self::ProviderStopped => "provider_stopped",
            Self::ProviderStopFailed => "provider_stop_failed",
            Self::HealthCheckPassed => "health_check_passed",
            Self::HealthCheckFailed => "health_check_failed",
            Self::HealthCheckStatus => "health_check_status",
            Self::ConfigSet => "config_set",
            Self::ConfigDeleted => "config_deleted",
            Self::LabelsChanged => "labels_changed",
            Self::HostStarted => "host_started",
            Self::HostStopped => "host_stopped",
            Self::HostHeartbeat => "host_heartbeat",
        }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an event we know")]
pub struct UnknownEvent(pub String);

impl FromStr for EventName {
    type Err = UnknownEvent;

    fn from_str(raw: &str) -> Result<Self, UnknownEvent> {
        let known = Self::ALL.into_iter().find(|name| name.as_str() == raw);
        known.ok_or_else(|| UnknownEvent(raw.to_owned()))
    }
}

/// One event. `T` is [`EventData`], or one of its parts for who knows which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvent<T> {
    pub specversion: String,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// The host it is about; of `host_started` and `host_stopped` the only place that says so.
    pub source: HostId,
    pub datacontenttype: String,
    /// RFC 3339.
    pub time: String,
    pub data: T,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EventData {
    ComponentScaled(ComponentScaled),
    ComponentScaleFailed(ComponentScaleFailed),
    LinkdefSet(Link),
    LinkdefDeleted(LinkdefDeleted),
    ConfigSet(ConfigChanged),
    ConfigDeleted(ConfigChanged),
    LabelsChanged(LabelsChanged),
    HostStarted(HostStarted),
    HostStopped(HostStopped),
    HostHeartbeat(HostInventory),
}

impl EventData {
    pub const fn name(&self) -> EventName {
        match self {
            Self::ComponentScaled(_) => EventName::ComponentScaled,
            Self::ComponentScaleFailed(_) => EventName::ComponentScaleFailed,
            Self::LinkdefSet(_) => EventName::LinkdefSet,
            Self::LinkdefDeleted(_) => EventName::LinkdefDeleted,
            Self::ConfigSet(_) => EventName::ConfigSet,
            Self::ConfigDeleted(_) => EventName::ConfigDeleted,
            Self::LabelsChanged(_) => EventName::LabelsChanged,
            Self::HostStarted(_) => EventName::HostStarted,
            Self::HostStopped(_) => EventName::HostStopped,
            Self::HostHeartbeat(_) => EventName::HostHeartbeat,
        }
    }
}

impl CloudEvent<EventData> {
    /// An event of `source`, now.
    pub fn new(source: HostId, data: EventData, at: SystemTime) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: event_id(at, u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..))),
            kind: format!("{TYPE_PREFIX}{}", data.name()),
            source,
            datacontenttype: "application/json".to_owned(),
            time: rfc3339(at),
            data,
        }
    }

    pub fn encode(&self) -> bytes::Bytes {
        ctl::encode(self)
    }
}

impl<T: DeserializeOwned> CloudEvent<T> {
    /// Reads an event whose data is known to be `T`, by the subject it came to.
    pub fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        ctl::decode("an event", payload, EVENT_BYTES_MAX)
    }
}

/// A UUID whose first 48 bits are the milliseconds since 1970, so that events sort by time.
fn event_id(at: SystemTime, random: u128) -> String {
    let millis = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let bits = millis << 80 | random & ((1 << 80) - 1);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn rfc3339(at: SystemTime) -> String {
    let formatted = OffsetDateTime::from(at).format(&Rfc3339);
    formatted.expect("the clock is between the years 0 and 9999")
}

/// An actor has this many instances now; 0 if it ended, for whatever reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentScaled {
    /// Never absent: wadm cannot read the event without it.
    pub annotations: Annotations,
    pub host_id: HostId,
    pub image_ref: String,
    pub max_instances: u32,
    pub component_id: String,
    /// Of a signed component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ComponentClaims>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentScaleFailed {
    pub annotations: Annotations,
    pub host_id: HostId,
    pub image_ref: String,
    pub max_instances: u32,
    pub component_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ComponentClaims>,
    pub error: String,
}

/// What a component's signature says. All or nothing: wadm refuses half of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    pub issuer: String,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    pub name: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub revision: Option<i32>,
    pub not_before_human: String,
    pub expires_human: String,
}

/// Target and interfaces only if the link existed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkdefDeleted {
    #[serde(flatten)]
    pub key: LinkKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChanged {
    pub config_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsChanged {
    pub host_id: HostId,
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStarted {
    pub friendly_name: String,
    pub labels: BTreeMap<String, String>,
    pub uptime_seconds: u64,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStopped {
    pub labels: BTreeMap<String, String>,
}
