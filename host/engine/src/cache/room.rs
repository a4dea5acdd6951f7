//! What goes when the cache is full: the artifact that was not used for the longest time, and before
//! it whatever an interrupted start has left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(super) const CODE: &str = ".cwasm";
pub(super) const MAC: &str = ".mac";
/// Files begin under such a name and get their own when they are whole.
pub(super) const UNFINISHED: &str = ".new-";

/// Longer than any write of a live host takes.
const ABANDONED_AFTER: Duration = Duration::from_secs(3_600);

/// An artifact with its proof; or one of the two, which is worth nothing.
#[derive(Debug)]
struct Entry {
    has_code: bool,
    /// When it was used last: its proof is touched with every use.
    used: Option<SystemTime>,
    /// When the newest of its files was written.
    written: SystemTime,
    bytes: u64,
    files: Vec<PathBuf>,
}

/// Removes files until `more` bytes fit into `bytes_max`.
pub(super) fn make(dir: &Path, bytes_max: u64, more: u64, now: SystemTime) -> io::Result<()> {
    let entries = look(dir)?.into_values();
    let (mut whole, halves): (Vec<Entry>, Vec<Entry>) = entries.partition(Entry::is_whole);
    for half in halves {
        // Another start may be about to write the other half.
        let age = now.duration_since(half.written).unwrap_or_default();
        if ABANDONED_AFTER < age {
            half.remove()?;
        }
    }
    whole.sort_by_key(|entry| entry.used);
    let mut total = more + whole.iter().map(|entry| entry.bytes).sum::<u64>();
    for entry in whole {
        if total <= bytes_max {
            break;
        }
        entry.remove()?;
        total -= entry.bytes;
    }
    Ok(())
}

impl Entry {
    fn is_whole(&self) -> bool {
        self.has_code && self.used.is_some()
    }

    /// Whoever has it mapped keeps it: the name goes, the file stays while it is used.
    fn remove(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| remove(file))
    }
}

/// What is there, by the name that an artifact and its proof share.
fn look(dir: &Path) -> io::Result<BTreeMap<String, Entry>> {
    let mut entries = BTreeMap::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        let about = match file.metadata() {
            Ok(about) => about,
            // Another start has renamed or removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let name = file.file_name().to_string_lossy().into_owned();
        let written = about.modified()?;
        let stem = [CODE, MAC].iter().find_map(|ending| name.strip_suffix(ending));
        let entry = entries.entry(stem.unwrap_or(&name).to_owned());
        let (has_code, used) = (false, None);
        let new = || Entry { has_code, used, written, bytes: 0, files: Vec::new() };
        let entry: &mut Entry = entry.or_insert_with(new);
        entry.has_code |= name.ends_with(CODE);
        if name.ends_with(MAC) {
            entry.used = Some(written);
        }
        entry.written = entry.written.max(written);
        entry.bytes += about.size();
        entry.files.push(file.path());
    }
    Ok(entries)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, bytes: usize, age: Duration) {
            let path = self.0.path().join(name);
            fs::write(&path, vec![0; bytes]).unwrap();
            let then = SystemTime::now() - age;
            File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
        }

        /// One that was made long ago and used `age` ago, of 40 bytes.
        fn artifact(&self, name: &str, age: u64) {
            self.file(&format!("{name}{CODE}"), 30, Duration::from_secs(1_000_000));
            self.file(&format!("{name}{MAC}"), 10, Duration::from_secs(age));
        }

        fn make(&self, bytes_max: u64, more: u64) {
            make(self.0.path(), bytes_max, more, SystemTime::now()).unwrap();
        }

        fn left(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        }
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_and_no_more_than_needed() {
        let folder = Folder::new();
        for (age, name) in [(1, "new"), (3, "oldest"), (2, "old")] {
            folder.artifact(name, age);
        }
        folder.make(100, 20);
        assert_eq!(folder.left(), ["new.cwasm", "new.mac", "old.cwasm", "old.mac"]);
        folder.make(100, 20);
        assert_eq!(folder.left().len(), 4, "it fits as it is");
        folder.make(100, 100);
        assert!(folder.left().is_empty());
    }

    #[test]
    fn what_an_interrupted_start_left_behind_goes_and_what_is_being_written_stays() {
        let folder = Folder::new();
        folder.artifact("whole", 5_000);
        for (name, age) in [("abandoned", ABANDONED_AFTER * 2), ("written", Duration::ZERO)] {
            folder.file(&format!("{name}{CODE}"), 40, age);
            folder.file(&format!("{UNFINISHED}{name}"), 40, age);
        }
        folder.make(100, 20);
        assert_eq!(folder.left(), [".new-written", "whole.cwasm", "whole.mac", "written.cwasm"]);
    }
}
