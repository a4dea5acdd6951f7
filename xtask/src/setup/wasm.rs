//! The target `wasm32-wasip2`: already installed, added by rustup, or built from Debian's packages.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{place::Places, run, say::Story};

pub(crate) const TARGET: &str = "wasm32-wasip2";

/// The name under which rustup knows the toolchain made from Debian's packages.
const GUEST_TOOLCHAIN: &str = "wattle-guest";

/// A rustc whose library source is packaged too, beside the one of rustup.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];

/// Which cargo builds guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that builds everything else.
    Active,
    /// The one made from Debian's packages.
    Guest,
}

impl Toolchain {
    /// `cargo` or `rustc` of this toolchain.
    pub(crate) fn program(self, name: &str) -> Command {
        match self {
            Self::Active => {
                let known = if name == "cargo" { "CARGO" } else { "RUSTC" };
                Command::new(env::var_os(known).unwrap_or_else(|| name.into()))
            }
            Self::Guest => {
                let mut command = Command::new(name);
                command.arg(format!("+{GUEST_TOOLCHAIN}"));
                // What cargo set for us belongs to the other toolchain.
                for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
                    command.env_remove(variable);
                }
                command
            }
        }
    }

    fn has_target(self) -> bool {
        let asked = run::output(self.program("rustc").args([
            "--print",
            "target-libdir",
            "--target",
            TARGET,
        ]));
        asked.is_ok_and(|folder| has_std(Path::new(folder.trim())))
    }
}

pub(crate) fn ensure(places: &Places, story: &Story) -> Result<Toolchain> {
    for toolchain in [Toolchain::Active, Toolchain::Guest] {
        if toolchain.has_target() {
            story.step(match toolchain {
                Toolchain::Active => format!("{TARGET}, installed"),
                Toolchain::Guest => format!("{TARGET}, in the toolchain {GUEST_TOOLCHAIN}"),
            });
            return Ok(toolchain);
        }
    }
    let log = places.tools().join("wasip2.log");
    story.step(format_args!("{TARGET} is missing; asking rustup for it"));
    let mut rustup = Command::new("rustup");
    let by_rustup =
        run::logged(story, "rustup target add", rustup.args(["target", "add", TARGET]), &log);
    if by_rustup.is_ok() && Toolchain::Active.has_target() {
        story.step(format_args!("{TARGET}, added by rustup"));
        return Ok(Toolchain::Active);
    }
    story.step(format_args!("rustup could not add {TARGET}; building it from Debian's packages"));
    from_debian(places, story, &log).with_context(|| {
        format!(
            "the Rust target {TARGET} is missing; three ways to get it:\n\
             \x20 1. `rustup target add {TARGET}`\n\
             \x20 2. on Debian, as root: `apt-get install {}`, and run `cargo xtask setup` again\n\
             \x20 3. link a toolchain that has it: `rustup toolchain link {GUEST_TOOLCHAIN} FOLDER`",
            DEBIAN_PACKAGES.join(" ")
        )
    })?;
    ensure!(
        Toolchain::Guest.has_target(),
        "the toolchain {GUEST_TOOLCHAIN} was made, but has no {TARGET}"
    );
    story.step(format_args!("{TARGET}, in the toolchain {GUEST_TOOLCHAIN}"));
    Ok(Toolchain::Guest)
}

