//! Code that was made elsewhere: where it is looked for, and how it becomes the host's own.
//!
//! It is looked for in the host's own folder, beside the component, and in the folder that the host
//! was given. What is found elsewhere is copied first and verified then: a file that others can write
//! to is never mapped. It is verified again at every start, so that a compiler that is no longer
//! believed is not believed for what it made before.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use wattle_engine::{EngineId, Found, Precompiled};
use wattle_trust::artifact::{Head, Vouched};
use wattle_trust::{ArtifactRefusal, TrustPolicy, VerifiedArtifact, Wanted};
use wattle_types::Digest;

/// What files of signed code end in.
pub const ENDING: &str = "cwasm";

/// Where code for the components of one host may be.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The host's own; nobody else can write there.
    pub(crate) kept: PathBuf,
    /// A folder the host was given.
    pub(crate) given: Option<PathBuf>,
    pub(crate) trust: Arc<TrustPolicy>,
}

/// Where code for one component may be.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    places: Places,
    /// The file or image of the component, as people name it.
    name: String,
    /// The component's file, if it is one of this machine.
    file: Option<PathBuf>,
    /// The digest under which what was found is kept: that of the component, with which it is removed.
    digest: Digest,
}

/// Why a file of code is not used.
#[derive(Debug, thiserror::Error)]
enum Unused {
    #[error(transparent)]
    Refused(#[from] ArtifactRefusal),
    #[error("it could not be copied")]
    Copy(#[from] io::Error),
}

/// The name of a file of code beside its component, or in a folder of code.
pub fn file_name(stem: impl fmt::Display, engine: &EngineId) -> String {
    format!("{stem}.{}.{ENDING}", engine.slug())
}

impl Places {
    pub(crate) fn search(&self, name: &str, file: Option<PathBuf>, digest: Digest) -> Search {
        Search { places: self.clone(), name: name.to_owned(), file, digest }
    }
}

impl Precompiled for Search {
    fn name(&self) -> &str {
        &self.name
    }

    fn find(&self, source: Digest, engines: &[EngineId]) -> Found {
        let mut refused = Vec::new();
        for engine in engines {
            let names: BTreeSet<String> = [engine.to_string()].into();
            let wanted = Wanted { source, engines: &names };
            match self.kept(engine, wanted) {
                Ok(Some(artifact)) => return Found { artifact: Some(artifact), refused },
                Ok(None) => {}
                // It will be copied again if it is still good where it came from.
                Err(_) => self.forget(engine),
            }
            for path in self.elsewhere(source, engine) {
                match self.copy(&path, engine, wanted) {
                    Ok(Some(artifact)) => return Found { artifact: Some(artifact), refused },
                    Ok(None) => {}
                    Err(unused) => {
                        let reason = wattle_tasks::Chain(&unused);
                        refused.push(format!("{}: {reason}{}", path.display(), Code(&unused)));
                    }
                }
            }
        }
        Found { artifact: None, refused }
    }
}

impl Search {
    /// Where others may have put it.
    fn elsewhere(&self, source: Digest, engine: &EngineId) -> Vec<PathBuf> {
        let stem = |file: &Path| file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let beside = self.file.as_deref().and_then(|file| {
            let name = file_name(stem(file)?, engine);
            Some(file.with_file_name(name))
        });
        let given = self.places.given.as_ref().map(|dir| dir.join(file_name(source, engine)));
        let there = beside.into_iter().chain(given);
        // Asked before it is opened: opening a pipe waits for its writer.
        there.filter(|path| fs::metadata(path).is_ok_and(|about| about.is_file())).collect()
    }

    /// What was kept when it was last found.
    fn kept(
        &self,
        engine: &EngineId,
        wanted: Wanted<'_>,
    ) -> Result<Option<VerifiedArtifact<File>>, Unused> {
        let Some(mut head) = present(&self.own(engine, "head"))? else { return Ok(None) };
        let Some(code) = present(&self.own(engine, "code"))? else { return Ok(None) };
        let vouched = self.vouched(&Head::read_from(&mut head)?, wanted)?;
        Ok(Some(vouched.confirm(code)?))
    }

    /// Copies a file of signed code: head and code apart, so that the code can be mapped.
    fn copy(
        &self,
        path: &Path,
        engine: &EngineId,
        wanted: Wanted<'_>,
    ) -> Result<Option<VerifiedArtifact<File>>, Unused> {
        let Some(mut file) = present(path)? else { return Ok(None) };
        let head = Head::read_from(&mut file)?;
        let vouched = self.vouched(&head, wanted)?;
        let mut copy = self.begin()?;
        // A byte more than was signed for tells a longer file from the right one.
        let bytes_max = vouched.statement().code_bytes.saturating_add(1);
        io::copy(&mut file.take(bytes_max), &mut copy)?;
        copy.rewind()?;
        let verified = vouched.confirm(copy.reopen()?)?;
        copy.persist(self.own(engine, "code")).map_err(|error| error.error)?;
        let mut copy = self.begin()?;
        io::Write::write_all(&mut copy, head.bytes())?;
        copy.persist(self.own(engine, "head")).map_err(|error| error.error)?;
        Ok(Some(verified))
    }

    /// By the clock of now.
    fn vouched(&self, head: &Head, wanted: Wanted<'_>) -> Result<Vouched, ArtifactRefusal> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        head.verify(wanted, &self.places.trust, now)
    }

    fn forget(&self, engine: &EngineId) {
        for part in ["head", "code"] {
            // If it stays, it is refused again next time.
            let _ = fs::remove_file(self.own(engine, part));
        }
    }

    /// Goes with the component: whatever begins with its digest is removed with it.
    fn own(&self, engine: &EngineId, part: &str) -> PathBuf {
        self.places.kept.join(format!("{}.{}.{part}", self.digest, engine.slug()))
    }

    fn begin(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(&self.places.kept)
    }
}

fn present(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// The stable code of a reason, where it has one.
struct Code<'a>(&'a Unused);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unused::Refused(refusal) => write!(f, " [{}]", refusal.code()),
            Unused::Copy(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
