//! The export: what people wrote, on this controller's own disk.
//!
//! *Form.* One file per lattice, frames one after the other: the length of the body (4 bytes, big
//! endian), the first 8 bytes of its SHA-256, the body. The first body is `{v, lattice}`, every
//! other one `{v, seq, key, bytes}`; of one key the last counts. *Guarantees.* What was appended
//! and flushed is read again, after a power cut too: a frame that is cut off at the end is cut
//! off for good, and what was written before it stays. *Caveats.* A frame that rotted is passed
//! over, and the file is kept aside as it was.

mod keeper;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;
use wattle_brain::Kept;
use wattle_types::{Digest, Key, LatticeId, stored};

pub(crate) use keeper::Keeper;

const HEADER_LEN: usize = 12;
/// No more than so many frames that count no more, beside as many as there are keys.
const STALE_MAX: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("could not open the export {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("could not write the export {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is no export; move it away to begin a new one", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is the export of lattice {found}", path.display())]
    OtherLattice { path: PathBuf, found: LatticeId },
}

#[derive(Debug)]
pub(crate) struct Archive {
    file: File,
    /// Of what is whole; what an append that failed left behind it is written over.
    len: u64,
    /// The newest of each key, so that what is followed again is not appended again.
    newest: BTreeMap<Key, Digest>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    v: u8,
    lattice: LatticeId,
}

#[derive(Serialize, Deserialize)]
struct Body {
    v: u8,
    seq: u64,
    key: String,
    #[serde(with = "serde_bytes")]
    bytes: Option<Vec<u8>>,
}

/// What a file holds.
struct Contents {
    newest: BTreeMap<Key, Kept>,
    frames: usize,
    /// Frames that are not what was written.
    rotten: usize,
    len: usize,
}

impl Archive {
    /// Opens the export of one lattice, and reads it.
    pub(crate) fn open(dir: &Path, lattice: &LatticeId) -> Result<(Self, Vec<Kept>), ArchiveError> {
        let path = path(dir, lattice);
        let opened = |source| ArchiveError::Open { path: path.clone(), source };
        let written = |source| ArchiveError::Write { path: path.clone(), source };
        std::fs::create_dir_all(dir).map_err(opened)?;
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(opened(error)),
        };
        let (found, contents) = read(&bytes, &path)?;
        if let Some(found) = found.filter(|found| found != lattice) {
            return Err(ArchiveError::OtherLattice { path, found });
        }
        let kept: Vec<Kept> = contents.newest.values().cloned().collect();
        if 0 < contents.rotten {
            warn!(path = %path.display(), frames = contents.rotten, "the export is damaged");
            std::fs::copy(&path, path.with_extension("export.damaged")).map_err(written)?;
        }
        let stale = contents.frames - kept.len();
        let len = if contents.len == 0 || 0 < contents.rotten || kept.len() + STALE_MAX < stale {
            replace(&path, lattice, &kept).map_err(written)?
        } else {
            contents.len as u64
        };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(opened)?;
        let newest = kept.iter().map(|kept| (kept.key.clone(), digest(kept))).collect();
        Ok((Self { file, len, newest }, kept))
    }

    /// Appends what is not there yet, also over a power cut.
    pub(crate) fn append(&mut self, entries: &[Kept]) -> io::Result<()> {
        let new = |entry: &&Kept| self.newest.get(&entry.key) != Some(&digest(entry));
        let new: Vec<&Kept> = entries.iter().filter(new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let frames: Vec<u8> = new.iter().flat_map(|entry| frame(&body(entry))).collect();
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(&frames)?;
        self.file.sync_data()?;
        self.len += frames.len() as u64;
        self.newest.extend(new.into_iter().map(|entry| (entry.key.clone(), digest(entry))));
        Ok(())
    }
}

