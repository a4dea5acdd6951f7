//! The verifier against everything we could think of; see each module.

mod accepted;
mod bits;
mod conformance;
pub(crate) mod fixture;
mod properties;
mod refusals;
