//! Machine code that was made elsewhere: who says that it is what a component compiles to.
//!
//! Such code runs outside every sandbox, and nobody can see from the bytes whether a compiler made
//! them. So everything hangs on one sentence, signed by a key that the trust file lists under
//! `compilers`: *these bytes are the component with this content, compiled for this engine*. Who may
//! sign components may not sign that by being an issuer: an issuer's component is held by the
//! sandbox, and this is not.
//!
//! A file has a head and the code. The head is small and bounded, is read first, and says with
//! whom, from what, for what and until when; the code is hashed only once all of that has passed.
//! `docs/protocol/artifacts.md` is the form for people.
//!
//! Pure as the rest of this crate: code comes through a [`Read`] of the caller's, and comes back
//! inside the proof.

mod head;
mod refusal;
mod statement;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read};

use wattle_types::Digest;

use crate::policy::TrustPolicy;
use crate::verify::SKEW_S;

pub use head::{HEAD_BYTES_MAX, Head};
pub use refusal::ArtifactRefusal;
pub use statement::{ArtifactRequest, CodeHash, Statement};

/// More than the code of the largest component that is compiled; code is some two to four times as
/// long as what it is made from.
pub const CODE_BYTES_MAX: u64 = 512 << 20;

/// What a host wants code for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The content of the component: what its claims' hash says.
    pub source: Digest,
    /// The names of the engines whose code runs there.
    pub engines: &'a BTreeSet<String>,
}

/// A statement that is believed, about code that nobody has looked at yet.
#[derive(Clone, Debug)]
pub struct Vouched {
    statement: Statement,
}

/// Code that is what a believed compiler says it is. `C` is where it is: a file, bytes.
///
/// There is no other way to make one than [`Vouched::confirm`]: whoever holds it need not check
/// again, if what is behind `C` cannot change.
pub struct VerifiedArtifact<C> {
    statement: Statement,
    code: C,
}

impl Head {
    /// Decides whether to believe the statement at `now_unix_s`. Looks at no code.
    ///
    /// In this order: whether we believe who signed; the signature; what is said; when it holds.
    ///
    /// # Errors
    /// [`ArtifactRefusal`], one variant per reason.
    pub fn verify(
        &self,
        wanted: Wanted<'_>,
        policy: &TrustPolicy,
        now_unix_s: u64,
    ) -> Result<Vouched, ArtifactRefusal> {
        let statement = self.statement(policy, now_unix_s)?;
        if statement.source != wanted.source {
            let (of, wanted) = (statement.source, wanted.source);
            return Err(ArtifactRefusal::Source { of, wanted });
        }
        if !wanted.engines.contains(&statement.engine) {
            return Err(ArtifactRefusal::Engine { of: statement.engine });
        }
        if CODE_BYTES_MAX < statement.code_bytes {
            let bytes = statement.code_bytes;
            return Err(ArtifactRefusal::TooLarge { bytes, max: CODE_BYTES_MAX });
        }
        let latest = now_unix_s.saturating_add(SKEW_S);
        if latest < statement.issued_s {
            let issued = statement.issued_s;
            return Err(ArtifactRefusal::IssuedInFuture { issued, now: now_unix_s });
        }
        let earliest = now_unix_s.saturating_sub(SKEW_S);
        if let Some(expires) = statement.expires_s.filter(|expires| *expires < earliest) {
            return Err(ArtifactRefusal::Expired { expires, now: now_unix_s });
        }
        Ok(Vouched { statement })
    }
}

impl Vouched {
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Reads `code` from where it stands to its end, and gives it back if it is what was vouched
    /// for. Reads no more than that and one byte.
    ///
    /// # Errors
    /// [`ArtifactRefusal::Length`], [`ArtifactRefusal::Hash`] and [`ArtifactRefusal::Read`].
    pub fn confirm<C: Read>(self, mut code: C) -> Result<VerifiedArtifact<C>, ArtifactRefusal> {
        let said = self.statement.code_bytes;
        let mut hasher = blake3::Hasher::new();
        let bounded = Read::by_ref(&mut code).take(said.saturating_add(1));
        hasher.update_reader(bounded).map_err(ArtifactRefusal::Read)?;
        let found = hasher.count();
        if found != said {
            return Err(ArtifactRefusal::Length { said, ends: found < said });
        }
        if CodeHash(hasher.finalize().into()) != self.statement.hash {
            return Err(ArtifactRefusal::Hash);
        }
        Ok(VerifiedArtifact { statement: self.statement, code })
    }
}

impl<C> VerifiedArtifact<C> {
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    pub fn code(&self) -> &C {
        &self.code
    }
}

impl<C> fmt::Debug for VerifiedArtifact<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedArtifact")
            .field("statement", &self.statement)
            .finish_non_exhaustive()
    }
}

/// Verifies a whole file: head, then code.
///
/// # Errors
/// [`ArtifactRefusal`], one variant per reason.
pub fn verify_artifact<C: Read>(
    mut file: C,
    wanted: Wanted<'_>,
    policy: &TrustPolicy,
    now_unix_s: u64,
) -> Result<VerifiedArtifact<C>, ArtifactRefusal> {
    Head::read_from(&mut file)?.verify(wanted, policy, now_unix_s)?.confirm(file)
}

/// Reads as much of `bytes` as there is.
fn read_up_to(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
