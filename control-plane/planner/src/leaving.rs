//! What stays where it is until its new places are ready.
//!
//! *Expected flow.* A host has an actor, and the target does not give it that actor any more: the
//! entry stays and leaves in the plan after the one that finds the new places ready.
//! *Guarantees.* What is not desired, or has no place even with all the room that leaves, goes at
//! once: a stop that is meant waits for nobody. A host that stays in the target gets its new count
//! at once, for it has at least one, and serves. A leaving entry takes room, and nothing else is
//! placed in that room; its actor gets its new place before another grows into that.
//! *Caveats.* Nothing waits for a silent place, unless no place of the actor is known to serve; none
//! is on a lost host, whether the actor is awaited there or not.
//! Single instances that trade places on full hosts go at once, or neither would ever move; see
//! [`starting`](crate::starting). How long it may take at most is for
//! the caller to count, who has a clock: [`HostView::overdue`].

use wattle_types::ActorId;

use crate::input::{HostStatus, HostView, Placed};

/// An entry that a host has and that the target does not give it.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    /// Index of the actor.
    pub(crate) actor: usize,
    /// Index of the host.
    pub(crate) host: usize,
    pub(crate) placed: Placed,
}

/// All that could leave later, of actors with what is kept of them on each host.
pub(crate) fn candidates(kept: &[(&ActorId, &[u32])], hosts: &[&HostView]) -> Vec<Leaving> {
    let mut leaving = Vec::new();
    for (actor, (id, kept)) in kept.iter().enumerate() {
        for (index, host) in hosts.iter().enumerate() {
            let counted_on = host.status != HostStatus::Lost && !host.overdue.contains(*id);
            let Some(placed) = host.assigned.get(*id).filter(|_| counted_on) else { continue };
            if kept[index] == 0 {
                leaving.push(Leaving { actor, host: index, placed: *placed });
            }
        }
    }
    leaving
}

/// Takes the room of what leaves. Where a host has less than it was told to run, what stays goes
/// before what leaves.
pub(crate) fn take_room(leaving: &mut Vec<Leaving>, room: &mut [u32]) {
    leaving.retain_mut(|left| {
        left.placed.count = left.placed.count.min(room[left.host]);
        room[left.host] -= left.placed.count;
        0 < left.placed.count
    });
}

/// Whether what leaves has to wait for the places its actor has: either one that is counted on is
/// not ready yet, or none is known to serve at all.
pub(crate) fn waits(id: &ActorId, placed: &[u32], hosts: &[&HostView]) -> bool {
    // Nothing serves on a lost host, also where it is not given up.
    let counts =
        |(host, count): &(&&HostView, &u32)| 0 < **count && host.status != HostStatus::Lost;
    let places = || hosts.iter().zip(placed).filter(counts).map(|(host, _)| host);
    let awaited = |host: &&HostView| host.status == HostStatus::Ready && !host.ready.contains(id);
    let serves = places().any(|host| host.ready.contains(id));
    places().any(awaited) || !serves
}
