//! Gives instances to hosts, one at a time, so that as many as possible are placed.
//!
//! Spreads may overlap: a host can serve two groups. Giving each group its hosts in turn is then
//! wrong, for an instance counted for the first group may have been the only one the second
//! could count, and the next plan would move it, and the next move it back. So an instance that
//! finds no room makes others change groups (not hosts) until room appears: augmenting paths of
//! a maximum flow. What was placed stays where it is; only what it is counted for changes.

use std::collections::VecDeque;

use crate::groups::Group;

#[derive(Clone, Debug)]
pub(crate) struct Matching<'a> {
    groups: &'a [Group],
    /// Instances counted for a group on a host.
    counted: Vec<Vec<u32>>,
    /// Instances still wanted by each group.
    pub(crate) missing: Vec<u32>,
    /// Instances on each host.
    pub(crate) placed: Vec<u32>,
}

impl<'a> Matching<'a> {
    pub(crate) fn new(groups: &'a [Group], hosts: usize) -> Self {
        Self {
            groups,
            counted: vec![vec![0; hosts]; groups.len()],
            missing: groups.iter().map(|group| group.need).collect(),
            placed: vec![0; hosts],
        }
    }

    /// Places whatever is missing while there is `room`, and takes it from there. Of several
    /// hosts the one with the lowest `rank(host, placed there, room there)` gets the instance;
    /// the lower index wins a tie.
    pub(crate) fn fill<R: Ord>(&mut self, room: &mut [u32], rank: impl Fn(usize, u32, u32) -> R) {
        for group in 0..self.groups.len() {
            while 0 < self.missing[group] && self.place(group, room, &rank) {
                self.missing[group] -= 1;
            }
        }
    }

    fn place<R: Ord>(
        &mut self,
        wanting: usize,
        room: &mut [u32],
        rank: &impl Fn(usize, u32, u32) -> R,
    ) -> bool {
        // From whom a group was reached: it may give its place on that host away.
        let mut reached: Vec<Option<(usize, usize)>> = vec![None; self.groups.len()];
        let mut queue = VecDeque::from([wanting]);
        while let Some(group) = queue.pop_front() {
            let hosts = self.groups[group].hosts.iter().copied();
            let best = hosts
                .filter(|&host| 0 < room[host])
                .min_by_key(|&host| (rank(host, self.placed[host], room[host]), host));
            if let Some(host) = best {
                room[host] -= 1;
                self.placed[host] += 1;
                self.counted[group][host] += 1;
                self.hand_over(group, &reached);
                return true;
            }
            for &host in &self.groups[group].hosts {
                for (other, counted) in self.counted.iter().enumerate() {
                    let fresh = other != wanting && reached[other].is_none();
                    if fresh && 0 < counted[host] {
                        reached[other] = Some((group, host));
                        queue.push_back(other);
                    }
                }
            }
        }
        false
    }

    /// Walks back from the group that found room to the one that wanted it; each gives up the
    /// place through which it was reached.
    fn hand_over(&mut self, found: usize, reached: &[Option<(usize, usize)>]) {
        let mut giver = found;
        while let Some((taker, host)) = reached[giver] {
            self.counted[giver][host] -= 1;
            self.counted[taker][host] += 1;
            giver = taker;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(need: u32, hosts: &[usize]) -> Group {
        Group { spread: None, need, hosts: hosts.to_vec() }
    }

    #[test]
    fn a_group_without_room_takes_a_place_another_can_do_without() {
        let groups = [group(1, &[0, 1]), group(1, &[0])];
        let mut matching = Matching::new(&groups, 2);
        matching.fill(&mut [1, 1], |host, _, _| host);
        assert_eq!(matching.placed, [1, 1]);
        assert_eq!(matching.missing, [0, 0]);
    }

    #[test]
    fn a_chain_of_groups_hands_over() {
        let groups = [group(1, &[0, 1]), group(1, &[1, 2]), group(1, &[0]), group(1, &[1])];
        let mut matching = Matching::new(&groups, 3);
        matching.fill(&mut [1, 1, 1], |host, _, _| host);
        assert_eq!(matching.placed, [1, 1, 1]);
        assert_eq!(matching.missing, [0, 0, 0, 1]);
    }

    #[test]
    fn nothing_is_placed_beyond_the_room() {
        let groups = [group(9, &[0, 1])];
        let mut room = [2, 3];
        let mut matching = Matching::new(&groups, 2);
        matching.fill(&mut room, |_, placed, _| placed);
        assert_eq!((matching.placed, matching.missing, room), (vec![2, 3], vec![4], [0, 0]));
    }
}
