//! Doing what the brain says, and telling it what came of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tracing::{Instrument, Span, debug, error, info, warn};
use wattle_brain::{
    Alarm, Effect, Event, Expect, LeaseReading, OpId, Payload, ProbeReply, RequestId, Server,
    Write, Wrote,
};
use wattle_lattice::signal::Wake;
use wattle_lattice::store::{self, Refusal, Store, WriteOutcome};
use wattle_lattice::subject::{AppSubject, ControllerOp, HostOp};
use wattle_lattice::wadm::headers;
use wattle_lattice::{Connection, Reply, ReplyTo, RequestError, Subject, wire};
use wattle_tasks::{Chain, Tasks};
use wattle_trust::signed::{self, Context};
use wattle_types::{Epoch, ExportRequest, HostId, Inventory, Key, Leadership, Token};

use crate::api::{self, Door, Original};
use crate::archive::Keeper;
use crate::config::ControllerConfig;
use crate::desk;
use crate::memory::Memory;
use crate::mind::Letter;

/// An answer after this counts as none; the brain probes again as often.
const PROBE_WITHIN: Duration = Duration::from_millis(250);
const INVENTORY_WITHIN: Duration = Duration::from_secs(1);
/// As long as for a write. While a stream leader is elected nobody answers, and the sooner the next
/// one is asked, the sooner somebody decides again.
const LEASE_WITHIN: Duration = Duration::from_millis(700);
/// Whoever serves the application API answers a list within this.
const SERVED_WITHIN: Duration = Duration::from_secs(1);
/// A controller need not give all of it; a wadm passes over what it does not know.
const SHORT_LIST: &[u8] = br#"{"limit":1}"#;
/// An inventory of ten thousand actors fits.
const INVENTORY_BYTES_MAX: usize = 8 << 20;

pub(crate) struct Hands {
    pub(crate) connection: Connection,
    pub(crate) store: Store,
    pub(crate) config: ControllerConfig,
    pub(crate) boot: u64,
    pub(crate) memory: Memory,
    pub(crate) keeper: Keeper,
    pub(crate) mailbox: mpsc::Sender<Letter>,
    pub(crate) tasks: Tasks,
    /// Tells the ears to follow the store from its beginning.
    pub(crate) follow_anew: Arc<Notify>,
    /// There while the application API is answered.
    pub(crate) door: Option<Door>,
}

impl Hands {
    /// Does one thing, or begins it. In the order of calls, as far as it has an order.
    pub(crate) async fn act(&mut self, effect: Effect) {
        match effect {
            Effect::ReadLease { op } => self.read_lease(op),
            Effect::Commit { op, writes } => self.commit(op, writes),
            Effect::Write { op, write } => self.write(op, write),
            Effect::MakeStore => self.make_store(),
            Effect::Keep { entries } => self.keeper.keep(entries),
            Effect::RememberEpoch { epoch } => self.remember(epoch).await,
            Effect::Probe { host } => self.probe(host),
            Effect::AskInventory { host } => self.ask_inventory(host),
            Effect::Wake { host, at_least } => {
                self.publish(Subject::Wake { host }, Wake::new(at_least).encode());
            }
            Effect::TellLinks { source, at_least } => {
                self.publish(Subject::Relink { source }, Wake::new(at_least).encode());
            }
            Effect::TellConfig { name, at_least } => {
                self.publish(Subject::ConfigChanged { name }, Wake::new(at_least).encode());
            }
            Effect::Announce { epoch } => self.announce(epoch),
            Effect::AskWhoServes => self.ask_who_serves(),
            Effect::Serve { yes } => self.serve(yes),
            Effect::Raise(alarm) => raise(&alarm),
            // The mind's own.
            Effect::Reply { .. }
            | Effect::Forward { .. }
            | Effect::PassOn { .. }
            | Effect::Stopped => {}
        }
    }

    pub(crate) fn respond(&self, to: &ReplyTo, payload: Bytes) {
        self.respond_with(to, Vec::new(), payload);
    }

