//! `wattle`: one binary for hosts, controllers and the people who run them.
//!
//! One file per subcommand, those for people listed in `desk`; what they share is in `home` (keys
//! and trust of this machine), `local` (what runs on it), `lattice` (how commands reach one),
//! `output` (what people and scripts read), `sandbox` and `nats_server` (the managed child of
//! `wattle up`).

#[cfg(not(feature = "operate"))]
mod absent;
#[cfg(feature = "operate")]
mod app;
#[cfg(feature = "operate")]
mod by_hand;
#[cfg(feature = "operate")]
mod call;
#[cfg(feature = "operate")]
mod claims;
mod code;
#[cfg(feature = "operate")]
mod compile;
#[cfg(feature = "operate")]
mod completions;
#[cfg(feature = "operate")]
mod config;
#[cfg(feature = "controller")]
mod controller;
#[cfg(feature = "operate")]
mod describe;
#[cfg(feature = "operate")]
mod desk;
#[cfg(feature = "operate")]
mod down;
#[cfg(feature = "operate")]
mod get;
mod home;
mod host;
#[cfg(feature = "operate")]
mod keys;
#[cfg(feature = "operate")]
mod lattice;
#[cfg(feature = "operate")]
mod link;
#[cfg(feature = "operate")]
mod local;
#[cfg(feature = "operate")]
mod nats_server;
mod output;
mod process;
#[cfg(feature = "operate")]
mod run;
mod sandbox;
mod size;
#[cfg(feature = "operate")]
mod spy;
#[cfg(feature = "operate")]
mod trust;
#[cfg(feature = "operate")]
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wattle_host::precompile::OrderError;
use wattle_host::sandbox::{Sandbox, SandboxError};
use wattle_host::standalone::StandaloneError;
use wattle_tasks::telemetry::{self, TelemetryConfig, TelemetryGuard};
use wattle_trust::Refusal;

/// Calls end on other threads than they began on: `docs/adr/0017-allocator.md`.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Run signed WebAssembly components as actors in a lattice.
#[derive(Debug, Parser)]
#[command(name = "wattle", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Write logs as JSON, one object per line.
    #[arg(long, global = true, env = "WATTLE_LOG_JSON")]
    log_json: bool,
}

const EXAMPLES: &str = "Examples:
  wattle run hello.wasm                  serve one component at once
  wattle up --detach                     a lattice on this machine: NATS, controller, host
  wattle app deploy wattle.yaml          run an application in it
  wattle app status http-counter         see how it is
  wattle call http_counter-counter       ask it, wherever it runs

Exit codes: 0 done, 1 failed, 2 wrong usage.
Logs go to standard error, filtered by RUST_LOG; results go to standard output.";

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "operate")]
    #[command(flatten)]
    Desk(desk::Command),
    Host(Box<host::Args>),
    #[cfg(feature = "controller")]
    Controller(controller::Args),
    /// Another build may have it.
    #[cfg(not(feature = "operate"))]
    #[command(external_subcommand)]
    Absent(Vec<String>),
}

impl Command {
    /// Long-running commands tell what they do; the others only what went wrong.
    fn default_filter(&self) -> &'static str {
        match self {
            Self::Host(args) => args.default_filter(),
            #[cfg(feature = "controller")]
            Self::Controller(args) => args.default_filter(),
            #[cfg(feature = "operate")]
            Self::Desk(command) => command.default_filter(),
            #[cfg(not(feature = "operate"))]
            Self::Absent(_) => "error",
        }
    }

    /// The first half of what `--sandbox` promises, where it is given.
    fn sandbox(&self) -> anyhow::Result<Option<Sandbox>> {
        match self {
            Self::Host(args) => args.sandbox(),
            #[cfg(feature = "operate")]
            Self::Desk(command) => command.sandbox(),
            #[cfg(feature = "controller")]
            Self::Controller(_) => Ok(None),
            #[cfg(not(feature = "operate"))]
            Self::Absent(_) => Ok(None),
        }
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "compiler")]
    if let Some(code) = code::run_if_asked() {
        return code;
    }
    // Before anything else: two TLS providers in one rustls panic at the first HTTPS call.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing has installed a TLS provider before main");
    let cli = Cli::parse();
    // Before there are threads: the kernel guards files for the one that asks, and its children.
    let sandbox = match cli.command.sandbox() {
        Ok(sandbox) => sandbox,
        Err(error) => return failed(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("could not start threads")),
    };
    match runtime.block_on(dispatch(cli, sandbox)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn dispatch(cli: Cli, sandbox: Option<Sandbox>) -> anyhow::Result<ExitCode> {
    let _telemetry = init_telemetry(&cli)?;
    match cli.command {
        #[cfg(feature = "operate")]
        Command::Desk(command) => desk::run(command, sandbox).await,
        Command::Host(args) => host::run(*args, sandbox).await,
        #[cfg(feature = "controller")]
        Command::Controller(args) => controller::run(args).await,
        #[cfg(not(feature = "operate"))]
        Command::Absent(words) => Err(absent::what_is_missing(&words)),
    }
}

fn init_telemetry(cli: &Cli) -> anyhow::Result<TelemetryGuard> {
    let config = TelemetryConfig {
        service: "wattle",
        default_filter: cli.command.default_filter().to_owned(),
        json: cli.log_json,
    };
    Ok(telemetry::init(&config, |name| std::env::var(name).ok())?)
}

/// One line with every cause, and the stable code where there is one.
fn failed(error: &anyhow::Error) -> ExitCode {
    match code(error) {
        Some(code) => output::complain(format_args!("error: {error:#} [{code}]")),
        None => output::complain(format_args!("error: {error:#}")),
    }
    ExitCode::FAILURE
}

/// Of the first error in the chain that has one; its page is in `docs/errors`.
fn code(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        let standalone = cause.downcast_ref::<StandaloneError>().and_then(StandaloneError::code);
        let sandbox = cause.downcast_ref::<SandboxError>().map(SandboxError::code);
        let refusal = cause.downcast_ref::<Refusal>().map(Refusal::code);
        let order = cause.downcast_ref::<OrderError>().and_then(OrderError::code);
        standalone.or(sandbox).or(refusal).or(order)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
