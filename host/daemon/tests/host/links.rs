//! Links and configuration: put, changed and deleted while actors run.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wattle_lattice::subject::ControlSubject;
use wattle_types::{ActorSpec, LinkState, Owner};

use crate::kit::{Lattice, Running, spec, until};

fn link(target: &str, interfaces: &[&str]) -> Value {
    json!({
        "source_id": "relay", "target": target, "wit_namespace": "wattle-test",
        "wit_package": "echo", "interfaces": interfaces,
    })
}

const ALL: [&str; 3] = ["echo", "values", "streams"];

/// `relay`, and two callees who say different things of themselves.
async fn started(lattice: &Lattice) -> (Running, ActorSpec) {
    let host = lattice.host("one").await;
    let relay = spec("relay", &lattice.component("relay"), "/");
    let image = lattice.component("echo");
    let callees = ["first", "second"].map(|id| {
        let mut callee = ActorSpec { routes: Vec::new(), ..spec(id, &image, "/") };
        callee.config = [("name".to_owned(), id.to_owned())].into();
        callee
    });
    let assigned = lattice.assign(&host, &[&callees[0], &callees[1], &relay]).await;
    lattice.until_ready(&host, &assigned).await;
    (host, relay)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_put_by_hand_is_followed_until_it_is_deleted() {
    let lattice = Lattice::start().await;
    let (host, relay) = started(&lattice).await;
    let put = async |body| lattice.command(ControlSubject::LinkPut, body).await;
    let listed =
        async || lattice.command(ControlSubject::LinkGet, json!(null)).await["response"].clone();
    assert_eq!(listed().await, json!([]));

    assert_eq!(put(link("first", &ALL)).await["success"], true);
    assert_eq!(host.until_ok("/who").await, "first");
    assert_eq!(put(link("first", &ALL)).await["success"], true, "the same again");
    let taken = put(link("second", &["echo"])).await;
    assert_eq!(taken["success"], false);
    let words = taken["message"].as_str().unwrap();
    assert!(words.contains("link already exists with different target"), "{words}");
    assert_eq!(listed().await[0]["target"], "first");
    assert_eq!(listed().await[0]["name"], "default");
    lattice.until_bound(&host, &relay.id).await;

    let key = json!({
        "source_id": "relay", "name": "default", "wit_namespace": "wattle-test",
        "wit_package": "echo",
    });
    let delete = async || lattice.command(ControlSubject::LinkDel, key.clone()).await;
    assert_eq!(delete().await["success"], true);
    assert_eq!(delete().await["success"], true, "there is none already");
    until("nobody is called any more", async || {
        host.get("/guarded").await.1.contains("Unreachable").then_some(())
    })
    .await;
    assert_eq!(put(link("second", &ALL)).await["success"], true);
    until("the other is called", async || (host.get("/who").await.1 == "second").then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_turned_without_a_lost_call() {
    let lattice = Lattice::start().await;
    let (host, relay) = started(&lattice).await;
    lattice.link(&relay.id, "first", false).await;
    host.until_ok("/who").await;
    let addr = host.addr;
    let (done, mut is_done) = tokio::sync::watch::channel(false);
    let client = tokio::spawn(async move {
        let mut answers = Vec::new();
        while !*is_done.borrow_and_update() {
            answers.push(crate::kit::get(addr, "/who").await);
        }
        answers
    });
    for target in ["second", "first", "second"] {
        lattice.link(&relay.id, target, false).await;
        until("it is turned", async || (host.get("/who").await.1 == target).then_some(())).await;
    }
    done.send(true).unwrap();
    let answers = client.await.unwrap();
    let told: BTreeSet<(u16, String)> =
        answers.into_iter().map(|(status, text)| (status.as_u16(), text)).collect();
    assert!(
        told.is_subset(&[(200, "first".to_owned()), (200, "second".to_owned())].into()),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_one_interface_are_told_apart_by_their_names() {
    let lattice = Lattice::start().await;
    let (host, relay) = started(&lattice).await;
    lattice.link(&relay.id, "first", false).await;
    lattice.link_as(&relay.id, "wattle-test", "echo", &ALL, "backup", "second", false).await;
    assert_eq!(host.until_ok("/who").await, "first");
    assert_eq!(host.until_ok("/who?link=backup").await, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_link_is_said_in_words() {
    let lattice = Lattice::start().await;
    let (host, relay) = started(&lattice).await;
    lattice.link(&relay.id, "relay", false).await;
    let links = lattice.until_linked(&host, &relay.id, |links| links.len() == 3).await;
    let of = |interface: &str| {
        let found = links.iter().find(|report| report.interface.interface() == interface);
        found.unwrap_or_else(|| panic!("{links:?}")).state.clone()
    };
    assert_eq!(of("echo"), LinkState::Bound, "it exports what it imports");
    let LinkState::Failed { why } = of("values") else { panic!("{links:?}") };
    assert_eq!(why, "relay does not export wattle-test:echo/values");
    lattice.link(&relay.id, "absent", false).await;
    let waiting = |state: &LinkState| matches!(state, LinkState::Waiting { .. });
    lattice
        .until_linked(&host, &relay.id, |links| links.iter().all(|link| waiting(&link.state)))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_change_one_link_at_once_none_is_lost() {
    let lattice = Lattice::start().await;
    // Two hosts answer for each other.
    let (_one, _two) = (lattice.host("one").await, lattice.host("two").await);
    let put = async |n: usize| {
        let body = link(&format!("target-{n}"), &[&format!("interface-{n}")]);
        lattice.command(ControlSubject::LinkPut, body).await
    };
    let all = futures::future::join_all((0..8).map(put)).await;
    assert!(all.iter().all(|told| told["success"] == true), "{all:?}");
    let listed = lattice.command(ControlSubject::LinkGet, json!(null)).await;
    assert_eq!(listed["response"].as_array().unwrap().len(), 8, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_is_put_asked_for_and_deleted_and_actors_see_it() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let name = || "settings".parse().unwrap();
    let get =
        async || lattice.command(ControlSubject::ConfigGet { name: name() }, json!(null)).await;
    let put = async |body| lattice.command(ControlSubject::ConfigPut { name: name() }, body).await;
    let absent = get().await;
    assert_eq!((&absent["success"], absent.get("response")), (&json!(true), None));
    assert_eq!(put(json!({"colour": "red"})).await["success"], true);
    assert_eq!(get().await["response"], json!({"colour": "red"}));
    assert_eq!(put(json!({"colour": 7})).await["success"], false, "a value is text");

    let mut relay = spec("relay", &lattice.component("relay"), "/");
    relay.config_from = vec![name().into()];
    let assigned = lattice.assign(&host, &[&relay]).await;
    lattice.until_ready(&host, &assigned).await;
    let shown = async |expected: &str| {
        until(expected, async || host.get("/config").await.1.contains(expected).then_some(()))
            .await;
    };
    shown(r#"("colour", "red")"#).await;
    assert_eq!(put(json!({"colour": "blue"})).await["success"], true);
    shown(r#"("colour", "blue")"#).await;

    let mut refers = link("first", &["echo"]);
    refers["source_config"] = json!(["absent"]);
    let told = lattice.command(ControlSubject::LinkPut, refers.clone()).await;
    assert_eq!(told["success"], false);
    assert!(told["message"].as_str().unwrap().contains("absent"), "{told}");
    refers["source_config"] = json!(["settings"]);
    assert_eq!(lattice.command(ControlSubject::LinkPut, refers).await["success"], true);

    let delete =
        async || lattice.command(ControlSubject::ConfigDel { name: name() }, json!(null)).await;
    assert_eq!(delete().await["success"], true);
    assert_eq!(delete().await["success"], true, "there is none already");
    assert_eq!(get().await.get("response"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_owns_is_not_changed_by_hand() {
    let lattice = Lattice::start().await;
    let (host, relay) = started(&lattice).await;
    lattice.link(&relay.id, "first", false).await;
    host.until_ok("/who").await;
    let owner = Owner::App("shop".parse().unwrap()).to_string();
    let told = lattice.command(ControlSubject::LinkPut, link("second", &["other"])).await;
    assert_eq!(told["success"], false);
    assert!(told["message"].as_str().unwrap().contains(&owner), "{told}");
}