    pub(crate) fn respond_with(
        &self,
        to: &ReplyTo,
        beside: Vec<(&'static str, String)>,
        payload: Bytes,
    ) {
        let (connection, to) = (self.connection.clone(), to.clone());
        self.begin("respond", async move {
            if let Err(error) = connection.respond_with(&to, &beside, payload).await {
                debug!(error = %Chain(&error), "an answer was not sent");
            }
        });
    }

    /// Answers with a page of what is on disk.
    pub(crate) fn export(&self, to: ReplyTo, page: ExportRequest) {
        let (connection, config) = (self.connection.clone(), self.config.clone());
        self.begin("export", async move {
            let read = tokio::task::spawn_blocking(move || {
                desk::page(&config.data_dir, &config.lattice, &page)
            });
            let Ok(payload) = read.await else { return };
            if let Err(error) = connection.respond(&to, payload).await {
                debug!(error = %Chain(&error), "an answer was not sent");
            }
        });
    }

    /// One short task; the process can live without its result.
    fn begin(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let work = work.instrument(Span::current());
        self.tasks.spawn(name, |stop| async move {
            // Cut off only at the very end, when nobody waits for it any more.
            let _ = stop.run_until_cancelled(work).await;
        });
    }

    /// As `begin`, and the event it yields goes to the brain.
    fn learn(&self, name: &'static str, work: impl Future<Output = Event> + Send + 'static) {
        let mailbox = self.mailbox.clone();
        self.begin(name, async move {
            // Only fails when the mind has ended.
            let _ = mailbox.send(Letter::Event(work.await)).await;
        });
    }

    fn publish(&self, subject: Subject, payload: Bytes) {
        let connection = self.connection.clone();
        self.begin("publish", async move {
            if let Err(error) = connection.publish(&subject, payload).await {
                debug!(error = %Chain(&error), "not published");
            }
        });
    }

    fn read_lease(&self, op: OpId) {
        let store = self.store.clone();
        self.learn("read lease", async move {
            let read = tokio::time::timeout(LEASE_WITHIN, store.read_leader(&Key::Lease));
            let reading = match read.await {
                // A deleted lease still has a sequence, which whoever takes it must expect.
                Ok(Ok(Some(found))) => {
                    let bytes = found.value().map(|bytes| bytes.to_vec()).unwrap_or_default();
                    LeaseReading::Found { seq: found.seq, bytes }
                }
                Ok(Ok(None)) => LeaseReading::Absent,
                Ok(Err(error)) if error.is_no_stream() => LeaseReading::NoStream,
                Ok(Err(error)) => {
                    debug!(error = %Chain(&error), "the lease could not be read");
                    LeaseReading::Failed
                }
                Err(_) => {
                    debug!("nobody answered what the lease is");
                    LeaseReading::Failed
                }
            };
            Event::LeaseRead { op, reading }
        });
    }

    fn commit(&self, op: OpId, writes: Vec<Write>) {
        let store = self.store.clone();
        let writes: Vec<store::Write> =
            writes.into_iter().map(|write| self.sealed(write)).collect();
        self.learn("commit", async move {
            Event::Committed { op, wrote: wrote(&store.commit(&writes).await) }
        });
    }

    /// One value, outside of any batch.
    fn write(&self, op: OpId, write: Write) {
        let (store, write) = (self.store.clone(), self.sealed(write));
        self.learn("write", async move {
            Event::Written { op, wrote: wrote(&store.write(&write).await) }
        });
    }

    fn sealed(&self, write: Write) -> store::Write {
        let expect = match write.expect {
            Expect::Absent => store::Expect::Absent,
            Expect::Seq(seq) => store::Expect::Revision(seq),
        };
        match write.payload {
            Payload::Plain(bytes) => store::Write::put(write.key, bytes, expect),
            Payload::Assignment(body) => {
                let sealed = signed::seal(Context::Assignment, &body, &self.config.key);
                store::Write::put(write.key, sealed, expect)
            }
            Payload::Head(body) => {
                let sealed = signed::seal(Context::Head, &body, &self.config.key);
                store::Write::put(write.key, sealed, expect)
            }
            Payload::Gone => store::Write::delete(write.key, expect),
        }
    }

    /// A store that was deleted while we ran. The follower begins anew in any case: what is made
    /// here is not what it followed.
    fn make_store(&self) {
        let (store, anew) = (self.store.clone(), self.follow_anew.clone());
        self.begin("make the store", async move {
            match store.ensure().await {
                Ok(()) => info!("the control stream was made again"),
                // Asked for again for as long as there is none.
                Err(error) => warn!(error = %Chain(&error), "the control stream was not made"),
            }
            anew.notify_one();
        });
    }

    async fn remember(&self, epoch: Epoch) {
        let memory = self.memory.clone();
        let kept = tokio::task::spawn_blocking(move || memory.keep(epoch)).await;
        if let Ok(Err(error)) = kept {
            // Beats and assignments tell it as well.
            warn!(error = %Chain(&error), %epoch, "the epoch could not be kept on disk");
        }
    }

    fn probe(&self, host: HostId) {
        let connection = self.connection.clone();
        self.learn("probe", async move {
            let subject = Subject::Host { host, op: HostOp::Probe };
            let reply = match connection.request(&subject, Bytes::new(), PROBE_WITHIN).await {
                Ok(_) => ProbeReply::Answered,
                Err(RequestError::NoResponders) => ProbeReply::NoResponders,
                Err(_) => ProbeReply::TimedOut,
            };
            Event::Probed { host, reply }
        });
    }

    fn ask_inventory(&self, host: HostId) {
        let connection = self.connection.clone();
        self.learn("ask inventory", async move {
            let subject = Subject::Host { host, op: HostOp::Inventory };
            let reply = connection.request(&subject, Bytes::new(), INVENTORY_WITHIN).await;
            let read = |payload: &[u8]| wire::decode("an inventory", payload, INVENTORY_BYTES_MAX);
            let inventory = match reply.map(|reply| read(&reply.payload)) {
                Ok(Ok(inventory)) => Some(inventory).filter(|said: &Inventory| said.host == host),
                Ok(Err(error)) => {
                    warn!(error = %Chain(&error), %host, "an inventory could not be read");
                    None
                }
                Err(error) => {
                    debug!(error = %Chain(&error), %host, "no inventory");
                    None
                }
            };
            Event::Inventoried { host, inventory: inventory.map(Box::new) }
        });
    }

    fn announce(&self, epoch: Epoch) {
        let (lattice, name) = (self.config.lattice.clone(), self.config.name.to_string());
        let word = Leadership::new(lattice, name, self.boot, epoch).encode();
        let sealed = signed::seal(Context::Leader, &word, &self.config.key);
        self.publish(Subject::Leader, sealed.into());
    }

    fn ask_who_serves(&self) {
        let connection = self.connection.clone();
        self.learn("ask who serves", async move {
            let subject = Subject::App(AppSubject::List);
            let asked = connection.request(&subject, SHORT_LIST.into(), SERVED_WITHIN);
            let who = match asked.await {
                Ok(reply) => match reply.headers.get(headers::CONTROLLER) {
                    Some(_) => Server::Ours,
                    None => Server::Another,
                },
                Err(RequestError::NoResponders) => Server::Nobody,
                Err(RequestError::TimedOut { .. }) => Server::Silent,
                Err(error) => {
                    debug!(error = %Chain(&error), "nobody could be asked who serves");
                    Server::NotAsked
                }
            };
            Event::ServedBy { who }
        });
    }

    /// Asks another controller what somebody asked us, in their own words.
    pub(crate) fn forward(
        &self,
        request: RequestId,
        (to, boot): (Token, u64),
        within: Duration,
        (op, original): (&AppSubject, &Original),
    ) {
        let (connection, mailbox) = (self.connection.clone(), self.mailbox.clone());
        let (op, boot, original) = (op.to_string(), boot.to_string(), original.clone());
        self.begin("forward", async move {
            let subject = Subject::Controller { name: to, op: ControllerOp::App };
            let extra = [(headers::OPERATION, op.as_str()), (headers::FORWARDED, boot.as_str())];
            let Original { headers, payload } = original;
            let reply = connection.request_as(&subject, &headers, &extra, payload, within).await;
            // Only fails when the mind has ended.
            let _ = mailbox.send(Letter::Forwarded { request, reply }).await;
        });
    }

    /// Answers with what another controller answered.
    pub(crate) fn pass_on(&self, to: ReplyTo, reply: Reply) {
        let (connection, own) = (self.connection.clone(), api::own(&self.config.name));
        self.begin("respond", async move {
            if let Err(error) = connection.respond_as(&to, reply, &own).await {
                debug!(error = %Chain(&error), "an answer was not sent");
            }
        });
    }

    fn serve(&mut self, yes: bool) {
        self.door = yes.then(|| Door::open(&self.connection, &self.mailbox, &self.tasks));
    }
}

/// What became of a write, in the brain's words.
fn wrote(outcome: &WriteOutcome) -> Wrote {
    match outcome {
        WriteOutcome::Ok(last_seq) => Wrote::Ok { last_seq: *last_seq },
        WriteOutcome::Conflict => Wrote::Conflict,
        WriteOutcome::InFlight => Wrote::InFlight,
        WriteOutcome::Unknown => Wrote::Unknown,
        WriteOutcome::Refused(refusal) => refused(refusal),
    }
}

/// A write that is certainly not stored.
fn refused(refusal: &Refusal) -> Wrote {
    match refusal {
        Refusal::TooLarge { .. } | Refusal::TooMany { .. } => {
            error!(error = %Chain(refusal), "a batch cannot be written");
            Wrote::TooLarge
        }
        Refusal::NoResponders => Wrote::Nobody,
        Refusal::JetStream { .. } if refusal.lasts() => {
            Wrote::Refused { reason: refusal.to_string() }
        }
        _ => {
            debug!(error = %Chain(refusal), "a batch was refused");
            Wrote::InFlight
        }
    }
}

fn raise(alarm: &Alarm) {
    if alarm.is_ordinary() {
        info!("{alarm}");
    } else {
        warn!("{alarm}");
    }
}
