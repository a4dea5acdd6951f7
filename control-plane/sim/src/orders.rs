//! People who start, scale, update and stop actors by hand, on any host: mostly under ids of their
//! own, sometimes under one that an application has or may come to have.

use std::collections::BTreeMap;

use fastrand::Rng;
use wattle_agent::{Answer, Command, Event, RequestId, Start};
use wattle_types::{ActorId, ActorSpec, Life};

use crate::faults::happens;
use crate::network::Process;
use crate::world::{Due, World};

/// Ids that no application has.
const OWN_IDS: u8 = 3;
const IMAGES: u8 = 3;
/// A manager's scaler, by which it marks what it starts.
const SCALER: &str = "wasmcloud.dev/scaler";

#[derive(Debug)]
pub(crate) struct Orders {
    /// Of its own, so that a storm without orders is the same whether there could be some or not.
    pub(crate) rng: Rng,
    asked: u64,
    /// What was asked of whom, and not answered.
    open: BTreeMap<RequestId, (Process, Command)>,
}

impl Orders {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed.rotate_left(32) ^ 0x0bde);
        Self { rng, asked: 0, open: BTreeMap::new() }
    }

    /// Whether this process may still do something else about an id.
    fn is_open(&self, process: Process, id: &ActorId) -> bool {
        self.open.values().any(|(of, command)| *of == process && command.id() == id)
    }
}

fn wish(rng: &mut Rng, apps: &[wattle_types::AppName]) -> Command {
    let id = match rng.u8(..12) {
        0 => "shared".to_owned(),
        1..=3 => format!("{}-{}", apps[rng.usize(..apps.len())], rng.u8(..2)),
        _ => format!("hand-{}", rng.u8(..OWN_IDS)),
    };
    let id: ActorId = id.parse().expect("these are ids");
    let image = format!("file:///{}.wasm", rng.u8(..IMAGES));
    match rng.u8(..100) {
        0..55 => {
            let annotations = annotations(rng);
            let spec = Box::new(ActorSpec::new(id, image));
            let life = Life::of(&annotations);
            let (count, replace) = (rng.u32(..=2), rng.bool());
            Command::Start(Start { spec, count, life, annotations, replace })
        }
        55..65 => Command::Scale { id, count: rng.u32(..=3) },
        65..80 => Command::Update { id, image, annotations: None },
        _ => {
            let annotations = if rng.bool() { annotations(rng) } else { BTreeMap::new() };
            Command::Stop { id, image: None, annotations }
        }
    }
}

/// Of a manager, or of nobody.
fn annotations(rng: &mut Rng) -> BTreeMap<String, String> {
    if rng.u8(..3) != 0 {
        return BTreeMap::new();
    }
    let mut all = BTreeMap::from([(Life::MANAGED_BY.to_owned(), "wadm".to_owned())]);
    if rng.bool() {
        all.insert(SCALER.to_owned(), format!("s{}", rng.u8(..2)));
    }
    all
}

/// Whether a command is of a scaler that another has followed: it is answered, and not obeyed.
pub(crate) fn is_outdated(now: &BTreeMap<String, String>, asked: &Command) -> bool {
    let Command::Stop { annotations, .. } = asked else { return false };
    let (now, asked) = (now.get(SCALER), annotations.get(SCALER));
    now.is_some() && asked.is_some() && now != asked
}

impl World {
    /// Each half second.
    pub(crate) fn order_by_hand(&mut self) {
        let (by_hand, drop) = (self.network.hazards.by_hand, self.network.hazards.drop);
        let rng = &mut self.orders.rng;
        if !happens(rng, by_hand) {
            return;
        }
        let index = rng.usize(..self.hosts.len());
        let command = wish(rng, &self.operator.apps);
        let lost = happens(rng, drop);
        let Some(process) = self.host_process(index) else { return };
        if lost || self.network.is_cut(process.who) {
            return;
        }
        let ms = self.network.delay(&mut self.orders.rng);
        self.orders.asked += 1;
        let request = RequestId(self.orders.asked);
        self.note(format!("somebody asks host {index}: {command:?}"));
        self.law.ordered(self.hosts[index].id, command.id());
        self.orders.open.insert(request, (process, command.clone()));
        self.agenda.plan(self.now + ms, Due::Agent(process, Event::Commanded { request, command }));
    }

    /// A host answers whoever asked it.
    pub(crate) fn ordered(&mut self, process: Process, request: RequestId, answer: &Answer) {
        let crate::network::Who::Host(index) = process.who else { return };
        let Some((_, command)) = self.orders.open.remove(&request) else {
            let message = format!("host {index} answers {request:?} twice");
            return self.law.breaks(crate::properties::Property::Kept, self.now, message);
        };
        if matches!(answer, Answer::Denied(_)) {
            return;
        }
        let is_last = !self.orders.is_open(process, command.id());
        self.law.done(self.now, &self.hosts[index], &command, is_last);
    }
}
