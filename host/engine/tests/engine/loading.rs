//! How components get in, and what does not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use wattle_engine::{
    CacheConfig, CacheKey, Engine, EngineConfig, LoadError, Loaded, Origin, bench,
};

use crate::kit::{self, PATIENCE, Setup, guest, outside, verified, wat};

/// An engine with a cache in `dir`, as one host has it from start to start.
fn engine(dir: &Path, secret: &str) -> Engine {
    let cache = CacheConfig::new(dir, CacheKey::derive(secret.as_bytes()));
    Engine::new(EngineConfig { permits: 4, cache: Some(cache), ..EngineConfig::default() }).unwrap()
}

async fn load(engine: &Engine, component: &[u8]) -> Arc<Loaded> {
    engine.load(verified(component)).await.unwrap()
}

/// A component that no other test compiles.
fn small(mark: u32) -> Vec<u8> {
    wat(&format!(
        "(component (core module $m (func (export \"f\") (result i32) i32.const {mark})) \
         (core instance (instantiate $m)))"
    ))
}

/// The file of this component's code, or that of its proof.
fn file(dir: &Path, loaded: &Loaded, extension: &str) -> PathBuf {
    let source = loaded.claims().hash.to_string();
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let ending = format!(".{extension}");
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&source) && name.ends_with(&ending)
    };
    files.into_iter().find(is_it).unwrap()
}

#[tokio::test]
async fn compiled_code_is_used_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = load(&engine(dir.path(), "key"), &small(1)).await;
    let second = load(&engine(dir.path(), "key"), &small(1)).await;
    assert_eq!((first.origin(), second.origin()), (Origin::Compiled, Origin::Cache));
    let actor = Setup::new().actor(second);
    bench::instantiate_and_drop(&actor, outside(&actor, PATIENCE)).await.unwrap();
}

/// One thread does what blocks, one after another.
fn with_one_blocking_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn code_that_was_looked_for_early_is_used() {
    let dir = tempfile::tempdir().unwrap();
    with_one_blocking_thread().block_on(async {
        load(&engine(dir.path(), "key"), &small(8)).await;
        let (engine, component) = (engine(dir.path(), "key"), verified(&small(8)));
        let early = engine.look_early(component.bytes().clone());
        let path = dir.path().to_owned();
        let removed = tokio::task::spawn_blocking(move || {
            for file in fs::read_dir(path).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        });
        removed.await.unwrap();
        let loaded = engine.load_begun(component, None, Some(early)).await.unwrap();
        assert_eq!(loaded.origin(), Origin::Cache, "it was found before it was removed");
    });
}

#[tokio::test]
async fn code_that_was_looked_for_early_is_not_used_for_another_component() {
    let dir = tempfile::tempdir().unwrap();
    load(&engine(dir.path(), "key"), &small(9)).await;
    let engine = engine(dir.path(), "key");
    let early = engine.look_early(verified(&small(9)).bytes().clone());
    let loaded = engine.load_begun(verified(&small(10)), None, Some(early)).await.unwrap();
    assert_eq!(loaded.origin(), Origin::Compiled);
    // Of what nobody can read nothing is found, and nothing is lost.
    let early = engine.look_early(b"nonsense".to_vec().into());
    let loaded = engine.load_begun(verified(&small(9)), None, Some(early)).await.unwrap();
    assert_eq!(loaded.origin(), Origin::Cache);
}

