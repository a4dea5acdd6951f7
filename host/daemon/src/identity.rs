//! Who this host is: an nkey whose seed stays in its data folder.
//!
//! The folder is the identity. Copied to another machine it makes a clone, which the host finds
//! out when it joins (see `join`); wiped, it makes a new host.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wattle_trust::{KeyPair, key};
use wattle_types::nkey::NkeyError;
use wattle_types::{HostId, Role};

const FILE: &str = "host.nk";

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("could not make the data folder {}", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    #[error("could not read or write the host's key {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the host's key {} can be read by others (mode {mode:o}); make it 0600", path.display())]
    Shared { path: PathBuf, mode: u32 },
    #[error("{} holds no key", path.display())]
    Key { path: PathBuf, source: key::Error },
    #[error("{} holds the key of something else than a host", path.display())]
    Role { path: PathBuf, source: NkeyError },
    #[error("could not make a key for this host")]
    Generate(#[source] key::Error),
}

/// The host's key and the id it gives.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: HostId,
    pub(crate) key: KeyPair,
}

impl Identity {
    /// Reads the key of this folder; makes folder and key if there are none.
    pub(crate) fn of(dir: &Path) -> Result<Self, IdentityError> {
        make_private(dir)
            .map_err(|source| IdentityError::Folder { dir: dir.to_owned(), source })?;
        let path = dir.join(FILE);
        let failed = |source| IdentityError::File { path: path.clone(), source };
        let key = match fs::metadata(&path) {
            Ok(metadata) => {
                let mode = metadata.mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(IdentityError::Shared { path, mode });
                }
                let text = fs::read_to_string(&path).map_err(failed)?;
                KeyPair::from_seed(text.trim())
                    .map_err(|source| IdentityError::Key { path: path.clone(), source })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate(Role::Server).map_err(IdentityError::Generate)?;
                write_new(&path, key.seed().expose()).map_err(failed)?;
                key
            }
            Err(error) => return Err(failed(error)),
        };
        let id = HostId::try_from(key.public())
            .map_err(|source| IdentityError::Role { path, source })?;
        Ok(Self { id, key })
    }
}

/// A folder for this user alone.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Never over another file, and whole or not at all after a power cut: a host that lost half of
/// its key would be another host.
fn write_new(path: &Path, seed: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(seed.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_one_host_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("host");
        let first = Identity::of(&folder).unwrap();
        assert_eq!(Identity::of(&folder).unwrap().id, first.id);
        assert_ne!(Identity::of(&dir.path().join("other")).unwrap().id, first.id);
        let mode = fs::metadata(folder.join(FILE)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn a_key_that_is_open_broken_or_not_a_hosts_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(FILE), text).unwrap();
            fs::set_permissions(folder.join(FILE), fs::Permissions::from_mode(mode)).unwrap();
            Identity::of(&folder).unwrap_err()
        };
        let account = KeyPair::generate(Role::Account).unwrap().seed();
        let host = KeyPair::generate(Role::Server).unwrap().seed();
        assert!(matches!(write("open", host.expose(), 0o644), IdentityError::Shared { .. }));
        assert!(matches!(write("broken", "SN", 0o600), IdentityError::Key { .. }));
        assert!(matches!(write("account", account.expose(), 0o600), IdentityError::Role { .. }));
    }
}
