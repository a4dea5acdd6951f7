//! How much of a stream may be under way, as arithmetic: what a sender may send, what a reader
//! grants, and what all readers of a process may have granted together.
//!
//! Both sides count from the beginning of the stream, so a credit that is lost or comes twice does
//! no harm. A frame counts with its length, and at least [`COST_MIN`]: a window bounds the number
//! of frames as well as their bytes.

use crate::call::frame::{COST_MIN, DATA_BYTES_MAX};

/// What a reader grants once it reads.
pub(crate) const WINDOW: u64 = 512 << 10;

/// What every stream gets, however many there are: without it a few slow readers that hold
/// everything would stop all others.
pub(crate) const WINDOW_MIN: u64 = 32 << 10;

/// What all streams of a process share beyond [`WINDOW_MIN`] each.
pub(crate) const SHARED_BYTES_MAX: u64 = 32 << 20;

/// What one frame of `len` bytes counts.
pub(crate) fn cost(len: usize) -> u64 {
    (len as u64).max(COST_MIN)
}

/// The sending side of one stream.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    granted: u64,
    sent: u64,
    next: u64,
}

impl Sending {
    pub(crate) fn new(granted: u64) -> Self {
        Self { granted, sent: 0, next: 0 }
    }

    /// Takes a credit; one that is older than the last changes nothing.
    pub(crate) fn granted(&mut self, upto: u64) {
        self.granted = self.granted.max(upto);
    }

    /// How many bytes the next frame may have; 0: wait for credit.
    pub(crate) fn room(&self) -> usize {
        let left = self.granted.saturating_sub(self.sent);
        if left < COST_MIN {
            return 0;
        }
        usize::try_from(left).unwrap_or(DATA_BYTES_MAX).min(DATA_BYTES_MAX)
    }

    /// Notes a frame of data and numbers it.
    pub(crate) fn sent(&mut self, len: usize) -> u64 {
        self.sent = self.sent.saturating_add(cost(len));
        self.number()
    }

    /// The number of a frame that needs no credit: the end, or an error.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// Why a frame cannot be taken. The stream is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutOfOrder {
    #[error("frame {found} came where {expected} was due")]
    Missing { expected: u64, found: u64 },
    #[error("more was sent than was granted")]
    NotGranted,
}

/// The reading side of one stream.
#[derive(Debug)]
pub(crate) struct Reading {
    granted: u64,
    received: u64,
    taken: u64,
    next: u64,
    /// How much may be under way from now on.
    window: u64,
}

impl Reading {
    /// Of a stream whose sender was told that it may send so much.
    pub(crate) fn new(granted: u64) -> Self {
        Self { granted, received: 0, taken: 0, next: 0, window: WINDOW_MIN }
    }

    /// Notes a frame of data that arrived. The end needs no credit if it carries nothing.
    pub(crate) fn arrived(&mut self, seq: u64, len: usize) -> Result<(), OutOfOrder> {
        self.in_order(seq)?;
        self.received = self.received.saturating_add(cost(len));
        if self.granted < self.received { Err(OutOfOrder::NotGranted) } else { Ok(()) }
    }

    /// Notes a frame that needs no credit.
    pub(crate) fn in_order(&mut self, seq: u64) -> Result<(), OutOfOrder> {
        if seq != self.next {
            return Err(OutOfOrder::Missing { expected: self.next, found: seq });
        }
        self.next += 1;
        Ok(())
    }

    /// Notes that the reader took a frame of data.
    pub(crate) fn taken(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(cost(len));
    }

    /// How much the window lacks of [`WINDOW`].
    pub(crate) fn wanting(&self) -> u64 {
        WINDOW - self.window
    }

    pub(crate) fn widen(&mut self, by: u64) {
        self.window += by;
    }

    /// What this stream holds of what is shared.
    pub(crate) fn shared(&self) -> u64 {
        self.window - WINDOW_MIN
    }

    /// Whether so much was taken that the sender should be told.
    pub(crate) fn is_due(&self) -> bool {
        self.window / 2 <= (self.taken + self.window).saturating_sub(self.granted)
    }

