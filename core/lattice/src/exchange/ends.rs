//! The two ends of a stream: where it is read, and where it is sent.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;
use http::HeaderMap;

use super::StreamFault;
use super::held::Held;
use super::window::{Reading, Sending};

/// What a reader is given.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    Fault(StreamFault),
}

/// A stream that comes in.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) stream: u8,
    pub(super) reading: Reading,
    pub(super) queue: VecDeque<Piece>,
    pub(super) waker: Option<Waker>,
    /// Nothing more will arrive.
    pub(super) ended: bool,
    /// Nobody reads it any more.
    pub(super) closed: bool,
}

/// A stream that goes out.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) stream: u8,
    pub(super) sending: Sending,
    pub(super) waker: Option<Waker>,
    pub(super) stopped: Option<StreamFault>,
    pub(super) done: bool,
}

impl Inbox {
    pub(super) fn new(stream: u8, granted: u64) -> Self {
        let (reading, queue) = (Reading::new(granted), VecDeque::new());
        Self { stream, reading, queue, waker: None, ended: false, closed: false }
    }

    pub(super) fn push(&mut self, piece: Piece, held: &Held) {
        match &piece {
            Piece::Data(data) => held.arrived(data.len()),
            Piece::Trailers(_) => {}
            Piece::End | Piece::Fault(_) => self.ended = true,
        }
        self.queue.push_back(piece);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Gives back what it holds.
    pub(super) fn close(&mut self, held: &Held) {
        if self.closed {
            return;
        }
        self.closed = true;
        held.give_back(self.reading.shared());
        for piece in self.queue.drain(..) {
            if let Piece::Data(data) = piece {
                held.taken(data.len());
            }
        }
    }
}

impl Outlet {
    pub(super) fn new(stream: u8, credit: u64) -> Self {
        let sending = Sending::new(credit);
        Self { stream, sending, waker: None, stopped: None, done: false }
    }

    pub(super) fn stop(&mut self, fault: StreamFault) {
        self.stopped.get_or_insert(fault);
        self.wake();
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

pub(super) fn lost(reason: impl Into<String>) -> StreamFault {
    StreamFault::Lost(reason.into())
}
