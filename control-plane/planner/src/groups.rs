//! Turns a scaler into groups: how many instances, and on which hosts they may be.

use wattle_types::{ActorId, Scaler, ScalerKind, SpecHash, Spread};

use crate::input::HostView;

/// So many instances, anywhere among these hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Which entry of the scaler's spread this is; none when it has none.
    pub(crate) spread: Option<usize>,
    pub(crate) need: u32,
    /// Indices of hosts, ascending.
    pub(crate) hosts: Vec<usize>,
}

pub(crate) fn groups(
    id: &ActorId,
    spec: SpecHash,
    scaler: &Scaler,
    hosts: &[&HostView],
) -> Vec<Group> {
    match scaler.kind {
        ScalerKind::Spread => spread_groups(id, spec, scaler, hosts),
        ScalerKind::Daemon => daemon_groups(id, spec, scaler, hosts),
    }
}

fn spread_groups(id: &ActorId, spec: SpecHash, scaler: &Scaler, hosts: &[&HostView]) -> Vec<Group> {
    let among = |fits: &dyn Fn(&HostView) -> bool| {
        (0..hosts.len()).filter(|&index| hosts[index].keeps(id) && fits(hosts[index])).collect()
    };
    if scaler.spread.is_empty() {
        return vec![Group { spread: None, need: scaler.instances, hosts: among(&|_| true) }];
    }
    let counts = shares(scaler.instances, &scaler.spread);
    let entries = scaler.spread.iter().zip(counts).enumerate();
    entries
        .map(|(index, (entry, need))| Group {
            spread: Some(index),
            need,
            hosts: among(&|host| host.suits(id, spec, &entry.requirements)),
        })
        .collect()
}

/// A group of its own for every host that any entry matches; several entries do not add up.
fn daemon_groups(id: &ActorId, spec: SpecHash, scaler: &Scaler, hosts: &[&HostView]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let fits = |spread: &Spread| host.suits(id, spec, &spread.requirements);
        let first = scaler.spread.iter().position(fits);
        if !host.keeps(id) || (first.is_none() && !scaler.spread.is_empty()) {
            continue;
        }
        let need = match host.about {
            Some(_) if !host.awaits(id) => scaler.instances,
            // Nothing is added there.
            _ => scaler.instances.min(host.assigned_count(id)),
        };
        groups.push(Group { spread: first, need, hosts: vec![index] });
    }
    groups
}

/// Splits `instances` by weight: largest remainder, the earlier entry wins a tie. Weights that
/// are all zero count as equal.
fn shares(instances: u32, spread: &[Spread]) -> Vec<u32> {
    let weights: Vec<u64> = if spread.iter().all(|entry| entry.weight == 0) {
        vec![1; spread.len()]
    } else {
        spread.iter().map(|entry| u64::from(entry.weight)).collect()
    };
    let sum: u64 = weights.iter().sum();
    // Both factors are below 2^32, so the product fits.
    let quota = |weight: &u64| u64::from(instances) * weight;
    let mut counts: Vec<u64> = weights.iter().map(|weight| quota(weight) / sum).collect();
    let given: u64 = counts.iter().sum();
    let left = usize::try_from(u64::from(instances) - given).expect("fewer are left than entries");
    let mut by_remainder: Vec<usize> = (0..spread.len()).collect();
    by_remainder.sort_by_key(|&index| (std::cmp::Reverse(quota(&weights[index]) % sum), index));
    for &index in by_remainder.iter().take(left) {
        counts[index] += 1;
    }
    let narrow = |count: u64| u32::try_from(count).expect("a share is at most the whole");
    counts.into_iter().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use wattle_types::Labels;

    use super::*;

    fn spread(weights: &[u32]) -> Vec<Spread> {
        let entry = |&weight| Spread { name: String::new(), requirements: Labels::new(), weight };
        weights.iter().map(entry).collect()
    }

    #[test]
    fn instances_are_split_by_largest_remainder() {
        let cases: [(u32, &[u32], &[u32]); 8] = [
            (10, &[80, 20], &[8, 2]),
            (3, &[100, 100], &[2, 1]),
            (1, &[1, 1, 1], &[1, 0, 0]),
            (1, &[33, 67], &[0, 1]),
            (7, &[50, 30, 20], &[4, 2, 1]),
            (5, &[0, 0], &[3, 2]),
            (5, &[100, 0], &[5, 0]),
            (u32::MAX, &[u32::MAX, u32::MAX], &[1 << 31, (1 << 31) - 1]),
        ];
        for (instances, weights, counts) in cases {
            assert_eq!(shares(instances, &spread(weights)), counts, "{instances} by {weights:?}");
        }
    }
}
