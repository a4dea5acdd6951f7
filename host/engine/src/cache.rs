//! Compiled code on disk, so that a start costs milliseconds instead of seconds.
//!
//! What is loaded from here runs as native code, so nothing is loaded that this host did not put
//! here itself: every artifact has a keyed BLAKE3 over what it was made from, by which engine, and
//! its bytes. An artifact is opened once, checked through that descriptor and mapped through it.
//! The mapping is lazy, so files are never rewritten: they are made under another name, renamed,
//! and removed. The folder belongs to the host's user alone; who can write there as that user is
//! not kept out by any of this.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};
use wasmtime::Engine;
use wasmtime::component::Component;
use wattle_types::Digest;

use crate::{limits, profile};

/// Where compiled code is kept, and what authenticates it.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Made with mode 0700 if it is not there.
    pub dir: PathBuf,
    pub key: CacheKey,
}

/// The secret of one host by which it knows its own artifacts.
#[derive(Clone)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// From a secret that stays with the host, such as its seed.
    pub fn derive(secret: &[u8]) -> Self {
        Self(blake3::derive_key("wattle 2026 compile cache v1", secret))
    }
}

impl std::fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CacheKey")
    }
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("could not make the compile cache {dir}")]
    Create { dir: PathBuf, source: io::Error },
    #[error("the compile cache {dir} can be written by others (mode {mode:o}); make it 0700")]
    Open { dir: PathBuf, mode: u32 },
}

/// Why an artifact is not used. None of these stops a start: the component is compiled again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Miss {
    #[error("it is not there")]
    Absent,
    #[error("it could not be read")]
    Unreadable(#[source] io::Error),
    #[error("it is not what this host put there")]
    NotOurs,
    #[error("wasmtime does not accept it")]
    Unsuitable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Debug)]
pub(crate) struct Cache {
    config: CacheConfig,
    bytes_max: u64,
}

impl Cache {
    pub(crate) fn open(config: CacheConfig) -> Result<Self, CacheError> {
        let dir = &config.dir;
        let unusable = |source| CacheError::Create { dir: dir.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
        let mode = fs::metadata(dir).map_err(unusable)?.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(CacheError::Open { dir: dir.clone(), mode });
        }
        Ok(Self { config, bytes_max: limits::CACHE_BYTES_MAX })
    }

    /// The compiled form of the component with this digest.
    pub(crate) fn load(&self, engine: &Engine, source: Digest) -> Result<Component, Miss> {
        let mut artifact = open(&self.artifact(source))?;
        let mut mac = open(&self.mac(source))?;
        let mut expected = [0; blake3::OUT_LEN];
        io::Read::read_exact(&mut mac, &mut expected).map_err(Miss::Unreadable)?;
        let found = self.authenticate(source, &mut artifact).map_err(Miss::Unreadable)?;
        // `blake3::Hash` compares in constant time.
        if found != blake3::Hash::from_bytes(expected) {
            return Err(Miss::NotOurs);
        }
        map(engine, &artifact).map_err(|error| Miss::Unsuitable(error.into_boxed_dyn_error()))
    }

    /// Keeps `component`. Whoever renames last wins; both are right.
    pub(crate) fn store(&self, source: Digest, component: &Component) -> io::Result<()> {
        let artifact = component.serialize().map_err(io::Error::other)?;
        let mac = self.authenticate(source, &mut artifact.as_slice())?;
        self.make_room(artifact.len() as u64)?;
        self.write(&self.artifact(source), &artifact)?;
        self.write(&self.mac(source), mac.as_bytes())
    }

    /// Removes what is there for `source`, so that a bad artifact is looked at once.
    pub(crate) fn remove(&self, source: Digest) {
        for path in [self.artifact(source), self.mac(source)] {
            // It may have gone already; if it stays, it is refused again next time.
            let _ = fs::remove_file(path);
        }
    }

    /// Over all three, each with its length: two valid files cannot be swapped, nor can the end
    /// of one part be read as the start of the next.
    fn authenticate(
        &self,
        source: Digest,
        artifact: &mut impl io::Read,
    ) -> io::Result<blake3::Hash> {
        let engine = profile::engine_id();
        let mut mac = blake3::Hasher::new_keyed(&self.config.key.0);
        mac.update(source.bytes());
        mac.update(&(engine.len() as u64).to_le_bytes());
        mac.update(engine.as_bytes());
        mac.update_reader(artifact)?;
        Ok(mac.finalize())
    }

    fn artifact(&self, source: Digest) -> PathBuf {
        self.config.dir.join(format!("{source}.cwasm"))
    }

    fn mac(&self, source: Digest) -> PathBuf {
        self.config.dir.join(format!("{source}.mac"))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.config.dir)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }

    /// Removes the artifacts that were made longest ago until `more` bytes fit.
    fn make_room(&self, more: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.config.dir)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, about.size(), entry.path()));
        }
        files.sort();
        let mut total = more + files.iter().map(|(_, size, _)| size).sum::<u64>();
        for (_, size, path) in files {
            if total <= self.bytes_max {
                break;
            }
            // Whoever has it mapped keeps it: the name goes, the file stays while it is used.
            fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }
}

/// Opens a file of ours, and nothing that a link points to.
fn open(path: &Path) -> Result<File, Miss> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(descriptor.into()),
        Err(rustix::io::Errno::NOENT) => Err(Miss::Absent),
        Err(error) => Err(Miss::Unreadable(error.into())),
    }
}

/// Maps the file that was checked: by its descriptor, since its name may mean another file by now.
#[allow(unsafe_code)]
fn map(engine: &Engine, artifact: &File) -> wasmtime::Result<Component> {
    let path = format!("/proc/self/fd/{}", artifact.as_raw_fd());
    // SAFETY: these bytes are what `Component::serialize` gave this host: the caller has just
    // checked the keyed hash over them through this very descriptor. They do not change while they
    // are mapped: files here are only made new, renamed and removed, in a folder that nobody else
    // may write to.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn room_is_made_by_what_was_made_longest_ago_and_by_no_more_than_needed() {
        let dir = tempfile::tempdir().unwrap();
        let key = CacheKey::derive(b"key");
        let config = CacheConfig { dir: dir.path().join("cache"), key };
        let cache = Cache { bytes_max: 100, ..Cache::open(config).unwrap() };
        for (age, name) in [(1, "young"), (3, "oldest"), (2, "old")] {
            let path = cache.config.dir.join(name);
            fs::write(&path, [0; 40]).unwrap();
            let made = SystemTime::now() - Duration::from_secs(age);
            File::options().append(true).open(path).unwrap().set_modified(made).unwrap();
        }
        let left = || {
            let entries = fs::read_dir(&cache.config.dir).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        };
        cache.make_room(20).unwrap();
        assert_eq!(left(), ["old", "young"]);
        cache.make_room(20).unwrap();
        assert_eq!(left(), ["old", "young"]);
        cache.make_room(100).unwrap();
        assert!(left().is_empty());
    }
}
