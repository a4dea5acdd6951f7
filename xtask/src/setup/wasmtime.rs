//! `wasmtime`, the peer of the HTTP benchmarks: on PATH, else one of our own in the cache. Only they need it, and
//! ask for it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{place::Places, run, say::Story};

/// The engine inside wattle has the same version.
pub(crate) const VERSION: &str = "48.0.8";

pub(crate) fn ensure(places: &Places, story: &Story) -> Result<PathBuf> {
    let root = places.tools().join("wasmtime");
    let ours = root.join("bin/wasmtime");
    let found = run::on_path("wasmtime").into_iter().chain([ours.clone()]);
    if let Some(path) = found.into_iter().find(|path| is_right(path)) {
        story.step(format_args!("wasmtime {VERSION}: {}", path.display()));
        return Ok(path);
    }
    story.step(format_args!("installing wasmtime-cli {VERSION}; this takes ten minutes or more"));
    let mut install = places.cargo();
    install.args(["install", "wasmtime-cli", "--locked", "--version", VERSION, "--root"]);
    install.arg(&root);
    // Built as wattle is: without link-time optimisation.
    install.env("CARGO_PROFILE_RELEASE_LTO", "off");
    // Where its parts are built does not matter; where they stay would.
    install.env_remove("CARGO_TARGET_DIR");
    run::shown(&mut install)?;
    Ok(ours)
}

fn is_right(path: &Path) -> bool {
    let said = run::output(Command::new(path).arg("--version"));
    said.is_ok_and(|said| said.split_whitespace().nth(1) == Some(VERSION))
}
