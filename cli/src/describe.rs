//! `wattle describe`: what an actor can be asked for.

use anyhow::Result;
use wattle_types::ActorId;
use wattle_value::Signatures;

use crate::call::ask;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::OutputArgs;

/// List the functions of an actor, with their types.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  wattle describe two_actors-greeter")]
pub(crate) struct Args {
    /// The actor's id, such as `APPLICATION-COMPONENT`.
    id: ActorId,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    show(&args.lattice.connect().await?, &args.id, args.output).await
}

pub(crate) async fn show(lattice: &Lattice, id: &ActorId, output: OutputArgs) -> Result<()> {
    let signatures = ask::describe(lattice, id).await?;
    output.print(&signatures, |signatures| {
        if signatures.is_empty() {
            return format!("{id} has no functions that can be called");
        }
        text(signatures)
    });
    Ok(())
}

/// As in WIT, one function a line.
fn text(signatures: &Signatures) -> String {
    let mut text = String::new();
    for (interface, functions) in &signatures.0 {
        text += &format!("{interface}\n");
        for (name, func) in functions {
            text += &format!("  {name}: {func}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wattle_value::{Field, FuncType, Type};

    use super::*;

    #[test]
    fn functions_are_listed_below_their_interface() {
        let params = vec![Field { name: "name".to_owned(), ty: Type::String }];
        let greet = FuncType { params, result: Some(Type::String), is_async: false };
        let functions = BTreeMap::from([("greet".to_owned(), greet)]);
        let signatures = BTreeMap::from([("a:b/c@1.0.0".parse().unwrap(), functions)]);
        assert_eq!(
            text(&Signatures(signatures)),
            "a:b/c@1.0.0\n  greet: func(name: string) -> string\n"
        );
    }
}
