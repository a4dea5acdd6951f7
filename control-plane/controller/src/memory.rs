//! What a controller keeps on its own disk: the highest epoch it ever took.
//!
//! One file per lattice, replaced as a whole. Should it be lost, beats and assignments still
//! tell; should all be lost, there is nothing left to be fenced.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use wattle_types::{Epoch, LatticeId};

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("could not make the folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} does not hold a number; delete it to begin anew", path.display())]
    Malformed { path: PathBuf },
}

impl Memory {
    /// Opens the memory of one lattice and reads it.
    pub(crate) fn open(dir: &Path, lattice: &LatticeId) -> Result<(Self, Epoch), MemoryError> {
        std::fs::create_dir_all(dir)
            .map_err(|source| MemoryError::Folder { path: dir.to_owned(), source })?;
        let path = dir.join(format!("{lattice}.epoch"));
        let epoch = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Epoch),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Epoch::ZERO),
            Err(source) => return Err(MemoryError::Read { path, source }),
        };
        let epoch = epoch.map_err(|_| MemoryError::Malformed { path: path.clone() })?;
        Ok((Self { path }, epoch))
    }

    /// Keeps `epoch`, also over a power cut.
    pub(crate) fn keep(&self, epoch: Epoch) -> io::Result<()> {
        let new = self.path.with_extension("epoch.new");
        let mut file = std::fs::File::create(&new)?;
        writeln!(file, "{epoch}")?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        match self.path.parent() {
            Some(dir) => std::fs::File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_outlives_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let lattice: LatticeId = "test".parse().unwrap();
        let (memory, epoch) = Memory::open(&dir.path().join("new"), &lattice).unwrap();
        assert_eq!(epoch, Epoch::ZERO);
        memory.keep(Epoch(7)).unwrap();
        memory.keep(Epoch(8)).unwrap();
        let (_, epoch) = Memory::open(&dir.path().join("new"), &lattice).unwrap();
        assert_eq!(epoch, Epoch(8));
    }

    #[test]
    fn a_file_that_holds_no_number_is_not_overlooked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("test.epoch"), "seven").unwrap();
        let opened = Memory::open(dir.path(), &"test".parse().unwrap());
        assert!(matches!(opened, Err(MemoryError::Malformed { .. })));
    }
}
