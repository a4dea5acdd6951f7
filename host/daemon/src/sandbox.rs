//! What `--sandbox` promises: from a moment on, this process can do what a host does and no more.
//!
//! Two steps, because the kernel guards files thread by thread and system calls for all threads at
//! once: [`Sandbox::guard_files`] comes before there is a second thread, [`Sandbox::close`] once
//! the folder, the port and the pool of instances are open. Both are for good, and hold for every
//! process that is started afterwards.
//!
//! It is a second wall: it stops nothing that a guest may do, and bounds what somebody could do who
//! had broken out of a guest. `docs/guide-hardening.md` says what it does not bound.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod files;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod probe;

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "sandbox/elsewhere.rs"]
mod linux;

use std::fmt;
use std::path::{Path, PathBuf};

/// Why the promise cannot be kept; the process must not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    #[error(
        "--sandbox needs Linux on x86-64 or 64-bit Arm, and this is {} on {}; leave it out, or \
         bound the process from outside",
        std::env::consts::OS,
        std::env::consts::ARCH
    )]
    Platform,
    #[error("could not count the threads of this process in /proc")]
    Threads(#[source] std::io::Error),
    #[error("this process has {0} threads already; files can be guarded only before the second")]
    Late(usize),
    #[error("could not guard the files outside {}", folder.display())]
    Files { folder: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not keep the memory of this process out of core files and debuggers")]
    Memory(#[source] std::io::Error),
    #[error("could not limit the system calls of this process")]
    Calls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The kernel, or something between us and it, took the filter and does not obey it.
    #[error("the filter of system calls is in place, and {0} went through")]
    Leaks(&'static str),
}

impl SandboxError {
    /// Stable; `docs/errors/WT-HOST.md` says what would help.
    pub fn code(&self) -> &'static str {
        "WT-HOST-SANDBOX"
    }
}

/// The first half of the promise: files are guarded, system calls not yet.
#[derive(Debug)]
#[must_use = "system calls are limited only by `close`"]
pub struct Sandbox {
    folder: PathBuf,
    files: Files,
}

/// How far the kernel guards files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// By Landlock of this version. Early versions let an open file be cut short, or a signal be
    /// sent to another process of the same user.
    Guarded { landlock: u32 },
    /// The kernel has no Landlock. Ownership and modes are what is left.
    Unguarded,
}

/// The whole promise: what was done, for the log.
#[derive(Debug)]
struct Closed {
    folder: PathBuf,
    files: Files,
    allowed: usize,
    refused: Vec<&'static str>,
}

impl Sandbox {
    /// From now on this process writes below `folder` only, where the kernel has Landlock, and can
    /// gain no privilege.
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub fn guard_files(folder: &Path) -> Result<Self, SandboxError> {
        Ok(Self { folder: folder.to_owned(), files: linux::guard_files(folder)? })
    }

    /// From now on this process makes no system call that a host does not need: it starts no
    /// program, listens nowhere else, and cannot look into another process. Signals reach itself
    /// and `children`. What was done is said in the log.
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub fn close(self, children: &[u32]) -> Result<(), SandboxError> {
        let (allowed, refused) = linux::close(children)?;
        let closed = Closed { folder: self.folder, files: self.files, allowed, refused };
        tracing::info!("sandbox: {closed}");
        Ok(())
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no new privileges, no core files, no debuggers; ")?;
        match self.files {
            Files::Guarded { landlock } => {
                write!(f, "writes only below {} (Landlock {landlock}); ", self.folder.display())?;
            }
            Files::Unguarded => {
                f.write_str("files as their modes say (this kernel has no Landlock); ")?;
            }
        }
        write!(f, "seccomp: {} system calls allowed, all others fail with ENOSYS; ", self.allowed)?;
        write!(f, "checked: {} are refused", self.refused.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_and_what_was_not_is_said_in_one_line() {
        let closed = |files| Closed {
            folder: PathBuf::from("/var/lib/wattle"),
            files,
            allowed: 120,
            refused: vec!["execve", "ptrace"],
        };
        let guarded = closed(Files::Guarded { landlock: 7 }).to_string();
        assert!(guarded.contains("writes only below /var/lib/wattle (Landlock 7)"), "{guarded}");
        assert!(guarded.ends_with("checked: execve, ptrace are refused"), "{guarded}");
        assert!(closed(Files::Unguarded).to_string().contains("no Landlock"));
    }
}
