//! Builds the components of `examples` and `tests/guests` into one folder, `<target>/guests/<crate>.wasm`.
//!
//! They are no members of the workspace: each is built for another target, some by another toolchain. A
//! project is built again when its sources, our WIT, that of the guests, or the compiler changed.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    place::Places,
    run,
    say::Story,
    setup::{Toolchain, Tools},
};

const TARGET: &str = "wasm32-wasip2";

/// Builds what changed; returns the folder of finished components.
pub(crate) fn build(places: &Places, tools: &Tools, story: &Story) -> Result<PathBuf> {
    let finished = places.guests();
    fs::create_dir_all(&finished).with_context(|| format!("make {}", finished.display()))?;
    let compiler = run::output(tools.wasm.program("rustc").arg("-vV"))?;
    let mut current = 0;
    for project in projects(&places.root)? {
        let stamp = stamp_path(places, &project);
        let [wit, theirs] = ["wit", "tests/guests/wit"].map(|folder| places.root.join(folder));
        let fingerprint = || fingerprint(&compiler, &[&project, &wit, &theirs]);
        if is_current(&stamp, fingerprint()?, &finished) {
            current += 1;
            continue;
        }
        let shown = project.strip_prefix(&places.root).unwrap_or(&project);
        story.step(format_args!("building {}", shown.display()));
        let components = compile(places, tools.wasm, &project)?;
        ensure!(
            !components.is_empty(),
            "{} builds no component; is its crate type `cdylib`?",
            shown.display()
        );
        for (name, built) in &components {
            let to = finished.join(format!("{name}.wasm"));
            fs::copy(built, &to)
                .with_context(|| format!("copy {} to {}", built.display(), to.display()))?;
            story.detail(format_args!("{} ({} kB)", to.display(), fs::metadata(&to)?.len() / 1000));
        }
        let names: Vec<&str> = components.keys().map(String::as_str).collect();
        // Taken again: the build may have written the lock file.
        fs::write(&stamp, format!("{:016x} {}", fingerprint()?, names.join(" ")))?;
    }
    if 0 < current {
        story.step(format_args!("components up to date: {current}, in {}", finished.display()));
    }
    Ok(finished)
}

/// Every Cargo project below the two folders; a workspace counts as one.
fn projects(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for group in ["examples", "tests/guests"] {
        let group = root.join(group);
        if group.join("Cargo.toml").is_file() {
            found.push(group);
            continue;
        }
        if group.is_dir() {
            let inside = entries(&group)?;
            found.extend(inside.into_iter().filter(|path| path.join("Cargo.toml").is_file()));
        }
    }
    Ok(found)
}

/// Lets cargo build, and asks it what came out.
fn compile(
    places: &Places,
    toolchain: Toolchain,
    project: &Path,
) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = toolchain.program("cargo");
    cargo
        .current_dir(project)
        .args([
            "build",
            "--release",
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
        ])
        .env("CARGO_TARGET_DIR", places.target.join("guests-build"))
        // Meant for the host's programs, if anybody set it.
        .env_remove("RUSTFLAGS")
        .stderr(std::process::Stdio::inherit());
    if fs::read_to_string(project.join("Cargo.toml"))?.contains("[workspace]\nmembers") {
        cargo.arg("--workspace");
    }
    let output = cargo.output().with_context(|| format!("start cargo in {}", project.display()))?;
    ensure!(output.status.success(), "cargo could not build {}", project.display());
    components(&String::from_utf8_lossy(&output.stdout))
}

/// The components that cargo's messages speak of, by the name of their crate.
fn components(messages: &str) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("read a message of cargo")?;
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let Some(component) = files.into_iter().find(|file| file.ends_with(".wasm")) else {
            continue;
        };
        let manifest = message["manifest_path"].as_str().context("an artifact has a manifest")?;
        let manifest: toml::Table =
            fs::read_to_string(manifest)?.parse().with_context(|| format!("read {manifest}"))?;
        let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
        found.insert(name.context("a manifest names its package")?.to_owned(), component.into());
    }
    Ok(found)
}

