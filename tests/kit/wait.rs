//! Waiting for a condition, with a deadline, and with what was seen instead if it is never met.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// What a look at a condition found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    Met(T),
    /// What there was instead.
    NotYet(String),
}

impl<T> Look<T> {
    /// Met if there is something; `instead` says what there was if not.
    pub fn some(found: Option<T>, instead: impl FnOnce() -> String) -> Self {
        found.map_or_else(|| Self::NotYet(instead()), Self::Met)
    }
}

/// Looks until the condition is met.
///
/// # Panics
///
/// When it is not met within `deadline`, with `what` was waited for and what was seen last.
pub async fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Look<T>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        let seen = match look().await {
            Look::Met(found) => return found,
            Look::NotYet(seen) => seen,
        };
        assert!(Instant::now() < end, "waited {deadline:?} until {what}; seen last: {seen}");
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_when_the_condition_is_met() {
        let mut looks = 0;
        let found = wait_until("the third look", Duration::from_secs(10), async || {
            looks += 1;
            Look::some((looks == 3).then_some("here"), || format!("look {looks}"))
        });
        assert_eq!(found.await, "here");
    }

    #[tokio::test]
    #[should_panic(expected = "until it rains; seen last: the sun")]
    async fn a_wait_in_vain_says_what_was_there_instead() {
        wait_until("it rains", Duration::ZERO, async || Look::<()>::NotYet("the sun".to_owned()))
            .await;
    }
}
