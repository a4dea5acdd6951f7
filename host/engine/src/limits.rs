//! Every bound of the engine, with its reason: those that are the same for all actors, and what an
//! actor gets that asks for nothing.
//!
//! What a manifest may ask for is in [`wattle_types::limit`]. `docs/limits.md` is the table of all
//! of them for people; a test keeps them together.

use std::time::Duration;

use wattle_capability::{keyvalue, messaging};
use wattle_types::Limit;

/// What one actor may have of linear memory at most, whatever its manifest says: the size of a
/// slot of the pool.
pub const MEMORY_BYTES_CEILING: usize = Limit::Memory.max() as usize;

/// Linear memory of one instance, all its memories together, unless the manifest says otherwise.
pub const MEMORY_BYTES_DEFAULT: usize = 64 << 20;

/// How long one call may take, from admission to the last byte of its answer.
pub const EXECUTION_CEILING: Duration = Duration::from_millis(Limit::Execution.max());

/// Calls that one instance of an assignment serves at once, unless the manifest says otherwise.
pub const CONCURRENCY_DEFAULT: u32 = 64;

/// Core instances in one call. A Python component takes 14; one composed of three languages
/// about 30.
pub const INSTANCES_MAX: usize = Limit::CoreInstances.max() as usize;
pub const TABLES_MAX: usize = Limit::Tables.max() as usize;
pub const MEMORIES_MAX: usize = Limit::Memories.max() as usize;

/// Elements of one table.
pub const TABLE_ELEMENTS_MAX: usize = Limit::TableElements.max() as usize;

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

/// What compiling one component may take: address space in bytes, and time. A Python component of
/// 18 MB takes 340 MB, and 11 s on one processor.
pub const COMPILE_MEMORY_BYTES: u64 = 1 << 30;
pub const COMPILE_TIME: Duration = Duration::from_secs(120);

/// All artifacts of the compile cache together.
pub const CACHE_BYTES_MAX: u64 = 2 << 30;

/// Calls a host runs at once, and those more that are kept for calls made by calls.
pub const PERMITS_DEFAULT: u32 = 256;
pub const NESTED_PERMITS_DEFAULT: u32 = 64;

/// Instances that wait for their next call, over all actors that reuse theirs.
pub const IDLE_INSTANCES_DEFAULT: u32 = 256;

/// Of its memory limit, what an instance that is reused may have grown to: memory never shrinks, so
/// one large call would leave too little for those after it.
pub const REUSE_MEMORY_PERCENT_MAX: usize = 75;

/// How long a call from outside may wait for a permit. What waits longer under overload is mostly
/// work for somebody who has gone; what comes in a burst is through in less.
pub const QUEUE_WAIT: Duration = Duration::from_millis(100);

/// When a caller that was refused under load should come back.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// More would not fit the maps a process may have (`vm.max_map_count`): a stack takes two.
pub const PERMITS_CEILING: u32 = Limit::Concurrency.max() as u32;

/// What a guest may have of a stack, and what it has together with the host's functions that run
/// on it: the difference is the host's, and is never made smaller.
pub const STACK_BYTES_MAX: usize = 512 << 10;
pub const STACK_WITH_HOST_BYTES: usize = 2 << 20;

/// How often a running guest is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// How long the calls of an actor begin in the slow lane after one that used more than a tick.
pub const SLOW_FOR: Duration = Duration::from_secs(10);

/// By how much the threads of the slow lane stand behind all others of the host: a tenth of their
/// share. The lowest priority there is would starve slow guests beside any busy program.
pub const SLOW_NICE: i32 = 10;

/// What one slot of the pool has of each; a component that needs more takes several slots.
pub const SLOT_MEMORIES: u32 = 2;
pub const SLOT_TABLES: u32 = 4;

/// Memory and stack that a slot keeps for its next user instead of giving it back; half the cost
/// of an instance. Never given back, so `permits × this` is what a busy host grows to.
pub const KEEP_MEMORY_BYTES: usize = 2 << 20;
pub const KEEP_TABLE_BYTES: usize = 64 << 10;
pub const KEEP_STACK_BYTES: usize = 64 << 10;

/// What an actor gets of `limit` that asks for nothing, where the host caps nothing.
pub fn default_of(limit: Limit) -> u64 {
    let (stores, messages) = (keyvalue::Limits::default(), messaging::Limits::default());
    let ms = |time: Duration| time.as_millis() as u64;
    let count = |count: usize| count as u64;
    match limit {
        Limit::Memory => count(MEMORY_BYTES_DEFAULT),
        Limit::Execution => ms(EXECUTION_CEILING),
        Limit::Concurrency => CONCURRENCY_DEFAULT.into(),
        Limit::CoreInstances => count(INSTANCES_MAX),
        Limit::Tables => count(TABLES_MAX),
        Limit::Memories => count(MEMORIES_MAX),
        Limit::TableElements => count(TABLE_ELEMENTS_MAX),
        Limit::Hostcall => count(HOSTCALL_FUEL),
        Limit::Handles => count(HANDLES_MAX),
        Limit::Resources => count(RESOURCES_MAX),
        Limit::Random => RANDOM_BYTES_MAX,
        Limit::Headers => count(FIELDS_BYTES_MAX),
        Limit::BodyChunk => count(BODY_CHUNK_BYTES),
        Limit::Outgoing => OUTGOING_MAX.into(),
        Limit::OutgoingWait => ms(OUTGOING_WAIT),
        Limit::LogPerCall => count(LOG_BYTES_PER_CALL),
        Limit::LogPerSecond => count(LOG_BYTES_PER_SECOND),
        Limit::Key => count(stores.key_bytes_max),
        Limit::Value => count(stores.value_bytes_max),
        Limit::Batch => count(stores.batch_len_max),
        Limit::BatchBytes => count(stores.batch_bytes_max),
        Limit::StoreWait => ms(KEYVALUE_WAIT),
        Limit::Message => count(messages.body_bytes_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_actor_gets_by_itself_is_something_it_could_ask_for() {
        for limit in Limit::ALL {
            assert_eq!(limit.check(default_of(limit)), Ok(default_of(limit)), "{limit}");
        }
    }
}
