//! `wasmcloud:secrets` for guests.
//!
//! The value is fetched when the guest asks for the secret and waits in a resource of the host, which
//! wipes it. What `reveal` hands over is a copy that the guest owns; how long it stays in the
//! guest's memory is the guest's doing.

use tokio::time::{Instant, timeout_at};
use wasmtime::component::{Linker, Resource, ResourceTableError};
use wattle_capability::SecretError;
use wattle_capability::secrets::{Revealed, Secret};

use crate::bindings::wasmcloud::secrets::{reveal, store};
use crate::limits::SECRET_WAIT;
use crate::state::{HasView, State, View};

/// A secret that a guest holds and may not have seen.
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub struct OpenSecret(Secret);

/// What goes wrong: the guest hears it, or is at fault and traps.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub enum Failure {
    Told(SecretError),
    Trap(wasmtime::Error),
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self::Told(error)
    }
}

impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasView>(linker, State::view)?;
    reveal::add_to_linker::<_, HasView>(linker, State::view)
}

impl store::Host for View<'_> {
    async fn get(&mut self, key: String) -> Result<Resource<OpenSecret>, Failure> {
        let deadline = self.ctx.deadline.min(Instant::now() + SECRET_WAIT);
        let secret = timeout_at(deadline, self.actor.secrets.get(self.ctx, &key)).await;
        let secret = secret.map_err(|_| SecretError::Timeout)??;
        Ok(self.table.push(OpenSecret(secret))?)
    }

    fn convert_secrets_error(&mut self, failure: Failure) -> wasmtime::Result<store::SecretsError> {
        match failure {
            Failure::Told(SecretError::NotFound) => Ok(store::SecretsError::NotFound),
            Failure::Told(error @ SecretError::Unreadable) => {
                Ok(store::SecretsError::Io(error.to_string()))
            }
            Failure::Told(other) => Ok(store::SecretsError::Upstream(other.to_string())),
            Failure::Trap(error) => Err(error),
        }
    }
}

impl store::HostSecret for View<'_> {
    async fn drop(&mut self, handle: Resource<OpenSecret>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl reveal::Host for View<'_> {
    async fn reveal(
        &mut self,
        handle: Resource<OpenSecret>,
    ) -> wasmtime::Result<store::SecretValue> {
        Ok(match self.table.get(&handle)?.0.reveal() {
            Revealed::Text(text) => store::SecretValue::String(text.to_owned()),
            Revealed::Bytes(bytes) => store::SecretValue::Bytes(bytes.to_owned()),
        })
    }
}
