//! The trait `disconnect`: how long an actor waits for a host that fell silent.

use serde::Deserialize;

use super::traits::{properties, wrong};
use crate::Unit;
use crate::manifest::{Error, Trait};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    /// A text such as `10m`.
    lost_after: String,
}

/// The silence in milliseconds after which the lattice itself counts a host as lost that beats twice
/// a second. Nobody can wait for less, and who asks for less would wait for more than they read.
pub const LOST_AFTER_MS_MIN: u64 = 5_000;
/// A week, in milliseconds: whoever is silent for longer does not come back by itself.
pub const LOST_AFTER_MS_MAX: u64 = 7 * 24 * 60 * 60_000;

/// How many milliseconds a host is silent before this actor is started elsewhere.
pub(super) fn read(written: &Trait) -> Result<u64, Error> {
    let Properties { lost_after } = properties(written)?;
    let fail = |message: String| wrong(written, format!("lost_after: {message}"));
    let ms = Unit::Time.parse(&lost_after).map_err(|error| fail(error.to_string()))?;
    let (min, max) = (Unit::Time.show(LOST_AFTER_MS_MIN), Unit::Time.show(LOST_AFTER_MS_MAX));
    if ms < LOST_AFTER_MS_MIN {
        let asked = Unit::Time.show(ms);
        return Err(fail(format!(
            "{asked} is not possible; the lattice itself waits {min} for a silent host"
        )));
    }
    if LOST_AFTER_MS_MAX < ms {
        let asked = Unit::Time.show(ms);
        return Err(fail(format!("{asked} is not possible; it is at most a week, {max}")));
    }
    Ok(ms)
}
