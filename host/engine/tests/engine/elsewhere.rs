//! Code that this host did not make: taken if it fits, and needed where there is no compiler.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use wattle_engine::precompile::{PrecompileError, Wanted, precompile};
use wattle_engine::{
    AddressSpace, CompileConfig, Compiler, Compilers, Engine, EngineConfig, EngineId, Found, Level,
    Loaded, Origin, Precompiled, Profile, Target, bench,
};
use wattle_trust::{
    ArtifactRequest, KeyPair, TrustFile, TrustPolicy, VerifiedArtifact, VerifiedComponent, artifact,
};
use wattle_types::{Digest, Role};

use crate::kit::{self, PATIENCE, Setup, guest, outside, verified, wat};

/// A host without a compiler and without a cache.
fn without_compiler() -> EngineConfig {
    let compile = CompileConfig { compiler: Compiler::None, ..CompileConfig::default() };
    EngineConfig { permits: 4, compile, ..EngineConfig::default() }
}

const HERE: Wanted = Wanted { profile: None, target: Target::here(), level: None };

async fn made(
    component: &VerifiedComponent,
    wanted: Wanted,
) -> Result<(EngineId, Vec<u8>), PrecompileError> {
    let compilers = Compilers::start(CompileConfig::default()).unwrap();
    let (engine, artifact) = precompile(&compilers, component, wanted).await?;
    let mut code = Vec::new();
    std::io::Read::read_to_end(&mut artifact.read().unwrap(), &mut code).unwrap();
    Ok((engine, code))
}

/// A place where there is one file of code, said to be for `engine`.
struct Place {
    engine: String,
    code: Vec<u8>,
    asked: Mutex<Vec<String>>,
}

impl Place {
    fn with(engine: &EngineId, code: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { engine: engine.to_string(), code, asked: Mutex::default() })
    }

    /// As a host finds it: signed by whom it believes, and verified.
    fn verified(&self, source: Digest) -> VerifiedArtifact<File> {
        static COMPILER: LazyLock<KeyPair> =
            LazyLock::new(|| KeyPair::generate(Role::Account).unwrap());
        let issued_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let engine = self.engine.clone();
        let request = ArtifactRequest { source, engine, issued_s, expires_s: None };
        let head = request.sign(&self.code, &COMPILER);
        let trust = TrustFile::new().with_compiler(&COMPILER.public().try_into().unwrap(), "tests");
        let policy = TrustPolicy::try_from(&trust).unwrap();
        let engines = [self.engine.clone()].into();
        let wanted = wattle_trust::Wanted { source, engines: &engines };
        let head = artifact::Head::read_from(&mut &head[..]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.code).unwrap();
        file.rewind().unwrap();
        head.verify(wanted, &policy, issued_s).unwrap().confirm(file).unwrap()
    }
}

impl Precompiled for Place {
    fn name(&self) -> &str {
        "place/it.wasm"
    }

    fn find(&self, source: Digest, engines: &[EngineId]) -> Found {
        let asked: Vec<String> = engines.iter().map(EngineId::to_string).collect();
        let fits = asked.contains(&self.engine);
        *self.asked.lock().unwrap() = asked;
        let refused = if fits { Vec::new() } else { vec!["place/it.cwasm: for others".to_owned()] };
        Found { artifact: fits.then(|| self.verified(source)), refused }
    }
}

async fn runs(loaded: Arc<Loaded>) {
    let actor = Setup::new().actor(loaded);
    bench::instantiate_and_drop(&actor, outside(&actor, PATIENCE)).await.unwrap();
}

fn small() -> VerifiedComponent {
    verified(&wat("(component (core module $m (func (export \"f\"))) \
                   (core instance (instantiate $m)))"))
}

#[tokio::test]
async fn a_host_without_a_compiler_runs_code_of_every_level_its_processor_has() {
    let component = small();
    for level in Target::here().levels() {
        let wanted = Wanted { level: Some(*level), ..HERE };
        let (engine, code) = made(&component, wanted).await.unwrap();
        let place = Place::with(&engine, code);
        let host = Engine::new(without_compiler()).unwrap();
        let loaded = host.load_with(component.clone(), Some(place.clone())).await;
        if !place.asked.lock().unwrap().contains(&engine.to_string()) {
            // Not of this machine; it is not accepted then.
            assert_eq!(loaded.unwrap_err().code(), "WT-ENGINE-NO-COMPILER");
            continue;
        }
        let loaded = loaded.unwrap();
        assert_eq!(loaded.origin(), Origin::Elsewhere, "{level}");
        runs(loaded).await;
    }
}

