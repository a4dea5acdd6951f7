//! Code for other machines than this one: which engine it is for, and whether it can be made here.

use wattle_trust::VerifiedComponent;

use crate::artifact::Artifact;
use crate::compile::Compilers;
use crate::engine_id::{EngineId, EngineIdError, Level, Target};
use crate::limits;
use crate::load::{LoadError, look_at};
use crate::profile::{AddressSpace, Profile};

/// What code is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// None: the one that the component needs, on a server.
    pub profile: Option<Profile>,
    pub target: Target,
    /// None: the least that hosts of the target have, so that all can run it.
    pub level: Option<Level>,
}

/// Why there is no code for other machines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrecompileError {
    #[error(transparent)]
    Component(#[from] LoadError),
    #[error(transparent)]
    Engine(#[from] EngineIdError),
    #[error("the component needs the profile {needed}, and {asked} is asked for")]
    Profile { needed: &'static str, asked: &'static str },
    #[error(
        "this program makes code for {} and pulley64; one that is built with the feature \
         all-targets makes it for {target} too",
        Target::here()
    )]
    Target { target: Target },
}

impl PrecompileError {
    /// Stable; `docs/errors/WT-ENGINE.md` says what would help. None for what is wrong usage.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Component(error) => Some(error.code()),
            Self::Engine(_) | Self::Profile { .. } | Self::Target { .. } => None,
        }
    }
}

/// Compiles `component` for engines as `wanted`, which need not be of this machine.
///
/// # Errors
/// See [`PrecompileError`].
pub async fn precompile(
    compilers: &Compilers,
    component: &VerifiedComponent,
    wanted: Wanted,
) -> Result<(EngineId, Artifact), PrecompileError> {
    let digest = component.digest();
    let shape = look_at(digest, component.bytes(), limits::COMPONENT_BYTES_MAX)?;
    let space = wanted.profile.map_or(AddressSpace::default(), |profile| profile.space);
    let profile = Profile { wasi: shape.wasi(), space };
    if let Some(asked) = wanted.profile.filter(|asked| *asked != profile) {
        let (needed, asked) = (profile.name(), asked.name());
        return Err(PrecompileError::Profile { needed, asked });
    }
    let target = wanted.target;
    let is_made = [Target::here(), Target::Pulley64].contains(&target);
    if !is_made && !cfg!(feature = "all-targets") {
        return Err(PrecompileError::Target { target });
    }
    let least = target.levels().first().copied().unwrap_or(Level::Native);
    let engine = EngineId::new(profile, target, wanted.level.unwrap_or(least))?;
    let made = compilers.compile(engine, component).await;
    let artifact = made.map_err(|source| LoadError::Compile { digest, source })?;
    Ok((engine, artifact))
}
