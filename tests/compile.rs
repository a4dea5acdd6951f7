//! Compiling happens elsewhere: children of the real binary, held to what they may take, while the
//! engine that asked for them goes on.

use std::{
    fs,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};
use wasm_encoder::{
    BlockType, CodeSection, Component as Encoded, Function, FunctionSection, Instruction, Module,
    ModuleSection, TypeSection, ValType,
};
use wattle_engine::{CompileConfig, Compiler, Engine, EngineConfig, LoadError, Origin};
use wattle_tests::{Look, binary, guest, wait_until};
use wattle_trust::{KeyPair, SignRequest, TrustFile, TrustPolicy, VerifiedComponent, claims};
use wattle_types::Role;

const WITHIN: Duration = Duration::from_secs(60);

/// An engine as a host has it, but for these bounds. Without a cache: every load compiles.
fn engine(mut compile: CompileConfig) -> Engine {
    compile.compiler =
        Compiler::Child { program: binary().to_owned(), args: vec!["compile-server".to_owned()] };
    Engine::new(EngineConfig { permits: 4, compile, ..EngineConfig::default() })
        .expect("an engine for four calls can be made")
}

fn verified(component: &[u8]) -> VerifiedComponent {
    static ISSUER: LazyLock<KeyPair> =
        LazyLock::new(|| KeyPair::generate(Role::Account).expect("a key can be made"));
    let module = KeyPair::generate(Role::Module).expect("a key can be made");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let request = SignRequest::new(module.public().try_into().expect("a module key"), "test");
    let signed = claims::sign(component, &request, &ISSUER, now).expect("it can be signed");
    let issuer = ISSUER.public().try_into().expect("an account key");
    let trust = TrustFile::new().with_issuer(&issuer, "tests");
    let policy = TrustPolicy::try_from(&trust).expect("a key makes a policy");
    wattle_trust::verify(signed.into(), &policy, now).expect("it is signed by whom we believe")
}

/// One function that is small in the file and takes a compiler minutes and gigabytes: many values that
/// all live at once, through many branches. Different for each mark.
fn bomb(mark: i64) -> VerifiedComponent {
    const LOCALS: u32 = 2_000;
    const BRANCHES: u32 = 40_000;
    let mut body = Function::new([(LOCALS, ValType::I64)]);
    let mut code = body.instructions();
    code.i64_const(mark).local_set(0);
    for n in 0..BRANCHES {
        let (from, to) = (n % LOCALS, (n * 7 + 1) % LOCALS);
        code.local_get(from).i64_eqz().if_(BlockType::Empty);
        code.local_get(from).i64_const(i64::from(n)).i64_mul().local_get(to).i64_xor();
        code.local_set(to).end();
    }
    for local in 0..LOCALS {
        code.local_get(local).local_get(0).i64_add().local_set(0);
    }
    code.local_get(0).end();
    component(&body)
}

/// One that is compiled in no time. Different for each mark.
fn small(mark: i64) -> VerifiedComponent {
    let mut body = Function::new([]);
    body.instruction(&Instruction::I64Const(mark)).instruction(&Instruction::End);
    component(&body)
}

fn component(body: &Function) -> VerifiedComponent {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I64]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut code = CodeSection::new();
    code.function(body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = Encoded::new();
    component.section(&ModuleSection(&module));
    verified(&component.finish())
}

/// The compilers that are at work for an engine, by what the kernel says.
fn children(engine: &Engine) -> Vec<u32> {
    let Some(server) = engine.compiler_pid() else { return Vec::new() };
    let threads = fs::read_dir(format!("/proc/{server}/task")).into_iter().flatten().flatten();
    let children = threads.flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    children.collect()
}

/// Waits for a compiler that has bounded itself, and so is about to read its component.
async fn at_work(engine: &Engine, count: usize) -> Vec<u32> {
    wait_until(&format!("{count} compilers are at work"), WITHIN, async || {
        let found = children(engine);
        let ready = found.iter().all(|pid| {
            let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
            limits.contains("Max core file size        0                    0")
        });
        Look::some((ready && found.len() == count).then(|| found.clone()), || format!("{found:?}"))
    })
    .await
}

async fn none_at_work(engine: &Engine) {
    wait_until("no compiler is at work", WITHIN, async || {
        let found = children(engine);
        Look::some(found.is_empty().then_some(()), || format!("{found:?}"))
    })
    .await;
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process has a pid");
    kill_process(pid, signal).expect("our own children can be signalled");
}

#[tokio::test]
async fn a_component_is_compiled_by_a_child_and_runs_here() {
    let engine = engine(CompileConfig::default());
    let loaded = engine.load(verified(&guest("http-hello").0)).await.unwrap();
    assert_eq!(loaded.origin(), Origin::Compiled);
    assert!(loaded.exports_http());
    none_at_work(&engine).await;
}

