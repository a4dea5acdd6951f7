//! `wattle keys`: make and name signing keys.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use wattle_trust::KeyPair;
use wattle_types::Role;

use crate::home;
use crate::output::{OutputArgs, complain};

/// Make signing keys and show their public half.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Gen(GenArgs),
    Show(ShowArgs),
}

/// Make a new key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle keys gen account --output issuer.nk      signs components
  wattle keys gen module --output counter.nk      is one component, across its revisions
  wattle keys gen controller --output ctl.nk      signs assignments")]
pub(crate) struct GenArgs {
    /// What the key is for.
    #[arg(value_enum)]
    kind: Kind,
    /// Write the seed into a new file that only you can read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(short = 'o', long = "format", value_enum, default_value_t)]
    format: crate::output::Format,
}

/// Print the public key of a seed file.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// An issuer: signs components.
    Account,
    /// A component, across its revisions.
    Module,
    /// A host.
    #[value(alias = "server")]
    Host,
    /// A controller: signs assignments.
    #[value(alias = "cluster")]
    Controller,
    Operator,
    User,
    /// A provider.
    #[value(alias = "provider")]
    Service,
}

impl From<Kind> for Role {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Account => Self::Account,
            Kind::Module => Self::Module,
            Kind::Host => Self::Server,
            Kind::Controller => Self::Cluster,
            Kind::Operator => Self::Operator,
            Kind::User => Self::User,
            Kind::Service => Self::Service,
        }
    }
}

#[derive(Serialize)]
struct Made {
    public_key: String,
    /// Only when it was not written to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Gen(args) => generate(args),
        Command::Show(args) => show(&args),
    }
}

fn generate(args: GenArgs) -> Result<()> {
    let key = KeyPair::generate(args.kind.into())?;
    let seed = key.seed();
    if let Some(path) = &args.output {
        home::write_secret(path, seed.expose())?;
    } else {
        complain("Keep the seed secret: whoever has it can sign in your name.");
    }
    let made = Made {
        public_key: key.public().to_string(),
        seed: args.output.is_none().then(|| seed.expose().to_owned()),
        file: args.output,
    };
    OutputArgs { output: args.format }.print(&made, |made| match (&made.seed, &made.file) {
        (Some(seed), _) => format!("public key: {}\nseed:       {seed}", made.public_key),
        (None, Some(_)) | (None, None) => made.public_key.clone(),
    });
    Ok(())
}

fn show(args: &ShowArgs) -> Result<()> {
    let path = &args.file;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read the key file {}", path.display()))?;
    let key = KeyPair::from_seed(&text)
        .with_context(|| format!("the key file {} is wrong", path.display()))?;
    let public_key = key.public().to_string();
    let shown = Made { public_key, seed: None, file: Some(path.clone()) };
    args.output.print(&shown, |shown| shown.public_key.clone());
    Ok(())
}