/// A folder may exist with nothing but linker objects in it.
fn has_std(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Builds `std` from Debian's source with Debian's compiler, and puts a sysroot together in our cache:
/// nothing outside of it changes but rustup's list of toolchains.
fn from_debian(places: &Places, story: &Story, log: &Path) -> Result<()> {
    let compiler = Path::new("/usr/bin/rustc");
    let source = Path::new("/usr/lib/rustlib/src/rust");
    let libc = Path::new("/usr/lib/wasm32-wasi");
    if !(compiler.exists()
        && Path::new("/usr/bin/cargo").exists()
        && source.exists()
        && libc.exists())
    {
        apt_install(&DEBIAN_PACKAGES, story, log)?;
    }
    let work = places.tools().join("wasip2");
    let built = build_std(&work.join("build"), story, log)?;
    let host = host_of(compiler)?;
    let linkers = linkers(&host)?;
    let sysroot = work.join("sysroot");
    if sysroot.exists() {
        fs::remove_dir_all(&sysroot).with_context(|| format!("remove {}", sysroot.display()))?;
    }
    let rustlib = sysroot.join("lib/rustlib");
    let library = rustlib.join(TARGET).join("lib");
    let self_contained = library.join("self-contained");
    for folder in [&self_contained, &rustlib.join(&host), &sysroot.join("bin")] {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    for file in built {
        let name = file.file_name().context("a built library has a name")?;
        fs::copy(&file, library.join(name)).with_context(|| format!("copy {}", file.display()))?;
    }
    for object in ["crt1-command.o", "crt1-reactor.o", "libc.a"] {
        let from = libc.join(object);
        fs::copy(&from, self_contained.join(object))
            .with_context(|| format!("copy {}", from.display()))?;
    }
    // Proc macros and build scripts run here, so the host's own std is needed as well.
    symlink(
        Path::new("/usr/lib/rustlib").join(&host).join("lib"),
        rustlib.join(&host).join("lib"),
    )?;
    symlink(&linkers, rustlib.join(&host).join("bin"))?;
    symlink("/usr/bin/cargo", sysroot.join("bin/cargo"))?;
    let wrapper = sysroot.join("bin/rustc");
    // Debian's compiler finds its libraries beside itself; this one must find them here.
    fs::write(
        &wrapper,
        format!(
            "#!/bin/sh\nexec {} --sysroot '{}' \"$@\"\n",
            compiler.display(),
            sysroot.display()
        ),
    )?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    let mut link = Command::new("rustup");
    run::logged(
        story,
        "linking the toolchain",
        link.args(["toolchain", "link", GUEST_TOOLCHAIN]).arg(&sysroot),
        log,
    )
}

/// The libraries of `std` for the target, built once from the packaged source in an empty crate.
fn build_std(folder: &Path, story: &Story, log: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder.join("src")).with_context(|| format!("make {}", folder.display()))?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"wasip2-std\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n",
    )?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let mut cargo = Command::new("/usr/bin/cargo");
    for (variable, _) in env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO") || name.starts_with("RUST") || name == "LD_LIBRARY_PATH" {
            cargo.env_remove(&variable);
        }
    }
    if let Some(home) = env::var_os("CARGO_HOME") {
        cargo.env("CARGO_HOME", home);
    }
    // `-Z` on a stable compiler; and without bitcode a component with LTO does not link.
    cargo
        .current_dir(folder)
        .envs([
            ("RUSTC_BOOTSTRAP", "1"),
            ("RUSTC", "/usr/bin/rustc"),
            ("RUSTFLAGS", "-Cembed-bitcode=yes"),
        ])
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .args([
            "build",
            "-Z",
            "build-std=std,panic_abort,panic_unwind,test,proc_macro",
            "--release",
            "--target",
            TARGET,
        ]);
    run::logged(story, "building the standard library", &mut cargo, log)?;
    let built = folder.join("target").join(TARGET).join("release/deps");
    let entries = fs::read_dir(&built).with_context(|| format!("list {}", built.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rlib"))
        .filter(|path| !path.to_string_lossy().contains("libwasip2_std"))
        .collect())
}

/// Debian's compiler comes without the linkers of components; every toolchain of rustup has them.
fn linkers(host: &str) -> Result<PathBuf> {
    let sysroot = run::output(Toolchain::Active.program("rustc").args(["--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin");
    ensure!(
        folder.join("wasm-component-ld").exists(),
        "{} has no wasm-component-ld",
        folder.display()
    );
    Ok(folder)
}

fn host_of(compiler: &Path) -> Result<String> {
    let said = run::output(Command::new(compiler).arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.with_context(|| format!("{} does not name its host", compiler.display()))?.to_owned())
}

/// Installs packages of Debian, as root or by a sudo that asks nothing.
pub(super) fn apt_install(packages: &[&str], story: &Story, log: &Path) -> Result<()> {
    ensure!(
        run::on_path("apt-get").is_some(),
        "apt-get is not installed, so {} cannot be",
        packages.join(" ")
    );
    let mut prefix: Vec<&str> =
        if rustix::process::geteuid().is_root() { vec![] } else { vec!["sudo", "-n"] };
    if !prefix.is_empty() && run::on_path("sudo").is_none() {
        bail!("only root can install {}", packages.join(" "));
    }
    prefix.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).args(arguments);
        command
    };
    story.step(format_args!("installing {} with apt-get", packages.join(" ")));
    run::logged(story, "apt-get update", &mut apt(&["update"]), log)?;
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    run::logged(story, "apt-get install", &mut apt(&install), log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_standard_library_is_no_target() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_std(&folder.path().join("absent")));
        fs::create_dir(folder.path().join("self-contained")).unwrap();
        assert!(!has_std(folder.path()));
        fs::write(folder.path().join("libstd-0123.rlib"), "").unwrap();
        assert!(has_std(folder.path()));
    }
}
