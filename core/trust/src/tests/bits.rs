//! Small damage anywhere in a signed component, exhaustively.

use super::fixture::*;

/// Refused, whatever the reason; and it does not panic.
fn refused(what: &str, bytes: Vec<u8>) {
    let result = verify(bytes, &policy());
    assert!(result.is_err(), "{what} was accepted");
}

#[test]
fn a_signed_component_with_one_bit_flipped_is_refused() {
    for bytes in [signed(&component()), attach_as_is(&padded_component())] {
        assert_eq!(verdict(&verify(bytes.clone(), &policy())), "accepted");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            refused(&format!("bit {} of byte {}", bit % 8, bit / 8), flipped);
        }
    }
}

#[test]
fn a_signed_component_that_lost_its_end_is_refused() {
    let bytes = signed(&component());
    for len in 0..bytes.len() {
        refused(&format!("the first {len} bytes"), bytes[..len].to_vec());
    }
}

#[test]
fn a_signed_component_with_a_byte_taken_out_or_put_in_is_refused() {
    let bytes = signed(&component());
    for at in 0..bytes.len() {
        let mut shorter = bytes.clone();
        shorter.remove(at);
        refused(&format!("without byte {at}"), shorter);
        for byte in [0, 1, 0x7f, 0x80, 0xff, bytes[at]] {
            let mut longer = bytes.clone();
            longer.insert(at, byte);
            refused(&format!("with {byte:#04x} before byte {at}"), longer);
        }
    }
}

/// Signs without writing the component again, so that its long lengths stay.
fn attach_as_is(component: &[u8]) -> Vec<u8> {
    let claims = claims_json(component).to_string();
    attach(component, &token(HEADER.as_bytes(), claims.as_bytes(), &issuer()))
}
