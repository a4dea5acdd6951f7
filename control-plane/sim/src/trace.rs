//! What happened: a hash of all of it, and the last of it for people.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};

use wattle_agent as agent;
use wattle_brain as brain;
use wattle_types::{Assignment, Lease, stored};

const RECENT_MAX: usize = 120;
const LINE_CHARS_MAX: usize = 300;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: Fnv,
    steps: u64,
    recent: VecDeque<(u64, Line)>,
}

#[derive(Debug)]
enum Line {
    Brain(usize, brain::Event, Vec<brain::Effect>),
    Agent(usize, agent::Event, Vec<agent::Effect>),
    Note(String),
}

impl Trace {
    pub(crate) fn brain(
        &mut self,
        now: u64,
        index: usize,
        event: brain::Event,
        effects: &[brain::Effect],
    ) {
        self.count(now, index, &event, effects.iter().map(std::mem::discriminant));
        let is_routine = matches!(event, brain::Event::Tick { .. } | brain::Event::Beat(_));
        let matters = |effect: &brain::Effect| !matches!(effect, brain::Effect::Announce { .. });
        if !is_routine || effects.iter().any(matters) {
            self.remember(now, Line::Brain(index, event, effects.to_vec()));
        }
    }

    pub(crate) fn agent(
        &mut self,
        now: u64,
        index: usize,
        event: agent::Event,
        effects: &[agent::Effect],
    ) {
        self.count(now, index, &event, effects.iter().map(std::mem::discriminant));
        let is_routine = matches!(event, agent::Event::BeatDue { .. } | agent::Event::Tick);
        if !effects.is_empty() && !is_routine {
            self.remember(now, Line::Agent(index, event, effects.to_vec()));
        }
    }

    pub(crate) fn note(&mut self, now: u64, text: String) {
        (now, &text).hash(&mut self.hash);
        self.remember(now, Line::Note(text));
    }

    /// Something that must be the same in every run of a seed.
    pub(crate) fn mix(&mut self, value: impl Hash) {
        value.hash(&mut self.hash);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn recent(&self) -> Vec<String> {
        self.recent.iter().map(|(at, line)| format!("{at:>7} {line}")).collect()
    }

    /// What kind of event had what kinds of effects, and when: cheap, and any difference in
    /// content soon makes one in kind or time.
    fn count<E>(
        &mut self,
        now: u64,
        index: usize,
        event: &E,
        effects: impl Iterator<Item = impl Hash>,
    ) {
        self.steps += 1;
        (now, index, std::mem::discriminant(event)).hash(&mut self.hash);
        for effect in effects {
            effect.hash(&mut self.hash);
        }
    }

    fn remember(&mut self, now: u64, line: Line) {
        if RECENT_MAX <= self.recent.len() {
            self.recent.pop_front();
        }
        self.recent.push_back((now, line));
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brain(index, event, effects) => {
                write!(f, "controller {index}: {}", brain_event(event))?;
                effects
                    .iter()
                    .try_for_each(|effect| write!(f, "\n{:>10}=> {}", "", brain_effect(effect)))
            }
            Self::Agent(index, event, effects) => {
                write!(f, "host {index}: {}", agent_event(event))?;
                effects
                    .iter()
                    .try_for_each(|effect| write!(f, "\n{:>10}=> {}", "", agent_effect(effect)))
            }
            Self::Note(text) => f.write_str(text),
        }
    }
}

fn brain_event(event: &brain::Event) -> String {
    match event {
        brain::Event::Followed { key, seq, content } => match content {
            brain::Content::Value(bytes) => {
                format!("followed {key} #{seq} ({} bytes)", bytes.len())
            }
            other => format!("followed {key} #{seq} {other:?}"),
        },
        brain::Event::LeaseRead { op, reading: brain::LeaseReading::Found { seq, bytes } } => {
            let lease = stored::decode::<Lease>("the lease", bytes);
            format!("read for {op:?} the lease #{seq} {lease:?}")
        }
        other => short(other),
    }
}

fn brain_effect(effect: &brain::Effect) -> String {
    let brain::Effect::Commit { op, writes } = effect else { return short(effect) };
    let mut text = format!("commit {op:?}:");
    for write in writes {
        let _ = match &write.payload {
            brain::Payload::Assignment(bytes) => {
                write!(text, " [{} if {:?}: {}]", write.key, write.expect, assignment(bytes))
            }
            brain::Payload::Gone => write!(text, " [no {} if {:?}]", write.key, write.expect),
            brain::Payload::Plain(_) | brain::Payload::Head(_) => {
                write!(text, " [{} if {:?}]", write.key, write.expect)
            }
        };
    }
    text
}

fn agent_event(event: &agent::Event) -> String {
    match event {
        agent::Event::Read { key, reading: agent::Reading::Value { seq, .. } } => {
            format!("read {key} #{seq}")
        }
        agent::Event::LeaderHeard { .. } => "heard the leader".to_owned(),
        other => short(other),
    }
}

fn agent_effect(effect: &agent::Effect) -> String {
    match effect {
        agent::Effect::StoreClosure(closure) => {
            format!("store closure {} epoch {}", closure.generation, closure.applied.epoch)
        }
        agent::Effect::Start { run, id, count, .. } => format!("start {run:?} {id} x{count}"),
        other => short(other),
    }
}

/// An assignment on one line.
pub(crate) fn assignment(bytes: &[u8]) -> String {
    let Ok(told) = Assignment::decode(bytes) else { return "unreadable".to_owned() };
    let mass = if told.mass { " mass" } else { "" };
    let mut text = format!("epoch {} generation {}{mass}:", told.epoch, told.generation);
    for entry in &told.entries {
        let _ = write!(text, " {}={}", entry.id, entry.count);
    }
    text
}

fn short(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// FNV-1a, the same on every machine and in every version.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
