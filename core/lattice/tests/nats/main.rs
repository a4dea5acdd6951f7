//! What the wire promises, against a real nats-server per test.

mod connection;
mod data;
mod exchange;
mod follow;
mod prefix;
mod store;

use std::time::Duration;

use wattle_lattice::Connection;
use wattle_lattice::testing::NatsServer;
use wattle_types::{HostId, LatticeId, PublicKey, Role};

/// Within this, what should happen on loopback has happened, also on a loaded machine.
const SOON: Duration = Duration::from_secs(15);

fn lattice() -> LatticeId {
    "prod".parse().expect("a literal name")
}

fn host(n: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [n; 32])).expect("a server key")
}

async fn join(server: &NatsServer) -> Connection {
    server.join(&lattice()).await
}

/// Waits for `what`, and says so if it does not happen.
async fn soon<T>(what: &str, happening: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, happening)
        .await
        .unwrap_or_else(|_| panic!("{what}: not in {SOON:?}"))
}
