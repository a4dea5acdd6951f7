//! The head of a message with streams: what travels in it, and what follows.

use bytes::Bytes;
use http::HeaderMap;

use super::Content;
use super::outgoing::{BESIDE_HEAD_MAX, Begun, Outgoing};
use crate::call::frame::REST;
use crate::call::{Beginning, Beside, Header, Limits, end_to_end, header_map};
use crate::wire::WireError;

/// A streams that goes on behind the head.
pub(super) type Following = Vec<(u8, Outgoing)>;

/// The part of an HTTP message that is a stream.
pub(super) struct HttpBody<'a> {
    pub(super) body: &'a mut Bytes,
    pub(super) end: &'a mut bool,
    pub(super) trailers: &'a mut Vec<Header>,
}

/// What streams may take of one message.
fn beside_head_max(limits: &Limits) -> usize {
    BESIDE_HEAD_MAX.min(limits.message_bytes_max / 4)
}

/// Puts the beginning of a body where it travels.
pub(super) async fn begin_body(http: HttpBody<'_>, content: Content, limits: &Limits) -> Following {
    let Begun { data, trailers, rest } = Outgoing::begin(content, beside_head_max(limits)).await;
    (*http.body, *http.end) = (data, rest.is_none());
    *http.trailers = end_to_end(&trailers);
    rest.into_iter().map(|rest| (0, rest)).collect()
}

/// Puts the beginnings of streams where they travel.
pub(super) async fn begin_streams(
    streams: Vec<Content>,
    beside: &mut Beside,
    limits: &Limits,
) -> Following {
    let mut following = Vec::new();
    let share = beside_head_max(limits) / streams.len().max(1);
    for (number, content) in (0..REST).zip(streams) {
        let Begun { data, trailers: _, rest } = Outgoing::begin(content, share).await;
        beside.streams.push(Beginning { data, end: rest.is_none() });
        following.extend(rest.map(|rest| (number, rest)));
    }
    following
}

/// Writes a head; what of `value` does not fit follows as a stream.
pub(super) fn encode(
    value: &Bytes,
    beside: &mut Beside,
    following: &mut Following,
    limits: &Limits,
    write: impl Fn(&Beside) -> Result<Bytes, WireError>,
) -> Result<Bytes, WireError> {
    if value.len() < limits.message_bytes_max {
        match write(beside) {
            Err(WireError::TooLarge { .. }) if !value.is_empty() => {}
            written => return written,
        }
    }
    beside.rest = value.len() as u64;
    let room = limits.message_bytes_max.saturating_sub(write(beside)?.len() + LONGER_HEADER);
    let here = room.min(value.len());
    beside.rest = (value.len() - here) as u64;
    following.push((REST, Outgoing::whole(value.slice(here..))));
    write(beside)
}

/// How much longer the header of a long value is than that of none.
const LONGER_HEADER: usize = 4;

/// The contents of an HTTP body that is here.
pub(super) fn trailers(headers: Vec<Header>) -> HeaderMap {
    // What is no header is passed over, as between any two that speak HTTP.
    header_map(headers).unwrap_or_default()
}
