//! What every message carries beside its payload: the trace it belongs to.

use async_nats::HeaderMap;
use wattle_tasks::TraceContext;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Headers of a message said now: the trace context of the current span, if there is one.
pub(crate) fn outgoing() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let context = TraceContext::current();
    if let Some(parent) = context.traceparent {
        headers.insert(TRACEPARENT, parent);
        if let Some(state) = context.tracestate {
            headers.insert(TRACESTATE, state);
        }
    }
    headers
}

/// The trace a message came with.
pub(super) fn trace_of(headers: Option<&HeaderMap>) -> TraceContext {
    let text = |name: &str| headers.and_then(|all| all.get(name)).map(|value| value.to_string());
    TraceContext { traceparent: text(TRACEPARENT), tracestate: text(TRACESTATE) }
}
