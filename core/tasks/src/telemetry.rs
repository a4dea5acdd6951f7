//! Tracing, set up once per process: text (or JSON) on standard error, and OTLP when the standard
//! variables ask for it.
//!
//! Standard output is for results only.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "telemetry/without.rs"]
mod otlp;

use std::io::IsTerminal;

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
    Exporter(#[source] otlp::SetupError),
    #[error("tracing is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sends what is left when the process ends. Keep it until then.
#[derive(Debug)]
pub struct TelemetryGuard {
    // Sends when it is dropped.
    _exporter: Option<otlp::Exporter>,
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
    let exporter = match is_wanted(&env) {
        true => Some(otlp::exporter(config, &env).map_err(TelemetryError::Exporter)?),
        false => None,
    };
    let traces = exporter.as_ref().map(|exporter| exporter.layer(config.service));
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .with(traces.map(|layer| layer.with_filter(EnvFilter::new("info"))))
        .try_init()
        .map_err(TelemetryError::Twice)?;
    Ok(TelemetryGuard { _exporter: exporter })
}

/// Traces are sent only when one of the standard variables names where to; the exporter itself
/// reads them, with headers and time-outs (OpenTelemetry, "OTLP Exporter Configuration").
fn is_wanted(env: impl Fn(&str) -> Option<String>) -> bool {
    let endpoint = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let disabled = env("OTEL_SDK_DISABLED").is_some_and(|value| value == "true");
    !disabled && endpoint.into_iter().any(|name| env(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_sent_only_where_a_variable_says_where_and_none_says_no() {
        const WHERE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let cases: [(&[(&str, &str)], bool); 4] = [
            (&[], false),
            (&[(WHERE, "http://127.0.0.1:4318")], true),
            (&[(WHERE, "http://127.0.0.1:4318"), ("OTEL_SDK_DISABLED", "true")], false),
            (&[("OTEL_SERVICE_NAME", "edge")], false),
        ];
        for (set, wanted) in cases {
            let env = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_wanted(env), wanted, "{set:?}");
        }
    }
}
