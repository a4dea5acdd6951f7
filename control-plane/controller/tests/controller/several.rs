//! Several controllers of one lattice: whichever is asked answers, and nothing is lost between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::task::{JoinSet, LocalSet};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::headers;
use wattle_lattice::{Pattern, Reply, Subject};
use wattle_types::{ControllerReport, stored};

use crate::editors::Person;
use crate::lattice::{Lattice, Running, manifest, name, read, until};

const WRITERS: u64 = 16;
const APPS: u64 = 100;
const EDITS_PER_WRITER: u64 = 25;

/// `c1` leads, `c2` does not, and both answer the application API.
async fn two(lattice: &Lattice) -> [Running; 2] {
    let first = lattice.controller("c1");
    lattice.until_leads("c1").await;
    let second = lattice.controller("c2");
    let asked = Mutex::new(BTreeSet::new());
    until("both answer", async || {
        let none = Subject::App(AppSubject::Get { app: name("none") });
        let reply = lattice.asked(&none, &[], "").await;
        let mut asked = asked.lock().unwrap();
        asked.insert(reply.headers.get(headers::CONTROLLER).unwrap().to_owned());
        (asked.len() == 2).then_some(())
    })
    .await;
    [first, second]
}

pub(crate) async fn reports(lattice: &Lattice) -> Vec<ControllerReport> {
    let window = Duration::from_millis(500);
    let asked = lattice.client.gather(&Subject::AskControllers, Bytes::new(), window, 10).await;
    let read = |reply: &Reply| stored::decode("a report", &reply.payload).unwrap();
    asked.unwrap().iter().map(read).collect()
}

#[tokio::test]
async fn a_write_through_a_standby_is_seen_by_a_read_anywhere() {
    let lattice = Lattice::start().await;
    let _controllers = two(&lattice).await;
    let mut host = lattice.host(1, &[]).await;
    host.until(|told| told.entries.is_empty()).await;
    for round in 1..=20 {
        let text = manifest("shop", &format!("v{round}"), "");
        let stored = lattice.ask_one("c2", AppSubject::Put, &[], text).await;
        assert_eq!(stored.headers.get(headers::CONTROLLER), Some("c2"), "who was asked answers");
        assert_eq!(stored.headers.get(headers::CHANGE), Some(round.to_string().as_str()));
        let sequence = stored.headers.get(headers::SEQUENCE).expect("it says where it is stored");
        for controller in ["c1", "c2"] {
            let get = AppSubject::Get { app: name("shop") };
            let at_least = [(headers::AT_LEAST, sequence)];
            let reply = lattice.ask_one(controller, get, &at_least, "").await;
            let version = &read::<Value>(&reply)["manifest"]["metadata"]["annotations"]["version"];
            assert_eq!(version, format!("v{round}").as_str(), "{controller}: {reply:?}");
        }
    }
    let deploy = AppSubject::Deploy { app: name("shop") };
    let deployed: Value = read(&lattice.ask_one("c2", deploy, &[], "").await);
    assert_eq!(deployed["result"], "acknowledged", "{deployed}");
    // How it is, also where nobody leads.
    let status = until("it runs", async || {
        let status = AppSubject::Status { app: name("shop") };
        let reply: Value = read(&lattice.ask_one("c2", status, &[], "").await);
        (reply["status"]["status"]["type"] == "deployed").then_some(reply)
    });
    assert_eq!(status.await["status"]["components"][0]["name"], "main");
    let one: Value = read(&lattice.ask_one("c1", AppSubject::List, &[], "").await);
    let other: Value = read(&lattice.ask_one("c2", AppSubject::List, &[], "").await);
    assert_eq!(one, other);
}

#[tokio::test]
async fn where_the_leader_is_gone_a_standby_answers_reads() {
    let lattice = Lattice::start().await;
    let [first, _second] = two(&lattice).await;
    lattice.put_and_deploy("shop", "v1", "").await;
    first.kill().await;
    let status = AppSubject::Status { app: name("shop") };
    let reply: Value = read(&lattice.ask_one("c2", status, &[], "").await);
    let said = reply["status"]["status"]["message"].as_str().unwrap();
    assert!(said.contains("c1, which leads, does not answer"), "{reply}");
    // A change waits for the next leader, or is asked again.
    lattice.put_and_deploy("shop", "v2", "").await;
    assert_eq!(lattice.until_leads("c2").await.holder.as_deref(), Some("c2"));
}

