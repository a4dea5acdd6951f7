//! Checks what comes into the binary from outside, by the rules of `deny.toml`: `cargo deny`.
//!
//! No part of `cargo xtask test`, which works without a network: the registry's index must be reached, and
//! for what is known of holes in crates the database of advisories as well.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{place::Places, run, say::Story, setup::cargo};

/// Pinned: a newer one may read `deny.toml` in another way.
const CARGO_DENY: &str = "0.20.2";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave the advisories out, where their database cannot be reached.
    #[arg(long)]
    no_advisories: bool,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let program = cargo::subcommand(places, story, "cargo-deny", CARGO_DENY)?;
    let mut checks = vec!["bans", "licenses", "sources"];
    checks.extend((!options.no_advisories).then_some("advisories"));
    story.step(format_args!("checking {}", checks.join(", ")));
    let mut deny = Command::new(program);
    run::shown(deny.current_dir(&places.root).arg("check").args(&checks))?;
    story.good(format_args!("nothing comes in that deny.toml does not allow"));
    Ok(())
}
