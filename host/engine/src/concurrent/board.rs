//! The calls of one instance: who waits for them, until when, and what becomes of them when the
//! instance ends.
//!
//! Shared by those who wait, by the task outside the store and by what runs inside it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wattle_capability::{Body, BodyError, Returned};

use super::Written;
use crate::actor::Admitted;
use crate::call::CallError;
use crate::link::Export;
use crate::reply;
use crate::state::Ongoing;

/// What a call wants done.
pub(crate) enum Work {
    Http(http::Request<Written>),
    Invoke(Invoke),
}

/// The call of a function.
pub(crate) struct Invoke {
    pub(super) export: Export,
    pub(super) args: Bytes,
    pub(super) streams: Vec<Body>,
}

type To<T> = oneshot::Sender<Result<T, CallError>>;

/// Who waits for the answer.
pub(crate) enum Answer {
    Http(To<http::Response<Written>>),
    Invoke(To<Returned>),
}

impl Answer {
    fn fail(self, error: CallError) {
        // Whoever waited may have gone.
        match self {
            Self::Http(to) => drop(to.send(Err(error))),
            Self::Invoke(to) => drop(to.send(Err(error))),
        }
    }
}

/// One call on its way to an instance, and in it.
pub(crate) struct Errand {
    pub(crate) ongoing: Arc<Ongoing>,
    /// The instance is made for it.
    makes: bool,
    /// Until it begins in the instance.
    work: Option<Work>,
    /// Until it is answered.
    answer: Option<Answer>,
    /// Told when the answer is read to its end.
    read: Option<oneshot::Sender<()>>,
    /// Nobody waits for it any more, or its time is over; it was told so.
    given_up: bool,
    pub(super) admitted: Admitted,
}

impl Errand {
    pub(super) fn new(
        ongoing: Arc<Ongoing>,
        work: Work,
        answer: Answer,
        admitted: Admitted,
    ) -> Self {
        let (work, answer) = (Some(work), Some(answer));
        Self { ongoing, makes: false, work, answer, read: None, given_up: false, admitted }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.makes || self.work.is_none()
    }

    fn deadline(&self) -> Instant {
        self.ongoing.ctx.deadline
    }

    /// Tells whoever waits, or whoever reads the answer. What is left stands for the place in the
    /// store.
    pub(super) fn fail(mut self, error: CallError, cause: Option<&wasmtime::Error>) -> Admitted {
        self.admitted.failed(&error, cause);
        self.fail_with(error);
        self.admitted
    }

    fn fail_with(&mut self, error: CallError) {
        if !matches!(error, CallError::GivenUp) {
            self.admitted.failed(&error, None);
        }
        self.ongoing.fail(error.clone());
        if let Some(answer) = self.answer.take() {
            answer.fail(error);
        }
        self.given_up = true;
    }
}

/// What begins inside the store.
pub(super) struct Begun {
    pub(super) ongoing: Arc<Ongoing>,
    pub(super) work: Work,
    pub(super) read: oneshot::Receiver<()>,
}

#[derive(Default)]
pub(crate) struct Board {
    posted: Mutex<Posted>,
    /// The task outside the store.
    watcher: AtomicWaker,
}

#[derive(Default)]
struct Posted {
    next: u64,
    errands: BTreeMap<u64, Errand>,
    /// The latest deadline of all calls so far: what they left running ends then.
    horizon: Option<Instant>,
    /// Nothing runs, and the instance waits for its next call.
    resting: bool,
    /// A call was given up while others run: nothing more is to begin here.
    spoilt: bool,
    /// There is no instance any more.
    ended: bool,
}

/// What the task outside the store is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Look again then at the latest.
    Fine(Option<Instant>),
    /// Nothing that anybody waits for is left, and what runs is to end.
    Over,
}

impl Board {
    /// Gives the call back if the instance has ended.
    pub(super) fn put(&self, errand: Errand) -> Result<u64, Box<Errand>> {
        let mut posted = self.posted();
        if posted.ended {
            return Err(Box::new(errand));
        }
        let id = posted.next;
        posted.next += 1;
        posted.horizon = posted.horizon.max(Some(errand.deadline()));
        posted.resting = false;
        posted.errands.insert(id, errand);
        drop(posted);
        self.watcher.wake();
        Ok(id)
    }

    /// Lets the task outside the store look again.
    pub(super) fn nudge(&self) {
        self.watcher.wake();
    }

    /// The instance is made for a call: that runs guest code, so the call has begun.
    pub(super) fn make_for(&self, id: u64) -> Option<Arc<Ongoing>> {
        let mut posted = self.posted();
        let errand = posted.errands.get_mut(&id)?;
        errand.makes = true;
        Some(errand.ongoing.clone())
    }

    /// Begins a call, if it still is to be done.
    pub(super) fn begin(&self, id: u64) -> Option<Begun> {
        let mut posted = self.posted();
        let errand = posted.errands.get_mut(&id)?;
        if errand.given_up {
            posted.errands.remove(&id);
            return None;
        }
        let work = errand.work.take()?;
        let (read, being_read) = oneshot::channel();
        errand.read = Some(read);
        Some(Begun { ongoing: errand.ongoing.clone(), work, read: being_read })
    }

    /// Who waits for the answer to a call; nobody, if it was given up.
    pub(super) fn answer(&self, id: u64) -> Option<Answer> {
        self.posted().errands.get_mut(&id)?.answer.take()
    }

    /// A call is over, and well.
    pub(super) fn end(&self, id: u64) -> Option<Errand> {
        self.posted().errands.remove(&id)
    }

    pub(super) fn rest(&self) {
        self.posted().resting = true;
    }

