//! What requests and replies have in common: headers, HTTP messages, streams.

use bytes::Bytes;
use wattle_value::packed::Writer;

use super::{Beginning, Beside};
use crate::call::{Header, HttpRequest, HttpResponse, Limits};
use crate::wire::WireError;
use crate::wire::fields::{FieldReader, small_map};

pub(in crate::call) fn write_headers(to: &mut Writer, headers: &[Header]) {
    to.array(headers.len());
    for Header(name, value) in headers {
        to.array(2);
        to.str(name);
        to.bin(value);
    }
}

/// A list of `[name, value]` within its bounds.
pub(in crate::call) fn read_headers(
    from: &mut FieldReader<'_>,
    limits: &Limits,
) -> Result<Vec<Header>, WireError> {
    let len = from.array()?;
    if limits.headers_max < len {
        return Err(from.invalid("headers", len.to_string()));
    }
    let mut headers = Vec::with_capacity(len);
    let mut bytes = 0;
    for _ in 0..len {
        if from.array()? != 2 {
            return Err(from.malformed("a header is a name and a value"));
        }
        let (name, value) = (from.str()?.to_owned(), from.bin()?.to_vec());
        bytes += name.len() + value.len();
        headers.push(Header(name, value));
    }
    if limits.header_bytes_max < bytes {
        return Err(from.invalid("bytes of headers", bytes.to_string()));
    }
    Ok(headers)
}

/// That what is to be written is within the bounds it would be read with.
pub(super) fn check_http(
    what: &'static str,
    headers: [&[Header]; 2],
    uri_len: usize,
    limits: &Limits,
) -> Result<(), WireError> {
    let invalid =
        |field, found: usize| Err(WireError::Invalid { what, field, value: found.to_string() });
    if limits.uri_bytes_max < uri_len {
        return invalid("bytes of URI", uri_len);
    }
    for headers in headers {
        if limits.headers_max < headers.len() {
            return invalid("headers", headers.len());
        }
        let bytes = headers.iter().map(|Header(name, value)| name.len() + value.len()).sum();
        if limits.header_bytes_max < bytes {
            return invalid("bytes of headers", bytes);
        }
    }
    Ok(())
}

pub(super) fn write_request(to: &mut Writer, http: &HttpRequest) {
    small_map(to, if http.trailers.is_empty() { 5 } else { 6 });
    to.str("method");
    to.str(&http.method);
    to.str("uri");
    to.str(&http.uri);
    write_message(to, &http.headers, &http.body, http.end, &http.trailers);
}

pub(super) fn write_response(to: &mut Writer, http: &HttpResponse) {
    small_map(to, if http.trailers.is_empty() { 4 } else { 5 });
    to.str("status");
    to.uint(u64::from(http.status));
    write_message(to, &http.headers, &http.body, http.end, &http.trailers);
}

fn write_message(to: &mut Writer, headers: &[Header], body: &[u8], end: bool, trailers: &[Header]) {
    to.str("headers");
    write_headers(to, headers);
    to.str("body");
    to.bin(body);
    to.str("end");
    to.bool(end);
    if !trailers.is_empty() {
        to.str("trailers");
        write_headers(to, trailers);
    }
}

/// An HTTP message as it is read; which of the fields must be there depends on the kind.
#[derive(Default)]
pub(super) struct HttpParts {
    pub(super) method: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<Header>,
    pub(super) body: Bytes,
    pub(super) end: bool,
    pub(super) trailers: Vec<Header>,
}

pub(super) fn read_http(
    from: &mut FieldReader<'_>,
    limits: &Limits,
) -> Result<HttpParts, WireError> {
    const FIELDS: [&str; 7] = ["method", "uri", "status", "headers", "body", "end", "trailers"];
    let mut http = HttpParts::default();
    from.fields(&FIELDS, |from, field| {
        match field {
            0 => http.method = Some(from.str()?.to_owned()),
            1 => http.uri = Some(read_uri(from, limits)?),
            2 => http.status = Some(from.small("status")?),
            3 => http.headers = read_headers(from, limits)?,
            4 => http.body = from.bin()?,
            5 => http.end = from.bool()?,
            _ => http.trailers = read_headers(from, limits)?,
        }
        Ok(())
    })?;
    if !http.end && !http.trailers.is_empty() {
        return Err(from.malformed("trailers follow a body that is not complete"));
    }
    Ok(http)
}

fn read_uri(from: &mut FieldReader<'_>, limits: &Limits) -> Result<String, WireError> {
    let uri = from.str()?;
    if limits.uri_bytes_max < uri.len() {
        return Err(from.invalid("bytes of URI", uri.len().to_string()));
    }
    Ok(uri.to_owned())
}

pub(super) fn write_streams(to: &mut Writer, streams: &[Beginning]) {
    to.array(streams.len());
    for stream in streams {
        to.array(2);
        to.bin(&stream.data);
        to.bool(stream.end);
    }
}

pub(super) fn read_streams(
    from: &mut FieldReader<'_>,
    limits: &Limits,
) -> Result<Vec<Beginning>, WireError> {
    let len = from.array()?;
    if limits.streams_max < len {
        return Err(from.invalid("streams", len.to_string()));
    }
    let mut streams = Vec::with_capacity(len);
    for _ in 0..len {
        if from.array()? != 2 {
            return Err(from.malformed("a stream is its beginning and whether it ends there"));
        }
        streams.push(Beginning { data: from.bin()?, end: from.bool()? });
    }
    Ok(streams)
}

/// That what is announced to follow will be taken, and that there is something it belongs to.
pub(super) fn check_beside(
    from: &FieldReader<'_>,
    beside: &Beside,
    value: Option<&Bytes>,
    limits: &Limits,
) -> Result<(), WireError> {
    let Some(value) = value else {
        return match (beside.rest, beside.streams.len()) {
            (0, 0) => Ok(()),
            (0, streams) => Err(from.invalid("streams", format!("{streams} beside no function"))),
            (rest, _) => Err(from.invalid("rest", format!("{rest} of nothing"))),
        };
    };
    let all = (value.len() as u64).saturating_add(beside.rest);
    if (limits.value_bytes_max as u64) < all {
        return Err(from.invalid("bytes of arguments or result", all.to_string()));
    }
    Ok(())
}
