//! Limits: moved by a manifest, capped by a host, hit by a guest, and seen with what is used.

use std::time::Duration;

use serde_json::{Value, json};
use wattle_tests::{Lattice, Look, begin, callers::add_trait, get, guest, manifest, wait_until};

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_guest_that_hits_a_limit_of_its_manifest_is_counted_beside_it() {
    let lattice = capped().await;
    let image = lattice.signed("exerciser", &guest("exerciser"));
    let mut app = manifest("small", &[("guest", &image, Some("/"))]);
    let limits = json!({"memory": "16MiB", "random": "1KiB", "concurrency": 1, "execution": "3s"});
    add_trait(&mut app, "guest", json!({"type": "limits", "properties": limits}));
    lattice.deployed(&mut app, "v1").await;
    let door = lattice.host("one").listener;

    let fine = get(door, "/memory?mib=8").await.unwrap();
    assert_eq!((fine.status, fine.body), (200, (8 << 20).to_string()));
    for path in ["/memory?mib=24", "/random?bytes=2000", "/exit?status=3", "/trap", "/spin"] {
        let answer = get(door, path).await.unwrap();
        assert!(500 <= answer.status, "{path}: {answer:?}");
    }
    let slow = begin(door, "small", "/slow?times=1000000&ms=10").await.unwrap();
    let refused = get(door, "/hello").await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    drop(slow);

    let run = wait_until("every call has ended", WITHIN, async || {
        let run = run_of(&lattice, "small-guest").await;
        let calls = &run["usage"]["calls"];
        let ended = calls["abandoned"] == 1 && run["usage"]["load"]["in_flight"] == 0;
        Look::some(ended.then(|| run.clone()), || run.to_string())
    })
    .await;
    let limit = |name: &str| {
        let rows = run["limits"].as_array().expect("limits are a list");
        let row = rows.iter().find(|row| row["name"] == name);
        row.map(|row| (row["value"].clone(), row["max"].clone(), row["source"].clone()))
    };
    let row = |value: u64, max: u64, source: &str| Some((value.into(), max.into(), source.into()));
    assert_eq!(limit("memory"), row(16 << 20, 32 << 20, "manifest"));
    assert_eq!(limit("handles"), row(1_000, 1_000, "host-cap"));
    assert_eq!(limit("resources"), row(1_024, 16_384, "default"));

    let usage = &run["usage"];
    let traps = json!({"memory": 1, "host": 1, "exit": 1, "unreachable": 1});
    assert_eq!(usage["traps"], traps, "{usage}");
    let calls =
        json!({"begun": 7, "done": 1, "failed": 5, "abandoned": 1, "refused": 1, "late": 1});
    assert_eq!(usage["calls"], calls, "{usage}");
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is no number"));
    let peak = number(&usage["memory_bytes_peak"]);
    assert!((8 << 20..=16 << 20).contains(&peak), "{usage}");
    assert_eq!(usage["memory_bytes"], 0, "{usage}");
    assert!(1_000_000 < number(&usage["processor_us"]), "it spun for three seconds: {usage}");
    assert_eq!((&usage["instances"]["made"], &usage["instances"]["live"]), (&7.into(), &0.into()));

    let text = lattice.wattle(["get", "limits", "small-guest"]).await.fine();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(words).collect();
    for line in ["one handles 1000 host cap 1000", "one traps unreachable 1"] {
        assert!(lines.iter().any(|known| known == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_wish_above_what_a_host_grants_is_refused_in_words() {
    let lattice = capped().await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let asking = |app: &str, memory: &str| {
        let mut app = manifest(app, &[("hello", &image, Some("/"))]);
        let limits = json!({"type": "limits", "properties": {"memory": memory}});
        add_trait(&mut app, "hello", limits);
        app
    };
    // What no host grants is not even stored.
    let complaint = lattice.deploy(&asking("huge", "1GiB")).await.complaint();
    assert!(complaint.contains("hosts grant 64KiB to 128MiB"), "{complaint}");

    lattice.deploy(&asking("large", "64MiB")).await.fine();
    let status = lattice.until_status("large", "failed").await.to_string();
    let why = "it asks for memory = 64MiB, and this host grants 64KiB to 32MiB";
    assert!(status.contains(why) && status.contains("WT-ENGINE-LIMIT"), "{status}");
    let complaint = lattice.wattle(["get", "limits", "large-hello"]).await.complaint();
    assert!(complaint.contains("no host that answers runs large-hello"), "{complaint}");
}

async fn capped() -> Lattice {
    let caps = ["--cap", "memory=32MiB", "--cap", "handles=1000"].map(str::to_owned);
    Lattice::start_with(&[("one", "a")], |_| caps.to_vec()).await
}

/// What the one host says of the one run of an actor.
async fn run_of(lattice: &Lattice, actor: &str) -> Value {
    let said = lattice.wattle(["get", "limits", actor, "-o", "json"]).await.json();
    let [host] = &said.as_array().expect("hosts are a list")[..] else { panic!("{said}") };
    let [run] = &host["runs"].as_array().expect("runs are a list")[..] else { panic!("{said}") };
    assert_eq!((&host["name"], &run["serving"]), (&"one".into(), &true.into()), "{said}");
    run.clone()
}
