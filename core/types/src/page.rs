//! Parts of long lists: how much of one is asked for, and where the last part ended.
//!
//! A token names the last item that was given, so that what is added or removed meanwhile neither
//! hides an item nor shows one twice. What is in it is nobody's business but its maker's.

use std::fmt::Display;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

/// No part has more items.
pub const PAGE_ITEMS_MAX: usize = 500;

/// Which part of a list is asked for; without anything, all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// Only what comes after this item.
    pub after: Option<K>,
    /// So many items at most.
    pub limit: Option<usize>,
}

impl<K> Default for Page<K> {
    fn default() -> Self {
        Self { after: None, limit: None }
    }
}

impl<K> Page<K> {
    /// The part of `items`, which are those after [`Page::after`] in order, and its last item if
    /// there are more.
    pub fn take<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> K,
    ) -> (Vec<T>, Option<K>) {
        let mut items = items.into_iter();
        let Some(limit) = self.limit else { return (items.collect(), None) };
        let part: Vec<T> = items.by_ref().take(limit.clamp(1, PAGE_ITEMS_MAX)).collect();
        let more = items.next().is_some();
        let last = part.last().filter(|_| more).map(key);
        (part, last)
    }
}

/// What stands for "after this item" of this list.
pub fn token(list: &str, last: &impl Display) -> String {
    BASE64URL_NOPAD.encode(format!("{list}:{last}").as_bytes())
}

/// The item that a token of this list names, if it is one.
pub fn read_token<K: FromStr>(list: &str, token: &str) -> Option<K> {
    let text = String::from_utf8(BASE64URL_NOPAD.decode(token.as_bytes()).ok()?).ok()?;
    text.strip_prefix(list)?.strip_prefix(':')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_list_are_the_list() {
        let all: Vec<u64> = (1..=7).collect();
        for limit in 1..=8 {
            let (mut told, mut after) = (Vec::new(), None);
            loop {
                let page = Page { after, limit: Some(limit) };
                let rest =
                    all.iter().copied().filter(|item| page.after.is_none_or(|at| at < *item));
                let (part, last) = page.take(rest, |item| *item);
                assert!(part.len() <= limit);
                told.extend(part);
                let Some(last) = last else { break };
                after = read_token("numbers", &token("numbers", &last));
                assert_eq!(after, Some(last));
            }
            assert_eq!(told, all, "by {limit}");
        }
        assert_eq!(Page::default().take(all.clone(), |item| *item), (all, None));
    }

    #[test]
    fn a_token_of_another_list_is_none() {
        let names = token("names", &"shop");
        assert_eq!(read_token::<String>("names", &names).as_deref(), Some("shop"));
        assert_eq!(read_token::<String>("numbers", &names), None);
        assert_eq!(read_token::<u64>("names", &names), None);
        assert_eq!(read_token::<String>("names", "?"), None);
    }
}
