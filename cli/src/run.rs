//! `wattle run`: one component, served at once, with everything embedded.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;
use wattle_host::standalone::{self, StandaloneConfig};
use wattle_trust::{KeyPair, TrustPolicy, claims};
use wattle_types::Role;

use crate::claims::{read_component, request_for, unix_now_s};
use crate::code::CodeArgs;
use crate::home::{self, Home, HomeArgs};
use crate::host::parse_label;
use crate::output::{complain, line};
use crate::process;

/// Serve one component over HTTP, without NATS and without a controller.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle run hello.wasm
  wattle run hello.wasm --addr 0.0.0.0:8080 --config greeting=hi

A file without a signature is signed with the local key of this machine first.
Its key-value stores are kept below the data folder, one set per file name.")]
pub(crate) struct Args {
    file: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    addr: SocketAddr,
    /// What `wasi:config` answers; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_label)]
    config: Vec<(String, String)>,
    /// A server that the component may reach over HTTP; repeatable. None by default.
    #[arg(long, value_name = "HOST[:PORT]")]
    outbound: Vec<String>,
    /// Judge the signature by this trust file [default: the one of this machine].
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    code: CodeArgs,
    #[command(flatten)]
    home: HomeArgs,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let home = args.home.open()?;
    let trust = match &args.trust {
        Some(path) => home::read_trust(path)?,
        None => home.local_trust()?,
    };
    let component = signed(read_component(&args.file)?, &args.file, &home)?;
    let policy = TrustPolicy::try_from(&trust)?;
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stop = process::stop_on_signal()?;
    let config = StandaloneConfig {
        addr: args.addr,
        component: Bytes::from(component),
        name,
        trust: policy,
        data_dir: home.folder("run")?,
        config: BTreeMap::from_iter(args.config),
        outbound: args.outbound,
        file: Some(args.file.clone()),
        code: args.code.config()?,
    };
    let on_ready = |addr: SocketAddr| {
        line(format_args!("serving {} on http://{addr} (Ctrl-C ends it)", args.file.display()));
    };
    standalone::run(config, on_ready, stop)
        .await
        .with_context(|| format!("could not serve {}", args.file.display()))
}

/// The component as it is; or signed with the local key, if nobody has signed it.
pub(crate) fn signed(component: Vec<u8>, file: &Path, home: &Home) -> Result<Vec<u8>> {
    // What is wrong with the file is told by the verification; here only a signature is missing.
    if !matches!(claims::inspect(&component), Ok(None)) {
        return Ok(component);
    }
    let issuer = home.local_issuer()?;
    let subject = KeyPair::generate(Role::Module)?.public().try_into()?;
    let request = request_for(file, subject);
    let Ok(signed) = claims::sign(&component, &request, &issuer, unix_now_s()) else {
        return Ok(component);
    };
    let (file, issuer) = (file.display(), issuer.public());
    complain(format_args!("{file} is not signed; signed it with the local key {issuer}"));
    Ok(signed)
}
