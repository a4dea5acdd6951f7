use wattle_planner::HostStatus;
use wattle_types::Beat;

use super::*;
use crate::testing::{beat, host, inventory};

/// What a probe of a silent host brings.
#[derive(Clone, Copy, PartialEq)]
enum Dead {
    /// The process is gone: the server says so.
    Process,
    /// The machine or the cable is gone: nothing comes.
    Power,
    /// The process is stopped but its probes are answered (by something else on that subject).
    Talks,
}

/// A leader that listens to hosts of which some are dead.
struct Scene {
    now: Millis,
    fleet: Fleet,
    beats: BTreeMap<u8, Beat>,
    dead: BTreeMap<u8, Dead>,
    lost_at: BTreeMap<u8, u64>,
    outages: usize,
    probes: usize,
    asked: usize,
    judging: Judging,
}

impl Scene {
    fn new(hosts: u8, server: impl Fn(u8) -> &'static str) -> Self {
        let mut scene = Self {
            now: Millis(0),
            fleet: Fleet::default(),
            beats: BTreeMap::new(),
            dead: BTreeMap::new(),
            lost_at: BTreeMap::new(),
            outages: 0,
            probes: 0,
            asked: 0,
            judging: Judging::All,
        };
        scene.fleet.connected(scene.now);
        for index in 0..hosts {
            let said = Beat { server: server(index).to_owned(), ..beat(index, 1, 0) };
            scene.beats.insert(index, said);
        }
        scene.run(2_000);
        scene
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now = self.now + 50;
            for (index, beat) in &mut self.beats {
                let due = self.now.0.is_multiple_of(u64::from(beat.period_ms));
                if due && !self.dead.contains_key(index) {
                    beat.seq += 1;
                    self.fleet.beat(self.now, beat.clone());
                }
            }
            for effect in self.fleet.tick(self.now, self.judging) {
                self.act(&effect);
            }
        }
    }

    fn act(&mut self, effect: &Effect) {
        match effect {
            Effect::Probe { host: id } => {
                self.probes += 1;
                let index = self.index(id);
                let reply = match self.dead.get(&index) {
                    Some(Dead::Process) => ProbeReply::NoResponders,
                    Some(Dead::Power) => ProbeReply::TimedOut,
                    None if !self.beats.contains_key(&index) => ProbeReply::NoResponders,
                    Some(Dead::Talks) | None => ProbeReply::Answered,
                };
                self.fleet.probed(self.now, id, reply);
            }
            Effect::AskInventory { host: id } => {
                self.asked += 1;
                let known = inventory(self.index(id), self.beats[&self.index(id)].boot, &[]);
                self.fleet.inventoried(id, Some(Box::new(known)));
            }
            Effect::Raise(Alarm::HostLost { host: id }) => {
                self.lost_at.insert(self.index(id), self.now.0);
            }
            Effect::Raise(Alarm::SilenceOfMany { .. }) => self.outages += 1,
            other => panic!("{other:?}"),
        }
    }

    fn index(&self, id: &HostId) -> u8 {
        (0..u8::MAX).find(|index| host(*index) == *id).unwrap()
    }

    fn status(&self, index: u8) -> HostStatus {
        self.fleet.hosts()[&host(index)].status(self.now)
    }

    /// How long after `since` each lost host was given up.
    fn delays(&self, since: Millis) -> Vec<u64> {
        self.lost_at.values().map(|at| at - since.0).collect()
    }
}

fn one_server(_: u8) -> &'static str {
    ""
}

#[test]
fn hosts_that_beat_are_ready() {
    let mut scene = Scene::new(3, one_server);
    scene.run(60_000);
    assert_eq!((0..3).map(|index| scene.status(index)).collect::<Vec<_>>(), [HostStatus::Ready; 3]);
    assert_eq!(scene.probes, 0);
}

#[test]
fn the_time_until_a_host_is_lost_depends_on_how_it_died() {
    for (dead, delay) in [(Dead::Process, 1_500..2_300), (Dead::Power, 4_500..5_100)] {
        let mut scene = Scene::new(3, one_server);
        let since = scene.now;
        scene.dead.insert(1, dead);
        scene.run(20_000);
        let delays = scene.delays(since);
        assert_eq!(delays.len(), 1);
        assert!(delay.contains(&delays[0]), "{delays:?}");
        assert_eq!(scene.status(1), HostStatus::Lost);
    }
}

#[test]
fn manifests_name_the_bound_that_holds_for_a_usual_host() {
    let bound = u64::from(beat(0, 1, 0).period_ms) * 12 / 5 + host::LOST_AFTER_MS;
    assert_eq!(bound, wattle_types::application::LOST_AFTER_MS_MIN);
}

#[test]
fn a_host_whose_probes_are_answered_is_not_lost() {
    let mut scene = Scene::new(3, one_server);
    scene.dead.insert(1, Dead::Talks);
    scene.run(20_000);
    assert!(scene.lost_at.is_empty());
}

