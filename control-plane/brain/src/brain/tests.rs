//! Leading as a whole: taking over, keeping, losing and giving back.

use wattle_types::Key;

use super::*;
use crate::apps::Command;
use crate::event::RequestId;
use crate::event::Server;
use crate::testing::{World, manifest};
use crate::{Content, Stamp, Terms, Wrote};

#[test]
fn a_lattice_without_leader_gets_one() {
    let mut world = World::new();
    world.run(3_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.lease().holder.as_deref(), Some("c1"));
    assert!(world.served, "the application API is answered");
}

#[test]
fn the_lease_is_renewed_each_second() {
    let mut world = World::leading(0);
    let before = world.lease().beat;
    world.run(60_000);
    assert!((55..=61).contains(&(world.lease().beat - before)));
    assert!(world.brain.is_leading(world.now));
}

#[test]
fn a_deposed_leader_notices_at_its_next_write() {
    let mut world = World::leading(1);
    world.put(&manifest("shop", "v1", &[("web", "")]));
    let mut other = world.lease();
    (other.holder, other.boot, other.epoch) = (Some("c2".to_owned()), 2, other.epoch.next());
    world.last_seq += 1;
    let bytes = wattle_types::stored::encode(&other);
    world.store.insert(Key::Lease, (world.last_seq, bytes));
    let stored = world.store.len();
    let request = RequestId(50);
    let command = Command::Deploy { name: "shop".parse().unwrap(), version: None, takeover: false };
    world.event(Event::Requested {
        request,
        command,
        terms: Terms::default(),
        at: Stamp::default(),
    });
    assert!(matches!(world.answers[&request], Answer::Unknown(_)), "{:?}", world.answers);
    assert_eq!(world.store.len(), stored, "it tried, and the store refused");
    assert!(!world.brain.is_leading(world.now));
    assert!(world.alarms.iter().any(|alarm| matches!(alarm, Alarm::LeadershipLost { .. })));
}

/// A store that has lost something gives sequences again, so that the lease of another can have the
/// very sequence that ours had.
#[test]
fn a_leader_that_follows_the_lease_of_another_writes_nothing_though_its_sequence_is_right() {
    let mut world = World::leading(1);
    let (seq, _) = world.store[&Key::Lease];
    let mut other = world.lease();
    (other.holder, other.boot, other.epoch) = (Some("c2".to_owned()), 2, other.epoch.next());
    let bytes = wattle_types::stored::encode(&other);
    world.store.insert(Key::Lease, (seq, bytes.clone()));
    world.event(Event::FollowReset);
    let content = Content::Value(bytes.clone());
    world.event(Event::Followed { key: Key::Lease, seq, content });
    world.event(Event::FollowedAll { seq });
    assert!(!world.brain.is_leading(world.now));
    let batches = world.batches.len();
    world.run(2_000);
    assert_eq!(world.batches.len(), batches);
    assert_eq!(world.store[&Key::Lease], (seq, bytes));
    assert!(world.alarms.iter().any(|alarm| matches!(alarm, Alarm::LeadershipLost { .. })));
}

#[test]
fn a_leader_that_was_paused_decides_nothing_until_it_has_renewed() {
    let mut world = World::leading(1);
    world.put(&manifest("shop", "v1", &[("web", "")]));
    world.now = world.now + 30_000;
    let now = world.now;
    let effects = world.brain.step(now, Event::Connected);
    let writes: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Commit { writes, .. } => Some(writes.len()),
            _ => None,
        })
        .collect();
    assert_eq!(writes, [1], "nothing but a renewal: {effects:?}");
}

#[test]
fn a_leader_that_cannot_renew_stops_deciding_and_goes_on_under_its_epoch() {
    let mut world = World::leading(0);
    let epoch = world.brain.epoch();
    // The store takes nothing for six seconds, as in an election of its own.
    let mut op = None;
    for _ in 0..60 {
        world.now = world.now + 100;
        for effect in world.brain.step(world.now, Event::Tick { random: 1 }) {
            match effect {
                Effect::Commit { op: sent, .. } => op = Some((sent, true)),
                Effect::ReadLease { op: sent } => op = Some((sent, false)),
                _ => {}
            }
        }
        let event = match op.take() {
            Some((op, true)) => Event::Committed { op, wrote: Wrote::Unknown },
            Some((op, false)) => Event::LeaseRead { op, reading: LeaseReading::Failed },
            None => continue,
        };
        for effect in world.brain.step(world.now, event) {
            match effect {
                Effect::Commit { op: sent, .. } => op = Some((sent, true)),
                Effect::ReadLease { op: sent } => op = Some((sent, false)),
                _ => {}
            }
        }
    }
    assert!(!world.brain.is_leading(world.now));
    // It answers again; what was asked meanwhile was never stored.
    if let Some((op, _)) = op {
        let (seq, bytes) = world.store[&Key::Lease].clone();
        world.event(Event::LeaseRead { op, reading: LeaseReading::Found { seq, bytes } });
    }
    world.run(3_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.brain.epoch(), epoch);
}

