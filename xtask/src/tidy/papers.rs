//! Documents that must keep up with the code: a row for every error code, a line for every decision.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

const ERRORS: &str = "docs/errors";
const DECISIONS: &str = "docs/adr";

/// How every code begins, as it stands in the source.
const CODE: &str = "\"WT-";

/// `files` are those of the repository, relative to `root`.
pub(super) fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut sources = BTreeMap::new();
    for file in files.iter().filter(|file| is_source(file)) {
        // What is gone was deleted and not yet committed.
        if let Ok(text) = fs::read_to_string(root.join(file)) {
            sources.insert(file.display().to_string(), text);
        }
    }
    let codes = sources
        .iter()
        .flat_map(|(file, text)| codes(text).into_iter().map(move |code| (code, file)));
    let codes: BTreeMap<&str, &String> = codes.collect();
    let mut findings = without_row(&codes, &pages(&root.join(ERRORS))?);
    findings.extend(without_line(&root.join(DECISIONS))?);
    Ok(findings)
}

fn is_source(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs") && !is_test(file)
}

/// Tests may make errors up.
fn is_test(file: &Path) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    matches!(stem, Some("tests" | "testing")) || file.iter().any(|part| part == "tests")
}

/// The codes in a source: quoted, and not only the beginning of some.
fn codes(text: &str) -> BTreeSet<&str> {
    let quoted = text.match_indices(CODE).filter_map(|(at, _)| text[at + 1..].split('"').next());
    let is_code = |code: &&str| {
        let fine = code
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
        fine && !code.ends_with('-')
    };
    quoted.filter(is_code).collect()
}

fn without_row(codes: &BTreeMap<&str, &String>, pages: &str) -> Vec<String> {
    let documented = |code: &str| pages.contains(&format!("`{code}`"));
    let missing = codes.iter().filter(|(code, _)| !documented(code));
    missing.map(|(code, file)| format!("{file}: {code} has no row in {ERRORS}")).collect()
}

fn without_line(folder: &Path) -> Result<Vec<String>> {
    let index =
        fs::read_to_string(folder.join("README.md")).context("read the list of decisions")?;
    let mut findings = Vec::new();
    for file in names(folder)? {
        if file != "README.md" && !index.contains(&format!("({file})")) {
            findings
                .push(format!("{DECISIONS}/{file} is not in the list of {DECISIONS}/README.md"));
        }
    }
    Ok(findings)
}

fn pages(folder: &Path) -> Result<String> {
    names(folder)?.iter().map(|name| Ok(fs::read_to_string(folder.join(name))?)).collect()
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces, so that these are no codes of ours.
    fn source(code: &str) -> String {
        format!("Self::Empty => {CODE}{code}\",\n")
    }

    #[test]
    fn codes_are_found_where_they_are_quoted_whole() {
        for (text, expected) in [
            (source("TRUST-EMPTY"), Some("WT-TRUST-EMPTY")),
            (source("TRUST-"), None),
            (source("TRUST-…"), None),
            ("// WT-TRUST-EMPTY".to_owned(), None),
        ] {
            assert_eq!(codes(&text).first().copied(), expected, "{text}");
        }
    }

    #[test]
    fn a_code_without_a_row_is_named_with_its_file() {
        let file = "core/trust/src/refusal.rs".to_owned();
        let (long, short) = (source("A-B"), source("A"));
        let all = [&long, &short].map(|text| codes(text).first().copied().unwrap());
        let codes = BTreeMap::from(all.map(|code| (code, &file)));
        let findings = without_row(&codes, "| `WT-A-B` | no good |");
        assert_eq!(findings, ["core/trust/src/refusal.rs: WT-A has no row in docs/errors"]);
        assert!(is_test(Path::new("host/daemon/tests/host/words.rs")));
        assert!(!is_test(Path::new(&file)));
    }

    #[test]
    fn a_decision_that_is_not_listed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("README.md", "- [0001: one](0001-one.md)\n");
        write("0001-one.md", "");
        assert!(without_line(folder.path()).unwrap().is_empty());
        write("0002-two.md", "");
        assert_eq!(without_line(folder.path()).unwrap().len(), 1);
    }
}
