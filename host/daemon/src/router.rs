//! Where a call goes: to the engine here, or to another host. And what is known of the others.
//!
//! The same host first, because values need not travel; else whoever the table chooses. Nothing
//! here is locked while something is waited for.

mod local;
mod remote;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, SetOnce, watch};
use tokio::time::Instant;
use wattle_agent::RunId;
use wattle_capability::Caller;
use wattle_engine::Engine;
use wattle_lattice::Connection;
use wattle_lattice::call::{self, Limits, NotBegun};
use wattle_types::{ActorId, Exports, HostId, LinkTable, Load, Millis, RouteTable, ServeDelta};

pub(crate) use remote::Answer;

use crate::actors::Actors;
use crate::admission::{self, Refusal, Vouched};
use crate::bindings::Bindings;
use crate::budget::Budgets;
use crate::spy::Spy;
use crate::table::{Heard, Table};

/// What NATS itself puts beside the envelope counts towards its limit too: the trace's headers.
const HEADERS_ROOM_BYTES: usize = 4 << 10;
/// A host that just began to run an actor announced it before the actor could call anybody, so
/// word of it is on its way; or it was missed, and is asked for.
pub(crate) const VOUCH_WITHIN: Duration = Duration::from_secs(1);

/// Everything a request needs to find its actor. Shared by the listener, the call server and the
/// ways out of all actors.
#[derive(Debug)]
pub(crate) struct Router {
    own: HostId,
    engine: Engine,
    pub(crate) actors: Actors,
    pub(crate) bindings: Bindings,
    pub(crate) spy: Spy,
    table: Mutex<Table>,
    budgets: Mutex<Budgets>,
    routes: ArcSwap<RouteTable<ActorId>>,
    /// Set once this host has joined.
    lattice: SetOnce<Connection>,
    /// Raised when somebody serves something else than before, or a link leads elsewhere.
    changes: watch::Sender<u64>,
    /// Something may have been missed: everybody is to be asked what they serve.
    pub(crate) ask: Notify,
    started: Instant,
}

impl Router {
    pub(crate) fn new(own: HostId, engine: Engine) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(Table::new(own)),
            own,
            engine,
            actors: Actors::default(),
            bindings: Bindings::default(),
            spy: Spy::new(own),
            budgets: Mutex::default(),
            routes: ArcSwap::default(),
            lattice: SetOnce::new(),
            changes: watch::Sender::new(0),
            ask: Notify::new(),
            started: Instant::now(),
        })
    }

    pub(crate) fn join(&self, connection: Connection) {
        // There is one membership per process, and it joins once.
        let _ = self.lattice.set(connection);
    }

    pub(crate) fn lattice(&self) -> Option<&Connection> {
        self.lattice.get()
    }

    /// The lattice, as soon as this host has joined it.
    #[cfg(feature = "messaging-nats")]
    pub(crate) async fn joined(&self) -> &Connection {
        self.lattice.wait().await
    }

    pub(crate) fn now(&self) -> Millis {
        crate::driver::millis_since(self.started)
    }

    pub(crate) fn load(&self) -> Load {
        Load { in_flight: self.engine.in_flight(), limit: self.engine.permits() }
    }

    /// Takes what a host announced. `true`: something before it was missed.
    pub(crate) fn hear(&self, delta: ServeDelta) -> bool {
        let now = self.now();
        let mut table = self.table();
        let Heard { gap, routes_changed, serves_changed } = table.hear(delta, now);
        if routes_changed {
            self.publish_routes(&table);
        }
        drop(table);
        if serves_changed {
            self.raise();
        }
        gap
    }

    /// Forgets who has gone silently, and what nobody asked about any more.
    pub(crate) fn sweep(&self) {
        let now = self.now();
        self.spy.sweep();
        self.budgets().sweep(now);
        let mut table = self.table();
        if table.sweep(now) {
            self.publish_routes(&table);
        }
    }

    /// The actor that a request is for.
    pub(crate) fn route(&self, host: Option<&str>, path: &str) -> Option<ActorId> {
        self.routes.load().find(host, path).cloned()
    }

    /// What others may call of an actor, by each revision that takes calls now.
    pub(crate) fn exports(&self, actor: &ActorId) -> Vec<Arc<Exports>> {
        self.table().exports(actor).into_values().collect()
    }

    /// From now on an actor's calls go by these links, and this run of it has this configuration.
    pub(crate) fn bind(
        &self,
        actor: &ActorId,
        run: RunId,
        links: Arc<LinkTable>,
        config: &BTreeMap<String, String>,
    ) {
        self.bindings.bind(actor, links);
        if let Some(run) = self.actors.run(run) {
            run.actor().reconfigure(config.clone());
        }
        self.raise();
    }

    /// Changes whenever somebody serves something else than before, or a link leads elsewhere.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn raise(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Who calls, if the host that the call came from may say so.
    pub(crate) async fn vouched(
        &self,
        said: &call::Caller,
        from: Option<&HostId>,
    ) -> Result<Caller, Refusal> {
        let refused = |why| Err(Refusal { reason: NotBegun::NotAllowed, why });
        let now = || admission::vouch(said, from, |host, actor| self.table().runs(host, actor));
        match now() {
            Vouched::For(caller) => return Ok(caller),
            Vouched::Not { why } => return refused(why),
            Vouched::NotYet { host, actor } => {
                tracing::debug!(%host, %actor, "calls, and is not known to run there");
            }
        }
        let mut changes = self.changes();
        self.ask.notify_one();
        let heard = async {
            loop {
                match now() {
                    Vouched::For(caller) => return Ok(caller),
                    Vouched::Not { why } => return refused(why),
                    Vouched::NotYet { .. } => {}
                }
                changes.changed().await.expect("the router outlives its own methods");
            }
        };
        let unknown = || refused("the calling actor is not known to run on the calling host");
        tokio::time::timeout(VOUCH_WITHIN, heard).await.unwrap_or_else(|_| unknown())
    }

    fn publish_routes(&self, table: &Table) {
        self.routes.store(Arc::new(RouteTable::new(table.routes())));
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }

    fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().expect("nothing panics while it holds this lock")
    }
}

/// What fits into one message to or from another host.
pub(crate) fn limits(connection: &Connection) -> Limits {
    let message_bytes_max = connection.max_payload().saturating_sub(HEADERS_ROOM_BYTES);
    Limits { message_bytes_max, ..Limits::default() }
}
