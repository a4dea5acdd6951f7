//! People who change their minds: manifests stored, deployed, undeployed and deleted, all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;
use wattle_brain::apps::{Answer, Command};
use wattle_brain::{Event, RequestId, Seen, Stamp, Terms};
use wattle_types::{AppName, Page};

use crate::network::Who;
use crate::world::{Due, World};

const APPS: [&str; 4] = ["shop", "blog", "mail", "wiki"];
/// One application more for so many hosts,
const HOSTS_PER_APP: usize = 20;
/// and one instance more of each actor.
const HOSTS_PER_INSTANCE: usize = 25;

/// Of the interfaces that are linked.
pub(crate) const PACKAGES: [&str; 3] = ["mail", "news", "tax"];

#[derive(Debug)]
pub(crate) struct Operator {
    /// What their applications are called.
    pub(crate) apps: Vec<AppName>,
    /// So many instances of an actor at most.
    instances_max: u32,
    /// They ask for nothing more after so many.
    wishes_max: Option<u64>,
    wishes: u64,
    requests: u64,
    versions: u64,
    /// What was asked and not answered, as far as anybody knows.
    /// With how much of the store its answer must know.
    open: BTreeMap<RequestId, (Command, u64)>,
    /// How much of the store answers knew so far.
    pub(crate) seen: u64,
    known: BTreeSet<(AppName, String)>,
    /// How many exports were put back since somebody said that something is lost.
    pub(crate) restored: usize,
}

impl Operator {
    pub(crate) fn new(hosts: usize, wishes_max: Option<u64>) -> Self {
        let more = (0..hosts / HOSTS_PER_APP).map(|number| format!("app{number}"));
        let names = APPS.into_iter().map(ToOwned::to_owned).chain(more);
        let instances_max = 4 + hosts / HOSTS_PER_INSTANCE;
        Self {
            apps: names.map(|name| name.parse().expect("these are names")).collect(),
            instances_max: u32::try_from(instances_max).unwrap_or(u32::MAX),
            wishes_max,
            wishes: 0,
            requests: 0,
            versions: 0,
            open: BTreeMap::new(),
            seen: 0,
            known: BTreeSet::new(),
            restored: 0,
        }
    }

    /// The more applications there are, the more often something is asked for; half of it at once,
    /// before hosts and standbys have heard of what was asked before.
    fn pause_ms(&self, rng: &mut Rng) -> std::ops::Range<u64> {
        let times = (self.apps.len() / APPS.len()) as u64;
        match rng.u8(..2) {
            0 => 1..100,
            _ => 300 / times..3_000 / times,
        }
    }

    /// A controller answers; whether the operator hears it is another matter.
    pub(crate) fn answered(
        &mut self,
        request: RequestId,
        answer: &Answer,
        seen: Seen,
    ) -> Option<(Command, u64)> {
        let ended = self.open.remove(&request)?;
        // Whoever finds that nobody comes so far takes what was seen for void, as clients do: the
        // store was begun anew.
        let is_behind = matches!(answer, Answer::Unavailable(_)) && seen.sequence < ended.1;
        self.seen = if is_behind { 0 } else { self.seen.max(seen.sequence) };
        Some(ended)
    }

    /// What somebody asked and has no answer to.
    pub(crate) fn asked(&self, request: RequestId) -> Option<(Command, u64)> {
        self.open.get(&request).cloned()
    }

    /// A number that no request had before.
    pub(crate) fn number(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn wish(&mut self, rng: &mut Rng) -> Command {
        let name = self.apps[rng.usize(..self.apps.len())].clone();
        let versions: Vec<String> = self
            .known
            .iter()
            .filter(|(app, _)| *app == name)
            .map(|(_, version)| version.clone())
            .collect();
        let version = (!versions.is_empty() && rng.bool())
            .then(|| versions[rng.usize(..versions.len())].clone());
        match rng.u8(..100) {
            0..40 => self.put(name, rng),
            40..75 => Command::Deploy { name, version, takeover: false },
            75..83 => Command::Undeploy { name },
            83..90 => Command::Delete { name, version },
            90..92 => Command::Status { name },
            92..96 => Command::Versions { name, page: Page::default() },
            _ => Command::List { page: Page::default() },
        }
    }

    fn put(&mut self, name: AppName, rng: &mut Rng) -> Command {
        self.versions += 1;
        let version = format!("v{}", self.versions);
        let text = manifest(&name, &version, self.instances_max, rng);
        self.known.insert((name, version));
        Command::Put { text }
    }
}

/// An application of one to three components. Now and then one has an id that another
/// application wants too.
fn manifest(name: &AppName, version: &str, instances_max: u32, rng: &mut Rng) -> String {
    let mut text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {name}\n  \
         annotations: {{version: {version}}}\nspec:\n  components:\n"
    );
    let mut ids = Vec::new();
    for part in 0..rng.usize(1..=3) {
        ids.push(if rng.u8(..12) == 0 { "shared".to_owned() } else { format!("{name}-{part}") });
        if ids.ends_with(&["shared".to_owned()]) {
            break;
        }
    }
    for (part, id) in ids.iter().enumerate() {
        let image = rng.u8(..3);
        let _ = write!(
            text,
            "    - name: part{part}\n      type: component\n      properties: {{image: \
             'file:///{image}.wasm', id: {id}}}\n      traits: [{}]\n",
            traits(ids.len(), instances_max, rng)
        );
    }
    text
}

