//! Which message of the stream this is, by the reply subject it was delivered with.

/// What the reply subject of a delivered message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) stream_seq: u64,
    pub(super) consumer_seq: u64,
    /// How many more wait to be delivered.
    pub(super) pending: u64,
}

impl Delivery {
    /// `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`,
    /// from newer servers with domain and account after `$JS.ACK`, and a token more at the end.
    pub(super) fn read(reply: &str) -> Option<Self> {
        let tokens: Vec<&str> = reply.split('.').collect();
        let rest = match tokens.get(..2)? {
            ["$JS", "ACK"] if tokens.len() == 9 => &tokens[2..],
            ["$JS", "ACK"] if 11 <= tokens.len() => &tokens[4..],
            _ => return None,
        };
        Some(Self {
            stream_seq: rest.get(3)?.parse().ok()?,
            consumer_seq: rest.get(4)?.parse().ok()?,
            pending: rest.get(6)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_delivery_are_read() {
        let expected = Delivery { stream_seq: 17, consumer_seq: 3, pending: 2 };
        for reply in [
            "$JS.ACK.KV_x.c1.1.17.3.1795168691940862769.2",
            "$JS.ACK.hub.hash.KV_x.c1.1.17.3.1795168691940862769.2",
            "$JS.ACK.hub.hash.KV_x.c1.1.17.3.1795168691940862769.2.random",
        ] {
            assert_eq!(Delivery::read(reply), Some(expected), "{reply}");
        }
        for reply in ["", "$JS.ACK", "$JS.ACK.KV_x.c1.1.x.3.1.2", "_INBOX.a.b.c.d.e.f.g.h"] {
            assert_eq!(Delivery::read(reply), None, "{reply}");
        }
    }
}
