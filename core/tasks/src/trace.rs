//! W3C trace context across processes: what a message carries so that one request is one trace.

use std::collections::HashMap;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The two headers of W3C Trace Context, as they are written. Empty when nothing is traced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
}

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

impl TraceContext {
    /// Of the current span.
    pub fn current() -> Self {
        let mut headers = Headers::default();
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut headers);
        let mut take = |name: &str| headers.0.remove(name).filter(|value| !value.is_empty());
        Self { traceparent: take(PARENT), tracestate: take(STATE) }
    }

    /// Makes `span` a child of the sender's. A malformed context changes nothing: it came from
    /// outside.
    pub fn adopt(&self, span: &Span) {
        let Some(parent) = &self.traceparent else { return };
        let mut headers = Headers::default();
        headers.set(PARENT, parent.clone());
        if let Some(state) = &self.tracestate {
            headers.set(STATE, state.clone());
        }
        // Fails only when no exporter is set up, and then there is no trace to join.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
    }
}

#[derive(Default)]
struct Headers(HashMap<String, String>);

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }
}

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}
