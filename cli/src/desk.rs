//! What a person does at a desk: try, sign, deploy, look. Hosts on small machines are built without
//! it (feature `operate`), because all of it works from elsewhere.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use wattle_host::sandbox::Sandbox;

use crate::{
    app, by_hand, call, claims, compile, completions, config, describe, down, get, keys, link, run,
    spy, trust, up,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    Up(up::Args),
    Down(down::Args),
    #[command(subcommand)]
    App(app::Command),
    #[command(subcommand)]
    Start(by_hand::Start),
    #[command(subcommand)]
    Stop(by_hand::Stop),
    #[command(subcommand)]
    Scale(by_hand::Scale),
    #[command(subcommand)]
    Update(by_hand::Update),
    #[command(subcommand)]
    Get(get::Command),
    #[command(subcommand)]
    Link(link::Command),
    #[command(subcommand)]
    Config(config::Command),
    Call(call::Args),
    Describe(describe::Args),
    Spy(spy::Args),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Claims(claims::Command),
    Compile(compile::Args),
    #[command(subcommand)]
    Trust(trust::Command),
    Completions(completions::Args),
}

impl Command {
    pub(crate) fn default_filter(&self) -> &'static str {
        match self {
            // What `--sandbox` did is said wherever it was asked for.
            Self::Up(_) => "warn,wattle_host::sandbox=info",
            Self::Run(_) => "warn",
            _ => "error",
        }
    }

    /// The first half of what `--sandbox` promises, where it is given.
    pub(crate) fn sandbox(&self) -> Result<Option<Sandbox>> {
        match self {
            Self::Up(args) => args.sandbox(),
            _ => Ok(None),
        }
    }
}

/// `sandbox` is that of [`Command::sandbox`].
pub(crate) async fn run(command: Command, sandbox: Option<Sandbox>) -> Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args).await?,
        Command::Up(args) => up::run(args, sandbox).await?,
        Command::Down(args) => down::run(args).await?,
        Command::App(command) => return app::run(command).await,
        Command::Start(command) => by_hand::start(command).await?,
        Command::Stop(command) => by_hand::stop(command).await?,
        Command::Scale(command) => by_hand::scale(command).await?,
        Command::Update(command) => by_hand::update(command).await?,
        Command::Get(command) => get::run(command).await?,
        Command::Link(command) => link::run(command).await?,
        Command::Config(command) => config::run(command).await?,
        Command::Call(args) => return call::run(args).await,
        Command::Describe(args) => describe::run(args).await?,
        Command::Spy(args) => Box::pin(spy::run(args)).await?,
        Command::Keys(command) => keys::run(command)?,
        Command::Claims(command) => claims::run(command)?,
        Command::Compile(args) => compile::run(args).await?,
        Command::Trust(command) => trust::run(command)?,
        Command::Completions(args) => completions::run(&args),
    }
    Ok(ExitCode::SUCCESS)
}
