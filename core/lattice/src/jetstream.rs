//! Requests to JetStream and its answers.
//!
//! The client's own calls hide what we must tell apart (a lost condition, a write in flight, an
//! unknown outcome, a read from a replica), so the few requests we make are written out here.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Connection, RequestError};

/// Why JetStream did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JetStreamError {
    #[error("could not ask JetStream")]
    Ask { source: RequestError },
    #[error("JetStream refused: {description} (code {code})")]
    Refused { code: u64, description: String },
    #[error("JetStream's answer could not be read")]
    Answer { source: serde_json::Error },
    #[error("JetStream's answer lacks {0}")]
    Incomplete(&'static str),
}

impl JetStreamError {
    /// JetStream's own code, if it was JetStream that refused.
    pub(crate) fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// JetStream works, and says that the stream does not exist.
    pub fn is_no_stream(&self) -> bool {
        self.code() == Some(code::STREAM_NOT_FOUND)
    }
}

/// Codes of refusals we act on.
pub(crate) mod code {
    pub(crate) const NO_MESSAGE: u64 = 10037;
    pub(crate) const STREAM_EXISTS: u64 = 10058;
    pub(crate) const STREAM_NOT_FOUND: u64 = 10059;
    pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
    pub(crate) const CONFLICT_IN_FLIGHT: u64 = 10164;
    /// What a server says that cannot store anything, whatever it is: the account's memory or disk
    /// is used up, the server's is, the stream has its most messages or bytes, the disk failed, or
    /// the stream is sealed.
    pub(crate) const LASTING: [u64; 6] = [10002, 10023, 10047, 10077, 10109, 10028];
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedDetail,
}

#[derive(Deserialize)]
struct RefusedDetail {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    code: u64,
    #[serde(default)]
    description: String,
}

/// What was stored where.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack {
    pub(crate) seq: u64,
}

/// Asks the JetStream API; `tail` follows `$JS.API.`.
pub(crate) async fn ask<T: DeserializeOwned>(
    connection: &Connection,
    tail: &str,
    body: &impl Serialize,
    within: Duration,
) -> Result<T, JetStreamError> {
    let body = serde_json::to_vec(body).map_err(|source| JetStreamError::Answer { source })?;
    let subject = format!("$JS.API.{tail}");
    let headers = HeaderMap::new();
    let answer = connection.request_raw(subject, headers, body.into(), within).await;
    read(&answer.map_err(|source| JetStreamError::Ask { source })?.payload)
}

/// Publishes to a stream and waits until it says that it stored the message.
pub(crate) async fn publish(
    connection: &Connection,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
    within: Duration,
) -> Result<Ack, JetStreamError> {
    let answer = connection.request_raw(subject, headers, payload, within).await;
    read(&answer.map_err(|source| JetStreamError::Ask { source })?.payload)
}

/// An answer is what was asked for, or an object with `error`.
pub(crate) fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, JetStreamError> {
    if let Ok(Refused { error }) = serde_json::from_slice(payload) {
        let code = if error.err_code == 0 { error.code } else { error.err_code };
        return Err(JetStreamError::Refused { code, description: error.description });
    }
    serde_json::from_slice(payload).map_err(|source| JetStreamError::Answer { source })
}
