//! Changing one key of the control stream on the condition that nobody else did meanwhile.

use std::time::Duration;

use wattle_lattice::store::JetStreamError;
use wattle_lattice::{Expect, ReadBack, Refusal, Store, Stored, Write, WriteOutcome};
use wattle_types::Key;

/// Each lost race is somebody else's success, so many in a row mean something is wrong.
const TRIES_MAX: usize = 16;
/// While another write to the same key is being decided.
const PAUSE: Duration = Duration::from_millis(10);

/// What is to become of a key, in the light of what is stored there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What is there already.
    Same,
    Put(Vec<u8>),
    Delete,
}

/// Why a key was not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EditError<R: std::error::Error + 'static> {
    #[error(transparent)]
    Refused(R),
    #[error("could not read {key}")]
    Read { key: Key, source: JetStreamError },
    #[error("could not write {key}")]
    Write { key: Key, source: Refusal },
    #[error("too many others change {key} at the same time; try again")]
    Busy { key: Key },
}

/// Reads, decides and writes; reads and decides again when another was first. The sequence of the
/// change; none if nothing had to be changed.
pub(super) async fn edit<R: std::error::Error + 'static>(
    store: &Store,
    key: &Key,
    decide: impl Fn(Option<&[u8]>) -> Result<Wanted, R>,
) -> Result<Option<u64>, EditError<R>> {
    for _ in 0..TRIES_MAX {
        let found = read(store, key).await?;
        let value = found.as_ref().and_then(Stored::value);
        let expect = Expect::unchanged(found.as_ref());
        let write = match decide(value.map(|bytes| &bytes[..])).map_err(EditError::Refused)? {
            Wanted::Same => return Ok(None),
            Wanted::Put(bytes) => Write::put(key.clone(), bytes, expect),
            Wanted::Delete => Write::delete(key.clone(), expect),
        };
        match store.write(&write).await {
            WriteOutcome::Ok(seq) => return Ok(Some(seq)),
            WriteOutcome::Conflict => {}
            WriteOutcome::InFlight => {
                tokio::time::sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
            }
            // It may have been stored: if so that is known by what is there now.
            WriteOutcome::Unknown => match ReadBack::judge(&write, read(store, key).await?) {
                ReadBack::Mine(seq) => return Ok(Some(seq)),
                ReadBack::Unchanged | ReadBack::Other(_) => {}
            },
            WriteOutcome::Refused(source) => {
                return Err(EditError::Write { key: key.clone(), source });
            }
        }
    }
    Err(EditError::Busy { key: key.clone() })
}

async fn read<R: std::error::Error + 'static>(
    store: &Store,
    key: &Key,
) -> Result<Option<Stored>, EditError<R>> {
    let read = store.read_leader(key).await;
    read.map_err(|source| EditError::Read { key: key.clone(), source })
}
