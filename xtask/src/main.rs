//! The front door of the repository: every task a person or a machine runs here is `cargo xtask TASK`.
//!
//! It owns the set-up of tools, the build of guest components, the checks a change must pass, the demo and
//! the benchmarks. It decides nothing about the lattice, and links none of our crates, so that it builds in
//! seconds on a machine that has nothing yet.

#![allow(clippy::print_stdout, reason = "this program talks to the person who started it")]

mod bench;
mod demo;
mod deny;
mod fuzz;
mod guests;
mod http;
mod local;
mod mutants;
mod place;
mod process;
mod run;
mod say;
mod setup;
mod sim;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{place::Places, process::Interrupted, say::Story};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Gets what is missing: nats-server, the wasm32-wasip2 target, the WIT of the standard interfaces.
    Setup,
    /// Builds every component of `examples` and `tests/guests` whose sources changed.
    Guests,
    /// Starts a lattice of three hosts and a controller on this machine, and deploys the example.
    Demo(demo::Options),
    /// Runs everything a change must pass; with a filter, only the tests it matches.
    Test(test::Options),
    /// Checks the arrows between crates and the habits of the repository.
    Tidy,
    /// Checks the licences, sources and advisories of what comes from outside; needs the network.
    Deny(deny::Options),
    /// Runs every decoder under libFuzzer for a bounded time.
    Fuzz(fuzz::Options),
    /// Simulates the control plane in storms; `--help` says what can be asked.
    #[command(disable_help_flag = true)]
    Sim(sim::Options),
    /// Plants defects in planner, brain and agent, and shows that the simulator finds each.
    Mutants(mutants::Options),
    /// Measures wattle beside its peers, in release builds; the figures of docs/benchmarks.md.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match perform(&arguments.task) {
        Ok(()) => ExitCode::SUCCESS,
        // As a shell says it of a program that Ctrl-C ended.
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<()> {
    let places = Places::find()?;
    let story = Story::begin();
    match task {
        Task::Setup => setup::run(&places, &story).map(drop),
        Task::Guests => {
            let tools = setup::run(&places, &story)?;
            guests::build(&places, &tools, &story).map(drop)
        }
        Task::Demo(options) => demo::run(&places, &story, options),
        Task::Test(options) => test::run(&places, &story, options),
        Task::Tidy => tidy::check(&places, &story),
        Task::Deny(options) => deny::run(&places, &story, options),
        Task::Fuzz(options) => fuzz::run(&places, &story, options),
        Task::Sim(options) => sim::run(&places, options),
        Task::Mutants(options) => mutants::run(&places, &story, options),
        Task::Bench(options) => bench::run(&places, &story, options),
    }
}
