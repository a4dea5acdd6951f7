use super::*;

fn lattice() -> LatticeId {
    "test".parse().unwrap()
}

fn kept(key: &str, seq: u64, bytes: Option<&[u8]>) -> Kept {
    Kept { key: key.parse().unwrap(), seq, bytes: bytes.map(<[u8]>::to_vec) }
}

fn some() -> Vec<Kept> {
    vec![
        kept("id.web", 5, None),
        kept("app.shop", 4, Some(b"head")),
        kept("manifest.shop.1", 3, Some(&[0; 300])),
    ]
}

fn path(dir: &Path) -> PathBuf {
    dir.join("test.export")
}

/// What a process that opens it now reads.
fn reopened(dir: &Path) -> Vec<Kept> {
    Archive::open(dir, &lattice()).unwrap().1
}

#[test]
fn what_was_kept_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (mut archive, before) = Archive::open(&dir.path().join("new"), &lattice()).unwrap();
    assert_eq!(before, []);
    archive.append(&some()).unwrap();
    archive.append(&[kept("app.shop", 9, Some(b"newer"))]).unwrap();
    drop(archive);
    let mut expected = some();
    expected[1] = kept("app.shop", 9, Some(b"newer"));
    assert_eq!(reopened(&dir.path().join("new")), expected);
}

#[test]
fn what_is_followed_again_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut archive, _) = Archive::open(dir.path(), &lattice()).unwrap();
    archive.append(&some()).unwrap();
    let len = std::fs::metadata(path(dir.path())).unwrap().len();
    archive.append(&some()).unwrap();
    let (mut archive, _) = Archive::open(dir.path(), &lattice()).unwrap();
    archive.append(&some()).unwrap();
    assert_eq!(std::fs::metadata(path(dir.path())).unwrap().len(), len);
}

#[test]
fn a_torn_frame_at_the_end_is_cut_off_and_the_rest_read() {
    let dir = tempfile::tempdir().unwrap();
    let (mut archive, _) = Archive::open(dir.path(), &lattice()).unwrap();
    archive.append(&some()).unwrap();
    let whole = std::fs::read(path(dir.path())).unwrap();
    archive.append(&[kept("app.blog", 9, Some(b"another"))]).unwrap();
    let longer = std::fs::read(path(dir.path())).unwrap();
    // Also one whose length was written and whose bytes were not.
    let zeroed =
        [&longer[..whole.len() + HEADER_LEN], &vec![0; longer.len() - whole.len() - HEADER_LEN]];
    let torn = (whole.len()..longer.len()).map(|end| longer[..end].to_vec());
    for bytes in torn.chain([zeroed.concat()]) {
        std::fs::write(path(dir.path()), &bytes).unwrap();
        let (mut archive, found) = Archive::open(dir.path(), &lattice()).unwrap();
        assert_eq!(found, some(), "{} of {} bytes", bytes.len(), longer.len());
        // What is appended next stands where the torn one stood.
        archive.append(&[kept("app.blog", 9, Some(b"another"))]).unwrap();
        assert_eq!(std::fs::read(path(dir.path())).unwrap(), longer);
    }
}

#[test]
fn what_rotted_in_the_middle_is_passed_over_and_the_file_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (mut archive, _) = Archive::open(dir.path(), &lattice()).unwrap();
    archive.append(&some()).unwrap();
    let mut bytes = std::fs::read(path(dir.path())).unwrap();
    let at = bytes.windows(4).position(|window| window == b"head").unwrap();
    bytes[at] ^= 1;
    std::fs::write(path(dir.path()), &bytes).unwrap();
    let mut rest = some();
    rest.remove(1);
    assert_eq!(reopened(dir.path()), rest);
    assert_eq!(std::fs::read(dir.path().join("test.export.damaged")).unwrap(), bytes);
    assert_eq!(reopened(dir.path()), rest, "it is whole again");
}

#[test]
fn what_counts_no_more_is_dropped_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (mut archive, _) = Archive::open(dir.path(), &lattice()).unwrap();
    for seq in 0..200 {
        archive.append(&[kept("app.shop", seq, Some(&seq.to_be_bytes()))]).unwrap();
    }
    let long = std::fs::metadata(path(dir.path())).unwrap().len();
    assert_eq!(reopened(dir.path()), [kept("app.shop", 199, Some(&199u64.to_be_bytes()))]);
    assert!(std::fs::metadata(path(dir.path())).unwrap().len() * 20 < long);
}

#[test]
fn another_lattices_export_and_what_is_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Archive::open(dir.path(), &"other".parse().unwrap()).unwrap());
    std::fs::rename(dir.path().join("other.export"), path(dir.path())).unwrap();
    let opened = Archive::open(dir.path(), &lattice());
    assert!(
        matches!(opened, Err(ArchiveError::OtherLattice { found, .. }) if found.as_str() == "other")
    );
    std::fs::write(path(dir.path()), vec![b'x'; 2_000]).unwrap();
    let opened = Archive::open(dir.path(), &lattice());
    assert!(matches!(opened, Err(ArchiveError::Foreign { .. })));
}
