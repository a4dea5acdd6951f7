//! `wattle app diff`: what changed between two stored manifests.

use std::io::{self, IsTerminal as _};

use anyhow::{Context, Result, bail};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::{self, RevisionInfo};
use wattle_types::AppName;

use super::lines::{Line, compare};
use super::{history, yaml};
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::line;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// Show what changed between two versions of an application's manifest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle app diff http-counter          what is deployed, and the newest
  wattle app diff http-counter v2       v2, and the newest
  wattle app diff http-counter v1 v2")]
pub(crate) struct DiffArgs {
    name: AppName,
    /// The older version [default: the one that is deployed, or the one before the newest].
    #[arg(value_name = "VERSION")]
    from: Option<String>,
    /// The newer version [default: the newest].
    #[arg(value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    lattice: LatticeArgs,
}

pub(super) async fn diff(args: DiffArgs) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let revisions = history::look(&args.lattice, &lattice, &args.name).await?;
    let (from, to) = chosen(&revisions, args.from, args.to)?;
    let old = yaml::lines(&stored(&lattice, &args.name, &from).await?);
    let new = yaml::lines(&stored(&lattice, &args.name, &to).await?);
    let colours = io::stdout().is_terminal();
    for text in compare(&old, &new).into_iter().map(|line| shown(line, colours)) {
        line(text);
    }
    Ok(())
}

/// The versions to compare.
fn chosen(
    revisions: &[RevisionInfo],
    from: Option<String>,
    to: Option<String>,
) -> Result<(String, String)> {
    let newest = revisions.last().context("the application has no versions")?;
    let to = to.unwrap_or_else(|| newest.version.clone());
    if let Some(from) = from {
        return Ok((from, to));
    }
    let deployed = revisions.iter().find(|of| of.deployed && of.version != to);
    let before = revisions.iter().rev().find(|of| of.version != to);
    match deployed.or(before) {
        Some(from) => Ok((from.version.clone(), to)),
        None => bail!("only version {to} is stored; there is nothing to compare it with"),
    }
}

async fn stored(lattice: &Lattice, name: &AppName, version: &str) -> Result<serde_json::Value> {
    let request = serde_json::to_vec(&wadm::GetRequest { version: Some(version.to_owned()) })?;
    let subject = AppSubject::Get { app: name.clone() };
    let reply: wadm::GetReply = lattice.app(subject, request).await?;
    reply.manifest.with_context(|| {
        format!(
            "application {name} has no version {version}; `wattle app history {name}` lists them"
        )
    })
}

fn shown(line: Line<'_>, colours: bool) -> String {
    let (mark, colour, text) = match line {
        Line::Both(text) => return format!("  {text}"),
        Line::Gone(text) => ("-", RED, text),
        Line::New(text) => ("+", GREEN, text),
    };
    if colours { format!("{colour}{mark} {text}{PLAIN}") } else { format!("{mark} {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(revision: u64, deployed: bool) -> RevisionInfo {
        RevisionInfo {
            revision,
            version: format!("v{revision}"),
            by: None,
            stored_unix_s: 0,
            deployed,
        }
    }

    #[test]
    fn without_names_what_runs_is_compared_with_the_newest() {
        let chosen = |revisions: &[RevisionInfo], from: Option<&str>, to: Option<&str>| {
            chosen(revisions, from.map(str::to_owned), to.map(str::to_owned)).ok()
        };
        let both = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        let three = [revision(1, true), revision(2, false), revision(3, false)];
        assert_eq!(chosen(&three, None, None), both("v1", "v3"));
        assert_eq!(chosen(&three, Some("v2"), None), both("v2", "v3"));
        assert_eq!(chosen(&three, Some("v3"), Some("v1")), both("v3", "v1"));
        let newest_runs = [revision(1, false), revision(2, true)];
        assert_eq!(chosen(&newest_runs, None, None), both("v1", "v2"));
        assert_eq!(chosen(&newest_runs[1..], None, None), None);
        assert_eq!(chosen(&[], None, None), None);
    }

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(shown(Line::Gone("a: 1"), false), "- a: 1");
        assert_eq!(shown(Line::New("a: 2"), true), "\x1b[32m+ a: 2\x1b[0m");
        assert_eq!(shown(Line::Both("b:"), true), "  b:");
    }
}
