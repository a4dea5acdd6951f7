//! `wattle compile`: machine code for hosts that do not compile.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde::Serialize;
use wattle_host::code::{Level, Profile, Target};
use wattle_host::precompile::{self, Made, Order, Wanted};
use wattle_host::precompiled::file_name;
use wattle_trust::{KeyPair, TrustPolicy};
use wattle_types::Role;

use crate::claims::{read_component, unix_now_s};
use crate::code::CompileArgs;
use crate::home::{self, HomeArgs};
use crate::output::{Format, OutputArgs, complain};
use crate::run::signed;

/// Make machine code of a component, signed, for hosts that do not compile.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle compile counter_s.wasm                          for machines like this one
  wattle compile counter_s.wasm --cpu-level x86-64-v3    only for those with AVX2, and faster there
  wattle compile counter_s.wasm --target aarch64-unknown-linux-gnu --artifacts /srv/code
  wattle compile counter_s.wasm --target pulley64        for any machine, interpreted
  wattle compile counter_s.wasm --key farm.nk --expires-in-days 30 -o json

A host finds the file beside the component, or in the folder it was given with --artifacts.
It uses it only if its trust file names the key under [[compilers]], and runs it as machine code,
outside the sandbox of components: name only those whom you would let run programs there.

Exit codes: 0 made, 1 not made, 2 wrong usage.")]
pub(crate) struct Args {
    /// The component: a file, or an image that is one (`file:///…`). One without a signature is
    /// taken as signed by the local key of this machine.
    #[arg(value_name = "FILE|IMAGE")]
    component: String,
    /// The machines to make code for [default: those like this one].
    #[arg(long, value_name = "TRIPLE", value_parser = parse::<Target>)]
    target: Option<Target>,
    /// What their processors have at least: x86-64-v2, x86-64-v3, armv8.0-a, armv8.1-a
    /// [default: the least of the target].
    #[arg(long, value_name = "LEVEL")]
    cpu_level: Option<String>,
    /// The engine of the hosts: p2-server, p2-edge, p3-server, p3-edge [default: what the component
    /// needs, on a server].
    #[arg(long, value_name = "PROFILE", value_parser = parse::<Profile>)]
    profile: Option<Profile>,
    /// The file of the account key that says what the code is of [default: the compiler key of this
    /// machine].
    #[arg(long, visible_alias = "issuer", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Hosts use the code for so many days [default: for ever].
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u64>,
    /// Where to write the code [default: beside the component, where hosts look for it].
    #[arg(long, value_name = "FILE", conflicts_with = "artifacts")]
    output: Option<PathBuf>,
    /// A folder to write the code into, under the name that `wattle host --artifacts` looks for.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// Judge the signature of the component by this trust file [default: the one of this machine].
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    compile: CompileArgs,
    #[command(flatten)]
    home: HomeArgs,
    #[arg(short = 'o', long = "format", value_enum, default_value_t)]
    format: Format,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Summary {
    file: PathBuf,
    /// What the code is for; hosts that cannot run it say which they need.
    engine: String,
    profile: &'static str,
    target: &'static str,
    cpu_level: &'static str,
    /// The content of the component: its `hash` in `wattle claims inspect`.
    source: String,
    /// BLAKE3 of the code.
    hash: String,
    bytes: usize,
    /// The key that a trust file has to name under `[[compilers]]`.
    compiler: String,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(raw: &str) -> Result<T, String> {
    raw.parse().map_err(|error: T::Err| error.to_string())
}

pub(crate) async fn run(args: Args) -> Result<()> {
    ensure!(
        cfg!(feature = "compiler"),
        "this wattle was built without a compiler (feature `compiler`); another build has it"
    );
    let order = args.order()?;
    let (compiler, expires) = (order.key.public(), order.expires_s);
    let made = precompile::make(order).await;
    let made = made.with_context(|| format!("could not compile {}", args.component))?;
    let file = args.file(&made)?;
    write(&file, &made).with_context(|| format!("could not write {}", file.display()))?;
    complain(format_args!("made code for {}, by {compiler}", made.engine));
    let summary = Summary {
        file,
        engine: made.engine.to_string(),
        profile: made.engine.profile().name(),
        target: made.engine.target().name(),
        cpu_level: made.engine.level().name(),
        source: made.source.to_string(),
        hash: made.hash.to_string(),
        bytes: made.head.len() + made.code.len(),
        compiler: compiler.to_string(),
        expires,
    };
    OutputArgs { output: args.format }.print(&summary, |made| made.file.display().to_string());
    Ok(())
}

impl Args {
    fn order(&self) -> Result<Order> {
        let home = self.home.open()?;
        let path = self.path();
        let component = read_component(path)?;
        let component = signed(component, path, &home)?;
        let trust = match &self.trust {
            Some(path) => home::read_trust(path)?,
            None => home.local_trust()?,
        };
        let key: KeyPair = match &self.key {
            Some(path) => home::read_key(path, Role::Account)?,
            None => home.local_compiler()?,
        };
        let target = self.target.unwrap_or_else(Target::here);
        let level = self.cpu_level.as_deref().map(|name| target.level(name)).transpose();
        let level: Option<Level> = level.context("--cpu-level")?;
        let now_s = unix_now_s();
        let in_days = |days: u64| now_s.saturating_add(days.saturating_mul(86_400));
        Ok(Order {
            component: Bytes::from(component),
            trust: TrustPolicy::try_from(&trust)?,
            wanted: Wanted { profile: self.profile, target, level },
            compile: self.compile.config(),
            key,
            now_s,
            expires_s: self.expires_in_days.map(in_days),
        })
    }

    fn path(&self) -> &Path {
        Path::new(self.component.strip_prefix("file://").unwrap_or(&self.component))
    }

    fn file(&self, made: &Made) -> Result<PathBuf> {
        if let Some(file) = &self.output {
            return Ok(file.clone());
        }
        if let Some(dir) = &self.artifacts {
            ensure!(dir.is_dir(), "--artifacts: there is no folder {}", dir.display());
            return Ok(dir.join(file_name(made.source, &made.engine)));
        }
        let stem = self.path().file_stem().unwrap_or_default().to_string_lossy();
        Ok(self.path().with_file_name(file_name(stem, &made.engine)))
    }
}

/// Whole or not at all: a host may be looking for it now.
fn write(file: &Path, made: &Made) -> Result<()> {
    let name = file.file_name().context("it has no name")?.to_string_lossy();
    let new = file.with_file_name(format!(".{name}.new"));
    let mut out = std::fs::File::create(&new)?;
    out.write_all(&made.head)?;
    out.write_all(&made.code)?;
    out.sync_all()?;
    Ok(std::fs::rename(new, file)?)
}