#[tokio::test]
async fn cached_code_that_this_host_did_not_put_there_is_not_run() {
    type Tamper = fn(&Path, &Loaded, &Loaded);
    let cases: &[(&str, Tamper)] = &[
        ("one bit of the code is flipped", |dir, loaded, _| {
            let path = file(dir, loaded, "cwasm");
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("the code is cut", |dir, loaded, _| {
            let path = file(dir, loaded, "cwasm");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("it is the code of another component", |dir, loaded, other| {
            fs::copy(file(dir, other, "cwasm"), file(dir, loaded, "cwasm")).unwrap();
        }),
        ("it is all that belongs to another component", |dir, loaded, other| {
            for extension in ["cwasm", "mac"] {
                fs::copy(file(dir, other, extension), file(dir, loaded, extension)).unwrap();
            }
        }),
        ("its proof is cut", |dir, loaded, _| {
            fs::write(file(dir, loaded, "mac"), [0; 31]).unwrap();
        }),
        ("its proof is missing", |dir, loaded, _| {
            fs::remove_file(file(dir, loaded, "mac")).unwrap();
        }),
        ("it is a link to the right file", |dir, loaded, _| {
            let path = file(dir, loaded, "cwasm");
            let moved = path.with_extension("moved");
            fs::rename(&path, &moved).unwrap();
            symlink(moved, path).unwrap();
        }),
    ];
    for (what, tamper) in cases {
        let dir = tempfile::tempdir().unwrap();
        {
            let engine = engine(dir.path(), "key");
            let (loaded, other) = (load(&engine, &small(2)).await, load(&engine, &small(3)).await);
            tamper(dir.path(), &loaded, &other);
        }
        let again = load(&engine(dir.path(), "key"), &small(2)).await;
        assert_eq!(again.origin(), Origin::Compiled, "although {what}");
        let healed = load(&engine(dir.path(), "key"), &small(2)).await;
        assert_eq!(healed.origin(), Origin::Cache, "after {what}");
    }
}

#[tokio::test]
async fn a_full_cache_lets_go_of_what_was_not_used_for_the_longest_time() {
    let dir = tempfile::tempdir().unwrap();
    let cached = |bytes_max: u64| {
        let key = CacheKey::derive(b"key");
        let cache = CacheConfig { bytes_max, ..CacheConfig::new(dir.path(), key) };
        Engine::new(EngineConfig { permits: 4, cache: Some(cache), ..EngineConfig::default() })
    };
    let roomy = cached(u64::MAX).unwrap();
    let (first, second) = (load(&roomy, &small(7)).await, load(&roomy, &small(8)).await);
    let bytes: u64 =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    drop((first, second));
    // The first is used again, and a third finds no room.
    let full = cached(bytes + bytes / 4).unwrap();
    assert_eq!(load(&full, &small(7)).await.origin(), Origin::Cache);
    load(&full, &small(9)).await;
    let again = cached(u64::MAX).unwrap();
    let mut origins = Vec::new();
    for mark in [7, 9, 8] {
        origins.push(load(&again, &small(mark)).await.origin());
    }
    assert_eq!(origins, [Origin::Cache, Origin::Cache, Origin::Compiled]);
}

#[tokio::test]
async fn signing_a_component_again_asks_for_no_new_code() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (verified(&small(10)), kit::verified_again(&small(10)));
    assert_ne!(one.digest(), other.digest());
    engine(dir.path(), "key").load(one).await.unwrap();
    let loaded = engine(dir.path(), "key").load(other).await.unwrap();
    assert_eq!(loaded.origin(), Origin::Cache);
}

#[tokio::test]
async fn the_cache_of_another_host_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    load(&engine(dir.path(), "theirs"), &small(4)).await;
    let ours = load(&engine(dir.path(), "ours"), &small(4)).await;
    assert_eq!(ours.origin(), Origin::Compiled);
}

#[tokio::test]
async fn a_cache_that_others_can_write_to_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let cache = CacheConfig::new(open, CacheKey::derive(b"key"));
    let error = Engine::new(EngineConfig { cache: Some(cache), ..EngineConfig::default() });
    assert_eq!(error.unwrap_err().code(), "WT-ENGINE-CACHE");
}

#[tokio::test]
async fn a_fresh_cache_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("a/b");
    load(&engine(&cache, "key"), &small(5)).await;
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let leftovers: Vec<_> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_of_one_component_share_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path(), "key");
    let bytes = small(6);
    let (a, b) = tokio::join!(load(&engine, &bytes), load(&engine, &bytes));
    assert!(Arc::ptr_eq(&a, &b));
    assert!(Arc::ptr_eq(&a, &load(&engine, &bytes).await));
}

