//! The WIT of the standard interfaces, copied from the pinned crates that ship it into `wit/deps` and
//! `wit/deps-p3`, which git ignores: what we compile against is what the crates implement.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    place::{self, Places},
    say::Story,
};

/// Which crate ships what.
const SOURCES: [Source; 4] = [
    Source {
        parts: &[
            "cli.wit",
            "clocks.wit",
            "filesystem.wit",
            "http.wit",
            "io.wit",
            "random.wit",
            "sockets.wit",
        ],
        ..Source::of("wasmtime-wasi-http")
    },
    Source {
        from: "src/p3/wit/deps",
        to: "wit/deps-p3",
        parts: &[
            "cli.wit",
            "clocks.wit",
            "filesystem.wit",
            "http.wit",
            "random.wit",
            "sockets.wit",
        ],
        ..Source::of("wasmtime-wasi-http")
    },
    Source { parts: &["keyvalue"], ..Source::of("wasmtime-wasi-keyvalue") },
    Source { parts: &["config"], ..Source::of("wasmtime-wasi-config") },
];

struct Source {
    name: &'static str,
    /// A folder of the crate.
    from: &'static str,
    /// A folder of ours.
    to: &'static str,
    /// Folders or files.
    parts: &'static [&'static str],
}

impl Source {
    const fn of(name: &'static str) -> Self {
        Self { name, from: "wit/deps", to: "wit/deps", parts: &[] }
    }
}

/// Says which versions were copied, so that an unchanged lock file means nothing to do.
const STAMP: &str = ".copied-from";

pub(crate) fn ensure(places: &Places, story: &Story) -> Result<()> {
    let lock = fs::read_to_string(places.root.join("Cargo.lock")).context("read Cargo.lock")?;
    let wanted = stamp(&lock)?;
    let deps = places.root.join("wit/deps");
    let complete = SOURCES.iter().all(|source| {
        let folder = places.root.join(source.to);
        source.parts.iter().all(|part| folder.join(part).exists())
    });
    if complete && fs::read_to_string(deps.join(STAMP)).is_ok_and(|stamp| stamp == wanted) {
        story.step("WIT of the standard interfaces, in wit/deps");
        return Ok(());
    }
    story.step("copying the WIT of the standard interfaces into wit/deps");
    // Cargo unpacks what is missing before it answers; on a new machine that is a download.
    let metadata = story.waiting("fetching crates", || place::metadata(&places.root, &[]))?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    for Source { name, from, to, parts } in SOURCES {
        let manifest = packages
            .iter()
            .find(|package| package["name"] == name)
            .map(|package| &package["manifest_path"]);
        let manifest = manifest
            .and_then(|path| path.as_str())
            .with_context(|| format!("no crate uses {name}"))?;
        let (shipped, ours) = (Path::new(manifest).with_file_name(from), places.root.join(to));
        for part in parts {
            copy(&shipped.join(part), &ours.join(part))?;
        }
    }
    fs::write(deps.join(STAMP), wanted).context("remember what was copied")?;
    Ok(())
}

/// One line per source: the name of its crate and its version in the lock file.
fn stamp(lock: &str) -> Result<String> {
    let lock: toml::Table = lock.parse().context("read Cargo.lock")?;
    let packages = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .context("Cargo.lock lists no packages")?;
    SOURCES
        .iter()
        .map(|Source { name, .. }| {
            let package = packages
                .iter()
                .find(|package| package.get("name").is_some_and(|n| n.as_str() == Some(name)));
            let version = package.and_then(|package| package.get("version")?.as_str());
            Ok(format!(
                "{name} {}\n",
                version.with_context(|| format!("Cargo.lock does not pin {name}"))?
            ))
        })
        .collect()
}

/// A file, or a folder with what is in it, in the place of whatever was there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.is_dir() {
        fs::remove_dir_all(to).with_context(|| format!("remove {}", to.display()))?;
    }
    if !from.is_dir() {
        fs::create_dir_all(to.parent().context("a part of wit/deps has a folder")?)?;
        let text = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        // Not `fs::copy`: files of unpacked crates may be read-only, and the copy would be too.
        return fs::write(to, text).with_context(|| format!("write {}", to.display()));
    }
    let entries = fs::read_dir(from).with_context(|| format!("list {}", from.display()))?;
    let files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    for file in files {
        copy(&file, &to.join(file.file_name().context("an entry of a folder has a name")?))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_changes_with_the_pinned_versions() {
        let lock = |http: &str| {
            [
                ("wasmtime-wasi-http", http),
                ("wasmtime-wasi-keyvalue", "48.0.8"),
                ("wasmtime-wasi-config", "48.0.8"),
            ]
            .map(|(name, version)| {
                format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
            })
            .concat()
        };
        assert_eq!(
            stamp(&lock("48.0.8")).unwrap(),
            "wasmtime-wasi-http 48.0.8\nwasmtime-wasi-http 48.0.8\nwasmtime-wasi-keyvalue 48.0.8\n\
             wasmtime-wasi-config 48.0.8\n"
        );
        assert_ne!(stamp(&lock("48.0.8")).unwrap(), stamp(&lock("48.0.9")).unwrap());
        assert!(stamp("version = 4\n").unwrap_err().to_string().contains("no packages"));
    }

    #[test]
    fn a_copy_takes_the_place_of_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("deps/to"));
        fs::create_dir_all(from.join("inner")).unwrap();
        fs::write(from.join("inner/a.wit"), "package a:b;").unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("stale.wit"), "").unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("inner/a.wit")).unwrap(), "package a:b;");
        assert!(!to.join("stale.wit").exists());
    }
}
