//! A request as bytes.

use bytes::Bytes;
use wattle_types::{Digest, Fingerprint, SpecHash};

use super::parts::{
    check_beside, check_http, read_http, read_streams, write_request, write_streams,
};
use super::{Beside, CALL, check_len, here};
use crate::call::{CallBody, CallRequest, Caller, HttpRequest, InvokeRequest, Limits, Trace};
use crate::wire::WireError;
use crate::wire::fields::{FieldReader, FieldWriter, small_map};

/// What all fields but the body take, most of the time.
const USUAL_BYTES: usize = 320;

/// In the order in which they are read below, which is that in which they are written.
const FIELDS: [&str; 18] = [
    "v",
    "actor",
    "instance",
    "revision",
    "fence",
    "hop",
    "attempt",
    "idempotency",
    "remaining_ms",
    "caller",
    "trace",
    "fingerprint",
    "credit",
    "rest",
    "streams",
    "http",
    "invoke",
    "describe",
];

impl CallRequest {
    /// Writes a call that is whole, unless it exceeds what can be sent.
    pub fn encode(&self, limits: &Limits) -> Result<Bytes, WireError> {
        self.encode_beside(&Beside::default(), limits)
    }

    /// Writes the head of a call; of the arguments all but what follows.
    pub fn encode_beside(&self, beside: &Beside, limits: &Limits) -> Result<Bytes, WireError> {
        let body_len = match &self.body {
            CallBody::Http(http) => {
                check_http(CALL, [&http.headers, &http.trailers], http.uri.len(), limits)?;
                http.body.len()
            }
            CallBody::Invoke(invoke) => here(&invoke.args, beside.rest).len(),
            CallBody::Describe => 0,
        };
        let streams_len: usize = beside.streams.iter().map(|stream| stream.data.len() + 8).sum();
        let mut to = FieldWriter::new(USUAL_BYTES + body_len + streams_len);
        to.str("actor", self.actor.as_str());
        to.str_if_any("instance", &self.instance);
        if let Some(revision) = &self.revision {
            to.bin("revision", revision.0.bytes());
        }
        to.uint_if_any("fence", self.fence);
        to.uint_if_any("hop", u64::from(self.hop));
        to.uint_if_any("attempt", u64::from(self.attempt));
        to.str_if_any("idempotency", &self.idempotency);
        to.uint("remaining_ms", self.remaining_ms);
        write_caller(&mut to, &self.caller);
        write_trace(&mut to, &self.trace);
        if let Some(fingerprint) = &self.fingerprint {
            to.bin("fingerprint", fingerprint.bytes());
        }
        to.uint_if_any("credit", beside.credit);
        to.uint_if_any("rest", beside.rest);
        if !beside.streams.is_empty() {
            write_streams(to.named("streams"), &beside.streams);
        }
        match &self.body {
            CallBody::Http(http) => write_request(to.named("http"), http),
            CallBody::Invoke(invoke) => {
                let to = to.named("invoke");
                small_map(to, 3);
                to.str("interface");
                to.str(&invoke.interface.to_string());
                to.str("function");
                to.str(&invoke.function);
                to.str("args");
                to.bin(here(&invoke.args, beside.rest));
            }
            CallBody::Describe => to.named("describe").bool(true),
        }
        let encoded = to.finish();
        check_len(CALL, &encoded, limits)?;
        Ok(encoded)
    }

    /// Reads a call that is whole.
    pub fn decode(bytes: &Bytes, limits: &Limits) -> Result<Self, WireError> {
        let (call, beside) = Self::decode_beside(bytes, limits)?;
        let whole = beside.is_whole() && !matches!(&call.body, CallBody::Http(http) if !http.end);
        let (field, value) = ("body", "not whole".to_owned());
        whole.then_some(call).ok_or(WireError::Invalid { what: CALL, field, value })
    }

