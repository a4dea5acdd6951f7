//! Who asks for a change of an application, and what of it they had seen.
//!
//! The body of what is signed beside a request of the application API. It names everything that
//! the request is: for another lattice, another operation or another body it says nothing, and
//! after a while it says nothing at all.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::stored::VERSION;
use crate::{Digest, LatticeId};

/// How old a signed request may be, or how far ahead of the controller's clock, in milliseconds:
/// more than clocks of people's machines are usually apart.
pub const EDIT_AGE_MS_MAX: u64 = 5 * 60 * 1_000;

/// What the author of a change signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    pub v: u8,
    pub lattice: LatticeId,
    /// The operation, and the application if the subject names one: `model.deploy.shop`.
    pub op: String,
    /// Of the request's body.
    pub body: Digest,
    /// How many changes the application had when its author looked last; none if they did not.
    #[serde(default)]
    pub base: Option<u64>,
    /// When it was signed, in milliseconds since 1970, by the author's clock.
    pub unix_ms: u64,
}

/// Why a signature is not one for this request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the request is signed for lattice {signed}, and this is {own}")]
    Lattice { signed: LatticeId, own: LatticeId },
    #[error("the request is signed as {signed}, and is {asked}")]
    Op { signed: String, asked: String },
    #[error("the request is signed with another body")]
    Body,
    #[error(
        "the request was signed {0} s ago; ask again, and see whether this machine's clock is right"
    )]
    Stale(u64),
    #[error("the request was signed {0} s from now; see whether this machine's clock is right")]
    Early(u64),
}

impl Edit {
    pub fn new(lattice: LatticeId, op: &str, body: &[u8], base: Option<u64>, unix_ms: u64) -> Self {
        Self { v: VERSION, lattice, op: op.to_owned(), body: Digest::of(body), base, unix_ms }
    }

    /// Whether this is about that request, which arrived at `unix_ms`.
    ///
    /// # Errors
    /// [`EditError`], whichever is the first.
    pub fn check(
        &self,
        lattice: &LatticeId,
        op: &str,
        body: &[u8],
        unix_ms: u64,
    ) -> Result<(), EditError> {
        if self.lattice != *lattice {
            let (signed, own) = (self.lattice.clone(), lattice.clone());
            return Err(EditError::Lattice { signed, own });
        }
        if self.op != op {
            let (signed, asked) = (self.op.clone(), op.to_owned());
            return Err(EditError::Op { signed, asked });
        }
        if self.body != Digest::of(body) {
            return Err(EditError::Body);
        }
        let (age, ahead) =
            (unix_ms.saturating_sub(self.unix_ms), self.unix_ms.saturating_sub(unix_ms));
        if EDIT_AGE_MS_MAX < age {
            return Err(EditError::Stale(age / 1_000));
        }
        if EDIT_AGE_MS_MAX < ahead {
            return Err(EditError::Early(ahead / 1_000));
        }
        Ok(())
    }

    /// Signed bytes as they stand in a header: base64.
    pub fn to_header(sealed: &[u8]) -> String {
        BASE64.encode(sealed)
    }

    /// The signed bytes of a header, if it holds base64.
    pub fn of_header(text: &str) -> Option<Vec<u8>> {
        BASE64.decode(text.as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored;

    const SIGNED_AT: u64 = 1_000_000_000;

    fn lattice(name: &str) -> LatticeId {
        name.parse().unwrap()
    }

    #[test]
    fn an_edit_is_about_one_request_only() {
        let edit = Edit::new(lattice("a"), "model.put", b"text", Some(3), SIGNED_AT);
        let edit: Edit = stored::decode("an edit", &stored::encode(&edit)).unwrap();
        let check = |name: &str, op: &str, body: &[u8], at: u64| {
            edit.check(&lattice(name), op, body, at).map_err(|error| error.to_string())
        };
        assert_eq!(check("a", "model.put", b"text", SIGNED_AT), Ok(()));
        assert_eq!(check("a", "model.put", b"text", SIGNED_AT + EDIT_AGE_MS_MAX), Ok(()));
        assert_eq!(check("a", "model.put", b"text", SIGNED_AT - EDIT_AGE_MS_MAX), Ok(()));
        let refused = [
            (check("b", "model.put", b"text", SIGNED_AT), "for lattice a, and this is b"),
            (check("a", "model.del.a", b"text", SIGNED_AT), "as model.put, and is model.del.a"),
            (check("a", "model.put", b"texts", SIGNED_AT), "another body"),
            (check("a", "model.put", b"text", SIGNED_AT + EDIT_AGE_MS_MAX + 1), "300 s ago"),
            (check("a", "model.put", b"text", SIGNED_AT - EDIT_AGE_MS_MAX - 1), "300 s from now"),
        ];
        for (verdict, words) in refused {
            let said = verdict.unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn signed_bytes_survive_a_header() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(Edit::of_header(&Edit::to_header(&bytes)), Some(bytes));
        assert_eq!(Edit::of_header("not base64!"), None);
    }
}
