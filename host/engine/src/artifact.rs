//! Machine code on its way into wasmtime. This file alone makes code of bytes.
//!
//! What is mapped here runs outside every sandbox, so whoever calls [`map`] says why the file can be
//! believed, and why nobody can change it afterwards: pages are read when they are first used, long
//! after anything was checked.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

#[cfg(feature = "compiler")]
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::fs::{Mode, OFlags};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Code that a compiler of ours has just made, in memory that nobody can write to any more.
#[derive(Debug)]
pub struct Artifact(File);

impl Artifact {
    /// Takes what was written into a file of [`in_memory`], and ends all writing to it.
    ///
    /// # Errors
    /// Somebody still has it mapped for writing.
    #[cfg(feature = "compiler")]
    pub(crate) fn seal(made: File) -> io::Result<Self> {
        let all = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&made, all)?;
        Ok(Self(made))
    }

    /// How long it is, in bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// To be read from its beginning.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<File> {
        let mut file = File::open(path_of(&self.0))?;
        file.rewind()?;
        Ok(file)
    }

    #[allow(unsafe_code)]
    pub(crate) fn map(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: our own compiler made it, in this process or in a child that nobody else can
        // reach, and nobody can change it: it is sealed.
        unsafe { map(engine, &self.0) }
    }
}

/// A file in memory, to be written and then sealed.
#[cfg(feature = "compiler")]
pub(crate) fn in_memory(name: &str) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(memfd_create(name, flags)?.into())
}

/// Opens a file, and nothing that a link points to.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Maps the file that was checked: by its descriptor, since its name may mean another file by now.
///
/// # Safety
/// The file holds what `Engine::precompile_component` of this very wasmtime gave, and does not change
/// while the component or anything made of it lives.
#[allow(unsafe_code)]
pub(crate) unsafe fn map(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    // SAFETY: the caller's promise.
    unsafe { Component::deserialize_file(engine, path_of(file)) }
}

fn path_of(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