#[tokio::test]
async fn sixteen_writers_of_a_hundred_applications_lose_nothing() {
    let lattice = Lattice::start().await;
    let controllers = two(&lattice).await;
    let lattice = Arc::new(lattice);
    let (mut writers, local) = (JoinSet::new(), LocalSet::new());
    for writer in 0..WRITERS {
        writers.spawn_local_on(write(lattice.clone(), writer), &local);
    }
    let stored = local.run_until(writers.join_all()).await;
    let mut stored_of = BTreeMap::<String, BTreeSet<String>>::new();
    for (app, version) in stored.into_iter().flatten() {
        assert!(stored_of.entry(app).or_default().insert(version), "no two had the same version");
    }
    let count: usize = stored_of.values().map(BTreeSet::len).sum();
    assert_eq!(count as u64, WRITERS * EDITS_PER_WRITER);
    for (app, stored) in stored_of {
        let history: Value = lattice.ask(AppSubject::History { app: name(&app) }, "").await;
        let revisions = history["revisions"].as_array().unwrap();
        let versions: Vec<&str> =
            revisions.iter().map(|of| of["version"].as_str().unwrap()).collect();
        let distinct: BTreeSet<String> = versions.iter().map(|of| (*of).to_owned()).collect();
        assert_eq!(distinct.len(), versions.len(), "{app} has a version twice: {history}");
        assert_eq!(distinct, stored, "{app}");
        let numbers = revisions.iter().map(|of| of["revision"].as_u64().unwrap());
        assert!(numbers.eq(1..=versions.len() as u64), "{app} has a gap: {history}");
    }
    for controller in controllers {
        controller.stop().await;
    }
}

/// Stores versions of applications, each after what was seen of it; gives those that were
/// acknowledged.
async fn write(lattice: Arc<Lattice>, writer: u64) -> Vec<(String, String)> {
    let person = Person::new();
    let mut random = fastrand::Rng::with_seed(writer);
    let mut stored = Vec::new();
    for edit in 0..EDITS_PER_WRITER {
        // Many of them meet at a few.
        let among = if random.u8(..3) == 0 { 4 } else { APPS };
        let app = random.u64(..among);
        let (app, version) = (format!("app{app}"), format!("w{writer}-{edit}"));
        let history = AppSubject::History { app: name(&app) };
        let seen = person.ask(&lattice, history, "", None).await;
        let changes = |reply: &Reply, of| reply.headers.get(of)?.parse::<u64>().ok();
        let mut base = changes(&seen, headers::CHANGE);
        let text = manifest(&app, &version, "");
        let reply = loop {
            let reply = person.ask(&lattice, AppSubject::Put, &text, base).await;
            match changes(&reply, headers::CONFLICT) {
                Some(now) => base = Some(now),
                None => break reply,
            }
        };
        stored.push(acknowledged(&app, &version, &read(&reply)));
    }
    stored
}

fn acknowledged(app: &str, version: &str, reply: &Value) -> (String, String) {
    // An answer that was lost on its way is given once more by the next attempt.
    let exists = reply["message"].as_str().is_some_and(|said| said.contains("already exists"));
    let done = reply["result"] == "created" || reply["result"] == "newversion" || exists;
    assert!(done, "{reply}");
    (app.to_owned(), version.to_owned())
}

#[tokio::test]
async fn of_two_controllers_with_one_name_one_leads() {
    let lattice = Lattice::start().await;
    let first = lattice.controller_in("c1", "one");
    lattice.until_leads("c1").await;
    let _second = lattice.controller_in("c1", "other");
    let reported = until("both are there", async || {
        Some(reports(&lattice).await).filter(|reports| reports.len() == 2)
    });
    assert_eq!(reported.await.iter().filter(|report| report.leads).count(), 1);
    let (_, lease) = lattice.lease().await.unwrap();
    for app in 0..20 {
        let put = lattice.ask(AppSubject::Put, manifest(&format!("app{app}"), "v1", "")).await;
        let put: Value = put;
        assert_eq!(put["result"], "created", "{put}");
    }
    let after = lattice.lease().await.unwrap().1;
    assert_eq!((after.boot, after.epoch), (lease.boot, lease.epoch), "nobody took it over");
    // By name both are asked, and who does not lead does not spoil the answer for long.
    first.kill().await;
    let next = until("the other leads", async || {
        let (_, now) = lattice.lease().await?;
        (now.boot != lease.boot).then_some(now)
    });
    assert!(lease.epoch < next.await.epoch);
    let list: Value = lattice.ask(AppSubject::List, "").await;
    assert_eq!(list.as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_wadm_that_comes_later_has_the_prefix_for_itself() {
    let lattice = Lattice::start().await;
    let _controller = lattice.controller("c1");
    lattice.until_leads("c1").await;
    lattice.ask::<Value>(AppSubject::List, "").await;
    let wadm = lattice.nats.join(&lattice.id).await;
    let mut requests = wadm.subscribe(&Pattern::Apps).await.unwrap();
    let answers = tokio::spawn(async move {
        while let Some(asked) = requests.next().await {
            wadm.respond(&asked.reply.unwrap(), "[]".into()).await.unwrap();
        }
    });
    // It looks every 30 s.
    let taken = async { while !reports(&lattice).await.iter().any(|report| report.api_taken) {} };
    tokio::time::timeout(Duration::from_secs(60), taken).await.expect("it is noticed");
    for _ in 0..20 {
        let reply = lattice.asked(&Subject::App(AppSubject::List), &[], "").await;
        assert_eq!(reply.headers.get(headers::CONTROLLER), None, "{reply:?}");
    }
    answers.abort();
}
