//! What may change while it is followed: how new what is known of it is, and when it is read next.
//!
//! Whoever changes something says so, with the sequence of the change; a replica that is asked
//! may lag behind it. What is known never gets older, except where the store itself was set back.

use std::collections::{BTreeMap, BTreeSet};

use wattle_types::Millis;

use crate::backoff::{LOOKS_MAX, READ};

/// Reads under way at once: of a host with thousands of actors, all links are looked at after
/// each reconnect.
const ASKING_MAX: usize = 64;
/// No replica lags behind another for so long: the store was set back, and what it has now holds.
const BEHIND_MS_MAX: u64 = 60_000;

/// What a read brought, as far as its age goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What was read is what the store had up to this sequence.
    UpTo(u64),
    /// There is nothing, and nothing tells how old that is.
    Nothing,
    Failed,
}

#[derive(Debug)]
pub(super) struct Watches<K> {
    of: BTreeMap<K, Watch>,
    wanted: BTreeSet<K>,
    asking: BTreeSet<K>,
    again: BTreeSet<(Millis, K)>,
}

#[derive(Debug, Default)]
struct Watch {
    /// How far the store was read for what is known; none: nothing is known.
    seen: Option<u64>,
    /// We were told of a change with this sequence, or need to know of all until it.
    at_least: u64,
    /// Answers in a row that did not show it.
    misses: u32,
    /// Since when all answers are older than what is known.
    behind_since: Option<Millis>,
}

impl<K> Default for Watches<K> {
    fn default() -> Self {
        let (of, wanted, asking) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { of, wanted, asking, again: BTreeSet::new() }
    }
}

impl<K: Clone + Ord> Watches<K> {
    /// Begins to watch something, unless it is watched already. `seen`: how new what is known of
    /// it is.
    pub(super) fn begin(&mut self, what: &K, seen: Option<u64>) {
        if !self.of.contains_key(what) {
            self.of.insert(what.clone(), Watch { seen, ..Watch::default() });
        }
    }

    /// Watches nothing else any more.
    pub(super) fn keep(&mut self, which: &BTreeSet<K>) {
        self.of.retain(|what, _| which.contains(what));
        self.wanted.retain(|what| which.contains(what));
        self.asking.retain(|what| which.contains(what));
        self.again.retain(|(_, what)| which.contains(what));
    }

    /// There is something to know up to this sequence.
    pub(super) fn tell(&mut self, what: &K, at_least: u64) {
        let Some(watch) = self.of.get_mut(what) else { return };
        if watch.seen.is_some_and(|seen| at_least <= seen) {
            return;
        }
        watch.at_least = watch.at_least.max(at_least);
        watch.misses = 0;
        // The answer under way may show it; if not, that is found out when it comes.
        if !self.asking.contains(what) {
            self.wanted.insert(what.clone());
        }
    }

    /// Reads everything again, whatever was asked before: a change may have been missed, and an
    /// answer lost.
    pub(super) fn look(&mut self) {
        self.asking.clear();
        self.again.clear();
        self.wanted.extend(self.of.keys().cloned());
    }

    /// What is to be read now; to be asked for after every event.
    pub(super) fn take(&mut self, now: Millis) -> Vec<K> {
        while self.again.first().is_some_and(|(at, _)| *at <= now) {
            self.wanted.extend(self.again.pop_first().map(|(_, what)| what));
        }
        let mut taken = Vec::new();
        while self.asking.len() < ASKING_MAX
            && let Some(what) = self.wanted.pop_first()
        {
            self.asking.insert(what.clone());
            taken.push(what);
        }
        taken
    }

    /// When something has to be read again though nothing happens.
    pub(super) fn due(&self) -> Option<Millis> {
        self.again.first().map(|(at, _)| *at)
    }

    /// Takes note of an answer. Whether it is to be taken: what is older than what is known is not.
    pub(super) fn answer(&mut self, what: &K, answer: Answer, now: Millis) -> bool {
        let Some(watch) = self.of.get_mut(what) else { return false };
        self.asking.remove(what);
        let taken = match answer {
            Answer::UpTo(seq) => watch.advance(seq, now),
            Answer::Nothing | Answer::Failed => false,
        };
        if watch.knows(watch.at_least) {
            watch.misses = 0;
            return taken;
        }
        watch.misses += 1;
        if answer != Answer::Failed && LOOKS_MAX <= watch.misses {
            (watch.at_least, watch.misses) = (0, 0);
        } else if !self.wanted.contains(what) {
            self.again.insert((now + READ.delay_ms(watch.misses), what.clone()));
        }
        taken
    }

