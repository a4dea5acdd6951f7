//! `wattle call`: a function of an actor, or an HTTP request to it, by its id, wherever it runs.

pub(crate) mod ask;
mod function;
mod http;
mod json;

use std::process::ExitCode;

use anyhow::Result;
use wattle_types::ActorId;

use crate::describe;
use crate::lattice::LatticeArgs;
use crate::output::OutputArgs;

use function::FunctionName;

/// Call a function of an actor, or send it an HTTP request; no link, route or listener is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle call two_actors-greeter example:greetings/greeter.greet '{name: \"Ada\", languages: [\"fr\"]}'
  wattle call sums acme:maths/sums.add 1 2
  wattle call sums --list                              what it can be asked for
  wattle call http_counter-counter --path /a           without a function: HTTP
  wattle call shop-orders -X POST --path /orders --body '{\"item\": 7}' \\
      --header content-type=application/json

Arguments and results are written in WAVE: 1, \"text\", 'c', [1, 2], {field: 1}, (1, 2), case(1),
some(1), none, ok(1), err(\"why\"), {flag-a, flag-b}.
Exits with 1 if the function returns an error, or if the status of the answer is 400 or more.")]
pub(crate) struct Args {
    /// The actor's id, such as `APPLICATION-COMPONENT`.
    id: ActorId,
    /// Which function, as `namespace:package/interface.function`; a version is not needed.
    #[arg(value_name = "FUNCTION")]
    function: Option<FunctionName>,
    /// Its arguments, each in quotes where the shell would change it.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// List what can be called, instead of calling it.
    #[arg(long, conflicts_with = "function")]
    list: bool,
    #[command(flatten)]
    http: http::HttpArgs,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    match &args.function {
        _ if args.list => {
            describe::show(&lattice, &args.id, args.output).await?;
            Ok(ExitCode::SUCCESS)
        }
        // As the 1.x clients write it.
        Some(name) if !name.is_http() => {
            function::call(&lattice, &args.id, name, &args.args, args.output).await
        }
        _ => http::call(&lattice, &args.id, &args.http, args.output).await,
    }
}
