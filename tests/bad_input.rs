//! What goes wrong, and what it says then.

use std::time::Duration;

use rustix::process::Signal;
use wattle_tests::{
    Component, Host, Lattice, Look, NatsServer, Process, Said, UNKNOWN_IMPORT, binary,
    controller_arguments, get, guest, manifest, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

/// Names that would break a subject, and one that is too long.
fn broken_names() -> Vec<String> {
    let mut names: Vec<String> =
        ["a.b", "*", ">", "a b", " ", "a\tb", "ä", "a/b"].map(str::to_owned).to_vec();
    names.push("x".repeat(300));
    names
}

#[tokio::test]
async fn without_nats_a_host_says_that_it_waits_and_joins_when_it_comes() {
    let home = home_with_keys().await;
    let port = NatsServer::free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let host = Host::start("early", "cloud", &url, home.path());
    host.process.says("waiting for NATS", WITHIN).await;
    let controller = Process::start(
        "controller",
        binary(),
        &controller_arguments(&url, home.path(), "controller"),
        home.path(),
    );
    controller.says("waiting for NATS", WITHIN).await;
    let server = NatsServer::start_at(port);
    let pid = host.process.pid();
    wait_until("the host answers", WITHIN, async || {
        let said = Said::by(
            home.path(),
            ["get", "hosts", "--nats-url", &server.url(), "--lattice", "story"],
        )
        .await;
        Look::some(said.out.contains("early").then_some(()), || {
            format!("{said:?}; {}", host.process.log())
        })
    })
    .await;
    assert_eq!(host.process.pid(), pid);
}

#[tokio::test]
async fn without_nats_a_host_and_a_controller_stop_when_asked() {
    let home = home_with_keys().await;
    let url = format!("nats://127.0.0.1:{}", NatsServer::free_port());
    let controller = Process::start(
        "controller",
        binary(),
        &controller_arguments(&url, home.path(), "controller"),
        home.path(),
    );
    let host = Host::start("early", "cloud", &url, home.path()).process;
    for mut process in [host, controller] {
        process.says("waiting for NATS", WITHIN).await;
        process.signal(Signal::INT);
        let status = process.end(WITHIN).await;
        assert!(status.success(), "{status}: {}", process.log());
    }
}

#[tokio::test]
async fn when_nats_goes_hosts_serve_what_they_run_and_rejoin_without_a_restart() {
    let mut lattice = Lattice::start(&[("one", "cloud"), ("two", "cloud")]).await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let mut app = manifest("greeting", &[("hello", &image, Some("/"))]);
    app["spec"]["components"][0]["traits"][0]["type"] = "daemonscaler".into();
    lattice.deploy(&app).await.fine();
    lattice.until_status("greeting", "deployed").await;
    // Deployed may be said before the controller knew of both hosts.
    wait_until("both hosts run it", WITHIN, async || {
        let running = lattice.hosts_of("greeting-hello").await;
        Look::some((running.len() == 2).then_some(()), || format!("{running:?}"))
    })
    .await;
    let pids: Vec<u32> = lattice.hosts.values().map(|host| host.process.pid()).collect();

    lattice.nats.nodes[0].kill();
    for (name, host) in &lattice.hosts {
        let answer =
            get(host.listener, "/").await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }

    lattice.nats.nodes[0].restart();
    lattice.until_joined(2).await;
    lattice.deploy(&manifest("later", &[("hello", &image, Some("/later"))])).await.fine();
    lattice.until_status("later", "deployed").await;
    assert_eq!(lattice.hosts.values().map(|host| host.process.pid()).collect::<Vec<_>>(), pids);
}

#[tokio::test]
async fn a_malformed_manifest_is_refused_with_line_and_column_and_nothing_is_stored() {
    let lattice = Lattice::start(&[("one", "cloud")]).await;
    let head = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: broken\n";
    for (name, tail, line) in [
        ("unknown-field", "spec:\n  componants: []\n", 6),
        ("no-yaml", "spec: [\n", 5),
        ("wrong-type", "spec:\n  components: 7\n", 6),
    ] {
        let file = lattice.file(&format!("{name}.yaml"), format!("{head}{tail}"));
        let complaint =
            lattice.wattle(["app".as_ref(), "deploy".as_ref(), file.as_os_str()]).await.complaint();
        let place = format!("line {line}");
        assert!(complaint.contains(&place) && complaint.contains("column"), "{name}: {complaint}");
    }
    assert_eq!(lattice.wattle(["app", "list", "-o", "json"]).await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn what_cannot_run_is_named_with_what_helps_and_the_others_start() {
    let lattice = Lattice::start(&[("one", "cloud")]).await;
    let good = lattice.signed("good", &guest("http-hello"));
    let broken = [
        ("absent", "file:///surely/not/there.wasm".to_owned(), "/surely/not/there.wasm"),
        ("core", lattice.image("core", &Component::core_module()), "core module"),
        ("script", lattice.image("script", &Component::no_wasm()), "not a WebAssembly file"),
        ("unsigned", lattice.image("unsigned", &guest("http-hello")), "not signed"),
        (
            "wants-weather",
            lattice.signed("weather", &Component::with_unknown_import()),
            UNKNOWN_IMPORT,
        ),
    ];
    let mut components = vec![("good", good.as_str(), Some("/"))];
    components.extend(broken.iter().map(|(name, image, _)| (*name, image.as_str(), None)));
    lattice.deploy(&manifest("mixed", &components)).await.fine();
    let status = lattice.until_status("mixed", "failed").await;
    for (name, _, words) in &broken {
        wait_until(&format!("the status says why {name} does not run"), WITHIN, async || {
            let status = lattice.status("mixed").await;
            let said = status["scalers"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|scaler| scaler["name"] == *name);
            let message =
                said.and_then(|scaler| scaler["status"]["message"].as_str()).unwrap_or_default();
            Look::some(message.contains(words).then_some(()), || status.to_string())
        })
        .await;
    }
    let answer = wait_until("the good one answers", WITHIN, async || {
        let answer = get(lattice.host("one").listener, "/").await;
        let fine = answer.as_ref().ok().filter(|answer| answer.status == 200).cloned();
        Look::some(fine, || format!("{answer:?}; {status}"))
    });
    assert!(!answer.await.body.is_empty());
}

#[tokio::test]
async fn a_host_whose_port_is_taken_says_so_at_once() {
    let home = home_with_keys().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let nats = NatsServer::start();
    let trust = home.path().join("trust.toml").to_str().unwrap().to_owned();
    let arguments = ["host", "--nats-url", &nats.url(), "--trust", &trust, "--http-addr", &address];
    let complaint = Said::by(home.path(), arguments).await.complaint();
    assert!(complaint.contains(&address), "{complaint}");
}

#[tokio::test]
async fn the_second_application_with_one_route_is_refused_at_deploy() {
    let lattice = Lattice::start(&[("one", "cloud")]).await;
    let image = lattice.signed("hello", &guest("http-hello"));
    lattice.deploy(&manifest("first", &[("hello", &image, Some("/"))])).await.fine();
    lattice.until_status("first", "deployed").await;
    let complaint =
        lattice.deploy(&manifest("second", &[("hello", &image, Some("/"))])).await.complaint();
    assert!(
        complaint.contains("first") && complaint.contains('/'),
        "it names the other: {complaint}"
    );
    lattice.deploy(&manifest("third", &[("hello", &image, Some("/third"))])).await.fine();
    lattice.until_status("third", "deployed").await;
}

#[tokio::test]
async fn names_that_would_break_a_subject_are_refused_at_every_edge() {
    let lattice = Lattice::start(&[("one", "cloud")]).await;
    for name in broken_names() {
        let edges: [&[&str]; 13] = [
            &["describe", &name],
            &["spy", &name],
            &["link", "put", &name, "b", "c", "d", "--interface", "e"],
            &["link", "put", "a", "b", "c", "d", "--interface", &name],
            &["link", "del", "a", "b", &name],
            &["link", "query", &name],
            &["config", "put", &name, "a=b"],
            &["app", "status", &name],
            &["app", "undeploy", &name],
            &["app", "delete", &name],
            &["call", &name],
            &["get", "hosts", "--lattice", &name],
            &["host", "--lattice", &name],
        ];
        for edge in edges {
            // Not through the lattice's own helper: it names the lattice as well.
            let home = tempfile::tempdir().unwrap();
            let url = lattice.nats.url();
            let arguments = [edge, &["--nats-url", &url]].concat();
            let complaint = Said::by(home.path(), &arguments).await.complaint();
            assert!(complaint.contains("name"), "{arguments:?}: {complaint}");
        }
        let image = "file:///nowhere.wasm";
        let mut with_id = manifest("fine", &[("hello", image, None)]);
        with_id["spec"]["components"][0]["properties"]["id"] = name.clone().into();
        let with_name = manifest(&name, &[("hello", image, None)]);
        for (edge, manifest) in [("id", with_id), ("name", with_name)] {
            let file = lattice.file("broken.json", manifest.to_string());
            let said = lattice.wattle(["app".as_ref(), "deploy".as_ref(), file.as_os_str()]).await;
            assert!(!said.complaint().is_empty(), "{edge} {name:?}");
        }
    }
    assert_eq!(lattice.wattle(["app", "list", "-o", "json"]).await.json(), serde_json::json!([]));
}

/// A folder with a controller's key and a trust file, for processes outside a whole lattice.
async fn home_with_keys() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (issuer, controller, trust) =
        (path("issuer.nk"), path("controller.nk"), path("trust.toml"));
    Said::by(home.path(), ["keys", "gen", "account", "--output", &issuer]).await.fine();
    Said::by(home.path(), ["keys", "gen", "controller", "--output", &controller]).await.fine();
    let files = ["--issuer", &issuer, "--controller", &controller, "--output", &trust];
    Said::by(home.path(), [&["trust", "init"], &files[..]].concat()).await.fine();
    home
}
