//! Where an answer may be sent.

use super::{Names, is_token};

/// An address somebody gave us to answer to, checked.
///
/// NATS lets a responder publish to whatever the asker wrote there, beyond the asker's own
/// permissions. So we answer only to reply subjects of this lattice and to the inboxes of the
/// 1.x clients; a request that names anything else gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo(async_nats::Subject);

impl ReplyTo {
    pub(crate) fn read(names: &Names, raw: &str) -> Option<Self> {
        Self::take(names, raw.into())
    }

    /// As [`ReplyTo::read`], of an address that was received.
    pub(crate) fn take(names: &Names, raw: async_nats::Subject) -> Option<Self> {
        let tail = own_tail(names, &raw).or_else(|| raw.strip_prefix("_INBOX."))?;
        tail.split('.').all(is_token).then_some(Self(raw))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_subject(self) -> async_nats::Subject {
        self.0
    }

    /// Who asked, if they used a reply subject of ours.
    pub fn who<'a>(&'a self, names: &Names) -> Option<&'a str> {
        own_tail(names, &self.0)?.split('.').next()
    }
}

/// What follows `wattle.<L>.rep.`.
fn own_tail<'a>(names: &Names, raw: &'a str) -> Option<&'a str> {
    let tail = raw.strip_prefix("wattle.")?.strip_prefix(names.lattice().as_str())?;
    tail.strip_prefix(".rep.")
}
