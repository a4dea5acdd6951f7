//! The tails of `wadm.api.<L>.…`, the application API.

use std::fmt;

use wattle_types::AppName;

use super::control::Unsupported;
use super::{SubjectError, name};

/// An operation of the application API, in the words of wadm 0.21.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AppSubject {
    Put,
    Get {
        app: AppName,
    },
    /// All applications, as an object; the successor of `List`.
    GetAll,
    /// All applications, as a bare array; deprecated, and what `wash app list` uses.
    List,
    Versions {
        app: AppName,
    },
    /// The stored versions with who stored them; ours, not wadm's.
    History {
        app: AppName,
    },
    Deploy {
        app: AppName,
    },
    /// Deploy what was deployed before; ours, not wadm's.
    Rollback {
        app: AppName,
    },
    Undeploy {
        app: AppName,
    },
    Delete {
        app: AppName,
    },
    Status {
        app: AppName,
    },
    /// Well-formed and not known to this version; answered with an error.
    Other(Unsupported),
}

impl AppSubject {
    pub(super) fn read(subject: &str, tail: &str) -> Result<Self, SubjectError> {
        let tokens: Vec<&str> = tail.split('.').collect();
        let app = |raw: &str| name::<AppName>(subject, raw);
        Ok(match tokens[..] {
            ["model", "put"] => Self::Put,
            ["model", "get"] => Self::GetAll,
            ["model", "list"] => Self::List,
            ["model", "get", raw] => Self::Get { app: app(raw)? },
            ["model", "versions", raw] => Self::Versions { app: app(raw)? },
            ["model", "history", raw] => Self::History { app: app(raw)? },
            ["model", "rollback", raw] => Self::Rollback { app: app(raw)? },
            ["model", "deploy", raw] => Self::Deploy { app: app(raw)? },
            ["model", "undeploy", raw] => Self::Undeploy { app: app(raw)? },
            ["model", "del", raw] => Self::Delete { app: app(raw)? },
            ["model", "status", raw] => Self::Status { app: app(raw)? },
            _ => Self::Other(Unsupported::read(subject, tail)?),
        })
    }
}

impl fmt::Display for AppSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put => f.write_str("model.put"),
            Self::GetAll => f.write_str("model.get"),
            Self::List => f.write_str("model.list"),
            Self::Get { app } => write!(f, "model.get.{app}"),
            Self::Versions { app } => write!(f, "model.versions.{app}"),
            Self::History { app } => write!(f, "model.history.{app}"),
            Self::Rollback { app } => write!(f, "model.rollback.{app}"),
            Self::Deploy { app } => write!(f, "model.deploy.{app}"),
            Self::Undeploy { app } => write!(f, "model.undeploy.{app}"),
            Self::Delete { app } => write!(f, "model.del.{app}"),
            Self::Status { app } => write!(f, "model.status.{app}"),
            Self::Other(tail) => write!(f, "{tail}"),
        }
    }
}
