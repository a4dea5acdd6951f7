//! Where things are: the repository, the target folder, the cache of tools.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds; `CARGO_TARGET_DIR` moves it.
    pub(crate) target: PathBuf,
    /// Tools and artifacts that outlive a clone; shared by all clones of one person.
    pub(crate) cache: PathBuf,
}

impl Places {
    pub(crate) fn find() -> Result<Self> {
        let here = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = here.parent().context("xtask lies in the root of the repository")?.to_path_buf();
        let metadata = metadata(&root, &["--no-deps"])?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target folder")?
            .into();
        Ok(Self { root, target, cache: cache(&|name| env::var_os(name))? })
    }

    /// Tools that `setup` installs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// Finished components, one `<crate>.wasm` each.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// `cargo` of the toolchain that runs us, in the root of the repository.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(cargo_program());
        cargo.current_dir(&self.root);
        // What cargo tells this program of its own package is not for the cargo that it starts: build
        // scripts that look at it would run again whenever somebody calls cargo directly, and most
        // of the workspace would be built again after them.
        for (name, _) in env::vars_os() {
            let shown = name.to_string_lossy();
            if shown.starts_with("CARGO_PKG_") || shown.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(name);
            }
        }
        cargo
    }
}

/// What `cargo metadata` says about the workspace, with the given extra arguments.
pub(crate) fn metadata(root: &Path, extra: &[&str]) -> Result<Value> {
    let mut cargo = Command::new(cargo_program());
    cargo.current_dir(root).args(["metadata", "--format-version", "1"]).args(extra);
    serde_json::from_str(&run::output(&mut cargo)?).context("read the answer of cargo metadata")
}

fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The first that is set of `WATTLE_CACHE`, `XDG_CACHE_HOME` and `HOME` decides.
fn cache(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("WATTLE_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("wattle")))
        .or_else(|| Some(set("HOME")?.join(".cache/wattle")))
        .context("no place for the cache of tools: set WATTLE_CACHE to a folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_is_the_most_specific_one_that_is_set() {
        type Case = (&'static [(&'static str, &'static str)], Option<&'static str>);
        let cases: &[Case] = &[
            (&[("WATTLE_CACHE", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")], Some("/a")),
            (&[("XDG_CACHE_HOME", "/b"), ("HOME", "/c")], Some("/b/wattle")),
            (
                &[("WATTLE_CACHE", ""), ("XDG_CACHE_HOME", ""), ("HOME", "/c")],
                Some("/c/.cache/wattle"),
            ),
            (&[], None),
        ];
        for (set, expected) in cases {
            let look_up = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            assert_eq!(cache(&look_up).ok(), expected.map(PathBuf::from), "{set:?}");
        }
    }
}
