//! Where an answer may be sent.

use wattle_types::Token;

use super::Names;

/// An address somebody gave us to answer to, checked.
///
/// NATS lets a responder publish to whatever the asker wrote there, beyond the asker's own
/// permissions. So we answer only to reply subjects of this lattice and to the inboxes of the
/// 1.x clients; a request that names anything else gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyTo(String);

impl ReplyTo {
    pub(crate) fn read(names: &Names, raw: &str) -> Option<Self> {
        let own = format!("wattle.{}.rep.", names.lattice());
        let tail = raw.strip_prefix(&own).or_else(|| raw.strip_prefix("_INBOX."))?;
        let well_formed = tail.split('.').all(|token| token.parse::<Token>().is_ok());
        well_formed.then(|| Self(raw.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Who asked, if they used a reply subject of ours.
    pub fn who<'a>(&'a self, names: &Names) -> Option<&'a str> {
        let tail = self.0.strip_prefix(&format!("wattle.{}.rep.", names.lattice()))?;
        tail.split('.').next()
    }
}
