//! A unified diff whose hunks are found by what they say and not by the line they name, so that changes
//! elsewhere in a file do not make it useless.

use std::{fs, path::Path, str::FromStr};

use anyhow::{Context, Error, Result, bail, ensure};

/// A defect, and why it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// The comment of its first line.
    pub(crate) reason: String,
    hunks: Vec<Hunk>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    /// Relative to the root of the repository.
    file: String,
    old: String,
    new: String,
}

impl FromStr for Patch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let reason = lines.next().and_then(|line| line.strip_prefix("# "));
        let reason = reason.context("the first line is `# ` and what the defect is")?.to_owned();
        let (mut file, mut hunks) = (None::<String>, Vec::<Hunk>::new());
        for line in lines.filter(|line| !line.starts_with("--- ")) {
            if let Some(path) = line.strip_prefix("+++ b/") {
                file = Some(path.to_owned());
            } else if line.starts_with("@@ ") {
                let file = file.clone().context("a hunk stands below the name of its file")?;
                hunks.push(Hunk { file, old: String::new(), new: String::new() });
            } else {
                let hunk = hunks.last_mut().context("a line stands in a hunk")?;
                // An empty line of context may have lost its space.
                let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
                if matches!(sign, " " | "-") {
                    hunk.old.push_str(rest);
                    hunk.old.push('\n');
                }
                if matches!(sign, " " | "+") {
                    hunk.new.push_str(rest);
                    hunk.new.push('\n');
                }
                ensure!(matches!(sign, " " | "-" | "+"), "{line:?} is no line of a hunk");
            }
        }
        ensure!(!hunks.is_empty(), "it changes nothing");
        Ok(Self { reason, hunks })
    }
}

impl Patch {
    /// Whether it can be put into this tree.
    pub(crate) fn fits(&self, root: &Path) -> Result<()> {
        self.apply(root, |_, _| Ok(()))
    }

    /// Hands every file it changes, as it is with the patch, to `write`.
    pub(crate) fn apply(
        &self,
        root: &Path,
        mut write: impl FnMut(&str, &str) -> Result<()>,
    ) -> Result<()> {
        let mut changed = std::collections::BTreeMap::<&str, String>::new();
        for hunk in &self.hunks {
            let text = match changed.remove(hunk.file.as_str()) {
                Some(text) => text,
                None => fs::read_to_string(root.join(&hunk.file))
                    .with_context(|| format!("read {}", hunk.file))?,
            };
            changed.insert(&hunk.file, hunk.apply(&text)?);
        }
        changed.iter().try_for_each(|(file, text)| write(file, text))
    }
}

impl Hunk {
    /// Whole lines, which must be there exactly once.
    fn apply(&self, text: &str) -> Result<String> {
        let begins = |at: &usize| *at == 0 || text.as_bytes()[*at - 1] == b'\n';
        let places: Vec<usize> =
            text.match_indices(&self.old).map(|(at, _)| at).filter(begins).collect();
        match places[..] {
            [at] => {
                let (before, after) = (&text[..at], &text[at + self.old.len()..]);
                Ok(format!("{before}{}{after}", self.new))
            }
            [] => bail!("{} has no such lines any more:\n{}", self.file, self.old),
            _ => bail!("{} has these lines {} times:\n{}", self.file, places.len(), self.old),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "# Two is one.
--- a/number.rs
+++ b/number.rs
@@ -1,3 +1,3 @@
 fn two() -> u8 {
-    2
+    1
 }
";

    fn hunk() -> Hunk {
        PATCH.parse::<Patch>().unwrap().hunks.remove(0)
    }

    #[test]
    fn a_patch_has_a_reason_and_changes_lines() {
        let patch: Patch = PATCH.parse().unwrap();
        assert_eq!(patch.reason, "Two is one.");
        assert_eq!(
            hunk(),
            Hunk {
                file: "number.rs".to_owned(),
                old: "fn two() -> u8 {\n    2\n}\n".to_owned(),
                new: "fn two() -> u8 {\n    1\n}\n".to_owned(),
            }
        );
        for wrong in ["", "--- a/x\n", "# nothing\n", "# x\n+++ b/x\n@@ -1 +1 @@\n!\n", "# x\n 1\n"]
        {
            assert!(wrong.parse::<Patch>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lines_are_found_wherever_they_are_but_only_once() {
        let apply = |text: &str| hunk().apply(text).map_err(|error| error.to_string());
        let moved = apply("// more\n\nfn two() -> u8 {\n    2\n}\nfn other() {}\n").unwrap();
        assert_eq!(moved, "// more\n\nfn two() -> u8 {\n    1\n}\nfn other() {}\n");
        assert!(apply("fn two() -> u8 {\n    3\n}\n").unwrap_err().contains("no such lines"));
        let twice = "fn two() -> u8 {\n    2\n}\n".repeat(2);
        assert!(apply(&twice).unwrap_err().contains("2 times"));
        assert!(apply("pub fn two() -> u8 {\n    2\n}\n").is_err(), "only whole lines count");
    }

    #[test]
    fn a_patch_of_two_places_of_one_file_changes_both() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.rs"), "1\n2\n3\n").unwrap();
        let patch = "# two\n+++ b/a.rs\n@@ -1 +1 @@\n-1\n+one\n@@ -3 +3 @@\n-3\n+three\n";
        let mut written = Vec::new();
        let write = |file: &str, text: &str| {
            written.push((file.to_owned(), text.to_owned()));
            Ok(())
        };
        patch.parse::<Patch>().unwrap().apply(root.path(), write).unwrap();
        assert_eq!(written, [("a.rs".to_owned(), "one\n2\nthree\n".to_owned())]);
    }
}
