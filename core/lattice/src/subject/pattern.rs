//! What one can listen to.

use wattle_types::{ActorId, HostId, Token};

use super::Names;

/// The queue group of `any.*`: of all hosts, one takes the call.
pub const CALL_GROUP: &str = "router";

/// The queue group of the application API, the same as wadm's: in a lattice with both, a request
/// still has one server.
const APP_GROUP: &str = "wadm_server";

/// What one listens to: subjects with wildcards, and the group that shares their messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// All calls to that host, whichever the actor.
    CallsTo {
        host: HostId,
    },
    /// Calls by those who have no table; shared by all hosts.
    AnyCalls,
    /// Everything said to the reply subjects of `who`.
    RepliesTo {
        who: Token,
    },
    /// All frames to `who`, whichever the call.
    FramesTo {
        who: Token,
    },
    Serves,
    AskServe,
    AskSpy,
    /// Calls by or to that actor, as hosts tell of them.
    SpiedOf {
        actor: ActorId,
    },
    /// Changes of the links of all actors.
    Relinks,
    /// Changes of all named configuration.
    ConfigChanges,
    Beats,
    /// A host hears its own beat before it joins: from another boot, it is a copied disk.
    BeatsOf {
        host: HostId,
    },
    WakesOf {
        host: HostId,
    },
    /// `wattle.<L>.host.<host>.*`
    AskedOf {
        host: HostId,
    },
    Leader,
    AskControllers,
    /// `wattle.<L>.controller.<name>.*`
    AskedOfController {
        name: Token,
    },
    /// `host.ping`, answered by every host.
    HostPings,
    /// `host.*.<host>`: get and stop.
    HostControls {
        host: HostId,
    },
    /// `component.*.<host>`
    ComponentControls {
        host: HostId,
    },
    /// `provider.*.<host>`
    ProviderControls {
        host: HostId,
    },
    /// `label.*.<host>`
    LabelControls {
        host: HostId,
    },
    ComponentAuctions,
    ProviderAuctions,
    RegistryPuts,
    /// `link.*`; one host answers.
    Links,
    /// `claims.get`; one host answers.
    Claims,
    /// `config.>`; one host answers.
    Configs,
    /// All events.
    Events,
    /// The whole application API; one server answers.
    Apps,
    /// Changes of the status of all applications.
    AppStatuses,
}

impl Pattern {
    /// Members of a group share the messages; without a group everyone gets a copy.
    pub fn queue_group(&self, names: &Names) -> Option<String> {
        let control = |noun: &str| Some(format!("{}.v1.{}.{noun}", names.control, names.lattice));
        match self {
            Self::AnyCalls => Some(CALL_GROUP.to_owned()),
            Self::Apps => Some(APP_GROUP.to_owned()),
            Self::Links => control("link"),
            Self::Claims => control("claims"),
            Self::Configs => control("config"),
            _ => None,
        }
    }
}

impl Names {
    /// The text of `pattern` in this lattice.
    pub fn pattern(&self, pattern: &Pattern) -> String {
        let lattice = &self.lattice;
        let own = |tail: &str| format!("wattle.{lattice}.{tail}");
        let control = |tail: &str| format!("{}.v1.{lattice}.{tail}", self.control);
        match pattern {
            Pattern::CallsTo { host } => own(&format!("call.{host}.*")),
            Pattern::AnyCalls => own("any.*"),
            Pattern::RepliesTo { who } => own(&format!("rep.{who}.>")),
            Pattern::FramesTo { who } => own(&format!("rep.{who}.*.*.s")),
            Pattern::Serves => own("serve.*"),
            Pattern::AskServe => own("ask.serve"),
            Pattern::AskSpy => own("ask.spy"),
            Pattern::SpiedOf { actor } => own(&format!("spy.{actor}")),
            Pattern::Relinks => own("link.*"),
            Pattern::ConfigChanges => own("config.*"),
            Pattern::Beats => own("beat.*"),
            Pattern::BeatsOf { host } => own(&format!("beat.{host}")),
            Pattern::WakesOf { host } => own(&format!("wake.{host}")),
            Pattern::AskedOf { host } => own(&format!("host.{host}.*")),
            Pattern::Leader => own("leader"),
            Pattern::AskControllers => own("ask.controllers"),
            Pattern::AskedOfController { name } => own(&format!("controller.{name}.*")),
            Pattern::HostPings => control("host.ping"),
            Pattern::HostControls { host } => control(&format!("host.*.{host}")),
            Pattern::ComponentControls { host } => control(&format!("component.*.{host}")),
            Pattern::ProviderControls { host } => control(&format!("provider.*.{host}")),
            Pattern::LabelControls { host } => control(&format!("label.*.{host}")),
            Pattern::ComponentAuctions => control("component.auction"),
            Pattern::ProviderAuctions => control("provider.auction"),
            Pattern::RegistryPuts => control("registry.put"),
            Pattern::Links => control("link.*"),
            Pattern::Claims => control("claims.get"),
            Pattern::Configs => control("config.>"),
            Pattern::Events => format!("wasmbus.evt.{lattice}.*"),
            Pattern::Apps => format!("wadm.api.{lattice}.model.>"),
            Pattern::AppStatuses => format!("wadm.status.{lattice}.*"),
        }
    }
}
