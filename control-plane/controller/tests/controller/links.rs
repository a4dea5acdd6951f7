//! Links of applications, against people who write into the store with their own hands.

use std::time::Duration;

use serde_json::Value;
use wattle_lattice::signal::Wake;
use wattle_lattice::subject::AppSubject;
use wattle_lattice::{Expect, Pattern, Subject, Write, WriteOutcome};
use wattle_types::{
    ConfigRecord, Key, LinkName, LinkRecord, LinkReport, LinkState, LinkTarget, Owner, stored,
};

use crate::lattice::{Lattice, name, until};

/// `shop` calls itself through an interface, and brings a configuration along.
const LINK: &str = "{type: link, properties: {namespace: acme, package: tax, interfaces: [rates], \
                    target: {name: main, config: [{name: fast, properties: {ms: '5'}}]}}}";

fn key() -> Key {
    "link.shop.acme.tax.default".parse().unwrap()
}

fn report(state: LinkState) -> Vec<LinkReport> {
    let (interface, target) = ("acme:tax/rates@1.0.0", "shop");
    let (interface, target) = (interface.parse().unwrap(), target.parse().unwrap());
    vec![LinkReport { interface, name: LinkName::default(), target, state }]
}

impl Lattice {
    /// The link as it is stored now, with its sequence.
    async fn link(&self) -> Option<(u64, LinkRecord)> {
        let found = self.store.read_leader(&key()).await.unwrap()?;
        Some((found.seq, stored::decode("a link", found.value()?).unwrap()))
    }

    async fn write(&self, write: Write) {
        let outcome = self.store.write(&write).await;
        assert!(matches!(outcome, WriteOutcome::Ok(_)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_link_that_is_deleted_by_hand_is_repaired_and_hosts_are_told() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let host = lattice.host(1, &[]).await;
    host.says_of_links(report(LinkState::Bound));
    let mut told = lattice.client.subscribe(&Pattern::Relinks).await.unwrap();
    let mut told_configs = lattice.client.subscribe(&Pattern::ConfigChanges).await.unwrap();
    lattice.client.flush(Duration::from_secs(5)).await.unwrap();

    lattice.put_and_deploy("shop", "v1", LINK).await;
    lattice.until_status("shop", "deployed").await;
    let (first, record) = lattice.link().await.expect("it is stored once it is deployed");
    assert_eq!(record.owner, Owner::App(name("shop")));
    assert_eq!(record.targets[0].target_config[0].as_str(), "shop-fast");
    let config: Key = "config.shop-fast".parse().unwrap();
    let found = lattice.store.read_leader(&config).await.unwrap().unwrap();
    let found: ConfigRecord = stored::decode("a config", found.value().unwrap()).unwrap();
    assert_eq!(found.values["ms"], "5");
    let next = async |told: &mut wattle_lattice::Subscription| {
        let message = tokio::time::timeout(Duration::from_secs(10), told.next()).await;
        let message = message.expect("hosts are told").unwrap();
        (message.subject, Wake::decode(&message.payload).unwrap().at_least)
    };
    let source = Subject::Relink { source: "shop".parse().unwrap() };
    assert_eq!(next(&mut told).await, (source.clone(), first));
    let changed = Subject::ConfigChanged { name: "shop-fast".parse().unwrap() };
    assert_eq!(next(&mut told_configs).await.0, changed);

    lattice.write(Write::delete(key(), Expect::Revision(first))).await;
    let (again, repaired) = until("the link is put back", async || {
        lattice.link().await.filter(|(seq, _)| first < *seq)
    })
    .await;
    assert_eq!(repaired, record);
    assert_eq!(next(&mut told).await, (source, again));

    lattice.ask::<Value>(AppSubject::Undeploy { app: name("shop") }, "").await;
    until("the link is gone", async || lattice.link().await.is_none().then_some(())).await;
    until("its configuration is gone", async || {
        let found = lattice.store.read_leader(&config).await.unwrap();
        found.is_none_or(|found| found.value().is_none()).then_some(())
    })
    .await;
    controller.stop().await;
}

#[tokio::test]
async fn a_link_that_a_person_put_is_left_alone_and_named_in_the_status() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let host = lattice.host(1, &[]).await;
    host.says_of_links(report(LinkState::Bound));
    lattice.until_leads("c1").await;
    let target = LinkTarget {
        target: "elsewhere".parse().unwrap(),
        interfaces: ["rates".parse().unwrap()].into(),
        idempotent: false,
        source_config: Vec::new(),
        target_config: Vec::new(),
    };
    let [source, namespace, package] = ["shop", "acme", "tax"];
    let mine = LinkRecord::new(
        source.parse().unwrap(),
        namespace.parse().unwrap(),
        package.parse().unwrap(),
        LinkName::default(),
        target,
        Owner::Manual,
    );
    lattice.write(Write::put(key(), stored::encode(&mine), Expect::Absent)).await;
    let (seq, _) = lattice.link().await.unwrap();

    lattice.put_and_deploy("shop", "v1", LINK).await;
    let failed = lattice.until_status("shop", "failed").await;
    let message = failed["status"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("link acme:tax/rates to main"), "{message}");
    assert!(message.contains("belongs to a person, who put it by hand"), "{message}");
    assert_eq!(lattice.link().await, Some((seq, mine.clone())));
    lattice.ask::<Value>(AppSubject::Undeploy { app: name("shop") }, "").await;
    lattice.until_status("shop", "undeployed").await;
    assert_eq!(lattice.link().await, Some((seq, mine)));

    // Its owner deletes it, and the application has its own.
    lattice.write(Write::delete(key(), Expect::Revision(seq))).await;
    lattice.ask::<Value>(AppSubject::Deploy { app: name("shop") }, "").await;
    lattice.until_status("shop", "deployed").await;
    assert_eq!(lattice.link().await.unwrap().1.owner, Owner::App(name("shop")));
    controller.stop().await;
}

#[tokio::test]
async fn an_application_whose_link_failed_is_not_deployed_and_says_why() {
    let lattice = Lattice::start().await;
    let controller = lattice.controller("c1");
    let host = lattice.host(1, &[]).await;
    lattice.put_and_deploy("shop", "v1", LINK).await;
    let waiting = lattice.until_status("shop", "waiting").await;
    let message = waiting["status"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("not reported yet (host h1)"), "{message}");
    let why = "shop has no function of in acme:tax/rates".to_owned();
    host.says_of_links(report(LinkState::Failed { why: why.clone() }));
    let failed = lattice.until_status("shop", "failed").await;
    let link = &failed["status"]["scalers"][1];
    assert_eq!((&link["kind"], &link["status"]["type"]), (&"LinkScaler".into(), &"failed".into()));
    assert!(link["status"]["message"].as_str().unwrap().contains(&why), "{link}");
    host.says_of_links(report(LinkState::Bound));
    lattice.until_status("shop", "deployed").await;
    controller.stop().await;
}
