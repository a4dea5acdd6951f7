//! How far each application has come, as this controller has seen it: the store is held to that.
//!
//! *Expected flow.* The head of an application counts its changes and names the head before it by
//! hash. Every head that follows the one seen before raises the mark; the marks outlive the
//! process, in the export. *Guarantees.* A head that is older than its mark, or is another one
//! under the same number, is not believed: acknowledged changes are missing, and nobody can say
//! what should run. *Caveats.* Who follows the store does not see heads that were replaced before
//! it read them, so a head that skips a number is believed.

use std::collections::BTreeMap;

use wattle_types::{AppHead, AppName, Digest, Key, Revision, RevisionHead, stored};

/// The newest head that was seen of each application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<AppName, Mark>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) change: u64,
    /// Of the head as it was signed.
    pub(crate) digest: Digest,
    /// Of the manifests that it names.
    pub(crate) manifests: BTreeMap<Revision, Digest>,
}

/// How much the store lacks of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) seen: u64,
    pub(crate) found: Option<u64>,
}

impl Marks {
    /// The marks that an export stands for.
    pub fn of<'a>(kept: impl IntoIterator<Item = (&'a Key, &'a [u8])>) -> Self {
        let mut marks = Self::default();
        for (key, bytes) in kept {
            let Key::App(name) = key else { continue };
            if let Ok(head) = stored::decode::<AppHead>("an application", bytes) {
                // A later entry of an export is a newer one.
                marks.0.remove(name);
                marks.raise(name, &head, Digest::of(bytes));
            }
        }
        marks
    }

    pub(crate) fn get(&self, app: &AppName) -> Option<&Mark> {
        self.0.get(app)
    }

    pub(crate) fn apps(&self) -> impl Iterator<Item = (&AppName, &Mark)> {
        self.0.iter()
    }

    /// Takes a head that was stored; an error if it does not follow what was seen before.
    pub(crate) fn take(
        &mut self,
        app: &AppName,
        head: &AppHead,
        digest: Digest,
    ) -> Result<(), Lost> {
        let follows =
            self.0.get(app).is_none_or(|mark| match head.change.checked_sub(mark.change) {
                None => false,
                Some(0) => digest == mark.digest,
                Some(1) => head.previous == Some(mark.digest),
                Some(_) => true,
            });
        if !follows {
            let seen = self.0[app].change;
            return Err(Lost { seen, found: Some(head.change) });
        }
        self.raise(app, head, digest);
        Ok(())
    }

    fn raise(&mut self, app: &AppName, head: &AppHead, digest: Digest) {
        // Heads of before changes were counted all have the number zero.
        if 0 < head.change {
            let named = |of: &RevisionHead| Some((of.revision, of.manifest?));
            let manifests = head.revisions.iter().filter_map(named).collect();
            self.0.insert(app.clone(), Mark { change: head.change, digest, manifests });
        }
    }
}

impl Mark {
    /// Whether the head names another manifest under this number, or names one that is gone.
    pub(crate) fn contradicts(&self, revision: Revision, manifest: Option<Digest>) -> bool {
        self.manifests.get(&revision).is_some_and(|named| Some(*named) != manifest)
    }
}

impl Lost {
    pub(crate) fn of(self, app: &AppName) -> String {
        let Self { seen, found } = self;
        let what = match found {
            None => "the store has none".to_owned(),
            Some(found) if found == seen => {
                "the store has another one under that number".to_owned()
            }
            Some(found) => format!("the store has change {found}"),
        };
        format!(
            "state lost: change {seen} of application {app} was seen, and {what}; put it back with \
             `wattle controller restore`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(change: u64, previous: Option<Digest>) -> AppHead {
        let mut head = AppHead::new("shop".parse().unwrap());
        (head.change, head.previous) = (change, previous);
        head
    }

    #[test]
    fn a_head_follows_the_one_that_was_seen_or_is_a_loss() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
        let lost = |found| Err(Lost { seen: 3, found: Some(found) });
        let cases = [
            ("the same", head(3, None), a, Ok(())),
            ("the next", head(4, Some(a)), b, Ok(())),
            ("a later one", head(5, Some(c)), b, Ok(())),
            ("an older one", head(2, None), a, lost(2)),
            ("another one", head(3, None), b, lost(3)),
            ("the next of another one", head(4, Some(b)), c, lost(4)),
            ("one that counts nothing", head(0, None), b, lost(0)),
        ];
        for (what, next, digest, expected) in cases {
            let mut marks = Marks::default();
            let app = next.name.clone();
            marks.take(&app, &head(3, None), a).unwrap();
            assert_eq!(marks.take(&app, &next, digest), expected, "{what}");
            let after = if expected.is_ok() { (next.change, digest) } else { (3, a) };
            let mark = marks.get(&app).unwrap();
            assert_eq!((mark.change, mark.digest), after, "{what}");
        }
    }

    #[test]
    fn an_export_stands_for_the_newest_of_each() {
        let key = Key::App("shop".parse().unwrap());
        let bytes = [4, 7].map(|change| stored::encode(&head(change, None)));
        let kept = bytes.iter().map(|bytes| (&key, &bytes[..]));
        let marks = Marks::of(kept.chain([(&Key::Lease, &b"x"[..])]));
        let (digest, manifests) = (Digest::of(&bytes[1]), BTreeMap::new());
        let expected = Mark { change: 7, digest, manifests };
        assert_eq!(marks.apps().collect::<Vec<_>>(), [(&"shop".parse().unwrap(), &expected)]);
    }
}
