//! The story of the demo: a signed component, placed by a manifest, answers from a lattice, and goes on when
//! the host that runs it dies.

use std::{path::Path, time::Duration};

use wattle_tests::{Lattice, Look, Process, get, guest, manifest, wait_until};

const HOSTS: [(&str, &str); 3] = [("cloud-1", "cloud"), ("cloud-2", "cloud"), ("edge-1", "edge")];

/// The goal is three seconds; a loaded machine that runs debug builds gets more.
const BACK_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_actor_answers_through_every_host_and_survives_the_one_that_runs_it() {
    let mut lattice = Lattice::start(&HOSTS).await;
    let image = lattice.signed("counter", &guest("http-counter"));
    lattice.deploy(&manifest("visits", &[("counter", &image, Some("/"))])).await.fine();
    lattice.until_status("visits", "deployed").await;

    let mut count = 0;
    for (name, host) in &lattice.hosts {
        let next = answered(&lattice, host.listener).await;
        assert!(count < next, "{name} counted {next} after {count}");
        count = next;
    }

    let running = lattice.hosts_of("visits-counter").await;
    assert_eq!(running.len(), 1, "one instance was asked for");
    lattice.host_mut(&running[0]).process.kill().await;
    let door = lattice
        .hosts
        .iter()
        .find(|(name, _)| **name != running[0])
        .expect("three hosts")
        .1
        .listener;
    let after = answered(&lattice, door).await;
    assert!(count < after, "the count was {count} before the kill and is {after} after it");

    lattice.hosts.remove(&running[0]);
    wait_until("another host runs it", BACK_WITHIN, async || {
        let now = lattice.hosts_of("visits-counter").await;
        Look::some((now.len() == 1 && now != running).then_some(()), || format!("{now:?}"))
    })
    .await;
}

/// The count of the next request that is answered with 200.
async fn answered(lattice: &Lattice, door: std::net::SocketAddr) -> u64 {
    let answer = wait_until("a request is answered with 200", BACK_WITHIN, async || {
        match get(door, "/a%20b").await {
            Ok(answer) if answer.status == 200 => Look::Met(answer),
            other => Look::NotYet(format!("{other:?}; {}", lattice.logs())),
        }
    });
    let answer = answer.await;
    answer.count().unwrap_or_else(|| panic!("no count in {answer:?}"))
}

#[tokio::test]
async fn placement_follows_labels_and_a_daemonscaler_runs_on_every_match() {
    let lattice = Lattice::start(&HOSTS).await;
    let image = lattice.signed("counter", &guest("http-counter"));
    let mut app = manifest("visits", &[("edge", &image, None), ("clouds", &image, None)]);
    let spread = |zone: &str| serde_json::json!([{"name": zone, "requirements": {"zone": zone}}]);
    let components = &mut app["spec"]["components"];
    components[0]["traits"][0]["properties"]["spread"] = spread("edge");
    components[1]["traits"][0]["type"] = "daemonscaler".into();
    components[1]["traits"][0]["properties"]["spread"] = spread("cloud");
    lattice.deploy(&app).await.fine();
    lattice.until_status("visits", "deployed").await;
    assert_eq!(lattice.hosts_of("visits-edge").await, ["edge-1"]);
    assert_eq!(lattice.hosts_of("visits-clouds").await, ["cloud-1", "cloud-2"]);
}

#[tokio::test]
async fn an_application_that_is_undeployed_stops_and_answers_no_more() {
    let lattice = Lattice::start(&HOSTS[..1]).await;
    let image = lattice.signed("counter", &guest("http-counter"));
    lattice.deploy(&manifest("visits", &[("counter", &image, Some("/"))])).await.fine();
    lattice.until_status("visits", "deployed").await;
    lattice.wattle(["app", "undeploy", "visits"]).await.fine();
    wait_until("nothing runs any more", BACK_WITHIN, async || {
        let running = lattice.hosts_of("visits-counter").await;
        let answer = get(lattice.host("cloud-1").listener, "/").await;
        // 503 while the route is remembered, in case the actor only moves; 404 afterwards.
        let gone = running.is_empty()
            && answer.as_ref().is_ok_and(|answer| matches!(answer.status, 404 | 503));
        Look::some(gone.then_some(()), || format!("on {running:?}, {answer:?}"))
    })
    .await;
}

#[tokio::test]
async fn the_demo_ends_by_ctrl_c_and_leaves_no_process_behind() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is in the root");
    let folder = tempfile::tempdir().expect("make a folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["run", "--quiet", "--package", "xtask", "--manifest-path"];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(root.join("Cargo.toml").to_string_lossy().into_owned());
    arguments.extend(["--", "demo"].map(str::to_owned));
    let mut demo = Process::start("demo", Path::new(&cargo), &arguments, folder.path());
    demo.says("Ctrl-C ends everything", Duration::from_secs(300)).await;
    let children = processes_of(demo.pid());
    assert_eq!(children.len(), 5, "nats-server, a controller and three hosts: {children:?}");
    demo.signal(rustix::process::Signal::INT);
    let status = demo.end(Duration::from_secs(60)).await;
    assert!(status.success(), "{status}: {}", demo.log());
    for child in children {
        assert!(!Path::new("/proc").join(child.to_string()).exists(), "{child} was left behind");
    }
}

/// The direct children of a process, by what the kernel says of every process.
fn processes_of(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("list processes").flatten();
    all.filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // `pid (name) state parent …`; the name may contain anything, also parentheses.
        let parent_of: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (parent_of == parent).then_some(())?;
        entry.file_name().to_str()?.parse().ok()
    })
    .collect()
}
