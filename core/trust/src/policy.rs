//! Whom this host believes, ready to be asked.
//!
//! Made from a [`TrustFile`](crate::TrustFile) only, by `check`.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::nkey::{CompilerKey, ControllerKey, IssuerKey, ModuleKey, PublicKey};
use wattle_types::{Digest, LatticeId};

use crate::artifact::ArtifactRefusal;
use crate::claims::Claims;
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::verify::SKEW_S;

/// A trust file whose every value is right. The default trusts nobody, so nothing runs.
#[derive(Clone, Debug, Default)]
pub struct TrustPolicy {
    serial: u64,
    issuers: BTreeMap<IssuerKey, Issuer>,
    controllers: BTreeMap<ControllerKey, Controller>,
    compilers: BTreeMap<CompilerKey, Term>,
    revoked_keys: BTreeSet<PublicKey>,
    revoked_digests: BTreeSet<Digest>,
    minimum_revisions: BTreeMap<ModuleKey, u32>,
    expiry_required: bool,
    lifetime_s_max: Option<u64>,
    limits: Limits,
}

#[derive(Clone, Debug)]
struct Issuer {
    term: Term,
    /// `None`: all.
    modules: Option<BTreeSet<ModuleKey>>,
}

/// When a key is believed, in seconds since 1970; always, where nothing is said.
#[derive(Clone, Copy, Debug)]
struct Term {
    from: Option<u64>,
    until: Option<u64>,
}

impl Term {
    fn is_over(self, now: u64) -> bool {
        self.until.is_some_and(|until| until < now.saturating_sub(SKEW_S))
    }

    fn is_to_come(self, now: u64) -> bool {
        self.from.is_some_and(|from| now.saturating_add(SKEW_S) < from)
    }
}

#[derive(Clone, Debug)]
struct Controller {
    /// `None`: all.
    lattices: Option<BTreeSet<LatticeId>>,
}

impl TrustPolicy {
    /// With other bounds on artifacts than [`Limits::default`].
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The number of the file's content.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The keys that may sign assignments of a lattice: what
    /// [`SignedBytes::verify`](crate::SignedBytes::verify) takes.
    pub fn controllers(&self, lattice: &LatticeId) -> BTreeSet<PublicKey> {
        let decides = |controller: &Controller| {
            controller.lattices.as_ref().is_none_or(|lattices| lattices.contains(lattice))
        };
        self.controllers
            .iter()
            .filter(|(_, controller)| decides(controller))
            .map(|(key, _)| *key.public())
            .filter(|key| !self.revoked_keys.contains(key))
            .collect()
    }

    /// Whether an issuer may sign for a module at this time (seconds since 1970).
    pub(crate) fn admits_issuer(
        &self,
        key: &IssuerKey,
        module: &ModuleKey,
        now: u64,
    ) -> Result<(), Refusal> {
        let issuer = *key;
        if self.revoked_keys.contains(key.public()) {
            return Err(Refusal::IssuerRevoked { issuer });
        }
        let Some(entry) = self.issuers.get(key) else {
            return Err(Refusal::IssuerUnknown { issuer });
        };
        if entry.term.is_to_come(now) {
            return Err(Refusal::IssuerNotYetTrusted { issuer });
        }
        if entry.term.is_over(now) {
            return Err(Refusal::IssuerLapsed { issuer });
        }
        if entry.modules.as_ref().is_some_and(|modules| !modules.contains(module)) {
            return Err(Refusal::IssuerOutOfScope { issuer, module: *module });
        }
        Ok(())
    }

    /// Whether a key may say at this time (seconds since 1970) what code was made of.
    pub(crate) fn admits_compiler(
        &self,
        key: &CompilerKey,
        now: u64,
    ) -> Result<(), ArtifactRefusal> {
        let compiler = *key;
        if self.revoked_keys.contains(key.public()) {
            return Err(ArtifactRefusal::CompilerRevoked { compiler });
        }
        match self.compilers.get(key) {
            None => Err(ArtifactRefusal::CompilerUnknown { compiler }),
            Some(term) if term.is_to_come(now) => {
                Err(ArtifactRefusal::CompilerNotYetTrusted { compiler })
            }
            Some(term) if term.is_over(now) => Err(ArtifactRefusal::CompilerLapsed { compiler }),
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn admits_lifetime(&self, claims: &Claims) -> Result<(), Refusal> {
        let Some(expires) = claims.expires else {
            return if self.expiry_required { Err(Refusal::ExpiryMissing) } else { Ok(()) };
        };
        let lifetime_s = expires.saturating_sub(claims.issued_at);
        match self.lifetime_s_max {
            Some(max_s) if max_s < lifetime_s => {
                Err(Refusal::LifetimeTooLong { lifetime_s, max_s })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn admits_module(
        &self,
        key: &ModuleKey,
        revision: Option<u32>,
    ) -> Result<(), Refusal> {
        let module = *key;
        if self.revoked_keys.contains(key.public()) {
            return Err(Refusal::ModuleRevoked { module });
        }
        match (self.minimum_revisions.get(key).copied(), revision) {
            (Some(minimum), None) => Err(Refusal::RevisionMissing { module, minimum }),
            (Some(minimum), Some(found)) if found < minimum => {
                Err(Refusal::RevisionTooLow { module, found, minimum })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn admits_digest(&self, digest: Digest) -> Result<(), Refusal> {
        if self.revoked_digests.contains(&digest) {
            return Err(Refusal::DigestRevoked { digest });
        }
        Ok(())
    }
}
