//! Two controllers of one lattice, one of which leads.

use std::collections::{BTreeMap, VecDeque};

use wattle_types::time::Millis;
use wattle_types::{Epoch, Key, LatticeId, Page};

use super::*;
use crate::apps::{Command, StatusKind};
use crate::event::Server;
use crate::lease::{Identity, MIN_VERSION};
use crate::marks::Marks;
use crate::testing::manifest;
use crate::{
    Alarm, Config, Content, Event, Expect, LeaseReading, Payload, Seen, Stamp, Terms, Write, Wrote,
};

/// Two brains on one store. Nothing takes time but what is held back on purpose.
struct Pair {
    now: Millis,
    brains: Vec<Brain>,
    /// Whether the process runs.
    up: [bool; 2],
    /// Whether it is told what is stored; if not, it is later.
    follows: [bool; 2],
    unfollowed: [VecDeque<Event>; 2],
    serves: [bool; 2],
    /// A wadm is in the queue group.
    wadm: bool,
    turn: usize,
    store: BTreeMap<Key, (u64, Vec<u8>)>,
    last_seq: u64,
    requests: u64,
    /// Of what was handed on: who did, and which request of theirs it was.
    handed: BTreeMap<RequestId, (usize, RequestId)>,
    /// What the leader answered to it.
    brought: BTreeMap<RequestId, (Answer, Seen)>,
    answers: BTreeMap<RequestId, (Answer, Seen)>,
    alarms: Vec<(usize, Alarm)>,
}

fn brain(index: usize) -> Brain {
    let lattice: LatticeId = "test".parse().unwrap();
    let version = MIN_VERSION.to_owned();
    let holder = format!("c{index}").parse().unwrap();
    let identity = Identity { holder, boot: index as u64, min_version: version.clone(), version };
    let marks = Marks::default();
    Brain::new(Config { lattice, identity, epoch_known: Epoch::ZERO, marks })
}

impl Pair {
    /// `c0` leads, and `c1` does not.
    fn new() -> Self {
        let mut pair = Self {
            now: Millis(10_000),
            brains: vec![brain(0), brain(1)],
            up: [true, false],
            follows: [true; 2],
            unfollowed: Default::default(),
            serves: [false; 2],
            wadm: false,
            turn: 0,
            store: BTreeMap::new(),
            last_seq: 0,
            requests: 0,
            handed: BTreeMap::new(),
            brought: BTreeMap::new(),
            answers: BTreeMap::new(),
            alarms: Vec::new(),
        };
        pair.join(0);
        pair.run(3_000);
        pair.join(1);
        pair.run(3_000);
        assert!(pair.brains[0].is_leading(pair.now) && !pair.brains[1].is_leading(pair.now));
        assert_eq!(pair.serves, [true, true], "both answer");
        pair
    }