#[test]
fn a_host_is_judged_by_its_own_period() {
    let mut scene = Scene::new(2, one_server);
    let slow = scene.beats.get_mut(&1).unwrap();
    (slow.period_ms, slow.seq) = (15_000, slow.seq + 1);
    scene.fleet.beat(scene.now, slow.clone());
    scene.run(118_000);
    assert!(scene.lost_at.is_empty() && scene.probes == 0, "{:?}", scene.lost_at);
    scene.run(15_000 - scene.now.0 % 15_000);
    let since = scene.now;
    scene.dead.insert(1, Dead::Power);
    scene.run(60_000);
    assert!((36_000..41_000).contains(&scene.delays(since)[0]), "{:?}", scene.lost_at);
}

#[test]
fn a_beat_brings_a_lost_host_back() {
    let mut scene = Scene::new(2, one_server);
    scene.dead.insert(1, Dead::Process);
    scene.run(5_000);
    assert_eq!(scene.status(1), HostStatus::Lost);
    scene.dead.clear();
    scene.run(1_000);
    assert_eq!(scene.status(1), HostStatus::Ready);
}

#[test]
fn an_observer_that_paused_judges_nobody() {
    let mut scene = Scene::new(2, one_server);
    scene.now = scene.now + 60_000;
    scene.run(1_000);
    assert!(scene.lost_at.is_empty() && scene.probes == 0);
}

#[test]
fn an_observer_that_was_cut_off_judges_nobody() {
    let mut scene = Scene::new(2, one_server);
    scene.fleet.disconnected();
    let beats = std::mem::take(&mut scene.beats);
    scene.run(60_000);
    scene.beats = beats;
    scene.fleet.connected(scene.now);
    scene.run(1_000);
    assert!(scene.lost_at.is_empty() && scene.probes == 0);
}

#[test]
fn taking_over_begins_everybodys_silence_anew() {
    let mut scene = Scene::new(2, one_server);
    scene.judging = Judging::Nobody;
    scene.dead.insert(1, Dead::Process);
    scene.run(60_000);
    assert!(scene.lost_at.is_empty(), "who does not lead does not judge");
    scene.judging = Judging::All;
    let since = scene.now;
    scene.run(10_000);
    assert!((1_500..2_300).contains(&scene.delays(since)[0]));
}

#[test]
fn silence_of_many_is_the_networks_doing() {
    let mut scene = Scene::new(20, one_server);
    let since = scene.now;
    scene.dead.extend((0..8).map(|index| (index, Dead::Process)));
    scene.run(14_000);
    assert_eq!((scene.lost_at.len(), scene.outages), (0, 1));
    scene.run(11_500);
    let mut delays = scene.delays(since);
    delays.sort_unstable();
    assert_eq!(delays.len(), 3, "one every five seconds: {delays:?}");
    assert!((14_500..15_500).contains(&delays[0]));
    // The network heals: who beats again is not touched.
    scene.dead.clear();
    scene.run(30_000);
    assert_eq!(scene.lost_at.len(), 3);
    assert!((0..20).all(|index| scene.status(index) == HostStatus::Ready));
}

#[test]
fn hosts_nobody_ever_heard_make_no_outage() {
    let mut scene = Scene::new(10, one_server);
    // Ten that were there once, and of which only their assignments are left.
    for index in 100..110 {
        scene.fleet.expect(scene.now, host(index));
    }
    scene.run(2_000);
    let since = scene.now;
    scene.dead.insert(1, Dead::Process);
    scene.run(4_000);
    assert_eq!((scene.delays(since).len(), scene.outages), (1, 0));
    assert!((1_500..2_300).contains(&scene.delays(since)[0]), "as any other: {:?}", scene.lost_at);
    // So many at once may also be behind a server that hangs: they are given up one by one.
    scene.run(11_000);
    let absent = |scene: &Scene| scene.lost_at.keys().filter(|index| 100 <= **index).count();
    assert_eq!(absent(&scene), 1, "{:?}", scene.lost_at);
    scene.run(60_000);
    assert_eq!((absent(&scene), scene.outages), (10, 0), "{:?}", scene.lost_at);
}

#[test]
fn a_standby_knows_inventories_before_it_leads() {
    let mut scene = Scene::new(0, one_server);
    scene.judging = Judging::Nobody;
    scene.beats.extend((0..5).map(|index| (index, beat(index, 1, 0))));
    scene.run(2_000);
    assert!((0..5).all(|index| scene.status(index) == HostStatus::Ready));
    scene.judging = Judging::All;
    scene.asked = 0;
    scene.run(2_000);
    assert_eq!(scene.asked, 0, "nothing is left to ask");
}

