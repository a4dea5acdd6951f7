//! Commands that this binary was built without.

use anyhow::{Error, anyhow};

/// By the feature that would bring them.
const ELSEWHERE: [(&str, bool, &[&str]); 2] = [
    ("controller", cfg!(feature = "controller"), &["controller"]),
    (
        "operate",
        cfg!(feature = "operate"),
        &[
            "run",
            "up",
            "down",
            "app",
            "get",
            "link",
            "config",
            "call",
            "describe",
            "spy",
            "keys",
            "claims",
            "compile",
            "trust",
            "completions",
        ],
    ),
];

/// `words` are the command line from the command on.
pub(crate) fn what_is_missing(words: &[String]) -> Error {
    let name = words.first().map_or("", String::as_str);
    let missing = ELSEWHERE.iter().find(|(_, is_here, names)| !is_here && names.contains(&name));
    match missing {
        Some((feature, ..)) => anyhow!(
            "this wattle was built without `{name}` (feature `{feature}`); another build of the \
             same version has it, and most commands work from any machine that reaches NATS"
        ),
        None => anyhow!("there is no command `{name}`; see `wattle --help`"),
    }
}
