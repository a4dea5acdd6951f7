//! What a host tells of a command, after it has acknowledged it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use wattle_lattice::event::{CloudEvent, EventName};
use wattle_lattice::{Pattern, Subscription};
use wattle_types::{ActorId, HostId};

use crate::lattice::Lattice;

#[derive(Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// Return once it is accepted.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait until it is so, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
}

/// Listens to one host and actor.
pub(super) struct Told {
    events: Subscription,
    host: HostId,
    id: ActorId,
}

impl Told {
    /// Before the command is given: its event may come before its acknowledgement.
    pub(super) async fn begin(lattice: &Lattice, host: HostId, id: &ActorId) -> Result<Self> {
        let events = lattice.connection.subscribe(&Pattern::Events).await?;
        lattice.connection.flush(lattice.within).await?;
        Ok(Self { events, host, id: id.clone() })
    }

    /// Until the host says that it is done, or that it failed.
    pub(super) async fn wait(mut self, args: &WaitArgs) -> Result<()> {
        if args.no_wait {
            return Ok(());
        }
        let within = Duration::from_secs(args.wait);
        tokio::time::timeout(within, self.done()).await.with_context(|| {
            format!("the host accepted it and has not done it within {within:?}; it goes on trying")
        })?
    }

    async fn done(&mut self) -> Result<()> {
        while let Some(message) = self.events.next().await {
            let event = CloudEvent::<serde_json::Value>::decode(&message.payload);
            let Ok(event) = event else { continue };
            if event.source != self.host || event.data["component_id"] != self.id.as_str() {
                continue;
            }
            if is(&event, EventName::ComponentScaled) {
                return Ok(());
            }
            if is(&event, EventName::ComponentScaleFailed) {
                let why = event.data["error"].as_str().unwrap_or("the host does not say why");
                bail!("{} could not be started: {why}; the host tries again", self.id);
            }
        }
        bail!("the connection to the lattice has ended")
    }
}

fn is(event: &CloudEvent<serde_json::Value>, name: EventName) -> bool {
    event.kind.rsplit('.').next() == Some(name.as_str())
}
