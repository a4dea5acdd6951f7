//! The bounds that differ between actors: their names, what they count, and what is possible.
//!
//! A name is the same in a manifest, on a host's command line and in what people are shown. What
//! an actor gets that asks for nothing is for the engine to say; `docs/limits.md` has both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Unit;

/// A bound that a manifest may move and a host may cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Linear memory of one instance, all its memories together.
    Memory,
    /// From admission to the last byte of the answer.
    Execution,
    /// Calls at once, for each instance that is assigned.
    Concurrency,
    /// Core instances in one component instance.
    CoreInstances,
    Tables,
    Memories,
    /// Elements of one table.
    TableElements,
    /// Bytes from the guest to the host in one host call.
    Hostcall,
    /// Handles of the component model.
    Handles,
    /// Resources of the host: streams, requests, buckets, pollables.
    Resources,
    /// Random bytes at once.
    Random,
    /// Headers or trailers of one message, in memory.
    Headers,
    /// One write to the body of an answer or a request.
    BodyChunk,
    /// Requests to the outside under way at once.
    Outgoing,
    /// For the head of an outgoing answer and between two pieces of its body.
    OutgoingWait,
    /// Bytes that one call may log or print.
    LogPerCall,
    /// Bytes that all calls on one host together may log or print in a second.
    LogPerSecond,
    /// A key of a key-value store.
    Key,
    /// A value of a key-value store.
    Value,
    /// Entries of one batch.
    Batch,
    /// Keys and values of one batch together.
    BatchBytes,
    /// One operation of a key-value store.
    StoreWait,
    /// The body of a message.
    Message,
}

/// One NATS message of 1 MiB, less room for its headers.
const NATS_BODY_MAX: u64 = (1 << 20) - (4 << 10);

impl Limit {
    pub const ALL: [Self; 23] = [
        Self::Memory,
        Self::Execution,
        Self::Concurrency,
        Self::CoreInstances,
        Self::Tables,
        Self::Memories,
        Self::TableElements,
        Self::Hostcall,
        Self::Handles,
        Self::Resources,
        Self::Random,
        Self::Headers,
        Self::BodyChunk,
        Self::Outgoing,
        Self::OutgoingWait,
        Self::LogPerCall,
        Self::LogPerSecond,
        Self::Key,
        Self::Value,
        Self::Batch,
        Self::BatchBytes,
        Self::StoreWait,
        Self::Message,
    ];

    /// Name, unit, and the least and the most that any host grants.
    const fn row(self) -> (&'static str, Unit, u64, u64) {
        use Unit::{Bytes, Count, Time};
        match self {
            // Less than a page of linear memory runs nothing; more than this fits no slot of the
            // pool.
            Self::Memory => ("memory", Bytes, 64 << 10, 128 << 20),
            Self::Execution => ("execution", Time, 1, 30_000),
            Self::Concurrency => ("concurrency", Count, 1, 4_096),
            // The pool has room for so many in one component.
            Self::CoreInstances => ("core_instances", Count, 1, 64),
            Self::Tables => ("tables", Count, 1, 64),
            Self::Memories => ("memories", Count, 1, 32),
            Self::TableElements => ("table_elements", Count, 1, 20_000),
            // What is copied is in the host's memory once more.
            Self::Hostcall => ("hostcall", Bytes, 4 << 10, 16 << 20),
            Self::Handles => ("handles", Count, 16, 65_536),
            Self::Resources => ("resources", Count, 16, 16_384),
            // A guest seeds its maps with 16 bytes.
            Self::Random => ("random", Bytes, 64, 1 << 20),
            Self::Headers => ("headers", Bytes, 1 << 10, 256 << 10),
            Self::BodyChunk => ("body_chunk", Bytes, 4 << 10, 1 << 20),
            // As many connections as a host makes.
            Self::Outgoing => ("outgoing", Count, 0, 512),
            Self::OutgoingWait => ("outgoing_wait", Time, 1, 30_000),
            Self::LogPerCall => ("log_per_call", Bytes, 0, 16 << 20),
            Self::LogPerSecond => ("log_per_second", Bytes, 0, 16 << 20),
            Self::Key => ("key", Bytes, 1, 1 << 10),
            Self::Value => ("value", Bytes, 1, NATS_BODY_MAX),
            Self::Batch => ("batch", Count, 1, 1_000),
            Self::BatchBytes => ("batch_bytes", Bytes, 4 << 10, 16 << 20),
            Self::StoreWait => ("store_wait", Time, 1, 30_000),
            Self::Message => ("message", Bytes, 1, NATS_BODY_MAX),
        }
    }