/// A scaler, and up to three links to any of the application's parts.
fn traits(parts: usize, instances_max: u32, rng: &mut Rng) -> String {
    let mut traits = vec![scaler(instances_max, rng)];
    for package in PACKAGES {
        if rng.u8(..3) != 0 {
            continue;
        }
        let target = format!("part{}", rng.usize(..parts));
        // One name, one value: it holds for the whole application.
        let config = match rng.u8(..3) {
            0 => format!(", config: [{{name: tuning0, properties: {{of: '{parts}'}}}}]"),
            1 => ", config: [{name: tuning1, properties: {of: all}}]".to_owned(),
            _ => String::new(),
        };
        traits.push(format!(
            "{{type: link, properties: {{namespace: sim, package: {package}, interfaces: [calls], \
             target: {{name: {target}{config}}}}}}}"
        ));
    }
    traits.join(", ")
}

fn scaler(instances_max: u32, rng: &mut Rng) -> String {
    let kind = if rng.u8(..4) == 0 { "daemonscaler" } else { "spreadscaler" };
    let instances = if kind == "daemonscaler" { rng.u32(1..=2) } else { rng.u32(..=instances_max) };
    let spread = match rng.u8(..6) {
        0 => "[{name: c, requirements: {zone: cloud}}]",
        1 => "[{name: e, requirements: {zone: edge}}]",
        2 => {
            "[{name: s, requirements: {disk: ssd}, weight: 70}, {name: e, requirements: {zone: edge}, weight: 30}]"
        }
        3 => "[{name: none, requirements: {zone: moon}}]",
        _ => "[]",
    };
    format!("{{type: {kind}, properties: {{instances: {instances}, spread: {spread}}}}}")
}

impl World {
    pub(crate) fn operate(&mut self) {
        if !self.storm {
            return;
        }
        self.operator.wishes += 1;
        if self.operator.wishes_max.is_some_and(|max| max < self.operator.wishes) {
            return;
        }
        let pause_ms = self.operator.pause_ms(&mut self.rng);
        self.later(pause_ms, Due::Operator);
        let mut command = self.operator.wish(&mut self.rng);
        if let Command::Deploy { takeover, .. } = &mut command {
            *takeover = 0 < self.network.hazards.by_hand && self.orders.rng.u8(..3) == 0;
        }
        // Nobody listens: the client is told so, and nothing was begun.
        let serving = self.serving();
        if !serving.is_empty() {
            let index = serving[self.rng.usize(..serving.len())];
            self.ask_controller(index, command);
        }
    }

    /// Whoever has changed something looks what is there now, and any controller may answer.
    pub(crate) fn look_at_once(&mut self) {
        let serving = self.serving();
        if self.storm && !serving.is_empty() {
            let index = serving[self.rng.usize(..serving.len())];
            self.ask_controller(index, Command::List { page: Page::default() });
        }
    }

    pub(crate) fn ask_controller(&mut self, index: usize, command: Command) {
        let Some(process) = self.controller_process(index) else { return };
        let request = self.operator.number();
        self.law.asked(&command);
        match &command {
            Command::Restore { entries, force, .. } => {
                let entries = entries.len();
                self.note(format!("controller {index} is to restore {entries}, forced: {force}"));
            }
            other => self.note(format!("somebody asks controller {index}: {other:?}")),
        }
        // Mostly it is asked by somebody who has seen something before.
        let at_least = if self.rng.u8(..8) == 0 { 0 } else { self.operator.seen };
        self.operator.open.insert(request, (command.clone(), at_least));
        if self.network.is_cut(Who::Controller(index)) {
            return;
        }
        let at =
            Stamp { unix_ms: 1_700_000_000_000 + self.now, random: self.rng.u128(..), by: None };
        let terms = Terms { at_least, ..Terms::default() };
        let ms = self.network.delay(&mut self.rng);
        let event = Event::Requested { request, command, terms, at };
        self.agenda.plan(self.now + ms, Due::Brain(process, event));
    }
}
