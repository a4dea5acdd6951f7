//! Numbers that only rise, each with a meaning of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            pub const ZERO: Self = Self(0);

            /// The one after this. A counter that rises once a microsecond lasts half a million
            /// years, so it is never at its end.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

counters! {
    /// Which leader decided: rises with every change of leadership, and fences all before it.
    Epoch;
    /// Which assignment of one host: rises with every change, across epochs.
    Generation;
    /// Which version of a manifest, as stored.
    Revision;
}
