//! `wattle app deploy`: stores a manifest and runs it, and waits until it runs.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm;
use wattle_types::{AppName, Application, Manifest};

use super::editor::{Editor, ForceArgs};
use super::progress;
use super::show::describe;
use super::validate::read_manifest;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, complain};

/// Store a manifest and run it, or run one that is stored.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle app deploy wattle.yaml                  store it, run it, wait until it runs
  wattle app deploy http-counter                 run the newest stored version again
  wattle app deploy http-counter --version v2    run a certain one")]
pub(crate) struct DeployArgs {
    /// A manifest (`-` reads standard input), or the name of a stored application.
    #[arg(value_name = "FILE|NAME")]
    what: String,
    /// Which stored version to run; only with a name.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Take over what was started by hand under the same ids, also if it is another component.
    #[arg(long)]
    takeover: bool,
    /// Return once it is accepted.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait until everything runs, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
    #[command(flatten)]
    force: ForceArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn deploy(args: DeployArgs) -> Result<ExitCode> {
    let manifest = manifest_to_store(&args)?;
    let lattice = args.lattice.connect().await?;
    let mut editor = Editor::open(&args.lattice, &lattice, &args.force)?;
    let (name, version) = match &manifest {
        Some(manifest) => (manifest.metadata.name.clone(), Some(put(&mut editor, manifest).await?)),
        None => (args.what.parse()?, args.version.clone()),
    };
    let request = serde_json::to_vec(&wadm::DeployRequest { version, takeover: args.takeover })?;
    let subject = AppSubject::Deploy { app: name.clone() };
    let reply: wadm::DeployReply = editor.change(&name, subject, request).await?;
    if reply.result != wadm::DeployResult::Acknowledged {
        bail!("{}", reply.message);
    }
    if args.no_wait {
        args.output.print(&reply, |reply| reply.message.clone());
        return Ok(ExitCode::SUCCESS);
    }
    until_it_runs(&lattice, &name, Duration::from_secs(args.wait), &args.output).await
}

/// Waits until the application runs, and says how it is then.
pub(super) async fn until_it_runs(
    lattice: &Lattice,
    name: &AppName,
    within: Duration,
    output: &OutputArgs,
) -> Result<ExitCode> {
    let settled = progress::until_settled(lattice, name, within).await?;
    output.print(&settled, |status| describe(name, status));
    let runs = settled.status.kind == wadm::StatusType::Deployed;
    Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The manifest, if a file was named; none if it is a stored application.
fn manifest_to_store(args: &DeployArgs) -> Result<Option<Manifest>> {
    let path = Path::new(&args.what);
    if args.what != "-" && !path.exists() && args.what.parse::<AppName>().is_ok() {
        return Ok(None);
    }
    if args.version.is_some() {
        bail!("--version goes with the name of a stored application, not with a file");
    }
    let manifest = read_manifest(path)?;
    // What is wrong is said here, with line and column: the API gets JSON.
    Application::try_from(&manifest)?;
    Ok(Some(manifest))
}

/// Stores the manifest and gives its version. The same manifest again is no error: it is there.
async fn put(editor: &mut Editor<'_>, manifest: &Manifest) -> Result<String> {
    let name = &manifest.metadata.name;
    let json = manifest.to_json();
    let reply: wadm::PutReply =
        editor.change(name, AppSubject::Put, serde_json::to_vec(&json)?).await?;
    if reply.result != wadm::PutResult::Error {
        complain(&reply.message);
        return Ok(reply.current_version);
    }
    let Some(version) = manifest.version() else { bail!("{}", reply.message) };
    let request = serde_json::to_vec(&wadm::GetRequest { version: Some(version.to_owned()) })?;
    let subject = AppSubject::Get { app: name.clone() };
    let stored: wadm::GetReply = editor.lattice.app(subject, request).await?;
    match stored.manifest {
        Some(stored) if stored == json => Ok(version.to_owned()),
        Some(_) => bail!(
            "version {version} of {name} is stored with other content; change \
             metadata.annotations.version"
        ),
        None => bail!("{}", reply.message),
    }
}
