//! Starts what is missing, in the room that is left beside what leaves.
//!
//! Whether something may leave only later depends on where it goes, and where anything goes on the
//! room that is left. So everything that could leave later is first believed to; what need not is
//! let go, and the rest is placed again with the room it gave back, until nothing more is.
//!
//! *Who has no place yet* because others leave the room it needs stays, and gets that room after
//! them. *Deadlock.* Of those that wait for each other, each is given room by one that goes on
//! serving where else it leaves, or else by one that goes on with fewer instances. Where all that is
//! left is a single instance of each, those go at once that hold what others of them need, or nothing
//! would ever move.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use wattle_types::{ActorId, SpecHash};

use crate::groups::Group;
use crate::input::{HostStatus, HostView};
use crate::leaving::{self, Leaving};
use crate::matching::Matching;

/// One actor on its way to hosts.
#[derive(Clone)]
pub(crate) struct Placing<'a> {
    pub(crate) id: &'a ActorId,
    pub(crate) spec: SpecHash,
    pub(crate) groups: &'a [Group],
    pub(crate) matching: Matching<'a>,
}

impl Placing<'_> {
    fn has_place(&self) -> bool {
        self.matching.placed.iter().any(|count| 0 < *count)
    }
}

/// What stays is settled: what there is to start beside it, and where.
pub(crate) struct Starting<'a, 'h> {
    pub(crate) kept: &'h [Placing<'a>],
    pub(crate) hosts: &'h [&'h HostView],
    /// Of each host, beside what stays.
    pub(crate) room: &'h [u32],
}

