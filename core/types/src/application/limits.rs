//! The trait `limits`: where an actor asks for other bounds than it gets by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::traits::{properties, wrong};
use crate::manifest::{Error, Trait};
use crate::{Limit, SpecLimits};

/// Names of before there were units, and what one of each stands for.
const OLD: [(&str, Limit, u64); 2] =
    [("memory_mib", Limit::Memory, 1 << 20), ("execution_ms", Limit::Execution, 1)];

pub(super) fn read(written: &Trait) -> Result<SpecLimits, Error> {
    let mut limits = SpecLimits::default();
    for (name, value) in properties::<BTreeMap<String, Value>>(written)? {
        let (limit, asked) =
            one(&name, &value).map_err(|message| wrong(written, format!("{name}: {message}")))?;
        if limits.get(limit).is_some() {
            return Err(wrong(written, format!("{limit} is there twice")));
        }
        limits.set(limit, asked);
    }
    Ok(limits)
}

fn one(name: &str, value: &Value) -> Result<(Limit, u64), String> {
    if let Some((_, limit, one)) = OLD.iter().find(|(old, ..)| *old == name) {
        let number = value.as_u64().ok_or_else(|| format!("{value} is no number"))?;
        return Ok((*limit, limit.check(number.saturating_mul(*one))?));
    }
    let limit: Limit = name.parse().map_err(|error: crate::UnknownLimit| error.to_string())?;
    let asked = match value {
        Value::String(text) => limit.parse_value(text)?,
        // Without a unit, so it is right only for what has none.
        Value::Number(number) => limit.parse_value(&number.to_string())?,
        other => return Err(format!("{other} is neither a text nor a number")),
    };
    Ok((limit, asked))
}
