//! `docs/limits.md` says what the code does: every row of it, and every limit of the code that has
//! a name.

use std::collections::BTreeMap;
use std::time::Duration;

use wattle_capability::{call, keyvalue, messaging, secrets};
use wattle_engine::limits;
use wattle_lattice::call::Limits as CallLimits;
use wattle_messaging_nats::{BACKLOG_BYTES_MAX, BACKLOG_MAX};
use wattle_types::{Limit, Unit};

use crate::config::{BODY_BYTES_MAX, COMPONENT_BYTES_MAX};
use crate::spy::watched::{ACTORS_MAX, ASKED_MS_MAX};
use crate::{calls, forward, listener, messages, outbound, router, start};

const PAGE: &str = include_str!("../../../../docs/limits.md");
const HEAD: &str = "| what | default | maximum | manifest key | host flag | what the guest sees |";
const NONE: &str = "–";

/// One row of a table whose head is [`HEAD`].
struct Row<'a> {
    what: &'a str,
    default: &'a str,
    maximum: &'a str,
    key: &'a str,
    flag: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in PAGE.lines() {
        inside = line == HEAD || inside && line.starts_with('|');
        if !inside || line == HEAD || line.starts_with("| --- ") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [what, default, maximum, key, flag, seen] = cells[..] else { panic!("{line}") };
        assert!(!seen.is_empty(), "{line}");
        rows.push(Row { what, default, maximum, key, flag });
    }
    rows
}

#[test]
fn what_a_manifest_may_ask_for_is_on_the_page_as_it_is_granted() {
    let mut found = BTreeMap::new();
    for row in rows().into_iter().filter(|row| row.key != NONE) {
        let name = row.key.trim_matches('`');
        let limit: Limit = name.parse().unwrap_or_else(|error| panic!("{}: {error}", row.what));
        let show = |value| limit.unit().show(value).to_string();
        assert_eq!(row.default, show(limits::default_of(limit)), "{name}");
        assert_eq!(row.maximum, show(limit.max()), "{name}");
        assert_eq!(row.flag, format!("`--cap {name}`"));
        assert!(found.insert(limit, row.what).is_none(), "{name} is there twice");
    }
    assert_eq!(found.into_keys().collect::<Vec<_>>(), Limit::ALL);
}

#[test]
fn what_is_the_same_for_all_is_on_the_page_as_it_is() {
    let mut known = fixed();
    for row in rows().into_iter().filter(|row| row.key == NONE) {
        let expected = known.remove(row.what);
        let expected = expected.unwrap_or_else(|| panic!("{} is not checked", row.what));
        assert_eq!(row.default, expected, "{}", row.what);
        let flag = match row.what {
            "a request's body" => "`--body-max`",
            "components compiled at once" => "`--compilers`",
            "memory to compile one component" => "`--compile-memory`",
            "time to compile one component" => "`--compile-time`",
            "the compile cache" => "`--cache-max`",
            _ => NONE,
        };
        let permits = limits::PERMITS_CEILING.to_string();
        let maximum = match row.what {
            "calls from outside at once" | "calls made by calls at once" => permits.as_str(),
            // Whoever runs the host knows best.
            _ if flag != NONE => NONE,
            _ => row.default,
        };
        assert_eq!((row.maximum, row.flag), (maximum, flag), "{}", row.what);
    }
    assert!(known.is_empty(), "not on the page: {known:?}");
}

