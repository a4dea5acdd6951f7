//! W3C trace context across processes: what a message carries so that one request is one trace.

#[cfg(feature = "otlp")]
mod carried;

use tracing::Span;

/// The two headers of W3C Trace Context, as they are written. Empty when nothing is traced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
}

#[cfg(feature = "otlp")]
impl TraceContext {
    /// Of the current span.
    pub fn current() -> Self {
        carried::of_current_span()
    }

    /// Makes `span` a child of the sender's. A malformed context changes nothing: it came from
    /// outside.
    pub fn adopt(&self, span: &Span) {
        carried::adopt(self, span);
    }
}

/// Without an exporter no span belongs to a trace.
#[cfg(not(feature = "otlp"))]
impl TraceContext {
    pub fn current() -> Self {
        Self::default()
    }

    pub fn adopt(&self, _span: &Span) {}
}
