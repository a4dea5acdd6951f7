//! Whom a host obeys.

use std::sync::{Arc, Mutex};

use wattle_lattice::Pattern;
use wattle_trust::KeyPair;
use wattle_types::stored;
use wattle_types::{Assignment, Beat, Epoch, Generation, PublicKey, Role};

use crate::kit::{EPOCH, Lattice, spec};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_for_this_host_by_its_leader_is_never_acknowledged() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let acknowledged = acknowledged(&lattice, &host).await;
    let image = lattice.component("http-hello");
    let (good, bad) = (spec("good", &image, "/good"), spec("bad", &image, "/bad"));
    lattice.publish(&bad).await;
    let first = lattice.assign(&host, &[&good]).await;
    lattice.until_ready(&host, &first).await;

    let stranger = KeyPair::generate(Role::Cluster).unwrap();
    let other_host = PublicKey::new(Role::Server, [9; 32]).try_into().unwrap();
    type Change = fn(&mut Assignment);
    let foreign: [(&str, Change); 3] = [
        ("a deposed leader", |a| a.epoch = Epoch(EPOCH - 1)),
        ("an older generation", |a| a.generation = Generation(0)),
        ("another lattice", |a| a.lattice = "prod".parse().unwrap()),
    ];
    for (_name, change) in foreign {
        let mut assignment = lattice.assignment(&host, &[&bad]);
        change(&mut assignment);
        lattice.write(&host, &assignment, &lattice.controller).await;
    }
    let assignment = Assignment { host: other_host, ..lattice.assignment(&host, &[&bad]) };
    lattice.write(&host, &assignment, &lattice.controller).await;
    let assignment = lattice.assignment(&host, &[&bad]);
    lattice.write(&host, &assignment, &stranger).await;
    let unmarked = Assignment { mass: false, ..lattice.assignment(&host, &[]) };
    lattice.write(&host, &unmarked, &lattice.controller).await;

    let last = lattice.assign(&host, &[&good]).await;
    lattice.until_ready(&host, &last).await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(
        acknowledged
            .iter()
            .all(|generation| [first.generation, last.generation].contains(generation)),
        "{acknowledged:?}"
    );
    assert_eq!(host.get("/bad").await.0, http::StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_deposed_by_word_alone_is_refused_also_after_a_restart() {
    let lattice = Lattice::start().await;
    let host = lattice.host("one").await;
    let hello = spec("hello", &lattice.component("http-hello"), "/");
    let followed = lattice.assign(&host, &[&hello]).await;
    lattice.until_ready(&host, &followed).await;
    let mut beats =
        lattice.connection.subscribe(&Pattern::BeatsOf { host: host.id }).await.unwrap();
    lattice.connection.flush(crate::kit::PATIENCE).await.unwrap();
    lattice.lead(EPOCH + 1).await;
    loop {
        let beat = beats.next().await.unwrap();
        let beat: Beat = stored::decode("a beat", &beat.payload).unwrap();
        if beat.epoch_max == Epoch(EPOCH + 1) {
            break;
        }
    }
    host.stopped().await;

    let host = lattice.host("one").await;
    host.until_ok("/").await;
    let acknowledged = acknowledged(&lattice, &host).await;
    let deposed = Assignment { mass: true, ..lattice.assignment(&host, &[]) };
    lattice.write(&host, &deposed, &lattice.controller).await;
    let current = Assignment { epoch: Epoch(EPOCH + 1), ..lattice.assignment(&host, &[&hello]) };
    lattice.write(&host, &current, &lattice.controller).await;
    lattice.until_ready(&host, &current).await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(!acknowledged.contains(&deposed.generation), "{acknowledged:?}");
}

/// Every generation that the host says to follow, from now on.
async fn acknowledged(
    lattice: &Lattice,
    host: &crate::kit::Running,
) -> Arc<Mutex<Vec<Generation>>> {
    let mut beats =
        lattice.connection.subscribe(&Pattern::BeatsOf { host: host.id }).await.unwrap();
    lattice.connection.flush(crate::kit::PATIENCE).await.unwrap();
    let seen: Arc<Mutex<Vec<Generation>>> = Arc::default();
    let all = seen.clone();
    tokio::spawn(async move {
        while let Some(beat) = beats.next().await {
            let beat: Beat = stored::decode("a beat", &beat.payload).unwrap();
            all.lock().unwrap().extend(beat.applied.map(|applied| applied.generation));
        }
    });
    seen
}
