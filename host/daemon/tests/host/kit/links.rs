//! Links of the actors under test, and what becomes of them.

use serde_json::Value;
use wattle_lattice::Subject;
use wattle_lattice::signal::Wake;
use wattle_lattice::subject::ControlSubject;
use wattle_types::{ActorId, LinkRecord, LinkReport, LinkState, LinkTarget, Owner, stored};

use super::{Lattice, PATIENCE, Running, until};

impl Lattice {
    /// Asks for something in the words of the 1.x clients.
    pub(crate) async fn command(&self, control: ControlSubject, body: Value) -> Value {
        let subject = Subject::Control(control);
        let asked = self.connection.request(&subject, body.to_string().into(), PATIENCE).await;
        serde_json::from_slice(&asked.unwrap().payload).unwrap()
    }

    /// Links what `relay` imports to another actor, as an application's owner would: in place of
    /// what was there.
    pub(crate) async fn link(&self, source: &ActorId, target: &str, idempotent: bool) {
        let interfaces = ["echo", "values", "streams"];
        self.link_as(source, "wattle-test", "echo", &interfaces, "default", target, idempotent)
            .await;
    }

    #[expect(clippy::too_many_arguments, reason = "so many things make a link")]
    pub(crate) async fn link_as(
        &self,
        source: &ActorId,
        namespace: &str,
        package: &str,
        interfaces: &[&str],
        name: &str,
        target: &str,
        idempotent: bool,
    ) {
        let target = LinkTarget {
            target: target.parse().unwrap(),
            interfaces: interfaces.iter().map(|interface| interface.parse().unwrap()).collect(),
            idempotent,
            source_config: Vec::new(),
            target_config: Vec::new(),
        };
        let (namespace, package) = (namespace.parse().unwrap(), package.parse().unwrap());
        let (name, owner) = (name.parse().unwrap(), Owner::App("shop".parse().unwrap()));
        let record = LinkRecord::new(source.clone(), namespace, package, name, target, owner);
        let seq = self.put(record.key(), stored::encode(&record)).await;
        let relink = Subject::Relink { source: source.clone() };
        self.connection.publish(&relink, Wake::new(seq).encode()).await.unwrap();
    }

    /// What the host says of the links of an actor, once it says what is waited for.
    pub(crate) async fn until_linked(
        &self,
        host: &Running,
        actor: &ActorId,
        wanted: impl Fn(&[LinkReport]) -> bool,
    ) -> Vec<LinkReport> {
        until("the links are as they should be", async || {
            let inventory = self.ask_inventory(host.id).await?;
            let report = inventory.actors.into_iter().find(|report| report.id == *actor)?;
            wanted(&report.links).then_some(report.links)
        })
        .await
    }

    /// Waits until all links of an actor lead to somebody who can be called.
    pub(crate) async fn until_bound(&self, host: &Running, actor: &ActorId) {
        let bound = |report: &LinkReport| report.state == LinkState::Bound;
        self.until_linked(host, actor, |links| !links.is_empty() && links.iter().all(bound)).await;
    }
}
