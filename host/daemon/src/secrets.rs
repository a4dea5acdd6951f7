//! Where secrets come from, if this host was built with a place for them.

#[cfg(feature = "secrets-file")]
pub use wattle_secrets_file::{OpenError, PlaceError, SecretFiles};
#[cfg(not(feature = "secrets-file"))]
pub use without::{OpenError, PlaceError, SecretFiles};

/// What stands for a folder of secrets where there can be none.
#[cfg(not(feature = "secrets-file"))]
mod without {
    use std::convert::Infallible;
    use std::path::Path;

    use wattle_capability::secrets::NoSecrets;
    use wattle_types::spec::SecretRef;

    #[derive(Clone, Debug)]
    pub enum SecretFiles {}

    #[derive(Debug, thiserror::Error)]
    #[error("this wattle was built without secrets (feature `secrets-file`)")]
    pub struct OpenError;

    pub type PlaceError = Infallible;

    impl SecretFiles {
        pub fn open(_dir: &Path) -> Result<Self, OpenError> {
            Err(OpenError)
        }

        pub fn for_actor(&self, _secrets: &[SecretRef]) -> Result<NoSecrets, PlaceError> {
            match *self {}
        }
    }
}
