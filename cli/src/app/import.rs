//! `wattle app import`: brings over the applications that a wadm keeps.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::kept::{self, KeptApp};
use wattle_lattice::wadm::{self};
use wattle_types::{AppName, Application, Manifest};

use super::editor::{Editor, ForceArgs};
use crate::lattice::LatticeArgs;
use crate::output::{OutputArgs, table};

/// Bring over the applications that a wadm keeps, with all their versions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle app import --from-wadm --dry-run         what there is, and what would be refused
  wattle app import --from-wadm                   store all of it, run nothing
  wattle app import --from-wadm --deploy shop     store one application and run what wadm runs of it

Nothing is taken from wadm: it goes on as before, and importing again brings over what is new. Stop
wadm before you deploy; while it answers, this lattice's controllers leave the API to it.")]
pub(crate) struct ImportArgs {
    /// Only these applications [default: all].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// From the key-value bucket of a wadm, on the same NATS server.
    #[arg(long, required = true)]
    from_wadm: bool,
    /// The bucket, if wadm was told another one.
    #[arg(long, default_value = kept::BUCKET, value_name = "NAME")]
    bucket: String,
    /// Say what would be done and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Run the versions that wadm runs.
    #[arg(long, conflicts_with = "dry_run")]
    deploy: bool,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What became of one version.
#[derive(Debug, Serialize)]
struct Imported {
    app: String,
    version: String,
    /// Whether wadm runs it.
    deployed: bool,
    outcome: Outcome,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// It can be stored, and nothing was done.
    Valid,
    Stored,
    /// It was stored before.
    Present,
    /// Stored and run.
    Run,
    Refused,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Stored => "stored",
            Self::Present => "present",
            Self::Run => "run",
            Self::Refused => "refused",
        }
    }
}

/// Exit code 1 if something was refused.
pub(super) async fn import(args: ImportArgs) -> Result<ExitCode> {
    let mut lattice = args.lattice.connect().await?;
    let found = kept::read(&lattice.connection, &args.bucket, lattice.within).await?;
    let apps = chosen(found, &args.names)?;
    let mut imported = Vec::new();
    if args.dry_run {
        imported.extend(apps.iter().flat_map(look_at));
    } else {
        // While a wadm answers the API, only the leader itself takes what is said to it by name.
        let wadm_answers = lattice.ask_the_leader_by_name().await?.api_taken;
        if args.deploy && wadm_answers {
            bail!(
                "a wadm still answers in lattice {}, and both would start and stop the same actors; \
                 stop it, then import with --deploy",
                lattice.connection.lattice()
            );
        }
        let mut editor = Editor::open(&args.lattice, &lattice, &ForceArgs::default())?;
        for app in &apps {
            imported.extend(bring_over(&mut editor, app, args.deploy).await?);
        }
    }
    args.output.print(&imported, |imported| told(imported));
    let refused = imported.iter().any(|one| one.outcome == Outcome::Refused);
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Those that were asked for, all of which must be there.
fn chosen(mut apps: Vec<KeptApp>, names: &[String]) -> Result<Vec<KeptApp>> {
    if let Some(absent) = names.iter().find(|name| apps.iter().all(|app| app.name != **name)) {
        let there: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
        bail!("wadm keeps no application {absent}, but: {}", there.join(", "));
    }
    apps.retain(|app| names.is_empty() || names.contains(&app.name));
    Ok(apps)
}

fn look_at(app: &KeptApp) -> Vec<Imported> {
    let each = app.versions.iter().map(|(version, manifest)| {
        let read = read(manifest);
        let outcome = if read.is_ok() { Outcome::Valid } else { Outcome::Refused };
        said(app, version, outcome, read.err())
    });
    each.collect()
}

fn said(app: &KeptApp, version: &str, outcome: Outcome, reason: Option<anyhow::Error>) -> Imported {
    Imported {
        app: app.name.clone(),
        version: version.to_owned(),
        deployed: app.deployed.as_deref() == Some(version),
        outcome,
        reason: reason.map(|reason| format!("{reason:#}")),
    }
}

fn read(manifest: &serde_json::Value) -> Result<Manifest> {
    let manifest = Manifest::parse(&manifest.to_string())?;
    Application::try_from(&manifest)?;
    Ok(manifest)
}

/// Stores what is not stored yet, oldest first; what is refused does not keep the others away.
async fn bring_over(editor: &mut Editor<'_>, app: &KeptApp, deploy: bool) -> Result<Vec<Imported>> {
    let mut imported = Vec::new();
    for (version, manifest) in &app.versions {
        let (mut outcome, mut reason) = match store(editor, version, manifest).await {
            Ok(outcome) => (outcome, None),
            Err(error) => (Outcome::Refused, Some(error)),
        };
        let runs = app.deployed.as_deref() == Some(version);
        if deploy && runs && outcome != Outcome::Refused {
            match run(editor, &app.name, version).await {
                Ok(()) => outcome = Outcome::Run,
                Err(error) => (outcome, reason) = (Outcome::Refused, Some(error)),
            }
        }
        imported.push(said(app, version, outcome, reason));
    }
    Ok(imported)
}

async fn store(
    editor: &mut Editor<'_>,
    version: &str,
    manifest: &serde_json::Value,
) -> Result<Outcome> {
    let manifest = read(manifest)?;
    let name = &manifest.metadata.name;
    let json = manifest.to_json();
    let request = serde_json::to_vec(&wadm::GetRequest { version: Some(version.to_owned()) })?;
    let subject = AppSubject::Get { app: name.clone() };
    let there: wadm::GetReply = editor.lattice.app(subject, request).await?;
    match there.manifest {
        Some(there) if there == json => return Ok(Outcome::Present),
        Some(_) => bail!("version {version} is stored with other content"),
        None => {}
    }
    let reply: wadm::PutReply =
        editor.change(name, AppSubject::Put, serde_json::to_vec(&json)?).await?;
    match reply.result {
        wadm::PutResult::Error => bail!("{}", reply.message),
        _ => Ok(Outcome::Stored),
    }
}

async fn run(editor: &mut Editor<'_>, name: &str, version: &str) -> Result<()> {
    let app: AppName = name.parse().context("the name of an application")?;
    let request = serde_json::to_vec(&wadm::DeployRequest {
        version: Some(version.to_owned()),
        takeover: false,
    })?;
    let subject = AppSubject::Deploy { app: app.clone() };
    let reply: wadm::DeployReply = editor.change(&app, subject, request).await?;
    match reply.result {
        wadm::DeployResult::Acknowledged => Ok(()),
        _ => bail!("{}", reply.message),
    }
}

fn told(imported: &[Imported]) -> String {
    if imported.is_empty() {
        return "wadm keeps no application of this lattice\n".to_owned();
    }
    let rows = imported.iter().map(|one| {
        [
            one.app.clone(),
            one.version.clone(),
            if one.deployed { "yes" } else { "-" }.to_owned(),
            one.outcome.as_str().to_owned(),
            one.reason.clone().unwrap_or_default(),
        ]
    });
    table(["APPLICATION", "VERSION", "DEPLOYED", "OUTCOME", "WHY"], rows)
}
