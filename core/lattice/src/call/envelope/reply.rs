//! A reply as bytes.

use bytes::Bytes;
use serde::Deserialize;
use wattle_types::{Digest, Load, SpecHash, stored};
use wattle_value::Signatures;

use super::parts::{
    HttpParts, check_beside, check_http, read_http, read_streams, write_response, write_streams,
};
use super::{Beside, REPLY, check_len, here};
use crate::call::{CallReply, HttpResponse, Limits, NotBegun, Outcome, ReplyBody};
use crate::wire::WireError;
use crate::wire::fields::{FieldReader, FieldWriter, small_map};

/// What all fields but the body take, most of the time.
const USUAL_BYTES: usize = 160;

/// In the order in which they are read below, which is about that in which they are written.
const FIELDS: [&str; 13] = [
    "v",
    "outcome",
    "reason",
    "code",
    "message",
    "retry_after_ms",
    "revision",
    "load",
    "rest",
    "streams",
    "http",
    "value",
    "described",
];

/// A signature nests no deeper; what does would take our stack while it is read.
const SIGNATURES_DEPTH_MAX: usize = 128;

/// A reply whose value may not all be there yet.
#[derive(Debug)]
pub(crate) struct ReplyHead {
    pub(crate) reply: CallReply,
    pub(crate) beside: Beside,
    /// What the value is once it is whole: a description of the functions.
    pub(crate) describes: bool,
}

impl ReplyHead {
    /// Whether nothing follows.
    pub(crate) fn is_whole(&self) -> bool {
        self.beside.is_whole() && !self.reply.has_open_body()
    }
}

impl CallReply {
    /// Whether a body goes on behind the head.
    pub(crate) fn has_open_body(&self) -> bool {
        matches!(&self.outcome, Outcome::Ok(ReplyBody::Http(http)) if !http.end)
    }

    /// Writes a reply that is whole, unless it exceeds what can be sent.
    pub fn encode(&self, limits: &Limits) -> Result<Bytes, WireError> {
        self.encode_beside(&Beside::default(), limits)
    }

    /// Writes the head of a reply; of the result all but what follows.
    pub fn encode_beside(&self, beside: &Beside, limits: &Limits) -> Result<Bytes, WireError> {
        let described = match &self.outcome {
            Outcome::Ok(ReplyBody::Described(signatures)) => stored::encode(signatures).into(),
            _ => Bytes::new(),
        };
        self.encode_described(&described, beside, limits)
    }

    /// As [`CallReply::encode_beside`], with a description that is encoded already.
    pub(crate) fn encode_described(
        &self,
        described: &Bytes,
        beside: &Beside,
        limits: &Limits,
    ) -> Result<Bytes, WireError> {
        let body_len = match &self.outcome {
            Outcome::Ok(ReplyBody::Http(http)) => {
                check_http(REPLY, [&http.headers, &http.trailers], 0, limits)?;
                http.body.len()
            }
            Outcome::Ok(ReplyBody::Value(value)) => here(value, beside.rest).len(),
            Outcome::Ok(ReplyBody::Described(_)) => here(described, beside.rest).len(),
            _ => 0,
        };
        let streams_len: usize = beside.streams.iter().map(|stream| stream.data.len() + 8).sum();
        let mut to = FieldWriter::new(USUAL_BYTES + body_len + streams_len);
        to.str("outcome", self.outcome.as_str());
        if let Some(revision) = &self.revision {
            to.bin("revision", revision.0.bytes());
        }
        if let Some(load) = &self.load {
            let to = to.named("load");
            small_map(to, 2);
            to.str("in_flight");
            to.uint(u64::from(load.in_flight));
            to.str("limit");
            to.uint(u64::from(load.limit));
        }
        to.uint_if_any("rest", beside.rest);
        if !beside.streams.is_empty() {
            write_streams(to.named("streams"), &beside.streams);
        }
        match &self.outcome {
            Outcome::Ok(ReplyBody::Http(http)) => write_response(to.named("http"), http),
            Outcome::Ok(ReplyBody::Value(value)) => to.bin("value", here(value, beside.rest)),
            Outcome::Ok(ReplyBody::Described(_)) => {
                to.bin("described", here(described, beside.rest));
            }
            Outcome::Failed { code, message } => {
                to.str("code", code);
                to.str_if_any("message", message);
            }
            Outcome::NotBegun { reason, message, retry_after_ms } => {
                to.str("reason", reason.as_str());
                to.str_if_any("message", message);
                if let Some(retry_after_ms) = retry_after_ms {
                    to.uint("retry_after_ms", *retry_after_ms);
                }
            }
            Outcome::Unknown { message } => to.str_if_any("message", message),
        }
        let encoded = to.finish();
        check_len(REPLY, &encoded, limits)?;
        Ok(encoded)
    }

