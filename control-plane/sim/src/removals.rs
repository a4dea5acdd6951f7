//! People who take hosts out of the lattice: lost ones, seldom one that is well; who restarts one
//! that was taken out has a new host.

use wattle_brain::apps::Command;

use crate::faults::happens;
use crate::world::{Due, World};

/// Somebody notices so late that a host does nothing any more.
const RESTART_MS: std::ops::Range<u64> = 1_000..4_000;

impl World {
    /// Each half second.
    pub(crate) fn remove_hosts(&mut self) {
        let chance = self.network.hazards.host_forgotten;
        let rng = &mut self.orders.rng;
        if !happens(rng, chance) {
            return;
        }
        let index = rng.usize(..self.hosts.len());
        let yes = rng.u8(..3) == 0;
        let host = self.hosts[index].id;
        if let Some(leader) = self.leading() {
            self.ask_controller(leader, Command::Forget { host, yes });
        }
    }

    /// The operator restarts what was forgotten and still runs, also after the storm.
    pub(crate) fn restart_forgotten(&mut self) {
        for index in 0..self.hosts.len() {
            let Some(process) = self.host_process(index) else { continue };
            if self.law.is_forgotten(&self.hosts[index].id, process.life) {
                self.note(format!("host {index} was forgotten, and is restarted"));
                self.kill_host(index, 1..1_000);
            }
        }
        let ms = self.orders.rng.u64(RESTART_MS);
        self.agenda.plan(self.now + ms, Due::Restarter);
    }
}
