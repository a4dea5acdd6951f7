//! One run, from the first start to the last look.

use crate::laws::Violation;
use crate::options::Options;
use crate::world::World;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub violation: Option<Violation>,
    /// Steps of machines, and stored batches.
    pub steps: u64,
    /// Of everything that happened, in order.
    pub trace_hash: u64,
    /// That the run was about something: assignments written, leaders, requests accepted.
    pub assignments: u64,
    pub leaderships: u64,
    pub acknowledged: u64,
}

/// Runs one simulation.
pub fn run(options: Options) -> Outcome {
    let mut world = World::new(options);
    let violation = story(&mut world).err();
    Outcome {
        violation,
        steps: world.trace.steps,
        trace_hash: world.trace.hash(),
        assignments: world.laws.assignments_written,
        leaderships: world.laws.leaderships,
        acknowledged: world.client.acknowledged,
    }
}

fn story(world: &mut World) -> Result<(), Violation> {
    world.run_until(world.options.storm_s * 1_000)?;
    world.calm_down()?;
    if world.options.lost_tail {
        return Ok(());
    }
    world.client.check(&world.store)
}
