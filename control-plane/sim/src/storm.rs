//! The faults, one after the other, as the seed has them.

use wattle_agent::Event as ToAgent;
use wattle_brain::Event as ToBrain;
use wattle_types::Key;

use crate::controllers::Of;
use crate::hosts::{Host, Within};
use crate::laws::Violation;
use crate::store::Put;
use crate::world::{Job, Party, World};

/// More hosts than this are not made: those that burnt are replaced by new ones.
const HOSTS_MAX: usize = 20;

impl World {
    pub(crate) fn storm(&mut self) -> Result<(), Violation> {
        let after = self.rng.u64(100..3_000);
        self.agenda.after(after, Job::Storm);
        match self.rng.u8(..16) {
            0..=2 => self.storm_host(),
            3 => self.drain_a_host(),
            4..=6 => self.cut_a_link(),
            7 | 8 => self.kill_a_controller(),
            9 => self.pause_a_controller(),
            10 => self.stop_a_controller(),
            11 => {
                let ms = self.rng.u64(500..6_000);
                self.store_down_until = self.now() + ms;
                Ok(())
            }
            12 => {
                let at = self.rng.usize(..self.controllers.len());
                self.lose_place(at)
            }
            13 if self.options.lost_tail => {
                let lost = self.rng.u64(1..30);
                self.lose_tail(lost);
                Ok(())
            }
            14 => {
                self.delete_a_head();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn storm_host(&mut self) -> Result<(), Violation> {
        let at = self.rng.usize(..self.hosts.len());
        let burn = self.rng.u8(..6) == 0;
        self.crash_host(at, burn);
        let after = self.rng.u64(300..20_000);
        if burn && self.hosts.len() < HOSTS_MAX {
            // A new machine under a new identity: nothing is inherited.
            let host = Host::new(self.hosts.len(), &mut self.rng);
            self.hosts.push(host);
            self.agenda.after(after, Job::StartHost(self.hosts.len() - 1));
        } else {
            self.agenda.after(after, Job::StartHost(at));
        }
        Ok(())
    }

    fn drain_a_host(&mut self) -> Result<(), Violation> {
        let at = self.rng.usize(..self.hosts.len());
        self.tell_host(at, ToAgent::Drain)
    }

    fn cut_a_link(&mut self) -> Result<(), Violation> {
        let now = self.now();
        let (cut_out, cut_in) = [(true, true), (true, false), (false, true)][self.rng.usize(..3)];
        let ms = if self.rng.bool() { self.rng.u64(200..3_000) } else { self.rng.u64(3_000..40_000) };
        let notice = self.rng.u64(1_000..10_000);
        let party = if self.rng.u8(..3) == 0 {
            let at = self.rng.usize(..self.controllers.len());
            let life = self.controllers[at].life;
            self.agenda.after(notice, Job::Controller { at, life, of: Of::Notice });
            let link = &mut self.controllers[at].link;
            (link.cut_out, link.cut_in, link.troubled) = (cut_out, cut_in, now);
            Party::Controller(at)
        } else {
            let at = self.rng.usize(..self.hosts.len());
            self.within(at, notice, Within::Notice);
            let link = &mut self.hosts[at].link;
            (link.cut_out, link.cut_in, link.troubled) = (cut_out, cut_in, now);
            Party::Host(at)
        };
        self.agenda.after(ms, Job::Heal(party));
        Ok(())
    }

    fn kill_a_controller(&mut self) -> Result<(), Violation> {
        let at = self.rng.usize(..self.controllers.len());
        self.crash_controller(at);
        if self.rng.u8(..4) == 0 {
            // Its disk as well.
            self.controllers[at].epoch_kept = wattle_types::Epoch::ZERO;
        }
        let after = self.rng.u64(200..10_000);
        self.agenda.after(after, Job::StartController(at));
        Ok(())
    }

    fn pause_a_controller(&mut self) -> Result<(), Violation> {
        let at = self.rng.usize(..self.controllers.len());
        self.controllers[at].paused_until = self.now() + self.rng.u64(500..30_000);
        Ok(())
    }

    fn stop_a_controller(&mut self) -> Result<(), Violation> {
        let at = self.rng.usize(..self.controllers.len());
        if self.now() < self.controllers[at].paused_until {
            return Ok(());
        }
        self.tell_controller(at, ToBrain::Stop)
    }

    /// The disk had not got the last messages, and all of them are acknowledged.
    fn lose_tail(&mut self, lost: u64) {
        let keep = self.store.last_seq().saturating_sub(lost);
        self.store.lose_tail(keep);
        self.laws.tail_lost();
        self.somebody_wrote();
    }

    /// Somebody deletes the record of an application by mistake, and puts it back later.
    fn delete_a_head(&mut self) {
        let heads: Vec<(Key, Option<Vec<u8>>, u64)> = self
            .store
            .newest()
            .filter(|message| matches!(message.key, Key::App(_)))
            .map(|message| (message.key.clone(), message.bytes.clone(), message.seq))
            .collect();
        if heads.is_empty() || self.client.is_waiting() {
            return;
        }
        let (key, bytes, seq) = heads[self.rng.usize(..heads.len())].clone();
        let Some(bytes) = bytes else { return };
        let gone = Put { key: key.clone(), bytes: None, expect: seq };
        if self.store.commit(&[gone]).is_ok() {
            let after = self.rng.u64(2_000..15_000);
            self.client.rest_until(self.now() + after + 100);
            self.agenda.after(after, Job::Restore { key, bytes });
            self.somebody_wrote();
        }
    }

    pub(crate) fn restore(&mut self, key: Key, bytes: Vec<u8>) {
        let seq = self.store.get(&key).map_or(0, |message| message.seq);
        // Nobody else writes it meanwhile: the client rests.
        let put = Put { key, bytes: Some(bytes), expect: seq };
        if self.store.commit(&[put]).is_ok() {
            self.somebody_wrote();
        }
    }
}
