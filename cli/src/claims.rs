//! `wattle claims`: sign components, and read what a signature says.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wattle_trust::{KeyPair, SignRequest, TrustPolicy, claims};
use wattle_types::{ModuleKey, Role};

use crate::home::{self, HomeArgs};
use crate::output::{OutputArgs, complain, line};

/// Sign components and read their signatures; wasmCloud 1.x tools understand both ways.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Sign(SignArgs),
    Inspect(InspectArgs),
}

/// Sign a component.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle claims sign counter.wasm                          with the local key of this machine
  wattle claims sign counter.wasm --issuer issuer.nk --subject counter.nk --name counter \\
      --rev 3 --ver 1.2.0 --output counter_s.wasm")]
pub(crate) struct SignArgs {
    file: PathBuf,
    /// The file of the account key that signs [default: the local key of this machine].
    #[arg(long, value_name = "FILE")]
    issuer: Option<PathBuf>,
    /// The file of the component's module key, the same across its revisions [default: a new key].
    #[arg(long, value_name = "FILE")]
    subject: Option<PathBuf>,
    /// What people call the component [default: the file's name].
    #[arg(long)]
    name: Option<String>,
    /// Rises with each release; a trust file can set a minimum for it.
    #[arg(long, value_name = "N")]
    rev: Option<u32>,
    /// The version that people read.
    #[arg(long, value_name = "VERSION")]
    ver: Option<String>,
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[arg(long, value_name = "ALIAS")]
    call_alias: Option<String>,
    /// The signature ends after so many days [default: never].
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u64>,
    /// The signature holds only from so many days on.
    #[arg(long, value_name = "DAYS")]
    valid_in_days: Option<u64>,
    /// Where to write the signed component [default: FILE with `_s` before its ending].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    home: HomeArgs,
}

/// Print what the signature of a component says, and whether this machine would run it.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    file: PathBuf,
    /// Judge by this trust file [default: the one of this machine].
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Sign(args) => sign(&args),
        Command::Inspect(args) => inspect(&args),
    }
}

pub(crate) fn unix_now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock of this machine is after 1970").as_secs()
}

pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("could not read the component {}", path.display()))
}

/// The request that `wattle claims sign FILE` and `wattle run FILE` make for a file.
pub(crate) fn request_for(path: &Path, subject: ModuleKey) -> SignRequest {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    SignRequest::new(subject, name.unwrap_or_else(|| "component".to_owned()))
}

fn sign(args: &SignArgs) -> Result<()> {
    let issuer = match &args.issuer {
        Some(path) => home::read_key(path, Role::Account)?,
        None => args.home.open()?.local_issuer()?,
    };
    let subject = match &args.subject {
        Some(path) => home::read_key(path, Role::Module)?,
        None => KeyPair::generate(Role::Module)?,
    };
    let now = unix_now_s();
    let in_days = |days: u64| now.saturating_add(days.saturating_mul(86_400));
    let mut request = request_for(&args.file, subject.public().try_into()?);
    if let Some(name) = &args.name {
        request.name.clone_from(name);
    }
    request.rev = args.rev;
    request.ver.clone_from(&args.ver);
    request.tags.clone_from(&args.tags);
    request.call_alias.clone_from(&args.call_alias);
    request.expires = args.expires_in_days.map(in_days);
    request.not_before = args.valid_in_days.map(in_days);
    let signed = claims::sign(&read_component(&args.file)?, &request, &issuer, now)
        .with_context(|| format!("could not sign {}", args.file.display()))?;
    let output = args.output.clone().unwrap_or_else(|| signed_name(&args.file));
    std::fs::write(&output, signed)
        .with_context(|| format!("could not write {}", output.display()))?;
    complain(format_args!("signed {} by {}", subject.public(), issuer.public()));
    line(output.display());
    Ok(())
}

/// `dir/counter.wasm` becomes `dir/counter_s.wasm`, as with the 1.x tools.
fn signed_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}_s.wasm"))
}

fn inspect(args: &InspectArgs) -> Result<()> {
    let bytes = read_component(&args.file)?;
    let claims = claims::inspect(&bytes)
        .with_context(|| format!("could not read the signature of {}", args.file.display()))?;
    let Some(claims) = claims else {
        anyhow::bail!("{} is not signed; sign it with `wattle claims sign`", args.file.display());
    };
    let trust = match &args.trust {
        Some(path) => home::read_trust(path)?,
        None => args.home.open()?.local_trust()?,
    };
    let policy = TrustPolicy::try_from(&trust)?;
    let verdict = wattle_trust::verify(bytes.into(), &policy, unix_now_s());
    let (trusted, why) = match &verdict {
        Ok(_) => (true, None),
        Err(refusal) => (false, Some(format!("{refusal} [{}]", refusal.code()))),
    };
    let shown = serde_json::json!({
        "issuer": claims.issuer.to_string(),
        "subject": claims.subject.to_string(),
        "name": claims.name,
        "revision": claims.rev,
        "version": claims.ver,
        "tags": claims.tags,
        "call_alias": claims.call_alias,
        "issued_at": claims.issued_at,
        "not_before": claims.not_before,
        "expires": claims.expires,
        "hash": claims.hash.to_string(),
        "trusted": trusted,
        "refusal": why,
    });
    args.output.print(&shown, |shown| {
        let fields = shown.as_object().into_iter().flatten();
        let set = fields.filter(|(_, value)| !value.is_null());
        set.map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name:<11} {text}\n"),
            None => format!("{name:<11} {value}\n"),
        })
        .collect()
    });
    Ok(())
}
