//! What an actor may take on this host: what its spec asks for, within the host's caps, and the
//! defaults for what it does not say.
//!
//! A wish that is too large is refused and not cut down: an actor that got less than it needs
//! would fail later, under load, and with a worse reason.

use std::collections::BTreeMap;
use std::time::Duration;

use wattle_capability::{keyvalue, messaging};
use wattle_types::{Limit, LimitReport, LimitSource, SpecLimits};

use crate::limits;

/// What the calls of one actor may take; [`Limit`] says what each bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorLimits {
    /// Linear memory of one instance, in bytes, all its memories together.
    pub memory_bytes_max: usize,
    /// From admission to the last byte of the answer; a caller's deadline can only shorten it.
    pub execution_max: Duration,
    /// Calls at once, for each instance of an assignment.
    pub concurrency: u32,
    /// Core instances in one component instance.
    pub instances_max: usize,
    pub tables_max: usize,
    pub memories_max: usize,
    /// Of one table.
    pub table_elements_max: usize,
    /// From the guest to the host in one host call.
    pub hostcall_bytes_max: usize,
    /// Of the component model.
    pub handles_max: usize,
    /// Of the host.
    pub resources_max: usize,
    pub random_bytes_max: u64,
    /// Headers or trailers of one message.
    pub fields_bytes_max: usize,
    pub body_chunk_bytes: usize,
    /// Requests to the outside under way at once on this host.
    pub outgoing_max: u32,
    /// For the head of an outgoing answer and between two pieces of its body, where the guest does
    /// not ask for another.
    pub outgoing_wait: Duration,
    pub log_bytes_per_call: usize,
    /// Over all its calls on this host.
    pub log_bytes_per_second: usize,
    pub keyvalue: keyvalue::Limits,
    /// How long one operation of a store may take.
    pub keyvalue_wait: Duration,
    pub messaging: messaging::Limits,
}

/// What a host grants at most where that is less than what is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps(BTreeMap<Limit, u64>);

/// A limit of a spec that this host does not grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it asks for {limit} = {}, and this host grants {} to {}",
    limit.unit().show(*wanted), limit.unit().show(*min), limit.unit().show(*max)
)]
pub struct LimitError {
    pub limit: Limit,
    pub wanted: u64,
    pub min: u64,
    pub max: u64,
}

impl LimitError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help.
    pub fn code(&self) -> &'static str {
        "WT-ENGINE-LIMIT"
    }
}

impl Caps {
    /// From now on no actor gets more than `max` of `limit`.
    ///
    /// # Errors
    ///
    /// In words, if `max` is not a value the limit can have.
    pub fn set(&mut self, limit: Limit, max: u64) -> Result<(), String> {
        self.0.insert(limit, limit.check(max)?);
        Ok(())
    }

    /// What is granted at most.
    pub fn max(&self, limit: Limit) -> u64 {
        self.0.get(&limit).copied().unwrap_or(limit.max())
    }

    /// What an actor gets that asks for `wanted`, or for nothing.
    fn grant(&self, limit: Limit, wanted: Option<u64>) -> Result<(u64, LimitSource), LimitError> {
        let (min, max, default) = (limit.min(), self.max(limit), limits::default_of(limit));
        match wanted {
            Some(wanted) if (min..=max).contains(&wanted) => Ok((wanted, LimitSource::Manifest)),
            Some(wanted) => Err(LimitError { limit, wanted, min, max }),
            None if max < default => Ok((max, LimitSource::HostCap)),
            None => Ok((default, LimitSource::Default)),
        }
    }

    /// Every limit of an actor that asks for `wanted`, for people.
    ///
    /// # Errors
    ///
    /// As of [`ActorLimits::grant`]: an actor that runs was granted them.
    pub fn report(&self, wanted: &SpecLimits) -> Result<Vec<LimitReport>, LimitError> {
        let row = |limit: Limit| {
            let (value, source) = self.grant(limit, wanted.get(limit))?;
            let (name, unit, max) = (limit.name().to_owned(), limit.unit(), self.max(limit));
            Ok(LimitReport { name, unit, value, max, source })
        };
        Limit::ALL.into_iter().map(row).collect()
    }
}

