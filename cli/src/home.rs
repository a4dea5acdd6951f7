//! What `wattle` keeps on this machine: the local signing key, the local trust file, and the
//! state of what runs here.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wattle_trust::{KeyPair, TrustFile, TrustPolicy};
use wattle_types::{CompilerKey, ControllerKey, IssuerKey, Role};

/// The NATS server of this machine.
pub(crate) const NATS_URL: &str = "nats://127.0.0.1:4222";

/// The flag of every command that keeps something.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct HomeArgs {
    /// Where keys, trust and state of this machine are kept [default: ~/.local/share/wattle].
    #[arg(long, env = "WATTLE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// The folder, and what is where in it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    dir: PathBuf,
}

impl HomeArgs {
    pub(crate) fn open(&self) -> Result<Home> {
        let dir = match &self.data_dir {
            Some(dir) => dir.clone(),
            None => {
                default_dir().context("neither HOME nor XDG_DATA_HOME is set; pass --data-dir")?
            }
        };
        Home::open(dir)
    }
}

fn default_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let share = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?;
    Some(share.join("wattle"))
}

impl Home {
    pub(crate) fn open(dir: PathBuf) -> Result<Self> {
        make_private_dir(&dir)?;
        Ok(Self { dir })
    }

    /// A folder of its own for one host, one controller, one server.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.dir.join(name);
        make_private_dir(&folder)?;
        Ok(folder)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn trust_file(&self) -> PathBuf {
        self.dir.join("trust.toml")
    }

    /// The key that signs components on this machine; made when there is none.
    pub(crate) fn local_issuer(&self) -> Result<KeyPair> {
        self.key("issuer", Role::Account)
    }

    /// The key that signs assignments of controllers on this machine; made when there is none.
    pub(crate) fn local_controller(&self) -> Result<KeyPair> {
        self.key("controller", Role::Cluster)
    }

    /// The key that says of machine code made on this machine what it was made of; made when there
    /// is none. Another than that of components: believing it means more.
    pub(crate) fn local_compiler(&self) -> Result<KeyPair> {
        self.key("compiler", Role::Account)
    }

    /// The key that signs changes of applications on this machine; made when there is none. It says
    /// who asked; whether they may is decided by NATS.
    #[cfg(feature = "operate")]
    pub(crate) fn local_operator(&self) -> Result<KeyPair> {
        self.key("operator", Role::User)
    }

    fn key(&self, name: &str, role: Role) -> Result<KeyPair> {
        let path = self.dir.join(format!("{name}.nk"));
        if path.exists() {
            return read_key(&path, role);
        }
        let key = KeyPair::generate(role)?;
        write_secret(&path, key.seed().expose())?;
        Ok(key)
    }

    /// The trust file of this machine. When there is none, one is made that trusts the local keys
    /// and nobody else.
    pub(crate) fn local_trust(&self) -> Result<TrustFile> {
        let path = self.trust_file();
        if path.exists() {
            return read_trust(&path);
        }
        let trust = trust_of(
            &[self.local_issuer()?.public().try_into()?],
            &[self.local_controller()?.public().try_into()?],
            &[self.local_compiler()?.public().try_into()?],
        );
        write_new(&path, trust.to_toml().as_bytes(), 0o644)?;
        Ok(trust)
    }
}

/// A trust file for these keys.
pub(crate) fn trust_of(
    issuers: &[IssuerKey],
    controllers: &[ControllerKey],
    compilers: &[CompilerKey],
) -> TrustFile {
    let trust = issuers.iter().fold(TrustFile::new(), |trust, key| trust.with_issuer(key, "local"));
    let trust = controllers.iter().fold(trust, |trust, key| trust.with_controller(key, "local"));
    compilers.iter().fold(trust, |trust, key| trust.with_compiler(key, "local"))
}

pub(crate) fn read_trust(path: &Path) -> Result<TrustFile> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read the trust file {}", path.display()))?;
    let trust = TrustFile::parse(&text);
    let trust = trust.and_then(|trust| TrustPolicy::try_from(&trust).map(|_checked| trust));
    trust.with_context(|| format!("the trust file {} is wrong", path.display()))
}

/// The key in a file made by `wattle keys gen`.
pub(crate) fn read_key(path: &Path, role: Role) -> Result<KeyPair> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read the key file {}", path.display()))?;
    let key = KeyPair::from_seed(&text)
        .with_context(|| format!("the key file {} is wrong", path.display()))?;
    anyhow::ensure!(
        key.role() == role,
        "{} holds a {} key; a {role} key is needed here (wattle keys gen {role})",
        path.display(),
        key.role(),
    );
    Ok(key)
}

/// Writes what only this user may read, and never over something else.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    write_new(path, format!("{text}\n").as_bytes(), 0o600)
}

pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .with_context(|| format!("could not write {}", path.display()))
}

fn make_private_dir(dir: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("could not make the folder {}", dir.display()))
}
