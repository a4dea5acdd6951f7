//! What arrives from whoever may publish in a lattice: nothing of it ends a host or changes what it does.

use std::time::Duration;

use bytes::Bytes;
use wattle_lattice::subject::{ControlSubject, HostOp};
use wattle_lattice::{ConnectConfig, Connection, Subject};
use wattle_tests::{Lattice, Look, get, guest, manifest, wait_until};
use wattle_types::{ActorId, HostId, Token};

const WITHIN: Duration = Duration::from_secs(60);

/// Nobody has to answer junk; those who do, do so at once.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);

fn payloads() -> Vec<Bytes> {
    let nested = |open: u8| vec![open; 200_000];
    // A map that claims more than there is; a string of no encoding; a version that nobody has.
    let claims = b"\xdf\xff\xff\xff\xff\xa1v".to_vec();
    let broken = b"\x82\xa1v\x01\xa4kind\xa4\xff\xfe\xfd\xfc".to_vec();
    let later = b"\x81\xa1v\xcd\x03\xe7".to_vec();
    let json = br#"{"source_id":"a.>","target":"*","wit_namespace":"","wit_package":7}"#.to_vec();
    let deep_json = "[".repeat(100_000).into_bytes();
    let all = [
        Vec::new(),
        vec![0xc1],
        vec![0; 900 << 10],
        nested(0x91),
        nested(0x81),
        claims,
        broken,
        later,
        json,
        deep_json,
    ];
    all.map(Bytes::from).to_vec()
}

fn subjects(host: HostId, actor: &ActorId) -> Vec<Subject> {
    let name: Token = "junk".parse().unwrap();
    let who: Token = host.to_string().parse().unwrap();
    let session: Token = "s1".parse().unwrap();
    let control = [
        ControlSubject::LinkGet,
        ControlSubject::LinkPut,
        ControlSubject::LinkDel,
        ControlSubject::ConfigGet { name: name.clone() },
        ControlSubject::ConfigPut { name: name.clone() },
        ControlSubject::ConfigDel { name },
        ControlSubject::HostPing,
        ControlSubject::HostGet { host },
        ControlSubject::ComponentScale { host },
    ];
    let mut all = vec![
        Subject::Any { actor: actor.clone() },
        Subject::Call { host, actor: actor.clone() },
        Subject::Reply { who: who.clone(), session: session.clone(), number: 1 },
        Subject::Frame { who, session, number: 1 },
        Subject::Serve { host },
        Subject::AskServe,
        Subject::AskSpy,
        Subject::Relink { source: actor.clone() },
        Subject::ConfigChanged { name: "junk".parse().unwrap() },
        Subject::Beat { host },
        Subject::Wake { host },
    ];
    // Not `drain`, which asks for nothing but to leave.
    let ops = [HostOp::Probe, HostOp::Inventory, HostOp::Logs, HostOp::Limits];
    all.extend(ops.map(|op| Subject::Host { host, op }));
    all.extend(control.map(Subject::Control));
    all
}

#[tokio::test]
async fn junk_on_every_subject_is_refused_or_passed_over_and_the_hosts_go_on() {
    let lattice = Lattice::start(&[("one", "a"), ("two", "b")]).await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let mut app = manifest("calm", &[("hello", &image, Some("/"))]);
    lattice.deployed(&mut app, "v1").await;
    let pids: Vec<u32> = lattice.hosts.values().map(|host| host.process.pid()).collect();
    let hosts = lattice.wattle(["get", "hosts", "-o", "json"]).await.json();
    let actor: ActorId = "calm-hello".parse().unwrap();
    let config = ConnectConfig::client(lattice.nats.url(), "story".parse().unwrap());
    let connection = Connection::connect(config, |_| {}).await.unwrap();

    for host in hosts.as_array().unwrap() {
        let host: HostId = host["id"].as_str().unwrap().parse().unwrap();
        for subject in subjects(host, &actor) {
            for payload in payloads() {
                // Whatever is answered, if anything is: only what becomes of the hosts counts.
                let _ = connection.request(&subject, payload, ANSWER_WITHIN).await;
            }
        }
    }

    lattice.until_joined(2).await;
    assert_eq!(pids, lattice.hosts.values().map(|host| host.process.pid()).collect::<Vec<_>>());
    assert!(!lattice.logs().contains("panicked"), "{}", lattice.logs());
    for host in lattice.hosts.values() {
        wait_until("it answers as before", WITHIN, async || {
            let answer = get(host.listener, "/").await;
            let fine = answer.as_ref().is_ok_and(|answer| answer.status == 200);
            Look::some(fine.then_some(()), || format!("{answer:?}"))
        })
        .await;
    }
    let links = lattice.wattle(["link", "query", "-o", "json"]).await.json();
    assert_eq!(links, serde_json::json!([]), "nothing of it was stored");
}