impl<'a> Starting<'a, '_> {
    /// Everything with its places, and what leaves.
    pub(crate) fn beside_leaving(&self) -> (Vec<Placing<'a>>, Vec<Leaving>) {
        let counts: Vec<(&ActorId, &[u32])> =
            self.kept.iter().map(|actor| (actor.id, &actor.matching.placed[..])).collect();
        let mut leaving = leaving::candidates(&counts, self.hosts);
        // With all the room that leaving could give: what has no place even so waits for nothing.
        let movers = leaving.iter().map(|left| left.actor).collect();
        let at_best = self.beside(&mut Vec::new(), &movers);
        leaving.retain(|left| at_best[left.actor].has_place());
        // What leaves gets its new place before anything gets one that only grows into what is left.
        let mut first = BTreeSet::new();
        loop {
            let before = leaving.len();
            let placing = self.beside(&mut leaving, &first);
            leaving.retain(|left| {
                let actor = &placing[left.actor];
                let placed = &actor.matching.placed;
                !actor.has_place()
                    || (placed[left.host] == 0 && leaving::waits(actor.id, placed, self.hosts))
            });
            if leaving.len() < before {
                continue;
            }
            let homeless = homeless(&leaving, &placing);
            if homeless.iter().any(|actor| !first.contains(actor)) {
                first.extend(homeless);
                continue;
            }
            let stuck = self.stuck(&leaving, homeless, &first);
            if stuck.is_empty() {
                return (placing, leaving);
            }
            if self.spare(&mut leaving, &stuck) || self.shrink(&mut leaving, &stuck) {
                continue;
            }
            let wanted: BTreeSet<usize> =
                stuck.iter().flat_map(|actor| self.startable(*actor)).collect();
            leaving.retain(|left| !stuck.contains(&left.actor) || !wanted.contains(&left.host));
            if leaving.len() == before {
                leaving.retain(|left| !stuck.contains(&left.actor));
            }
        }
    }

    /// Starts all that is missing in the room beside `leaving`, `first` before the others.
    fn beside(&self, leaving: &mut Vec<Leaving>, first: &BTreeSet<usize>) -> Vec<Placing<'a>> {
        let mut room = self.room.to_vec();
        leaving::take_room(leaving, &mut room);
        let mut placing = self.kept.to_vec();
        let mut order: Vec<usize> = (0..placing.len()).collect();
        order.sort_by_key(|actor| !first.contains(actor));
        for actor in order {
            self.start(&mut placing[actor], &mut room);
        }
        placing
    }

    fn start(&self, actor: &mut Placing<'_>, room: &mut [u32]) {
        let mut usable: Vec<u32> = self
            .hosts
            .iter()
            .zip(&*room)
            .map(|(host, room)| if host.may_start() { *room } else { 0 })
            .collect();
        let before = usable.clone();
        // Few of the same actor goes before much room: two instances on two hosts survive one.
        actor.matching.fill(&mut usable, |_, placed, room| (placed, Reverse(room)));
        for (index, room) in room.iter_mut().enumerate() {
            *room -= before[index] - usable[index];
        }
    }

    /// Which of the `homeless` find no place when all who have one, and all who then find one, have
    /// left.
    fn stuck(
        &self,
        leaving: &[Leaving],
        mut homeless: BTreeSet<usize>,
        first: &BTreeSet<usize>,
    ) -> BTreeSet<usize> {
        while !homeless.is_empty() {
            let mut held: Vec<Leaving> =
                leaving.iter().filter(|left| homeless.contains(&left.actor)).cloned().collect();
            let placing = self.beside(&mut held, first);
            let before = homeless.len();
            homeless.retain(|actor| !placing[*actor].has_place());
            if homeless.len() == before {
                break;
            }
        }
        homeless
    }

    /// Where `actor` could be started, if there was room.
    fn startable(&self, actor: usize) -> impl Iterator<Item = usize> {
        let hosts = self.kept[actor].groups.iter().flat_map(|group| &group.hosts);
        hosts.copied().filter(|host| self.hosts[*host].may_start())
    }

    /// Lets one go for each of those that are stuck, of a host where that could be and of an
    /// actor that serves where else it leaves. Whether any could be spared.
    fn spare(&self, leaving: &mut Vec<Leaving>, stuck: &BTreeSet<usize>) -> bool {
        let before = leaving.len();
        for actor in stuck {
            let wanted: BTreeSet<usize> = self.startable(*actor).collect();
            let found = (0..leaving.len()).find(|index| {
                let left = &leaving[*index];
                stuck.contains(&left.actor)
                    && wanted.contains(&left.host)
                    && self.can_spare(leaving, *index)
            });
            if let Some(index) = found {
                leaving.remove(index);
            }
        }
        leaving.len() < before
    }

    /// Takes room for each of those that are stuck from one of several instances that leave a host
    /// where it could be. Whether there were any.
    fn shrink(&self, leaving: &mut [Leaving], stuck: &BTreeSet<usize>) -> bool {
        let mut found_any = false;
        for actor in stuck {
            let wanted: BTreeSet<usize> = self.startable(*actor).collect();
            let found = leaving.iter_mut().find(|left| {
                stuck.contains(&left.actor) && wanted.contains(&left.host) && 1 < left.placed.count
            });
            if let Some(left) = found {
                left.placed.count -= 1;
                found_any = true;
            }
        }
        found_any
    }

    /// Whether the actor leaves another host, too, and serves there if it is known to serve at all.
    fn can_spare(&self, leaving: &[Leaving], index: usize) -> bool {
        let spared = &leaving[index];
        let serves = |left: &Leaving| {
            let host = self.hosts[left.host];
            host.status != HostStatus::Suspect && host.ready.contains(self.kept[left.actor].id)
        };
        let is_other = |left: &&Leaving| left.actor == spared.actor && left.host != spared.host;
        let mut others = leaving.iter().filter(is_other).peekable();
        others.peek().is_some() && (!serves(spared) || others.any(serves))
    }
}

/// What leaves and has no place yet.
fn homeless(leaving: &[Leaving], placing: &[Placing<'_>]) -> BTreeSet<usize> {
    let actors = leaving.iter().map(|left| left.actor);
    actors.filter(|actor| !placing[*actor].has_place()).collect()
}
