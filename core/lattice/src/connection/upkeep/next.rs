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

/// Remembers where it went since the connection broke.
///
/// What a server failed at before that says little: one that was down at our start would be shunned
/// for one that hangs now.
#[derive(Debug, Default)]
pub(super) struct Next {
    outage: Mutex<Outage>,
}

#[derive(Debug, Default)]
struct Outage {
    /// Where it broke; unknown for the first connection, which was made without us.
    left: Option<ServerAddr>,
    /// In this order, some perhaps more than once.
    tried: Vec<ServerAddr>,
}

impl Next {
    /// The next server to try, after which pause; none if there are no servers.
    pub(super) fn after(&self, servers: &[Server]) -> Option<(ServerAddr, Duration)> {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let pause_max = if outage.tried.is_empty() { FIRST_MAX } else { BACKOFF_MAX };
        let next = outage.next(servers)?;
        outage.tried.push(next.clone());
        Some((next, pause_max.mul_f64(fastrand::f64())))
    }

    /// The server that was tried last took us.
    pub(super) fn connected(&self) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let left = outage.tried.pop().or(outage.left.take());
        *outage = Outage { left, tried: Vec::new() };
    }
}

impl Outage {
    /// One of those that were tried least since it broke. Where it broke counts as tried, and of
    /// equals the one that failed least of all times is taken.
    fn next(&self, servers: &[Server]) -> Option<ServerAddr> {
        let broke_at = |server: &Server| match &self.left {
            Some(left) => server.addr == *left,
            None => server.did_connect,
        };
        let tried =
            |server: &Server| self.tried.iter().filter(|addr| **addr == server.addr).count();
        let rank = |server: &Server| {
            (tried(server) + usize::from(broke_at(server)), server.failed_attempts)
        };
        let least = servers.iter().map(rank).min()?;
        let best: Vec<_> = servers.iter().filter(|server| rank(server) == least).collect();
        fastrand::choice(best).map(|server| server.addr.clone())
    }
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
        next.connected();
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 0)]), "a", "now it broke at b");
        next.connected();
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 0)]), "b", "and at a again");
    }

    #[test]
    fn what_failed_before_it_broke_is_forgiven() {
        let next = Next::default();
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 7), ("c:1", 1)]), "c", "but remembered");
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 7), ("c:1", 2)]), "b");
        assert_eq!(goes(&next, &[("a:1", 0), ("b:1", 8), ("c:1", 2)]), "a", "the others are down");
        assert_eq!(goes(&next, &[("a:1", 1), ("b:1", 8), ("c:1", 2)]), "c", "each in its turn");
    }

    #[test]
    fn the_only_one_is_tried_always() {
        let next = Next::default();
        assert_eq!(goes(&next, &[("a:1", 0)]), "a");
        assert_eq!(goes(&next, &[("a:1", 1)]), "a");
        assert_eq!(Next::default().after(&[]), None);
    }

    #[test]
    fn the_first_attempt_follows_soon_and_further_ones_are_spread_wider() {
        let pauses = |attempts: usize| {
            (0..200).map(move |_| {
                let next = Next::default();
                (0..attempts).for_each(|_| drop(next.after(&servers(&[("a:1", 0), ("b:1", 0)]))));
                next.after(&servers(&[("a:1", 0), ("b:1", 0)])).unwrap().1
            })
        };
        assert!(pauses(0).all(|pause| pause <= FIRST_MAX));
        assert!(pauses(1).all(|pause| pause <= BACKOFF_MAX));
        assert!(pauses(1).any(|pause| FIRST_MAX < pause));
    }
}
