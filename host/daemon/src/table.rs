//! Who serves what, kept from what hosts announce, and which of them a call goes to.
//!
//! Pure: time and dice are arguments. What was announced is late and partial; that is fine,
//! because a host that is asked in vain says that nothing was begun, or is not there to be asked,
//! and the next one is asked.

mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_types::{
    ActorId, Exports, HostId, HttpRoute, Load, Millis, ServeDelta, ServeState, SpecHash,
};

use routes::Routes;

/// A host that did not answer is not asked for so long, unless it says something or nobody else
/// is there.
const SUSPECT_MS: u64 = 5_000;
/// Whoever was asked and said nothing to anybody for so long may not be there. Clients leave before
/// that is found out by asking again, so it must not take one that stays.
const OWES_MS: u64 = 500;
/// How busy somebody was longer ago says nothing of now. A host that does not answer would else be
/// the least busy one for ever.
const LOAD_MS: u64 = 2_000;
/// Hosts repeat themselves every 30 s; one that was silent for three of these is gone.
const SILENT_MS: u64 = 100_000;
/// Between an actor's end on one host and its start on another its routes are still known, so
/// that a client is told to come again and not that there is nothing.
const REMEMBERED_MS: u64 = 10_000;
/// Where nobody said that it ended, it will rather come back.
const REMEMBERED_AFTER_LOSS_MS: u64 = 600_000;

#[derive(Debug)]
pub(crate) struct Table {
    own: HostId,
    hosts: BTreeMap<HostId, Host>,
    by_actor: BTreeMap<ActorId, BTreeSet<HostId>>,
    routes: Routes,
}

#[derive(Debug)]
struct Host {
    boot: u64,
    seq: u64,
    heard: Millis,
    suspect_until: Option<Millis>,
    /// Since when calls were sent there and none was answered.
    owes_since: Option<Millis>,
    /// As it said then.
    load: Option<(Load, Millis)>,
    actors: BTreeMap<ActorId, BTreeMap<SpecHash, Entry>>,
}

#[derive(Debug)]
struct Entry {
    state: ServeState,
    routes: Vec<HttpRoute>,
    exports: Arc<Exports>,
}

/// What an announcement led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Something before it was missed: ask for everything.
    pub(crate) gap: bool,
    pub(crate) routes_changed: bool,
    /// Somebody serves something else than before, or in another state.
    pub(crate) serves_changed: bool,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Here,
    There(HostId),
    Nobody,
}

impl Table {
    pub(crate) fn new(own: HostId) -> Self {
        let (hosts, by_actor, routes) = (BTreeMap::new(), BTreeMap::new(), Routes::default());
        Self { own, hosts, by_actor, routes }
    }

    /// Takes what a host announced.
    pub(crate) fn hear(&mut self, delta: ServeDelta, now: Millis) -> Heard {
        let mut heard = Heard::default();
        let known = self.hosts.get(&delta.host).filter(|host| host.boot == delta.boot);
        // Nothing was announced before the first delta, so whoever hears it missed nothing.
        let last_seq = known.map_or(0, |host| host.seq);
        let is_next = delta.seq == last_seq + 1;
        let is_repeat = delta.seq == last_seq;
        if delta.seq < last_seq {
            return heard;
        }
        if known.is_none() {
            self.forget(&delta.host, now + REMEMBERED_MS);
            self.hosts.insert(delta.host, Host::new(delta.boot, now));
        }
        if delta.full {
            self.clear(&delta.host, now + REMEMBERED_MS);
        } else if !is_next && !is_repeat {
            heard.gap = true;
        }
        let host = self.hosts.get_mut(&delta.host).expect("it is known, or was just made known");
        host.heard = now;
        (host.suspect_until, host.owes_since) = (None, None);
        if heard.gap || (is_repeat && !delta.full) {
            return heard;
        }
        host.seq = delta.seq;
        heard.serves_changed = delta.full || !delta.entries.is_empty();
        for entry in delta.entries {
            let exports = Arc::new(entry.exports);
            let new = match entry.state {
                ServeState::Gone => None,
                state => Some(Entry { state, routes: entry.routes, exports }),
            };
            heard.routes_changed |=
                self.set(&delta.host, &entry.actor, entry.revision, new, now + REMEMBERED_MS);
        }
        heard
    }

