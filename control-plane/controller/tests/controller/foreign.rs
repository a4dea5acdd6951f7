//! What is in the store and no controller here put there: of later versions, of strangers, of a
//! backup.

use std::collections::BTreeSet;

use serde_json::Value;
use wattle_lattice::WriteOutcome;
use wattle_lattice::store::{Expect, Write};
use wattle_lattice::subject::AppSubject;
use wattle_trust::KeyPair;
use wattle_trust::signed::{self, Context};
use wattle_types::nkey::Role;
use wattle_types::{AppHead, Assignment, Key, Lease, stored};

use super::lattice::{Lattice, manifest, name, until};
use super::runs;
use super::several::reports;

/// Puts something in the place of what is stored under a key, whatever that is.
async fn replace(lattice: &Lattice, key: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let key: Key = key.parse().unwrap();
    until("it is replaced", async || {
        let found = lattice.store.read_leader(&key).await.ok()??;
        let bytes = change(found.value()?.to_vec());
        let write = Write::put(key.clone(), bytes, Expect::Revision(found.seq));
        matches!(lattice.store.write(&write).await, WriteOutcome::Ok(_)).then_some(())
    })
    .await;
}

/// What a controller of this lattice signed.
fn signed_body(lattice: &Lattice, context: Context, sealed: &[u8]) -> Vec<u8> {
    let allowed = BTreeSet::from([lattice.key.public()]);
    signed::open(sealed).unwrap().verify(context, &allowed).unwrap().to_vec()
}

async fn refused(lattice: &Lattice, op: AppSubject, body: &str) -> String {
    let said: Value = lattice.ask(op, body.to_owned()).await;
    assert_eq!(said["result"], "error", "{said}");
    said["message"].as_str().unwrap().to_owned()
}

/// Edits are refused with these words, and the host goes on with what it has.
async fn is_left_alone(lattice: &Lattice, told: &Assignment, words: &str) {
    let app = || name("shop");
    for (op, body) in [
        (AppSubject::Put, manifest("shop", "v2", "")),
        (AppSubject::Deploy { app: app() }, String::new()),
        (AppSubject::Undeploy { app: app() }, String::new()),
        (AppSubject::Delete { app: app() }, String::new()),
    ] {
        let message = refused(lattice, op, &body).await;
        assert!(message.contains(words), "{message}");
    }
    let key = Key::Assign(told.host);
    let stored = lattice.store.read_leader(&key).await.unwrap().unwrap();
    let body = signed_body(lattice, Context::Assignment, stored.value().unwrap());
    assert_eq!(body, told.encode(), "it is told nothing else");
}

#[tokio::test]
async fn a_head_of_a_later_version_or_of_a_stranger_ends_nothing() {
    for is_later in [true, false] {
        let lattice = Lattice::start().await;
        let controller = lattice.controller("c1");
        let mut host = lattice.host(1, &[]).await;
        lattice.put_and_deploy("shop", "v1", "").await;
        let told = host.until(runs("shop")).await;
        let stranger = KeyPair::generate(Role::Cluster).unwrap();
        replace(&lattice, "app.shop", |sealed| {
            let body = signed_body(&lattice, Context::Head, &sealed);
            let mut head: AppHead = stored::decode("a head", &body).unwrap();
            if is_later {
                head.v += 1;
            }
            let key = if is_later { &lattice.key } else { &stranger };
            signed::seal(Context::Head, &stored::encode(&head), key)
        })
        .await;
        is_left_alone(&lattice, &told, "unreadable").await;
        // Whoever comes next, too.
        controller.stop().await;
        let controller = lattice.controller("c2");
        lattice.until_leads("c2").await;
        is_left_alone(&lattice, &told, "unreadable").await;
        controller.stop().await;
    }
}

#[tokio::test]
async fn a_lease_of_a_later_version_is_not_taken() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    lattice.until_leads("c1").await;
    controller.stop().await;
    replace(&lattice, "lease", |bytes| {
        let lease: Lease = stored::decode("the lease", &bytes).unwrap();
        stored::encode(&Lease { v: lease.v + 1, ..lease })
    })
    .await;
    let before = lattice.store.read_leader(&Key::Lease).await.unwrap().unwrap();
    let controller = lattice.controller("c1");
    until("it says why it does not lead", async || {
        let reports = reports(&lattice).await;
        let alarms = reports.iter().flat_map(|report| &report.alarms);
        alarms.into_iter().any(|alarm| alarm.message.contains("it will not lead")).then_some(())
    })
    .await;
    assert_eq!(lattice.store.read_leader(&Key::Lease).await.unwrap().unwrap(), before);
    controller.stop().await;
}

#[tokio::test]
async fn a_store_put_back_from_an_old_backup_ends_nothing_and_says_so() {
    let mut lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let mut host = lattice.host(1, &[]).await;
    lattice.put_and_deploy("blog", "v1", "").await;
    host.until(runs("blog")).await;
    let backup = lattice.nats.back_up();
    lattice.put_and_deploy("shop", "v1", "").await;
    let told = host.until(runs("shop")).await;
    lattice.nats.restart_from(&backup);
    // The application that the backup has not is left as it runs; the other one can be edited.
    let lost = until("it is noticed", async || {
        let said: Value = lattice.ask(AppSubject::Put, manifest("shop", "v2", "")).await;
        said["message"].as_str().filter(|said| said.contains("state lost")).map(str::to_owned)
    })
    .await;
    assert!(lost.contains("application shop"), "{lost}");
    let undeployed: Value = lattice.ask(AppSubject::Undeploy { app: name("blog") }, "").await;
    assert_eq!(undeployed["result"], "acknowledged", "{undeployed}");
    // Of a host that runs what nothing stored explains nothing is changed, and people are told so.
    until("it says what it waits for", async || {
        let reports = reports(&lattice).await;
        let alarms = reports.iter().flat_map(|report| &report.alarms);
        let says =
            |message: &str| message.contains("runs shop that no stored application explains");
        alarms.into_iter().any(|alarm| says(&alarm.message)).then_some(())
    })
    .await;
    assert_eq!(host.assignment().as_ref(), Some(&told));
    controller.stop().await;
}
