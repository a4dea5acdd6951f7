//! Habits that a search finds: no trace of the machine a line was written on, no test that is never run, no
//! file whose name says nothing, lints in every crate.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// In pieces, so that this file does not contain what it forbids.
const NOWHERE: &[(&str, &str)] = &[
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("crates", ".io"), "the host of a package registry"),
    (concat!("static.rust", "-lang.org"), "the host of a package registry"),
    (concat!("pypi", ".org"), "the host of a package registry"),
    (concat!("pythonhosted", ".org"), "the host of a package registry"),
    (concat!("registry.npmjs", ".org"), "the host of a package registry"),
    (concat!("deb.debian", ".org"), "the host of a package registry"),
    (concat!("proxy.golang", ".org"), "the host of a package registry"),
];

const NOT_IN_RUST: &[(&str, &str)] = &[
    (concat!("#[ig", "nore"), "a test that is never run"),
    (concat!("todo", "!("), "an unfinished end"),
    (concat!("unimplemented", "!("), "an unfinished end"),
];

/// Written by cargo, which names where crates come from.
const NOT_OURS: [&str; 1] = ["Cargo.lock"];

/// Names of modules that could hold anything.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "misc"];

/// `files` are those of the repository, relative to `root`.
pub(super) fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files {
        findings.extend(name_findings(path));
        // What is no text has no words; what is gone was deleted and not yet committed.
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            findings.extend(text_findings(path, &text));
        }
    }
    findings.extend(lint_findings(root)?);
    Ok(findings)
}

fn name_findings(path: &Path) -> Option<String> {
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    let stem = path.file_stem()?.to_str()?;
    let shown = path.display();
    if rust && stem == "mod" {
        return Some(format!("{shown}: write `name.rs` and `name/inner.rs`, not `mod.rs`"));
    }
    (rust && EMPTY_NAMES.contains(&stem))
        .then(|| format!("{shown}: the name says nothing about what is inside"))
}

fn text_findings(path: &Path, text: &str) -> Vec<String> {
    if path.file_name().is_some_and(|name| NOT_OURS.iter().any(|known| name == *known)) {
        return Vec::new();
    }
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    let words = NOWHERE.iter().chain(NOT_IN_RUST.iter().filter(|_| rust));
    words
        .flat_map(|(word, what)| {
            let lines = text.lines().enumerate().filter(move |(_, line)| line.contains(word));
            lines.map(move |(number, _)| {
                format!("{}:{}: {what}: `{word}`", path.display(), number + 1)
            })
        })
        .collect()
}

/// Every member of the workspace takes the workspace's lints.
fn lint_findings(root: &Path) -> Result<Vec<String>> {
    let workspace = manifest(&root.join("Cargo.toml"))?;
    let members =
        workspace.get("workspace").and_then(|workspace| workspace.get("members")?.as_array());
    let members = members.context("Cargo.toml lists the members of the workspace")?;
    let mut findings = Vec::new();
    for member in members.iter().filter_map(toml::Value::as_str) {
        let path = Path::new(member).join("Cargo.toml");
        let lints = manifest(&root.join(&path))?
            .get("lints")
            .and_then(|lints| lints.get("workspace")?.as_bool());
        if lints != Some(true) {
            findings.push(format!(
                "{}: the workspace's lints are missing: `lints.workspace = true`",
                path.display()
            ));
        }
    }
    Ok(findings)
}

fn manifest(path: &Path) -> Result<toml::Table> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    text.parse().with_context(|| format!("understand {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_a_machine_and_unfinished_ends_are_found_with_their_line() {
        for (path, text, findings) in [
            ("a.md", format!("one\ntwo {}x\n", NOWHERE[0].0), 1),
            ("a.rs", format!("{}\n{} = \"slow\"]\n", NOT_IN_RUST[1].0, NOT_IN_RUST[0].0), 2),
            ("a.md", format!("a test with `{}]` is found in Rust only\n", NOT_IN_RUST[0].0), 0),
            ("Cargo.lock", format!("https://{}\n", NOWHERE[4].0), 0),
            ("a.rs", "fn main() {}\n".to_owned(), 0),
        ] {
            assert_eq!(text_findings(Path::new(path), &text).len(), findings, "{path}: {text}");
        }
        assert!(
            text_findings(Path::new("a.md"), &format!("\n\n{}", NOWHERE[0].0))[0]
                .starts_with("a.md:3: ")
        );
    }

    #[test]
    fn a_name_must_say_something() {
        for (path, fine) in [
            ("core/src/mod.rs", false),
            ("host/src/utils.rs", false),
            ("host/src/route.rs", true),
            ("utils.md", true),
        ] {
            assert_eq!(name_findings(Path::new(path)).is_none(), fine, "{path}");
        }
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n");
        write("a/Cargo.toml", "[lints]\nworkspace = true\n");
        write("b/Cargo.toml", "[package]\nname = \"b\"\n");
        let findings = lint_findings(root.path()).unwrap();
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("b/Cargo.toml"), "{findings:?}");
    }
}
