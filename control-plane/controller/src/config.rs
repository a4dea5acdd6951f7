//! What a controller is told by its binary.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use wattle_trust::KeyPair;
use wattle_types::{LatticeId, PublicKey, Token};

/// One controller. Several may run in a lattice; one leads.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    pub lattice: LatticeId,
    /// One or more addresses, separated by commas.
    pub nats_url: String,
    /// A NATS credentials file.
    pub nats_creds: Option<PathBuf>,
    /// Under which name it leads.
    pub name: Token,
    /// Signs assignments and the leader's word; hosts must trust it. Of role cluster.
    pub key: KeyPair,
    /// Whose stored assignments are believed: the other controllers' keys. Its own always is.
    pub controllers: BTreeSet<PublicKey>,
    /// Where the highest epoch is kept. Created if it is not there.
    pub data_dir: PathBuf,
    /// Copies of the control stream on different NATS servers, when it is created.
    pub replicas: u8,
    /// How long leaving may take.
    pub stop_grace: Duration,
}

impl ControllerConfig {
    pub fn new(
        lattice: LatticeId,
        nats_url: String,
        name: Token,
        key: KeyPair,
        data_dir: PathBuf,
    ) -> Self {
        Self {
            lattice,
            nats_url,
            nats_creds: None,
            name,
            key,
            controllers: BTreeSet::new(),
            data_dir,
            replicas: 1,
            stop_grace: Duration::from_secs(3),
        }
    }

    /// The keys whose assignments are believed.
    pub(crate) fn believed(&self) -> BTreeSet<PublicKey> {
        let mut keys = self.controllers.clone();
        keys.insert(self.key.public());
        keys
    }
}
