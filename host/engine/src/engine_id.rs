//! The name of an engine: everything that machine code depends on, in one line that stays.
//!
//! `48.0.8/p2-server/2/x86_64-unknown-linux-gnu/x86-64-v2`: wasmtime in full, the profile, the number
//! of its settings, the target, and what of the processor may be used. Code is cached, signed and
//! asked for under this name, and runs only in an engine of that name. wasmtime's own hash of its
//! settings would not do: only a build with a compiler can say it, and it is stable in no release.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "compiler")]
use wasmtime::Config;

use crate::profile::Profile;

/// What code is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EngineId {
    profile: Profile,
    target: Target,
    level: Level,
}

/// Where code runs: a processor under Linux, or wasmtime's interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    X86_64,
    Aarch64,
    Riscv64,
    S390x,
    /// wasmtime's interpreter, for processors of 64 bits, little end first, without a code
    /// generator. The same code runs on all of them, some ten times slower than their own.
    Pulley64,
}

/// What of a processor code may use, beyond what every processor of its target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Whatever the processor of this very machine has: for its own cache, never for others.
    Native,
    X86_64V2,
    X86_64V3,
    Armv8_0,
    Armv8_1,
    /// Of an interpreter: nothing.
    Portable,
}

/// Why a text is no engine, or an engine not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineIdError {
    #[error(
        "an engine's name has five parts, as in \
         `48.0.8/p2-server/2/x86_64-unknown-linux-gnu/x86-64-v2`"
    )]
    Form,
    #[error("this is an engine of {found}, and this program has {ours}")]
    Other { found: String, ours: String },
    #[error("there is no profile {0:?}; there are {all}", all = listed(Profile::ALL.map(Profile::name)))]
    Profile(String),
    #[error("there is no target {0:?}; there are {all}", all = listed(Target::ALL.map(Target::name)))]
    Target(String),
    #[error("{target} has no level {found:?}; it has {}", listed(target.levels().iter().map(|level| level.name())))]
    Level { target: Target, found: String },
}

