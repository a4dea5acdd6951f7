//! From assignment to answer, through restarts, lost servers and the end.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use wattle_host::RunError;
use wattle_host::join::JoinError;
use wattle_host::listener::ListenError;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{ConnectConfig, Connection, Pattern};
use wattle_types::ActorState;

use crate::kit::{self, Lattice, PATIENCE, Running, spec, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_assigned_is_served() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    assert_eq!(host.get("/").await.0, StatusCode::NOT_FOUND);
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;
    assert_eq!(host.get("/").await, (StatusCode::OK, "Hello, world!\n".to_owned()));

    let nothing = lattice.assign(&host, &[]).await;
    lattice.until_ready(&host, &nothing).await;
    let (status, text) = host.get("/").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the route is known for a while: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_component_says_why_and_keeps_no_other_from_serving() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let signed = lattice.component("http-hello");
    let images = [
        ("absent", format!("file://{}/absent.wasm", lattice.dir.path().display())),
        ("core", lattice.file("core", b"\0asm\x01\0\0\0")),
        ("hello", signed),
        ("text", lattice.file("text", b"this is no WebAssembly at all")),
        ("unsigned", lattice.file("unsigned", &kit::guest("http-hello"))),
        ("wrong-image", "registry.example/hello:1".to_owned()),
    ];
    let specs: Vec<_> =
        images.iter().map(|(id, image)| spec(id, image, &format!("/{id}"))).collect();
    let assigned = lattice.assign(&host, &specs.iter().collect::<Vec<_>>()).await;
    let settled = |state: &ActorState| *state != ActorState::Starting;
    let inventory = lattice.until_settled(&host, &assigned, settled).await;
    let states: Vec<String> = inventory
        .actors
        .iter()
        .map(|actor| match &actor.state {
            ActorState::Failed { code, .. } => format!("{}: {code}", actor.id),
            state => format!("{}: {state}", actor.id),
        })
        .collect();
    assert_eq!(
        states,
        [
            "absent: WT-HOST-NOT-FOUND",
            "core: WT-TRUST-CORE-MODULE",
            "hello: ready",
            "text: WT-TRUST-NOT-WASM",
            "unsigned: WT-TRUST-UNSIGNED",
            "wrong-image: WT-HOST-IMAGE",
        ]
    );
    assert_eq!(host.get("/hello").await.0, StatusCode::OK);

    // Repaired in its place, it starts by itself.
    let repaired = std::fs::read(lattice.dir.path().join("http-hello.wasm")).unwrap();
    lattice.file("text", &repaired);
    host.until_ok("/text").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_image_takes_over_without_a_lost_request() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let old = spec("web", &lattice.component("http-hello"), "/hello");
    let assigned = lattice.assign(&host, &[&old]).await;
    lattice.until_ready(&host, &assigned).await;

    let addr = host.addr;
    let (done, mut is_done) = tokio::sync::watch::channel(false);
    let client = tokio::spawn(async move {
        let (mut statuses, mut texts) = (Vec::new(), Vec::new());
        while !*is_done.borrow_and_update() {
            let (status, text) = kit::get(addr, "/hello").await;
            statuses.push(status);
            texts.push(text);
        }
        (statuses, texts)
    });
    let new = spec("web", &lattice.component("exerciser"), "/hello");
    let assigned = lattice.assign(&host, &[&new]).await;
    lattice.until_ready(&host, &assigned).await;
    until("the new one answers", async || (host.get("/hello").await.1 == "hello").then_some(()))
        .await;
    done.send(true).unwrap();
    let (statuses, texts) = client.await.unwrap();
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert!(texts.contains(&"Hello, world!\n".to_owned()), "the old one answered meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_serves_on_without_nats_and_rejoins() {
    let mut lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let hello = spec("hello", &lattice.component("http-hello"), "/hello");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;

    lattice.nats.kill();
    let mut link = lattice.connection.connected();
    link.wait_for(|link| !link.up).await.unwrap();
    for _ in 0..20 {
        assert_eq!(host.get("/hello").await.0, StatusCode::OK);
    }
    lattice.nats.restart();
    link.wait_for(|link| link.up).await.unwrap();
    let other = spec("other", &lattice.component("exerciser"), "/");
    let assigned = lattice.assign(&host, &[&hello, &other]).await;
    lattice.until_ready(&host, &assigned).await;
    assert_eq!(host.get("/count").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_restarts_from_its_disk_without_nats() {
    let mut lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let id = host.id;
    let hello = spec("hello", &lattice.component("http-hello"), "/hello");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;
    host.kill().await;
    lattice.nats.kill();
    // The place it came from is out of reach, too.
    std::fs::remove_file(lattice.dir.path().join("http-hello.wasm")).unwrap();

    let again = until("the data folder is free", async || {
        Running::try_start(lattice.config("one")).await.ok()
    })
    .await;
    assert_eq!(again.id, id, "it is the same host");
    assert_eq!(again.until_ok("/hello").await, "Hello, world!\n");

    lattice.nats.restart();
    let inventory = lattice.inventory_of(&again).await;
    assert_eq!(inventory.applied.unwrap().generation, assigned.generation);
    let nothing = lattice.assign(&again, &[]).await;
    lattice.until_ready(&again, &nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_waits_for_a_nats_that_is_not_there_yet() {
    let lattice = Lattice::start().await;
    let port = NatsServer::free_port();
    let mut config = lattice.config("early");
    config.nats_url = format!("nats://127.0.0.1:{port}");
    let host = Running::start(config).await;
    assert_eq!(host.get("/").await.0, StatusCode::NOT_FOUND, "it listens already");
    let late = NatsServer::start_at(port);
    let connect = ConnectConfig::client(late.url(), lattice.id.clone());
    let connection = Connection::connect(connect, |_| {}).await.unwrap();
    let mut beats = connection.subscribe(&Pattern::BeatsOf { host: host.id }).await.unwrap();
    tokio::time::timeout(PATIENCE, beats.next()).await.expect("it joins").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_waits_for_nats_can_be_stopped() {
    let lattice = Lattice::start().await;
    let mut config = lattice.config("early");
    config.nats_url = format!("nats://127.0.0.1:{}", NatsServer::free_port());
    Running::start(config).await.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_leaves_finishes_what_is_in_flight_and_takes_nothing_new() {
    let lattice = Lattice::start().await;
    let mut host = lattice.host("one").await;
    let slow = spec("slow", &lattice.component("exerciser"), "/");
    let assigned = lattice.assign(&host, &[&slow]).await;
    lattice.until_ready(&host, &assigned).await;
    let mut events = lattice.connection.subscribe(&Pattern::Events).await.unwrap();
    let mut beats =
        lattice.connection.subscribe(&Pattern::BeatsOf { host: host.id }).await.unwrap();
    lattice.connection.flush(PATIENCE).await.unwrap();

    let request = Request::get("/slow?times=20&ms=50").body(Full::default()).unwrap();
    let response = kit::begin(host.addr, request).await.unwrap();
    host.ask_to_stop();
    until("nobody listens any more", async || {
        tokio::net::TcpStream::connect(host.addr).await.err()
    })
    .await;
    let body = tokio::time::timeout(PATIENCE, response.into_body().collect()).await.unwrap();
    let body = body.expect("the answer is whole").to_bytes();
    assert_eq!(body.split(|byte| *byte == b' ').count(), 21, "{body:?}");
    host.ended().await.unwrap();

    let said = until("the last words", async || {
        let event = events.next().await.unwrap();
        let event: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
        (event["type"] == "com.wasmcloud.lattice.host_stopped").then_some(event)
    })
    .await;
    assert_eq!(said["source"], host.id.to_string());
    let drained = until("a beat says that it drains", async || {
        let beat = tokio::time::timeout(Duration::from_secs(5), beats.next()).await.ok()??;
        let beat: wattle_types::Beat =
            wattle_types::stored::decode("a beat", &beat.payload).unwrap();
        beat.draining.then_some(())
    });
    drained.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_folder_does_not_join_beside_its_original() {
    let lattice = Lattice::start().await;
    let original = lattice.host("one").await;
    let copy = lattice.dir.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(lattice.dir.path().join("one/host.nk"), copy.join("host.nk")).unwrap();
    let mut cloned = Running::start(lattice.config("copy")).await;
    assert_eq!(cloned.id, original.id);
    let error = cloned.ended().await.unwrap_err();
    let RunError::Join(JoinError::Clone { name, at, .. }) = error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), at), ("one", format!(" at {}", original.addr)));
    // The original does not mind.
    lattice.inventory_of(&original).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_configuration_is_said_before_anything_starts() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let mut taken = lattice.config("two");
    taken.http_addr = Some(host.addr);
    let error = Running::try_start(taken).await.map(drop).unwrap_err();
    assert!(matches!(error, RunError::Listen(ListenError::Taken { .. })), "{error:?}");

    let in_use = Running::try_start(lattice.config("one")).await.map(drop).unwrap_err();
    assert!(matches!(in_use, RunError::Disk(_)), "{in_use:?}");

    let mut label = lattice.config("three");
    label.labels.insert("hostcore.arch".to_owned(), "pdp11".to_owned());
    let label = Running::try_start(label).await.map(drop).unwrap_err();
    assert!(matches!(label, RunError::Label(_)), "{label:?}");

    let mut outbound = lattice.config("four");
    outbound.outbound = vec!["http://api.example/".to_owned()];
    let outbound = Running::try_start(outbound).await.map(drop).unwrap_err();
    assert!(matches!(outbound, RunError::Outbound { .. }), "{outbound:?}");
}
