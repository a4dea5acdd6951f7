//! All calls of a connection that go beyond their two messages, and whose frame is whose.
//!
//! One subscription, on the second connection, takes all frames; the session and number in the
//! subject say which call a frame belongs to, and the frame itself which side it comes from. A
//! frame of a call that nobody knows is counted, and whoever sent it is told once.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use async_nats::message::OutboundMessage;
use async_nats::{Message, StatusCode, Subject};
use futures::FutureExt as _;
use tokio::sync::OnceCell;
use wattle_types::HostId;

use super::bulk::Bulk;
use super::call::Call;
use super::held::Held;
use crate::call::frame::{By, Frame, Kind};
use crate::connection::replies::Replies;
use crate::subject::is_token;
use crate::{ConnectConfig, PublishError};

/// Calls that were given up before they came, and calls whose stray frames were answered: so many
/// are remembered.
const REMEMBERED_MAX: usize = 256;

/// The table of one connection.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(super) client: async_nats::Client,
    pub(super) config: ConnectConfig,
    pub(super) replies: Arc<Replies>,
    pub(super) bulk: OnceCell<Bulk>,
    pub(crate) held: Held,
    session: Box<str>,
    /// `wattle.<L>.rep.`
    replies_prefix: String,
    /// `wattle.<L>.rep.<who>.`
    own_prefix: String,
    asked: Mutex<HashMap<Arc<str>, Weak<Call>>>,
    accepted: Mutex<HashMap<Arc<str>, Weak<Call>>>,
    given_up: Mutex<VecDeque<Box<str>>>,
    told: Mutex<VecDeque<Box<str>>>,
    /// Frames of calls that nobody knows.
    stray: AtomicU64,
    /// Frames that could not be read.
    malformed: AtomicU64,
}

impl Calls {
    pub(crate) fn new(
        client: async_nats::Client,
        config: ConnectConfig,
        replies: Arc<Replies>,
        session: &str,
    ) -> Arc<Self> {
        let replies_prefix = format!("wattle.{}.rep.", config.names.lattice());
        Arc::new(Self {
            own_prefix: format!("{replies_prefix}{}.", config.who),
            replies_prefix,
            session: session.into(),
            client,
            config,
            replies,
            bulk: OnceCell::new(),
            held: Held::default(),
            asked: Mutex::default(),
            accepted: Mutex::default(),
            given_up: Mutex::default(),
            told: Mutex::default(),
            stray: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
        })
    }

    /// The second connection, made when it is first needed.
    pub(crate) async fn bulk(self: &Arc<Self>) -> Result<&Bulk, PublishError> {
        let made = self.bulk.get_or_try_init(|| Bulk::open(self));
        made.await.map_err(|error| {
            tracing::warn!(error = %wattle_tasks::Chain(&error), "no second connection");
            PublishError::Closed
        })
    }

    pub(crate) fn opened(&self) -> Option<&Bulk> {
        self.bulk.get()
    }

    /// Whether frames can reach us already.
    pub(super) fn hears_frames(&self) -> bool {
        self.bulk.initialized()
    }

    /// What our own call of that number is called.
    pub(super) fn name_of(&self, number: u64) -> String {
        format!("{}.{number}", self.session)
    }

    /// Where frames of that call reach us.
    pub(super) fn frames_of(&self, name: &str) -> Subject {
        format!("{}{name}.s", self.own_prefix).into()
    }

    /// Where frames of that call reach a host.
    pub(super) fn frames_to(&self, host: &HostId, name: &str) -> Subject {
        format!("{}{host}.{name}.s", self.replies_prefix).into()
    }

