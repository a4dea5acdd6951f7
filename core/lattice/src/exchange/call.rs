//! One call that goes beyond its two messages, seen from one of its sides: which of its streams
//! have how much under way, and who waits for them.
//!
//! Whoever uses a call holds it: the reader of a stream, the sender of one, whoever owes the
//! answer. When nobody does any more it leaves the table of [`Calls`], and frames for it are stray.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_nats::Subject;
use tokio_util::sync::CancellationToken;

use super::StreamFault;
use super::calls::Calls;
use super::ends::{Inbox, Outlet, Piece, lost};
use super::window::{OutOfOrder, Reading, WINDOW_MIN};
use crate::call::frame::{By, Frame, Kind};
use crate::call::header_map;

/// Silence after which the other side is asked whether it still knows the call.
pub(super) const PING_AFTER: Duration = Duration::from_secs(2);

/// Silence after which it is taken for gone. Long enough for a connection that comes back.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A call in progress.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) calls: Arc<Calls>,
    /// Which side we are.
    side: By,
    /// What the caller calls it: session and number, as in the subject of its frames.
    pub(super) name: Arc<str>,
    /// Where its reply goes; its frames go beside it. Only a callee knows.
    reply: Option<Subject>,
    /// Where frames of it reach us, and the other side once that is known: worked out when there
    /// is a frame, for most calls have none.
    here: OnceLock<Subject>,
    there: OnceLock<Subject>,
    state: Mutex<State>,
    /// Nobody waits for it on the other side, or nobody is there.
    pub(super) gone: CancellationToken,
}

#[derive(Debug)]
struct State {
    incoming: Vec<Inbox>,
    outgoing: Vec<Outlet>,
    /// Streams may arrive before the head that announces them: they were granted a little.
    head_is_due: bool,
    /// The other side can be asked whether it is still there, also while no stream is open.
    answers_pings: bool,
    /// None: not yet. A callee may well not have taken the call.
    heard: Option<Instant>,
}

impl Call {
    pub(super) fn new(
        calls: Arc<Calls>,
        side: By,
        name: &str,
        reply: Option<Subject>,
        answers_pings: bool,
    ) -> Self {
        let state = State {
            incoming: Vec::new(),
            outgoing: Vec::new(),
            head_is_due: side == By::Caller,
            answers_pings,
            heard: None,
        };
        let (here, there) = (OnceLock::new(), OnceLock::new());
        let (name, state, gone) = (name.into(), Mutex::new(state), CancellationToken::new());
        Self { calls, side, name, reply, here, there, state, gone }
    }

    pub(super) fn side(&self) -> By {
        self.side
    }

    pub(super) fn here(&self) -> &Subject {
        self.here.get_or_init(|| self.calls.frames_of(&self.name))
    }

