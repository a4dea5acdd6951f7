//! What runs on this machine: a file, and a lock that is held for exactly as long as it runs.
//!
//! The lock belongs to the process, so a state file left behind by a crash deceives nobody, and
//! the process id in it cannot have been given to another process meanwhile.

use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use wattle_types::LatticeId;

use crate::home::Home;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) pid: u32,
    pub(crate) lattice: LatticeId,
    pub(crate) nats_url: String,
    pub(crate) http_addr: SocketAddr,
}

/// Held by the one `wattle up` of this data folder.
#[derive(Debug)]
pub(crate) struct Running {
    _lock: File,
    file: PathBuf,
}

impl Running {
    pub(crate) fn claim(folder: &Path) -> Result<Self> {
        let lock = open_lock(folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("a lattice runs already from this data folder; `wattle down` ends it")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context("could not lock the data folder");
            }
        }
        let running = Self { _lock: lock, file: state_file(folder) };
        running.forget();
        Ok(running)
    }

    /// Says that everything is there, for `wattle down` and for commands without `--nats-url`.
    pub(crate) fn ready(&self, state: &State) -> Result<()> {
        let json = serde_json::to_vec_pretty(state).context("could not write the state down")?;
        let new = self.file.with_extension("new");
        fs::write(&new, json)
            .and_then(|()| fs::rename(&new, &self.file))
            .with_context(|| format!("could not write {}", self.file.display()))
    }

    pub(crate) fn forget(&self) {
        // Mostly there is none; and one that stays is not believed without the lock.
        let _ = fs::remove_file(&self.file);
    }
}

fn open_lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("could not open {}", path.display()))
}

fn state_file(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

impl State {
    /// What runs from this data folder now; nothing if the lock is free.
    pub(crate) fn of_running(home: &Home) -> Result<Option<Self>> {
        let folder = home.folder("up")?;
        if open_lock(&folder)?.try_lock().is_ok() {
            return Ok(None);
        }
        let Ok(json) = fs::read(state_file(&folder)) else { return Ok(None) };
        Ok(serde_json::from_slice(&json).ok())
    }

    /// Blocks until the process has ended.
    pub(crate) fn wait_for_end(home: &Home) -> Result<()> {
        Ok(open_lock(&home.folder("up")?)?.lock()?)
    }
}