#[test]
fn a_thousand_inventories_are_not_asked_in_one_tick() {
    let mut fleet = Fleet::default();
    fleet.connected(Millis(0));
    let id = |index: u16| {
        let [high, low] = index.to_be_bytes();
        let mut key = [high; 32];
        key[31] = low;
        HostId::try_from(wattle_types::PublicKey::new(wattle_types::Role::Server, key)).unwrap()
    };
    for index in 0..1_000 {
        fleet.beat(Millis(0), Beat { host: id(index), ..beat(0, 1, 1) });
    }
    let mut asked = BTreeMap::new();
    for at in (100..=2_000).step_by(100) {
        let effects = fleet.tick(Millis(at), Judging::Nobody);
        assert!(effects.len() <= 50, "{} in one tick", effects.len());
        for effect in effects {
            let Effect::AskInventory { host } = effect else { panic!("{effect:?}") };
            *asked.entry(host).or_insert(0) += 1;
        }
    }
    assert_eq!(asked.len(), 1_000, "each is asked within two seconds");
}

#[test]
fn an_observer_that_hears_nobody_judges_nobody() {
    let mut scene = Scene::new(5, one_server);
    scene.dead.extend((0..5).map(|index| (index, Dead::Power)));
    scene.run(120_000);
    assert!(scene.lost_at.is_empty(), "{:?}", scene.lost_at);
    // One is heard again; the others have their time from then on.
    scene.dead.remove(&0);
    let since = scene.now;
    scene.run(14_000);
    assert!(scene.lost_at.is_empty(), "{:?}", scene.lost_at);
    scene.run(60_000);
    assert_eq!(scene.lost_at.len(), 4);
    assert!(scene.delays(since).iter().all(|delay| 14_500 < *delay), "{:?}", scene.lost_at);
}

#[test]
fn hosts_that_nobody_listens_for_are_lost_also_when_no_other_is_left() {
    let mut scene = Scene::new(2, one_server);
    let since = scene.now;
    scene.dead.extend((0..2).map(|index| (index, Dead::Process)));
    scene.run(5_000);
    assert_eq!(scene.delays(since).len(), 2, "{:?}", scene.lost_at);
}

#[test]
fn a_silent_server_is_not_taken_for_silent_hosts() {
    // Three of thirty: not many of all, but all of that server.
    let mut scene = Scene::new(30, |index| if index < 3 { "n1" } else { "n2" });
    scene.dead.extend((0..3).map(|index| (index, Dead::Process)));
    scene.run(14_000);
    assert_eq!((scene.lost_at.len(), scene.outages), (0, 1));
}

#[test]
fn one_host_alone_on_its_server_is_lost_as_any_other() {
    let mut scene = Scene::new(4, |index| ["n0", "n1", "n2", "n3"][usize::from(index)]);
    let since = scene.now;
    scene.dead.insert(0, Dead::Process);
    scene.run(5_000);
    assert!((1_500..2_300).contains(&scene.delays(since)[0]));
}

#[test]
fn two_processes_under_one_id_are_noticed_and_left_alone() {
    let mut fleet = Fleet::default();
    fleet.connected(Millis(0));
    let mut alarms = Vec::new();
    for seq in 1..20 {
        let now = Millis(seq * 500);
        alarms.extend(fleet.beat(now, beat(1, 100, seq)));
        alarms.extend(fleet.beat(now, beat(1, 200, seq)));
    }
    assert_eq!(alarms, [Alarm::Cloned { host: host(1) }]);
    assert!(fleet.hosts()[&host(1)].is_cloned(Millis(10_000)));
    assert!(!fleet.hosts()[&host(1)].is_cloned(Millis(60_000)));
}

#[test]
fn a_restart_with_late_beats_of_before_is_no_clone() {
    let mut fleet = Fleet::default();
    fleet.connected(Millis(0));
    let beats = [(100, 7), (200, 1), (100, 8), (200, 2), (100, 9), (200, 3), (100, 7), (200, 4)];
    for (at, (boot, seq)) in beats.into_iter().enumerate() {
        assert_eq!(fleet.beat(Millis(500 * at as u64), beat(1, boot, seq)), None, "{boot}.{seq}");
    }
    assert_eq!(fleet.hosts()[&host(1)].beat.as_ref().unwrap().boot, 200);
}

#[test]
fn a_late_beat_of_an_earlier_process_does_not_hide_the_living_one() {
    let mut fleet = Fleet::default();
    fleet.connected(Millis(0));
    fleet.beat(Millis(0), beat(1, 200, 1));
    // Overtaken by the first beat of its successor, and never heard before by this observer.
    fleet.beat(Millis(10), beat(1, 100, 9));
    for seq in 2..6 {
        fleet.beat(Millis(500 * seq), beat(1, 200, seq));
    }
    assert_eq!(fleet.hosts()[&host(1)].beat.as_ref().unwrap().boot, 200);
}

#[test]
fn made_up_ids_are_forgotten_again() {
    let mut fleet = Fleet::default();
    fleet.connected(Millis(0));
    fleet.beat(Millis(0), beat(9, 1, 1));
    for at in (0..60_000).step_by(100) {
        fleet.tick(Millis(at), Judging::All);
        fleet.probed(Millis(at), &host(9), ProbeReply::TimedOut);
    }
    assert!(fleet.hosts().is_empty());
}