    /// As manifests, `--cap` and `wattle get limits` call it.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    pub const fn unit(self) -> Unit {
        self.row().1
    }

    /// The least that any host grants.
    pub const fn min(self) -> u64 {
        self.row().2
    }

    /// The most that any host grants; what a host is told to grant may end earlier.
    pub const fn max(self) -> u64 {
        self.row().3
    }

    /// Reads a value as people write it, and refuses what no host grants.
    pub fn parse_value(self, raw: &str) -> Result<u64, String> {
        let value = self.unit().parse(raw).map_err(|error| error.to_string())?;
        self.check(value)
    }

    /// `value`, unless no host grants it.
    pub fn check(self, value: u64) -> Result<u64, String> {
        let (min, max) = (self.min(), self.max());
        if (min..=max).contains(&value) {
            return Ok(value);
        }
        let show = |value| self.unit().show(value);
        Err(format!("{} is not possible; hosts grant {} to {}", show(value), show(min), show(max)))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is the name of no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no limit {name:?}; there are {}", Limit::ALL.map(Limit::name).join(", "))]
pub struct UnknownLimit {
    pub name: String,
}

impl FromStr for Limit {
    type Err = UnknownLimit;

    fn from_str(raw: &str) -> Result<Self, UnknownLimit> {
        let known = Self::ALL.into_iter().find(|limit| limit.name() == raw);
        known.ok_or_else(|| UnknownLimit { name: raw.to_owned() })
    }
}

/// What an actor asks for; a host's own maximum still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecLimits {
    pub memory_bytes_max: Option<u64>,
    pub execution_ms_max: Option<u64>,
    /// Requests that one instance serves at once.
    pub concurrency: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_instances_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memories_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_elements_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostcall_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handles_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_chunk_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outgoing_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outgoing_wait_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes_per_call: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes_per_second: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_len_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_wait_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_bytes_max: Option<u64>,
}

impl SpecLimits {
    /// What is asked for, if anything is.
    pub fn get(mut self, limit: Limit) -> Option<u64> {
        *self.wish(limit)
    }

    pub fn set(&mut self, limit: Limit, value: u64) {
        *self.wish(limit) = Some(value);
    }

    fn wish(&mut self, limit: Limit) -> &mut Option<u64> {
        match limit {
            Limit::Memory => &mut self.memory_bytes_max,
            Limit::Execution => &mut self.execution_ms_max,
            Limit::Concurrency => &mut self.concurrency,
            Limit::CoreInstances => &mut self.core_instances_max,
            Limit::Tables => &mut self.tables_max,
            Limit::Memories => &mut self.memories_max,
            Limit::TableElements => &mut self.table_elements_max,
            Limit::Hostcall => &mut self.hostcall_bytes_max,
            Limit::Handles => &mut self.handles_max,
            Limit::Resources => &mut self.resources_max,
            Limit::Random => &mut self.random_bytes_max,
            Limit::Headers => &mut self.fields_bytes_max,
            Limit::BodyChunk => &mut self.body_chunk_bytes,
            Limit::Outgoing => &mut self.outgoing_max,
            Limit::OutgoingWait => &mut self.outgoing_wait_ms,
            Limit::LogPerCall => &mut self.log_bytes_per_call,
            Limit::LogPerSecond => &mut self.log_bytes_per_second,
            Limit::Key => &mut self.key_bytes_max,
            Limit::Value => &mut self.value_bytes_max,
            Limit::Batch => &mut self.batch_len_max,
            Limit::BatchBytes => &mut self.batch_bytes_max,
            Limit::StoreWait => &mut self.store_wait_ms,
            Limit::Message => &mut self.message_bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_by_its_name_and_names_are_told_where_there_is_none() {
        for limit in Limit::ALL {
            assert_eq!(limit.name().parse(), Ok(limit));
            assert!(limit.min() < limit.max(), "{limit}");
        }
        let error = "memmory".parse::<Limit>().unwrap_err().to_string();
        assert!(error.contains("memory, execution"), "{error}");
    }

    #[test]
    fn every_wish_is_kept_apart_from_the_others() {
        let mut limits = SpecLimits::default();
        for (n, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limits.get(limit), None, "{limit}");
            limits.set(limit, n as u64);
        }
        for (n, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limits.get(limit), Some(n as u64), "{limit}");
        }
    }

    #[test]
    fn what_no_host_grants_is_refused_with_what_is_possible() {
        assert_eq!(Limit::Memory.parse_value("96MiB"), Ok(96 << 20));
        assert_eq!(Limit::Outgoing.parse_value("0"), Ok(0));
        let cases = [
            (Limit::Memory, "1GiB", "1GiB is not possible; hosts grant 64KiB to 128MiB"),
            (Limit::Execution, "0s", "0ms is not possible; hosts grant 1ms to 30s"),
            (Limit::Memory, "64", "write a number with a unit"),
            (Limit::Handles, "4KiB", "is no number"),
        ];
        for (limit, raw, said) in cases {
            let error = limit.parse_value(raw).unwrap_err();
            assert!(error.contains(said), "{limit} {raw}: {error}");
        }
    }
}