#[test]
fn a_holder_whose_lease_became_newer_stops() {
    let mut world = World::leading(1);
    let mut newer = world.lease();
    (newer.v, newer.holder, newer.boot) = (2, Some("c2".to_owned()), 2);
    let bytes = wattle_types::stored::encode(&newer);
    world.last_seq += 1;
    world.store.insert(Key::Lease, (world.last_seq, bytes.clone()));
    let batches = world.batches.len();
    world.run(60_000);
    assert!(!world.brain.is_leading(world.now) && !world.served);
    assert_eq!(world.batches.len(), batches, "nothing was stored after it");
    assert_eq!(world.store[&Key::Lease].1, bytes);
    let said = world.alarms.iter().filter(|alarm| matches!(alarm, Alarm::TooOld { .. }));
    assert_eq!(said.count(), 1, "{:?}", world.alarms);
}

#[test]
fn a_stream_that_is_gone_is_made_again_and_nothing_ends() {
    let mut world = World::leading(1);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let (told, epoch) = (world.hosts[&0].inventory.applied, world.brain.epoch());
    world.delete_stream();
    world.run(2_500);
    assert!(world.deleted, "an election looks like this too, for a while");
    world.run(10_000);
    assert!(!world.deleted && world.brain.is_leading(world.now), "{:?}", world.alarms);
    assert!(epoch < world.brain.epoch());
    assert_eq!(world.hosts[&0].inventory.applied, told, "the host was told nothing");
    let count = |alarm: fn(&Alarm) -> bool| world.alarms.iter().filter(|a| alarm(a)).count();
    assert_eq!(count(|alarm| *alarm == Alarm::StoreGone), 1);
    assert_eq!(count(|alarm| matches!(alarm, Alarm::StateLost { .. })), 1);
}

/// As while the NATS nodes elect a leader of the stream.
#[test]
fn who_cannot_write_for_a_while_goes_on_judging() {
    let mut world = World::leading(2);
    world.put_and_deploy("shop", "v1", &[("web", "")]);
    world.run(2_000);
    let (from, to) = if world.told(0).as_deref() == Some("web=1") { (0, 1) } else { (1, 0) };
    world.refuses = Some("no leader of the stream".to_owned());
    world.run(3_000);
    assert!(!world.brain.is_leading(world.now));
    world.hosts.get_mut(&from).unwrap().up = false;
    world.run(4_000);
    assert_eq!(world.told(to).as_deref(), Some(""));
    world.refuses = None;
    while !world.brain.is_leading(world.now) {
        world.run(100);
    }
    world.run(300);
    assert_eq!(world.told(to).as_deref(), Some("web=1"));
}

#[test]
fn a_store_that_refuses_is_said_once_and_to_whoever_asks() {
    let mut world = World::leading(1);
    let epoch = world.brain.epoch();
    world.refuses = Some("insufficient storage resources available".to_owned());
    let answer = world.put(&manifest("shop", "v1", &[("web", "")]));
    let says = |answer: &Answer| matches!(answer, Answer::Unavailable(text) if text.contains("insufficient storage"));
    assert!(says(&answer), "{answer:?}");
    world.run(20_000);
    // The lease has run out meanwhile; who asks is still told why.
    let answer = world.put(&manifest("shop", "v1", &[("web", "")]));
    assert!(says(&answer), "{answer:?}");
    let raised = |world: &World| {
        world.alarms.iter().filter(|alarm| matches!(alarm, Alarm::StoreRefuses { .. })).count()
    };
    assert_eq!(raised(&world), 1, "{:?}", world.alarms);
    world.refuses = None;
    world.run(3_000);
    assert!(world.brain.is_leading(world.now));
    assert_eq!(world.brain.epoch(), epoch);
    assert!(matches!(world.put(&manifest("shop", "v1", &[("web", "")])), Answer::Put { .. }));
}

#[test]
fn leaving_gives_the_lease_back() {
    let mut world = World::leading(0);
    let epoch = world.lease().epoch;
    world.event(Event::Stop);
    world.run(200);
    assert!(world.stopped && !world.served);
    assert_eq!((world.lease().holder, world.lease().epoch), (None, epoch));
    assert!(world.brain.step(world.now, Event::Tick { random: 1 }).is_empty());
}

#[test]
fn who_steps_down_lets_another_lead_first() {
    let mut world = World::leading(1);
    let epoch = world.brain.epoch();
    assert_eq!(world.ask(Command::StepDown), Answer::SteppedDown { epoch });
    assert_eq!((world.lease().holder, world.served), (None, true));
    world.run(9_500);
    assert!(!world.brain.is_leading(world.now), "others are first");
    assert_eq!(world.lease().holder, None);
    // Nobody else was there.
    world.run(2_500);
    assert!(world.brain.is_leading(world.now) && world.served);
    assert!(epoch < world.brain.epoch());
}

