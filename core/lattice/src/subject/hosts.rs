//! The text of a host's id, remembered: base32 and its checksum cost more than anything else in a
//! subject, and a process speaks with few hosts at a time.

use std::cell::RefCell;

use wattle_types::HostId;

/// A place for each of so many; two that fall on one place take turns.
const PLACES: usize = 64;

const TEXT_LEN: usize = 56;

type Known = [Option<(HostId, [u8; TEXT_LEN])>; PLACES];

thread_local! {
    static BY_ID: RefCell<Known> = const { RefCell::new([None; PLACES]) };
    static BY_TEXT: RefCell<Known> = const { RefCell::new([None; PLACES]) };
}

/// Writes a host's text behind `to`.
pub(crate) fn write(host: &HostId, to: &mut String) {
    BY_ID.with_borrow_mut(|known| {
        let place = usize::from(host.public().bytes()[0]) % PLACES;
        if let Some((id, text)) = &known[place]
            && id == host
        {
            to.push_str(str::from_utf8(text).expect("it was text when it was remembered"));
            return;
        }
        let text = host.to_string();
        to.push_str(&text);
        known[place] = text.as_bytes().try_into().ok().map(|text| (*host, text));
    });
}

/// The host of that text.
pub(crate) fn read(text: &str) -> Option<HostId> {
    let bytes: &[u8; TEXT_LEN] = text.as_bytes().try_into().ok()?;
    BY_TEXT.with_borrow_mut(|known| {
        // Two letters in the middle of the key, five bits each.
        let place = (usize::from(bytes[20]) * 7 + usize::from(bytes[21])) % PLACES;
        if let Some((id, text)) = &known[place]
            && text == bytes
        {
            return Some(*id);
        }
        let host = text.parse().ok()?;
        known[place] = Some((host, *bytes));
        Some(host)
    })
}

#[cfg(test)]
mod tests {
    use wattle_types::{PublicKey, Role};

    use super::*;

    #[test]
    fn a_remembered_host_is_the_one_it_was() {
        let hosts: Vec<HostId> = (0..=255)
            .map(|n| HostId::try_from(PublicKey::new(Role::Server, [n; 32])).unwrap())
            .collect();
        for host in hosts.iter().chain(&hosts) {
            for _ in 0..2 {
                let mut text = String::new();
                write(host, &mut text);
                assert_eq!(text, host.to_string());
                assert_eq!(read(&text), Some(*host));
            }
        }
        let mut damaged = hosts[0].to_string();
        damaged.replace_range(30..31, "B");
        for bad in ["", "N", &damaged, &damaged.to_lowercase()] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
