//! Component files: fetched once, kept by digest, so that a host can start again what it ran when
//! the place it came from is out of reach or holds something else by now.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wattle_types::Digest;

use crate::identity::make_private;

/// Of a file that is compared.
const PIECE_BYTES: usize = 64 * 1024;

/// Why a component's file is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("there is no component at {image}")]
    NotFound { image: String },
    #[error("{image} is not a file")]
    NotAFile { image: String },
    #[error("{image} has more than {max} bytes, and this host fetches no more")]
    TooLarge { image: String, max: u64 },
    #[error("{image} is neither `file://` with an absolute path nor an absolute path")]
    Unsupported { image: String },
    #[error("could not read {image}")]
    Read { image: String, source: io::Error },
    #[error("could not keep {digest}")]
    Keep { digest: Digest, source: io::Error },
}

impl FetchError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "WT-HOST-NOT-FOUND",
            Self::NotAFile { .. } => "WT-HOST-NOT-A-FILE",
            Self::TooLarge { .. } => "WT-HOST-TOO-LARGE",
            Self::Unsupported { .. } => "WT-HOST-IMAGE",
            Self::Read { .. } => "WT-HOST-READ",
            Self::Keep { .. } => "WT-HOST-KEEP",
        }
    }
}

/// The component files of one host. Its functions block: not for the serving path.
#[derive(Clone, Debug)]
pub(crate) struct Artifacts {
    dir: PathBuf,
    bytes_max: u64,
}

impl Artifacts {
    pub(crate) fn open(dir: PathBuf, bytes_max: u64) -> io::Result<Self> {
        make_private(&dir)?;
        Ok(Self { dir, bytes_max })
    }

    /// What an image names.
    pub(crate) fn fetch(&self, image: &str) -> Result<Bytes, FetchError> {
        self.read(image, &path_of(image)?)
    }

    /// Where they are. What belongs to one begins with its digest and a dot, and goes with it.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is kept under a digest, whether it still is that or not.
    pub(crate) fn kept(&self, digest: Digest) -> Option<Bytes> {
        let name = digest.to_string();
        self.read(&name, &self.dir.join(&name)).ok()
    }

    /// Keeps a file under its digest, if that is not what is there.
    pub(crate) fn keep(&self, digest: Digest, bytes: &[u8]) -> Result<(), FetchError> {
        let path = self.dir.join(digest.to_string());
        if has(&path, bytes) {
            return Ok(());
        }
        self.write(&path, bytes).map_err(|source| FetchError::Keep { digest, source })
    }

    /// Removes what nothing refers to any more.
    pub(crate) fn keep_only(&self, wanted: &BTreeSet<Digest>) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let first = name.to_str().and_then(|name| name.split('.').next());
            let digest: Option<Digest> = first.and_then(|first| first.parse().ok());
            if digest.is_some_and(|digest| !wanted.contains(&digest)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn read(&self, image: &str, path: &Path) -> Result<Bytes, FetchError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => FetchError::NotFound { image: image.to_owned() },
            _ => FetchError::Read { image: image.to_owned(), source },
        };
        // Asked before it is opened: opening a pipe waits for its writer.
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(FetchError::NotAFile { image: image.to_owned() });
        }
        let expected = metadata.len().min(self.bytes_max) + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
        // A byte more than allowed tells a larger file from one that just fits, however it grows.
        let file = File::open(path).map_err(failed)?;
        file.take(self.bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
        if self.bytes_max < bytes.len() as u64 {
            return Err(FetchError::TooLarge { image: image.to_owned(), max: self.bytes_max });
        }
        Ok(bytes.into())
    }

    /// Under that name the file is whole or not there.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.dir)?.sync_all()
    }
}

/// Whether the file has just these bytes. Comparing is several times cheaper than hashing, and
/// piece by piece it needs no memory for a second one.
fn has(path: &Path, bytes: &[u8]) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut file = BufReader::with_capacity(PIECE_BYTES, file);
    let mut rest = bytes;
    loop {
        let Ok(piece) = file.fill_buf() else { return false };
        let len = piece.len();
        if len == 0 {
            return rest.is_empty();
        }
        let Some(after) = rest.strip_prefix(piece) else { return false };
        rest = after;
        file.consume(len);
    }
}

pub(crate) fn path_of(image: &str) -> Result<PathBuf, FetchError> {
    let path = Path::new(image.strip_prefix("file://").unwrap_or(image));
    if path.is_absolute() {
        Ok(path.to_owned())
    } else {
        Err(FetchError::Unsupported { image: image.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 100;

    fn artifacts(dir: &tempfile::TempDir) -> Artifacts {
        Artifacts::open(dir.path().join("artifacts"), MAX).unwrap()
    }

    #[test]
    fn a_file_is_kept_by_what_it_is_not_by_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = artifacts(&dir);
        let path = dir.path().join("a.wasm");
        let digests = [&b"one"[..], b"two"].map(|content| {
            fs::write(&path, content).unwrap();
            let bytes = artifacts.fetch(&format!("file://{}", path.display())).unwrap();
            assert_eq!(bytes, content);
            artifacts.keep(Digest::of(&bytes), &bytes).unwrap();
            Digest::of(&bytes)
        });
        fs::remove_file(&path).unwrap();
        assert_eq!(digests.map(|digest| artifacts.kept(digest).unwrap()), ["one", "two"]);
        artifacts.keep_only(&BTreeSet::from([digests[0]])).unwrap();
        assert_eq!(artifacts.kept(digests[0]).unwrap(), "one");
        assert!(artifacts.kept(digests[1]).is_none());
    }

    #[test]
    fn a_kept_file_that_changed_comes_back_whole() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(dir.path().join("artifacts"), 1 << 30).unwrap();
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(3 * PIECE_BYTES).collect();
        let (digest, last) = (Digest::of(&whole), whole.len() - 1);
        let path = artifacts.dir.join(digest.to_string());
        let changed = [whole[..last].to_vec(), [&whole[..last], b"?"].concat(), vec![]];
        for changed in changed.into_iter().chain([[&whole[..], b"?"].concat()]) {
            fs::write(&path, changed).unwrap();
            artifacts.keep(digest, &whole).unwrap();
            assert_eq!(artifacts.kept(digest).unwrap(), whole);
        }
        // And what is right is left alone.
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        artifacts.keep(digest, &whole).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn what_cannot_be_fetched_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = artifacts(&dir);
        let large = dir.path().join("large.wasm");
        fs::write(&large, vec![0; MAX as usize + 1]).unwrap();
        let fits = dir.path().join("fits.wasm");
        fs::write(&fits, vec![0; MAX as usize]).unwrap();
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let cases = [
            (name(&dir.path().join("none.wasm")), "WT-HOST-NOT-FOUND"),
            (name(dir.path()), "WT-HOST-NOT-A-FILE"),
            ("/dev/zero".to_owned(), "WT-HOST-NOT-A-FILE"),
            (name(&large), "WT-HOST-TOO-LARGE"),
            ("a.wasm".to_owned(), "WT-HOST-IMAGE"),
            ("file://a.wasm".to_owned(), "WT-HOST-IMAGE"),
            ("registry.example/a:1".to_owned(), "WT-HOST-IMAGE"),
            ("https://example/a.wasm".to_owned(), "WT-HOST-IMAGE"),
        ];
        for (image, code) in cases {
            assert_eq!(artifacts.fetch(&image).unwrap_err().code(), code, "{image}");
        }
        assert!(artifacts.fetch(&name(&fits)).is_ok());
    }
}