fn stamp_path(places: &Places, project: &Path) -> PathBuf {
    let relative = project.strip_prefix(&places.root).unwrap_or(project);
    places.guests().join(format!(".{}.stamp", relative.to_string_lossy().replace('/', "-")))
}

fn is_current(stamp: &Path, fingerprint: u64, finished: &Path) -> bool {
    let Ok(stamp) = fs::read_to_string(stamp) else { return false };
    let mut words = stamp.split_whitespace();
    words.next() == Some(format!("{fingerprint:016x}").as_str())
        && words.all(|name| finished.join(format!("{name}.wasm")).is_file())
}

/// Changes when the compiler, a file or a name does.
fn fingerprint(compiler: &str, folders: &[&Path]) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    compiler.hash(&mut hasher);
    for folder in folders {
        if folder.is_dir() {
            add(folder, &mut hasher)?;
        }
    }
    Ok(hasher.finish())
}

fn add(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    for path in entries(folder)? {
        let name = path.file_name().context("an entry of a folder has a name")?;
        if path.is_dir() {
            if name != "target" {
                add(&path, hasher)?;
            }
        } else if path.extension().is_none_or(|extension| extension != "wasm") {
            path.hash(hasher);
            fs::read(&path).with_context(|| format!("read {}", path.display()))?.hash(hasher);
        }
    }
    Ok(())
}

/// In the order of their names, so that the same tree gives the same fingerprint.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_built_again_only_when_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (project, finished) = (folder.path().join("project"), folder.path().join("finished"));
        fs::create_dir_all(project.join("target")).unwrap();
        fs::create_dir_all(&finished).unwrap();
        fs::write(project.join("lib.rs"), "1").unwrap();
        let now = |compiler: &str| fingerprint(compiler, &[&project]).unwrap();
        let first = now("rustc 1.95");
        let stamp = folder.path().join("stamp");
        assert!(!is_current(&stamp, first, &finished), "nothing was built yet");
        fs::write(&stamp, format!("{first:016x} counter")).unwrap();
        assert!(!is_current(&stamp, first, &finished), "the component is gone");
        fs::write(finished.join("counter.wasm"), "").unwrap();
        assert!(is_current(&stamp, now("rustc 1.95"), &finished));
        fs::write(project.join("target/noise"), "").unwrap();
        assert!(is_current(&stamp, now("rustc 1.95"), &finished), "the target folder is no source");
        assert!(!is_current(&stamp, now("rustc 1.96"), &finished), "another compiler");
        fs::write(project.join("lib.rs"), "2").unwrap();
        assert!(!is_current(&stamp, now("rustc 1.95"), &finished), "another source");
    }

    #[test]
    fn components_are_named_after_their_crate() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        fs::write(&manifest, "[package]\nname = \"http-counter\"\n").unwrap();
        let messages = format!(
            "{}\n{}\n",
            serde_json::json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": ["/t/libserde.rlib"]}),
            serde_json::json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": ["/t/http_counter.wasm"]}),
        );
        let found = components(&messages).unwrap();
        assert_eq!(
            found,
            BTreeMap::from([("http-counter".to_owned(), "/t/http_counter.wasm".into())])
        );
    }

    #[test]
    fn a_workspace_of_guests_is_one_project() {
        let root = tempfile::tempdir().unwrap();
        for project in ["examples/b", "examples/a", "tests/guests/one"] {
            fs::create_dir_all(root.path().join(project)).unwrap();
            fs::write(root.path().join(project).join("Cargo.toml"), "").unwrap();
        }
        let names = |root: &Path| -> Vec<String> {
            let relative =
                |path: PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            projects(root).unwrap().into_iter().map(relative).collect()
        };
        assert_eq!(names(root.path()), ["examples/a", "examples/b", "tests/guests/one"]);
        fs::write(root.path().join("tests/guests/Cargo.toml"), "[workspace]\n").unwrap();
        assert_eq!(names(root.path()), ["examples/a", "examples/b", "tests/guests"]);
    }
}