    /// Whether what is known is as new as this sequence, or no replica that could be asked is.
    pub(super) fn is_settled(&self, what: &K, seq: u64) -> bool {
        self.of.get(what).is_some_and(|watch| watch.knows(seq.min(watch.at_least)))
    }
}

impl Watch {
    fn knows(&self, seq: u64) -> bool {
        self.seen.is_some_and(|seen| seq <= seen)
    }

    /// Whether what was read up to `seq` takes the place of what is known.
    fn advance(&mut self, seq: u64, now: Millis) -> bool {
        if self.seen.is_some_and(|seen| seq < seen) {
            let since = *self.behind_since.get_or_insert(now);
            if now.since(since) < BEHIND_MS_MAX {
                return false;
            }
        }
        (self.seen, self.behind_since) = (Some(seq), None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watching(seen: Option<u64>) -> Watches<u8> {
        let mut watches = Watches::default();
        watches.begin(&1, seen);
        watches
    }

    #[test]
    fn a_change_is_read_for_until_it_shows() {
        let mut watches = watching(Some(5));
        watches.tell(&1, 5);
        assert_eq!(watches.take(Millis(0)), [0; 0], "it is known already");
        watches.tell(&1, 9);
        assert_eq!(watches.take(Millis(0)), [1]);
        assert_eq!(watches.take(Millis(0)), [0; 0], "it is asked for once");
        assert!(watches.answer(&1, Answer::UpTo(7), Millis(0)), "newer than what is known");
        assert!(!watches.is_settled(&1, 9));
        assert_eq!(watches.due(), Some(Millis(100)));
        assert_eq!(watches.take(Millis(100)), [1]);
        assert!(!watches.answer(&1, Answer::Failed, Millis(100)));
        assert_eq!(watches.take(Millis(300)), [1]);
        assert!(watches.answer(&1, Answer::UpTo(9), Millis(300)));
        assert!(watches.is_settled(&1, 9));
        assert_eq!((watches.due(), watches.take(Millis(9_999))), (None, vec![]));
    }

    #[test]
    fn a_change_that_never_shows_is_left_to_the_regular_look() {
        let mut watches = watching(Some(5));
        watches.tell(&1, 9);
        let mut now = Millis(0);
        for _ in 0..LOOKS_MAX {
            assert_eq!(watches.take(now), [1]);
            watches.answer(&1, Answer::UpTo(5), now);
            now = watches.due().unwrap_or(now);
        }
        assert_eq!(watches.due(), None);
        assert!(watches.is_settled(&1, 9), "nobody waits for what no replica has");
    }

    #[test]
    fn what_is_not_known_at_all_is_asked_for_until_the_store_answers() {
        let mut watches = watching(None);
        watches.tell(&1, 0);
        let mut now = Millis(0);
        for _ in 0..50 {
            assert_eq!(watches.take(now), [1]);
            watches.answer(&1, Answer::Failed, now);
            assert!(!watches.is_settled(&1, 0));
            now = watches.due().expect("it is asked for again");
        }
    }

    #[test]
    fn what_is_known_gets_no_older_unless_the_store_was_set_back() {
        let mut watches = watching(Some(50));
        for (at, taken) in [(0, false), (30_000, false), (60_000, true), (60_001, true)] {
            watches.look();
            assert_eq!(watches.take(Millis(at)), [1]);
            assert_eq!(watches.answer(&1, Answer::UpTo(3), Millis(at)), taken, "{at}");
            assert_eq!(watches.due(), None, "a replica that is behind tells no news");
        }
    }

    #[test]
    fn a_look_asks_for_everything_but_not_at_once() {
        let mut watches = Watches::default();
        let all = 3 * ASKING_MAX;
        (0..all).for_each(|what| watches.begin(&what, Some(0)));
        watches.look();
        let mut read = Vec::new();
        while read.len() < all {
            let taken = watches.take(Millis(0));
            assert!(!taken.is_empty() && taken.len() <= ASKING_MAX);
            for what in &taken {
                assert!(watches.answer(what, Answer::UpTo(1), Millis(0)));
            }
            read.extend(taken);
        }
        assert_eq!(read, (0..all).collect::<Vec<_>>());
        // Answers that are lost hold up nothing for longer than until the next look.
        watches.look();
        watches.take(Millis(0));
        watches.look();
        assert_eq!(watches.take(Millis(0)).len(), ASKING_MAX);
    }

    #[test]
    fn what_is_not_watched_is_nobodys_news() {
        let mut watches = watching(Some(0));
        watches.tell(&2, 7);
        watches.keep(&BTreeSet::new());
        watches.tell(&1, 7);
        watches.look();
        assert_eq!(watches.take(Millis(0)), [0; 0]);
        assert!(!watches.answer(&1, Answer::UpTo(7), Millis(0)));
    }
}
