//! Every bound of the engine that is the same for all actors, with its reason.
//!
//! `docs/limits.md` is the table of these for people; a test keeps the two together.

use std::time::Duration;

/// What one actor may have of linear memory at most, whatever its manifest says: the size of a
/// slot of the pool.
pub const MEMORY_BYTES_CEILING: usize = 128 << 20;

/// Linear memory of one instance, all its memories together, unless the manifest says otherwise.
pub const MEMORY_BYTES_DEFAULT: usize = 64 << 20;

/// How long one call may take, from admission to the last byte of its answer.
pub const EXECUTION_CEILING: Duration = Duration::from_secs(30);

/// Calls that one instance of an assignment serves at once, unless the manifest says otherwise.
pub const CONCURRENCY_DEFAULT: u32 = 64;

/// Core instances in one call. A Python component takes 14; one composed of three languages
/// about 30.
pub const INSTANCES_MAX: usize = 64;
pub const TABLES_MAX: usize = 64;
pub const MEMORIES_MAX: usize = 32;

/// Elements of one table.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;

/// What a guest may hand to the host in one host call, in bytes. One of 1 MiB passes.
pub const HOSTCALL_FUEL: usize = 4 << 20;

/// Handles of the component model that one call may hold.
pub const HANDLES_MAX: usize = 4_096;

/// Resources of the host (streams, requests, buckets, pollables) that one call may hold.
pub const RESOURCES_MAX: usize = 1_024;

/// Bytes of one `get-random-bytes`.
pub const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// Headers or trailers of one message, in memory.
pub const FIELDS_BYTES_MAX: usize = 64 << 10;

/// One write to the body of an answer or a request; with [`BODY_CHUNKS`] it is what the host
/// buffers for a slow reader.
pub const BODY_CHUNK_BYTES: usize = 64 << 10;
pub const BODY_CHUNKS: usize = 1;

/// Requests that one actor may have under way to the outside on this host.
pub const OUTGOING_MAX: u32 = 32;

/// How long an outgoing request may wait for its head, and between two pieces of its body, where
/// the guest does not ask for less. Never longer than the call.
pub const OUTGOING_WAIT: Duration = Duration::from_secs(10);

/// How long one operation of a key-value store may take, so that a guest gets an error while it
/// can still answer.
pub const KEYVALUE_WAIT: Duration = Duration::from_secs(5);

/// How long a secret may take, for the same reason.
pub const SECRET_WAIT: Duration = Duration::from_secs(5);

/// Interfaces for which one call may choose a link by name.
pub const LINK_NAMES_MAX: usize = 64;

/// What one call may say in all, and in one line.
pub const LOG_BYTES_PER_CALL: usize = 64 << 10;
pub const LOG_LINE_BYTES_MAX: usize = 8 << 10;

/// What one actor may say on this host in a second, over all its calls.
pub const LOG_BYTES_PER_SECOND: usize = 1 << 20;

/// Parts of all signatures of one component together, written out.
pub const SIGNATURE_TYPES_MAX: usize = 65_536;

/// A component file.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// Components compiled at once; each uses all threads of the compiler's pool.
pub const COMPILES_MAX: usize = 1;

/// All artifacts of the compile cache together.
pub const CACHE_BYTES_MAX: u64 = 2 << 30;

/// Calls a host runs at once, and those more that are kept for calls made by calls.
pub const PERMITS_DEFAULT: u32 = 256;
pub const NESTED_PERMITS_DEFAULT: u32 = 64;

/// How long a call from outside may wait for a permit. What waits longer under overload is mostly
/// work for somebody who has gone; what comes in a burst is through in less.
pub const QUEUE_WAIT: Duration = Duration::from_millis(100);

/// When a caller that was refused under load should come back.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// More would not fit the maps a process may have (`vm.max_map_count`): a stack takes two.
pub const PERMITS_CEILING: u32 = 4_096;

