//! Hosts that fall silent, and what is done with what they ran meanwhile.

use wattle_types::{Key, stored};

use super::*;
use crate::apps::{Command, StatusKind};
use crate::event::ProbeReply;
use crate::fleet::Judging;
use crate::testing::{World, beat, host};

const WAITS_30S: &str = "{type: disconnect, properties: {lost_after: 30s}}";
const WAITS_10M: &str = "{type: disconnect, properties: {lost_after: 10m}}";

fn id(id: &str) -> ActorId {
    id.parse().unwrap()
}

/// How a host fell silent, as its observer saw it.
#[derive(Clone, Copy, Debug)]
enum Silence {
    /// The server says that nobody listens there.
    NobodyListens,
    /// Nothing comes.
    TimeOut,
    /// After it said that it leaves.
    Left,
    /// Only its assignment is known.
    NeverHeard,
    /// It was heard at last when the observer's own link broke, for ten seconds.
    Unheard10s,
    /// It was heard at last by an observer that did not lead, and does from ten seconds later on.
    NotLed10s,
}

impl Silence {
    /// A fleet that knows the host since 0 s and has heard nothing of it since.
    fn observed_until(self, end: Millis) -> Fleet {
        let mut fleet = Fleet::default();
        fleet.connected(Millis(0));
        (0..2).for_each(|index| fleet.expect(Millis(0), host(index)));
        if !matches!(self, Self::NeverHeard) {
            let draining = matches!(self, Self::Left);
            fleet.beat(Millis(0), wattle_types::Beat { draining, ..beat(0, 1, 1) });
        }
        for at in (0..=end.0).step_by(100) {
            let now = Millis(at);
            match (self, at) {
                (Self::Unheard10s, 1_000) => fleet.disconnected(),
                (Self::Unheard10s, 11_000) => fleet.connected(now),
                _ => {}
            }
            // Somebody else is heard all the time.
            fleet.beat(now, beat(1, 1, at + 1));
            let leading = !matches!(self, Self::NotLed10s) || 10_000 <= at;
            let reply = match self {
                Self::NobodyListens | Self::Left => ProbeReply::NoResponders,
                _ => ProbeReply::TimedOut,
            };
            let judging = if leading { Judging::All } else { Judging::Nobody };
            fleet.tick(now, judging);
            fleet.probed(now, &host(0), reply);
        }
        fleet
    }
}

#[test]
fn a_lost_host_is_waited_for_from_its_last_sign_of_life() {
    let mut patience = Patience::default();
    patience.add(&id("web"), Some(30_000));
    patience.add(&id("api"), None);
    let cases = [
        (Silence::NobodyListens, Some(30_000)),
        (Silence::TimeOut, Some(30_000)),
        (Silence::Left, None),
        (Silence::NeverHeard, Some(30_000)),
        (Silence::Unheard10s, Some(41_000)),
        (Silence::NotLed10s, Some(30_000)),
    ];
    for (silence, until) in cases {
        let now = Millis(20_000);
        let fleet = silence.observed_until(now);
        let of = &fleet.hosts()[&host(0)];
        assert_eq!(of.status(now), wattle_planner::HostStatus::Lost, "{silence:?}");
        assert_eq!(patience.until(of, &id("web")), until.map(Millis), "{silence:?}");
        let last = until.map_or(now, |until| Millis(until - 1));
        assert_eq!(patience.holds(last, of, &id("web")), until.is_some(), "{silence:?}");
        assert!(!patience.holds(last + 1, of, &id("web")), "{silence:?}");
        assert!(!patience.holds(now, of, &id("api")), "nobody asked for that: {silence:?}");
    }
}

/// Two actors on the first host, one of which waits for it; then a second host joins.
fn together(traits: &str) -> World {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", traits), ("api", "")]);
    world.add_host(1, &[]);
    world.run(3_000);
    assert_eq!(told(&world), ["api=1 web=1", ""]);
    world
}

fn told(world: &World) -> [String; 2] {
    [0, 1].map(|host| world.told(host).unwrap())
}

fn silence(world: &mut World, index: u8) {
    world.hosts.get_mut(&index).unwrap().up = false;
}

fn seq(world: &World) -> u64 {
    world.store[&Key::Assign(host(0))].0
}

#[test]
fn what_waits_stays_for_its_time_and_no_longer_and_the_rest_is_replaced_as_ever() {
    let mut world = together(WAITS_30S);
    let before = seq(&world);
    silence(&mut world, 0);
    world.run(3_000);
    assert_eq!(told(&world), ["api=1 web=1", "api=1"]);
    world.run(26_400);
    assert_eq!(told(&world), ["api=1 web=1", "api=1"], "29.4 s after its last beat at least");
    world.run(700);
    assert_eq!(told(&world), ["api=1 web=1", "api=1 web=1"], "30.1 s after that");
    assert_eq!(seq(&world), before, "the silent host was told nothing");
}

