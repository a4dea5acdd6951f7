//! After the storm: everything that can be is up again and reaches everything else. Then all
//! must become as it should be, and stay so without another word.

use std::collections::BTreeMap;

use wattle_planner::{
    About, Desired, HostStatus, HostView, Observed, Placed, Wanted, What, check, plan,
};
use wattle_types::{ActorReport, ActorState, Entry, HostId, Millis};

use crate::hosts::Host;
use crate::laws::{Known, Violation, assignment};
use crate::manifests::BROKEN_IMAGE;
use crate::world::{Job, Party, Weather, World};

/// A lease to be taken over, hosts to be given up one by one, and looks every 45 s at the latest.
const CONVERGE_WITHIN_MS: u64 = 150_000;
const QUIET_MS: u64 = 30_000;

impl World {
    /// Ends the storm, and waits.
    pub(crate) fn calm_down(&mut self) -> Result<(), Violation> {
        self.weather = Weather::default();
        self.store_down_until = 0;
        self.agenda.clear_of(|job| matches!(job, Job::Storm | Job::Client));
        for index in 0..self.controllers.len() {
            self.controllers[index].paused_until = 0;
            self.heal(Party::Controller(index))?;
            self.agenda.after(1_000, Job::StartController(index));
        }
        for index in 0..self.hosts.len() {
            self.heal(Party::Host(index))?;
            self.agenda.after(1_000, Job::StartHost(index));
        }
        let end = self.now() + CONVERGE_WITHIN_MS;
        loop {
            self.run_until((self.now() / 1_000 + 1) * 1_000)?;
            self.agenda.reach((self.now() / 1_000 + 1) * 1_000);
            match self.unsettled() {
                None => break,
                Some(text) if end < self.now() => return Err(Violation::NotConverged(text)),
                Some(_) => {}
            }
        }
        self.stay()
    }

    fn stay(&mut self) -> Result<(), Violation> {
        let written = self.laws.assignments_written;
        let end = self.now() + QUIET_MS;
        self.run_until(end)?;
        self.agenda.reach(end);
        let more = self.laws.assignments_written - written;
        if 0 < more {
            return Err(Violation::Restless(format!("{more} assignments were written in calm")));
        }
        self.unsettled().map_or(Ok(()), |text| Err(Violation::NotConverged(text)))
    }

    /// What is not as it should be.
    fn unsettled(&self) -> Option<String> {
        let clock = |_: &Host| Millis(0);
        if !self.controllers.iter().any(|controller| controller.serving) {
            return Some("nobody leads and answers".to_owned());
        }
        let known = Known::read(&self.store);
        let up: Vec<&Host> = self.hosts.iter().filter(|host| host.agent.is_some()).collect();
        let mut observed = Observed::new();
        for host in &up {
            let Some(told) = assignment(&self.store, &host.id) else {
                return Some(format!("{} was told nothing", host.id));
            };
            let inventory = host.agent.as_ref()?.inventory(clock(host));
            let applied = inventory.applied.map(|applied| applied.generation);
            if applied != Some(told.generation) {
                return Some(format!("{} follows {applied:?}, not {}", host.id, told.generation));
            }
            if let Some(text) = differs(&told.entries, &inventory.actors) {
                return Some(format!("{}: {text}", host.id));
            }
            observed.insert(host.id, view(host, &told.entries));
        }
        let desired = desired(&known);
        let planned = plan(&desired, &observed);
        if let Err(broken) = check(&planned, &desired, &observed) {
            return Some(broken.to_string());
        }
        let stored: BTreeMap<HostId, BTreeMap<_, Placed>> =
            observed.iter().map(|(id, view)| (*id, view.assigned.clone())).collect();
        (planned.target != stored).then(|| format!("planned is\n{planned}stored is {stored:?}"))
    }
}

fn desired(known: &Known) -> Desired {
    let actors = known.scalers.iter().map(|(id, scaler)| {
        let what = match known.specs.get(id) {
            Some(spec) => What::Run(*spec),
            None => What::Unsupported(String::new()),
        };
        (id.clone(), Wanted { what, scaler: scaler.clone() })
    });
    Desired { actors: actors.collect(), ..Desired::default() }
}

fn view(host: &Host, entries: &[Entry]) -> HostView {
    let placed = |entry: &Entry| (entry.id.clone(), Placed { spec: entry.spec, count: entry.count });
    HostView {
        status: HostStatus::Ready,
        about: Some(About {
            name: String::new(),
            labels: host.labels.clone(),
            capacity: host.capacity,
            reserved: 0,
        }),
        assigned: entries.iter().map(placed).collect(),
        ready: Default::default(),
    }
}

/// How what runs differs from what should.
fn differs(entries: &[Entry], reports: &[ActorReport]) -> Option<String> {
    for entry in entries {
        let ours: Vec<&ActorReport> = reports.iter().filter(|report| report.id == entry.id).collect();
        let [report] = ours[..] else { return Some(format!("{} has {ours:?}", entry.id)) };
        let as_told = report.spec == entry.spec && report.count == entry.count;
        // What cannot start is tried again and again.
        let broken = report.image == BROKEN_IMAGE && report.state != ActorState::Ready;
        if !as_told || !(report.state == ActorState::Ready || broken) {
            return Some(format!("{report:?} for {entry:?}"));
        }
    }
    let told = |report: &&ActorReport| entries.iter().any(|entry| entry.id == report.id);
    reports.iter().find(|report| !told(report)).map(|report| format!("{report:?} still runs"))
}
