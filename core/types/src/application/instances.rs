//! The trait `instances`: how the instances of an actor serve calls.

use serde::Deserialize;
use serde_json::Value;

use super::traits::{properties, wrong};
use crate::manifest::{Error, Trait};
use crate::{InstancePolicy, Reuse, Span, Unit};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    policy: Policy,
    /// A number, or a text such as `64-128`.
    requests: Option<Value>,
    /// A text such as `2s-4s`.
    idle: Option<String>,
    concurrency: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Fresh,
    Reused,
    Concurrent,
}

pub(super) fn read(written: &Trait) -> Result<InstancePolicy, Error> {
    let properties: Properties = properties(written)?;
    policy(&properties).map_err(|message| wrong(written, message))
}

fn policy(properties: &Properties) -> Result<InstancePolicy, String> {
    let Properties { policy, requests, idle, concurrency } = properties;
    if *policy == Policy::Fresh && (requests.is_some() || idle.is_some()) {
        return Err("a fresh instance serves one call; requests and idle are for the policies \
                    reused and concurrent"
            .to_owned());
    }
    if *policy != Policy::Concurrent && concurrency.is_some() {
        return Err(
            "concurrency is for the policy concurrent: the others have one call at once in \
                    an instance"
                .to_owned(),
        );
    }
    let reuse = reuse(requests.as_ref(), idle.as_deref())?;
    Ok(match policy {
        Policy::Fresh => InstancePolicy::Fresh,
        Policy::Reused => InstancePolicy::Reused(reuse),
        Policy::Concurrent => {
            let calls = concurrency.unwrap_or(InstancePolicy::CALLS_DEFAULT);
            let max = InstancePolicy::CALLS_MAX;
            if !(2..=max).contains(&calls) {
                return Err(format!("concurrency: {calls} is not possible; it is 2 to {max}"));
            }
            InstancePolicy::Concurrent { reuse, calls }
        }
    })
}

fn reuse(requests: Option<&Value>, idle: Option<&str>) -> Result<Reuse, String> {
    let mut reuse = Reuse::default();
    if let Some(requests) = requests {
        let text = match requests {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let said = |error: crate::SpanError| format!("requests: {error}");
        reuse.requests = at_most(text.parse().map_err(said)?, "requests", Reuse::REQUESTS_MAX)?;
    }
    if let Some(idle) = idle {
        let span = times(idle).map_err(|error| format!("idle: {error}"))?;
        reuse.idle_ms = at_most(span, "idle (ms)", Reuse::IDLE_MS_MAX)?;
    }
    Ok(reuse)
}

fn at_most(span: Span, what: &str, max: u32) -> Result<Span, String> {
    if span.max <= max { Ok(span) } else { Err(format!("{what}: {span} is more than {max}")) }
}

/// `2s-4s`, or one time for both, in milliseconds.
fn times(raw: &str) -> Result<Span, String> {
    let ms = |text: &str| {
        let ms = Unit::Time.parse(text).map_err(|error| error.to_string())?;
        // What does not fit is refused as too large and not cut down.
        Ok::<_, String>(u32::try_from(ms).unwrap_or(u32::MAX))
    };
    let (min, max) = raw.split_once('-').unwrap_or((raw, raw));
    Span::new(ms(min)?, ms(max)?).map_err(|error| error.to_string())
}
