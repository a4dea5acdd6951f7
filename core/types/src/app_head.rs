//! The head of an application: its revisions, and which of them should run.

use serde::{Deserialize, Serialize};

use crate::stored::{Unknown, VERSION};
use crate::{AppName, AuthorKey, Digest, Revision};

/// Nobody goes back further, one at a time.
const DEPLOYED_BEFORE_MAX: usize = 20;

/// The value of `app.<name>`. The manifests themselves are immutable values beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppHead {
    pub v: u8,
    pub name: AppName,
    /// Oldest first; numbers rise and are never used again.
    pub revisions: Vec<RevisionHead>,
    /// The highest revision ever stored, also after that revision was deleted.
    pub revision_max: Revision,
    /// What should run; nothing when undeployed.
    pub deployed: Option<Revision>,
    /// What was deployed before, the last one last, each once; of those that are deleted, too.
    #[serde(default)]
    pub deployed_before: Vec<Revision>,
    /// Counts the accepted changes of this application, and never falls: a lower one than was seen
    /// before means that the store has lost something. Zero in a head that was stored before
    /// changes were counted.
    #[serde(default)]
    pub change: u64,
    /// The hash of the head that this one replaced, as it was signed.
    #[serde(default)]
    pub previous: Option<Digest>,
    /// Who asked for this change; none for somebody without a key.
    #[serde(default)]
    pub by: Option<AuthorKey>,
    /// When that was, by the controller's clock; for people.
    #[serde(default)]
    pub changed_unix_s: u64,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// One stored manifest, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionHead {
    pub revision: Revision,
    /// The manifest's own `version` annotation, unique within the application.
    pub version: String,
    #[serde(default)]
    pub description: String,
    pub stored_unix_s: u64,
    /// Who stored it; none for somebody without a key.
    #[serde(default)]
    pub author: Option<AuthorKey>,
    /// The hash of the stored manifest's bytes: the signed head vouches for what it names. None
    /// in what was stored before heads were signed.
    #[serde(default)]
    pub manifest: Option<Digest>,
}

impl AppHead {
    pub fn new(name: AppName) -> Self {
        Self {
            v: VERSION,
            name,
            revisions: Vec::new(),
            revision_max: Revision::ZERO,
            deployed: None,
            deployed_before: Vec::new(),
            change: 0,
            previous: None,
            by: None,
            changed_unix_s: 0,
            unknown: Unknown::new(),
        }
    }

    /// From now on this should run, or nothing.
    pub fn deploy(&mut self, revision: Option<Revision>) {
        if let Some(before) = self.deployed.filter(|before| Some(*before) != revision) {
            self.deployed_before.retain(|known| *known != before);
            self.deployed_before.push(before);
            let surplus = self.deployed_before.len().saturating_sub(DEPLOYED_BEFORE_MAX);
            self.deployed_before.drain(..surplus);
        }
        self.deployed = revision;
    }

    /// What was deployed before what is deployed now, as far as it is still stored.
    pub fn deployed_last(&self) -> Option<&RevisionHead> {
        let before = self.deployed_before.iter().rev();
        let others = before.filter(|revision| Some(**revision) != self.deployed);
        others.copied().find_map(|revision| self.by_revision(revision))
    }

    pub fn latest(&self) -> Option<&RevisionHead> {
        self.revisions.last()
    }

    pub fn by_version(&self, version: &str) -> Option<&RevisionHead> {
        self.revisions.iter().find(|head| head.version == version)
    }

    pub fn by_revision(&self, revision: Revision) -> Option<&RevisionHead> {
        self.revisions.iter().find(|head| head.revision == revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored;

    #[test]
    fn a_head_of_before_changes_were_counted_is_read() {
        #[derive(Serialize)]
        struct Old {
            v: u8,
            name: &'static str,
            revisions: Vec<OldRevision>,
            revision_max: u64,
            deployed: Option<u64>,
        }
        #[derive(Serialize)]
        struct OldRevision {
            revision: u64,
            version: &'static str,
            stored_unix_s: u64,
        }
        let revisions = vec![OldRevision { revision: 3, version: "v1", stored_unix_s: 7 }];
        let old = Old { v: 1, name: "shop", revisions, revision_max: 3, deployed: Some(3) };
        let head: AppHead = stored::decode("an application", &stored::encode(&old)).unwrap();
        assert_eq!((head.change, head.previous), (0, None));
        let of = head.by_revision(Revision(3)).unwrap();
        assert_eq!((of.author, of.manifest), (None, None));
        assert!(head.unknown.is_empty());
        let again: AppHead = stored::decode("it", &stored::encode(&head)).unwrap();
        assert_eq!(again, head);
    }
}
