//! Where to go when a connection broke, and when.
//!
//! Not back to where it broke while there is another: a server that hangs takes the connection
//! and says nothing, which costs a whole attempt. And not at once: a thousand hosts that lost one
//! server would return to the next in the same instant.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Server, ServerAddr};

use super::BACKOFF_MAX;

/// The bound of the wait before the first attempt elsewhere: whoever was silent for three pings
/// is back before five seconds are over.
const FIRST_MAX: Duration = Duration::from_millis(750);

/// Remembers where it went.
#[derive(Debug, Default)]
pub(super) struct Next {
    last: Mutex<Option<ServerAddr>>,
}

impl Next {
    /// The next server to try, after which pause; none if there are no servers.
    pub(super) fn after(&self, servers: &[Server]) -> Option<(ServerAddr, Duration)> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The first connection was made without us: to the only one that ever took it.
        let left = servers.iter().find(|server| match &*last {
            Some(last) => server.addr == *last,
            None => server.did_connect,
        });
        let pause_max = match left {
            Some(left) if 0 < left.failed_attempts => BACKOFF_MAX,
            _ => FIRST_MAX,
        };
        let left = left.map(|left| left.addr.clone());
        let next = best(servers, left.as_ref())?;
        *last = Some(next.clone());
        Some((next, pause_max.mul_f64(fastrand::f64())))
    }
}

/// One of those that failed least; where we come from counts as having failed once more.
fn best(servers: &[Server], left: Option<&ServerAddr>) -> Option<ServerAddr> {
    let failures =
        |server: &Server| server.failed_attempts + usize::from(Some(&server.addr) == left);
    let fewest = servers.iter().map(failures).min()?;
    let best: Vec<_> = servers.iter().filter(|server| failures(server) == fewest).collect();
    fastrand::choice(best).map(|server| server.addr.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(of: &[(&str, usize)]) -> Vec<Server> {
        let server = |&(addr, failed_attempts): &(&str, usize)| Server {
            addr: addr.parse().unwrap(),
            failed_attempts,
            did_connect: addr == "a:1",
            is_discovered: false,
            last_error: None,
        };
        of.iter().map(server).collect()
    }

    fn goes(next: &Next, of: &[(&str, usize)]) -> String {
        next.after(&servers(of)).unwrap().0.host().to_owned()
    }

    #[test]
    fn where_it_broke_is_not_tried_while_there_is_another() {
        for _ in 0..50 {
            let next = Next::default();
            assert_ne!(goes(&next, &[("a:1", 0), ("b:1", 0), ("c:1", 0)]), "a");
        }
        let next = Next::default();
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 0)]), "b");
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 0)]), "a", "now it broke at b");
    }

    #[test]
    fn the_one_that_failed_least_is_next_and_the_only_one_always() {
        let next = Next::default();
        assert_eq!(goes(&next, &[("a:1", 0)]), "a");
        assert_eq!(goes(&next, &[("a:1", 1)]), "a");
        let next = Next::default();
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 3), ("c:1", 2)]), "a", "the others are down");
        assert_eq!(Next::default().after(&[]), None);
    }

    #[test]
    fn the_first_attempt_follows_soon_and_further_ones_are_spread_wider() {
        let pauses = |failed| {
            (0..200).map(move |_| {
                Next::default().after(&servers(&[("a:1", failed), ("b:1", failed)])).unwrap().1
            })
        };
        assert!(pauses(0).all(|pause| pause <= FIRST_MAX));
        assert!(pauses(1).all(|pause| pause <= BACKOFF_MAX));
        assert!(pauses(1).any(|pause| FIRST_MAX < pause));
    }
}
