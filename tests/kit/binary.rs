//! The binary `wattle`: where it is, and what it says.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde_json::Value;
use tokio::process::Command;

/// No subcommand that ends by itself takes longer.
const DEADLINE: Duration = Duration::from_secs(60);

/// The one named by `WATTLE_BIN`, else one that cargo builds now.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match env::var_os("WATTLE_BIN") {
        Some(named) => named.into(),
        None => build(&["--package", "wattle", "--bin", "wattle"]),
    })
}

/// Lets cargo build one program, and asks it where that is.
fn build(choice: &[&str]) -> PathBuf {
    let output = std::process::Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--message-format", "json-render-diagnostics"])
        .args(choice)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("start cargo");
    assert!(output.status.success(), "cargo could not build {choice:?}");
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(message["executable"].as_str()?.into())
    });
    executable.expect("cargo says where the program is")
}

/// What a subcommand said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Runs the binary to its end, with `home` for whatever it keeps.
    pub async fn by<A: AsRef<OsStr>>(home: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(binary());
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        for (name, value) in surroundings(home) {
            command.env(name, value);
        }
        let output = tokio::time::timeout(DEADLINE, command.output()).await;
        output
            .unwrap_or_else(|_| panic!("no end of {command:?} within {DEADLINE:?}"))
            .expect("start wattle")
            .into()
    }

    /// What it said on standard output, if it succeeded.
    ///
    /// # Panics
    ///
    /// If it did not.
    pub fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "it failed: {}{}", self.out, self.err);
        self.out
    }

    /// What it complained about, if it failed by saying so.
    ///
    /// # Panics
    ///
    /// If it succeeded, was killed, or panicked.
    pub fn complaint(self) -> String {
        assert!(
            matches!(self.code, Some(1 | 2)),
            "not refused, but {:?}: {}{}",
            self.code,
            self.out,
            self.err
        );
        assert!(!self.err.contains("panicked"), "a panic is no answer: {}", self.err);
        self.err
    }

    pub fn json(self) -> Value {
        let out = self.fine();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("no JSON ({error}): {out}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Nothing of the person who runs the tests is read or changed.
fn surroundings(home: &Path) -> [(&'static str, PathBuf); 2] {
    [("HOME", home.to_owned()), ("WATTLE_DATA_DIR", home.join("wattle"))]
}
