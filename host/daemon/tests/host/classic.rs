//! Components of 1.x: messages, secrets and configuration by the old names.

use http::StatusCode;
use wattle_types::{ActorSpec, ActorState};

use crate::kit::{Lattice, Running, spec, until};

fn classic(lattice: &Lattice) -> ActorSpec {
    let mut classic = spec("classic", &lattice.component("classic"), "/");
    classic.messaging.subscribe = vec!["orders.*".parse().unwrap()];
    classic.messaging.publish = vec!["orders.new".parse().unwrap()];
    classic
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_to_one_of_the_hosts_and_may_be_answered() {
    let lattice = Lattice::start().await;
    let (one, two) = (lattice.host("one").await, lattice.host("two").await);
    let classic = classic(&lattice);
    for host in [&one, &two] {
        let assigned = lattice.assign(host, &[&classic]).await;
        lattice.until_ready(host, &assigned).await;
    }
    let asked = "/request?subject=orders.new&body=tea";
    let heard = until("somebody listens", async || {
        let (status, text) = one.get(asked).await;
        (status == StatusCode::OK && !text.starts_with("Err")).then_some(text)
    })
    .await;
    assert_eq!(heard, "heard tea");
    let count = async || one.until_ok("/heard").await.parse::<u64>().unwrap();
    let before = count().await;
    for _ in 0..10 {
        assert_eq!(one.get(asked).await, (StatusCode::OK, "heard tea".to_owned()));
    }
    assert_eq!(count().await, before + 10, "each to one of them");
    let (_, denied) = one.get("/publish?subject=wattle.test.leader&body=x").await;
    assert!(denied.starts_with("Err"), "{denied}");

    // What a host that leaves was given is answered by it, or given to the other.
    let nothing = lattice.assign(&two, &[]).await;
    lattice.until_ready(&two, &nothing).await;
    for _ in 0..10 {
        assert_eq!(one.get(asked).await, (StatusCode::OK, "heard tea".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_told_its_secrets_by_a_host_that_keeps_them() {
    let lattice = Lattice::start().await;
    let secrets = lattice.dir.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::write(secrets.join("token"), "hunter2").unwrap();
    let mut config = lattice.config("keeps");
    config.secrets_dir = Some(secrets);
    let keeps = Running::start(config).await;
    let none = lattice.host("none").await;
    let mut asks = spec("asks", &lattice.component("classic"), "/");
    asks.secrets = vec![wattle_types::SecretRef {
        name: "password".to_owned(),
        key: "token".to_owned(),
        field: None,
        version: None,
    }];
    let assigned = lattice.assign(&keeps, &[&asks]).await;
    lattice.until_ready(&keeps, &assigned).await;
    assert_eq!(keeps.until_ok("/secret?key=password").await, "text hunter2");
    assert!(keeps.get("/secret?key=token").await.1.contains("NotFound"));

    let assigned = lattice.assign(&none, &[&asks]).await;
    let settled = |state: &ActorState| *state != ActorState::Starting;
    let inventory = lattice.until_settled(&none, &assigned, settled).await;
    let ActorState::Failed { code, .. } = &inventory.actors[0].state else {
        panic!("{inventory:?}")
    };
    assert_eq!(code, "WT-HOST-NO-SECRETS");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_cannot_hear_is_not_started_as_one_that_listens() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let mut deaf = spec("deaf", &lattice.component("http-hello"), "/");
    deaf.messaging.subscribe = vec!["orders.new".parse().unwrap()];
    let assigned = lattice.assign(&host, &[&deaf]).await;
    let settled = |state: &ActorState| *state != ActorState::Starting;
    let inventory = lattice.until_settled(&host, &assigned, settled).await;
    let ActorState::Failed { code, .. } = &inventory.actors[0].state else {
        panic!("{inventory:?}")
    };
    assert_eq!(code, "WT-HOST-NO-HANDLER");
}
