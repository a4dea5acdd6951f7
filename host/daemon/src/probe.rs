//! Whether another host is still there, for those who wait for it.

use std::time::Duration;

use bytes::Bytes;
use wattle_lattice::subject::HostOp;
use wattle_lattice::{Connection, RequestError, Subject};
use wattle_types::HostId;

use crate::forward::Silence;

/// Between probes. Most calls are answered before the first.
const PERIOD: Duration = Duration::from_millis(500);

/// Completes when a host is gone: whoever waits for it need not wait out the deadline.
pub(crate) async fn until_lost(connection: &Connection, host: HostId) {
    let probe = Subject::Host { host, op: HostOp::Probe };
    let mut silence = Silence::default();
    loop {
        tokio::time::sleep(PERIOD).await;
        let probed = connection.request(&probe, Bytes::new(), PERIOD).await;
        if silence.probed(matches!(probed, Err(RequestError::NoResponders))) {
            return;
        }
    }
}
