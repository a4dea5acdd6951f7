//! `wattle link query`: the links that there are and those that are missing, and what became of them on
//! each host that runs their source.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use wattle_lattice::ctl;
use wattle_lattice::subject::ControlSubject;
use wattle_types::{ActorId, Inventory, LinkState, MissingLink};

use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, table};

/// Show links, and whether calls get through on every host that runs their source.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle link query
  wattle link query shop-web -o json

bound: calls get through. waiting: nobody serves the target now. failed: something must be changed.
An import that no link provides is shown without a target.")]
pub(crate) struct Args {
    /// Only the links of this actor.
    source: Option<ActorId>,
    /// How long to collect answers, in milliseconds; nobody knows how many hosts there are.
    #[arg(long, default_value_t = 500, value_name = "MS")]
    window: u64,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What the hosts say of one link, or of an import that has none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown {
    Link {
        #[serde(flatten)]
        link: ctl::Link,
        hosts: Vec<OnHost>,
    },
    Missing {
        source_id: ActorId,
        /// Always none: the key is there for those who look for it in each.
        target: Option<ActorId>,
        hosts: Vec<OnHost>,
    },
}

/// One interface on one host.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct OnHost {
    host: String,
    interface: String,
    #[serde(flatten)]
    state: LinkState,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let links: Vec<ctl::Link> = lattice.ask(ControlSubject::LinkGet).await?.unwrap_or_default();
    let asked = |id: &str| args.source.as_ref().is_none_or(|source| source.as_str() == id);
    let inventories = inventories(&lattice, Duration::from_millis(args.window)).await?;
    let links = links.into_iter().filter(|link| asked(&link.source_id));
    let links = links.map(|link| with_hosts(link, &inventories));
    let actors = inventories.iter().flat_map(|inventory| {
        let asked = inventory.actors.iter().filter(|actor| asked(actor.id.as_str()));
        asked.map(|actor| (inventory.name.as_str(), actor))
    });
    let said = actors.flat_map(|(host, actor)| {
        actor.missing_links.iter().map(move |missing| (host, &actor.id, missing))
    });
    let shown: Vec<Shown> = links.chain(missing(said)).collect();
    args.output.print(&shown, |links| {
        let rows = links.iter().flat_map(rows);
        table(["SOURCE", "INTERFACE", "NAME", "TARGET", "HOST", "STATE"], rows)
    });
    Ok(())
}

/// What every host that answers says of itself.
async fn inventories(lattice: &Lattice, window: Duration) -> Result<Vec<Inventory>> {
    let mut inventories = Vec::new();
    for host in lattice.hosts(window).await? {
        let inventory = lattice.inventory(host.id).await;
        inventories.push(
            inventory.with_context(|| format!("host {} gave no inventory", host.friendly_name))?,
        );
    }
    Ok(inventories)
}

fn with_hosts(link: ctl::Link, inventories: &[Inventory]) -> Shown {
    let mut hosts = Vec::new();
    for inventory in inventories {
        let source = inventory.actors.iter().filter(|actor| actor.id.as_str() == link.source_id);
        for report in source.flat_map(|actor| &actor.links) {
            let named = report.name.as_str() == link.name
                && report.target.as_str() == link.target
                && paths(&link).any(|path| path == report.interface.path());
            if named {
                hosts.push(OnHost {
                    host: inventory.name.clone(),
                    interface: report.interface.to_string(),
                    state: report.state.clone(),
                });
            }
        }
    }
    Shown::Link { link, hosts }
}

/// What is said to be missing, by actor and interface.
fn missing<'a>(said: impl Iterator<Item = (&'a str, &'a ActorId, &'a MissingLink)>) -> Vec<Shown> {
    let mut by_import: BTreeMap<(&ActorId, String), Vec<OnHost>> = BTreeMap::new();
    for (host, source, MissingLink { interface, why }) in said {
        let on = OnHost {
            host: host.to_owned(),
            interface: interface.to_string(),
            state: LinkState::Failed { why: why.clone() },
        };
        by_import.entry((source, on.interface.clone())).or_default().push(on);
    }
    let shown = |((source, _), hosts): ((&ActorId, _), _)| Shown::Missing {
        source_id: source.clone(),
        target: None,
        hosts,
    };
    by_import.into_iter().map(shown).collect()
}

