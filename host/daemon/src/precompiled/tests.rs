//! Files of signed code in folders; what they hold is not looked at, so any bytes will do.

use tempfile::TempDir;
use wattle_engine::{Level, Profile, Target};
use wattle_trust::{ArtifactRequest, KeyPair, TrustFile};
use wattle_types::Role;

use super::*;

const CODE: &[u8] = b"machine code";

struct World {
    dir: TempDir,
    compiler: KeyPair,
}

fn source() -> Digest {
    Digest::of(b"content")
}

fn engine(level: Level) -> EngineId {
    EngineId::new(Profile::ALL[0], Target::X86_64, level).unwrap()
}

fn both() -> [EngineId; 2] {
    [engine(Level::X86_64V3), engine(Level::X86_64V2)]
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["kept", "given", "beside"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, compiler: KeyPair::generate(Role::Account).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn trusting(&self, keys: &[&KeyPair]) -> Search {
        let trust = keys.iter().fold(TrustFile::new(), |trust, key| {
            trust.with_compiler(&key.public().try_into().unwrap(), "test")
        });
        let places = Places {
            kept: self.path("kept"),
            given: Some(self.path("given")),
            trust: Arc::new(TrustPolicy::try_from(&trust).unwrap()),
        };
        places.search("it.wasm", Some(self.path("beside/it.wasm")), Digest::of(b"file"))
    }

    fn search(&self) -> Search {
        self.trusting(&[&self.compiler])
    }

    fn signed(&self, level: Level, expires_s: Option<u64>) -> Vec<u8> {
        let request = ArtifactRequest {
            source: source(),
            engine: engine(level).to_string(),
            issued_s: now(),
            expires_s,
        };
        [&request.sign(CODE, &self.compiler)[..], CODE].concat()
    }

    fn beside(&self, level: Level) -> PathBuf {
        self.path("beside").join(file_name("it", &engine(level)))
    }

    fn given(&self, level: Level) -> PathBuf {
        self.path("given").join(file_name(source(), &engine(level)))
    }

    /// The engine whose code is found, and what the file of the proof holds from where it stands.
    fn found(&self, search: &Search) -> Option<String> {
        let artifact = search.find(source(), &both()).artifact?;
        let mut file = artifact.code();
        file.rewind().unwrap();
        let mut code = Vec::new();
        file.read_to_end(&mut code).unwrap();
        assert_eq!(code, CODE, "the code begins where the file does, and ends with it");
        Some(artifact.statement().engine.clone())
    }

    fn kept(&self) -> usize {
        fs::read_dir(self.path("kept")).unwrap().count()
    }
}

#[test]
fn code_is_found_beside_the_component_and_in_the_folder_the_host_was_given() {
    for place in [World::beside, World::given] {
        let world = World::new();
        assert_eq!(world.found(&world.search()), None);
        fs::write(place(&world, Level::X86_64V2), world.signed(Level::X86_64V2, None)).unwrap();
        assert_eq!(world.found(&world.search()), Some(engine(Level::X86_64V2).to_string()));
    }
}

#[test]
fn the_best_of_what_is_there_is_taken() {
    let world = World::new();
    for level in [Level::X86_64V2, Level::X86_64V3] {
        fs::write(world.given(level), world.signed(level, None)).unwrap();
    }
    assert_eq!(world.found(&world.search()), Some(engine(Level::X86_64V3).to_string()));
}

#[test]
fn what_was_found_once_is_there_when_its_place_is_not() {
    let world = World::new();
    fs::write(world.beside(Level::X86_64V2), world.signed(Level::X86_64V2, None)).unwrap();
    world.found(&world.search()).unwrap();
    fs::remove_file(world.beside(Level::X86_64V2)).unwrap();
    assert!(world.found(&world.search()).is_some());
    assert_eq!(world.kept(), 2, "a head and the code, and nothing unfinished");
}

#[test]
fn what_was_found_once_is_verified_again_at_each_start() {
    let world = World::new();
    fs::write(world.beside(Level::X86_64V2), world.signed(Level::X86_64V2, None)).unwrap();
    world.found(&world.search()).unwrap();
    fs::remove_file(world.beside(Level::X86_64V2)).unwrap();
    assert_eq!(world.found(&world.trusting(&[])), None, "nobody is believed any more");
    assert_eq!(world.kept(), 0, "and what is not believed is not kept");
}

#[test]
fn what_was_kept_and_has_changed_is_taken_anew_from_where_it_came() {
    let world = World::new();
    fs::write(world.given(Level::X86_64V2), world.signed(Level::X86_64V2, None)).unwrap();
    world.found(&world.search()).unwrap();
    for file in fs::read_dir(world.path("kept")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(path, bytes).unwrap();
        assert!(world.found(&world.search()).is_some());
    }
}

#[test]
fn what_is_not_used_is_named_with_its_reason_and_what_is_good_is_used_all_the_same() {
    let world = World::new();
    let expired = world.signed(Level::X86_64V3, Some(now() - 1_000));
    fs::write(world.beside(Level::X86_64V3), expired).unwrap();
    fs::write(world.given(Level::X86_64V3), b"no code").unwrap();
    fs::create_dir(world.beside(Level::X86_64V2)).unwrap();
    let found = world.search().find(source(), &both());
    assert!(found.artifact.is_none());
    let [expired, no_code] = &found.refused[..] else { panic!("{:?}", found.refused) };
    assert!(expired.contains("beside/it."), "{expired}");
    assert!(expired.ends_with("[WT-TRUST-ARTIFACT-EXPIRED]"), "{expired}");
    assert!(no_code.ends_with("[WT-TRUST-ARTIFACT-FORM]"), "{no_code}");

    fs::write(world.given(Level::X86_64V2), world.signed(Level::X86_64V2, None)).unwrap();
    let found = world.search().find(source(), &both());
    assert_eq!((found.artifact.is_some(), found.refused.len()), (true, 2));
}

#[test]
fn code_that_was_cut_or_goes_on_is_not_kept() {
    let world = World::new();
    let good = world.signed(Level::X86_64V2, None);
    for bad in [good[..good.len() - 1].to_vec(), [&good[..], b"!"].concat()] {
        fs::write(world.given(Level::X86_64V2), bad).unwrap();
        let found = world.search().find(source(), &both());
        assert!(found.artifact.is_none());
        assert!(found.refused[0].ends_with("[WT-TRUST-ARTIFACT-LENGTH]"), "{:?}", found.refused);
        assert_eq!(world.kept(), 0);
    }
}
