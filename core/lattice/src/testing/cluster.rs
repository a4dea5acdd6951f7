//! Several servers that are one NATS: what a stream with copies needs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use wattle_types::LatticeId;

use super::{NatsServer, READY_WITHIN};
use crate::{ConnectConfig, Connection};

/// Three of them choose a leader among themselves within a few seconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A cluster on loopback; node `i` is named `nats-i`. One node alone is an ordinary server.
#[derive(Debug)]
pub struct NatsCluster {
    pub nodes: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts so many nodes and waits until they have formed one JetStream.
    pub async fn start(nodes: usize) -> Self {
        if nodes == 1 {
            return Self { nodes: vec![NatsServer::start()] };
        }
        let ports = free_ports(nodes);
        let routes: Vec<String> =
            ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let routes_of_all = routes.join(",");
        let nodes = routes.iter().enumerate().map(|(index, own)| {
            let name = format!("nats-{index}");
            NatsServer::start_with(&[
                "--server_name",
                &name,
                "--cluster_name",
                "test",
                "--cluster",
                own,
                "--routes",
                &routes_of_all,
            ])
        });
        let cluster = Self { nodes: nodes.collect() };
        cluster.until_ready().await;
        cluster
    }

    /// The addresses of all nodes, separated by commas.
    pub fn url(&self) -> String {
        self.nodes.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    /// Joins `lattice` as a client of any node that answers.
    pub async fn join(&self, lattice: &LatticeId) -> Connection {
        let config = ConnectConfig::client(self.url(), lattice.clone());
        Connection::connect(config, |_| {}).await.expect("a running server takes connections")
    }

    /// Which node leads a stream, as the node `asked` says; none while they are choosing.
    pub async fn leader_of(&self, stream: &str, asked: usize) -> Option<usize> {
        let subject = format!("$JS.API.STREAM.INFO.{stream}");
        let info = ask(&self.nodes[asked], &subject).await?;
        info["cluster"]["leader"].as_str()?.strip_prefix("nats-")?.parse().ok()
    }

    /// Waits until a node other than those leads a stream.
    pub async fn until_led(&self, stream: &str, but: &[usize]) -> usize {
        let asked = (0..self.nodes.len()).find(|node| !but.contains(node));
        let asked = asked.expect("one node is left to be asked");
        let until = Instant::now() + READY_WITHIN;
        loop {
            match self.leader_of(stream, asked).await {
                Some(leader) if !but.contains(&leader) => return leader,
                found => assert!(Instant::now() < until, "{stream} has no leader: {found:?}"),
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Waits until every node has everything of a stream.
    pub async fn until_copied(&self, stream: &str) {
        let subject = format!("$JS.API.STREAM.INFO.{stream}");
        let until = Instant::now() + READY_WITHIN;
        loop {
            let mut info = None;
            for node in &self.nodes {
                info = info.or(ask(node, &subject).await);
            }
            let copies = info.as_ref().and_then(|info| info["cluster"]["replicas"].as_array());
            if copies.is_some_and(|copies| copies.iter().all(|copy| copy["current"] == true)) {
                return;
            }
            assert!(Instant::now() < until, "{stream} is not on every node: {info:?}");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Until each node knows who leads: before that a stream cannot be made.
    async fn until_ready(&self) {
        let until = Instant::now() + READY_WITHIN;
        for node in &self.nodes {
            while ask(node, "$JS.API.INFO").await.is_none_or(|info| !info["error"].is_null()) {
                assert!(Instant::now() < until, "the nodes form no JetStream");
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
    }
}

/// Asks JetStream through one node; none if nobody answers in time.
async fn ask(node: &NatsServer, subject: &str) -> Option<Value> {
    let client = async_nats::connect(node.url()).await.ok()?;
    let asked = client.request(subject.to_owned(), "".into());
    let answer = tokio::time::timeout(Duration::from_secs(2), asked).await.ok()?.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

/// All different, which one after the other would not be.
fn free_ports(count: usize) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    while ports.len() < count {
        ports.insert(NatsServer::free_port());
    }
    ports
}
