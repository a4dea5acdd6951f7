//! The frames of a call: what did not fit into its two messages.
//!
//! A frame belongs to a call by the subject it is sent to, and names who of the two says it. It
//! never says how much is to come: a stream ends with the frame that says so.

use bytes::Bytes;

use super::envelope::{read_headers, write_headers};
use super::{Header, Limits};
use crate::wire::WireError;
use crate::wire::fields::{FieldReader, FieldWriter};

const FRAME: &str = "a frame of a call";

/// No frame carries more of a stream.
pub const DATA_BYTES_MAX: usize = 64 << 10;

/// What a frame counts at least towards credit, so that many tiny ones are bounded too.
pub const COST_MIN: u64 = 1 << 10;

/// The number of the stream that carries the rest of the arguments, or of the result.
pub const REST: u8 = 255;

/// The longest frame: data, trailers and room for the fields.
const BYTES_MAX: usize = DATA_BYTES_MAX + (64 << 10) + 4_096;

/// Of a frame, in the order in which they are read below.
const FIELDS: [&str; 12] = [
    "v", "by", "kind", "stream", "seq", "data", "end", "trailers", "code", "message", "limit",
    "credit",
];

/// Which of the two says a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Caller,
    Callee,
}

impl By {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub by: By,
    pub kind: Kind,
}

/// What a frame says.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// The next piece of a stream; the last one if `end`. Trailers only with the end.
    Data { stream: u8, seq: u64, data: Bytes, end: bool, trailers: Vec<Header> },
    /// The stream is not complete and will not be.
    Error { stream: u8, seq: u64, code: String, message: String, limit: u64 },
    /// Of this stream so much may be sent, counted from its beginning.
    Credit { stream: u8, upto: u64 },
    /// Nobody reads this stream any more; without a number, nobody waits for the call any more.
    Cancel { stream: Option<u8> },
    /// Is the call still known there?
    Ping,
    /// It is.
    Pong,
}

/// Without the contents.
impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Data { stream, seq, data, end, .. } => {
                write!(f, "data {stream}#{seq} of {} bytes, end: {end}", data.len())
            }
            Self::Error { stream, seq, code, .. } => write!(f, "error {stream}#{seq} {code}"),
            Self::Credit { stream, upto } => write!(f, "credit {stream} up to {upto}"),
            Self::Cancel { stream } => write!(f, "cancel {stream:?}"),
            Self::Ping => f.write_str("ping"),
            Self::Pong => f.write_str("pong"),
        }
    }
}

impl Frame {
    /// Writes a frame.
    pub fn encode(&self) -> Bytes {
        let len = if let Kind::Data { data, .. } = &self.kind { data.len() } else { 0 };
        let mut to = FieldWriter::new(96 + len);
        to.str("by", self.by.as_str());
        match &self.kind {
            Kind::Data { stream, seq, data, end, trailers } => {
                to.str("kind", "data");
                to.uint("stream", u64::from(*stream));
                to.uint("seq", *seq);
                to.bin("data", data);
                if *end {
                    to.named("end").bool(true);
                }
                if !trailers.is_empty() {
                    write_headers(to.named("trailers"), trailers);
                }
            }
            Kind::Error { stream, seq, code, message, limit } => {
                to.str("kind", "error");
                to.uint("stream", u64::from(*stream));
                to.uint("seq", *seq);
                to.str("code", code);
                to.str_if_any("message", message);
                to.uint_if_any("limit", *limit);
            }
            Kind::Credit { stream, upto } => {
                to.str("kind", "credit");
                to.uint("stream", u64::from(*stream));
                to.uint("credit", *upto);
            }
            Kind::Cancel { stream } => {
                to.str("kind", "cancel");
                if let Some(stream) = stream {
                    to.uint("stream", u64::from(*stream));
                }
            }
            Kind::Ping => to.str("kind", "ping"),
            Kind::Pong => to.str("kind", "pong"),
        }
        to.finish()
    }

    /// Reads a frame.
    pub fn decode(bytes: &Bytes) -> Result<Self, WireError> {
        let mut from = FieldReader::new(FRAME, bytes, BYTES_MAX)?;
        let (mut by, mut kind, mut stream) = (None, None, None);
        let (mut seq, mut credit, mut limit) = (None, None, 0);
        let (mut data, mut end, mut trailers) = (Bytes::new(), false, Vec::new());
        let (mut code, mut message) = ("", "");
        from.fields(&FIELDS, |from, field| {
            match field {
                0 => from.skip()?,
                1 => by = Some(read_by(from)?),
                2 => kind = Some(from.str()?),
                3 => stream = from.optional(|from| from.small("stream"))?,
                4 => seq = Some(from.uint()?),
                5 => data = from.bin()?,
                6 => end = from.bool()?,
                7 => trailers = read_headers(from, &Limits::default())?,
                8 => code = from.str()?,
                9 => message = from.str()?,
                10 => limit = from.uint()?,
                _ => credit = Some(from.uint()?),
            }
            Ok(())
        })?;
        from.finish()?;
        let in_order = || match (stream, seq) {
            (Some(stream), Some(seq)) => Ok((stream, seq)),
            _ => Err(from.lacks("stream and seq")),
        };
        let kind = match kind.ok_or_else(|| from.lacks("kind"))? {
            "data" => {
                let (stream, seq) = in_order()?;
                if DATA_BYTES_MAX < data.len() {
                    return Err(from.invalid("bytes of data", data.len().to_string()));
                }
                if !end && !trailers.is_empty() {
                    return Err(from.malformed("trailers come with the end"));
                }
                Kind::Data { stream, seq, data, end, trailers }
            }
            "error" => {
                let (stream, seq) = in_order()?;
                Kind::Error { stream, seq, code: code.into(), message: message.into(), limit }
            }
            "credit" => match (stream, credit) {
                (Some(stream), Some(upto)) => Kind::Credit { stream, upto },
                _ => return Err(from.lacks("stream and credit")),
            },
            "cancel" => Kind::Cancel { stream },
            "ping" => Kind::Ping,
            "pong" => Kind::Pong,
            other => return Err(from.invalid("kind", other)),
        };
        Ok(Self { by: by.ok_or_else(|| from.lacks("by"))?, kind })
    }
}

fn read_by(from: &mut FieldReader<'_>) -> Result<By, WireError> {
    match from.str()? {
        "caller" => Ok(By::Caller),
        "callee" => Ok(By::Callee),
        other => Err(from.invalid("by", other)),
    }
}

#[cfg(test)]
mod tests;
