//! Versions for manifests that name none: sortable by time, as wadm makes them.

use crate::event::Stamp;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 48 bits of milliseconds and 80 random ones, in 26 characters of Crockford's base32.
pub(crate) fn ulid(at: Stamp) -> String {
    let value = u128::from(at.unix_ms) << 80 | at.random & ((1 << 80) - 1);
    let digit = |place: u32| char::from(ALPHABET[(value >> (5 * place) & 31) as usize]);
    (0..26).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_has_its_time_in_front() {
        // The example of the ULID specification.
        let ulid = ulid(Stamp { unix_ms: 1_469_918_176_385, random: u128::MAX, by: None });
        assert_eq!(ulid, "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
    }
}