    /// Where the next try of a call goes, `tried` hosts excepted. Here first: values need not
    /// travel. Else the less busy of two, chosen by the dice.
    pub(crate) fn choose(
        &self,
        actor: &ActorId,
        tried: &BTreeSet<HostId>,
        now: Millis,
        dice: [u64; 2],
    ) -> Choice {
        let ready = |host: &&HostId| !tried.contains(*host) && self.is_ready(host, actor);
        let hosts: Vec<&HostId> =
            self.by_actor.get(actor).into_iter().flatten().filter(ready).collect();
        if hosts.contains(&&self.own) {
            return Choice::Here;
        }
        let (suspects, well): (Vec<_>, Vec<_>) =
            hosts.into_iter().partition(|host| self.is_suspect(host, now));
        // Somebody who did not answer a moment ago is better than nobody.
        let candidates = if well.is_empty() { suspects } else { well };
        self.less_busy_of_two(&candidates, now, dice)
            .map_or(Choice::Nobody, |host| Choice::There(*host))
    }

    /// Whether an actor runs on a host, in whatever state: who is finishing may still call.
    pub(crate) fn runs(&self, host: &HostId, actor: &ActorId) -> bool {
        self.hosts.get(host).is_some_and(|host| host.actors.contains_key(actor))
    }

    /// What others may call of an actor, by each revision that takes calls now. Nothing: nobody
    /// serves it.
    pub(crate) fn exports(&self, actor: &ActorId) -> BTreeMap<SpecHash, Arc<Exports>> {
        let hosts = self.by_actor.get(actor).into_iter().flatten();
        let revisions = hosts.filter_map(|host| self.hosts.get(host)?.actors.get(actor)).flatten();
        let ready = revisions.filter(|(_, entry)| entry.state == ServeState::Ready);
        ready.map(|(revision, entry)| (*revision, entry.exports.clone())).collect()
    }

