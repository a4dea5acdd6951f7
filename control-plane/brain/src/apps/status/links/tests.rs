//! What people are told of links, as hosts report this and that.

use wattle_types::{ConfigRecord, Key, LinkReport, LinkTarget, MissingLink, stored};

use super::*;
use crate::apps::ComponentStatus;
use crate::testing::{World, manifest};

const LINK: &str = "{type: link, properties: {namespace: acme, package: billing, interfaces: \
                    [invoices], target: tax}}";
const DAEMON: &str = "{type: daemonscaler, properties: {instances: 1}}";

fn report(state: LinkState) -> LinkReport {
    LinkReport {
        interface: "acme:billing/invoices@1.2.0".parse().unwrap(),
        name: LinkName::default(),
        target: "tax".parse().unwrap(),
        state,
    }
}

fn waiting() -> LinkState {
    LinkState::Waiting { why: "no host serves tax now".to_owned() }
}

fn failed() -> LinkState {
    LinkState::Failed { why: "tax does not export acme:billing/invoices".to_owned() }
}

/// Hosts that run `web`, linked to `tax`, and say this of the link.
fn world(says: &[Vec<LinkReport>]) -> World {
    let mut world = World::leading(u8::try_from(says.len()).unwrap());
    for (host, says) in world.hosts.values_mut().zip(says) {
        host.links.clone_from(says);
    }
    let traits = [LINK, DAEMON].join(", ");
    world.put_and_deploy("shop", "v1", &[("web", &traits), ("tax", DAEMON)]);
    world.run(2_000);
    world
}

fn web(world: &mut World) -> ComponentStatus {
    world.status("shop").components.swap_remove(0)
}

#[test]
fn the_worst_of_what_hosts_report_is_the_status_of_a_link() {
    let bound = || vec![report(LinkState::Bound)];
    let elsewhere = LinkReport { target: "web".parse().unwrap(), ..report(LinkState::Bound) };
    let cases = [
        (vec![bound(), bound()], StatusKind::Deployed, ""),
        (
            vec![bound(), vec![report(waiting())]],
            StatusKind::Waiting,
            "link acme:billing/invoices to tax: no host serves tax now (host h1)",
        ),
        (
            vec![vec![report(failed())], vec![report(waiting())]],
            StatusKind::Failed,
            "no host serves tax now (host h1); tax does not export acme:billing/invoices (host h0)",
        ),
        (
            vec![vec![report(failed())], vec![report(failed())]],
            StatusKind::Failed,
            "link acme:billing/invoices to tax: tax does not export acme:billing/invoices (host h0, h1)",
        ),
        (vec![bound(), vec![]], StatusKind::Waiting, "not reported yet (host h1)"),
        // Of the link as it was before.
        (vec![vec![elsewhere]], StatusKind::Waiting, "not reported yet (host h0)"),
        // Each version that the component imports has a report.
        (
            vec![vec![report(LinkState::Bound), report(failed())]],
            StatusKind::Failed,
            "does not export",
        ),
    ];
    for (says, kind, message) in cases {
        let mut world = world(&says);
        let web = web(&mut world);
        let status = world.status("shop");
        assert_eq!((web.kind, status.kind, web.links[0].kind), (kind, kind, kind), "{status:?}");
        assert!(web.message.contains(message), "{status:?}");
        assert!(status.message.contains(message), "{status:?}");
        assert_eq!(web.message.is_empty(), message.is_empty(), "{status:?}");
    }
}

#[test]
fn the_status_follows_what_hosts_report() {
    let mut world = world(&[vec![]]);
    assert_eq!(web(&mut world).kind, StatusKind::Waiting);
    let steps = [
        (waiting(), StatusKind::Waiting),
        (LinkState::Bound, StatusKind::Deployed),
        (failed(), StatusKind::Failed),
    ];
    for (state, kind) in steps {
        world.report(0, |actors| {
            let web = actors.iter_mut().find(|actor| actor.id.as_str() == "web").unwrap();
            web.links = vec![report(state.clone())];
        });
        world.run(2_000);
        assert_eq!(web(&mut world).kind, kind, "{state:?}");
    }
}

#[test]
fn an_import_without_a_link_is_a_failure_until_somebody_links_it() {
    let mut world = world(&[vec![report(LinkState::Bound)], vec![report(LinkState::Bound)]]);
    let says = |world: &mut World, interfaces: &[&str]| {
        for host in [0, 1] {
            world.report(host, |actors| {
                let web = actors.iter_mut().find(|actor| actor.id.as_str() == "web").unwrap();
                let missing = interfaces.iter().map(|interface| MissingLink {
                    interface: interface.parse().unwrap(),
                    why: format!("nothing provides {interface}"),
                });
                web.missing_links = missing.collect();
            });
        }
        world.run(2_000);
        web(world)
    };
    let failed = says(&mut world, &["acme:cache/lru@1.0.0"]);
    assert_eq!(failed.kind, StatusKind::Failed);
    assert_eq!(failed.message, "nothing provides acme:cache/lru@1.0.0 (host h0, h1)");
    let linked = says(&mut world, &[]);
    assert_eq!((linked.kind, linked.message.as_str()), (StatusKind::Deployed, ""));
    // The manifest links it: that the host has not read the link yet is the link's own matter.
    let linked = says(&mut world, &["acme:billing/invoices@1.2.0"]);
    assert_eq!((linked.kind, linked.message.as_str()), (StatusKind::Deployed, ""));
}

