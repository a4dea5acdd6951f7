//! How a long-running command is told to stop.

use tokio::signal::unix::{SignalKind, signal};
use wattle_tasks::CancellationToken;

use crate::output::complain;

/// Cancelled at the first SIGINT or SIGTERM. The second ends the process at once: whoever sends
/// it does not want to wait for what is in flight.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    // Not awaited by anyone: it ends with the process, and only the process needs it.
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                told.cancel();
            } else {
                complain("stopped without waiting for what is in flight");
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}