    fn join(&mut self, index: usize) {
        self.up[index] = true;
        self.event(index, Event::Connected);
        let stored = self.store.clone();
        let mut stored: Vec<_> = stored.into_iter().collect();
        stored.sort_by_key(|(_, (seq, _))| *seq);
        for (key, (seq, bytes)) in stored {
            self.event(index, Event::Followed { key, seq, content: Content::Value(bytes) });
        }
        self.event(index, Event::FollowedAll { seq: self.last_seq });
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now = self.now + 100;
            for index in 0..2 {
                self.event(index, Event::Tick { random: self.now.0 + index as u64 });
            }
        }
    }

    fn follow_again(&mut self, index: usize) {
        self.follows[index] = true;
        for event in std::mem::take(&mut self.unfollowed[index]) {
            self.event(index, event);
        }
    }

    /// Asks one of them, and gives the number of the request.
    fn begin(&mut self, index: usize, command: Command, at_least: u64) -> RequestId {
        let request = self.request();
        let terms = Terms { at_least, ..Terms::default() };
        self.event(index, Event::Requested { request, command, terms, at: Stamp::default() });
        request
    }

    fn ask(&mut self, index: usize, command: Command) -> (Answer, Seen) {
        let request = self.begin(index, command, 0);
        for _ in 0..30 {
            if let Some(answer) = self.answers.remove(&request) {
                return answer;
            }
            self.run(100);
        }
        panic!("{request:?} was never answered")
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn event(&mut self, index: usize, event: Event) {
        if !self.up[index] {
            return;
        }
        for effect in self.brains[index].step(self.now, event) {
            self.act(index, effect);
        }
    }

    fn act(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::ReadLease { op } => {
                let reading = match self.store.get(&Key::Lease) {
                    Some((seq, bytes)) => LeaseReading::Found { seq: *seq, bytes: bytes.clone() },
                    None => LeaseReading::Absent,
                };
                self.event(index, Event::LeaseRead { op, reading });
            }
            Effect::Commit { op, writes } => {
                let wrote = self.write(&writes);
                self.event(index, Event::Committed { op, wrote });
            }
            Effect::Write { op, write } => {
                let wrote = self.write(&[write]);
                self.event(index, Event::Written { op, wrote });
            }
            Effect::AskWhoServes => {
                let who = self.server();
                self.event(index, Event::ServedBy { who });
            }
            Effect::Serve { yes } => self.serves[index] = yes,
            Effect::Forward { request, to, boot, .. } => self.hand_on(index, request, &to, boot),
            Effect::PassOn { request } => {
                let answer = self.brought.remove(&request).expect("it was answered");
                self.answers.insert(request, answer);
            }
            Effect::Reply { request, answer, seen } => match self.handed.remove(&request) {
                Some((from, original)) => {
                    self.brought.insert(original, (*answer, seen));
                    let outcome = Forwarded::Answered;
                    self.event(from, Event::Forwarded { request: original, outcome });
                }
                None => {
                    self.answers.insert(request, (*answer, seen));
                }
            },
            Effect::Raise(alarm) => self.alarms.push((index, alarm)),
            _ => {}
        }
    }

    fn hand_on(&mut self, from: usize, original: RequestId, to: &Token, boot: u64) {
        let index = usize::try_from(boot).unwrap();
        assert_eq!(to.as_str(), format!("c{index}"));
        if !self.up[index] {
            let outcome = Forwarded::Nobody;
            return self.event(from, Event::Forwarded { request: original, outcome });
        }
        let Some(Forwarding { request: Request { command, terms, .. }, .. }) =
            self.brains[from].forwarded.get(&original)
        else {
            panic!("{original:?} is not known")
        };
        let (command, terms) = (command.clone(), Terms { is_forwarded: true, ..*terms });
        let request = self.request();
        self.handed.insert(request, (from, original));
        self.event(index, Event::Requested { request, command, terms, at: Stamp::default() });
    }

    /// The members of the group take turns.
    fn server(&mut self) -> Server {
        let ours = (0..2).filter(|index| self.up[*index] && self.serves[*index]);
        let mut group: Vec<Server> = ours.map(|_| Server::Ours).collect();
        group.extend(self.wadm.then_some(Server::Another));
        self.turn += 1;
        group.get(self.turn % group.len().max(1)).copied().unwrap_or(Server::Nobody)
    }

    fn write(&mut self, writes: &[Write]) -> Wrote {
        let fits = |write: &Write| {
            let seq = self.store.get(&write.key).map(|(seq, _)| *seq);
            write.expect == seq.map_or(Expect::Absent, Expect::Seq)
        };
        if !writes.iter().all(fits) {
            return Wrote::Conflict;
        }
        let mut followed = Vec::new();
        for write in writes {
            let (Payload::Plain(bytes) | Payload::Assignment(bytes) | Payload::Head(bytes)) =
                &write.payload
            else {
                panic!("nothing is deleted here: {write:?}")
            };
            self.last_seq += 1;
            self.store.insert(write.key.clone(), (self.last_seq, bytes.clone()));
            let (key, content) = (write.key.clone(), Content::Value(bytes.clone()));
            followed.push(Event::Followed { key, seq: self.last_seq, content });
        }
        let last_seq = self.last_seq;
        for index in 0..2 {
            for event in followed.clone() {
                match self.follows[index] {
                    true => self.event(index, event),
                    false => self.unfollowed[index].push_back(event),
                }
            }
        }
        Wrote::Ok { last_seq }
    }
}

fn put(version: &str) -> Command {
    Command::Put { text: manifest("shop", version, &[("web", "")]) }
}

fn deploy() -> Command {
    Command::Deploy { name: "shop".parse().unwrap(), version: None, takeover: false }
}

fn get(version: &str) -> Command {
    Command::Get { name: "shop".parse().unwrap(), version: Some(version.to_owned()) }
}

fn list() -> Command {
    Command::List { page: Page::default() }
}

