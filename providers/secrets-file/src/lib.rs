//! `wasmcloud:secrets` in files, as orchestrators mount them: `<folder>/<key>`, or
//! `<folder>/<key>/<field>`.
//!
//! *Expected flow*: the host opens its folder of secrets once, and binds each actor to those that its
//! spec names; a file is read each time its secret is asked for, so that a changed one is seen.
//! *Guarantees*: nothing outside the folder is read, whatever a spec or a link in the folder says; a
//! value is wiped when it is dropped, and only names are logged. *Assumptions*: only the operator
//! writes to the folder. *Caveats*: every actor of the host whose spec names a key gets it, and whoever
//! may deploy can name it; a file's line end is part of its secret. *Errors*: what a guest is told
//! names no path; those are in the host's log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use wattle_capability::secrets::SECRET_BYTES_MAX;
use wattle_capability::{CallContext, Secret, SecretError, Secrets};
use wattle_types::spec::SecretRef;
use zeroize::Zeroizing;

/// A file name is no longer than this anywhere.
const NAME_BYTES_MAX: usize = 253;

/// A host's folder of secrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SecretFiles {
    /// Without links in it.
    dir: Arc<PathBuf>,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} is not a folder of secrets")]
pub struct OpenError {
    pub path: String,
    pub source: io::Error,
}

/// Why a secret that a spec names can be in no file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    #[error(
        "secret {name:?} has {what} {text:?}, which is no file name; use letters, digits, `-`, `_` \
         and `.`, and no `.` at the beginning"
    )]
    Name { name: String, what: &'static str, text: String },
    #[error("secret {name:?} wants version {version:?}, and files have no versions; leave it out")]
    Version { name: String, version: String },
    #[error("two secrets are called {name:?}")]
    Twice { name: String },
}

impl SecretFiles {
    /// # Errors
    ///
    /// Where there is no such folder, or it cannot be looked into.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError { path: dir.display().to_string(), source };
        let found = dir.canonicalize().map_err(failed)?;
        fs::read_dir(&found).map_err(failed)?;
        Ok(Self { dir: Arc::new(found) })
    }

    /// The secrets of one actor: those that its spec names. Whether their files are there is seen
    /// when they are asked for, or by [`ActorSecrets::missing`].
    ///
    /// # Errors
    ///
    /// See [`PlaceError`]; each is for the author of the manifest.
    pub fn for_actor(&self, secrets: &[SecretRef]) -> Result<ActorSecrets, PlaceError> {
        let mut places = BTreeMap::new();
        for secret in secrets {
            if places.insert(secret.name.clone(), place(secret)?).is_some() {
                return Err(PlaceError::Twice { name: secret.name.clone() });
            }
        }
        Ok(ActorSecrets { dir: self.dir.clone(), places: Arc::new(places) })
    }
}

/// Where a secret is, below the folder.
fn place(secret: &SecretRef) -> Result<PathBuf, PlaceError> {
    let name = &secret.name;
    if let Some(version) = &secret.version {
        return Err(PlaceError::Version { name: name.clone(), version: version.clone() });
    }
    let key = ("the key", Some(&secret.key));
    let field = ("the field", secret.field.as_ref());
    let mut place = PathBuf::new();
    for (what, text) in [key, field] {
        let Some(text) = text else { continue };
        for part in text.split('/') {
            if !is_file_name(part) {
                return Err(PlaceError::Name { name: name.clone(), what, text: text.clone() });
            }
            place.push(part);
        }
    }
    Ok(place)
}

/// Excludes `..`, and also what orchestrators keep beside the files, such as `..data`.
fn is_file_name(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=NAME_BYTES_MAX).contains(&part.len());
    fits && !part.starts_with('.') && part.bytes().all(allowed)
}

/// The secrets of one actor. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ActorSecrets {
    dir: Arc<PathBuf>,
    /// By the name the actor asks for.
    places: Arc<BTreeMap<String, PathBuf>>,
}

impl ActorSecrets {
    /// The names of those that cannot be read now, and why.
    pub async fn missing(&self) -> Vec<(String, SecretError)> {
        let mut missing = Vec::new();
        for name in self.places.keys() {
            if let Err(error) = self.read(name).await {
                missing.push((name.clone(), error));
            }
        }
        missing
    }

    async fn read(&self, name: &str) -> Result<Secret, SecretError> {
        let place = self.places.get(name).ok_or(SecretError::NotFound)?;
        let (dir, place) = (self.dir.clone(), place.clone());
        let read = tokio::task::spawn_blocking(move || read(&dir, &place));
        read.await.unwrap_or(Err(SecretError::Unreadable))
    }
}

#[async_trait]
impl Secrets for ActorSecrets {
    async fn get(&self, ctx: &CallContext, name: &str) -> Result<Secret, SecretError> {
        let read = self.read(name).await;
        // That somebody asked is worth a line; names are in the manifest, values are nowhere.
        match &read {
            Ok(_) => tracing::debug!(actor = %ctx.actor, secret = name, "secret read"),
            Err(error) => {
                tracing::warn!(actor = %ctx.actor, secret = name, %error, "secret not read");
            }
        }
        read
    }
}

fn read(dir: &Path, place: &Path) -> Result<Secret, SecretError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SecretError::NotFound,
        _ => {
            tracing::error!(file = %place.display(), %error, "secret file");
            SecretError::Unreadable
        }
    };
    // Orchestrators mount links, so they are followed, and then must have stayed inside.
    let path = dir.join(place).canonicalize().map_err(failed)?;
    if !path.starts_with(dir) {
        tracing::error!(file = %place.display(), "secret file: it leads out of the folder");
        return Err(SecretError::Unreadable);
    }
    // Before it is opened: opening a pipe waits for somebody to write.
    let len = match path.metadata().map_err(failed)? {
        found if found.is_file() => found.len(),
        _ => return Err(SecretError::NotFound),
    };
    let too_large = SecretError::TooLarge { max: SECRET_BYTES_MAX };
    let len = usize::try_from(len).map_err(|_| too_large.clone())?;
    if SECRET_BYTES_MAX < len {
        return Err(too_large);
    }
    let mut file = File::open(&path).map_err(failed)?;
    // One byte more than it should have, and never moved: what it is moved from is not wiped.
    let mut value = Zeroizing::new(vec![0; len + 1]);
    let mut filled = 0;
    while filled < value.len() {
        match file.read(&mut value[filled..]).map_err(failed)? {
            0 => break,
            more => filled += more,
        }
    }
    if filled != len {
        // Somebody writes to it now; the next one who asks may have more luck.
        return Err(SecretError::Unreadable);
    }
    value.truncate(len);
    Ok(Secret::new(value))
}
