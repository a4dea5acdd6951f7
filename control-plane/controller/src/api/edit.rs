//! Who signed a request, and what they had seen. Anybody's key will do: who may ask at all is
//! decided by NATS, and a signature only says who it was.

use std::collections::BTreeSet;

use wattle_lattice::subject::AppSubject;
use wattle_trust::signed::{self, Context};
use wattle_types::{AuthorKey, Edit, EditError, LatticeId, stored};

/// Why a signature is not believed. The request is refused then: its author meant it to count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the signature of the request is not base64")]
    Text,
    #[error(transparent)]
    Signed(#[from] signed::Error),
    #[error(transparent)]
    Author(#[from] wattle_types::nkey::NkeyError),
    #[error(transparent)]
    Body(#[from] stored::Error),
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// The author of a request, and how many changes they had seen, from its header.
pub(crate) fn author(
    header: &str,
    lattice: &LatticeId,
    op: &AppSubject,
    payload: &[u8],
    unix_ms: u64,
) -> Result<(AuthorKey, Option<u64>), SignatureError> {
    let sealed = Edit::of_header(header).ok_or(SignatureError::Text)?;
    let signed = signed::open(&sealed)?;
    let key = *signed.claimed_key();
    let author = AuthorKey::try_from(key)?;
    let body = signed.verify(Context::Edit, &BTreeSet::from([key]))?;
    let edit: Edit = stored::decode("what was signed", body)?;
    edit.check(lattice, &op.to_string(), payload, unix_ms)?;
    Ok((author, edit.base))
}

#[cfg(test)]
mod tests {
    use wattle_trust::KeyPair;
    use wattle_types::Role;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn lattice() -> LatticeId {
        "test".parse().unwrap()
    }

    fn header(context: Context, role: Role, op: &AppSubject) -> (KeyPair, String) {
        let key = KeyPair::generate(role).unwrap();
        let edit = Edit::new(lattice(), &op.to_string(), b"text", Some(4), NOW);
        let sealed = signed::seal(context, &stored::encode(&edit), &key);
        (key, Edit::to_header(&sealed))
    }

    #[test]
    fn a_signature_counts_for_its_own_request_only() {
        let put = AppSubject::Put;
        let (key, text) = header(Context::Edit, Role::User, &put);
        let said = |header: &str, op: &AppSubject, payload: &[u8]| {
            author(header, &lattice(), op, payload, NOW).map_err(|error| error.to_string())
        };
        let (by, base) = said(&text, &put, b"text").unwrap();
        assert_eq!((by, base), (key.public().try_into().unwrap(), Some(4)));

        let other = AppSubject::Delete { app: "shop".parse().unwrap() };
        let as_head = header(Context::Head, Role::User, &put).1;
        let by_controller = header(Context::Edit, Role::Cluster, &put).1;
        let refused = [
            (said(&text, &other, b"text"), "is signed as model.put"),
            (said(&text, &put, b"tex"), "another body"),
            (said(&as_head, &put, b"text"), "wattle-edit-v1"),
            (said(&by_controller, &put, b"text"), "user key"),
            (said("?", &put, b"text"), "base64"),
            (said("AAAA", &put, b"text"), "signed message"),
        ];
        for (verdict, words) in refused {
            let said = verdict.unwrap_err();
            assert!(said.contains(words), "{said} ({words})");
        }
    }
}
