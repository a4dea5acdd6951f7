//! Between a span and the two headers, by what OpenTelemetry keeps beside the span.

use std::collections::HashMap;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::TraceContext;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

pub(super) fn of_current_span() -> TraceContext {
    let mut headers = Headers::default();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut headers);
    let mut take = |name: &str| headers.0.remove(name).filter(|value| !value.is_empty());
    TraceContext { traceparent: take(PARENT), tracestate: take(STATE) }
}

pub(super) fn adopt(context: &TraceContext, span: &Span) {
    let Some(parent) = &context.traceparent else { return };
    let mut headers = Headers::default();
    headers.set(PARENT, parent.clone());
    if let Some(state) = &context.tracestate {
        headers.set(STATE, state.clone());
    }
    // Fails only when no exporter is set up, and then there is no trace to join.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
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