    /// Reads a reply that is whole.
    pub fn decode(bytes: &Bytes, limits: &Limits) -> Result<Self, WireError> {
        let ReplyHead { reply, beside, describes } = Self::decode_head(bytes, limits)?;
        if reply.has_open_body() || !beside.is_whole() {
            let (field, value) = ("body", "not whole".to_owned());
            return Err(WireError::Invalid { what: REPLY, field, value });
        }
        match (describes, reply) {
            (true, Self { outcome: Outcome::Ok(ReplyBody::Value(value)), revision, load }) => {
                let outcome = Outcome::Ok(ReplyBody::Described(described(&value)?));
                Ok(Self { outcome, revision, load })
            }
            (_, reply) => Ok(reply),
        }
    }

    /// Reads the head of a reply. A description is left as a value until it is whole.
    pub(crate) fn decode_head(bytes: &Bytes, limits: &Limits) -> Result<ReplyHead, WireError> {
        let mut from = FieldReader::new(REPLY, bytes, limits.message_bytes_max)?;
        let mut read = Fields::default();
        let mut beside = Beside::default();
        from.fields(&FIELDS, |from, field| {
            match field {
                0 => from.skip()?,
                1 => read.outcome = Some(from.str()?),
                2 => read.reason = from.str()?,
                3 => read.code = from.str()?,
                4 => read.message = from.str()?,
                5 => read.retry_after_ms = from.optional(FieldReader::uint)?,
                6 => read.revision = from.optional(|from| from.fixed("revision"))?,
                7 => read.load = from.optional(read_load)?,
                8 => beside.rest = from.uint()?,
                9 => beside.streams = read_streams(from, limits)?,
                10 => read.http = from.optional(|from| read_http(from, limits))?,
                11 => read.value = from.optional(FieldReader::bin)?,
                _ => read.described = from.optional(FieldReader::bin)?,
            }
            Ok(())
        })?;
        from.finish()?;
        read.head(&from, beside, limits)
    }
}

/// The fields of a reply, as they stand there.
#[derive(Default)]
struct Fields<'a> {
    outcome: Option<&'a str>,
    reason: &'a str,
    code: &'a str,
    message: &'a str,
    retry_after_ms: Option<u64>,
    revision: Option<[u8; 32]>,
    load: Option<Load>,
    http: Option<HttpParts>,
    value: Option<Bytes>,
    described: Option<Bytes>,
}

impl Fields<'_> {
    fn head(
        self,
        from: &FieldReader<'_>,
        beside: Beside,
        limits: &Limits,
    ) -> Result<ReplyHead, WireError> {
        let message = self.message.to_owned();
        let mut describes = false;
        let outcome = match self.outcome.ok_or_else(|| from.lacks("outcome"))? {
            "ok" => Outcome::Ok(match (self.http, self.value, self.described) {
                (Some(http), None, None) => {
                    let status = http.status.ok_or_else(|| from.lacks("status"))?;
                    let HttpParts { headers, body, end, trailers, .. } = http;
                    ReplyBody::Http(HttpResponse { status, headers, body, end, trailers })
                }
                (None, Some(value), None) => ReplyBody::Value(value),
                (None, None, Some(described)) => {
                    describes = true;
                    ReplyBody::Value(described)
                }
                (None, None, None) => return Err(from.lacks("a body")),
                _ => return Err(from.malformed("a reply has one body")),
            }),
            "failed" => Outcome::Failed { code: self.code.to_owned(), message },
            "not-begun" => {
                let known = NotBegun::ALL.into_iter().find(|known| known.as_str() == self.reason);
                let reason = known.unwrap_or(NotBegun::Other);
                Outcome::NotBegun { reason, message, retry_after_ms: self.retry_after_ms }
            }
            "unknown" => Outcome::Unknown { message },
            other => return Err(from.invalid("outcome", other)),
        };
        let value =
            if let Outcome::Ok(ReplyBody::Value(value)) = &outcome { Some(value) } else { None };
        check_beside(from, &beside, value, limits)?;
        let revision = self.revision.map(|bytes| SpecHash(Digest::from_bytes(bytes)));
        let reply = CallReply { outcome, revision, load: self.load };
        Ok(ReplyHead { reply, beside, describes })
    }
}

fn read_load(from: &mut FieldReader<'_>) -> Result<Load, WireError> {
    let mut load = Load::default();
    from.fields(&["in_flight", "limit"], |from, field| {
        match field {
            0 => load.in_flight = from.small("in_flight")?,
            _ => load.limit = from.small("limit")?,
        }
        Ok(())
    })?;
    Ok(load)
}

/// Reads a description.
pub(crate) fn described(bytes: &[u8]) -> Result<Signatures, WireError> {
    let mut from = rmp_serde::Deserializer::from_read_ref(bytes);
    from.set_max_depth(SIGNATURES_DEPTH_MAX);
    Signatures::deserialize(&mut from).map_err(|error| WireError::Malformed {
        what: "a description of functions",
        at: 0,
        why: error.to_string(),
    })
}
