//! Every target over its corpus, and over what little changes make of it. The long run is
//! `cargo xtask fuzz`.

use std::fs;
use std::path::{Path, PathBuf};

use wattle_fuzz::{TARGETS, Target};

/// Mutations of each input; enough to reach every branch of a header, and over in seconds.
const MUTATIONS: usize = 200;

fn corpus(target: Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn inputs(target: Target) -> Vec<Vec<u8>> {
    let folder = corpus(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_target_has_inputs_to_start_from_and_every_corpus_a_target() {
    for target in TARGETS {
        assert!(!inputs(*target).is_empty(), "{} has an empty corpus", target.name);
    }
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap();
    for folder in folders {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(wattle_fuzz::target(&name).is_some(), "there is no target {name}");
    }
}

#[test]
fn no_decoder_panics_over_its_corpus_or_what_is_near_it() {
    // The same changes on every run: what fails once fails again.
    let mut dice = fastrand::Rng::with_seed(1);
    for target in TARGETS {
        for input in inputs(*target) {
            (target.run)(&input);
            for _ in 0..MUTATIONS {
                (target.run)(&mutated(&input, &mut dice));
            }
        }
    }
}

/// One to four changes: a byte flipped, taken out, put in, or everything after it cut off.
fn mutated(input: &[u8], dice: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..dice.usize(1..5) {
        let at = dice.usize(..=bytes.len());
        match dice.u8(..4) {
            0 if at < bytes.len() => bytes[at] = dice.u8(..),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, dice.u8(..)),
            _ if dice.u8(..8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}