impl ActorLimits {
    /// What an actor gets on a host with these caps.
    ///
    /// # Errors
    ///
    /// [`LimitError`] names the first wish that is not granted.
    pub fn grant(wanted: &SpecLimits, caps: &Caps) -> Result<Self, LimitError> {
        let get = |limit| caps.grant(limit, wanted.get(limit)).map(|(value, _)| value);
        // Every limit fits: on a smaller machine than one of 64 bits the pool would not.
        let bytes = |limit| get(limit).map(|value| value as usize);
        let count = |limit| get(limit).map(|value| value as u32);
        let time = |limit| get(limit).map(Duration::from_millis);
        Ok(Self {
            memory_bytes_max: bytes(Limit::Memory)?,
            execution_max: time(Limit::Execution)?,
            concurrency: count(Limit::Concurrency)?,
            instances_max: bytes(Limit::CoreInstances)?,
            tables_max: bytes(Limit::Tables)?,
            memories_max: bytes(Limit::Memories)?,
            table_elements_max: bytes(Limit::TableElements)?,
            hostcall_bytes_max: bytes(Limit::Hostcall)?,
            handles_max: bytes(Limit::Handles)?,
            resources_max: bytes(Limit::Resources)?,
            random_bytes_max: get(Limit::Random)?,
            fields_bytes_max: bytes(Limit::Headers)?,
            body_chunk_bytes: bytes(Limit::BodyChunk)?,
            outgoing_max: count(Limit::Outgoing)?,
            outgoing_wait: time(Limit::OutgoingWait)?,
            log_bytes_per_call: bytes(Limit::LogPerCall)?,
            log_bytes_per_second: bytes(Limit::LogPerSecond)?,
            keyvalue: keyvalue::Limits {
                key_bytes_max: bytes(Limit::Key)?,
                value_bytes_max: bytes(Limit::Value)?,
                batch_len_max: bytes(Limit::Batch)?,
                batch_bytes_max: bytes(Limit::BatchBytes)?,
            },
            keyvalue_wait: time(Limit::StoreWait)?,
            messaging: messaging::Limits {
                body_bytes_max: bytes(Limit::Message)?,
                ..messaging::Limits::default()
            },
        })
    }
}

impl Default for ActorLimits {
    fn default() -> Self {
        Self::grant(&SpecLimits::default(), &Caps::default())
            .expect("whoever asks for nothing is refused nothing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spec_asks_for_is_granted_and_nothing_else_changes() {
        for limit in Limit::ALL {
            for value in [limit.min(), limit.max()] {
                let mut wanted = SpecLimits::default();
                wanted.set(limit, value);
                let report = Caps::default().report(&wanted).unwrap();
                for row in report {
                    let limit_of_row: Limit = row.name.parse().unwrap();
                    let expected = match limit_of_row == limit {
                        true => (value, LimitSource::Manifest),
                        false => (limits::default_of(limit_of_row), LimitSource::Default),
                    };
                    assert_eq!((row.value, row.source), expected, "{limit} {}", row.name);
                }
                let granted = ActorLimits::grant(&wanted, &Caps::default()).unwrap();
                let same = granted == ActorLimits::default();
                assert_eq!(same, value == limits::default_of(limit), "{limit} {value}");
            }
        }
    }

    #[test]
    fn a_limit_outside_what_the_host_grants_is_refused_in_words() {
        let mut caps = Caps::default();
        caps.set(Limit::Memory, 32 << 20).unwrap();
        let cases = [
            (
                Limit::Memory,
                64 << 20,
                "it asks for memory = 64MiB, and this host grants 64KiB to 32MiB",
            ),
            (Limit::Memory, 0, "it asks for memory = 0B, and this host grants 64KiB to 32MiB"),
            (
                Limit::Execution,
                30_001,
                "it asks for execution = 30001ms, and this host grants 1ms to 30s",
            ),
            (Limit::Concurrency, u64::MAX, "this host grants 1 to 4096"),
        ];
        for (limit, value, said) in cases {
            let mut wanted = SpecLimits::default();
            wanted.set(limit, value);
            let error = ActorLimits::grant(&wanted, &caps).unwrap_err();
            assert_eq!(error.limit, limit);
            assert!(error.to_string().contains(said), "{error}");
            assert!(caps.report(&wanted).is_err());
        }
    }

    #[test]
    fn a_cap_below_the_default_is_what_an_actor_gets_that_asks_for_nothing() {
        let mut caps = Caps::default();
        caps.set(Limit::Memory, 16 << 20).unwrap();
        caps.set(Limit::Handles, 10_000).unwrap();
        let none = SpecLimits::default();
        let granted = ActorLimits::grant(&none, &caps).unwrap();
        assert_eq!(granted.memory_bytes_max, 16 << 20);
        assert_eq!(granted.handles_max, limits::HANDLES_MAX);
        let rows = caps.report(&none).unwrap();
        let memory = rows.iter().find(|row| row.name == "memory").unwrap();
        assert_eq!((memory.max, memory.source), (16 << 20, LimitSource::HostCap));
        assert!(caps.set(Limit::Memory, 1 << 40).unwrap_err().contains("not possible"));
        assert!(caps.set(Limit::Memory, 0).unwrap_err().contains("not possible"));
    }
}
