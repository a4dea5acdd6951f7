//! The names of everything in a lattice's control stream.

use std::fmt;
use std::str::FromStr;

use crate::{ActorId, AppName, ConfigName, HostId, LinkName, Revision, SpecHash, Token};

/// A key of the control stream: tokens joined by dots, the first of which says what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `lease`: who may decide now.
    Lease,
    /// `id.<id>`: who owns an actor's id.
    Id(ActorId),
    /// `app.<name>`: an application's revisions and which is deployed.
    App(AppName),
    /// `manifest.<name>.<revision>`: one manifest, immutable.
    Manifest(AppName, Revision),
    /// `spec.<sha256>`: one actor's spec, immutable.
    Spec(SpecHash),
    /// `assign.<host>`: everything that host should run, signed.
    Assign(HostId),
    /// `link.<source>.<namespace>.<package>.<name>`: where calls of that actor go.
    Link { source: ActorId, namespace: Token, package: Token, name: LinkName },
    /// `config.<name>`: named configuration.
    Config(ConfigName),
    /// `canary.<controller>`: what that controller writes to see that it can.
    Canary(Token),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key of the control stream")]
pub struct KeyError(pub String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease => f.write_str("lease"),
            Self::Id(id) => write!(f, "id.{id}"),
            Self::App(app) => write!(f, "app.{app}"),
            Self::Manifest(app, revision) => write!(f, "manifest.{app}.{revision}"),
            Self::Spec(hash) => write!(f, "spec.{hash}"),
            Self::Assign(host) => write!(f, "assign.{host}"),
            Self::Link { source, namespace, package, name } => {
                write!(f, "link.{source}.{namespace}.{package}.{name}")
            }
            Self::Config(name) => write!(f, "config.{name}"),
            Self::Canary(controller) => write!(f, "canary.{controller}"),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(raw: &str) -> Result<Self, KeyError> {
        let tokens: Vec<&str> = raw.split('.').collect();
        let key = match tokens[..] {
            ["lease"] => Some(Self::Lease),
            ["id", id] => id.parse().ok().map(Self::Id),
            ["app", app] => app.parse().ok().map(Self::App),
            ["manifest", app, revision] => match (app.parse(), revision.parse()) {
                (Ok(app), Ok(revision)) => Some(Self::Manifest(app, Revision(revision))),
                _ => None,
            },
            ["spec", hash] => hash.parse().ok().map(Self::Spec),
            ["assign", host] => host.parse().ok().map(Self::Assign),
            ["link", source, namespace, package, name] => {
                match (source.parse(), namespace.parse(), package.parse(), name.parse()) {
                    (Ok(source), Ok(namespace), Ok(package), Ok(name)) => {
                        Some(Self::Link { source, namespace, package, name })
                    }
                    _ => None,
                }
            }
            ["config", name] => name.parse().ok().map(Self::Config),
            ["canary", controller] => controller.parse().ok().map(Self::Canary),
            _ => None,
        };
        // One text per key: `manifest.a.007` or a digest in upper case would be a second name.
        key.filter(|key| key.to_string() == raw).ok_or_else(|| KeyError(raw.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, PublicKey, Role};

    #[test]
    fn a_key_survives_its_text() {
        let host = HostId::try_from(PublicKey::new(Role::Server, [3; 32])).unwrap();
        let keys = [
            Key::Lease,
            Key::Id("http-counter_1".parse().unwrap()),
            Key::App("counter".parse().unwrap()),
            Key::Manifest("counter".parse().unwrap(), Revision(12)),
            Key::Spec(SpecHash(Digest::of(b"spec"))),
            Key::Assign(host),
            Key::Link {
                source: "web".parse().unwrap(),
                namespace: "acme".parse().unwrap(),
                package: "billing".parse().unwrap(),
                name: LinkName::default(),
            },
            Key::Config("web-settings".parse().unwrap()),
            Key::Canary("c1".parse().unwrap()),
        ];
        for key in keys {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_no_key_or_a_second_name_of_one_is_refused() {
        for raw in
            ["", "lease.x", "id", "id.", "id.a.b", "app.*", "manifest.a.07", "spec.AB", "x.y"]
        {
            assert_eq!(raw.parse::<Key>(), Err(KeyError(raw.to_owned())), "{raw:?}");
        }
    }
}
