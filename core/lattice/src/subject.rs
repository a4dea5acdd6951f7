//! Every subject of the protocol, written and read in one place.
//!
//! A *subject* is where a message goes and has no wildcard; a [`Pattern`] is what one listens to
//! and knows its queue group. Neither holds the lattice: a connection is to one lattice, whose
//! [`Names`] write and read them, so a message cannot reach another lattice by mistake.
//!
//! Names enter as checked types (`wattle_types::name`), so nothing here can build a subject with
//! a wildcard, a space or a line break in it.

mod app;
mod control;
pub(crate) mod hosts;
mod pattern;
mod reply;

use std::fmt;
use std::str::FromStr;

use wattle_types::{ActorId, AppName, ConfigName, HostId, LatticeId, Token, TokenError};

pub use app::AppSubject;
pub use control::ControlSubject;
pub use pattern::{CALL_GROUP, Pattern};
pub use reply::ReplyTo;

use crate::event::EventName;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `wattle.<L>.call.<host>.<actor>`: a call to the host the caller chose.
    Call { host: HostId, actor: ActorId },
    /// `wattle.<L>.any.<actor>`: a call by one who has no table; any host may forward it once.
    Any { actor: ActorId },
    /// `wattle.<L>.rep.<who>.<session>.<number>`: the answer to one request.
    Reply { who: Token, session: Token, number: u64 },
    /// `wattle.<L>.rep.<who>.<session>.<number>.s`: a frame of the call which that caller numbered
    /// so; `who` is whoever is to hear it, the caller or the callee.
    Frame { who: Token, session: Token, number: u64 },
    /// `wattle.<L>.serve.<host>`: what that host began or ceased to serve.
    Serve { host: HostId },
    /// `wattle.<L>.ask.serve`: everyone is asked for a full `serve` message.
    AskServe,
    /// `wattle.<L>.ask.spy`: everyone is asked to tell of an actor's calls for a while.
    AskSpy,
    /// `wattle.<L>.spy.<actor>`: a call by or to that actor was made.
    Spied { actor: ActorId },
    /// `wattle.<L>.link.<source>`: the links of that actor changed.
    Relink { source: ActorId },
    /// `wattle.<L>.config.<name>`: that configuration changed.
    ConfigChanged { name: ConfigName },
    /// `wattle.<L>.beat.<host>`: that host lives.
    Beat { host: HostId },
    /// `wattle.<L>.wake.<host>`: that host should read its assignment.
    Wake { host: HostId },
    /// `wattle.<L>.host.<host>.<op>`: something asked of that host.
    Host { host: HostId, op: HostOp },
    /// `wattle.<L>.leader`: the leader says its epoch, signed.
    Leader,
    /// `wattle.<L>.ask.controllers`: every controller is asked how it is.
    AskControllers,
    /// `wattle.<L>.controller.<name>.<op>`: something asked of that controller.
    Controller { name: Token, op: ControllerOp },
    /// `<prefix>.v1.<L>.…`: the control interface of the 1.x clients.
    Control(ControlSubject),
    /// `wasmbus.evt.<L>.<name>`: a CloudEvent.
    Event(EventName),
    /// `wadm.api.<L>.model.…`: the application API.
    App(AppSubject),
    /// `wadm.status.<L>.<app>`: an application's status changed.
    AppStatus { app: AppName },
}

/// What one can ask of a host on `wattle.<L>.host.<host>.<op>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostOp {
    /// Is anybody there? Any answer will do.
    Probe,
    /// Everything it runs, as a `wattle_types::Inventory`.
    Inventory,
    /// Take nothing new and finish what is in flight.
    Drain,
    /// Recent log lines of an actor.
    Logs,
    /// What an actor may and does there: a `wattle_types::LimitsRequest` and `LimitsReport`.
    Limits,
}

impl HostOp {
    pub const ALL: [Self; 5] =
        [Self::Probe, Self::Inventory, Self::Drain, Self::Logs, Self::Limits];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Inventory => "inventory",
            Self::Drain => "drain",
            Self::Logs => "logs",
            Self::Limits => "limits",
        }
    }
}

