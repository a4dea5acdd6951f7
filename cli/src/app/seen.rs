//! What this machine's user has seen of applications: `seen.json` of the home.
//!
//! Only a convenience: without it nobody is told that somebody else was first, a controller that is
//! behind may show what was before a change, and nothing else depends on it. So a file that cannot
//! be read is begun anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use wattle_types::{AppName, LatticeId};

use crate::home::Home;

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    /// By lattice and application, how many changes the application had.
    #[serde(default)]
    lattices: BTreeMap<LatticeId, BTreeMap<AppName, u64>>,
    /// By lattice, where in its control stream the last change from here is.
    #[serde(default)]
    sequences: BTreeMap<LatticeId, u64>,
}

#[derive(Debug)]
pub(crate) struct Seen {
    path: PathBuf,
    lattice: LatticeId,
}

impl Seen {
    pub(crate) fn of(home: &Home, lattice: &LatticeId) -> Self {
        Self { path: home.dir().join("seen.json"), lattice: lattice.clone() }
    }

    pub(super) fn change_of(&self, app: &AppName) -> Option<u64> {
        self.read().lattices.get(&self.lattice)?.get(app).copied()
    }

    /// From now on, what is older is somebody else's doing.
    pub(super) fn remember(&self, app: &AppName, change: u64) -> Result<()> {
        self.write(|file| {
            let known = file.lattices.entry(self.lattice.clone()).or_default();
            known.insert(app.clone(), change) != Some(change)
        })
    }

    /// What an answer must know of the lattice's store to have seen all changes from here; zero is
    /// nothing.
    pub(crate) fn sequence(&self) -> u64 {
        self.read().sequences.get(&self.lattice).copied().unwrap_or_default()
    }

    /// Lower than before only where the store was begun anew.
    pub(crate) fn remember_sequence(&self, sequence: u64) -> Result<()> {
        self.write(|file| file.sequences.insert(self.lattice.clone(), sequence) != Some(sequence))
    }

    /// Changes the file, if `change` says that it did. Others may have written meanwhile.
    fn write(&self, change: impl FnOnce(&mut File) -> bool) -> Result<()> {
        let mut file = self.read();
        if !change(&mut file) {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&file)?;
        // Never half of it: written beside it, and then put in its place.
        let beside = self.path.with_extension(format!("json.{}", std::process::id()));
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &self.path))
            .with_context(|| format!("could not write {}", self.path.display()))
    }

    fn read(&self) -> File {
        let text = fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_remembered_by_lattice_and_application() {
        let folder = std::env::temp_dir().join(format!("wattle-seen-{}", std::process::id()));
        let home = Home::open(folder.clone()).unwrap();
        let seen = |lattice: &str| Seen::of(&home, &lattice.parse().unwrap());
        let app: AppName = "shop".parse().unwrap();
        assert_eq!(seen("a").change_of(&app), None);
        seen("a").remember(&app, 7).unwrap();
        assert_eq!(seen("a").change_of(&app), Some(7));
        assert_eq!(seen("b").change_of(&app), None);
        seen("a").remember_sequence(40).unwrap();
        assert_eq!((seen("a").sequence(), seen("b").sequence()), (40, 0));
        assert_eq!(seen("a").change_of(&app), Some(7), "the one does not cost the other");
        fs::write(home.dir().join("seen.json"), "half of").unwrap();
        assert_eq!((seen("a").change_of(&app), seen("a").sequence()), (None, 0));
        fs::remove_dir_all(folder).unwrap();
    }
}
