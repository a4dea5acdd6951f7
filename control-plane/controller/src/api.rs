//! The application API in the words of wadm 0.21: from messages to commands, and back.

mod edit;
mod fitting;
mod words;

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;
use wattle_brain::apps::{Answer, Base, Command};
use wattle_brain::{Seen, Terms};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::{DeleteRequest, DeployRequest, GetRequest, PageRequest, headers};
use wattle_lattice::{Connection, Headers, Message, Names, Pattern, ReplyTo, Subject};
use wattle_tasks::{Chain, Tasks, TraceContext};
use wattle_types::{AuthorKey, LatticeId, Page, Revision, Token, page};

use crate::mind::Letter;

pub(crate) use fitting::reply;
pub(crate) use words::refused;
use words::words;

/// The lists that have parts, as their tokens name them.
const APPLICATIONS: &str = "applications";
const REVISIONS: &str = "revisions";

/// One request of a client.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) op: AppSubject,
    pub(crate) reply: ReplyTo,
    /// What it asks, or why that cannot be read.
    pub(crate) command: Result<Command, String>,
    /// Whose signature it has; none without one.
    pub(crate) by: Option<AuthorKey>,
    pub(crate) terms: Terms,
    /// As it came, for whoever leads.
    pub(crate) original: Original,
    pub(crate) trace: TraceContext,
}

/// What stood in the message of a request.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
}

/// While it lives, requests of clients are heard.
#[derive(Debug)]
pub(crate) struct Door {
    _stop: DropGuard,
}

impl Door {
    pub(crate) fn open(
        connection: &Connection,
        mailbox: &mpsc::Sender<Letter>,
        tasks: &Tasks,
    ) -> Self {
        let closing = CancellationToken::new();
        let (connection, mailbox) = (connection.clone(), mailbox.clone());
        let closed = closing.clone();
        tasks.spawn("application API", |stop| async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = closed.cancelled() => {}
                () = hear(&connection, &mailbox) => {}
            }
        });
        Self { _stop: closing.drop_guard() }
    }
}

async fn hear(connection: &Connection, mailbox: &mpsc::Sender<Letter>) {
    let mut requests = match connection.subscribe(&Pattern::Apps).await {
        Ok(requests) => requests,
        Err(error) => {
            warn!(error = %Chain(&error), "the application API cannot be answered");
            return;
        }
    };
    while let Some(message) = requests.next().await {
        let Some(asked) = read(message, connection.lattice()) else { continue };
        if let Err(full) = mailbox.try_send(Letter::Asked(asked))
            && let Letter::Asked(asked) = full.into_inner()
        {
            let busy = refused(&asked.op, "the controller is busy; ask again".to_owned());
            let mut beside = own(connection.who());
            beside.push((headers::AGAIN, "true".to_owned()));
            // The asker hears nothing and asks again.
            let _ = connection.respond_with(&asked.reply, &beside, busy).await;
        }
    }
}

/// A request, unless nobody waits for its answer.
fn read(message: Message, lattice: &LatticeId) -> Option<Asked> {
    match message.subject.clone() {
        Subject::App(op) => read_as(op, message, lattice),
        _ => None,
    }
}

/// The same of one that came to this controller by name. What was handed on is for the process that
/// led, and for no other one of its name.
pub(crate) fn read_named(message: Message, names: &Names, boot: u64) -> Option<Asked> {
    let led = message.headers.get(headers::FORWARDED);
    if led.is_some_and(|led| led.parse() != Ok(boot)) {
        return None;
    }
    let op = message.headers.get(headers::OPERATION)?;
    let lattice = names.lattice();
    match names.read(&format!("wadm.api.{lattice}.{op}")) {
        Ok(Subject::App(op)) => read_as(op, message, lattice),
        _ => None,
    }
}

fn read_as(op: AppSubject, message: Message, lattice: &LatticeId) -> Option<Asked> {
    let trace = message.trace();
    let Message { reply, payload, headers, .. } = message;
    let read = || {
        let (by, base) = signature(&op, lattice, &headers, &payload)?;
        Ok((command(&op, &payload)?, by, terms(&headers, base)?))
    };
    let (command, by, terms) = match read() {
        Ok((command, by, terms)) => (Ok(command), by, terms),
        Err(why) => (Err(why), None, Terms::default()),
    };
    let original = Original { headers, payload };
    Some(Asked { op, reply: reply?, command, by, terms, original, trace })
}