#[tokio::test]
async fn what_cannot_run_here_is_refused_with_a_code_and_the_reason() {
    let small_engine = |dir: &TempDir| {
        let cache = CacheConfig::new(dir.path().join("c"), CacheKey::derive(b"key"));
        Engine::new(EngineConfig {
            permits: 4,
            component_bytes_max: 100_000,
            cache: Some(cache),
            ..EngineConfig::default()
        })
    };
    let imports = r#"(component
        (import "acme:billing/invoices@1.0.0" (instance (export "list" (func))))
        (import "wasi:http/types@0.4.0" (instance))
        (import "wasi:blobstore/blobstore@0.2.0-draft" (instance))
        (import "wasi:io/error@0.2.3" (instance)))"#;
    let unknown_function = r#"(component
        (import "wasi:io/error@0.2.99" (instance (export "no-such-function" (func)))))"#;
    let huge = "(component (core module $m (memory 3000)) (core instance (instantiate $m)))";
    let cases: &[(Vec<u8>, &str, &[&str])] = &[
        (
            wat(imports),
            "WT-ENGINE-IMPORT",
            &[
                "component imports wasi:http/types@0.4.0; hosts here offer 0.2.12 and 0.3.0",
                "component imports wasi:blobstore/blobstore@0.2.0-draft; hosts here have no provider",
            ],
        ),
        (wat(unknown_function), "WT-ENGINE-LINK", &["no-such-function"]),
        (wat("(component (core module (memory i64 1)))"), "WT-ENGINE-COMPILE", &["memory64"]),
        (wat(huge), "WT-ENGINE-COMPILE", &["memory"]),
        (guest("exerciser"), "WT-ENGINE-TOO-LARGE", &["100000"]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let engine = small_engine(&dir).unwrap();
    for (component, code, reasons) in cases {
        let error = engine.load(verified(component)).await.unwrap_err();
        let chain = wattle_tasks::Chain(&error).to_string();
        assert_eq!(error.code(), *code, "{chain}");
        for reason in *reasons {
            assert!(chain.contains(reason), "{chain} does not say {reason}");
        }
        if let LoadError::Unprovided { missing, .. } = error {
            assert_eq!(missing.len(), 2, "what is provided or can be linked is not missing");
        }
    }
}

#[tokio::test]
async fn logging_is_there_under_its_name_without_a_version_too() {
    for name in ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"] {
        let component = wat(&format!(
            r#"(component
                (import "{name}" (instance $logging
                    (type $level' (enum "trace" "debug" "info" "warn" "error" "critical"))
                    (export "level" (type $level (eq $level')))
                    (export "log" (func (param "level" $level) (param "context" string)
                        (param "message" string)))))
                (core module $memory (memory (export "memory") 1)
                    (data (i32.const 8) "hello"))
                (core instance $memory (instantiate $memory))
                (core func $log' (canon lower (func $logging "log") (memory (core memory $memory "memory"))))
                (core module $main
                    (import "" "log" (func $log (param i32 i32 i32 i32 i32)))
                    (func $start (call $log (i32.const 3) (i32.const 8) (i32.const 0)
                        (i32.const 8) (i32.const 5)))
                    (start $start))
                (core instance (instantiate $main (with "" (instance
                    (export "log" (func $log')))))))"#
        ));
        let setup = Setup::new();
        let heard = setup.log.clone();
        let loaded = kit::engine().load(verified(&component)).await.unwrap();
        let actor = setup.actor(loaded);
        bench::instantiate_and_drop(&actor, outside(&actor, PATIENCE)).await.unwrap();
        assert_eq!(heard.lines(), ["exerciser Logging Warn \"\" hello"]);
    }
}

#[tokio::test]
async fn a_component_that_does_not_answer_http_is_an_error_and_not_begun() {
    let actor = Setup::new().run("greet").await;
    assert!(!actor.loaded().exports_http());
    let error = kit::get(&actor, "/").await.unwrap_err();
    assert_eq!((error.code(), error.begun()), ("WT-ENGINE-NOT-HTTP", false));
    let greeting = bench::greet(&actor, outside(&actor, PATIENCE), "world").await;
    assert_eq!(greeting.as_deref(), Ok("Hello, world!"));
}

#[test]
fn an_engine_without_permits_or_with_too_many_is_refused() {
    for permits in [0, 5_000, u32::MAX] {
        let error = Engine::new(EngineConfig { permits, ..EngineConfig::default() }).unwrap_err();
        assert_eq!(error.code(), "WT-ENGINE-PERMITS", "{permits}");
    }
}
