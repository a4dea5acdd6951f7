//! What the real 1.x clients and hosts said, read and written again.
//!
//! One line per shape that was seen: the subject, whether it is a message or the answer to one,
//! and the payload. Read into our types and written again, nothing may be lost or added.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wattle_types::Manifest;

use crate::ctl::{self, Envelope};
use crate::event::{self, CloudEvent, EventName};
use crate::subject::{AppSubject, ControlSubject};
use crate::{Names, Subject, wadm};

const RECORDED: &str = include_str!("../tests/recorded/wasmcloud-1x.jsonl");

#[derive(serde::Deserialize)]
struct Line {
    subject: String,
    is: Kind,
    payload: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Message,
    Answer,
}

fn lines() -> impl Iterator<Item = Line> {
    RECORDED.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn names() -> Names {
    Names::new("default".parse().unwrap())
}

/// The payload as our type writes it.
fn again<T: DeserializeOwned + Serialize>(payload: &Value) -> Option<Value> {
    let bytes = serde_json::to_vec(payload).unwrap();
    let read: T = ctl::decode("a recorded payload", &bytes, 1 << 20).unwrap();
    Some(serde_json::from_slice(&ctl::encode(&read)).unwrap())
}

fn again_control(subject: &ControlSubject, kind: Kind, payload: &Value) -> Option<Value> {
    use ControlSubject as S;
    match (subject, kind) {
        (S::ComponentAuction, Kind::Message) => again::<ctl::ComponentAuction>(payload),
        (S::ComponentAuction, Kind::Answer) => again::<Envelope<ctl::ComponentBid>>(payload),
        (S::ProviderAuction, Kind::Message) => again::<ctl::ProviderAuction>(payload),
        (S::ProviderAuction, Kind::Answer) => again::<Envelope<ctl::ProviderBid>>(payload),
        (S::ComponentScale { .. }, Kind::Message) => again::<ctl::ScaleComponent>(payload),
        (S::ComponentUpdate { .. }, Kind::Message) => again::<ctl::UpdateComponent>(payload),
        (S::ProviderStart { .. }, Kind::Message) => again::<ctl::StartProvider>(payload),
        (S::ProviderStop { .. }, Kind::Message) => again::<ctl::StopProvider>(payload),
        (S::HostPing, Kind::Answer) => again::<Envelope<ctl::HostSummary>>(payload),
        (S::HostGet { .. }, Kind::Answer) => again::<Envelope<ctl::HostInventory>>(payload),
        (S::LabelPut { .. } | S::LabelDel { .. }, Kind::Message) => again::<ctl::Label>(payload),
        (S::ClaimsGet, Kind::Answer) => again::<Envelope<Vec<ctl::ClaimsEntry>>>(payload),
        (S::LinkGet, Kind::Answer) => again::<Envelope<Vec<ctl::Link>>>(payload),
        (S::LinkPut, Kind::Message) => again::<ctl::Link>(payload),
        (S::LinkDel, Kind::Message) => again::<ctl::LinkKey>(payload),
        (S::ConfigPut { .. }, Kind::Message) => again::<ctl::Config>(payload),
        (S::ConfigGet { .. }, Kind::Answer) => again::<Envelope<ctl::Config>>(payload),
        (S::Other(_), Kind::Message) => None,
        (_, Kind::Answer) => again::<ctl::Accepted>(payload),
        (_, Kind::Message) => None,
    }
}

fn again_app(subject: &AppSubject, kind: Kind, payload: &Value) -> Option<Value> {
    use AppSubject as S;
    match (subject, kind) {
        (S::Put, Kind::Answer) => again::<wadm::PutReply>(payload),
        (S::Get { .. }, Kind::Answer) => again::<wadm::GetReply>(payload),
        (S::List, Kind::Answer) => again::<Vec<wadm::Summary>>(payload),
        (S::Versions { .. }, Kind::Answer) => again::<wadm::VersionsReply>(payload),
        (S::Deploy { .. }, Kind::Message) => again::<wadm::DeployRequest>(payload),
        (S::Deploy { .. } | S::Undeploy { .. }, Kind::Answer) => {
            again::<wadm::DeployReply>(payload)
        }
        (S::Delete { .. }, Kind::Answer) => again::<wadm::DeleteReply>(payload),
        (S::Status { .. }, Kind::Answer) => again::<wadm::StatusReply>(payload),
        _ => None,
    }
}

fn again_event(name: EventName, payload: &Value) -> Option<Value> {
    match name {
        EventName::ComponentScaled => again::<CloudEvent<event::ComponentScaled>>(payload),
        EventName::ComponentScaleFailed => {
            again::<CloudEvent<event::ComponentScaleFailed>>(payload)
        }
        EventName::LinkdefSet => again::<CloudEvent<ctl::Link>>(payload),
        EventName::LinkdefDeleted => again::<CloudEvent<event::LinkdefDeleted>>(payload),
        EventName::ConfigSet | EventName::ConfigDeleted => {
            again::<CloudEvent<event::ConfigChanged>>(payload)
        }
        EventName::LabelsChanged => again::<CloudEvent<event::LabelsChanged>>(payload),
        EventName::HostStarted => again::<CloudEvent<event::HostStarted>>(payload),
        EventName::HostStopped => again::<CloudEvent<event::HostStopped>>(payload),
        EventName::HostHeartbeat => again::<CloudEvent<ctl::HostInventory>>(payload),
        // Those of providers, links refused and health come with what emits them.
        _ => None,
    }
}

#[test]
fn what_the_real_clients_said_is_read_and_written_without_loss() {
    let mut checked = 0;
    for Line { subject, is, payload } in lines() {
        let parsed = names().read(&subject).unwrap();
        let written = match &parsed {
            Subject::Control(control) => again_control(control, is, &payload),
            Subject::App(app) => again_app(app, is, &payload),
            Subject::Event(name) => again_event(*name, &payload),
            other => panic!("{other:?} was not said by a 1.x client"),
        };
        if let Some(written) = written {
            assert_eq!(written, payload, "{is:?} {subject}");
            checked += 1;
        }
    }
    assert!(70 <= checked, "only {checked} payloads were compared");
}

#[test]
fn every_recorded_subject_is_written_as_it_was_read() {
    for Line { subject, .. } in lines() {
        let parsed = names().read(&subject).unwrap();
        assert_eq!(names().subject(&parsed), subject);
    }
}

#[test]
fn a_manifest_as_wash_sends_it_is_a_manifest() {
    let mut found = 0;
    for Line { subject, is, payload } in lines() {
        if subject.ends_with("model.put") && is == Kind::Message {
            Manifest::parse(&payload.to_string()).unwrap();
            found += 1;
        }
    }
    assert!(0 < found, "the recording holds manifests");
}

#[test]
fn a_later_clients_fields_do_no_harm_and_malformed_commands_are_refused() {
    let scale = r#"{"component_ref":"r","component_id":"i","count":1,"host_id":"h","priority":7}"#;
    let read: ctl::ScaleComponent = ctl::decode_command(scale.as_bytes()).unwrap();
    assert!(!read.allow_update && read.config.is_empty() && read.component_limits.is_none());
    let huge = format!(r#"{{"key":"{}"}}"#, "k".repeat(ctl::COMMAND_BYTES_MAX));
    for bad in ["", "{", "null", "[]", r#"{"count":-1}"#, scale.split_at(30).0, &huge] {
        assert!(ctl::decode_command::<ctl::ScaleComponent>(bad.as_bytes()).is_err(), "{bad:.40}");
    }
}

#[test]
fn an_event_says_of_whom_when_and_what() {
    let host = wattle_types::PublicKey::new(wattle_types::Role::Server, [7; 32]);
    let host = wattle_types::HostId::try_from(host).unwrap();
    let stopped = event::HostStopped { labels: [("zone".to_owned(), "edge".to_owned())].into() };
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_795_168_661_972);
    let event = CloudEvent::new(host, event::EventData::HostStopped(stopped.clone()), at);
    let read = CloudEvent::<event::HostStopped>::decode(&event.encode()).unwrap();
    assert_eq!((read.source, read.data), (host, stopped));
    assert_eq!(read.kind, "com.wasmcloud.lattice.host_stopped");
    assert_eq!(read.time, "2026-11-20T09:57:41.972Z");
    // As a UUID: the time first, so that events sort.
    assert!(read.id.starts_with("01a1f863-f1d4-"), "{}", read.id);
    assert_eq!(read.id.len(), 36);
}

#[test]
fn the_worst_part_decides_how_the_whole_is() {
    use wadm::StatusType::{Deployed, Failed, Reconciling, Undeployed, Unhealthy, Waiting};
    let order = [Failed, Undeployed, Waiting, Reconciling, Unhealthy, Deployed];
    for (n, worst) in order.iter().enumerate() {
        assert_eq!(wadm::StatusType::aggregate(order[n..].iter().rev().copied()), Some(*worst));
    }
    assert_eq!(wadm::StatusType::aggregate([]), None);
}