#[test]
fn a_host_that_returns_in_time_finds_everything_as_it_was() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", WAITS_30S)]);
    world.run(2_000);
    let (on, other) = if world.told(0).as_deref() == Some("web=1") { (0, 1) } else { (1, 0) };
    world.batches.clear();
    for _ in 0..2 {
        silence(&mut world, on);
        world.run(25_000);
        world.hosts.get_mut(&on).unwrap().up = true;
        world.run(2_000);
    }
    assert!(world.batches.iter().all(|batch| batch.len() == 1), "only renewals");
    assert_eq!(
        (world.told(on).as_deref(), world.told(other).as_deref()),
        (Some("web=1"), Some(""))
    );
    assert_eq!(world.status("shop").kind, StatusKind::Deployed);
}

#[test]
fn a_host_that_returns_too_late_does_not_double_what_replaced_it() {
    let mut world = together(WAITS_30S);
    silence(&mut world, 0);
    world.run(40_000);
    world.hosts.get_mut(&0).unwrap().up = true;
    world.run(4_000);
    let all = told(&world).join(" ");
    assert_eq!((all.matches("web").count(), all.matches("api").count()), (1, 1), "{all}");
}

#[test]
fn a_host_that_left_on_purpose_is_not_waited_for() {
    for (says_so, elsewhere) in [(true, "api=1 web=1"), (false, "api=1")] {
        let mut world = together(WAITS_10M);
        // Nobody could take anything over before it was gone.
        world.refuses = Some("no space left".to_owned());
        world.hosts.get_mut(&0).unwrap().draining = says_so;
        world.run(600);
        silence(&mut world, 0);
        world.run(4_000);
        world.refuses = None;
        world.run(10_000);
        assert_eq!(world.told(1).as_deref(), Some(elsewhere), "says so: {says_so}");
    }
}

#[test]
fn status_says_for_which_host_and_for_how_long() {
    let mut world = together(WAITS_10M);
    silence(&mut world, 0);
    world.run(4_000);
    let status = world.status("shop");
    let web = &status.components[0];
    assert_eq!(web.message, "waits for host h0, which is silent, for 10m more");
    assert_eq!((status.kind, web.kind), (StatusKind::Waiting, StatusKind::Waiting));
    assert_eq!((&web.hosts[..], web.ready), (&[(host(0), 0)][..], 0));
    assert_eq!(status.components[1].kind, StatusKind::Deployed, "{status:?}");
    world.run(590_000);
    let message = world.status("shop").message;
    assert!(message.ends_with("for 7s more") || message.ends_with("for 6s more"), "{message}");
    world.run(10_000);
    assert_eq!(world.status("shop").kind, StatusKind::Deployed);
}

#[test]
fn a_manifest_changed_meanwhile_counts_at_once() {
    let mut world = together(WAITS_10M);
    silence(&mut world, 0);
    world.run(40_000);
    assert_eq!(told(&world), ["api=1 web=1", "api=1"]);
    world.put_and_deploy("shop", "v2", &[("web", WAITS_30S), ("api", "")]);
    world.run(1_000);
    assert_eq!(told(&world), ["api=1 web=1", "api=1 web=1"]);
}

#[test]
fn a_person_who_forgets_the_host_ends_the_wait() {
    let mut world = together(WAITS_10M);
    silence(&mut world, 0);
    world.run(10_000);
    assert_eq!(world.told(1).as_deref(), Some("api=1"));
    world.ask(Command::Forget { host: host(0), yes: false });
    world.run(2_000);
    assert_eq!(world.told(1).as_deref(), Some("api=1 web=1"));
}

#[test]
fn who_leads_again_counts_on_and_who_only_begins_counts_anew() {
    // Another led for a moment; this one listened all the time.
    let mut world = together(WAITS_30S);
    silence(&mut world, 0);
    world.run(20_000);
    let mut lease = world.lease();
    (lease.holder, lease.boot, lease.epoch) = (None, 99, lease.epoch.next());
    world.intrude(Key::Lease, stored::encode(&lease));
    world.run(9_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.told(1).as_deref(), Some("api=1"));
    world.run(1_200);
    assert_eq!(world.told(1).as_deref(), Some("api=1 web=1"), "30.2 s after the last beat");

    // A process that has just begun cannot know since when the host is silent.
    let mut world = together(WAITS_30S);
    silence(&mut world, 0);
    world.run(20_000);
    let mut world = world.restarted();
    let began = world.now;
    world.run(29_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.told(1).as_deref(), Some("api=1"));
    world.run(2_000);
    assert_eq!(world.told(1).as_deref(), Some("api=1 web=1"), "{} ms", world.now.since(began));
    // Nor that it was given up: what runs elsewhere by now stays there, all the same.
    let mut world = world.restarted();
    world.run(10_000);
    assert_eq!(world.told(1).as_deref(), Some("api=1 web=1"));
    assert_eq!(world.status("shop").kind, StatusKind::Deployed);
}
