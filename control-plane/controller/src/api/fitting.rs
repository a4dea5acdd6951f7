//! Answers that one message carries.
//!
//! How long a list is depends on what it tells of each item, so a part of one may be shorter than
//! was asked for: its token says where the next begins. A client that asks for a whole list is told
//! why it gets none, instead of waiting for a message that no server takes.

use bytes::Bytes;
use tracing::warn;
use wattle_brain::Seen;
use wattle_brain::apps::{Answer, Command};
use wattle_lattice::subject::AppSubject;
use wattle_types::{Page, Token};

use super::{beside, command, own, refused, words};

/// What stands beside an answer counts as well.
const HEADERS_BYTES_MAX: usize = 4 << 10;

/// The reply to `op`, which was asked with this payload, and what is said beside it, of at most
/// `message_bytes_max` together.
pub(crate) fn reply(
    op: &AppSubject,
    asked: &[u8],
    mut answer: Answer,
    seen: Seen,
    name: &Token,
    message_bytes_max: usize,
) -> (Vec<(&'static str, String)>, Bytes) {
    let bytes_max = message_bytes_max.saturating_sub(HEADERS_BYTES_MAX);
    let in_parts = match command(op, asked) {
        Ok(Command::List { page: Page { limit, .. } }) => limit.is_some(),
        Ok(Command::Versions { page: Page { limit, .. }, .. }) => limit.is_some(),
        _ => false,
    };
    let mut payload = words(op, answer.clone());
    while bytes_max < payload.len() && in_parts && halve(&mut answer) {
        payload = words(op, answer.clone());
    }
    if payload.len() <= bytes_max {
        return (beside(&answer, seen, name), payload);
    }
    let message = format!(
        "the answer has {} bytes, and one message carries {bytes_max}; ask for it in parts, as \
         `wattle` does, or raise `max_payload` of the NATS servers",
        payload.len()
    );
    warn!(operation = %op, message, "an answer is too long");
    (own(name), refused(op, message))
}

/// Whether there is less of it now.
fn halve(answer: &mut Answer) -> bool {
    match answer {
        Answer::Models { models, next } if 1 < models.len() => {
            models.truncate(models.len() / 2);
            *next = models.last().map(|last| last.name.clone());
            true
        }
        Answer::Versions { versions, next } if 1 < versions.len() => {
            versions.truncate(versions.len() / 2);
            *next = versions.last().map(|last| last.revision);
            true
        }
        _ => false,
    }
}