/// What one can ask of a controller on `wattle.<L>.controller.<name>.<op>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControllerOp {
    /// A request of the application API, by name: whoever hangs has its share of the others.
    App,
    /// Let another lead.
    StepDown,
    /// A page of what it keeps on its disk: a `wattle_types::ExportRequest` and `ExportPage`.
    Export,
    /// Take a host out of the lattice: a `wattle_types::ForgetRequest`.
    ForgetHost,
    /// Write back what the store has lost: a `wattle_types::RestoreRequest` and `RestoreAnswer`.
    Restore,
}

impl ControllerOp {
    pub const ALL: [Self; 5] =
        [Self::App, Self::StepDown, Self::ForgetHost, Self::Export, Self::Restore];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::StepDown => "step-down",
            Self::ForgetHost => "forget-host",
            Self::Export => "export",
            Self::Restore => "restore",
        }
    }
}

/// Why a text is not a subject of this lattice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("{0:?} is not a subject of this lattice")]
    Unknown(String),
    #[error("{subject:?} holds the malformed name {name:?}")]
    Name { subject: String, name: String },
}

/// The prefix of the control interface, `wasmbus.ctl` unless configured: tokens joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(String);

impl Prefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("wasmbus.ctl".to_owned())
    }
}

impl FromStr for Prefix {
    type Err = TokenError;

