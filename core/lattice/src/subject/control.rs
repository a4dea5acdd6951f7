//! The tails of `<prefix>.v1.<L>.…`, the control interface of the 1.x clients.

use std::fmt;

use wattle_types::{HostId, Token};

use super::{SubjectError, name};

/// An operation of the 1.x control interface; what carries a host goes to that host only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ControlSubject {
    ComponentAuction,
    ProviderAuction,
    ComponentScale {
        host: HostId,
    },
    ComponentUpdate {
        host: HostId,
    },
    ProviderStart {
        host: HostId,
    },
    ProviderStop {
        host: HostId,
    },
    HostPing,
    HostGet {
        host: HostId,
    },
    HostStop {
        host: HostId,
    },
    LabelPut {
        host: HostId,
    },
    LabelDel {
        host: HostId,
    },
    RegistryPut,
    ClaimsGet,
    LinkGet,
    LinkPut,
    LinkDel,
    ConfigGet {
        name: Token,
    },
    ConfigPut {
        name: Token,
    },
    ConfigDel {
        name: Token,
    },
    /// Well-formed and not known to this version; answered with "unsupported subject".
    Other(Unsupported),
}

/// The tail of a subject that was received and is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unsupported(String);

impl Unsupported {
    pub(super) fn read(subject: &str, tail: &str) -> Result<Self, SubjectError> {
        tail.split('.').try_for_each(|token| name::<Token>(subject, token).map(drop))?;
        Ok(Self(tail.to_owned()))
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ControlSubject {
    pub(super) fn read(subject: &str, tail: &str) -> Result<Self, SubjectError> {
        let tokens: Vec<&str> = tail.split('.').collect();
        let host = |raw: &str| name::<HostId>(subject, raw);
        let config = |raw: &str| name::<Token>(subject, raw);
        Ok(match tokens[..] {
            ["component", "auction"] => Self::ComponentAuction,
            ["provider", "auction"] => Self::ProviderAuction,
            ["component", "scale", id] => Self::ComponentScale { host: host(id)? },
            ["component", "update", id] => Self::ComponentUpdate { host: host(id)? },
            ["provider", "start", id] => Self::ProviderStart { host: host(id)? },
            ["provider", "stop", id] => Self::ProviderStop { host: host(id)? },
            ["host", "ping"] => Self::HostPing,
            ["host", "get", id] => Self::HostGet { host: host(id)? },
            ["host", "stop", id] => Self::HostStop { host: host(id)? },
            ["label", "put", id] => Self::LabelPut { host: host(id)? },
            ["label", "del", id] => Self::LabelDel { host: host(id)? },
            ["registry", "put"] => Self::RegistryPut,
            ["claims", "get"] => Self::ClaimsGet,
            ["link", "get"] => Self::LinkGet,
            ["link", "put"] => Self::LinkPut,
            ["link", "del"] => Self::LinkDel,
            ["config", "get", key] => Self::ConfigGet { name: config(key)? },
            ["config", "put", key] => Self::ConfigPut { name: config(key)? },
            ["config", "del", key] => Self::ConfigDel { name: config(key)? },
            _ => Self::Other(Unsupported::read(subject, tail)?),
        })
    }
}

impl fmt::Display for ControlSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ComponentAuction => f.write_str("component.auction"),
            Self::ProviderAuction => f.write_str("provider.auction"),
            Self::ComponentScale { host } => write!(f, "component.scale.{host}"),
            Self::ComponentUpdate { host } => write!(f, "component.update.{host}"),
            Self::ProviderStart { host } => write!(f, "provider.start.{host}"),
            Self::ProviderStop { host } => write!(f, "provider.stop.{host}"),
            Self::HostPing => f.write_str("host.ping"),
            Self::HostGet { host } => write!(f, "host.get.{host}"),
            Self::HostStop { host } => write!(f, "host.stop.{host}"),
            Self::LabelPut { host } => write!(f, "label.put.{host}"),
            Self::LabelDel { host } => write!(f, "label.del.{host}"),
            Self::RegistryPut => f.write_str("registry.put"),
            Self::ClaimsGet => f.write_str("claims.get"),
            Self::LinkGet => f.write_str("link.get"),
            Self::LinkPut => f.write_str("link.put"),
            Self::LinkDel => f.write_str("link.del"),
            Self::ConfigGet { name } => write!(f, "config.get.{name}"),
            Self::ConfigPut { name } => write!(f, "config.put.{name}"),
            Self::ConfigDel { name } => write!(f, "config.del.{name}"),
            Self::Other(tail) => write!(f, "{tail}"),
        }
    }
}
