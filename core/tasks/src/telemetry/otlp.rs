//! Spans, sent to a collector over HTTP.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::TelemetryConfig;

pub(crate) use opentelemetry_otlp::ExporterBuildError as SetupError;

#[derive(Debug)]
pub(super) struct Exporter(SdkTracerProvider);

impl Exporter {
    pub(super) fn layer<S>(&self, service: &'static str) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer(service))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // A collector that is gone must not keep the process from ending.
        if let Err(error) = self.0.shutdown() {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// Called inside the runtime.
pub(super) fn exporter(
    config: &TelemetryConfig,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Exporter, SetupError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let service = env("OTEL_SERVICE_NAME").unwrap_or_else(|| config.service.to_owned());
    let provider = SdkTracerProvider::builder()
        // On the runtime: the exporter's HTTP client needs its sockets and timers.
        .with_span_processor(BatchSpanProcessor::builder(exporter, Tokio).build())
        .with_resource(Resource::builder().with_service_name(service).build())
        .build();
    Ok(Exporter(provider))
}
