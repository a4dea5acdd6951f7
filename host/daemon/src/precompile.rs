//! Code for hosts that do not compile: what `wattle compile` does.

use std::io::{self, Read};

use bytes::Bytes;
pub use wattle_engine::precompile::Wanted;
use wattle_engine::precompile::{PrecompileError, precompile};
use wattle_engine::{CompileConfig, Compilers, EngineId};
use wattle_trust::artifact::CodeHash;
use wattle_trust::{ArtifactRequest, KeyPair, Refusal, TrustPolicy};
use wattle_types::Digest;

/// What to make.
#[derive(Debug)]
pub struct Order {
    /// The signed component.
    pub component: Bytes,
    /// Whose components are compiled here: nothing comes to a compiler unverified, wherever it is.
    pub trust: TrustPolicy,
    pub wanted: Wanted,
    pub compile: CompileConfig,
    /// Who says what the code is of.
    pub key: KeyPair,
    pub now_s: u64,
    /// The last moment at which hosts use the code, in seconds since 1970; none: for ever.
    pub expires_s: Option<u64>,
}

/// Signed code.
#[derive(Debug)]
pub struct Made {
    pub engine: EngineId,
    /// The content of the component.
    pub source: Digest,
    pub hash: CodeHash,
    /// What a file of signed code begins with; the code follows it.
    pub head: Vec<u8>,
    pub code: Vec<u8>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    #[error("the component is not trusted here")]
    Untrusted(#[source] Box<Refusal>),
    #[error(transparent)]
    Unmade(#[from] PrecompileError),
    #[error("the process that starts compilers could not be started")]
    Compilers(#[source] io::Error),
    #[error("the code could not be read back")]
    Read(#[source] io::Error),
}

impl OrderError {
    /// Stable; the page of its family in `docs/errors` says what to do. None for what is no fault
    /// of the component.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Untrusted(refusal) => Some(refusal.code()),
            Self::Unmade(error) => error.code(),
            Self::Compilers(_) | Self::Read(_) => None,
        }
    }
}

/// Compiles and signs.
///
/// # Errors
/// See [`OrderError`].
pub async fn make(order: Order) -> Result<Made, OrderError> {
    let Order { component, trust, wanted, compile, key, now_s, expires_s } = order;
    let component = wattle_trust::verify(component, &trust, now_s)
        .map_err(|refusal| OrderError::Untrusted(Box::new(refusal)))?;
    let compilers = Compilers::start(compile).map_err(OrderError::Compilers)?;
    let (engine, artifact) = precompile(&compilers, &component, wanted).await?;
    let mut code = Vec::new();
    let read = artifact.read().and_then(|mut file| file.read_to_end(&mut code));
    read.map_err(OrderError::Read)?;
    let source = component.claims().hash;
    let request =
        ArtifactRequest { source, engine: engine.to_string(), issued_s: now_s, expires_s };
    let head = request.sign(&code, &key);
    Ok(Made { engine, source, hash: CodeHash::of(&code), head, code })
}
