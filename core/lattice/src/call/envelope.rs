//! The envelope as bytes: MessagePack maps with field names, flat, so that other languages and
//! later versions can read what they know of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wattle_types::stored::VERSION;
use wattle_types::{ActorId, Load, SpecHash};

use super::http::{Header, HttpRequest, HttpResponse};
use super::{
    CallBody, CallReply, CallRequest, Caller, Limits, NotBegun, Outcome, ReplyBody, Trace,
};
use crate::wire::{self, WireError};

const CALL: &str = "a call";
const REPLY: &str = "a reply to a call";

#[derive(Serialize, Deserialize)]
struct WireRequest {
    v: u8,
    actor: ActorId,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    revision: Option<SpecHash>,
    #[serde(default)]
    fence: u64,
    #[serde(default)]
    hop: u8,
    #[serde(default)]
    attempt: u8,
    #[serde(default)]
    idempotency: String,
    remaining_ms: u64,
    #[serde(default)]
    caller: Caller,
    #[serde(default)]
    trace: Trace,
    #[serde(default)]
    fingerprint: Bytes,
    #[serde(default)]
    http: Option<HttpRequest>,
}

#[derive(Serialize, Deserialize)]
struct WireReply {
    v: u8,
    outcome: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retry_after_ms: Option<u64>,
    #[serde(default)]
    revision: Option<SpecHash>,
    #[serde(default)]
    load: Option<Load>,
    #[serde(default)]
    http: Option<HttpResponse>,
}

impl CallRequest {
    /// Writes a call, unless it exceeds what can be sent whole.
    pub fn encode(self, limits: &Limits) -> Result<Bytes, WireError> {
        let CallBody::Http(http) = self.body;
        check_http(CALL, &http.headers, http.uri.len(), limits)?;
        let encoded = wire::encode(&WireRequest {
            v: VERSION,
            actor: self.actor,
            instance: self.instance,
            revision: self.revision,
            fence: self.fence,
            hop: self.hop,
            attempt: self.attempt,
            idempotency: self.idempotency,
            remaining_ms: self.remaining_ms,
            caller: self.caller,
            trace: self.trace,
            fingerprint: self.fingerprint,
            http: Some(http),
        });
        check_len(CALL, &encoded, limits)?;
        Ok(encoded)
    }

    /// Reads a call.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let wire: WireRequest = wire::decode(CALL, bytes, limits.message_bytes_max)?;
        let absent = || WireError::Invalid { what: CALL, field: "http", value: "nothing".into() };
        let http = wire.http.ok_or_else(absent)?;
        check_http(CALL, &http.headers, http.uri.len(), limits)?;
        Ok(Self {
            actor: wire.actor,
            instance: wire.instance,
            revision: wire.revision,
            fence: wire.fence,
            hop: wire.hop,
            attempt: wire.attempt,
            idempotency: wire.idempotency,
            remaining_ms: wire.remaining_ms,
            caller: wire.caller,
            trace: wire.trace,
            fingerprint: wire.fingerprint,
            body: CallBody::Http(http),
        })
    }
}

impl CallReply {
    /// Writes a reply, unless it exceeds what can be sent whole.
    pub fn encode(self, limits: &Limits) -> Result<Bytes, WireError> {
        let mut wire = WireReply {
            v: VERSION,
            outcome: String::new(),
            reason: String::new(),
            code: String::new(),
            message: String::new(),
            retry_after_ms: None,
            revision: self.revision,
            load: self.load,
            http: None,
        };
        match self.outcome {
            Outcome::Ok(ReplyBody::Http(http)) => {
                check_http(REPLY, &http.headers, 0, limits)?;
                wire.outcome = "ok".to_owned();
                wire.http = Some(http);
            }
            Outcome::Failed { code, message } => {
                wire.outcome = "failed".to_owned();
                wire.code = code;
                wire.message = message;
            }
            Outcome::NotBegun { reason, message, retry_after_ms } => {
                wire.outcome = "not-begun".to_owned();
                wire.reason = reason.as_str().to_owned();
                wire.message = message;
                wire.retry_after_ms = retry_after_ms;
            }
            Outcome::Unknown { message } => {
                wire.outcome = "unknown".to_owned();
                wire.message = message;
            }
        }
        let encoded = wire::encode(&wire);
        check_len(REPLY, &encoded, limits)?;
        Ok(encoded)
    }

    /// Reads a reply.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let wire: WireReply = wire::decode(REPLY, bytes, limits.message_bytes_max)?;
        let message = wire.message;
        let outcome = match wire.outcome.as_str() {
            "ok" => {
                let absent =
                    || WireError::Invalid { what: REPLY, field: "http", value: "nothing".into() };
                let http = wire.http.ok_or_else(absent)?;
                check_http(REPLY, &http.headers, 0, limits)?;
                Outcome::Ok(ReplyBody::Http(http))
            }
            "failed" => Outcome::Failed { code: wire.code, message },
            "not-begun" => {
                let known = NotBegun::ALL.into_iter().find(|known| known.as_str() == wire.reason);
                let reason = known.unwrap_or(NotBegun::Other);
                Outcome::NotBegun { reason, message, retry_after_ms: wire.retry_after_ms }
            }
            "unknown" => Outcome::Unknown { message },
            _ => {
                return Err(WireError::Invalid {
                    what: REPLY,
                    field: "outcome",
                    value: wire.outcome,
                });
            }
        };
        Ok(Self { outcome, revision: wire.revision, load: wire.load })
    }
}

fn check_len(what: &'static str, encoded: &[u8], limits: &Limits) -> Result<(), WireError> {
    let (len, max) = (encoded.len(), limits.message_bytes_max);
    if max < len { Err(WireError::TooLarge { what, len, max }) } else { Ok(()) }
}

fn check_http(
    what: &'static str,
    headers: &[Header],
    uri_len: usize,
    limits: &Limits,
) -> Result<(), WireError> {
    let bytes = headers.iter().map(|Header(name, value)| name.len() + value.len()).sum::<usize>();
    let bounds = [
        ("headers", headers.len(), limits.headers_max),
        ("bytes of headers", bytes, limits.header_bytes_max),
        ("bytes of URI", uri_len, limits.uri_bytes_max),
    ];
    match bounds.into_iter().find(|(_, found, max)| max < found) {
        Some((field, found, _)) => {
            Err(WireError::Invalid { what, field, value: found.to_string() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