    pub(super) fn is_spoilt(&self) -> bool {
        self.posted().spoilt
    }

    /// The instance has ended. Returns all that is left, to be failed.
    pub(super) fn clear(&self) -> Vec<Errand> {
        let mut posted = self.posted();
        posted.ended = true;
        std::mem::take(&mut posted.errands).into_values().collect()
    }

    /// Gives up what is overdue, and says what is to be done outside the store.
    pub(super) fn look(&self, now: Instant, cx: &Context<'_>) -> Outlook {
        self.watcher.register(cx.waker());
        let mut posted = self.posted();
        for errand in posted.errands.values_mut() {
            if !errand.given_up && errand.deadline() <= now {
                errand.fail_with(CallError::DeadlineExceeded { begun: errand.is_begun() });
            }
        }
        posted.outlook(now)
    }

    /// Whoever waited for a call has gone, or has read all of its answer.
    fn leave(&self, id: u64, has_all: bool) {
        let mut posted = self.posted();
        let Some(errand) = posted.errands.get_mut(&id) else { return };
        match errand.read.take() {
            Some(read) if has_all => drop(read.send(())),
            _ => errand.fail_with(CallError::GivenUp),
        }
        drop(posted);
        self.watcher.wake();
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().expect("nothing panics while it holds this lock")
    }
}

/// How one call stands.
#[derive(Clone, Copy, Debug)]
struct Standing {
    deadline: Instant,
    begun: bool,
    given_up: bool,
}

impl Posted {
    fn outlook(&mut self, now: Instant) -> Outlook {
        let standings = self.errands.values().map(|errand| Standing {
            deadline: errand.deadline(),
            begun: errand.is_begun(),
            given_up: errand.given_up,
        });
        let standings: Vec<Standing> = standings.collect();
        self.spoilt |= standings.iter().any(Standing::is_detached);
        // What calls left running has as long as the last of them had.
        let horizon = if self.resting { None } else { self.horizon };
        outlook(&standings, horizon, now)
    }
}

impl Standing {
    /// Begun, and wanted by nobody: it cannot be ended without what shares its store.
    fn is_detached(&self) -> bool {
        self.given_up && self.begun
    }
}

fn outlook(standings: &[Standing], horizon: Option<Instant>, now: Instant) -> Outlook {
    let wanted = standings.iter().filter(|standing| !standing.given_up);
    match wanted.map(|standing| standing.deadline).min() {
        Some(next) => Outlook::Fine(Some(next)),
        None if standings.iter().any(Standing::is_detached) => Outlook::Over,
        None if horizon.is_some_and(|horizon| horizon <= now) => Outlook::Over,
        None => Outlook::Fine(horizon),
    }
}

/// Held by whoever waits for a call, and then by whoever reads its answer. Dropping it gives the
/// call up.
pub(crate) struct Watch {
    board: Arc<Board>,
    id: u64,
    ongoing: Arc<Ongoing>,
    has_all: bool,
}

impl Watch {
    pub(super) fn new(board: Arc<Board>, id: u64, ongoing: Arc<Ongoing>) -> Self {
        Self { board, id, ongoing, has_all: false }
    }

    /// Everything the call had to say arrived.
    pub(crate) fn let_go(&mut self) {
        self.has_all = true;
    }

    /// How the call stands when what it says has ended: if it failed, that was no end.
    pub(crate) fn outcome(&self) -> Result<(), CallError> {
        self.ongoing.failure().map_or(Ok(()), Err)
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.ongoing.ctx.deadline
    }

    /// Goes along with the streams of a result: the call is over when they are.
    pub(super) fn accompany(self, returned: Returned) -> Returned {
        let Returned { result, streams } = returned;
        let watch = Arc::new(self);
        let along = |body| Accompanied { body, watch: Some(watch.clone()) }.boxed_unsync();
        Returned { result, streams: streams.into_iter().map(along).collect() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.leave(self.id, self.has_all);
    }
}

/// A stream of a result; cut if the call that writes it fails.
struct Accompanied {
    body: Body,
    watch: Option<Arc<Watch>>,
}

impl http_body::Body for Accompanied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(None) = polled
            && let Some(watch) = self.watch.take()
            && let Err(error) = watch.outcome()
        {
            return Poll::Ready(Some(Err(reply::cut(&error))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.watch.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_instance_ends_early_only_when_nobody_wants_what_runs_in_it() {
        let now = Instant::now();
        let soon = now + Duration::from_secs(1);
        let later = now + Duration::from_secs(2);
        let wanted = Standing { deadline: soon, begun: true, given_up: false };
        let waiting = Standing { deadline: later, begun: false, ..wanted };
        let detached = Standing { given_up: true, ..wanted };
        let withdrawn = Standing { given_up: true, ..waiting };
        let cases: [(&str, &[Standing], Option<Instant>, Outlook); 8] = [
            ("nothing was ever given", &[], None, Outlook::Fine(None)),
            ("one runs, one waits", &[waiting, wanted], Some(later), Outlook::Fine(Some(soon))),
            ("one was given up beside it", &[detached, wanted], None, Outlook::Fine(Some(soon))),
            ("only what was given up", &[detached], Some(later), Outlook::Over),
            ("given up before it began", &[withdrawn], Some(later), Outlook::Fine(Some(later))),
            ("something goes on", &[], Some(later), Outlook::Fine(Some(later))),
            ("something goes on for too long", &[], Some(now), Outlook::Over),
            ("it waits", &[withdrawn], None, Outlook::Fine(None)),
        ];
        for (name, standings, horizon, expected) in cases {
            assert_eq!(outlook(standings, horizon, now), expected, "{name}");
        }
    }
}