    /// Nobody answered there, and nothing was begun.
    pub(crate) fn suspect(&mut self, host: &HostId, now: Millis) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.suspect_until = Some(now + SUSPECT_MS);
        }
    }

    /// The host said that it does not take calls of this actor; its announcement is on its way.
    pub(crate) fn refused(&mut self, host: &HostId, actor: &ActorId) {
        let revisions = self.hosts.get_mut(host).and_then(|host| host.actors.get_mut(actor));
        for entry in revisions.into_iter().flat_map(BTreeMap::values_mut) {
            entry.state = ServeState::Draining;
        }
    }

    /// A call was sent there.
    pub(crate) fn asked(&mut self, host: &HostId, now: Millis) {
        if let Some(host) = self.hosts.get_mut(host) {
            // After a while it is tried again, and owes anew.
            let owes = |since: &mut Millis| now.since(*since) < OWES_MS + SUSPECT_MS;
            host.owes_since = Some(host.owes_since.take_if(|since| owes(since)).unwrap_or(now));
        }
    }

    /// It answered a call, and maybe said how busy it is.
    pub(crate) fn answered(&mut self, host: &HostId, load: Option<Load>, now: Millis) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.owes_since = None;
            host.load = load.map(|load| (load, now)).or(host.load);
        }
    }

    /// Forgets who has been silent for long, and routes nobody serves any more.
    /// `true` if routes changed.
    pub(crate) fn sweep(&mut self, now: Millis) -> bool {
        let silent: Vec<HostId> = self
            .hosts
            .iter()
            .filter(|(id, host)| **id != self.own && SILENT_MS < now.since(host.heard))
            .map(|(id, _)| *id)
            .collect();
        for host in silent {
            self.forget(&host, now + REMEMBERED_AFTER_LOSS_MS);
        }
        self.routes.sweep(now)
    }

    /// All routes, for the listener's own table.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (HttpRoute, ActorId)> {
        self.routes.iter()
    }

    fn is_ready(&self, host: &HostId, actor: &ActorId) -> bool {
        let revisions = self.hosts.get(host).and_then(|host| host.actors.get(actor));
        let mut entries = revisions.into_iter().flat_map(BTreeMap::values);
        entries.any(|entry| entry.state == ServeState::Ready)
    }

    fn is_suspect(&self, host: &HostId, now: Millis) -> bool {
        let Some(host) = self.hosts.get(host) else { return false };
        let owes = |since| (OWES_MS..OWES_MS + SUSPECT_MS).contains(&now.since(since));
        host.suspect_until.is_some_and(|until| now < until) || host.owes_since.is_some_and(owes)
    }

    fn less_busy_of_two<'a>(
        &self,
        hosts: &[&'a HostId],
        now: Millis,
        dice: [u64; 2],
    ) -> Option<&'a HostId> {
        let pick = |die: u64, from: usize| (die % from as u64) as usize;
        if hosts.len() < 2 {
            return hosts.first().copied();
        }
        let first = pick(dice[0], hosts.len());
        // Any but the first, each as likely.
        let second = (first + 1 + pick(dice[1], hosts.len() - 1)) % hosts.len();
        let (first, second) = (hosts[first], hosts[second]);
        Some(if self.busier(first, second, now) { second } else { first })
    }

    /// By the share of what each may run. Who has not said anything lately is taken to be idle, and
    /// so comes to say something.
    fn busier(&self, a: &HostId, b: &HostId, now: Millis) -> bool {
        let load = |id: &HostId| {
            let said = self.hosts.get(id).and_then(|host| host.load);
            let said = said.filter(|(_, at)| now.since(*at) < LOAD_MS);
            let load = said.map(|(load, _)| load).unwrap_or_default();
            (u64::from(load.in_flight), u64::from(load.limit.max(1)))
        };
        let ((flight_a, limit_a), (flight_b, limit_b)) = (load(a), load(b));
        flight_b * limit_a < flight_a * limit_b
    }

    /// `true` if a route was not known before. One that is given up stays known for a while.
    fn set(
        &mut self,
        host_id: &HostId,
        actor: &ActorId,
        revision: SpecHash,
        new: Option<Entry>,
        known_until: Millis,
    ) -> bool {
        let Some(host) = self.hosts.get_mut(host_id) else { return false };
        let added: Vec<HttpRoute> = new.iter().flat_map(|entry| entry.routes.clone()).collect();
        let revisions = host.actors.entry(actor.clone()).or_default();
        let old = match new {
            Some(entry) => revisions.insert(revision, entry),
            None => revisions.remove(&revision),
        };
        if revisions.is_empty() {
            host.actors.remove(actor);
            if let Some(hosts) = self.by_actor.get_mut(actor) {
                hosts.remove(host_id);
                if hosts.is_empty() {
                    self.by_actor.remove(actor);
                }
            }
        } else {
            self.by_actor.entry(actor.clone()).or_default().insert(*host_id);
        }
        // First added, then removed: a route that stays is not gone in between.
        let mut changed = false;
        for route in added {
            changed |= self.routes.announce(route, actor.clone());
        }
        for route in old.into_iter().flat_map(|entry| entry.routes) {
            self.routes.withdraw(route, actor.clone(), known_until);
        }
        changed
    }

    /// Takes out everything a host announced.
    fn clear(&mut self, host: &HostId, known_until: Millis) {
        let Some(known) = self.hosts.get(host) else { return };
        let entries: Vec<(ActorId, SpecHash)> = known
            .actors
            .iter()
            .flat_map(|(actor, revisions)| revisions.keys().map(|hash| (actor.clone(), *hash)))
            .collect();
        for (actor, revision) in entries {
            self.set(host, &actor, revision, None, known_until);
        }
    }

    fn forget(&mut self, host: &HostId, known_until: Millis) {
        self.clear(host, known_until);
        self.hosts.remove(host);
    }
}

impl Host {
    const fn new(boot: u64, heard: Millis) -> Self {
        let (suspect_until, owes_since, load) = (None, None, None);
        Self { boot, seq: 0, heard, suspect_until, owes_since, load, actors: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests;
