//! `wattle completions`: tab completion for the common shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{Cli, output};

/// Print the tab completion of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle completions bash > ~/.local/share/bash-completion/completions/wattle")]
pub(crate) struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wattle", &mut script);
    output::bytes(&script);
}