#[tokio::test]
async fn what_the_compiler_refuses_is_told_in_its_own_words() {
    let mut body = Function::new([]);
    // A number where none is expected.
    body.instruction(&Instruction::I32Const(1)).instruction(&Instruction::End);
    let error = engine(CompileConfig::default()).load(component(&body)).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-COMPILE");
    let LoadError::Compile { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("type mismatch"), "{source}");
}

#[tokio::test]
async fn what_takes_too_long_to_compile_is_refused_and_the_next_one_is_not() {
    // A fast machine needs more memory than by default before the time is over.
    let (time_max, memory_bytes_max) = (Duration::from_secs(2), 8 << 30);
    let engine = engine(CompileConfig { time_max, memory_bytes_max, ..CompileConfig::default() });
    let error = engine.load(bomb(1)).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-COMPILE-TIME", "{error:?}");
    none_at_work(&engine).await;
    engine.load(small(1)).await.unwrap();
}

#[tokio::test]
async fn what_takes_too_much_memory_to_compile_is_refused_and_the_next_one_is_not() {
    let memory_bytes_max = 256 << 20;
    let engine = engine(CompileConfig { memory_bytes_max, ..CompileConfig::default() });
    let error = engine.load(bomb(2)).await.unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-COMPILE-MEMORY", "{error:?}");
    engine.load(small(2)).await.unwrap();
}

#[tokio::test]
async fn a_compiler_has_nothing_of_the_host_and_little_of_the_machine() {
    let engine = engine(CompileConfig::default());
    let loading = tokio::spawn({
        let engine = engine.clone();
        async move { engine.load(bomb(3)).await }
    });
    let pid = at_work(&engine, 1).await[0];
    let of = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap();
    assert_eq!(of("environ"), b"", "no environment");
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open: Vec<PathBuf> =
        open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    let ours = |path: &PathBuf| path.to_string_lossy().starts_with("/memfd:");
    assert!(open.len() == 3 && open.iter().all(ours), "no descriptors but three: {open:?}");
    let status = String::from_utf8(of("status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let stat = String::from_utf8(of("stat")).unwrap();
    let nice = stat.rsplit(')').next().unwrap().split_whitespace().nth(16);
    assert_eq!(nice, Some("10"), "{stat}");
    let limits = String::from_utf8(of("limits")).unwrap();
    assert!(limits.contains("Max address space         1073741824"), "{limits}");
    loading.abort();
    none_at_work(&engine).await;
}

#[tokio::test]
async fn so_many_are_compiled_at_once_as_may_be_and_the_next_one_waits() {
    let engine = engine(CompileConfig { at_once: 2, ..CompileConfig::default() });
    let loading: Vec<_> = (10..13)
        .map(|mark| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.load(bomb(mark)).await })
        })
        .collect();
    let first = at_work(&engine, 2).await;
    signal(first[0], Signal::KILL);
    // The third takes the place of the one that has ended.
    let next = wait_until("the third one begins", WITHIN, async || {
        let now = children(&engine);
        assert!(now.len() <= 2, "{now:?}");
        let third = now.iter().any(|pid| !first.contains(pid));
        Look::some(third.then(|| now.clone()), || format!("{now:?}"))
    });
    assert!(next.await.contains(&first[1]));
    loading.iter().for_each(|loading| loading.abort());
    none_at_work(&engine).await;
}

#[tokio::test]
async fn a_compiler_that_is_killed_is_told_with_the_signal() {
    let engine = engine(CompileConfig::default());
    let loading = tokio::spawn({
        let engine = engine.clone();
        async move { engine.load(bomb(4)).await }
    });
    signal(at_work(&engine, 1).await[0], Signal::KILL);
    let error = loading.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-COMPILER-KILLED");
    let LoadError::Compile { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("signal 9"), "{source}");
}

#[tokio::test]
async fn the_process_that_starts_compilers_takes_them_with_it_and_is_started_again() {
    let engine = engine(CompileConfig::default());
    let loading = tokio::spawn({
        let engine = engine.clone();
        async move { engine.load(bomb(5)).await }
    });
    let compiler = at_work(&engine, 1).await[0];
    let server = engine.compiler_pid().unwrap();
    signal(server, Signal::KILL);
    let error = loading.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "WT-ENGINE-COMPILER-GONE");
    wait_until("the compiler has ended too", WITHIN, async || {
        let status = fs::read_to_string(format!("/proc/{compiler}/status")).unwrap_or_default();
        let ended = status.is_empty() || status.contains("State:\tZ");
        Look::some(ended.then_some(()), || status.clone())
    })
    .await;
    engine.load(small(5)).await.unwrap();
    assert_ne!(engine.compiler_pid(), Some(server));
}

#[tokio::test]
async fn the_process_that_starts_compilers_ends_with_the_engine() {
    let engine = engine(CompileConfig::default());
    let server = engine.compiler_pid().unwrap();
    drop(engine);
    assert!(!fs::exists(format!("/proc/{server}")).unwrap(), "it was waited for");
}