/// What an export holds, and of which lattice, without changing it. Blocks.
///
/// # Errors
///
/// See [`ArchiveError`]; also one that has not a single whole frame is none.
pub fn read_export(path: &Path) -> Result<(LatticeId, Vec<Kept>), ArchiveError> {
    let opened = |source| ArchiveError::Open { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(opened)?;
    let (lattice, contents) = read(&bytes, path)?;
    let lattice = lattice.ok_or_else(|| ArchiveError::Foreign { path: path.to_owned() })?;
    Ok((lattice, contents.newest.into_values().collect()))
}

/// Writes an export, over what is there. Blocks until it is on disk.
///
/// # Errors
///
/// See [`ArchiveError`].
pub fn write_export(path: &Path, lattice: &LatticeId, kept: &[Kept]) -> Result<(), ArchiveError> {
    let written = |source| ArchiveError::Write { path: path.to_owned(), source };
    replace(path, lattice, kept).map(drop).map_err(written)
}

/// The file of a lattice in a folder.
pub(crate) fn path(dir: &Path, lattice: &LatticeId) -> PathBuf {
    dir.join(format!("{lattice}.export"))
}

/// Whether two entries of a key say the same.
fn digest(kept: &Kept) -> Digest {
    match &kept.bytes {
        Some(bytes) => Digest::of(&[&[1], &bytes[..]].concat()),
        None => Digest::of(&[0]),
    }
}

fn body(kept: &Kept) -> Vec<u8> {
    let (seq, key, bytes) = (kept.seq, kept.key.to_string(), kept.bytes.clone());
    stored::encode(&Body { v: stored::VERSION, seq, key, bytes })
}

fn frame(body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("a stored value is far below 4 GiB");
    [&len.to_be_bytes(), &Digest::of(body).bytes()[..8], body].concat()
}

/// Writes a file anew, with these entries only. Returns how long it is.
fn replace(path: &Path, lattice: &LatticeId, kept: &[Kept]) -> io::Result<u64> {
    let mut bytes = frame(&stored::encode(&Head { v: stored::VERSION, lattice: lattice.clone() }));
    bytes.extend(kept.iter().flat_map(|entry| frame(&body(entry))));
    let new = path.with_extension("export.new");
    let mut file = File::create(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    // A name alone is in the folder we are in.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()?;
    Ok(bytes.len() as u64)
}

/// The lattice that the first frame names, if there is one, and what follows it.
fn read(bytes: &[u8], path: &Path) -> Result<(Option<LatticeId>, Contents), ArchiveError> {
    let (mut newest, mut frames, mut rotten) = (BTreeMap::new(), 0, 0);
    let Some((first, mut at)) = next(bytes, 0) else {
        // Not even its first frame was written, or it is something else altogether.
        return match bytes.len() <= HEADER_LEN + Body::HEAD_LEN_MAX {
            true => Ok((None, Contents { newest, frames, rotten, len: 0 })),
            false => Err(ArchiveError::Foreign { path: path.to_owned() }),
        };
    };
    let head = first.and_then(|body| stored::decode::<Head>("an export", body).ok());
    let head = head.ok_or_else(|| ArchiveError::Foreign { path: path.to_owned() })?;
    while let Some((body, end)) = next(bytes, at) {
        let entry = body.and_then(|body| stored::decode::<Body>("an entry", body).ok());
        let kept = entry.and_then(|entry| {
            let key: Key = entry.key.parse().ok()?;
            Some(Kept { key, seq: entry.seq, bytes: entry.bytes })
        });
        match kept {
            Some(kept) => {
                frames += 1;
                newest.insert(kept.key.clone(), kept);
            }
            // At the very end it is one that was cut off.
            None if end == bytes.len() => break,
            None => rotten += 1,
        }
        at = end;
    }
    Ok((Some(head.lattice), Contents { newest, frames, rotten, len: at }))
}

impl Body {
    /// The first body names a lattice, and no more.
    const HEAD_LEN_MAX: usize = 256;
}

/// The frame at `at`, unless it rotted, and where it ends; none if it is not whole.
fn next(bytes: &[u8], at: usize) -> Option<(Option<&[u8]>, usize)> {
    let (header, rest) = bytes.get(at..)?.split_at_checked(HEADER_LEN)?;
    let (len, hash) = header.split_at(4);
    let len = u32::from_be_bytes(len.try_into().ok()?) as usize;
    let body = rest.get(..len)?;
    let whole = Digest::of(body).bytes()[..8] == *hash;
    Some((whole.then_some(body), at + HEADER_LEN + len))
}

#[cfg(test)]
mod tests;
