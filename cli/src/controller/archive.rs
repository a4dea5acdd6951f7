//! `wattle controller export` and `restore`: what people wrote, on paper and back.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wattle_lattice::Subject;
use wattle_lattice::subject::ControllerOp;
use wattle_types::{
    ControllerAnswer, ExportEntry, ExportPage, ExportRequest, Key, RestoreAnswer, RestoreRequest,
    Token, stored,
};

use super::status;
use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{complain, line};

/// For the answers of all controllers.
const WINDOW: Duration = Duration::from_millis(500);

/// Of one page that is put back. The leader takes at most 500 values at once.
const PAGE_ENTRIES: usize = 100;
const PAGE_BYTES_MAX: usize = 256 << 10;

/// Write what a controller keeps on its disk into a file: applications, their manifests, who owns
/// which id, links and configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle controller export -o prod.export
  wattle controller export --from ctl-b -o prod.export

Every controller keeps such a file itself, <lattice>.export in its data directory; `wattle controller
restore` takes both.")]
pub(crate) struct ExportArgs {
    /// Where to.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Whose [default: of the one that leads, else of the first that answers].
    #[arg(long, value_name = "NAME")]
    from: Option<Token>,
    #[command(flatten)]
    lattice: LatticeArgs,
}

/// Put back what the store has lost.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle controller restore prod.export
  wattle controller restore --force /var/lib/wattle/controller/prod.export

Nothing that is stored is lowered: of two records of an application the one with more changes stays.
Exit codes: 0 all of it is there, 1 some was not put back, and the reasons.")]
pub(crate) struct RestoreArgs {
    /// A file of `wattle controller export`, or the one in a controller's data directory.
    file: PathBuf,
    /// Also what is older than what controllers have seen, or another than what is stored or what
    /// cannot be read.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    lattice: LatticeArgs,
}

pub(crate) async fn export(args: ExportArgs) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let name = match args.from {
        Some(name) => name,
        None => first(&lattice).await?,
    };
    let (mut kept, mut after) = (Vec::new(), None);
    loop {
        let request = stored::encode(&ExportRequest::new(after));
        let reply = ask(&lattice, &name, ControllerOp::Export, request).await?;
        let Ok(page) = stored::decode::<ExportPage>("a page", &reply) else {
            let answer: ControllerAnswer = stored::decode("an answer", &reply)
                .context("the controller's answer is not one of this protocol")?;
            bail!("{name}: {}", answer.message);
        };
        after = page.entries.last().map(|entry| entry.key.clone());
        kept.extend(page.entries.into_iter().filter_map(wattle_controller::kept));
        if !page.more {
            break;
        }
    }
    let path = args.output.clone();
    let (of, count) = (lattice.connection.lattice().clone(), kept.len());
    let written =
        tokio::task::spawn_blocking(move || wattle_controller::write_export(&path, &of, &kept));
    written.await??;
    line(format_args!("{}: {count} values kept by {name}", args.output.display()));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn restore(args: RestoreArgs) -> Result<ExitCode> {
    let path = args.file.clone();
    let read = tokio::task::spawn_blocking(move || wattle_controller::read_export(&path));
    let (of, kept) = read.await??;
    let lattice = args.lattice.connect().await?;
    let leader = leader(&lattice).await?;
    let entries = kept.into_iter().map(wattle_controller::entry).collect();
    let (mut stored_count, mut passed_over, mut refused) = (0, 0, Vec::new());
    for page in pages(entries) {
        let request = stored::encode(&RestoreRequest::new(of.clone(), page, args.force));
        let reply = ask(&lattice, &leader, ControllerOp::Restore, request).await?;
        let answer: RestoreAnswer = stored::decode("an answer", &reply)
            .context("the controller's answer is not one of this protocol")?;
        if !answer.done {
            bail!("{leader}: {}; what was put back before stays, ask again", answer.message);
        }
        stored_count += answer.stored;
        passed_over += answer.passed_over;
        refused.extend(answer.refused);
    }
    line(format_args!("{stored_count} values put back, {passed_over} were there"));
    for reason in &refused {
        complain(format_args!("not put back: {reason}"));
    }
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What fits one message each. Where the manifests of an application need several, its head comes
/// in the first, with the latest: it says which manifests are right.
fn pages(mut entries: Vec<ExportEntry>) -> Vec<Vec<ExportEntry>> {
    entries.sort_by_cached_key(|entry| match entry.key.parse() {
        Ok(Key::App(app)) => (Some(app), None),
        Ok(Key::Manifest(app, revision)) => (Some(app), Some(Reverse(revision))),
        _ => (None, None),
    });
    let mut pages: Vec<Vec<ExportEntry>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let len = entry.bytes.as_ref().map_or(0, Vec::len);
        match pages.last_mut() {
            Some(page) if page.len() < PAGE_ENTRIES && bytes + len <= PAGE_BYTES_MAX => {
                bytes += len;
                page.push(entry);
            }
            _ => {
                bytes = len;
                pages.push(vec![entry]);
            }
        }
    }
    pages
}

async fn ask(lattice: &Lattice, name: &Token, op: ControllerOp, body: Vec<u8>) -> Result<Vec<u8>> {
    let subject = Subject::Controller { name: name.clone(), op };
    let asked = lattice.connection.request(&subject, body.into(), lattice.within).await;
    let reply = asked.with_context(|| format!("controller {name} did not answer"))?;
    Ok(reply.payload.to_vec())
}

/// The one that leads, else any.
async fn first(lattice: &Lattice) -> Result<Token> {
    let reports = status::reports(lattice, WINDOW).await?;
    let leads = reports.iter().find(|report| report.leads).or(reports.first());
    let found = leads.map(|report| report.name.clone());
    found.context("no controller answers; `wattle controller status` shows those that there are")
}

async fn leader(lattice: &Lattice) -> Result<Token> {
    let reports = status::reports(lattice, WINDOW).await?;
    let leader = reports.into_iter().find(|report| report.leads).map(|report| report.name);
    leader.context("nobody leads; `wattle controller status` says what is wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_fit_a_message_and_heads_come_before_what_they_name() {
        let entry = |key: String, len| ExportEntry { key, seq: 1, bytes: Some(vec![0; len]) };
        let mut entries: Vec<ExportEntry> =
            (0..250).map(|number| entry(format!("manifest.shop.{number}"), 4_000)).collect();
        entries.push(entry("app.shop".to_owned(), 10));
        let pages = pages(entries);
        assert!(pages.iter().all(|page| page.len() <= PAGE_ENTRIES));
        let bytes = |page: &Vec<ExportEntry>| {
            page.iter().map(|entry| entry.bytes.as_ref().map_or(0, Vec::len)).sum::<usize>()
        };
        assert!(pages.iter().all(|page| bytes(page) <= PAGE_BYTES_MAX));
        assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 251);
        assert_eq!(pages[0][0].key, "app.shop");
        assert_eq!(pages[0][1].key, "manifest.shop.249");
        let keys = ["app.blog", "app.shop", "id.web", "manifest.blog.1", "manifest.shop.1"];
        let pages = super::pages(keys.map(|key| entry(key.to_owned(), 10)).into());
        let order: Vec<&str> = pages[0].iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(order, ["id.web", "app.blog", "manifest.blog.1", "app.shop", "manifest.shop.1"]);
    }
}
