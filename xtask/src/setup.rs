//! Makes sure that the tools are there. Each step says what it found or did, and does nothing twice.
//!
//! A step tries the ordinary way first and falls back; one that cannot succeed names what is missing and the
//! three ways to get it. What only benchmarks need they ask for themselves.

pub(crate) mod cargo;
pub(crate) mod componentize;
mod nats;
mod venv;
mod wasm;
pub(crate) mod wasmtime;
mod wit;

use std::path::PathBuf;

use anyhow::Result;

use crate::{place::Places, say::Story};

pub(crate) use wasm::Toolchain;

/// What the other tasks need and may rely on.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) nats_server: PathBuf,
    pub(crate) wasm: Toolchain,
}

pub(crate) fn run(places: &Places, story: &Story) -> Result<Tools> {
    let nats_server = nats::ensure(places, story)?;
    let wasm = wasm::ensure(places, story)?;
    wit::ensure(places, story)?;
    Ok(Tools { nats_server, wasm })
}