#[tokio::test]
async fn a_host_without_a_compiler_says_which_command_makes_the_code() {
    let component = small();
    let host = Engine::new(without_compiler()).unwrap();
    let edge = Profile { space: AddressSpace::Edge, ..Profile::ALL[0] };
    let (engine, code) = made(&component, Wanted { profile: Some(edge), ..HERE }).await.unwrap();
    let error = host.load_with(component, Some(Place::with(&engine, code))).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-NO-COMPILER");
    let least = Target::here().levels()[0];
    let command = format!(
        "wattle compile place/it.wasm --profile p2-server --target {} --cpu-level {least}",
        Target::here()
    );
    let words = error.to_string();
    assert!(words.contains(&command), "{words}");
    assert!(words.ends_with("Not used: place/it.cwasm: for others"), "{words}");
}

#[tokio::test]
async fn code_that_is_not_what_was_signed_for_is_refused_by_wasmtime_and_compiled_if_possible() {
    let component = small();
    let edge = Profile { space: AddressSpace::Edge, ..Profile::ALL[0] };
    let (_, code) = made(&component, Wanted { profile: Some(edge), ..HERE }).await.unwrap();
    let (engine, _) = made(&component, HERE).await.unwrap();
    // A compiler that is believed, and is wrong.
    for code in [code, b"\x7fELF, and no more".to_vec()] {
        let place = Place::with(&engine, code);
        let host = Engine::new(without_compiler()).unwrap();
        let error = host.load_with(component.clone(), Some(place.clone())).await.unwrap_err();
        assert_eq!(error.code(), "WT-ENGINE-NO-COMPILER");
        assert!(error.to_string().contains("wasmtime does not accept the code of A"), "{error}");
        let compiles = Engine::new(EngineConfig { permits: 4, ..EngineConfig::default() }).unwrap();
        let loaded = compiles.load_with(component.clone(), Some(place)).await.unwrap();
        assert_eq!(loaded.origin(), Origin::Compiled);
    }
}

#[tokio::test]
async fn what_is_in_the_cache_runs_although_there_is_no_compiler_any_more() {
    let component = small();
    let dir = tempfile::tempdir().unwrap();
    let key = wattle_engine::CacheKey::derive(b"key");
    let cache = Some(wattle_engine::CacheConfig::new(dir.path().join("cache"), key));
    let before = EngineConfig { permits: 4, cache: cache.clone(), ..EngineConfig::default() };
    Engine::new(before).unwrap().load(component.clone()).await.unwrap();
    let after = Engine::new(EngineConfig { cache, ..without_compiler() }).unwrap();
    assert_eq!(after.load(component).await.unwrap().origin(), Origin::Cache);
}

#[tokio::test]
async fn components_run_in_the_interpreter_compiled_here_and_elsewhere() {
    let component = verified(&guest("http-hello"));
    let pulley = |compile| EngineConfig {
        permits: 4,
        target: Target::Pulley64,
        compile,
        ..EngineConfig::default()
    };
    let here = Engine::new(pulley(CompileConfig::default())).unwrap();
    let actor = Setup::new().actor(here.load(component.clone()).await.unwrap());
    let (_, expected) = kit::get(&actor, "/").await.unwrap();
    assert!(expected.to_lowercase().contains("hello"), "{expected}");

    let wanted = Wanted { target: Target::Pulley64, ..HERE };
    let (engine, code) = made(&component, wanted).await.unwrap();
    assert_eq!(engine.level(), Level::Portable);
    let place = Place::with(&engine, code);
    let elsewhere = Engine::new(pulley(without_compiler().compile)).unwrap();
    let loaded = elsewhere.load_with(component, Some(place)).await.unwrap();
    assert_eq!(loaded.origin(), Origin::Elsewhere);
    let actor = Setup::new().actor(loaded);
    assert_eq!(kit::get(&actor, "/").await.unwrap().1, expected);
}

#[tokio::test]
async fn what_cannot_be_made_says_why() {
    let p3 = Profile::ALL[2];
    let far = if Target::here() == Target::X86_64 { Target::Aarch64 } else { Target::X86_64 };
    let wrong_level = Wanted { target: Target::Pulley64, level: Some(Level::X86_64V2), ..HERE };
    let mut cases = vec![
        (Wanted { profile: Some(p3), ..HERE }, "needs the profile p2-server"),
        (wrong_level, "it has portable"),
    ];
    if !cfg!(feature = "all-targets") {
        cases.push((Wanted { target: far, ..HERE }, "all-targets"));
    }
    for (wanted, reason) in cases {
        let error = made(&small(), wanted).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
