//! Where the hosts of this binary get machine code from: the flags, and the two processes behind a
//! compiler.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::builder::BoolishValueParser;
use wattle_host::code::{AddressSpace, CodeConfig, CompileConfig, Compiler, Target};

use crate::size;

/// Of `wattle host`, `wattle up` and `wattle run`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CodeArgs {
    /// Compile nothing: only what is compiled already runs, by this host earlier or by a compiler
    /// that its trust file names.
    #[arg(long, env = "WATTLE_NO_COMPILER", value_parser = BoolishValueParser::new())]
    no_compiler: bool,
    /// A folder of code that `wattle compile --artifacts` made; code beside a component is found
    /// without it.
    #[arg(long, env = "WATTLE_ARTIFACTS", value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// What runs the code: the processor of this machine, or wasmtime's interpreter, some ten times
    /// slower [default: the processor, where wasmtime makes code for it].
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// How large the machine is. `edge`: fewer calls at once and less memory, and memories that fit
    /// 39 bits of address space; code made for the one does not run on the other.
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    profile: Size,
    /// The size of the cache of compiled code, such as 4GiB [default: 2GiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    cache_max: Option<u64>,
    #[command(flatten)]
    compile: CompileArgs,
}

/// What compiling may take. Of everything that compiles.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CompileArgs {
    /// Components compiled at once [default: one less than there are processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    compilers: Option<u16>,
    /// What compiling one component may take of memory, such as 512MiB [default: 1GiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    compile_memory: Option<u64>,
    /// What compiling one component may take of time, in seconds [default: 120].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    compile_time: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    Native,
    Pulley,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    #[default]
    Server,
    Edge,
}

impl CodeArgs {
    pub(crate) fn config(&self) -> Result<CodeConfig> {
        if let Some(dir) = &self.artifacts {
            ensure!(dir.is_dir(), "--artifacts: there is no folder {}", dir.display());
        }
        let is_pulley = self.engine == Some(Engine::Pulley);
        ensure!(
            !is_pulley || cfg!(feature = "pulley"),
            "--engine pulley: this wattle was built without it (feature `pulley`)"
        );
        let mut compile = self.compile.config();
        if self.no_compiler {
            compile.compiler = Compiler::None;
        }
        Ok(CodeConfig {
            compile,
            cache_bytes_max: self.cache_max,
            artifacts_dir: self.artifacts.as_ref().map(std::path::absolute).transpose()?,
            target: is_pulley.then_some(Target::Pulley64),
            space: match self.profile {
                Size::Server => AddressSpace::Server,
                Size::Edge => AddressSpace::Edge,
            },
        })
    }

    /// The same flags, for a command that starts another.
    #[cfg(feature = "operate")]
    pub(crate) fn again(&self) -> Vec<String> {
        // Exact, because the smallest unit of these flags is KiB.
        let size = |name: &str, bytes: u64| format!("--{name}={}KiB", bytes >> 10);
        let CompileArgs { compilers, compile_memory, compile_time } = &self.compile;
        let engine = self.engine.map(|engine| match engine {
            Engine::Native => "--engine=native".to_owned(),
            Engine::Pulley => "--engine=pulley".to_owned(),
        });
        let flags = [
            self.no_compiler.then(|| "--no-compiler".to_owned()),
            self.artifacts.as_ref().map(|dir| format!("--artifacts={}", dir.display())),
            engine,
            (self.profile == Size::Edge).then(|| "--profile=edge".to_owned()),
            self.cache_max.map(|bytes| size("cache-max", bytes)),
            compilers.map(|n| format!("--compilers={n}")),
            compile_memory.map(|bytes| size("compile-memory", bytes)),
            compile_time.map(|seconds| format!("--compile-time={seconds}")),
        ];
        flags.into_iter().flatten().collect()
    }
}

impl CompileArgs {
    pub(crate) fn config(&self) -> CompileConfig {
        let default = CompileConfig { compiler: compiler(), ..CompileConfig::default() };
        CompileConfig {
            at_once: self.compilers.map_or(default.at_once, usize::from),
            memory_bytes_max: self.compile_memory.unwrap_or(default.memory_bytes_max),
            time_max: self.compile_time.map_or(default.time_max, Duration::from_secs),
            ..default
        }
    }
}

/// Children of this very program, also when its file has been replaced since it was started.
#[cfg(feature = "compiler")]
fn compiler() -> Compiler {
    Compiler::Child { program: "/proc/self/exe".into(), args: vec![SERVER.to_owned()] }
}

#[cfg(not(feature = "compiler"))]
fn compiler() -> Compiler {
    Compiler::None
}

/// The process that starts compilers, and the compiler of one component. Not among the commands:
/// no person starts them.
#[cfg(feature = "compiler")]
const SERVER: &str = "compile-server";
#[cfg(feature = "compiler")]
const CHILD: &str = "compile-child";

/// Is one of the two processes, if this one was started as it.
#[cfg(feature = "compiler")]
pub(crate) fn run_if_asked() -> Option<std::process::ExitCode> {
    use wattle_host::code::{child, server};

    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        SERVER => Some(server::run(&[CHILD])),
        CHILD => Some(child::run(&args.collect::<Vec<_>>())),
        _ => None,
    }
}
