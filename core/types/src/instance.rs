//! How the instances of an actor serve calls: each anew, one after another, or several at once.
//!
//! A fresh instance per call is what an actor gets that says nothing: no call sees what another
//! left behind. The other two trade that for speed, so an actor has to ask for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the instances of an actor serve calls.
///
/// A policy that this version does not know is read as [`Fresh`](Self::Fresh): an actor that may
/// share an instance between calls must also be content with one of its own for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "lowercase")]
pub enum InstancePolicy {
    /// One call after another in the same instance.
    Reused(Reuse),
    /// Several calls at once in the same instance.
    Concurrent {
        #[serde(flatten)]
        reuse: Reuse,
        /// Calls at once in one instance, 2 to [`InstancePolicy::CALLS_MAX`].
        calls: u32,
    },
    /// One call per instance.
    #[default]
    #[serde(other)]
    Fresh,
}

impl InstancePolicy {
    /// Calls at once in one instance where an actor asks for several and does not say how many.
    pub const CALLS_DEFAULT: u32 = 16;
    /// More calls than this in one instance would end together when one of them traps.
    pub const CALLS_MAX: u32 = 256;

    pub fn is_fresh(&self) -> bool {
        *self == Self::Fresh
    }

    /// Until when its instances serve; none if each serves one call.
    pub fn reuse(&self) -> Option<Reuse> {
        match *self {
            Self::Fresh => None,
            Self::Reused(reuse) | Self::Concurrent { reuse, .. } => Some(reuse),
        }
    }

    /// The word for it in a manifest.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Reused(_) => "reused",
            Self::Concurrent { .. } => "concurrent",
        }
    }
}

impl fmt::Display for InstancePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(Reuse { requests, idle_ms }) = self.reuse() {
            write!(f, ", for {requests} requests or until idle for {idle_ms} ms")?;
        }
        match self {
            Self::Concurrent { calls, .. } => write!(f, ", {calls} calls at once"),
            Self::Fresh | Self::Reused(_) => Ok(()),
        }
    }
}

/// Until when an instance serves.
///
/// Each instance draws its own number from each span, so that instances of one start do not end
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reuse {
    /// Calls it serves.
    #[serde(default = "Reuse::requests_default")]
    pub requests: Span,
    /// How long it may wait for its next call, in milliseconds.
    #[serde(default = "Reuse::idle_default")]
    pub idle_ms: Span,
}

impl Reuse {
    /// Beyond this an instance is as good as one that never ends.
    pub const REQUESTS_MAX: u32 = 1_000_000;
    /// An hour: an idle instance holds memory that others could use.
    pub const IDLE_MS_MAX: u32 = 3_600_000;

    /// Making an instance of an interpreter costs about ten of its calls; spread over a hundred
    /// that is a tenth, and what a guest leaks is gone soon.
    const fn requests_default() -> Span {
        Span { min: 128, max: 256 }
    }

    const fn idle_default() -> Span {
        Span { min: 1_000, max: 2_000 }
    }
}

impl Default for Reuse {
    fn default() -> Self {
        Self { requests: Self::requests_default(), idle_ms: Self::idle_default() }
    }
}

/// Numbers from `min` to `max`, both included; none of them 0. Written `64-128`, or `128`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub min: u32,
    pub max: u32,
}

/// Why a text is not a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error("{raw:?} is not a span: write a number, or two with `-` between them, such as 64-128")]
    Malformed { raw: String },
    #[error("span {min}-{max} ends before it begins")]
    Reversed { min: u32, max: u32 },
    #[error("a span begins at 1, not at 0")]
    Zero,
}

impl Span {
    pub fn new(min: u32, max: u32) -> Result<Self, SpanError> {
        match (min, max) {
            (0, _) => Err(SpanError::Zero),
            (min, max) if max < min => Err(SpanError::Reversed { min, max }),
            (min, max) => Ok(Self { min, max }),
        }
    }

    /// The number of this span that belongs to `random`; evenly spread if `random` is.
    pub fn draw(self, random: u32) -> u32 {
        let numbers = u64::from(self.max.saturating_sub(self.min)) + 1;
        // The high half of the product, so that it is the high bits of `random` that count.
        let above = (u64::from(random) * numbers) >> 32;
        self.min + above as u32
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(raw: &str) -> Result<Self, SpanError> {
        let number = |text: &str| -> Result<u32, SpanError> {
            let malformed = || SpanError::Malformed { raw: raw.to_owned() };
            if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(malformed()); // `u32` would also read a sign.
            }
            text.parse().map_err(|_| malformed())
        };
        match raw.split_once('-') {
            Some((min, max)) => Self::new(number(min.trim())?, number(max.trim())?),
            None => number(raw.trim()).and_then(|both| Self::new(both, both)),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{}-{}", self.min, self.max)
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_it_is_written() {
        for (raw, min, max) in
            [("64-128", 64, 128), ("128", 128, 128), ("1-4294967295", 1, u32::MAX)]
        {
            let span: Span = raw.parse().unwrap();
            assert_eq!((span.min, span.max), (min, max), "{raw}");
            assert_eq!(span.to_string(), raw);
        }
        assert_eq!(" 64 - 128 ".parse(), Ok(Span { min: 64, max: 128 }));
    }

    #[test]
    fn what_is_no_span_is_refused_with_the_reason() {
        let cases = [
            ("", "not a span"),
            ("-", "not a span"),
            ("1-2-3", "not a span"),
            ("+1", "not a span"),
            ("4294967296", "not a span"),
            ("2-1", "ends before it begins"),
            ("0", "begins at 1"),
            ("0-7", "begins at 1"),
        ];
        for (raw, said) in cases {
            let error = raw.parse::<Span>().expect_err(raw).to_string();
            assert!(error.contains(said), "{raw:?}: {error}");
        }
    }

    #[test]
    fn every_number_of_a_span_can_be_drawn_and_no_other() {
        let span = Span { min: 3, max: 5 };
        let drawn = [0, 1 << 30, 1 << 31, 3 << 30, u32::MAX].map(|random| span.draw(random));
        assert_eq!(drawn, [3, 3, 4, 5, 5]);
        let all = Span { min: 1, max: u32::MAX };
        assert_eq!((all.draw(0), all.draw(u32::MAX)), (1, u32::MAX));
    }

    #[test]
    fn a_policy_of_a_newer_version_is_read_as_the_strictest() {
        let newer = rmp_serde::to_vec_named(&serde_json::json!({"policy": "shared", "calls": 3}));
        let read: InstancePolicy = rmp_serde::from_slice(&newer.unwrap()).unwrap();
        assert_eq!(read, InstancePolicy::Fresh);
    }

    #[test]
    fn a_policy_is_read_back_and_what_it_leaves_out_has_its_default() {
        let reuse = Reuse { requests: Span { min: 1, max: 9 }, ..Reuse::default() };
        for policy in [
            InstancePolicy::Fresh,
            InstancePolicy::Reused(reuse),
            InstancePolicy::Concurrent { reuse, calls: 4 },
        ] {
            let bytes = rmp_serde::to_vec_named(&policy).unwrap();
            assert_eq!(rmp_serde::from_slice::<InstancePolicy>(&bytes).unwrap(), policy);
        }
        let bare = rmp_serde::to_vec_named(&serde_json::json!({"policy": "reused"})).unwrap();
        let read: InstancePolicy = rmp_serde::from_slice(&bare).unwrap();
        assert_eq!(read, InstancePolicy::Reused(Reuse::default()));
    }
}
