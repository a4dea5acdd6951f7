//! `wattle trust`: who is believed on this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wattle_trust::KeyPair;
use wattle_types::{CompilerKey, ControllerKey, IssuerKey, PublicKey};

use crate::home::{self, HomeArgs};
use crate::output::line;

/// Say whose components and assignments a host believes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Init(InitArgs),
    Show(ShowArgs),
}

/// Write a new trust file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle trust init --issuer issuer.nk --controller ctl.nk --output trust.toml")]
pub(crate) struct InitArgs {
    /// An account key whose components may run: the public key, or the file of its seed.
    #[arg(long, required = true, value_name = "KEY|FILE")]
    issuer: Vec<String>,
    /// A controller key whose assignments are followed: the public key, or the file of its seed.
    #[arg(long, value_name = "KEY|FILE")]
    controller: Vec<String>,
    /// An account key whose machine code may run, outside the sandbox of components: the public key,
    /// or the file of its seed.
    #[arg(long, value_name = "KEY|FILE")]
    compiler: Vec<String>,
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Print the trust file of this machine, or another after checking it.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    file: Option<PathBuf>,
    #[command(flatten)]
    home: HomeArgs,
}

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Init(args) => init(&args),
        Command::Show(args) => show(args),
    }
}

fn init(args: &InitArgs) -> Result<()> {
    let issuers = args.issuer.iter().map(|raw| Ok(IssuerKey::try_from(public_key(raw)?)?));
    let controllers =
        args.controller.iter().map(|raw| Ok(ControllerKey::try_from(public_key(raw)?)?));
    let compilers = args.compiler.iter().map(|raw| Ok(CompilerKey::try_from(public_key(raw)?)?));
    let trust = home::trust_of(
        &issuers.collect::<Result<Vec<_>>>().context("--issuer")?,
        &controllers.collect::<Result<Vec<_>>>().context("--controller")?,
        &compilers.collect::<Result<Vec<_>>>().context("--compiler")?,
    );
    home::write_new(&args.output, trust.to_toml().as_bytes(), 0o644)
}

fn show(args: ShowArgs) -> Result<()> {
    let file = match args.file {
        Some(file) => file,
        None => args.home.open()?.trust_file(),
    };
    line(home::read_trust(&file)?.to_toml().trim_end());
    Ok(())
}

/// A public key as text, or the public half of the seed in a file.
fn public_key(raw: &str) -> Result<PublicKey> {
    if let Ok(key) = raw.parse() {
        return Ok(key);
    }
    let path = Path::new(raw);
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{raw:?} is neither a public key nor a file that can be read"))?;
    if let Ok(key) = text.trim().parse() {
        return Ok(key);
    }
    Ok(KeyPair::from_seed(&text).with_context(|| format!("the key file {raw} is wrong"))?.public())
}
