//! What an actor says: `wasi:logging`, and what it writes to its standard output and error.

use wattle_types::ActorId;

/// How much a line matters, in the words of `wasi:logging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `wasi:logging/logging.log`.
    Logging,
    Stdout,
    Stderr,
}

/// One line, already bounded in length and free of control characters.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    pub actor: &'a ActorId,
    pub source: Source,
    pub level: Level,
    /// What the guest calls the place the line comes from; empty where there is none.
    pub context: &'a str,
    pub message: &'a str,
}

/// Takes what actors say.
///
/// Called on the thread that runs the guest, at any rate the engine's limits allow: an
/// implementation must neither block nor wait, and drops what it has no room for.
pub trait Log: Send + Sync {
    fn line(&self, line: LogLine<'_>);
}

/// Hands lines to `tracing`, with the target `wattle::actor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToTracing;

/// The target of an actor's lines, by which a filter can tell them from the host's own.
macro_rules! emit {
    ($level:ident, $line:expr) => {
        tracing::$level!(
            target: "wattle::actor",
            actor = %$line.actor,
            context = $line.context,
            source = ?$line.source,
            "{}",
            $line.message
        )
    };
}

impl Log for ToTracing {
    fn line(&self, line: LogLine<'_>) {
        match line.level {
            Level::Trace => emit!(trace, line),
            Level::Debug => emit!(debug, line),
            Level::Info => emit!(info, line),
            Level::Warn => emit!(warn, line),
            Level::Error | Level::Critical => emit!(error, line),
        }
    }
}
