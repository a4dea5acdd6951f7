//! componentize-py, which makes components of Python programs: on PATH, else one of our own in the cache. Only
//! benchmarks need it, and ask for it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::venv;
use crate::{place::Places, run, say::Story};

const PROGRAM: &str = "componentize-py";

/// Another version builds another component, and the figures would not be comparable.
const VERSION: &str = "0.25.0";

pub(crate) fn ensure(places: &Places, story: &Story) -> Result<PathBuf> {
    let ours = places.tools().join("componentize-venv");
    let installed = ours.join("bin").join(PROGRAM);
    let found = run::on_path(PROGRAM).into_iter().chain([installed.clone()]);
    if let Some(path) = found.into_iter().find(|path| is_right(path)) {
        story.step(format_args!("{PROGRAM} {VERSION}: {}", path.display()));
        return Ok(path);
    }
    venv::install(&format!("{PROGRAM}=={VERSION}"), &ours, story).with_context(|| {
        format!(
            "{PROGRAM} {VERSION} is missing; three ways to get it:\n\
             \x20 1. install it so that it is on PATH\n\
             \x20 2. `pip install {PROGRAM}=={VERSION}` in a virtual environment whose `bin` is on PATH\n\
             \x20 3. install Python 3 with venv or pip, and run this again"
        )
    })?;
    Ok(installed)
}

fn is_right(path: &Path) -> bool {
    let said = run::output(Command::new(path).arg("--version"));
    said.is_ok_and(|said| said.split_whitespace().nth(1) == Some(VERSION))
}
