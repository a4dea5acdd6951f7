//! Whom trouble strikes, and when it ends.

use crate::faults::happens;
use crate::network::{SLEEP_MS, Who};
use crate::world::{Due, World};

impl World {
    /// Each half second.
    pub(crate) fn weather(&mut self) {
        if !self.storm {
            return;
        }
        let hazards = self.network.hazards.clone();
        let host = self.rng.usize(..self.hosts.len());
        let controller = self.rng.usize(..self.controllers.len());
        if happens(&mut self.rng, hazards.host_dies) {
            self.lose_host(host);
        }
        if happens(&mut self.rng, hazards.host_pauses) {
            self.pause_host(host);
        }
        if happens(&mut self.rng, hazards.host_drains) {
            self.drain_host(host);
        }
        if happens(&mut self.rng, hazards.host_cut) {
            // Often one, sometimes many at once.
            let many = self.rng.u8(..4) == 0;
            for index in 0..self.hosts.len() {
                if index == host || (many && self.rng.bool()) {
                    self.cut(Who::Host(index));
                }
            }
        }
        if happens(&mut self.rng, hazards.controller_dies) {
            self.kill_controller(controller, 200..8_000);
        }
        if happens(&mut self.rng, hazards.controller_cut) {
            self.cut(Who::Controller(controller));
        }
        if happens(&mut self.rng, hazards.controller_pauses) {
            let until = self.now + self.rng.u64(500..SLEEP_MS);
            if let Some(run) = &mut self.controllers[controller].running {
                run.paused_until = until;
                self.note(format!("controller {controller} sleeps until {until}"));
            }
        }
        if happens(&mut self.rng, hazards.controller_leaves)
            && let Some(process) = self.controller_process(controller)
        {
            self.tell_brain(process, wattle_brain::Event::Stop);
        }
        if happens(&mut self.rng, hazards.election) {
            let until = self.now + self.rng.u64(100..7_000);
            self.elect(until);
        }
        if happens(&mut self.rng, hazards.follower_resets)
            && let Some(process) = self.controller_process(controller)
        {
            if self.rng.bool() {
                self.reset_follower(process);
            } else {
                // Messages were lost on the way: it has been deaf.
                self.tell_brain(process, wattle_brain::Event::Disconnected);
                self.tell_brain(process, wattle_brain::Event::Connected);
            }
        }
        if happens(&mut self.rng, hazards.follower_stalls)
            && let Some(run) = &mut self.controllers[controller].running
        {
            run.stalls_until = self.now + self.rng.u64(1_000..30_000);
            let until = run.stalls_until;
            self.note(format!("controller {controller} is sent nothing until {until}"));
        }
        if happens(&mut self.rng, hazards.clock_jumps) {
            let ms = self.rng.u64(100..10_000);
            let of_host = self.rng.bool();
            let who = if of_host { Who::Host(host) } else { Who::Controller(controller) };
            self.jump_clock(who, ms);
        }
        self.trouble_nodes();
        self.lose_something();
        self.order_by_hand();
        self.remove_hosts();
        self.later(500..501, Due::Weather);
    }

    /// Controllers of the version before are replaced.
    fn end_upgrade(&mut self) {
        for index in 0..self.controllers.len() {
            let process = self.controller_process(index);
            if process.is_some_and(|process| self.law.is_old(process.life)) {
                self.kill_controller(index, 1..1_000);
            }
        }
    }

    /// The process, sometimes the disk, seldom the disk under an identity that stays.
    fn lose_host(&mut self, index: usize) {
        self.kill_host(index, 300..15_000);
        if self.hosts[index].running.is_some() || self.rng.u8(..5) != 0 {
            return;
        }
        if self.rng.bool() {
            let number = self.number();
            self.host_by_id.remove(&self.hosts[index].id);
            self.hosts[index].renew(number);
            self.host_by_id.insert(self.hosts[index].id, index);
            self.law.meet(&self.hosts[index]);
        } else {
            self.hosts[index].lose_disk();
            self.law.forget(&self.hosts[index].id);
        }
        self.note(format!("host {index} has an empty disk"));
    }

    pub(crate) fn elect(&mut self, until: u64) {
        self.store.elect(until);
        self.law.counts.elections += 1;
        self.note(format!("the store has no leader until {until}"));
    }

    fn pause_host(&mut self, index: usize) {
        let until = self.now + self.rng.u64(300..9_000);
        if let Some(run) = &mut self.hosts[index].running {
            run.paused_until = until;
            self.note(format!("host {index} sleeps until {until}"));
        }
    }

    fn drain_host(&mut self, index: usize) {
        if let Some(process) = self.host_process(index) {
            self.note(format!("host {index} is told to leave"));
            self.agenda.plan(self.now, Due::Agent(process, wattle_agent::Event::Drain));
        }
    }

    fn cut(&mut self, who: Who) {
        if !self.network.cut(who, self.now) {
            return;
        }
        self.note(format!("{who:?} is cut off"));
        self.later(300..15_000, Due::Heal(who));
        if let Who::Controller(index) = who
            && let Some(process) = self.controller_process(index)
        {
            self.later(100..10_000, Due::CutNoticed(process));
        }
    }

    pub(crate) fn heal(&mut self, who: Who) {
        if !self.network.heal(who, self.now) {
            return;
        }
        self.note(format!("{who:?} is connected again"));
        self.connected_again(who);
    }

    /// Its link works again, if it is not cut for another reason.
    pub(crate) fn connected_again(&mut self, who: Who) {
        if self.network.is_cut(who) {
            return;
        }
        self.network.heals(who, self.now);
        match who {
            Who::Controller(index) => {
                if let Some(process) = self.controller_process(index) {
                    self.reconnect_controller(process);
                }
            }
            Who::Host(index) => {
                if let Some(process) = self.host_process(index) {
                    self.later(1..2_000, Due::Agent(process, wattle_agent::Event::Connected));
                }
            }
        }
    }

    fn jump_clock(&mut self, who: Who, ms: u64) {
        let clock = match who {
            Who::Controller(index) => {
                self.controllers[index].running.as_mut().map(|run| &mut run.clock)
            }
            Who::Host(index) => self.hosts[index].running.as_mut().map(|daemon| &mut daemon.clock),
        };
        if let Some(clock) = clock {
            clock.jump(ms);
            self.note(format!("the clock of {who:?} jumps by {ms} ms"));
        }
    }

    /// Trouble ends: everything is connected, and everybody comes back.
    pub(crate) fn clear_up(&mut self) {
        self.note("the storm is over");
        self.storm = false;
        self.network.hazards = crate::faults::Hazards::default();
        self.end_node_trouble();
        self.make_heads_readable();
        self.end_upgrade();
        let everybody = (0..self.hosts.len()).map(Who::Host);
        let everybody = everybody.chain((0..self.controllers.len()).map(Who::Controller));
        for who in everybody.collect::<Vec<_>>() {
            self.heal(who);
            self.later(0..2_000, Due::Boot(who));
        }
        let end = self.now;
        self.store.end_election(end);
    }
}