#[test]
fn what_nobody_runs_has_no_links_to_report() {
    let mut world = World::leading(1);
    let none = "{type: spreadscaler, properties: {instances: 0}}";
    world.put_and_deploy("shop", "v1", &[("web", &[LINK, none].join(", ")), ("tax", "")]);
    world.run(2_000);
    assert_eq!(world.status("shop").kind, StatusKind::Deployed);
}

#[test]
fn a_link_that_belongs_to_somebody_else_is_named_with_its_owner() {
    let mut world = world(&[vec![report(LinkState::Bound)]]);
    let key: Key = "link.web.acme.billing.default".parse().unwrap();
    let target = LinkTarget {
        target: "tax".parse().unwrap(),
        interfaces: ["invoices".parse().unwrap()].into(),
        idempotent: false,
        source_config: Vec::new(),
        target_config: Vec::new(),
    };
    let [source, namespace, package] = ["web", "acme", "billing"];
    let mut link = LinkRecord::new(
        source.parse().unwrap(),
        namespace.parse().unwrap(),
        package.parse().unwrap(),
        LinkName::default(),
        target,
        Owner::Manual,
    );
    for (owner, said) in [
        (Owner::Manual, "the link belongs to a person, who put it by hand"),
        (Owner::Session, "the link belongs to another manager's session"),
        (Owner::App("blog".parse().unwrap()), "the link belongs to application blog"),
    ] {
        link.owner = owner;
        world.intrude(key.clone(), stored::encode(&link));
        world.run(500);
        let web = web(&mut world);
        assert_eq!(web.kind, StatusKind::Failed);
        assert!(web.message.contains(said), "{web:?}");
    }
    world.intrude(key.clone(), b"garbage".to_vec());
    world.run(500);
    assert!(web(&mut world).message.contains("cannot be read"));
    world.remove(key);
    world.run(500);
    assert_eq!(web(&mut world).kind, StatusKind::Deployed, "it is ours again");
}

#[test]
fn what_needs_no_link_and_what_cannot_be_linked_is_said() {
    let mut world = World::leading(1);
    let link = |namespace: &str, package: &str, interface: &str| {
        format!(
            "{{type: link, properties: {{namespace: {namespace}, package: {package}, interfaces: \
             [{interface}], target: redis}}}}"
        )
    };
    let traits = [link("wasi", "keyvalue", "store"), link("acme", "cache", "lru")].join(", ");
    let text = manifest("shop", "v1", &[("web", &traits), ("redis", "")]);
    let at = text.rfind("type: component").unwrap();
    let text = format!("{}type: capability{}", &text[..at], &text[at + 15..]);
    world.put(&text);
    world.deploy("shop");
    world.run(2_000);
    let web = web(&mut world);
    let said: Vec<_> = web
        .links
        .iter()
        .map(|link| (link.kind, link.interface.path(), &link.message[..]))
        .collect();
    assert_eq!(said[0], (StatusKind::Deployed, "wasi:keyvalue/store", "built into every host"));
    assert_eq!((said[1].0, said[1].1), (StatusKind::Failed, "acme:cache/lru"));
    assert!(said[1].2.contains("providers cannot run as processes yet"), "{said:?}");
    assert_eq!((web.kind, web.ready), (StatusKind::Failed, 1), "it runs all the same");
    assert!(web.message.starts_with("link acme:cache/lru to redis: "), "{web:?}");
    assert!(!world.store.keys().any(|key| matches!(key, Key::Link { .. })));
}

#[test]
fn configuration_that_nobody_has_put_is_waited_for() {
    let mut world = World::leading(1);
    let text = manifest("shop", "v1", &[("web", "")]);
    let text = text.replace("id: web}", "id: web, config: [{name: settings}]}");
    world.put(&text);
    world.deploy("shop");
    world.run(2_000);
    let status = web(&mut world);
    assert_eq!(status.kind, StatusKind::Waiting);
    assert!(status.message.contains("there is no configuration settings"), "{status:?}");
    let name: wattle_types::ConfigName = "settings".parse().unwrap();
    let config = ConfigRecord::new(name.clone(), Default::default(), Owner::Manual);
    world.intrude(Key::Config(name), stored::encode(&config));
    world.run(500);
    assert_eq!(web(&mut world).kind, StatusKind::Deployed);
}