/// How it is to be answered.
fn terms(headers: &Headers, base: Option<Base>) -> Result<Terms, String> {
    let at_least = headers.get(headers::AT_LEAST).unwrap_or("0");
    let at_least = at_least.parse();
    let at_least = at_least.map_err(|_| format!("{} is not a sequence", headers::AT_LEAST))?;
    let is_forwarded = headers.get(headers::FORWARDED).is_some();
    Ok(Terms { base, at_least, is_forwarded })
}

/// Who signed it, and what they had seen; nobody did if it has no signature.
fn signature(
    op: &AppSubject,
    lattice: &LatticeId,
    headers: &Headers,
    payload: &[u8],
) -> Result<(Option<AuthorKey>, Option<Base>), String> {
    let Some(header) = headers.get(headers::EDIT) else { return Ok((None, None)) };
    let (by, base) = edit::author(header, lattice, op, payload, unix_ms())
        .map_err(|error| Chain(&error).to_string())?;
    Ok((Some(by), base.map(Base::Change)))
}

/// The time of day, for what people sign and read.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What tells a reply of a controller from one of a wadm.
pub(crate) fn own(name: &Token) -> Vec<(&'static str, String)> {
    vec![(headers::CONTROLLER, name.to_string())]
}

/// What is said beside the words of wadm.
fn beside(answer: &Answer, seen: Seen, name: &Token) -> Vec<(&'static str, String)> {
    let mut said = own(name);
    said.push((headers::SEQUENCE, seen.sequence.to_string()));
    said.extend(seen.change.map(|change| (headers::CHANGE, change.to_string())));
    match answer {
        Answer::Conflict { change, .. } => said.push((headers::CONFLICT, change.to_string())),
        Answer::Models { next: Some(next), .. } => {
            said.push((headers::NEXT, page::token(APPLICATIONS, next)));
        }
        Answer::Versions { next: Some(next), .. } => {
            said.push((headers::NEXT, page::token(REVISIONS, next)));
        }
        Answer::Unavailable(_) => said.push((headers::AGAIN, "true".to_owned())),
        _ => {}
    }
    said
}

fn command(op: &AppSubject, payload: &[u8]) -> Result<Command, String> {
    Ok(match op {
        AppSubject::Put => {
            let text = std::str::from_utf8(payload)
                .map_err(|error| format!("the manifest is not UTF-8 text: {error}"))?;
            Command::Put { text: text.to_owned() }
        }
        AppSubject::Get { app } => {
            let version = body::<GetRequest>(payload)?.version;
            Command::Get { name: app.clone(), version }
        }
        AppSubject::GetAll | AppSubject::List => {
            Command::List { page: page(APPLICATIONS, payload)? }
        }
        AppSubject::Versions { app } | AppSubject::History { app } => {
            let page: Page<u64> = page(REVISIONS, payload)?;
            let page = Page { after: page.after.map(Revision), limit: page.limit };
            Command::Versions { name: app.clone(), page }
        }
        AppSubject::Rollback { app } => Command::Rollback { name: app.clone() },
        AppSubject::Deploy { app } => {
            let DeployRequest { version, takeover } = body(payload)?;
            Command::Deploy { name: app.clone(), version, takeover }
        }
        AppSubject::Undeploy { app } => Command::Undeploy { name: app.clone() },
        AppSubject::Delete { app } => {
            let version = body::<DeleteRequest>(payload)?.version;
            Command::Delete { name: app.clone(), version }
        }
        AppSubject::Status { app } => Command::Status { name: app.clone() },
        AppSubject::Other(other) => return Err(format!("{other} is not supported")),
    })
}

/// Which part of a list is asked for. Clients that know of no parts may send anything.
fn page<K: FromStr>(list: &str, payload: &[u8]) -> Result<Page<K>, String> {
    let asked: PageRequest = serde_json::from_slice(payload).unwrap_or_default();
    let Some(token) = asked.page else { return Ok(Page { after: None, limit: asked.limit }) };
    let after = page::read_token(list, &token);
    let after = after.ok_or_else(|| format!("{token:?} is no page of this list"))?;
    // Whoever asks for the next part asks for a part.
    Ok(Page { after: Some(after), limit: asked.limit.or(Some(page::PAGE_ITEMS_MAX)) })
}

/// An optional JSON body. Without one, everything has its default.
fn body<T: DeserializeOwned + Default>(payload: &[u8]) -> Result<T, String> {
    if payload.is_empty() {
        return Ok(T::default());
    }
    let read: Result<Option<T>, _> = serde_json::from_slice(payload);
    read.map(Option::unwrap_or_default)
        .map_err(|error| format!("the request is malformed: {error}"))
}

#[cfg(test)]
mod tests;
