//! What this host answers to requests about itself: ours, and those of the 1.x clients.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wattle_engine::Caps;
use wattle_lattice::ctl::{self, ComponentDescription, Envelope, HostInventory, HostSummary};
use wattle_lattice::subject::{ControlSubject, HostOp};
use wattle_lattice::{Connection, Message, Subject, Subscription};
use wattle_tasks::CancellationToken;
use wattle_types::{ActorState, Inventory, stored};

use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::router::Router;

/// Where what is asked for is found.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) mailbox: Mailbox,
    pub(crate) router: Arc<Router>,
    pub(crate) caps: Arc<Caps>,
}

/// Answers from one subscription, until `stop`.
pub(crate) async fn serve(
    connection: Connection,
    about: About,
    mut requests: Subscription,
    stop: CancellationToken,
) {
    while let Some(Some(message)) = stop.run_until_cancelled(requests.next()).await {
        let Some(to) = &message.reply else { continue };
        let Some(inventory) = about.mailbox.inventory().await else { return };
        let answer = match &message.subject {
            Subject::Host { host, op: HostOp::Limits } => {
                let (caps, actors) = (&about.caps, &about.router.actors);
                Limits { host: *host, caps, actors }.answer(&message.payload)
            }
            _ => answer(&message, &inventory),
        };
        if let Err(error) = connection.respond(to, answer).await {
            tracing::warn!(%error, "a request about this host could not be answered");
        }
    }
}

fn answer(message: &Message, inventory: &Inventory) -> Bytes {
    match &message.subject {
        // Whatever is said, it says that somebody is here; and who, to a copy of this host.
        Subject::Host { op: HostOp::Probe | HostOp::Inventory, .. } => {
            stored::encode(inventory).into()
        }
        Subject::Control(ControlSubject::HostPing) => {
            ctl::encode(&Envelope::with(summary(inventory)))
        }
        Subject::Control(ControlSubject::HostGet { .. }) => {
            ctl::encode(&Envelope::with(classic(inventory)))
        }
        _ => ctl::encode(&ctl::Accepted::unsupported()),
    }
}

fn summary(inventory: &Inventory) -> HostSummary {
    HostSummary {
        rpc_host: None,
        ctl_host: None,
        friendly_name: inventory.name.clone(),
        id: inventory.host,
        js_domain: None,
        labels: inventory.labels.clone(),
        lattice: inventory.lattice.clone(),
        uptime_human: Some(uptime(inventory.uptime_s)),
        uptime_seconds: inventory.uptime_s,
        version: Some(inventory.version.clone()),
    }
}

/// The inventory in the words of the 1.x clients, who know only what runs.
pub(crate) fn classic(inventory: &Inventory) -> HostInventory {
    let ready = inventory.actors.iter().filter(|actor| actor.state == ActorState::Ready);
    let components = ready.map(|actor| ComponentDescription {
        id: actor.id.to_string(),
        image_ref: actor.image.clone(),
        name: actor.name.clone(),
        annotations: Some(actor.annotations.clone()),
        revision: actor.revision.and_then(|revision| i32::try_from(revision).ok()).unwrap_or(0),
        max_instances: actor.count,
        limits: None,
    });
    HostInventory {
        components: components.collect(),
        providers: Vec::new(),
        host_id: inventory.host,
        friendly_name: inventory.name.clone(),
        labels: inventory.labels.clone(),
        version: inventory.version.clone(),
        uptime_human: uptime(inventory.uptime_s),
        uptime_seconds: inventory.uptime_s,
    }
}

fn uptime(seconds: u64) -> String {
    const DAY_S: u64 = 86_400;
    let (days, rest) = (seconds / DAY_S, Duration::from_secs(seconds % DAY_S));
    let (hours, minutes) = (rest.as_secs() / 3_600, rest.as_secs() / 60 % 60);
    let seconds = rest.as_secs() % 60;
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")];
    let from = parts.iter().position(|(n, _)| *n != 0).unwrap_or(parts.len() - 1);
    let shown: Vec<String> = parts[from..].iter().map(|(n, unit)| format!("{n}{unit}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_is_shown_from_its_largest_unit_on() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3_661, "1h 1m 1s"),
            (86_400, "1d 0h 0m 0s"),
            (90_061, "1d 1h 1m 1s"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(uptime(seconds), shown);
        }
    }
}