    /// The name of the call that is answered at `reply`, if that is an address that takes frames.
    pub(super) fn name_in<'a>(&self, reply: &'a str) -> Option<&'a str> {
        let (_who, name) = reply.strip_prefix(&self.replies_prefix)?.split_once('.')?;
        // Two tokens: what came in as an address has nothing but tokens.
        let (_session, number) = name.split_once('.')?;
        (!number.contains('.')).then_some(name)
    }

    /// Whether an address that somebody gave us is one for frames of that call, and for nothing
    /// else.
    pub(super) fn takes_frames(&self, there: &str, name: &str) -> bool {
        let tail =
            there.strip_prefix(&self.replies_prefix).and_then(|tail| tail.strip_suffix(".s"));
        let who = tail.and_then(|tail| tail.strip_suffix(name)?.strip_suffix('.'));
        who.is_some_and(is_token)
    }

    fn table(&self, side: By) -> MutexGuard<'_, HashMap<Arc<str>, Weak<Call>>> {
        let table = match side {
            By::Caller => &self.asked,
            By::Callee => &self.accepted,
        };
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to know a call.
    pub(super) fn register(&self, call: Call) -> Arc<Call> {
        let call = Arc::new(call);
        self.table(call.side()).insert(call.name.clone(), Arc::downgrade(&call));
        if call.side() == By::Callee && take(&self.given_up, &call.name) {
            call.gone.cancel();
        }
        call
    }

    pub(super) fn find(&self, side: By, name: &str) -> Option<Arc<Call>> {
        self.table(side).get(name)?.upgrade()
    }

    /// Ceases to know a call, unless another has its name by now.
    pub(super) fn forget(&self, call: &Call) {
        let mut table = self.table(call.side());
        if table.get(&call.name).is_some_and(|known| std::ptr::eq(known.as_ptr(), call)) {
            table.remove(&call.name);
        }
    }

    /// Frames that belonged to no call, and frames that could not be read.
    pub(crate) fn passed_over(&self) -> (u64, u64) {
        (self.stray.load(Ordering::Relaxed), self.malformed.load(Ordering::Relaxed))
    }

    /// Every call lost what may have been under way.
    pub(super) fn lose_all(&self, reason: &str) {
        for call in self.all() {
            call.lose(reason);
        }
    }

    pub(super) fn tick(&self) {
        let now = Instant::now();
        for call in self.all() {
            call.tick(now);
        }
    }

    fn all(&self) -> Vec<Arc<Call>> {
        let of = |side| self.table(side).values().filter_map(Weak::upgrade).collect::<Vec<_>>();
        [of(By::Caller), of(By::Callee)].concat()
    }

    /// Takes what came to a subject of frames.
    pub(super) fn hear(self: &Arc<Self>, message: Message) {
        let subject = message.subject.as_str();
        let Some(name) =
            subject.strip_prefix(&self.own_prefix).and_then(|tail| tail.strip_suffix(".s"))
        else {
            return;
        };
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            // What we sent reached nobody: this is where we said that answers go.
            for side in [By::Caller, By::Callee] {
                if let Some(call) = self.find(side, name) {
                    call.lose("the other side is gone");
                }
            }
            return;
        }
        let frame = match Frame::decode(&message.payload) {
            Ok(frame) => frame,
            Err(error) => {
                self.malformed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "frame passed over");
                return;
            }
        };
        let there = message.reply.filter(|there| self.takes_frames(there, name));
        let side = match frame.by {
            By::Caller => By::Callee,
            By::Callee => By::Caller,
        };
        let call = self.find(side, name).or_else(|| self.early(side, name, &frame.kind));
        let Some(call) = call else { return self.stray(side, name, there.as_ref(), &frame.kind) };
        if let Some(there) = &there {
            call.found(there);
        }
        if frame.kind == Kind::Ping {
            call.say(Kind::Pong);
        }
        call.hear(frame.kind);
    }

    /// A call whose answer begins to arrive before its head did.
    fn early(self: &Arc<Self>, side: By, name: &str, kind: &Kind) -> Option<Arc<Call>> {
        if side == By::Callee || !matches!(kind, Kind::Data { .. } | Kind::Error { .. }) {
            return None;
        }
        let number = self.own_number(name)?;
        self.replies.beside(number, || {
            self.register(Call::new(self.clone(), By::Caller, name, None, false))
        })
    }

    /// What goes on beside a call of ours that is not over.
    pub(super) fn beside(
        self: &Arc<Self>,
        number: u64,
        there: Option<&Subject>,
    ) -> Option<Arc<Call>> {
        let name = self.name_of(number);
        let call = self.replies.beside(number, || {
            self.register(Call::new(self.clone(), By::Caller, &name, None, false))
        })?;
        if let Some(there) = there {
            call.found(there);
        }
        Some(call)
    }

    /// No answer will come to that call of ours, if none came.
    pub(super) fn lose_head(&self, name: &str) {
        if let Some(number) = self.own_number(name) {
            self.replies.lose(number);
        }
    }

    fn own_number(&self, name: &str) -> Option<u64> {
        name.strip_prefix(&*self.session)?.strip_prefix('.')?.parse().ok()
    }

    /// A frame of a call that nobody knows here, or of one that has no streams.
    fn stray(&self, side: By, name: &str, there: Option<&Subject>, kind: &Kind) {
        let pending = (side == By::Caller).then(|| self.own_number(name)).flatten();
        let waits = pending.is_some_and(|number| self.replies.waits_for(number));
        let say = |kind| {
            if let Some(there) = there {
                let frame = Frame { by: side, kind };
                self.say_behind(there, &self.frames_of(name), &frame);
            }
        };
        match kind {
            Kind::Ping if waits => return say(Kind::Pong),
            // Who was asked does not know of it.
            Kind::Cancel { stream: None } if waits => {
                return pending.into_iter().for_each(|number| self.replies.lose(number));
            }
            Kind::Credit { .. } | Kind::Pong if waits => return,
            // It may overtake what it gives up, which is read by another task.
            Kind::Cancel { stream: None } if side == By::Callee => remember(&self.given_up, name),
            Kind::Ping => say(Kind::Cancel { stream: None }),
            Kind::Data { .. } | Kind::Error { .. } if !remembers(&self.told, name) => {
                remember(&self.told, name);
                say(Kind::Cancel { stream: None });
            }
            _ => {}
        }
        self.stray.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends a frame with contents; waits while the connection is busy.
    pub(super) async fn send(
        self: &Arc<Self>,
        to: &Subject,
        from: &Subject,
        frame: &Frame,
    ) -> Result<(), PublishError> {
        let bulk = self.bulk().await?;
        if !bulk.is_up() {
            return Err(PublishError::Closed);
        }
        let said = publish(&bulk.client, to, from, frame);
        said.await.map_err(|_| PublishError::Closed)
    }

    /// Says a small frame, past the contents under way.
    pub(super) fn say(&self, to: &Subject, from: &Subject, frame: &Frame) {
        at_once(&self.client, to, from, frame);
    }

    /// Says a small frame behind the contents under way, so that it does not overtake an end.
    pub(super) fn say_behind(&self, to: &Subject, from: &Subject, frame: &Frame) {
        let client = self.bulk.get().map_or(&self.client, |bulk| &bulk.client);
        at_once(client, to, from, frame);
    }
}

