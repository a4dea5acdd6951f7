//! The short notation of the tables.
//!
//! An actor is `id=count` with spreads `label=value*weight`; a host is `name status capacity
//! labels | what it is assigned`, of which `!` is ready, `?` has been leaving for too long, `~` is an
//! earlier revision, and `^` is awaited.

use wattle_types::{Digest, Labels, PublicKey, Role, Scaler, ScalerKind, Spread};

use super::*;
use crate::input::{About, Wanted};

pub(super) fn host(index: u8) -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [index; 32])).unwrap()
}

pub(super) fn apply(plan: &Plan, observed: &mut Observed) {
    for (id, target) in &plan.target {
        observed.get_mut(id).unwrap().assigned.clone_from(target);
    }
}

/// The plan with the hosts' short names.
pub(super) fn show(plan: &Plan) -> String {
    (0..10).fold(plan.to_string(), |text, index| {
        text.replace(&host(index).to_string(), &format!("h{index}"))
    })
}

pub(super) fn desired(actors: &[&str]) -> Desired {
    let mut desired = Desired::default();
    for actor in actors {
        let mut words = actor.split(' ');
        let (id, count) = words.next().unwrap().split_once('=').unwrap();
        let id: ActorId = id.parse().unwrap();
        let what = match count {
            "frozen" => {
                desired.frozen.insert(id);
                continue;
            }
            "unsupported" => What::Unsupported("not in this version".to_owned()),
            _ => What::Run(SpecHash(Digest::of(id.as_str().as_bytes()))),
        };
        let (kind, instances) = match count.strip_prefix("daemon:") {
            Some(count) => (ScalerKind::Daemon, count.parse().unwrap()),
            None => (ScalerKind::Spread, count.parse().unwrap_or(1)),
        };
        let spread = words
            .enumerate()
            .map(|(index, word)| {
                let (label, weight) = word.split_once('*').unwrap();
                let requirements = labels(label);
                let weight = weight.parse().unwrap();
                Spread { name: format!("s{index}"), requirements, weight }
            })
            .collect();
        let scaler = Scaler { kind, instances, spread };
        desired.actors.insert(id, Wanted { what, scaler });
    }
    desired
}

pub(super) fn observed(hosts: &[&str]) -> Observed {
    let mut observed = Observed::new();
    for (index, line) in hosts.iter().enumerate() {
        let (about, runs) = line.split_once('|').unwrap_or((line, ""));
        let words: Vec<&str> = about.split_whitespace().collect();
        let status = match words[1] {
            "ready" => HostStatus::Ready,
            "suspect" | "unheard" => HostStatus::Suspect,
            "draining" => HostStatus::Draining,
            _ => HostStatus::Lost,
        };
        let about = words.get(2).map(|capacity| About {
            name: words[0].to_owned(),
            labels: labels(&words[3..].join(" ")),
            capacity: capacity.parse().unwrap(),
            reserved: 0,
        });
        let (mut assigned, mut ready) = (BTreeMap::new(), BTreeSet::new());
        let (mut overdue, mut awaited) = (BTreeSet::new(), BTreeSet::new());
        for run in runs.split_whitespace() {
            let (id, count) = run.split_once('=').unwrap();
            let parsed: ActorId = id.parse().unwrap();
            if count.contains('!') {
                ready.insert(parsed.clone());
            }
            if count.contains('?') {
                overdue.insert(parsed.clone());
            }
            if count.contains('^') {
                awaited.insert(parsed.clone());
            }
            let revision = if count.contains('~') { "~" } else { "" };
            let count = count.trim_end_matches(['!', '?', '~', '^']).parse().unwrap();
            let spec = SpecHash(Digest::of(format!("{id}{revision}").as_bytes()));
            assigned.insert(parsed, Placed { spec, count });
        }
        let view = HostView { status, about, assigned, ready, overdue, awaited };
        observed.insert(host(u8::try_from(index).unwrap()), view);
    }
    observed
}

fn labels(text: &str) -> Labels {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    text.split_whitespace().map(pair).collect()
}