    /// The credit that was told last.
    pub(crate) fn told(&self) -> u64 {
        self.granted
    }

    /// The credit to tell now.
    pub(crate) fn grant(&mut self) -> u64 {
        self.granted = self.granted.max(self.taken + self.window);
        self.granted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_sent_without_credit() {
        let mut sending = Sending::new(0);
        assert_eq!(sending.room(), 0);
        sending.granted(100);
        assert_eq!(sending.room(), 0, "less than a frame costs");
        sending.granted(3_000);
        assert_eq!(sending.room(), 3_000);
        assert_eq!(sending.sent(10), 0);
        assert_eq!(sending.room(), 3_000 - COST_MIN as usize, "a small frame is not free");
        assert_eq!(sending.sent(1_976), 1);
        assert_eq!(sending.room(), 0);
        sending.granted(2_000);
        assert_eq!(sending.room(), 0, "an old credit takes nothing back and gives nothing");
        sending.granted(u64::MAX);
        assert_eq!(sending.room(), DATA_BYTES_MAX);
    }

    #[test]
    fn a_gap_and_too_much_are_noticed() {
        let mut reading = Reading::new(4_096);
        assert_eq!(reading.arrived(0, 2_000), Ok(()));
        assert_eq!(reading.arrived(2, 1), Err(OutOfOrder::Missing { expected: 1, found: 2 }));
        assert_eq!(reading.arrived(0, 1), Err(OutOfOrder::Missing { expected: 1, found: 0 }));
        assert_eq!(reading.arrived(1, 2_097), Err(OutOfOrder::NotGranted));
        let mut reading = Reading::new(0);
        assert_eq!(reading.in_order(0), Ok(()), "an empty end needs no credit");
    }

    #[test]
    fn credit_is_told_when_half_a_window_was_taken() {
        let mut reading = Reading::new(0);
        assert!(reading.is_due());
        assert_eq!(reading.grant(), WINDOW_MIN);
        reading.widen(reading.wanting());
        assert_eq!((reading.wanting(), reading.shared()), (0, WINDOW - WINDOW_MIN));
        assert_eq!(reading.grant(), WINDOW);
        assert!(!reading.is_due());
        reading.arrived(0, 1 << 16).unwrap();
        reading.taken(1 << 16);
        assert!(!reading.is_due());
        reading.taken(3 << 16);
        assert!(reading.is_due());
        assert_eq!(reading.grant(), WINDOW + (4 << 16));
    }

    proptest! {
        /// A sender and a reader that work at any pace, with credits that are lost at random.
        #[test]
        fn everything_arrives_in_order_and_no_more_than_a_window_is_under_way(
            lens in prop::collection::vec(0usize..200_000, 1..60),
            paces in prop::collection::vec((0u8..4, any::<bool>()), 1..60),
        ) {
            let (mut sending, mut reading) = (Sending::new(0), Reading::new(0));
            reading.widen(reading.wanting());
            let mut under_way = std::collections::VecDeque::new();
            let mut left: std::collections::VecDeque<usize> = lens.iter().copied().collect();
            let mut arrived = 0;
            for (take, credit_lost) in paces.into_iter().chain([(4, false)].into_iter().cycle()) {
                while let Some(len) = left.front_mut() {
                    let room = sending.room();
                    if room == 0 { break; }
                    let part = room.min(*len);
                    reading.arrived(sending.sent(part), part).unwrap();
                    under_way.push_back(part);
                    *len -= part;
                    if *len == 0 { left.pop_front(); }
                }
                let costs: u64 = under_way.iter().map(|len| cost(*len)).sum();
                prop_assert!(costs <= WINDOW);
                for _ in 0..take {
                    let Some(len) = under_way.pop_front() else { break };
                    reading.taken(len);
                    arrived += len;
                }
                if reading.is_due() || !credit_lost {
                    let upto = reading.grant();
                    if !credit_lost { sending.granted(upto); }
                }
                if left.is_empty() && under_way.is_empty() { break; }
            }
            prop_assert_eq!(arrived, lens.iter().sum::<usize>());
        }
    }
}
