//! Tracing, set up once per process: text (or JSON) on standard error, and OTLP when the standard
//! variables ask for it.
//!
//! Standard output is for results only.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How a process logs.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// `service.name` of the traces, unless `OTEL_SERVICE_NAME` says otherwise.
    pub service: &'static str,
    /// The filter when `RUST_LOG` is not set, such as `info`.
    pub default_filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG is not a filter such as `info,wattle_host=debug`")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("could not set up the export of traces that OTEL_EXPORTER_OTLP_ENDPOINT asks for")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    #[error("tracing is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sends what is left when the process ends. Keep it until then.
#[derive(Debug)]
pub struct TelemetryGuard {
    exporter: Option<SdkTracerProvider>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        // A collector that is gone must not keep the process from ending.
        if let Some(Err(error)) = self.exporter.take().map(|exporter| exporter.shutdown()) {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// Sets tracing up for the whole process; called inside the runtime. `env` reads an environment
/// variable.
pub fn init(
    config: &TelemetryConfig,
    env: impl Fn(&str) -> Option<String>,
) -> Result<TelemetryGuard, TelemetryError> {
    let filter = env("RUST_LOG").unwrap_or_else(|| config.default_filter.clone());
    let filter = EnvFilter::try_new(filter).map_err(TelemetryError::Filter)?;
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let log = if config.json {
        log.json().boxed()
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let exporter = exporter(config, &env)?;
    let traces = exporter.as_ref().map(|exporter| {
        tracing_opentelemetry::layer().with_tracer(exporter.tracer(config.service))
    });
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .with(traces.map(|layer| layer.with_filter(EnvFilter::new("info"))))
        .try_init()
        .map_err(TelemetryError::Twice)?;
    Ok(TelemetryGuard { exporter })
}

/// Exports only when one of the standard variables names where to; the exporter itself reads
/// them, with headers and time-outs (OpenTelemetry, "OTLP Exporter Configuration").
fn exporter(
    config: &TelemetryConfig,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let endpoint = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let disabled = env("OTEL_SDK_DISABLED").is_some_and(|value| value == "true");
    if disabled || endpoint.into_iter().all(|name| env(name).is_none()) {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .build()
        .map_err(TelemetryError::Exporter)?;
    let service = env("OTEL_SERVICE_NAME").unwrap_or_else(|| config.service.to_owned());
    let provider = SdkTracerProvider::builder()
        // On the runtime: the exporter's HTTP client needs its sockets and timers.
        .with_span_processor(BatchSpanProcessor::builder(exporter, Tokio).build())
        .with_resource(Resource::builder().with_service_name(service).build())
        .build();
    Ok(Some(provider))
}
