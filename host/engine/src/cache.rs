//! Compiled code on disk, so that a start costs milliseconds instead of seconds.
//!
//! What is loaded from here runs as native code, so nothing is loaded that this host did not put
//! here itself: every artifact has a keyed BLAKE3 over what it was made from, for which engine, and
//! its bytes. An artifact is opened once, checked through that descriptor and mapped through it.
//! The mapping is lazy, so files are never rewritten: they are made under another name, renamed,
//! and removed. The folder belongs to the host's user alone; who can write there as that user is
//! not kept out by any of this.
//!
//! A crash at any moment leaves files that are whole, missing, or do not match; the last two cost
//! one compilation.

mod room;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Seek};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmtime::Engine;
use wasmtime::component::Component;
use wattle_types::Digest;

use crate::artifact::{self, Artifact};
use crate::engine_id::EngineId;
use crate::limits;

/// Where compiled code is kept, how much of it, and what authenticates it.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Made with mode 0700 if it is not there.
    pub dir: PathBuf,
    pub key: CacheKey,
    /// All artifacts together; what was not used for the longest time goes first.
    pub bytes_max: u64,
}

impl CacheConfig {
    /// Of the default size.
    pub fn new(dir: impl Into<PathBuf>, key: CacheKey) -> Self {
        Self { dir: dir.into(), key, bytes_max: limits::CACHE_BYTES_MAX }
    }
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
}

/// What code is found by: the content it was made from, and the engine it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) source: Digest,
    pub(crate) engine: EngineId,
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
        Ok(Self { config })
    }

    /// The code under `key`, mapped into `wasmtime`.
    pub(crate) fn load(&self, wasmtime: &Engine, key: Key) -> Result<Component, Miss> {
        let mut code = open(&self.code(key))?;
        let mut mac = open(&self.mac(key))?;
        let mut expected = [0; blake3::OUT_LEN];
        io::Read::read_exact(&mut mac, &mut expected).map_err(Miss::Unreadable)?;
        let found = self.authenticate(key, &mut code).map_err(Miss::Unreadable)?;
        // `blake3::Hash` compares in constant time.
        if found != blake3::Hash::from_bytes(expected) {
            return Err(Miss::NotOurs);
        }
        let component = map(wasmtime, &code)?;
        // When it was used last, for whoever makes room. If this fails it goes too early.
        let _ = mac.set_modified(SystemTime::now());
        Ok(component)
    }

    /// Keeps `artifact`. Whoever renames last wins; both are right.
    pub(crate) fn store(&self, key: Key, artifact: &Artifact) -> io::Result<()> {
        self.make_room(artifact.size()?)?;
        let mut file = self.begin()?;
        io::copy(&mut artifact.read()?, &mut file)?;
        // Over what was written, not over what was meant.
        file.rewind()?;
        let mac = self.authenticate(key, &mut file)?;
        file.persist(self.code(key))?;
        let mut file = self.begin()?;
        io::Write::write_all(&mut file, mac.as_bytes())?;
        file.persist(self.mac(key))?;
        Ok(())
    }

    /// Removes what is there under `key`, so that a bad artifact is looked at once.
    pub(crate) fn remove(&self, key: Key) {
        for path in [self.code(key), self.mac(key)] {
            // It may have gone already; if it stays, it is refused again next time.
            let _ = fs::remove_file(path);
        }
    }

    /// Over all three, each with its length: two valid files cannot be swapped, nor can the end
    /// of one part be read as the start of the next.
    fn authenticate(&self, key: Key, code: &mut impl io::Read) -> io::Result<blake3::Hash> {
        let engine = key.engine.to_string();
        let mut mac = blake3::Hasher::new_keyed(&self.config.key.0);
        mac.update(key.source.bytes());
        mac.update(&(engine.len() as u64).to_le_bytes());
        mac.update(engine.as_bytes());
        mac.update_reader(code)?;
        Ok(mac.finalize())
    }

    fn code(&self, key: Key) -> PathBuf {
        self.file(key, room::CODE)
    }

    fn mac(&self, key: Key) -> PathBuf {
        self.file(key, room::MAC)
    }

    fn file(&self, Key { source, engine }: Key, ending: &str) -> PathBuf {
        self.config.dir.join(format!("{source}.{}{ending}", engine.slug()))
    }

    fn begin(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix(room::UNFINISHED).tempfile_in(&self.config.dir)
    }

    fn make_room(&self, more: u64) -> io::Result<()> {
        room::make(&self.config.dir, self.config.bytes_max, more, SystemTime::now())
    }
}

fn open(path: &Path) -> Result<File, Miss> {
    artifact::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Miss::Absent,
        _ => Miss::Unreadable(error),
    })
}

#[allow(unsafe_code)]
fn map(engine: &Engine, code: &File) -> Result<Component, Miss> {
    // SAFETY: these bytes are what a compiler of this host gave it: the caller has just checked the
    // keyed hash over them through this very descriptor. They do not change while they are mapped:
    // files here are only made new, renamed and removed, in a folder that nobody else may write to.
    let component = unsafe { artifact::map(engine, code) };
    component.map_err(|error| Miss::Unsuitable(error.into_boxed_dyn_error()))
}
