//! Which host a command by hand is for.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use wattle_types::{ActorId, HostId};

use crate::get::choose;
use crate::lattice::Lattice;

/// For the answers of all hosts.
const WINDOW: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct HostArgs {
    /// The id of a host, the beginning of it, or its name [default: the only one there is].
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

/// A host, by id and by name.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) name: String,
}

/// Where something runs, and as what.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) host: Host,
    pub(super) image: String,
    pub(super) annotations: BTreeMap<String, String>,
}

impl HostArgs {
    /// Where something is to be started.
    pub(super) async fn to_start(&self, lattice: &Lattice) -> Result<Host> {
        let mut hosts = self.hosts(lattice).await?;
        match (hosts.pop(), hosts.len()) {
            (Some(host), 0) => Ok(host),
            (None, _) => bail!("no host answers; start one with `wattle up` or `wattle host`"),
            (Some(_), more) => bail!(
                "there are {} hosts; name one with --host, or let the lattice choose with \
                 `wattle app deploy`",
                more + 1
            ),
        }
    }

    /// Where something runs.
    pub(super) async fn running(&self, lattice: &Lattice, id: &ActorId) -> Result<Found> {
        let mut found = Vec::new();
        for host in self.hosts(lattice).await? {
            let inventory = lattice.inventory(host.id).await?;
            let report = inventory.actors.into_iter().find(|report| report.id == *id);
            found.extend(report.map(|report| {
                let (image, annotations) = (report.image, report.annotations);
                (report.owner.is_by_hand(), Found { host, image, annotations })
            }));
        }
        // What is an application's is refused by its host, with what would help.
        if found.iter().any(|(by_hand, _)| *by_hand) {
            found.retain(|(by_hand, _)| *by_hand);
        }
        match (found.pop(), found.len()) {
            (Some((_, found)), 0) => Ok(found),
            (None, _) => bail!("{id} runs nowhere; `wattle get inventory` shows what does"),
            (Some(_), more) => bail!("{id} runs on {} hosts; name one with --host", more + 1),
        }
    }

    async fn hosts(&self, lattice: &Lattice) -> Result<Vec<Host>> {
        let hosts = lattice.hosts(WINDOW).await?;
        let chosen = match &self.host {
            Some(wanted) => vec![choose(&hosts, wanted)?.clone()],
            None => hosts,
        };
        let host =
            |host: wattle_lattice::ctl::HostSummary| Host { id: host.id, name: host.friendly_name };
        Ok(chosen.into_iter().map(host).collect())
    }
}