    /// Reads the head of a call.
    pub fn decode_beside(bytes: &Bytes, limits: &Limits) -> Result<(Self, Beside), WireError> {
        let mut from = FieldReader::new(CALL, bytes, limits.message_bytes_max)?;
        let (mut actor, mut remaining_ms, mut body) = (None, None, None);
        let (mut instance, mut idempotency) = (String::new(), String::new());
        let (mut revision, mut fingerprint) = (None, None);
        let (mut fence, mut hop, mut attempt) = (0, 0, 0);
        let (mut caller, mut trace) = (Caller::default(), Trace::default());
        let mut beside = Beside::default();
        from.fields(&FIELDS, |from, field| {
            let mut found = None;
            match field {
                0 => from.skip()?,
                1 => actor = Some(from.parsed("actor")?),
                2 => instance = from.str()?.to_owned(),
                3 => revision = from.optional(|from| from.fixed("revision"))?,
                4 => fence = from.uint()?,
                5 => hop = from.small("hop")?,
                6 => attempt = from.small("attempt")?,
                7 => idempotency = from.str()?.to_owned(),
                8 => remaining_ms = Some(from.uint()?),
                9 => caller = read_caller(from)?,
                10 => trace = read_trace(from)?,
                11 => fingerprint = from.optional(|from| from.fixed("fingerprint"))?,
                12 => beside.credit = from.uint()?,
                13 => beside.rest = from.uint()?,
                14 => beside.streams = read_streams(from, limits)?,
                15 => found = from.optional(|from| read_request(from, limits))?,
                16 => found = from.optional(read_invoke)?,
                _ => found = from.bool()?.then_some(CallBody::Describe),
            }
            if let Some(found) = found
                && body.replace(found).is_some()
            {
                return Err(from.malformed("a call has one body"));
            }
            Ok(())
        })?;
        from.finish()?;
        let body = body.ok_or_else(|| from.lacks("a body"))?;
        let args = if let CallBody::Invoke(invoke) = &body { Some(&invoke.args) } else { None };
        check_beside(&from, &beside, args, limits)?;
        let call = Self {
            actor: actor.ok_or_else(|| from.lacks("actor"))?,
            instance,
            revision: revision.map(|bytes| SpecHash(Digest::from_bytes(bytes))),
            fence,
            hop,
            attempt,
            idempotency,
            remaining_ms: remaining_ms.ok_or_else(|| from.lacks("remaining_ms"))?,
            caller,
            trace,
            fingerprint: fingerprint.map(Fingerprint::from_bytes),
            body,
        };
        Ok((call, beside))
    }
}

fn write_caller(to: &mut FieldWriter, caller: &Caller) {
    let fields = [!caller.id.is_empty(), caller.host.is_some(), !caller.proof.is_empty()];
    let fields = fields.into_iter().filter(|there| *there).count();
    if fields == 0 {
        return;
    }
    let to = to.named("caller");
    small_map(to, fields as u8);
    if !caller.id.is_empty() {
        to.str("id");
        to.str(&caller.id);
    }
    if let Some(host) = &caller.host {
        to.str("host");
        to.str(&host.to_string());
    }
    if !caller.proof.is_empty() {
        to.str("proof");
        to.bin(&caller.proof);
    }
}

fn read_caller(from: &mut FieldReader<'_>) -> Result<Caller, WireError> {
    let mut caller = Caller::default();
    from.fields(&["id", "host", "proof"], |from, field| {
        match field {
            0 => caller.id = from.str()?.to_owned(),
            1 => caller.host = from.optional(|from| from.parsed("host"))?,
            _ => caller.proof = from.bin()?.to_vec(),
        }
        Ok(())
    })?;
    Ok(caller)
}

fn write_trace(to: &mut FieldWriter, trace: &Trace) {
    let Some(parent) = &trace.traceparent else { return };
    let to = to.named("trace");
    small_map(to, if trace.tracestate.is_some() { 2 } else { 1 });
    to.str("traceparent");
    to.str(parent);
    if let Some(state) = &trace.tracestate {
        to.str("tracestate");
        to.str(state);
    }
}

fn read_trace(from: &mut FieldReader<'_>) -> Result<Trace, WireError> {
    let mut trace = Trace::default();
    from.fields(&["traceparent", "tracestate"], |from, field| {
        let place = if field == 0 { &mut trace.traceparent } else { &mut trace.tracestate };
        *place = from.optional(FieldReader::str)?.map(str::to_owned);
        Ok(())
    })?;
    // The one says nothing without the other.
    if trace.traceparent.is_none() {
        trace.tracestate = None;
    }
    Ok(trace)
}

fn read_request(from: &mut FieldReader<'_>, limits: &Limits) -> Result<CallBody, WireError> {
    let http = read_http(from, limits)?;
    let (Some(method), Some(uri)) = (http.method, http.uri) else {
        return Err(from.lacks("method and uri"));
    };
    let (headers, body, end, trailers) = (http.headers, http.body, http.end, http.trailers);
    Ok(CallBody::Http(HttpRequest { method, uri, headers, body, end, trailers }))
}

fn read_invoke(from: &mut FieldReader<'_>) -> Result<CallBody, WireError> {
    let (mut interface, mut function, mut args) = (None, None, None);
    from.fields(&["interface", "function", "args"], |from, field| {
        match field {
            0 => interface = Some(from.parsed("interface")?),
            1 => function = Some(from.str()?.into()),
            _ => args = Some(from.bin()?),
        }
        Ok(())
    })?;
    match (interface, function, args) {
        (Some(interface), Some(function), Some(args)) => {
            Ok(CallBody::Invoke(InvokeRequest { interface, function, args }))
        }
        _ => Err(from.lacks("interface, function and args")),
    }
}
