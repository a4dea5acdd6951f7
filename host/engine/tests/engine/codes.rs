//! Every code of the engine has a row that says what would help.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The codes in a text: what follows the prefix, to the first character that none of them has.
fn codes(text: &str) -> BTreeSet<String> {
    let after = text.split("WT-ENGINE-").skip(1);
    let code = |rest: &str| {
        rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '-').collect::<String>()
    };
    after.map(code).filter(|code| !code.is_empty()).collect()
}

/// Every file in `dir` and below.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_code_of_the_engine_is_documented_and_every_documented_code_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(&here.join("src")).into_iter();
    let said: BTreeSet<String> =
        sources.flat_map(|path| codes(&fs::read_to_string(path).unwrap())).collect();
    let page = fs::read_to_string(here.join("../../docs/errors/WT-ENGINE.md")).unwrap();
    assert_eq!(said, codes(&page));
    assert!(20 < said.len(), "{said:?}");
}