    fn there(&self) -> Option<&Subject> {
        if let Some(reply) = &self.reply {
            return Some(self.there.get_or_init(|| format!("{reply}.s").into()));
        }
        self.there.get()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where the other side is, if it was not known.
    pub(super) fn found(&self, there: &Subject) {
        self.there.get_or_init(|| there.clone());
    }

    /// Announces streams that go out, of which so much may be sent at once.
    pub(super) fn will_send(&self, streams: impl IntoIterator<Item = u8>, credit: u64) {
        let outlets = streams.into_iter().map(|stream| Outlet::new(stream, credit));
        self.state().outgoing.extend(outlets);
    }

    /// Announces the streams that come in, and that there are no others.
    pub(super) fn will_read(&self, streams: &[u8], granted: u64) {
        let mut state = self.state();
        state.head_is_due = false;
        state.heard = Some(Instant::now());
        for stream in streams {
            if !state.incoming.iter().any(|inbox| inbox.stream == *stream) {
                state.incoming.push(Inbox::new(*stream, granted));
            }
        }
        for inbox in state.incoming.iter_mut().filter(|inbox| !streams.contains(&inbox.stream)) {
            inbox.close(&self.calls.held);
        }
    }

    /// Takes a frame that the other side said.
    pub(super) fn hear(&self, kind: Kind) {
        let mut state = self.state();
        state.heard = Some(Instant::now());
        match kind {
            Kind::Data { stream, seq, data, end, trailers } => {
                let pieces = |reading: &mut Reading| {
                    if data.is_empty() && end {
                        reading.in_order(seq)?;
                    } else {
                        reading.arrived(seq, data.len())?;
                    }
                    let trailers = match header_map(trailers) {
                        Ok(map) if map.is_empty() => None,
                        Ok(map) => Some(Piece::Trailers(map)),
                        Err(error) => Some(Piece::Fault(lost(error.to_string()))),
                    };
                    let data = (!data.is_empty()).then_some(Piece::Data(data));
                    Ok([data, trailers, end.then_some(Piece::End)])
                };
                self.arrived(&mut state, stream, pieces);
            }
            Kind::Error { stream, seq, code, message, limit } => {
                let fault = StreamFault::read(code, message, limit);
                let pieces = |reading: &mut Reading| {
                    reading.in_order(seq)?;
                    Ok([Some(Piece::Fault(fault)), None, None])
                };
                self.arrived(&mut state, stream, pieces);
            }
            Kind::Credit { stream, upto } => {
                if let Some(outlet) = state.outlet(stream) {
                    outlet.sending.granted(upto);
                    outlet.wake();
                }
            }
            Kind::Cancel { stream: Some(stream) } => {
                if let Some(outlet) = state.outlet(stream) {
                    outlet.stop(lost("nobody reads it any more"));
                }
            }
            Kind::Cancel { stream: None } => {
                drop(state);
                self.lose("the other side gave the call up, or does not know it");
            }
            Kind::Ping | Kind::Pong => {}
        }
    }

    fn arrived(
        &self,
        state: &mut State,
        stream: u8,
        pieces: impl FnOnce(&mut Reading) -> Result<[Option<Piece>; 3], OutOfOrder>,
    ) {
        let known = state.incoming.iter().position(|inbox| inbox.stream == stream);
        let at = match known {
            Some(at) => at,
            None if state.head_is_due => {
                state.incoming.push(Inbox::new(stream, WINDOW_MIN));
                state.incoming.len() - 1
            }
            // Closed meanwhile, and the other side was told.
            None => return,
        };
        let inbox = &mut state.incoming[at];
        if inbox.ended || inbox.closed {
            return;
        }
        match pieces(&mut inbox.reading) {
            Ok(pieces) => {
                pieces.into_iter().flatten().for_each(|piece| inbox.push(piece, &self.calls.held));
            }
            Err(error) => {
                inbox.push(Piece::Fault(lost(error.to_string())), &self.calls.held);
                self.say(Kind::Cancel { stream: Some(stream) });
            }
        }
    }

    /// The next piece of a stream. Reading is what grants credit.
    pub(super) fn poll_piece(&self, stream: u8, cx: &mut Context<'_>) -> Poll<Piece> {
        let mut state = self.state();
        let Some(inbox) = state.incoming.iter_mut().find(|inbox| inbox.stream == stream) else {
            return Poll::Ready(Piece::Fault(lost("it was never announced")));
        };
        let piece = inbox.queue.pop_front();
        if let Some(Piece::Data(data)) = &piece {
            inbox.reading.taken(data.len());
            self.calls.held.taken(data.len());
        }
        let mut credit = None;
        if !inbox.ended {
            let wanting = inbox.reading.wanting();
            if wanting != 0 {
                inbox.reading.widen(self.calls.held.reserve(wanting));
            }
            credit = inbox.reading.is_due().then(|| inbox.reading.grant());
        }
        if piece.is_none() {
            inbox.waker = Some(cx.waker().clone());
        }
        drop(state);
        if let Some(upto) = credit {
            self.say(Kind::Credit { stream, upto });
        }
        piece.map_or(Poll::Pending, Poll::Ready)
    }

    /// Notes that nobody reads a stream any more, and tells the other side unless it was complete.
    /// With the last of an answer's streams the whole call is given up.
    pub(super) fn close(&self, stream: u8) {
        let mut state = self.state();
        let Some(inbox) = state.incoming.iter_mut().find(|inbox| inbox.stream == stream) else {
            return;
        };
        let ended = inbox.ended;
        inbox.close(&self.calls.held);
        let last = state.incoming.iter().all(|inbox| inbox.closed);
        drop(state);
        match self.side {
            _ if ended => {}
            By::Caller if last => self.say(Kind::Cancel { stream: None }),
            _ => self.say(Kind::Cancel { stream: Some(stream) }),
        }
    }

    /// How much the next frame of a stream may carry; an error once nobody reads it.
    pub(super) fn poll_room(
        &self,
        stream: u8,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, StreamFault>> {
        let mut state = self.state();
        let Some(outlet) = state.outlet(stream) else {
            return Poll::Ready(Err(lost("it was never announced")));
        };
        if let Some(fault) = &outlet.stopped {
            return Poll::Ready(Err(fault.clone()));
        }
        match outlet.sending.room() {
            0 => {
                outlet.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    /// Why a stream need not be sent on, if so; else the task is woken when that changes.
    pub(super) fn poll_stopped(&self, stream: u8, cx: &mut Context<'_>) -> Poll<StreamFault> {
        let mut state = self.state();
        let Some(outlet) = state.outlet(stream) else { return Poll::Pending };
        match &outlet.stopped {
            Some(fault) => Poll::Ready(fault.clone()),
            None => {
                outlet.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Numbers a frame that goes out. The last one of its stream if `done`.
    pub(super) fn number(&self, stream: u8, len: usize, done: bool) -> u64 {
        let mut state = self.state();
        let Some(outlet) = state.outlet(stream) else { return 0 };
        outlet.done |= done;
        if len == 0 { outlet.sending.number() } else { outlet.sending.sent(len) }
    }

    /// Whether everything was sent that was announced.
    pub(super) fn is_sent(&self) -> bool {
        self.state().outgoing.iter().all(|outlet| outlet.done || outlet.stopped.is_some())
    }

    /// Sends a frame that carries contents; waits while the connection is busy.
    pub(super) async fn send(&self, kind: Kind) -> Result<(), StreamFault> {
        let Some(there) = self.there() else { return Err(lost("nobody took the call")) };
        let frame = Frame { by: self.side, kind };
        self.calls.send(there, self.here(), &frame).await.map_err(|error| lost(error.to_string()))
    }

    /// Says a small frame.
    pub(super) fn say(&self, kind: Kind) {
        if let Some(there) = self.there() {
            self.calls.say(there, self.here(), &Frame { by: self.side, kind });
        }
    }

    /// Says a small frame behind the contents that were sent.
    fn say_behind(&self, kind: Kind) {
        if let Some(there) = self.there() {
            self.calls.say_behind(there, self.here(), &Frame { by: self.side, kind });
        }
    }

    /// Tells the other side that this one will not go on.
    pub(super) fn give_up(&self) {
        self.say_behind(Kind::Cancel { stream: None });
    }

    /// The other side is gone, or what it sent is: nothing more will come, and nobody listens.
    pub(super) fn lose(&self, reason: &str) {
        let mut state = self.state();
        for inbox in state.incoming.iter_mut().filter(|inbox| !inbox.ended) {
            inbox.push(Piece::Fault(lost(reason)), &self.calls.held);
        }
        for outlet in &mut state.outgoing {
            outlet.stop(lost(reason));
        }
        drop(state);
        self.gone.cancel();
        if self.side == By::Caller {
            self.calls.lose_head(&self.name);
        }
    }

    /// Once in a while: asks whether the other side is still there if it has been silent, and
    /// repeats what may have been lost.
    pub(super) fn tick(&self, now: Instant) {
        let mut state = self.state();
        let reads = |inbox: &&Inbox| !inbox.ended && !inbox.closed;
        let sends = |outlet: &Outlet| !outlet.done && outlet.stopped.is_none();
        let waits = state.answers_pings
            || state.incoming.iter().any(|inbox| reads(&inbox))
            || state.outgoing.iter().any(sends);
        if self.side == By::Callee {
            // The call itself was the first sign of life.
            state.heard.get_or_insert(now);
        }
        let Some(heard) = state.heard else { return };
        let silent = now.saturating_duration_since(heard);
        if !waits || silent < PING_AFTER {
            return;
        }
        let granted = |inbox: &Inbox| (inbox.stream, inbox.reading.told());
        let credits: Vec<(u8, u64)> = state.incoming.iter().filter(reads).map(granted).collect();
        drop(state);
        if SILENCE_MAX < silent {
            return self.lose("the other side gives no sign of life");
        }
        self.say_behind(Kind::Ping);
        for (stream, upto) in credits.into_iter().filter(|(_, upto)| *upto != 0) {
            self.say(Kind::Credit { stream, upto });
        }
    }
}

impl State {
    fn outlet(&mut self, stream: u8) -> Option<&mut Outlet> {
        self.outgoing.iter_mut().find(|outlet| outlet.stream == stream)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.incoming.iter_mut().for_each(|inbox| inbox.close(&self.calls.held));
        self.calls.forget(self);
    }
}
