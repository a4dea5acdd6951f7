//! `wattle`: one binary for hosts, controllers and the people who run them.
//!
//! One file per subcommand; what they share is in `home` (keys and trust of this machine), `local`
//! (what runs on it), `lattice` (how
//! commands reach one), `output` (what people and scripts read) and `nats_server` (the managed
//! child of `wattle up`).

mod app;
mod call;
mod claims;
mod completions;
mod config;
mod controller;
mod describe;
mod down;
mod get;
mod home;
mod host;
mod keys;
mod lattice;
mod link;
mod local;
mod nats_server;
mod output;
mod process;
mod run;
mod size;
mod spy;
mod trust;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wattle_host::standalone::StandaloneError;
use wattle_tasks::telemetry::{self, TelemetryConfig, TelemetryGuard};
use wattle_trust::Refusal;

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
    Run(run::Args),
    Up(up::Args),
    Down(down::Args),
    #[command(subcommand)]
    App(app::Command),
    #[command(subcommand)]
    Get(get::Command),
    #[command(subcommand)]
    Link(link::Command),
    #[command(subcommand)]
    Config(config::Command),
    Call(call::Args),
    Describe(describe::Args),
    Spy(spy::Args),
    Host(host::Args),
    Controller(controller::Args),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Claims(claims::Command),
    #[command(subcommand)]
    Trust(trust::Command),
    Completions(completions::Args),
}

impl Command {
    /// Long-running commands tell what they do; the others only what went wrong.
    fn default_filter(&self) -> &'static str {
        match self {
            Self::Host(_) | Self::Controller(_) => "info",
            Self::Run(_) | Self::Up(_) => "warn",
            _ => "error",
        }
    }
}

fn main() -> ExitCode {
    // Before anything else: two TLS providers in one rustls panic at the first HTTPS call.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing has installed a TLS provider before main");
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("could not start threads")),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let _telemetry = init_telemetry(&cli)?;
    match cli.command {
        Command::Run(args) => run::run(args).await?,
        Command::Up(args) => up::run(args).await?,
        Command::Down(args) => down::run(args).await?,
        Command::App(command) => return app::run(command).await,
        Command::Get(command) => get::run(command).await?,
        Command::Link(command) => link::run(command).await?,
        Command::Config(command) => config::run(command).await?,
        Command::Call(args) => return call::run(args).await,
        Command::Describe(args) => describe::run(args).await?,
        Command::Spy(args) => Box::pin(spy::run(args)).await?,
        Command::Host(args) => host::run(args).await?,
        Command::Controller(args) => controller::run(args).await?,
        Command::Keys(command) => keys::run(command)?,
        Command::Claims(command) => claims::run(command)?,
        Command::Trust(command) => trust::run(command)?,
        Command::Completions(args) => completions::run(&args),
    }
    Ok(ExitCode::SUCCESS)
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
        standalone.or_else(|| cause.downcast_ref::<Refusal>().map(Refusal::code))
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
