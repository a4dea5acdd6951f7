use std::collections::VecDeque;

use super::*;
use crate::testing::{host, id, record};

/// Hosts that want the same id, and a store that answers one of them at a time.
struct Race {
    hosts: Vec<Ownership>,
    /// What each waits for.
    asked: Vec<VecDeque<Effect>>,
    stored: (Option<Vec<u8>>, u64),
    said: Vec<Vec<Standing>>,
}

impl Race {
    fn new(hosts: u8) -> Self {
        let of = |n| Ownership::new(super::tests::host(n));
        let hosts: Vec<Ownership> = (1..=hosts).map(of).collect();
        let asked = hosts.iter().map(|_| VecDeque::new()).collect();
        let said = hosts.iter().map(|_| Vec::new()).collect();
        Self { hosts, asked, stored: (None, 0), said }
    }

    fn want(&mut self, of: usize, wants: Option<Life>) {
        let mut out = Vec::new();
        match wants {
            Some(life) => self.hosts[of].claim(&id("web"), life, &mut out),
            None => self.hosts[of].release(&id("web"), &mut out),
        }
        self.asked[of].extend(out);
    }

    /// The store answers what this host asked first.
    fn answer(&mut self, of: usize) {
        let Some(effect) = self.asked[of].pop_front() else { return };
        let (web, now, mut out) = (id("web"), Millis(0), Vec::new());
        let said = match effect {
            Effect::ReadOwner { .. } => {
                let reading = match self.stored.clone() {
                    (Some(bytes), seq) => OwnerReading::Record { bytes, seq },
                    (None, seq) => OwnerReading::Free { seq },
                };
                self.hosts[of].read(&web, &reading, 7, now, &mut out)
            }
            Effect::WriteOwner { record, expect, .. } => {
                let fits = self.stored.1 == expect;
                if fits {
                    self.stored = (record, expect + 1);
                }
                self.hosts[of].written(&web, fits, &mut out)
            }
            other => panic!("{other:?}"),
        };
        self.said[of].extend(said);
        self.asked[of].extend(out);
    }

    /// Until nobody asks any more, each in turn.
    fn settle(&mut self) {
        while self.asked.iter().any(|asked| !asked.is_empty()) {
            (0..self.hosts.len()).for_each(|of| self.answer(of));
        }
    }

    fn record(&self) -> Option<IdRecord> {
        record_of(&id("web"), self.stored.0.as_deref()?)
    }
}

#[test]
fn two_hosts_that_claim_one_id_at_once_are_both_in_its_record() {
    let mut race = Race::new(2);
    race.want(0, Some(Life::Session));
    race.want(1, Some(Life::Manual));
    race.settle();
    assert_eq!(race.said, [[Standing::Held], [Standing::Held]]);
    let record = race.record().unwrap();
    assert_eq!(record.hosts, [host(1), host(2)].into());
    // What one keeps for a person is a person's.
    assert_eq!((record.owner, record.first_seen_unix_s), (Owner::Manual, 7));
    race.want(1, None);
    race.settle();
    assert_eq!(race.record().unwrap().hosts, [host(1)].into());
    race.want(0, None);
    race.settle();
    assert_eq!((race.record(), race.stored.1), (None, 4));
    // A marker is what the next one is written over.
    race.want(0, Some(Life::Manual));
    race.settle();
    assert_eq!(race.record().unwrap().hosts, [host(1)].into());
}

#[test]
fn of_an_application_and_a_host_that_claim_one_id_at_once_one_has_it() {
    let mut race = Race::new(1);
    race.want(0, Some(Life::Manual));
    race.answer(0);
    // It was free when it was read.
    race.stored = (Some(stored::encode(&record("web", "shop"))), 1);
    race.settle();
    assert_eq!(race.said[0], [Standing::Taken("shop".parse().unwrap())]);
    assert_eq!(race.record().unwrap().owner, Owner::App("shop".parse().unwrap()));
}

#[test]
fn what_is_wanted_last_is_what_becomes_of_it() {
    let mut race = Race::new(1);
    race.want(0, Some(Life::Manual));
    race.answer(0);
    // The write is under way.
    race.want(0, None);
    race.settle();
    assert_eq!((race.record(), race.said[0].last()), (None, Some(&Standing::Released)));
    race.want(0, Some(Life::Manual));
    race.settle();
    race.want(0, None);
    race.answer(0);
    race.want(0, Some(Life::Manual));
    race.settle();
    assert_eq!(race.record().unwrap().hosts, [host(1)].into());
    assert_eq!(race.said[0].last(), Some(&Standing::Held));
}

#[test]
fn who_loses_every_race_gives_up_and_says_so() {
    let mut race = Race::new(1);
    race.want(0, Some(Life::Manual));
    for _ in 0..TRIES_MAX {
        race.answer(0);
        race.stored.1 += 1;
        race.answer(0);
    }
    assert_eq!(race.said[0], [Standing::Contended]);
    assert!(race.asked[0].is_empty());
}

#[test]
fn a_record_nobody_can_read_is_neither_changed_nor_waited_for() {
    let mut race = Race::new(1);
    race.stored = (Some(b"newer".to_vec()), 3);
    race.want(0, Some(Life::Manual));
    race.settle();
    assert_eq!(race.said[0], [Standing::Unreadable]);
    race.want(0, None);
    race.settle();
    assert_eq!(race.said[0].last(), Some(&Standing::Released));
    assert_eq!(race.stored, (Some(b"newer".to_vec()), 3));
}

#[test]
fn a_release_is_tried_until_the_store_answers_and_a_claim_is_not() {
    let mut ownership = Ownership::new(host(1));
    let (web, mut out) = (id("web"), Vec::new());
    ownership.claim(&web, Life::Manual, &mut out);
    let failed = OwnerReading::Failed;
    let said = ownership.read(&web, &failed, 0, Millis(0), &mut out);
    assert_eq!(said, Some(Standing::OutOfReach { held: false, maybe_held: false }));
    assert_eq!(ownership.due(), None);
    ownership.restore(web.clone(), None, Millis(0));
    let mut pauses = Vec::new();
    let mut now = Millis(0);
    for _ in 0..3 {
        out.clear();
        let due = ownership.due().unwrap();
        pauses.push(due.since(now));
        now = due;
        ownership.tick(now, &mut out);
        assert_eq!(out, [Effect::ReadOwner { id: web.clone() }]);
        assert_eq!(ownership.read(&web, &failed, 0, now, &mut out), None);
    }
    assert_eq!(pauses, [0, 100, 200]);
}