fn listed(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

impl EngineId {
    /// The engine for code that other machines may run.
    ///
    /// # Errors
    /// [`EngineIdError::Level`]: the target has no such level.
    pub fn new(profile: Profile, target: Target, level: Level) -> Result<Self, EngineIdError> {
        let known = level == Level::Native || target.levels().contains(&level);
        match known {
            true => Ok(Self { profile, target, level }),
            false => Err(EngineIdError::Level { target, found: level.name().to_owned() }),
        }
    }

    /// The engine for which a host compiles for itself.
    pub(crate) fn own(profile: Profile, target: Target) -> Self {
        let level = match target {
            Target::Pulley64 => Level::Portable,
            _ => Level::Native,
        };
        Self { profile, target, level }
    }

    /// The engines whose code runs here if somebody else made it, the best first.
    pub(crate) fn accepted(profile: Profile, target: Target) -> Vec<Self> {
        let here = |level: &&Level| level.is_here();
        let levels = target.levels().iter().rev().filter(here);
        levels.map(|&level| Self { profile, target, level }).collect()
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub fn target(&self) -> Target {
        self.target
    }

    pub fn level(&self) -> Level {
        self.level
    }

    /// The name as a part of the name of a file.
    pub fn slug(&self) -> String {
        self.to_string().replace('/', "+")
    }

    /// What `wattle compile` is told to make code for it.
    pub fn flags(&self) -> String {
        let Self { profile, target, level } = self;
        format!("--profile {} --target {target} --cpu-level {level}", profile.name())
    }

    /// The settings under which code for this engine is made.
    #[cfg(feature = "compiler")]
    pub(crate) fn compiling(self) -> wasmtime::Result<Config> {
        let mut config = self.profile.compiled()?;
        if self.level != Level::Native {
            config.target(self.target.name())?;
            self.level.apply(&mut config);
        }
        Ok(config)
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, target, level } = self;
        write!(f, "{}/{target}/{level}", profile.version())
    }
}

impl FromStr for EngineId {
    type Err = EngineIdError;

    fn from_str(raw: &str) -> Result<Self, EngineIdError> {
        let parts: Vec<&str> = raw.split('/').collect();
        let [wasmtime, profile, settings, target, level] = parts[..] else {
            return Err(EngineIdError::Form);
        };
        let profile: Profile = profile.parse()?;
        let found = format!("{wasmtime}/{}/{settings}", profile.name());
        if found != profile.version() {
            return Err(EngineIdError::Other { found, ours: profile.version() });
        }
        let target: Target = target.parse()?;
        Self::new(profile, target, target.level(level)?)
    }
}

impl Target {
    pub const ALL: [Self; 5] =
        [Self::X86_64, Self::Aarch64, Self::Riscv64, Self::S390x, Self::Pulley64];

    /// As the compilers of other languages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
            Self::Riscv64 => "riscv64gc-unknown-linux-gnu",
            Self::S390x => "s390x-unknown-linux-gnu",
            Self::Pulley64 => "pulley64",
        }
    }

    /// The one of this machine.
    pub const fn here() -> Self {
        if cfg!(target_arch = "x86_64") {
            Self::X86_64
        } else if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else if cfg!(target_arch = "riscv64") {
            Self::Riscv64
        } else if cfg!(target_arch = "s390x") {
            Self::S390x
        } else {
            Self::Pulley64
        }
    }

    /// The levels under which code for others can be made, from the least to the most demanding.
    pub const fn levels(self) -> &'static [Level] {
        match self {
            Self::X86_64 => &[Level::X86_64V2, Level::X86_64V3],
            Self::Aarch64 => &[Level::Armv8_0, Level::Armv8_1],
            Self::Riscv64 | Self::S390x => &[],
            Self::Pulley64 => &[Level::Portable],
        }
    }

    /// The level of that name.
    ///
    /// # Errors
    /// [`EngineIdError::Level`]: there is none.
    pub fn level(self, name: &str) -> Result<Level, EngineIdError> {
        let native = [Level::Native];
        let mut levels = self.levels().iter().chain(&native);
        let level = levels.find(|level| level.name() == name);
        level.copied().ok_or_else(|| EngineIdError::Level { target: self, found: name.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = EngineIdError;

    fn from_str(raw: &str) -> Result<Self, EngineIdError> {
        let found = Self::ALL.into_iter().find(|target| target.name() == raw);
        found.ok_or_else(|| EngineIdError::Target(raw.to_owned()))
    }
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::X86_64V2 => "x86-64-v2",
            Self::X86_64V3 => "x86-64-v3",
            Self::Armv8_0 => "armv8.0-a",
            Self::Armv8_1 => "armv8.1-a",
            Self::Portable => "portable",
        }
    }

    /// Spelled out, although the code generator knows the x86 levels by name: what it means by them
    /// may change with it (its v3 is without AVX), and a level is a promise.
    #[cfg(feature = "compiler")]
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Native | Self::Armv8_0 | Self::Portable => &[],
            Self::X86_64V2 => {
                &["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt", "has_cmpxchg16b"]
            }
            Self::X86_64V3 => &[
                "has_sse3",
                "has_ssse3",
                "has_sse41",
                "has_sse42",
                "has_popcnt",
                "has_cmpxchg16b",
                "has_avx",
                "has_avx2",
                "has_bmi1",
                "has_bmi2",
                "has_fma",
                "has_lzcnt",
            ],
            Self::Armv8_1 => &["has_lse"],
        }
    }

    #[cfg(feature = "compiler")]
    #[allow(unsafe_code)]
    fn apply(self, config: &mut Config) {
        for flag in self.flags() {
            // SAFETY: each says that a processor has an instruction, which wasmtime compares with
            // the processor at hand before it accepts the code; none changes what code means.
            unsafe { config.cranelift_flag_enable(flag) };
        }
    }

    /// Whether this machine has everything that the level asks for.
    #[cfg(target_arch = "x86_64")]
    fn is_here(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let v2 = || {
            has!("sse3")
                && has!("ssse3")
                && has!("sse4.1")
                && has!("sse4.2")
                && has!("popcnt")
                && has!("cmpxchg16b")
        };
        match self {
            Self::Native | Self::Portable => true,
            Self::X86_64V2 => v2(),
            Self::X86_64V3 => {
                v2() && has!("avx")
                    && has!("avx2")
                    && has!("bmi1")
                    && has!("bmi2")
                    && has!("fma")
                    && has!("lzcnt")
            }
            Self::Armv8_0 | Self::Armv8_1 => false,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_here(self) -> bool {
        match self {
            Self::Native | Self::Portable | Self::Armv8_0 => true,
            Self::Armv8_1 => std::arch::is_aarch64_feature_detected!("lse"),
            Self::X86_64V2 | Self::X86_64V3 => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_here(self) -> bool {
        matches!(self, Self::Native | Self::Portable)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{self, AddressSpace, Wasi};

    const P2: Profile = Profile { wasi: Wasi::P2, space: AddressSpace::Server };

    #[test]
    fn a_name_stays_what_it_is() {
        let id = EngineId::new(P2, Target::X86_64, Level::X86_64V2).unwrap();
        let name = format!("{}/p2-server/2/x86_64-unknown-linux-gnu/x86-64-v2", profile::WASMTIME);
        assert_eq!(id.to_string(), name);
        assert_eq!(id.slug(), name.replace('/', "+"));
    }

    #[test]
    fn every_name_reads_as_what_it_was_written_from() {
        for profile in Profile::ALL {
            for target in Target::ALL {
                for level in target.levels().iter().chain([&Level::Native]) {
                    let id = EngineId::new(profile, target, *level).unwrap();
                    assert_eq!(id.to_string().parse(), Ok(id));
                }
            }
        }
    }

    #[test]
    fn what_is_no_engine_of_this_program_says_why() {
        let cases = [
            ("", "five parts"),
            ("48.0.8/p2-server/2/x86_64-unknown-linux-gnu", "five parts"),
            ("47.0.0/p2-server/2/x86_64-unknown-linux-gnu/x86-64-v2", "47.0.0/p2-server/2"),
            ("48.0.8/p2-server/1/x86_64-unknown-linux-gnu/x86-64-v2", "48.0.8/p2-server/1"),
            ("48.0.8/p4/2/x86_64-unknown-linux-gnu/x86-64-v2", "p2-edge"),
            ("48.0.8/p2-server/2/vax/x86-64-v2", "aarch64-unknown-linux-gnu"),
            ("48.0.8/p2-server/2/pulley64/x86-64-v2", "portable"),
        ];
        for (name, reason) in cases {
            let error = name.parse::<EngineId>().unwrap_err().to_string();
            assert!(error.contains(reason), "{name:?}: {error}");
        }
    }

    #[test]
    fn a_machine_accepts_the_best_of_what_it_can_run_first() {
        let levels = |target| -> Vec<Level> {
            EngineId::accepted(P2, target).iter().map(EngineId::level).collect()
        };
        assert_eq!(levels(Target::Pulley64), [Level::Portable]);
        let here = levels(Target::here());
        assert!(!here.contains(&Level::Native), "what is native elsewhere is not native here");
        let least = Target::here().levels()[0];
        assert_eq!(here.last(), Some(&least), "this machine is below {least}");
    }
}