fn publish(
    client: &async_nats::Client,
    to: &Subject,
    from: &Subject,
    frame: &Frame,
) -> impl Future<Output = Result<(), async_nats::PublishError>> + use<> {
    let message = OutboundMessage {
        subject: to.clone(),
        reply: Some(from.clone()),
        payload: frame.encode(),
        headers: None,
    };
    let client = client.clone();
    async move { async_nats::client::traits::Publisher::publish_message(&client, message).await }
}

/// From where nobody can wait: in a destructor, or while being polled.
fn at_once(client: &async_nats::Client, to: &Subject, from: &Subject, frame: &Frame) {
    let mut said = Box::pin(tokio::task::unconstrained(publish(client, to, from, frame)));
    if said.as_mut().now_or_never().is_none()
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        // The connection is busy. Fails only if it has closed, and then nobody can be told.
        runtime.spawn(async move {
            let _ = said.await;
        });
    }
}

type Remembered = Mutex<VecDeque<Box<str>>>;

fn remember(remembered: &Remembered, name: &str) {
    let mut remembered = remembered.lock().unwrap_or_else(PoisonError::into_inner);
    if remembered.len() == REMEMBERED_MAX {
        remembered.pop_front();
    }
    remembered.push_back(name.into());
}

fn remembers(remembered: &Remembered, name: &str) -> bool {
    let remembered = remembered.lock().unwrap_or_else(PoisonError::into_inner);
    remembered.iter().any(|one| **one == *name)
}

/// Whether it was remembered; it is not any more.
fn take(remembered: &Remembered, name: &str) -> bool {
    let mut remembered = remembered.lock().unwrap_or_else(PoisonError::into_inner);
    let at = remembered.iter().position(|one| **one == *name);
    at.and_then(|at| remembered.remove(at)).is_some()
}
