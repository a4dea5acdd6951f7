//! Simulates the control plane in storms: builds `wattle-sim` for speed and hands it what was asked.

use anyhow::Result;
use clap::Args;

use crate::{place::Places, run};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Passed on to `wattle-sim`, which explains them: `cargo xtask sim --help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(places: &Places, options: &Options) -> Result<()> {
    let mut cargo = places.cargo();
    cargo.args(["run", "--release", "--locked", "--package", "wattle-sim", "--"]);
    run::shown(cargo.args(&options.arguments))
}
