//! `wattle app`: applications, by the API that wadm's clients use.

mod progress;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm;
use wattle_types::{AppComponent, AppName, Application, InterfaceName, Manifest, Why};

use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{OutputArgs, complain, line, table};

/// Validate, deploy, list, inspect and remove applications.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Validate(ValidateArgs),
    Deploy(DeployArgs),
    List(ListArgs),
    Status(StatusArgs),
    Undeploy(NameArgs),
    Delete(DeleteArgs),
}

/// Check a manifest without storing it; nothing has to run.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    /// The manifest, YAML or JSON; `-` reads standard input.
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

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
    /// Return once it is accepted.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait until everything runs, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// List all applications.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Show how an application is, and what would help where it is not well.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    name: AppName,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Stop an application and keep its manifests.
#[derive(Debug, clap::Args)]
pub(crate) struct NameArgs {
    name: AppName,
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
    lattice: LatticeArgs,
}

pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Validate(args) => validate(&args)?,
        Command::Deploy(args) => return deploy(args).await,
        Command::List(args) => list(args).await?,
        Command::Status(args) => return status(args).await,
        Command::Undeploy(args) => undeploy(args).await?,
        Command::Delete(args) => delete(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn validate(args: &ValidateArgs) -> Result<()> {
    let manifest = read_manifest(&args.file)?;
    let app = Application::try_from(&manifest)?;
    let parts = app.components.iter().map(|component| {
        serde_json::json!({
            "name": component.name,
            "id": component.id,
            "warning": match &component.part {
                wattle_types::Part::Unsupported(why) => Some(why),
                wattle_types::Part::Actor(_) => None,
            },
        })
    });
    let valid = serde_json::json!({
        "valid": true,
        "name": app.name,
        "version": app.version,
        "components": parts.collect::<Vec<_>>(),
    });
    args.output.print(&valid, |_| {
        let mut text = format!("{} is valid\n", app.name);
        for component in &app.components {
            if let wattle_types::Part::Unsupported(why) = &component.part {
                text += &format!("warning: component {} will not run: {why}\n", component.name);
            }
            for (link, why) in impossible(component) {
                text +=
                    &format!("warning: link {link} of {} leads nowhere: {why}\n", component.name);
            }
        }
        text
    });
    Ok(())
}

/// Links through which no call can go, and why.
fn impossible(component: &AppComponent) -> impl Iterator<Item = (&InterfaceName, &str)> {
    component.unlinked.iter().filter_map(|link| match &link.why {
        Why::Impossible(why) => Some((&link.interface, why.as_str())),
        Why::BuiltIn => None,
    })
}

async fn deploy(args: DeployArgs) -> Result<ExitCode> {
    let manifest = manifest_to_store(&args)?;
    let lattice = args.lattice.connect().await?;
    let (name, version) = match &manifest {
        Some(manifest) => (manifest.metadata.name.clone(), Some(put(&lattice, manifest).await?)),
        None => (args.what.parse()?, args.version.clone()),
    };
    let request = serde_json::to_vec(&wadm::DeployRequest { version })?;
    let subject = AppSubject::Deploy { app: name.clone() };
    let reply: wadm::DeployReply = lattice.app(subject, request).await?;
    if reply.result != wadm::DeployResult::Acknowledged {
        bail!("{}", reply.message);
    }
    if args.no_wait {
        args.output.print(&reply, |reply| reply.message.clone());
        return Ok(ExitCode::SUCCESS);
    }
    let settled = progress::until_settled(&lattice, &name, Duration::from_secs(args.wait)).await?;
    args.output.print(&settled, |status| describe(&name, status));
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
async fn put(lattice: &Lattice, manifest: &Manifest) -> Result<String> {
    let name = &manifest.metadata.name;
    if let Some(version) = manifest.version() {
        let request = serde_json::to_vec(&wadm::GetRequest { version: Some(version.to_owned()) })?;
        let subject = AppSubject::Get { app: name.clone() };
        let stored: wadm::GetReply = lattice.app(subject, request).await?;
        if let Some(stored) = stored.manifest {
            if stored == manifest.to_json() {
                return Ok(version.to_owned());
            }
            bail!(
                "version {version} of {name} is stored with other content; change \
                 metadata.annotations.version"
            );
        }
    }
    let reply: wadm::PutReply =
        lattice.app(AppSubject::Put, serde_json::to_vec(&manifest.to_json())?).await?;
    complain(&reply.message);
    Ok(reply.current_version)
}

async fn list(args: ListArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let apps: Vec<wadm::Summary> = lattice.app(AppSubject::List, "").await?;
    args.output.print(&apps, |apps| {
        let rows = apps.iter().map(|app| {
            let deployed = app.deployed_version.clone().unwrap_or_else(|| "-".to_owned());
            let status = app.detailed_status.status.kind.as_str().to_owned();
            [
                app.name.clone(),
                app.version.clone(),
                deployed,
                status,
                app.description.clone().unwrap_or_default(),
            ]
        });
        table(["NAME", "LATEST", "DEPLOYED", "STATUS", "DESCRIPTION"], rows)
    });
    Ok(())
}

async fn status(args: StatusArgs) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let status = status_of(&lattice, &args.name).await?;
    args.output.print(&status, |status| describe(&args.name, status));
    Ok(code_of(&status))
}

async fn status_of(lattice: &Lattice, name: &AppName) -> Result<wadm::Status> {
    let reply: wadm::StatusReply =
        lattice.app(AppSubject::Status { app: name.clone() }, "").await?;
    reply.status.with_context(|| not_found(name))
}

fn not_found(name: &AppName) -> String {
    format!("there is no application {name}; `wattle app list` shows those that there are")
}

async fn undeploy(args: NameArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let subject = AppSubject::Undeploy { app: args.name.clone() };
    let reply: wadm::DeployReply = lattice.app(subject, "").await?;
    if reply.result == wadm::DeployResult::NotFound {
        bail!("{}", not_found(&args.name));
    }
    line(reply.message);
    Ok(())
}

async fn delete(args: DeleteArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let request = serde_json::to_vec(&wadm::DeleteRequest { version: args.version })?;
    let subject = AppSubject::Delete { app: args.name.clone() };
    let reply: wadm::DeleteReply = lattice.app(subject, request).await?;
    if reply.result == wadm::DeleteResult::Noop {
        bail!("{}", not_found(&args.name));
    }
    line(reply.message);
    Ok(())
}

/// One line per component, then what is wrong with it.
fn describe(name: &AppName, status: &wadm::Status) -> String {
    let mut text = told(name.as_str(), &status.status);
    for component in &status.components {
        text += &format!("  {}", told(&component.name, &component.status));
    }
    text
}

fn told(name: &str, info: &wadm::StatusInfo) -> String {
    let (kind, message) = (info.kind.as_str(), &info.message);
    if message.is_empty() {
        format!("{name}: {kind}\n")
    } else {
        format!("{name}: {kind}: {message}\n")
    }
}

fn code_of(status: &wadm::Status) -> ExitCode {
    if status.status.kind == wadm::StatusType::Failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Reads a manifest, with images given as files made absolute: the hosts that fetch them run in
/// other folders.
fn read_manifest(path: &Path) -> Result<Manifest> {
    let (text, folder) = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
        (text, std::env::current_dir()?)
    } else {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read the manifest {}", path.display()))?;
        let path = std::path::absolute(path)?;
        (text, path.parent().map(Path::to_path_buf).unwrap_or_default())
    };
    let mut manifest = Manifest::parse(&text)
        .with_context(|| format!("the manifest {} is wrong", path.display()))?;
    for component in &mut manifest.spec.components {
        if let Some(image) = &mut component.properties.image {
            *image = absolute(image, &folder);
        }
    }
    Ok(manifest)
}

/// `file://counter.wasm` and `file://./counter.wasm` are beside the manifest.
fn absolute(image: &str, folder: &Path) -> String {
    match image.strip_prefix("file://") {
        Some(path) if !path.starts_with('/') => {
            let path = path.strip_prefix("./").unwrap_or(path);
            format!("file://{}", folder.join(path).display())
        }
        _ => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_beside_the_manifest_is_found_from_everywhere() {
        let cases = [
            ("file://c.wasm", "file:///apps/c.wasm"),
            ("file://./c.wasm", "file:///apps/c.wasm"),
            ("file:///x/c.wasm", "file:///x/c.wasm"),
            ("ghcr.io/x/c:1", "ghcr.io/x/c:1"),
        ];
        for (image, found) in cases {
            assert_eq!(absolute(image, Path::new("/apps")), found);
        }
    }
}
