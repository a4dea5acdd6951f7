//! The two steps on Linux: Landlock for the thread that calls, seccomp for all there are.

use std::path::Path;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getpid, set_dumpable_behavior, setrlimit,
};

use super::{Files, SandboxError, calls, files, probe};

pub(super) fn guard_files(folder: &Path) -> Result<Files, SandboxError> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(SandboxError::Threads)?.count();
    if threads != 1 {
        return Err(SandboxError::Late(threads));
    }
    files::guard(folder)
        .map_err(|source| SandboxError::Files { folder: folder.to_owned(), source: source.into() })
}

/// How many system calls are allowed, and which were tried and refused.
pub(super) fn close(children: &[u32]) -> Result<(usize, Vec<&'static str>), SandboxError> {
    // What is in memory (keys, secrets, one tenant's data) stays there. Not earlier: what a
    // process may read of itself in /proc, the pool of instances has opened by now.
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, nothing).map_err(|error| SandboxError::Memory(error.into()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| SandboxError::Memory(error.into()))?;

    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    let (program, allowed) =
        calls::program(own, children).map_err(|error| SandboxError::Calls(error.into()))?;
    // Sets no-new-privileges as well, and fails if one thread could not be reached.
    seccompiler::apply_filter_all_threads(&program)
        .map_err(|error| SandboxError::Calls(error.into()))?;
    let refused = probe::refused().map_err(SandboxError::Leaks)?;
    Ok((allowed, refused))
}
