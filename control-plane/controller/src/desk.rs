//! What a person asks of one controller, whether it leads or not: how it is, what it keeps, to let
//! another lead, to forget a host, and to put back what was lost. `docs/protocol/controllers.md` has the messages.

use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::warn;
use wattle_brain::Kept;
use wattle_brain::apps::{Answer, Command};
use wattle_lattice::subject::ControllerOp;
use wattle_lattice::{Connection, Message, Names, Pattern, PublishError, ReplyTo, Subject};
use wattle_tasks::{Chain, Tasks};
use wattle_types::{
    ControllerAnswer, ExportEntry, ExportPage, ExportRequest, ForgetRequest, LatticeId,
    RestoreAnswer, RestoreRequest, Token, stored,
};

use crate::mind::Letter;
use crate::{api, archive};

/// Values of one page together, as long as there is more than one.
const PAGE_BYTES_MAX: usize = 256 << 10;

/// One question to this controller.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) what: What,
    pub(crate) reply: ReplyTo,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Answered at once, from what is known.
    Report,
    /// A page of what is on disk.
    Export(ExportRequest),
    /// Answered when it was decided.
    Command(Command),
    /// Not of this version.
    Unknown,
}

/// Listens from the start: who does not lead is asked too.
pub(crate) async fn open(
    connection: &Connection,
    (name, boot): (&Token, u64),
    mailbox: &mpsc::Sender<Letter>,
    tasks: &Tasks,
) -> Result<(), PublishError> {
    let own = Pattern::AskedOfController { name: name.clone() };
    for pattern in [Pattern::AskControllers, own] {
        let mut asked = connection.subscribe(&pattern).await?;
        let (mailbox, names) = (mailbox.clone(), connection.names().clone());
        tasks.spawn_essential("desk", |stop| async move {
            while let Some(Some(message)) = stop.run_until_cancelled(asked.next()).await {
                let Some(letter) = read(message, &names, boot) else { continue };
                // Whoever hears nothing asks again.
                if mailbox.try_send(letter).is_err() {
                    warn!("a question to this controller was dropped");
                }
            }
        });
    }
    Ok(())
}

/// A question, unless nobody waits for its answer.
fn read(message: Message, names: &Names, boot: u64) -> Option<Letter> {
    if let Subject::Controller { op: ControllerOp::App, .. } = message.subject {
        return api::read_named(message, names, boot).map(Letter::Asked);
    }
    let reply = message.reply?;
    let what = match message.subject {
        Subject::AskControllers => What::Report,
        Subject::Controller { op, .. } => asked_of(op, &message.payload).unwrap_or(What::Unknown),
        _ => What::Unknown,
    };
    Some(Letter::Question(Question { what, reply }))
}

/// None if it cannot be read.
fn asked_of(op: ControllerOp, payload: &[u8]) -> Option<What> {
    match op {
        ControllerOp::StepDown => Some(What::Command(Command::StepDown)),
        ControllerOp::ForgetHost => {
            let asked: ForgetRequest = stored::decode("which host", payload).ok()?;
            Some(What::Command(Command::Forget { host: asked.host, yes: asked.yes }))
        }
        ControllerOp::Export => stored::decode("which page", payload).ok().map(What::Export),
        ControllerOp::Restore => {
            let asked: RestoreRequest = stored::decode("what to restore", payload).ok()?;
            let RestoreRequest { lattice, entries, force, .. } = asked;
            let entries = entries.into_iter().filter_map(kept).collect();
            Some(What::Command(Command::Restore { lattice, entries, force }))
        }
        // Read elsewhere: it is no question to this controller, but to whoever leads.
        ControllerOp::App => None,
    }
}

/// None for a key of a later version.
pub fn kept(entry: ExportEntry) -> Option<Kept> {
    Some(Kept { key: entry.key.parse().ok()?, seq: entry.seq, bytes: entry.bytes })
}

pub fn entry(kept: Kept) -> ExportEntry {
    ExportEntry { key: kept.key.to_string(), seq: kept.seq, bytes: kept.bytes }
}

/// A page of the export in this folder. Blocks.
pub(crate) fn page(dir: &Path, lattice: &LatticeId, asked: &ExportRequest) -> Bytes {
    let kept = match archive::read_export(&archive::path(dir, lattice)) {
        Ok((_, kept)) => kept,
        Err(error) => {
            warn!(error = %Chain(&error), "the export could not be read");
            let message = format!("the export could not be read: {}", Chain(&error));
            return stored::encode(&ControllerAnswer::new(false, message)).into();
        }
    };
    let all = kept.into_iter().map(entry).map(|entry| (entry.key.clone(), entry));
    let all: std::collections::BTreeMap<String, ExportEntry> = all.collect();
    let from = asked.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut bytes = 0;
    let mut rest = all.range::<str, _>((from, Bound::Unbounded)).peekable();
    let mut entries = Vec::new();
    while let Some((_, entry)) = rest.next_if(|_| entries.is_empty() || bytes < PAGE_BYTES_MAX) {
        bytes += entry.bytes.as_ref().map_or(0, Vec::len);
        entries.push(entry.clone());
    }
    let (more, lattice) = (rest.peek().is_some(), lattice.clone());
    stored::encode(&ExportPage { v: stored::VERSION, lattice, entries, more }).into()
}

/// What was decided, in words.
pub(crate) fn words(answer: Answer) -> Bytes {
    if let Answer::Restored { stored, passed_over, refused } = answer {
        let (v, done, message) = (stored::VERSION, true, String::new());
        let answer = RestoreAnswer { v, done, message, stored, passed_over, refused };
        return stored::encode(&answer).into();
    }
    if let Answer::Underway(message) = answer {
        let answer = ControllerAnswer { underway: true, ..ControllerAnswer::new(false, message) };
        return stored::encode(&answer).into();
    }
    let (done, message) = match answer {
        Answer::Forgotten { host } => (true, format!("host {host} is forgotten")),
        Answer::SteppedDown { epoch } => (true, format!("gave the lease back (epoch {epoch})")),
        Answer::NotFound(message)
        | Answer::Refused(message)
        | Answer::Unavailable(message)
        | Answer::Unknown(message)
        | Answer::NothingToDo(message) => (false, message),
        // Answers to applications; nobody asks for them here.
        _ => (false, "this controller answered something else".to_owned()),
    };
    stored::encode(&ControllerAnswer::new(done, message)).into()
}

pub(crate) fn unknown() -> Bytes {
    let message = "this controller does not know that question; its version may be older";
    stored::encode(&ControllerAnswer::new(false, message)).into()
}