#[test]
fn a_standby_hands_a_change_to_the_leader() {
    let mut pair = Pair::new();
    let (answer, seen) = pair.ask(1, put("v1"));
    assert!(matches!(answer, Answer::Put { .. }), "{answer:?}");
    assert_eq!((seen.sequence, seen.change), (pair.last_seq, Some(1)));
    let (answer, _) = pair.ask(1, deploy());
    assert!(matches!(answer, Answer::Deployed { .. }), "{answer:?}");
    // And how it is, which only the leader knows.
    let (answer, _) = pair.ask(1, list());
    let Answer::Models { models, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(models[0].status.kind, StatusKind::Waiting);
    assert!(models[0].status.message.contains("host"), "{:?}", models[0].status);
    assert!(pair.brains[0].is_leading(pair.now) && !pair.brains[1].is_leading(pair.now));
}

#[test]
fn a_read_waits_for_the_write_it_must_see() {
    let mut pair = Pair::new();
    pair.ask(0, put("v1"));
    pair.follows[1] = false;
    let (_, written) = pair.ask(0, put("v2"));
    // Whoever does not say what they saw is told what is known here.
    let (answer, _) = pair.ask(1, get("v2"));
    assert!(matches!(answer, Answer::NotFound(_)), "{answer:?}");
    let reads = pair.begin(1, get("v2"), written.sequence);
    pair.run(1_000);
    assert!(!pair.answers.contains_key(&reads), "it waits");
    pair.follow_again(1);
    let (answer, seen) = pair.answers.remove(&reads).expect("it is answered at once");
    assert!(matches!(answer, Answer::Manifest(_)), "{answer:?}");
    assert!(written.sequence <= seen.sequence);

    // What never comes is not waited for, by nobody who leads and by nobody else.
    for index in 0..2 {
        let beyond = pair.last_seq + 1_000;
        let reads = pair.begin(index, get("v2"), beyond);
        let others = pair.begin(index, get("v2"), 0);
        assert!(pair.answers.contains_key(&others), "nobody waits behind it");
        pair.run(2_000);
        let (answer, _) = pair.answers.remove(&reads).expect("it was answered in time");
        let Answer::Unavailable(message) = answer else { panic!("{answer:?}") };
        assert!(message.contains("lags") && message.contains(&beyond.to_string()), "{message}");
    }
}

#[test]
fn without_a_leader_reads_are_answered_and_say_so() {
    let mut pair = Pair::new();
    pair.ask(0, put("v1"));
    pair.ask(0, deploy());
    pair.up[0] = false;
    // As far as it knows, the other leads.
    let (answer, _) = pair.ask(1, list());
    let Answer::Models { models, .. } = answer else { panic!("{answer:?}") };
    let status = &models[0].status;
    assert!(status.message.contains("c0, which leads, does not answer"), "{status:?}");
    let (answer, _) = pair.ask(1, deploy());
    let Answer::Unavailable(message) = answer else { panic!("{answer:?}") };
    assert!(message.contains("nothing was changed"), "{message}");
    let (answer, _) = pair.ask(1, get("v1"));
    assert!(matches!(answer, Answer::Manifest(_)), "{answer:?}");

    // One that gave the lease back leaves nobody to ask.
    let mut pair = Pair::new();
    pair.ask(0, put("v1"));
    pair.ask(0, deploy());
    pair.ask(0, Command::StepDown);
    assert_eq!(pair.brains[1].mirror.leader(), None);
    let reads = pair.begin(1, list(), 0);
    let writes = pair.begin(1, put("v2"), 0);
    let (answer, _) = pair.answers.remove(&reads).expect("at once");
    let Answer::Models { models, .. } = answer else { panic!("{answer:?}") };
    let status = &models[0].status;
    assert!(status.message.contains("no controller leads now"), "{status:?}");
    // The change waits, and this one leads before its asker is gone.
    pair.run(1_000);
    assert!(pair.brains[1].is_leading(pair.now));
    let (answer, _) = pair.answers.remove(&writes).expect("in time");
    assert!(matches!(answer, Answer::Put { .. }), "{answer:?}");
}

#[test]
fn what_was_handed_on_is_not_handed_on_again() {
    let mut pair = Pair::new();
    let request = pair.request();
    let terms = Terms { is_forwarded: true, ..Terms::default() };
    let at = Stamp::default();
    pair.event(1, Event::Requested { request, command: put("v1"), terms, at });
    let (answer, _) = pair.answers.remove(&request).expect("at once");
    assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
    assert!(pair.brains[1].forwarded.is_empty() && pair.handed.is_empty());
}

#[test]
fn a_leader_that_is_silent_may_have_made_the_change() {
    let mut pair = Pair::new();
    let effects = pair.brains[1].step(
        pair.now,
        Event::Requested {
            request: RequestId(70),
            command: put("v1"),
            terms: Terms::default(),
            at: Stamp::default(),
        },
    );
    assert!(matches!(effects[..], [Effect::Forward { boot: 0, .. }]), "{effects:?}");
    // Nobody ever says what came of it.
    pair.run(FORWARD_MS + FORWARD_LOST_MS + 200);
    let (answer, _) = pair.answers.remove(&RequestId(70)).expect("it was answered");
    assert!(matches!(&answer, Answer::Unknown(text) if text.contains("not known")), "{answer:?}");
}

#[test]
fn a_wadm_that_comes_later_is_noticed() {
    let mut pair = Pair::new();
    pair.wadm = true;
    pair.run(31_000);
    assert_eq!(pair.serves, [false, false], "it has the prefix for itself");
    for index in 0..2 {
        let raised = pair.alarms.iter().filter(|alarm| **alarm == (index, Alarm::ApiTaken));
        assert_eq!(raised.count(), 1, "{:?}", pair.alarms);
        assert!(pair.brains[index].report(pair.now).api_taken);
    }
    // What is asked by name is answered all the same.
    let (answer, _) = pair.ask(1, put("v1"));
    assert!(matches!(answer, Answer::Put { .. }), "{answer:?}");
    pair.wadm = false;
    pair.run(5_000);
    assert_eq!(pair.serves, [true, true]);
    assert!(pair.brains.iter().all(|brain| !brain.report(pair.now).api_taken));
}
