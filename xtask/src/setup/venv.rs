//! Python packages that ship programs, each in a folder of its own: nothing of the person's Python changes.

use std::{ffi::OsStr, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::wasm::apt_install;
use crate::{run, say::Story};

/// Installs `package`, which may name a version, so that its programs are in `folder/bin`.
pub(super) fn install(package: &str, folder: &Path, story: &Story) -> Result<()> {
    let Some(python) = run::on_path("python3") else { bail!("python3 is not installed") };
    story.step(format_args!("installing the Python package {package}"));
    let log = folder.with_extension("log");
    match in_venv(package, &python, folder, story, &log) {
        Ok(()) => Ok(()),
        // Debian packs `venv` apart from Python; pip alone is enough, and where it is absent, apt may help.
        Err(no_venv) => match with_pip(package, &python, folder, story, &log) {
            Ok(()) => Ok(()),
            Err(no_pip) => {
                apt_install(&["python3-venv"], story, &log).with_context(|| {
                    format!("neither venv ({no_venv:#}) nor pip ({no_pip:#}) could install it")
                })?;
                in_venv(package, &python, folder, story, &log)
            }
        },
    }
}

fn in_venv(package: &str, python: &Path, folder: &Path, story: &Story, log: &Path) -> Result<()> {
    let venv = ["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), folder.as_os_str()];
    run::logged(story, "making a virtual environment", Command::new(python).args(venv), log)?;
    let inside = folder.join("bin/python3");
    pip(package, &inside, &[], story, log)
}

fn with_pip(package: &str, python: &Path, folder: &Path, story: &Story, log: &Path) -> Result<()> {
    let into = ["--upgrade".as_ref(), "--target".as_ref(), folder.as_os_str()];
    pip(package, python, &into, story, log)
}

fn pip(package: &str, python: &Path, extra: &[&OsStr], story: &Story, log: &Path) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(extra)
        .arg(package);
    run::logged(story, &format!("installing {package}"), &mut pip, log)
}