/// How often a running guest is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// Memory and stack that a slot keeps for its next user instead of giving it back; half the cost
/// of an instance. Never given back, so `permits × this` is what a busy host grows to.
pub const KEEP_MEMORY_BYTES: usize = 2 << 20;
pub const KEEP_TABLE_BYTES: usize = 64 << 10;
pub const KEEP_STACK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use wattle_capability::{call, keyvalue, messaging, secrets};

    use super::*;

    #[test]
    fn the_table_for_people_says_what_the_code_does() {
        let page = include_str!("../../../docs/limits.md");
        let rows: Vec<Vec<&str>> =
            page.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        let stores = keyvalue::Limits::default();
        let messages = messaging::Limits::default();
        let trust = wattle_trust::Limits::default();
        let bytes = |bytes: usize| match bytes {
            gib if gib % (1 << 30) == 0 => format!("{} GiB", gib >> 30),
            mib if mib % (1 << 20) == 0 => format!("{} MiB", mib >> 20),
            kib => format!("{} KiB", kib >> 10),
        };
        let s = |time: Duration| format!("{} s", time.as_secs());
        let expected = [
            ("linear memory, all memories together", bytes(MEMORY_BYTES_DEFAULT)),
            ("wall-clock time, to the last byte of the answer", s(EXECUTION_CEILING)),
            ("processor time before the slow lane", format!("{} ms", TICK.as_millis())),
            ("core instances", INSTANCES_MAX.to_string()),
            ("tables", TABLES_MAX.to_string()),
            ("memories", MEMORIES_MAX.to_string()),
            ("elements of a table", TABLE_ELEMENTS_MAX.to_string()),
            ("bytes to the host in one host call", bytes(HOSTCALL_FUEL)),
            ("handles of the component model", HANDLES_MAX.to_string()),
            ("resources of the host", RESOURCES_MAX.to_string()),
            ("random bytes at once", bytes(RANDOM_BYTES_MAX as usize)),
            ("headers or trailers of one message, in memory", bytes(FIELDS_BYTES_MAX)),
            ("one write to a body", bytes(BODY_CHUNK_BYTES)),
            ("calls within calls", call::HOP_MAX.to_string()),
            ("what a call may say", bytes(LOG_BYTES_PER_CALL)),
            ("one line of what it says", bytes(LOG_LINE_BYTES_MAX)),
            ("wait for the head of an outgoing answer, or for its next piece", s(OUTGOING_WAIT)),
            ("calls at once, per instance", CONCURRENCY_DEFAULT.to_string()),
            ("outgoing requests at once", OUTGOING_MAX.to_string()),
            ("what it may say in a second", bytes(LOG_BYTES_PER_SECOND)),
            ("a key", bytes(stores.key_bytes_max)),
            ("a value", bytes(stores.value_bytes_max)),
            ("entries of a batch", stores.batch_len_max.to_string()),
            ("bytes of a batch", bytes(stores.batch_bytes_max)),
            ("keys of a page", keyvalue::PAGE_KEYS_MAX.to_string()),
            ("one operation", s(KEYVALUE_WAIT)),
            ("a subject", format!("{} bytes", messages.subject_bytes_max)),
            ("a message", bytes(messages.body_bytes_max)),
            ("a secret", bytes(secrets::SECRET_BYTES_MAX)),
            ("wait for a secret", s(SECRET_WAIT)),
            ("interfaces for which a call chooses a link", LINK_NAMES_MAX.to_string()),
            ("calls from outside at once", PERMITS_DEFAULT.to_string()),
            ("calls made by calls at once", NESTED_PERMITS_DEFAULT.to_string()),
            ("both together", PERMITS_CEILING.to_string()),
            ("wait of a call from outside for its turn", format!("{} ms", QUEUE_WAIT.as_millis())),
            ("a component file that is compiled", bytes(COMPONENT_BYTES_MAX)),
            ("parts of a component's signatures", SIGNATURE_TYPES_MAX.to_string()),
            ("components compiled at once", COMPILES_MAX.to_string()),
            ("the compile cache", bytes(CACHE_BYTES_MAX as usize)),
            ("memory a slot keeps between calls", bytes(KEEP_MEMORY_BYTES)),
            ("an artifact", bytes(trust.artifact_bytes_max)),
            ("sections, at all depths", trust.sections_max.to_string()),
            ("components in components", trust.depth_max.to_string()),
            ("the token", bytes(trust.token_bytes_max)),
        ];
        for (what, value) in expected {
            let found = rows.iter().find(|row| row.get(1) == Some(&what)).map(|row| row[2]);
            assert_eq!(found, Some(value.as_str()), "{what}");
        }
    }
}