/// What is written for a bound that nobody can move by actor.
fn fixed() -> BTreeMap<&'static str, String> {
    let bytes = |bytes: usize| Unit::Bytes.show(bytes as u64).to_string();
    let time = |time: Duration| Unit::Time.show(time.as_millis() as u64).to_string();
    let count = |count: usize| count.to_string();
    let wire = CallLimits::default();
    let trust = wattle_trust::Limits::default();
    let messages_of = messaging::Limits::default();
    BTreeMap::from([
        ("processor time before the slow lane", time(limits::TICK)),
        ("the same, for an actor that used more in the last 10s", time(Duration::ZERO)),
        ("writes to a body that wait for the reader", count(limits::BODY_CHUNKS)),
        ("one line of that", bytes(limits::LOG_LINE_BYTES_MAX)),
        ("calls within calls", call::HOP_MAX.to_string()),
        ("interfaces for which a call chooses a link", count(limits::LINK_NAMES_MAX)),
        ("stack of a guest", bytes(limits::STACK_BYTES_MAX)),
        (
            "memory of an instance that is used again, of its limit",
            format!("{} %", limits::REUSE_MEMORY_PERCENT_MAX),
        ),
        ("keys of a page", count(keyvalue::PAGE_KEYS_MAX)),
        ("a subject", bytes(messages_of.subject_bytes_max)),
        ("messages that wait for one actor on one host", count(BACKLOG_MAX)),
        ("bytes that wait for one actor on one host", bytes(BACKLOG_BYTES_MAX)),
        ("messages that one actor handles at once", count(messages::AT_ONCE)),
        ("a secret", bytes(secrets::SECRET_BYTES_MAX)),
        ("wait for a secret", time(limits::SECRET_WAIT)),
        ("calls from outside at once", limits::PERMITS_DEFAULT.to_string()),
        ("calls made by calls at once", limits::NESTED_PERMITS_DEFAULT.to_string()),
        ("instances that wait for their next call", limits::IDLE_INSTANCES_DEFAULT.to_string()),
        ("wait of a call from outside for its turn", time(limits::QUEUE_WAIT)),
        ("a component file that is compiled", bytes(limits::COMPONENT_BYTES_MAX)),
        ("parts of a component's signatures", count(limits::SIGNATURE_TYPES_MAX)),
        ("components compiled at once", "processors - 1, at least 1".to_owned()),
        ("memory to compile one component", bytes(limits::COMPILE_MEMORY_BYTES as usize)),
        ("time to compile one component", time(limits::COMPILE_TIME)),
        ("the compile cache", bytes(limits::CACHE_BYTES_MAX as usize)),
        ("memory a slot keeps between calls", bytes(limits::KEEP_MEMORY_BYTES)),
        ("tables a slot keeps between calls", bytes(limits::KEEP_TABLE_BYTES)),
        ("stack a slot keeps between calls", bytes(limits::KEEP_STACK_BYTES)),
        ("connections of all actors to the outside", count(outbound::CONNECTIONS_MAX)),
        ("time to connect to the outside", time(outbound::CONNECT_WITHIN)),
        ("a component file that is fetched", bytes(COMPONENT_BYTES_MAX as usize)),
        ("components fetched and verified at once", count(start::FETCHES_MAX)),
        ("connections", count(listener::CONNECTIONS_MAX)),
        ("time for a request's head", time(listener::HEAD_WITHIN)),
        ("headers of a request", count(listener::HEADERS_MAX)),
        ("headers of a request over HTTP/2, in bytes", bytes(listener::HEADER_BYTES_MAX as usize)),
        ("a request's body", bytes(BODY_BYTES_MAX as usize)),
        ("requests of one HTTP/2 connection at once", listener::STREAMS_MAX.to_string()),
        ("arguments or a result", bytes(wire.value_bytes_max)),
        ("streams that accompany a call, each way", count(wire.streams_max)),
        ("hosts asked for one call", forward::TRIES_MAX.to_string()),
        ("calls from other hosts at once", count(calls::CALLS_MAX)),
        (
            "wait until a caller is known to run where its call comes from",
            time(router::VOUCH_WITHIN),
        ),
        ("actors of one host that are spied on", count(ACTORS_MAX)),
        ("spying without asking again", time(Duration::from_millis(ASKED_MS_MAX))),
        ("a component file", bytes(trust.artifact_bytes_max)),
        ("sections, at all depths", count(trust.sections_max)),
        ("components in components", count(trust.depth_max)),
        ("the token", bytes(trust.token_bytes_max)),
        ("the head of signed code", bytes(wattle_trust::artifact::HEAD_BYTES_MAX)),
        ("signed code", bytes(wattle_trust::artifact::CODE_BYTES_MAX as usize)),
    ])
}
