//! Components started by hand, in the words of the 1.x clients: how long they stay, and who may.

use serde_json::{Value, json};
use wattle_lattice::subject::ControlSubject;
use wattle_lattice::{Pattern, Subject, Subscription, ctl};
use wattle_types::{ActorReport, ActorState, HostId, IdRecord, Key, Life, Owner, stored};

use crate::kit::{Lattice, PATIENCE, spec, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_started_by_hand_survives_a_restart_of_the_host_and_a_session_does_not() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let image = lattice.component("http-hello");
    accepted(&scale(&lattice, host.id, "kept", &image, 2, json!({})).await);
    let managed = json!({ Life::MANAGED_BY: "wadm" });
    accepted(&scale(&lattice, host.id, "lent", &image, 1, managed).await);
    until_ready(&lattice, host.id, &["kept", "lent"]).await;
    assert_eq!(owner(&lattice, "kept").await, Some((Owner::Manual, vec![host.id])));
    assert_eq!(owner(&lattice, "lent").await, Some((Owner::Session, vec![host.id])));

    // As a machine that loses power; and what is at the image's place is gone by then.
    lattice.kill(host).await;
    std::fs::remove_file(image.strip_prefix("file://").unwrap()).unwrap();
    let host = lattice.host("one").await;
    let actors = until_ready(&lattice, host.id, &["kept"]).await;
    assert_eq!((actors[0].count, &actors[0].owner), (2, &Owner::Manual));
    until("the session's id is free", async || {
        owner(&lattice, "lent").await.is_none().then_some(())
    })
    .await;

    // What is stopped stays so.
    accepted(&scale(&lattice, host.id, "kept", &image, 0, json!({})).await);
    until("the id is free", async || owner(&lattice, "kept").await.is_none().then_some(())).await;
    lattice.kill(host).await;
    let host = lattice.host("one").await;
    assert_eq!(until_ready(&lattice, host.id, &[]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_comes_to_is_told_with_its_own_annotations() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let mut events = lattice.connection.subscribe(&Pattern::Events).await.unwrap();
    lattice.connection.flush(PATIENCE).await.unwrap();
    let image = lattice.component("http-hello");
    let mine = json!({"who": "me"});
    accepted(&scale(&lattice, host.id, "hello", &image, 2, mine.clone()).await);
    let scaled = next(&mut events, "component_scaled").await;
    let told = json!({
        "component_id": "hello", "image_ref": image, "max_instances": 2, "annotations": mine,
        "host_id": host.id.to_string(),
    });
    assert_eq!(scaled, told);
    // Nothing changes, and whoever waits hears of it.
    accepted(&scale(&lattice, host.id, "hello", &image, 2, mine).await);
    assert_eq!(next(&mut events, "component_scaled").await, told);

    let gone = format!("{image}.not-there");
    let update = json!({
        "component_id": "hello", "new_component_ref": gone, "host_id": host.id.to_string(),
    });
    let subject = ControlSubject::ComponentUpdate { host: host.id };
    accepted(&ask(&lattice, subject, &update).await);
    let failed = next(&mut events, "component_scale_failed").await;
    assert_eq!(failed["image_ref"], gone);
    assert!(failed["error"].as_str().unwrap().contains("WT-HOST-NOT-FOUND"), "{failed}");
    // What ran goes on.
    let running = lattice.ask_inventory(host.id).await.unwrap().actors;
    assert!(running.iter().any(|actor| actor.state == ActorState::Ready), "{running:?}");

    accepted(&scale(&lattice, host.id, "hello", &image, 0, json!({"why": "done"})).await);
    let ended = next(&mut events, "component_scaled").await;
    assert_eq!((&ended["max_instances"], &ended["image_ref"]), (&json!(0), &json!(image)));
    assert_eq!(ended["annotations"], json!({"why": "done"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_owns_is_not_changed_by_hand() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let image = lattice.component("http-hello");
    let hello = spec("hello", &image, "/");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;
    for count in [0, 5] {
        let reply = scale(&lattice, host.id, "hello", &image, count, json!({})).await;
        assert_eq!(reply["success"], false);
        let message = reply["message"].as_str().unwrap();
        assert!(message.starts_with("hello belongs to application shop"), "{message}");
    }
    // Nor where it does not run.
    let other = lattice.host("two").await;
    let reply = scale(&lattice, other.id, "hello", &image, 1, json!({})).await;
    assert!(reply["message"].as_str().unwrap().contains("belongs to application shop"), "{reply}");
    lattice.until_ready(&host, &assigned).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_by_hand_is_adopted_by_an_application_without_a_restart() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let image = lattice.component("http-hello");
    accepted(&scale(&lattice, host.id, "hello", &image, 2, json!({})).await);
    until_ready(&lattice, host.id, &["hello"]).await;
    let mut events = lattice.connection.subscribe(&Pattern::Events).await.unwrap();
    lattice.connection.flush(PATIENCE).await.unwrap();
    // It could not be started any more.
    std::fs::remove_file(image.strip_prefix("file://").unwrap()).unwrap();
    let hello = spec("hello", &image, "/");
    let assigned = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &assigned).await;
    host.until_ok("/").await;
    assert_eq!(owner(&lattice, "hello").await, Some((Owner::App("shop".parse().unwrap()), vec![])));
    let reply = scale(&lattice, host.id, "hello", &image, 0, json!({})).await;
    assert_eq!(reply["success"], false);
    // It is kept under its new name too.
    lattice.kill(host).await;
    let host = lattice.host("one").await;
    lattice.until_ready(&host, &assigned).await;
    let ended = async {
        loop {
            let data = next(&mut events, "component_scaled").await;
            if data["max_instances"] == 0 {
                return data;
            }
        }
    };
    let nothing = lattice.assign(&host, &[]).await;
    lattice.until_ready(&host, &nothing).await;
    assert_eq!(ended.await["component_id"], "hello", "it ended once, and at the end");
}

async fn scale(
    lattice: &Lattice,
    host: HostId,
    id: &str,
    image: &str,
    count: u32,
    annotations: Value,
) -> Value {
    let asked = json!({
        "component_ref": image, "component_id": id, "count": count, "annotations": annotations,
        "host_id": host.to_string(), "config": [],
    });
    ask(lattice, ControlSubject::ComponentScale { host }, &asked).await
}

async fn ask(lattice: &Lattice, control: ControlSubject, asked: &Value) -> Value {
    let subject = Subject::Control(control);
    let reply = lattice.connection.request(&subject, ctl::encode(asked), PATIENCE).await;
    serde_json::from_slice(&reply.unwrap().payload).unwrap()
}

fn accepted(reply: &Value) {
    assert_eq!(*reply, json!({"success": true, "message": ""}));
}

/// The data of the next event of a kind.
async fn next(events: &mut Subscription, kind: &str) -> Value {
    let found = async {
        loop {
            let event = events.next().await.unwrap();
            let event: Value = serde_json::from_slice(&event.payload).unwrap();
            if event["type"].as_str().unwrap().ends_with(&format!(".{kind}")) {
                return event["data"].clone();
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {kind}"))
}

/// Waits until these run on a host, and nothing else.
async fn until_ready(lattice: &Lattice, host: HostId, ids: &[&str]) -> Vec<ActorReport> {
    until(&format!("{ids:?} run"), async || {
        let actors = lattice.ask_inventory(host).await?.actors;
        let running: Vec<&str> = actors.iter().map(|actor| actor.id.as_str()).collect();
        let ready = actors.iter().all(|actor| actor.state == ActorState::Ready);
        (running == ids && ready).then_some(actors)
    })
    .await
}

/// Who owns an id, and which hosts run it by hand.
async fn owner(lattice: &Lattice, id: &str) -> Option<(Owner, Vec<HostId>)> {
    let stored = lattice.store.read_leader(&Key::Id(id.parse().unwrap())).await.unwrap()?;
    let record: IdRecord = stored::decode("a record", stored.value()?).unwrap();
    Some((record.owner, record.hosts.into_iter().collect()))
}