    fn from_str(raw: &str) -> Result<Self, TokenError> {
        raw.split('.').try_for_each(|token| token.parse::<Token>().map(drop))?;
        Ok(Self(raw.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How one lattice writes its subjects, and reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    lattice: LatticeId,
    control: Prefix,
}

impl Names {
    pub fn new(lattice: LatticeId) -> Self {
        Self { lattice, control: Prefix::default() }
    }

    #[must_use]
    pub fn with_control_prefix(self, control: Prefix) -> Self {
        Self { control, ..self }
    }

    pub fn lattice(&self) -> &LatticeId {
        &self.lattice
    }

    pub fn control_prefix(&self) -> &Prefix {
        &self.control
    }

    /// The text of `subject` in this lattice.
    pub fn subject(&self, subject: &Subject) -> String {
        let lattice = &self.lattice;
        match subject {
            Subject::Call { host, actor } => {
                let (lattice, actor) = (lattice.as_str(), actor.as_str());
                let mut text = String::with_capacity(lattice.len() + 56 + actor.len() + 14);
                text.extend(["wattle.", lattice, ".call."]);
                hosts::write(host, &mut text);
                text.extend([".", actor]);
                text
            }
            Subject::Any { actor } => format!("wattle.{lattice}.any.{actor}"),
            Subject::Reply { who, session, number } => {
                format!("wattle.{lattice}.rep.{who}.{session}.{number}")
            }
            Subject::Frame { who, session, number } => {
                format!("wattle.{lattice}.rep.{who}.{session}.{number}.s")
            }
            Subject::Serve { host } => format!("wattle.{lattice}.serve.{host}"),
            Subject::AskServe => format!("wattle.{lattice}.ask.serve"),
            Subject::AskSpy => format!("wattle.{lattice}.ask.spy"),
            Subject::Spied { actor } => format!("wattle.{lattice}.spy.{actor}"),
            Subject::Relink { source } => format!("wattle.{lattice}.link.{source}"),
            Subject::ConfigChanged { name } => format!("wattle.{lattice}.config.{name}"),
            Subject::Beat { host } => format!("wattle.{lattice}.beat.{host}"),
            Subject::Wake { host } => format!("wattle.{lattice}.wake.{host}"),
            Subject::Host { host, op } => format!("wattle.{lattice}.host.{host}.{}", op.as_str()),
            Subject::Leader => format!("wattle.{lattice}.leader"),
            Subject::AskControllers => format!("wattle.{lattice}.ask.controllers"),
            Subject::Controller { name, op } => {
                format!("wattle.{lattice}.controller.{name}.{}", op.as_str())
            }
            Subject::Control(control) => format!("{}.v1.{lattice}.{control}", self.control),
            Subject::Event(name) => format!("wasmbus.evt.{lattice}.{name}"),
            Subject::App(app) => format!("wadm.api.{lattice}.{app}"),
            Subject::AppStatus { app } => format!("wadm.status.{lattice}.{app}"),
        }
    }

    /// Reads what [`Names::subject`] writes, and nothing else.
    pub fn read(&self, raw: &str) -> Result<Subject, SubjectError> {
        let unknown = || SubjectError::Unknown(raw.to_owned());
        if let Some(tail) = self.tail_of(raw, "wattle") {
            return self.read_own(raw, tail);
        }
        if let Some(tail) = self.tail_of(raw, "wasmbus.evt") {
            return tail.parse().map(Subject::Event).map_err(|_| unknown());
        }
        if let Some(tail) = self.tail_of(raw, "wadm.api") {
            return AppSubject::read(raw, tail).map(Subject::App);
        }
        if let Some(tail) = self.tail_of(raw, "wadm.status") {
            return Ok(Subject::AppStatus { app: name(raw, tail)? });
        }
        let control = self.tail_of(raw, &format!("{}.v1", self.control)).ok_or_else(unknown)?;
        ControlSubject::read(raw, control).map(Subject::Control)
    }

    fn read_own(&self, raw: &str, tail: &str) -> Result<Subject, SubjectError> {
        let unknown = || SubjectError::Unknown(raw.to_owned());
        // Nothing of ours has more tokens; one more than that, so that it is noticed.
        let mut tokens = [""; 6];
        let mut count = 0;
        for (place, token) in tokens.iter_mut().zip(tail.split('.')) {
            *place = token;
            count += 1;
        }
        Ok(match tokens[..count] {
            ["call", host, actor] => {
                let malformed =
                    || SubjectError::Name { subject: raw.to_owned(), name: host.to_owned() };
                let host = hosts::read(host).ok_or_else(malformed)?;
                Subject::Call { host, actor: name(raw, actor)? }
            }
            ["any", actor] => Subject::Any { actor: name(raw, actor)? },
            ["rep", who, session, number] => Subject::Reply {
                who: name(raw, who)?,
                session: name(raw, session)?,
                number: canonical(number).ok_or_else(unknown)?,
            },
            ["rep", who, session, number, "s"] => Subject::Frame {
                who: name(raw, who)?,
                session: name(raw, session)?,
                number: canonical(number).ok_or_else(unknown)?,
            },
            ["serve", host] => Subject::Serve { host: name(raw, host)? },
            ["ask", "serve"] => Subject::AskServe,
            ["ask", "spy"] => Subject::AskSpy,
            ["spy", actor] => Subject::Spied { actor: name(raw, actor)? },
            ["link", source] => Subject::Relink { source: name(raw, source)? },
            ["config", config] => Subject::ConfigChanged { name: name(raw, config)? },
            ["beat", host] => Subject::Beat { host: name(raw, host)? },
            ["wake", host] => Subject::Wake { host: name(raw, host)? },
            ["host", host, op] => {
                let op = HostOp::ALL.into_iter().find(|known| known.as_str() == op);
                Subject::Host { host: name(raw, host)?, op: op.ok_or_else(unknown)? }
            }
            ["leader"] => Subject::Leader,
            ["ask", "controllers"] => Subject::AskControllers,
            ["controller", controller, op] => {
                let op = ControllerOp::ALL.into_iter().find(|known| known.as_str() == op);
                Subject::Controller { name: name(raw, controller)?, op: op.ok_or_else(unknown)? }
            }
            _ => return Err(unknown()),
        })
    }

    /// What follows `<prefix>.<lattice>.`, if `raw` begins so.
    fn tail_of<'a>(&self, raw: &'a str, prefix: &str) -> Option<&'a str> {
        let tail = raw.strip_prefix(prefix)?.strip_prefix('.')?;
        tail.strip_prefix(self.lattice.as_str())?.strip_prefix('.')
    }
}

/// A name inside a subject, or which one is malformed.
fn name<T: FromStr>(subject: &str, raw: &str) -> Result<T, SubjectError> {
    raw.parse()
        .map_err(|_| SubjectError::Name { subject: subject.to_owned(), name: raw.to_owned() })
}

/// Whether a text is one token of a subject.
pub(crate) fn is_token(raw: &str) -> bool {
    Token::check(raw).is_ok()
}

/// A number with one spelling only: `7`, not `07` or `+7`.
fn canonical(raw: &str) -> Option<u64> {
    raw.parse::<u64>().ok().filter(|number| number.to_string() == raw)
}

#[cfg(test)]
mod tests;
