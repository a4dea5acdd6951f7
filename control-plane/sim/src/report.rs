//! One run from its beginning to its end, and what came of it.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::faults::Options;
use crate::findings::Finding;
use crate::network::{AFTERMATH_MS, Who};
use crate::nodes::{NODES, Trouble};
use crate::properties::{Counts, Property, Violation};
use crate::world::{Due, World};

/// The longest pause after a start that failed is a minute, of a read half of that; then somebody
/// looks again.
const AFTER_STORM_MS: u64 = 150_000;
/// A silent host is lost after five seconds, one that beats every two seconds after nine; a
/// controller that never heard of it waits as long.
const AFTER_LOSS_MS: u64 = 30_000;
/// Everybody looks at everything once, unasked, within this time.
const STILL_MS: u64 = 12_000;
const LOOK_MS: u64 = 250;
/// An election of the stream's leader takes less, and so do hosts that connect again, and a new
/// leader that finds out which of the hosts with an assignment are there no more.
const CHANGE_MS: u64 = 15_000;
/// After everything was as it should be without it.
const CONTROLLER_BACK_MS: u64 = CHANGE_MS + AFTER_LOSS_MS + STILL_MS + 1_000;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    pub seed: u64,
    pub hosts: usize,
    pub controllers: usize,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// Events that a brain or an agent was told.
    pub steps: u64,
    /// Virtual time that passed.
    pub virtual_ms: u64,
    /// Of everything that happened: equal for equal seeds and options.
    pub hash: u64,
    pub counts: Counts,
    /// Known defects that showed.
    pub findings: BTreeSet<Finding>,
    /// How long after the storm, and the last message sent in it, everything was as it should be.
    pub settled_ms: Option<u64>,
    /// The last events, for people.
    pub recent: Vec<String>,
}

/// Simulates one seed to its end, or until a promise is broken.
pub fn run(seed: u64, options: &Options) -> Report {
    let mut world = World::new(seed, options);
    let mut settled_ms = None;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        settled_ms = live(&mut world, options);
    }));
    if let Err(panic) = ended {
        let message = said(&*panic);
        world.law.breaks(Property::NeverPanics, world.now, message);
    }
    for message in world.store.all() {
        world.trace.mix((message.seq, &message.key, &message.value));
    }
    world.trace.mix(world.law.counts);
    Report {
        seed,
        hosts: world.hosts.len(),
        controllers: world.controllers.len(),
        violation: world.law.violation().cloned(),
        steps: world.trace.steps(),
        virtual_ms: world.now,
        hash: world.trace.hash(),
        counts: world.law.counts,
        findings: world.law.findings.clone(),
        settled_ms,
        recent: if world.law.is_kept() { Vec::new() } else { world.trace.recent() },
    }
}

fn live(world: &mut World, options: &Options) -> Option<u64> {
    world.run_until(options.storm_ms);
    world.clear_up();
    // What was begun in the storm may still disturb.
    world.run_until(world.now + AFTERMATH_MS);
    let settled_ms = settle(world, AFTER_STORM_MS)?;
    if 1 < world.hosts.len() && world.law.is_kept() {
        let index = world.rng.usize(..world.hosts.len());
        world.hosts[index].kept_down = true;
        world.kill_host(index, 0..1);
        settle(world, AFTER_LOSS_MS)?;
        world.hosts[index].kept_down = false;
        world.agenda.plan(world.now, Due::Boot(Who::Host(index)));
        settle(world, AFTER_LOSS_MS)?;
    }
    if let Some(leader) = world.leading().filter(|_| 1 < world.controllers.len()) {
        world.law.may_change_leader();
        world.kill_controller(leader, CONTROLLER_BACK_MS..CONTROLLER_BACK_MS + 1);
        world.run_until(world.now + CHANGE_MS);
        settle(world, AFTER_LOSS_MS)?;
    }
    let node = world.rng.usize(..NODES);
    world.law.may_change_leader();
    world.begin_trouble(node, Trouble::IsDead);
    world.run_until(world.now + CHANGE_MS);
    settle(world, AFTER_LOSS_MS)?;
    Some(settled_ms)
}

/// Waits until everything is as it should be, and then sees whether it stays so.
fn settle(world: &mut World, within_ms: u64) -> Option<u64> {
    let begin = world.now;
    loop {
        rest(world, begin + within_ms)?;
        let settled = world.now;
        // What people were to say may be answered without them, and then what waited for that goes
        // on; or a host returns with something that only people can explain.
        if stay(world) {
            return Some(settled - begin);
        }
    }
}

fn rest(world: &mut World, until: u64) -> Option<()> {
    while let Some(reason) = world.unrest() {
        if until <= world.now {
            let lost = world.unrestored();
            let property = if lost.is_some() { Property::Kept } else { Property::Converges };
            world.law.breaks(property, world.now, lost.unwrap_or(reason));
        }
        if !world.law.is_kept() {
            return None;
        }
        world.run_until(world.now + LOOK_MS);
    }
    Some(())
}

/// Whether nothing happens for a while that should not, or the run is over; if not, there is
/// something for people to say, or not any more.
fn stay(world: &mut World) -> bool {
    let (settled, counts) = (world.now, world.law.counts);
    let was_for_people = world.is_for_people_to_say();
    while world.now < settled + STILL_MS && world.law.is_kept() {
        world.run_until(world.now + LOOK_MS);
        let is_for_people = world.is_for_people_to_say();
        if was_for_people != is_for_people || (is_for_people && world.is_restoring()) {
            return false;
        }
        if let Some(reason) = world.unrest() {
            world.law.breaks(Property::Converges, world.now, format!("not for long: {reason}"));
        }
        if counts.assignments < world.law.counts.assignments {
            world.law.breaks(Property::Rests, world.now, "something was assigned without need");
        }
        if counts.links < world.law.counts.links {
            world.law.breaks(Property::Rests, world.now, "something was linked without need");
        }
    }
    true
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, steps, virtual_ms, hash, .. } = self;
        writeln!(f, "seed {seed}: {steps} steps, {virtual_ms} ms, hash {hash:016x}")?;
        let Some(violation) = &self.violation else { return writeln!(f, "every promise was kept") };
        for line in &self.recent {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {seed}: {violation}")
    }
}
