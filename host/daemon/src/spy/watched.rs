//! Which actors somebody asked about, and until when. Pure; time is an argument.

use std::collections::BTreeMap;

use wattle_lattice::signal::SpyRequest;
use wattle_types::{ActorId, Millis};

/// Whoever watches asks again before this has passed; whoever went away is told nothing after it.
pub(crate) const ASKED_MS_MAX: u64 = 10_000;
/// People watch a few actors at a time.
pub(crate) const ACTORS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Watched(BTreeMap<ActorId, Millis>);

impl Watched {
    /// `false`: more actors are watched than a host watches at once, and this one is not.
    pub(super) fn ask(&mut self, request: &SpyRequest, now: Millis) -> bool {
        let until = now + request.for_ms.min(ASKED_MS_MAX);
        if let Some(known) = self.0.get_mut(&request.actor) {
            *known = until.max(*known);
            return true;
        }
        self.sweep(now);
        let room = self.0.len() < ACTORS_MAX;
        if room {
            self.0.insert(request.actor.clone(), until);
        }
        room
    }

    pub(super) fn is(&self, actor: &ActorId, now: Millis) -> bool {
        self.0.get(actor).is_some_and(|until| now < *until)
    }

    /// Whether anybody is left who asked.
    pub(super) fn sweep(&mut self, now: Millis) -> bool {
        self.0.retain(|_, until| now < *until);
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(actor: &str, for_ms: u64) -> SpyRequest {
        SpyRequest::new(actor.parse().unwrap(), for_ms)
    }

    #[test]
    fn an_actor_is_watched_for_as_long_as_somebody_asks() {
        let mut watched = Watched::default();
        let web: ActorId = "web".parse().unwrap();
        assert!(watched.ask(&request("web", 1_000), Millis(0)));
        assert!(watched.is(&web, Millis(999)));
        assert!(!watched.is(&web, Millis(1_000)));
        assert!(!watched.is(&"db".parse().unwrap(), Millis(0)));
        // A shorter wish does not cut a longer one short.
        watched.ask(&request("web", 5_000), Millis(1_000));
        watched.ask(&request("web", 1), Millis(1_000));
        assert!(watched.is(&web, Millis(5_999)));
        assert!(watched.sweep(Millis(5_999)));
        assert!(!watched.sweep(Millis(6_000)));
    }

    #[test]
    fn nobody_is_told_for_long_who_does_not_ask_again() {
        let mut watched = Watched::default();
        watched.ask(&request("web", u64::MAX), Millis(0));
        assert!(!watched.is(&"web".parse().unwrap(), Millis(ASKED_MS_MAX)));
    }

    #[test]
    fn a_host_watches_so_many_actors_and_no_more() {
        let mut watched = Watched::default();
        for n in 0..ACTORS_MAX {
            assert!(watched.ask(&request(&format!("a{n}"), 1_000), Millis(0)));
        }
        assert!(!watched.ask(&request("one-more", 1_000), Millis(0)));
        assert!(watched.ask(&request("a0", 1_000), Millis(500)));
        assert!(watched.ask(&request("one-more", 1_000), Millis(1_000)), "others stopped");
    }
}
