//! Numbers with units, as people write and read them: `64MiB`, `5s`, `300`.
//!
//! A size or a time without a unit would be taken for another one by somebody, so it is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Written `512B`, `64KiB`, `64MiB` or `1GiB`.
    Bytes,
    /// Milliseconds. Written `300ms`, `5s` or `2m`.
    Time,
    /// Plain numbers, and what a newer version counts.
    #[serde(other)]
    Count,
}

/// Why a text is not a number of its unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("{raw:?} is no size; write a number with a unit, such as 512KiB, 64MiB or 1GiB")]
    Size { raw: String },
    #[error("{raw:?} is no time; write a number with a unit, such as 300ms, 5s or 2m")]
    Time { raw: String },
    #[error("{raw:?} is no number")]
    Count { raw: String },
}

impl Unit {
    /// Each with what it stands for, the largest first.
    const fn written(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Bytes => &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)],
            Self::Time => &[("m", 60_000), ("s", 1_000), ("ms", 1)],
            Self::Count => &[("", 1)],
        }
    }

    /// Reads bytes, milliseconds or a count.
    pub fn parse(self, raw: &str) -> Result<u64, QuantityError> {
        let text = raw.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let of_unit = self.written().iter().find(|(name, _)| *name == unit);
        let value = number
            .parse()
            .ok()
            .zip(of_unit)
            .and_then(|(number, (_, one)): (u64, _)| number.checked_mul(*one));
        value.ok_or_else(|| {
            let raw = raw.to_owned();
            match self {
                Self::Bytes => QuantityError::Size { raw },
                Self::Time => QuantityError::Time { raw },
                Self::Count => QuantityError::Count { raw },
            }
        })
    }

    /// `value` as [`parse`](Self::parse) reads it, in the largest unit that is exact.
    pub const fn show(self, value: u64) -> Quantity {
        Quantity { value, unit: self }
    }
}

/// A number and what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub value: u64,
    pub unit: Unit,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        let is_exact = |(_, one): &&(&str, u64)| value != 0 && value.is_multiple_of(*one);
        let units = self.unit.written();
        let (name, one) = units.iter().find(is_exact).unwrap_or(&units[units.len() - 1]);
        write!(f, "{}{name}", value / one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_shown_in_the_largest_exact_unit() {
        let cases = [
            (Unit::Bytes, "64MiB", 64 << 20, "64MiB"),
            (Unit::Bytes, "1024KiB", 1 << 20, "1MiB"),
            (Unit::Bytes, "1020 KiB", 1020 << 10, "1020KiB"),
            (Unit::Bytes, "0B", 0, "0B"),
            (Unit::Bytes, "1000B", 1_000, "1000B"),
            (Unit::Time, "300ms", 300, "300ms"),
            (Unit::Time, "30s", 30_000, "30s"),
            (Unit::Time, "120s", 120_000, "2m"),
            (Unit::Time, "1500ms", 1_500, "1500ms"),
            (Unit::Count, "300", 300, "300"),
            (Unit::Count, "0", 0, "0"),
        ];
        for (unit, raw, value, shown) in cases {
            assert_eq!(unit.parse(raw), Ok(value), "{raw}");
            assert_eq!(unit.show(value).to_string(), shown, "{raw}");
        }
    }

    #[test]
    fn what_has_no_unit_another_one_or_does_not_fit_is_refused() {
        let cases = [
            (Unit::Bytes, "64"),
            (Unit::Bytes, "64MB"),
            (Unit::Bytes, "MiB"),
            (Unit::Bytes, "-1MiB"),
            (Unit::Bytes, "1.5MiB"),
            (Unit::Bytes, "99999999999GiB"),
            (Unit::Time, "5"),
            (Unit::Time, "5h"),
            (Unit::Time, "99999999999999999999ms"),
            (Unit::Count, "5s"),
            (Unit::Count, ""),
            (Unit::Count, "+5"),
        ];
        for (unit, raw) in cases {
            assert!(unit.parse(raw).is_err(), "{raw}");
        }
    }
}
