//! People who put, deploy and undeploy, one request at a time, and remember what they were told.
//!
//! What was answered with yes must be so at the end (P3). What was not answered may be so or
//! not: the client keeps every state that its answers allow.

use std::collections::BTreeSet;

use wattle_brain::apps::{Answer, Command};
use wattle_brain::{Event, RequestId, Stamp};
use wattle_types::{AppHead, AppName, Key, stored};

use crate::agenda::Moment;
use crate::controllers::Of;
use crate::laws::Violation;
use crate::manifests::{APPS, app_name, manifest};
use crate::store::Store;
use crate::world::{Job, Party, World};

/// What an application may be by now: its versions, and the deployed one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    versions: Vec<String>,
    deployed: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Client {
    last_request: u64,
    pending: Option<Pending>,
    rest_until: Moment,
    /// Per application, every state that is possible.
    states: Vec<BTreeSet<State>>,
    versions: Vec<usize>,
    pub(crate) acknowledged: u64,
}

#[derive(Debug)]
struct Pending {
    request: RequestId,
    since: Moment,
    app: usize,
    op: Op,
}

#[derive(Clone, Debug)]
enum Op {
    Put(String),
    Deploy(String),
    Undeploy,
    Delete,
}

/// A request that was not answered for so long is counted as perhaps done; nothing of it is on
/// its way any more a while later.
const PATIENCE_MS: u64 = 8_000;
const AFTERMATH_MS: u64 = 8_000;

impl Default for Client {
    fn default() -> Self {
        Self {
            last_request: 0,
            pending: None,
            rest_until: 0,
            states: vec![BTreeSet::from([State::default()]); APPS],
            versions: vec![0; APPS],
            acknowledged: 0,
        }
    }
}

impl Client {
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    pub(crate) fn rest_until(&mut self, moment: Moment) {
        self.rest_until = self.rest_until.max(moment);
    }

    /// Whatever was asked may have happened or not.
    fn forget(&mut self, pending: &Pending) {
        let states = &mut self.states[pending.app];
        let after: Vec<State> = states.iter().filter_map(|state| state.after(&pending.op)).collect();
        states.extend(after);
    }

    fn settle(&mut self, pending: &Pending) -> Result<(), Violation> {
        let states = &self.states[pending.app];
        let after: BTreeSet<State> =
            states.iter().filter_map(|state| state.after(&pending.op)).collect();
        if after.is_empty() {
            let what = format!("{:?} of {} was accepted", pending.op, app_name(pending.app));
            return Err(Violation::Forgotten(format!("{what}, but before it was {states:?}")));
        }
        self.states[pending.app] = after;
        self.acknowledged += 1;
        Ok(())
    }

    /// Whether the store has what the client was told, or something that it was not told of.
    pub(crate) fn check(&self, store: &Store) -> Result<(), Violation> {
        for (app, states) in self.states.iter().enumerate() {
            let name: AppName = app_name(app).parse().expect("a name");
            let bytes = store.get(&Key::App(name)).and_then(|message| message.bytes.as_ref());
            let head = bytes.and_then(|bytes| stored::decode::<AppHead>("a head", bytes).ok());
            let found = head.map(|head| State::of(&head)).unwrap_or_default();
            if !states.contains(&found) {
                let text = format!("{}: {found:?}, expected one of {states:?}", app_name(app));
                return Err(Violation::Forgotten(text));
            }
        }
        Ok(())
    }
}

impl State {
    fn of(head: &AppHead) -> Self {
        let version = |of: &wattle_types::RevisionHead| of.version.clone();
        Self {
            versions: head.revisions.iter().map(version).collect(),
            deployed: head.deployed.and_then(|revision| head.by_revision(revision)).map(version),
        }
    }

    /// The state after an accepted request; none if it cannot have been accepted.
    fn after(&self, op: &Op) -> Option<Self> {
        let mut next = self.clone();
        match op {
            Op::Put(version) if self.versions.contains(version) => return None,
            Op::Put(version) => next.versions.push(version.clone()),
            Op::Deploy(version) if !self.versions.contains(version) => return None,
            Op::Deploy(version) => next.deployed = Some(version.clone()),
            Op::Undeploy if self.versions.is_empty() => return None,
            Op::Undeploy => next.deployed = None,
            Op::Delete if self.versions.is_empty() => return None,
            Op::Delete => next = Self::default(),
        }
        Some(next)
    }
}

impl World {
    pub(crate) fn client_acts(&mut self) {
        let after = self.rng.u64(100..1_500);
        self.agenda.after(after, Job::Client);
        let now = self.now();
        if let Some(pending) = self.client.pending.take_if(|pending| PATIENCE_MS < now - pending.since) {
            self.client.forget(&pending);
            self.client.rest_until(now + AFTERMATH_MS);
        }
        if self.client.is_waiting() || now < self.client.rest_until {
            return;
        }
        let serving = self.controllers.iter().position(|controller| controller.serving);
        let Some(to) = serving else { return };
        let app = self.rng.usize(..APPS);
        let (op, command) = self.pick(app);
        self.client.last_request += 1;
        let request = RequestId(self.client.last_request);
        self.client.pending = Some(Pending { request, since: now, app, op });
        let at = Stamp { unix_ms: now, random: self.rng.u128(..) };
        let (life, event) = (self.controllers[to].life, Event::Requested { request, command, at });
        // Once at most: NATS does not double what a client says.
        if let Some(ms) = self.fate(Party::Client, Some(Party::Controller(to))).first() {
            self.agenda.after(*ms, Job::Controller { at: to, life, of: Of::Event(event) });
        }
    }

    fn pick(&mut self, app: usize) -> (Op, Command) {
        let name: AppName = app_name(app).parse().expect("a name");
        let known: Vec<String> = {
            let states = self.client.states[app].iter();
            states.flat_map(|state| state.versions.clone()).collect()
        };
        let choice = self.rng.u8(..10);
        if known.is_empty() || choice < 2 {
            let number = self.client.versions[app];
            self.client.versions[app] += 1;
            let command = Command::Put { text: manifest(app, number) };
            return (Op::Put(format!("v{number}")), command);
        }
        match choice {
            2..=6 => {
                let version = known[self.rng.usize(..known.len())].clone();
                let command = Command::Deploy { name, version: Some(version.clone()) };
                (Op::Deploy(version), command)
            }
            7 | 8 => (Op::Undeploy, Command::Undeploy { name }),
            _ => (Op::Delete, Command::Delete { name, version: None }),
        }
    }

    pub(crate) fn client_hears(
        &mut self,
        request: RequestId,
        answer: Answer,
    ) -> Result<(), Violation> {
        let ours = self.client.pending.take_if(|pending| pending.request == request);
        let Some(pending) = ours else { return Ok(()) };
        match answer {
            Answer::Put { .. }
            | Answer::Deployed { .. }
            | Answer::Undeployed { .. }
            | Answer::Deleted { .. } => self.client.settle(&pending)?,
            Answer::Unknown(_) => {
                self.client.forget(&pending);
                let now = self.now();
                self.client.rest_until(now + AFTERMATH_MS);
            }
            _ => {}
        }
        Ok(())
    }
}
