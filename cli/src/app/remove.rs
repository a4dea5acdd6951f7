//! `wattle app undeploy` and `delete`.

use anyhow::{Result, bail};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm;
use wattle_types::AppName;

use super::editor::{Editor, ForceArgs};
use super::not_found;
use crate::lattice::LatticeArgs;
use crate::output::line;

/// Stop an application and keep its manifests.
#[derive(Debug, clap::Args)]
pub(crate) struct NameArgs {
    name: AppName,
    #[command(flatten)]
    force: ForceArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// Remove an application's manifests; one that runs is stopped first.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    name: AppName,
    /// Only this version [default: all].
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    force: ForceArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
}

pub(super) async fn undeploy(args: NameArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let mut editor = Editor::open(&args.lattice, &lattice, &args.force)?;
    let subject = AppSubject::Undeploy { app: args.name.clone() };
    let reply: wadm::DeployReply = editor.change(&args.name, subject, Vec::new()).await?;
    match reply.result {
        wadm::DeployResult::Acknowledged => line(reply.message),
        wadm::DeployResult::NotFound => bail!("{}", not_found(&args.name)),
        wadm::DeployResult::Error => bail!("{}", reply.message),
    }
    Ok(())
}

pub(super) async fn delete(args: DeleteArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let mut editor = Editor::open(&args.lattice, &lattice, &args.force)?;
    let request = serde_json::to_vec(&wadm::DeleteRequest { version: args.version })?;
    let subject = AppSubject::Delete { app: args.name.clone() };
    let reply: wadm::DeleteReply = editor.change(&args.name, subject, request).await?;
    match reply.result {
        wadm::DeleteResult::Deleted => line(reply.message),
        wadm::DeleteResult::Noop => bail!("{}", not_found(&args.name)),
        wadm::DeleteResult::Error => bail!("{}", reply.message),
    }
    Ok(())
}
