//! What an actor may take on one host, and what it takes: asked of a host, never stored.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stored::VERSION;
use crate::{ActorId, HostId, InstancePolicy, Load, SpecHash, Unit};

/// Asks a host what one actor may and does there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsRequest {
    pub v: u8,
    pub actor: ActorId,
}

impl LimitsRequest {
    pub const fn new(actor: ActorId) -> Self {
        Self { v: VERSION, actor }
    }
}

/// What one host says of an actor; no runs where it does not run there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsReport {
    pub v: u8,
    pub host: HostId,
    /// Usually one; two while a revision replaces another.
    pub runs: Vec<RunReport>,
}

/// One revision of an actor on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    pub spec: SpecHash,
    /// Whether calls go to it. If not, it finishes what is in flight.
    pub serving: bool,
    pub instances: InstancePolicy,
    pub limits: Vec<LimitReport>,
    pub usage: UsageReport,
}

/// One bound of an actor, as a host grants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReport {
    /// As [`Limit::name`](crate::Limit::name); text, because a newer host may know more.
    pub name: String,
    pub unit: Unit,
    pub value: u64,
    /// What this host grants at most.
    pub max: u64,
    pub source: LimitSource,
}

/// Who set a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitSource {
    /// The actor's manifest.
    Manifest,
    /// The host, which grants less than the default.
    HostCap,
    /// Nobody; also what a newer version says.
    #[serde(other)]
    Default,
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "manifest",
            Self::HostCap => "host cap",
            Self::Default => "default",
        })
    }
}

/// What one run takes now, and what it took since it was started.
///
/// Read from counters one after another while calls go on, so sums may be off by those.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageReport {
    /// Calls that run or wait now, and how many may run.
    pub load: Load,
    pub calls: CallCounts,
    /// Linear memory of all its instances now, in bytes.
    pub memory_bytes: u64,
    /// The most that one instance had, in bytes.
    pub memory_bytes_peak: u64,
    /// Processor time of all its calls, the host's part included, in microseconds.
    pub processor_us: u64,
    /// Calls that ended because the guest did what it may not or gave up, by reason.
    pub traps: BTreeMap<String, u64>,
    pub instances: InstanceCounts,
}

/// Calls since the start of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallCounts {
    /// Admitted. Those of them that are in no other count are under way.
    pub begun: u64,
    pub done: u64,
    /// Those that trapped or missed their deadline included.
    pub failed: u64,
    /// Given up by their callers.
    pub abandoned: u64,
    /// Refused because the actor or the host ran as many as it may; never begun.
    pub refused: u64,
    /// Not ended by their deadline, or too late to be begun.
    pub late: u64,
}

/// Instances since the start of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceCounts {
    /// There now.
    pub live: u64,
    pub made: u64,
    /// Calls that an instance served after its first.
    pub reused: u64,
    /// Gone, by reason.
    pub retired: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PublicKey, Role, stored};

    #[test]
    fn what_a_host_says_is_read_back_also_with_less_and_more_in_it_than_is_known() {
        let run = RunReport {
            spec: crate::ActorSpec::hash_of(b"x"),
            serving: true,
            instances: InstancePolicy::Fresh,
            limits: vec![LimitReport {
                name: "memory".to_owned(),
                unit: Unit::Bytes,
                value: 1,
                max: 2,
                source: LimitSource::HostCap,
            }],
            usage: UsageReport { memory_bytes: 3, ..UsageReport::default() },
        };
        let host = PublicKey::new(Role::Server, [7; 32]).try_into().unwrap();
        let report = LimitsReport { v: VERSION, host, runs: vec![run] };
        let bytes = stored::encode(&report);
        assert_eq!(stored::decode::<LimitsReport>("limits", &bytes).unwrap(), report);

        let newer = rmp_serde::to_vec_named(&serde_json::json!({
            "memory_bytes": 3, "added-later": 1, "calls": {"begun": 4, "added": 2},
        }));
        let read: UsageReport = rmp_serde::from_slice(&newer.unwrap()).unwrap();
        assert_eq!((read.memory_bytes, read.calls.begun, read.calls.done), (3, 4, 0));
        let source = rmp_serde::to_vec_named("tenant").unwrap();
        let source: LimitSource = rmp_serde::from_slice(&source).unwrap();
        assert_eq!(source, LimitSource::Default);
    }
}