/// `namespace:package/interface`, for each of its interfaces.
fn paths(link: &ctl::Link) -> impl Iterator<Item = String> {
    let ctl::Link { wit_namespace, wit_package, interfaces, .. } = link;
    interfaces.iter().map(move |interface| format!("{wit_namespace}:{wit_package}/{interface}"))
}

/// One for each interface on each host, or one that says that no host knows it.
fn rows(shown: &Shown) -> Vec<[String; 6]> {
    let (source, name, target, hosts) = match shown {
        Shown::Link { link, hosts } => (&*link.source_id, &*link.name, &*link.target, hosts),
        Shown::Missing { source_id, hosts, .. } => (source_id.as_str(), "-", "-", hosts),
    };
    let row = |interface: &str, host: &str, state: &str| {
        [source, interface, name, target, host, state].map(str::to_owned)
    };
    match shown {
        Shown::Link { link, hosts } if hosts.is_empty() => {
            let nobody = format!("no host runs {source}");
            paths(link).map(|path| row(&path, "-", &nobody)).collect()
        }
        _ => hosts.iter().map(|on| row(&on.interface, &on.host, &state(&on.state))).collect(),
    }
}

fn state(state: &LinkState) -> String {
    match state {
        LinkState::Bound => "bound".to_owned(),
        LinkState::Waiting { why } => format!("waiting: {why}"),
        LinkState::Failed { why } => format!("failed: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> ctl::Link {
        serde_json::from_value(serde_json::json!({
            "source_id": "web", "target": "orders", "wit_namespace": "acme",
            "wit_package": "shop", "interfaces": ["orders"],
        }))
        .unwrap()
    }

    #[test]
    fn a_link_that_no_host_knows_is_shown_as_such() {
        let shown = with_hosts(link(), &[]);
        assert_eq!(
            rows(&shown),
            [["web", "acme:shop/orders", "default", "orders", "-", "no host runs web"]]
        );
    }

    #[test]
    fn what_a_host_says_of_a_link_is_beside_it() {
        let why = "orders exports no acme:shop/orders".to_owned();
        let on = OnHost {
            host: "edge-1".to_owned(),
            interface: "acme:shop/orders@1.0.0".to_owned(),
            state: LinkState::Failed { why },
        };
        let shown = Shown::Link { link: link(), hosts: vec![on] };
        let [row] = &rows(&shown)[..] else { panic!("one host, one row") };
        assert_eq!(row[4..], ["edge-1", "failed: orders exports no acme:shop/orders"]);
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["source_id"], "web");
        assert_eq!(json["hosts"][0]["state"], "failed");
    }

    #[test]
    fn an_import_that_no_link_provides_is_shown_without_a_target() {
        let interface = "acme:shop/orders@1.0.0".parse().unwrap();
        let missing_link = MissingLink { interface, why: "no link provides it".to_owned() };
        let web = "web".parse().unwrap();
        let said = ["edge-1", "edge-2"].map(|host| (host, &web, &missing_link));
        let [shown] = &missing(said.into_iter())[..] else { panic!("one import") };
        let why = "failed: no link provides it";
        assert_eq!(
            rows(shown),
            ["edge-1", "edge-2"].map(|host| ["web", "acme:shop/orders@1.0.0", "-", "-", host, why])
        );
        let json = serde_json::to_value(shown).unwrap();
        assert_eq!((json["source_id"].as_str(), json["target"].is_null()), (Some("web"), true));
        assert_eq!(json["hosts"][1]["state"], "failed");
    }
}