#[test]
fn a_standby_that_sees_the_lease_free_takes_it_at_once() {
    let mut world = World::new();
    let mut lease = wattle_types::Lease::vacant();
    lease.holder = Some("c2".to_owned());
    for beat in 0..10 {
        lease.beat = beat;
        world.intrude(Key::Lease, wattle_types::stored::encode(&lease));
        world.run(1_000);
    }
    assert!(!world.brain.is_leading(world.now));
    lease.holder = None;
    world.intrude(Key::Lease, wattle_types::stored::encode(&lease));
    world.run(300);
    assert!(world.brain.is_leading(world.now), "it need not wait for its next reading");
}

#[test]
fn a_candidate_leaves_at_once() {
    let mut world = World::new();
    world.event(Event::Stop);
    assert!(world.stopped);
}

#[test]
fn nothing_is_decided_before_the_own_write_was_followed() {
    let mut world = World::leading(1);
    let request = RequestId(70);
    let command = Command::Put { text: manifest("shop", "v1", &[("web", "")]) };
    let asked = Event::Requested {
        request,
        command: command.clone(),
        terms: Terms::default(),
        at: Stamp::default(),
    };
    let effects = world.brain.step(world.now, asked);
    let Some(Effect::Commit { op, writes }) =
        effects.iter().find(|effect| matches!(effect, Effect::Commit { .. }))
    else {
        panic!("{effects:?}")
    };
    let first = world.last_seq + 1;
    world.last_seq += writes.len() as u64;
    let wrote = Wrote::Ok { last_seq: world.last_seq };
    let effects = world.brain.step(world.now, Event::Committed { op: *op, wrote });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })));
    // The same again, before the follower brought the first: not decided from what was before.
    let again = RequestId(71);
    let effects = world.brain.step(
        world.now,
        Event::Requested { request: again, command, terms: Terms::default(), at: Stamp::default() },
    );
    assert!(effects.is_empty(), "{effects:?}");
    for (seq, write) in (first..).zip(writes) {
        let (crate::Payload::Plain(bytes) | crate::Payload::Head(bytes)) = &write.payload else {
            panic!("{write:?}")
        };
        world.store.insert(write.key.clone(), (seq, bytes.clone()));
        let content = Content::Value(bytes.clone());
        world.event(Event::Followed { key: write.key.clone(), seq, content });
    }
    assert!(
        matches!(&world.answers[&again], Answer::Refused(text) if text.contains("already exists"))
    );
}

#[test]
fn where_another_answers_the_api_this_one_does_not() {
    let mut brain = std::mem::replace(&mut World::new(), World::new()).brain;
    brain.door = Door::default();
    let now = Millis(13_000);
    let asks = |effects: &[Effect]| effects.contains(&Effect::AskWhoServes);
    assert!(asks(&brain.step(now, Event::Tick { random: 1 })));
    let effects = brain.step(now, Event::ServedBy { who: Server::Another });
    assert!(effects.contains(&Effect::Raise(Alarm::ApiTaken)), "{effects:?}");
    assert!(!effects.contains(&Effect::Serve { yes: true }));
    // Once more after a while, and once it is gone this one answers.
    assert!(!asks(&brain.step(now + 1_900, Event::Tick { random: 1 })));
    assert!(asks(&brain.step(now + 2_000, Event::Tick { random: 1 })));
    let effects = brain.step(now + 2_000, Event::ServedBy { who: Server::Nobody });
    assert!(effects.contains(&Effect::Serve { yes: true }), "{effects:?}");
}

#[test]
fn who_hangs_among_those_who_answer_closes_no_door() {
    let mut brain = World::new().brain;
    brain.door = Door::default();
    let now = Millis(13_000);
    brain.step(now, Event::Tick { random: 1 });
    for silence in 1..=3 {
        let effects = brain.step(now, Event::ServedBy { who: Server::Silent });
        let opens = effects.contains(&Effect::Serve { yes: true });
        assert_eq!(opens, silence == 3, "the third one says enough: {effects:?}");
        assert_eq!(!opens, effects.contains(&Effect::AskWhoServes));
    }
}

#[test]
fn the_same_events_give_the_same_effects() {
    let trace = || {
        let mut world = World::leading(3);
        world.put_and_deploy("shop", "v1", &[("web", ""), ("api", "")]);
        world.run(5_000);
        world.hosts.get_mut(&1).unwrap().up = false;
        world.run(10_000);
        format!("{:?} {:?} {:?}", world.batches, world.wakes, world.alarms)
    };
    assert_eq!(trace(), trace());
}
