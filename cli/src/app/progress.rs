//! Waiting for an application to run, telling meanwhile what it waits for.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use wattle_lattice::wadm::{Status, StatusType};
use wattle_types::AppName;

use super::show::status_of;
use crate::lattice::Lattice;

/// How often the status is asked for: often enough that nobody waits for the asking.
const PERIOD: Duration = Duration::from_millis(50);

/// Until it is deployed or has failed, or until `within` has passed; then as it is by then.
pub(super) async fn until_settled(
    lattice: &Lattice,
    name: &AppName,
    within: Duration,
) -> Result<Status> {
    let until = Instant::now() + within;
    // Draws nothing unless standard error is a terminal.
    let bar = ProgressBar::new_spinner().with_style(style());
    bar.enable_steady_tick(Duration::from_millis(100));
    loop {
        let status = status_of(lattice, name).await?;
        let settled = matches!(status.status.kind, StatusType::Deployed | StatusType::Failed);
        if settled || until <= Instant::now() {
            bar.finish_and_clear();
            return Ok(status);
        }
        bar.set_message(waiting_for(name, &status));
        tokio::time::sleep(PERIOD).await;
    }
}

fn waiting_for(name: &AppName, status: &Status) -> String {
    let late = status.components.iter().find(|part| part.status.kind != StatusType::Deployed);
    match late {
        Some(part) => {
            format!("{}: {} {}", part.name, part.status.kind.as_str(), part.status.message)
        }
        None => format!("{name}: {}", status.status.kind.as_str()),
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is well-formed")
}
