//! Links in the words of the 1.x clients, and back. Pure.

use std::fmt::Display;

use wattle_lattice::ctl::{Link, LinkKey};
use wattle_types::{ActorId, ConfigName, Key, LinkName, LinkRecord, LinkTarget, Owner, Token};

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {raw:?}: {why}")]
pub(super) struct WrongField {
    field: &'static str,
    raw: String,
    why: String,
}

/// The record that a person asks for; others may be stored under its key too.
pub(super) fn record(link: &Link) -> Result<LinkRecord, WrongField> {
    let interfaces = link.interfaces.iter().map(|raw| field("interfaces", raw));
    let target = LinkTarget {
        target: field("target", &link.target)?,
        interfaces: interfaces.collect::<Result<_, _>>()?,
        idempotent: link.idempotent,
        source_config: configs("source_config", &link.source_config)?,
        target_config: configs("target_config", &link.target_config)?,
    };
    let source: ActorId = field("source_id", &link.source_id)?;
    let namespace: Token = field("wit_namespace", &link.wit_namespace)?;
    let package: Token = field("wit_package", &link.wit_package)?;
    let name: LinkName = field("name", &link.name)?;
    Ok(LinkRecord::new(source, namespace, package, name, target, Owner::Manual))
}

pub(super) fn key(key: &LinkKey) -> Result<Key, WrongField> {
    Ok(Key::Link {
        source: field("source_id", &key.source_id)?,
        namespace: field("wit_namespace", &key.wit_namespace)?,
        package: field("wit_package", &key.wit_package)?,
        name: field("name", &key.name)?,
    })
}

/// As the clients list them: one for each target.
pub(super) fn links(record: &LinkRecord) -> impl Iterator<Item = Link> {
    let names = |configs: &[ConfigName]| configs.iter().map(ToString::to_string).collect();
    record.targets.iter().map(move |target| Link {
        source_id: record.source.to_string(),
        target: target.target.to_string(),
        name: record.name.to_string(),
        wit_namespace: record.namespace.to_string(),
        wit_package: record.package.to_string(),
        interfaces: target.interfaces.iter().map(ToString::to_string).collect(),
        source_config: names(&target.source_config),
        target_config: names(&target.target_config),
        idempotent: target.idempotent,
        replace: false,
    })
}

fn configs(name: &'static str, raw: &[String]) -> Result<Vec<ConfigName>, WrongField> {
    raw.iter().map(|raw| field(name, raw)).collect()
}

fn field<T: std::str::FromStr<Err: Display>>(
    field: &'static str,
    raw: &str,
) -> Result<T, WrongField> {
    raw.parse().map_err(|why: T::Err| WrongField {
        field,
        raw: raw.to_owned(),
        why: why.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            source_id: "web".to_owned(),
            target: "billing".to_owned(),
            name: "default".to_owned(),
            wit_namespace: "acme".to_owned(),
            wit_package: "billing".to_owned(),
            interfaces: vec!["invoices".to_owned(), "tax".to_owned()],
            source_config: vec!["a".to_owned()],
            target_config: vec!["b".to_owned()],
            idempotent: true,
            replace: false,
        }
    }

    #[test]
    fn a_link_survives_being_stored() {
        let record = record(&link()).unwrap();
        assert_eq!(record.key().to_string(), "link.web.acme.billing.default");
        assert_eq!(links(&record).collect::<Vec<_>>(), [link()]);
    }

    #[test]
    fn what_could_break_a_key_is_refused_by_its_name() {
        type Change = fn(&mut Link);
        let cases: [(Change, &str); 5] = [
            (|link| link.source_id = "a.b".to_owned(), "source_id \"a.b\""),
            (|link| link.target = String::new(), "target \"\""),
            (|link| link.wit_package = "x/y".to_owned(), "wit_package \"x/y\""),
            (|link| link.interfaces = vec!["*".to_owned()], "interfaces \"*\""),
            (|link| link.source_config = vec!["a b".to_owned()], "source_config \"a b\""),
        ];
        for (change, expected) in cases {
            let mut link = link();
            change(&mut link);
            let error = record(&link).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
