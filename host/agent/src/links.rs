//! Changing a link by hand: what may be stored in place of what is.
//!
//! A record belongs to whoever stored it first: what an application deployed is changed by its
//! manifest, or the next deployment would take back what a person did. Within a record an
//! interface leads to one target, so that a link somebody relies on is not turned by a second
//! one. Putting what is there already changes nothing.

use std::collections::BTreeSet;

use wattle_types::{ActorId, LinkRecord, LinkTarget, Owner, Token};

/// Why a link is not put or deleted. The display of [`LinkRefusal::OtherTarget`] begins with the
/// words of 1.x, which clients look for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefusal {
    #[error("the link names no interface; name at least one of {namespace}:{package}")]
    NoInterface { namespace: Token, package: Token },
    #[error(
        "link already exists with different target: {interface} of {source_id} leads to {existing}; \
         replace it, or use another link name"
    )]
    OtherTarget { source_id: ActorId, interface: String, existing: ActorId },
    #[error("the link belongs to {owner}; change it there")]
    Owned { owner: Owner },
}

/// The record to store so that `wanted`, which has the same key, holds beside what `existing`
/// says. Equal to `existing` if nothing has to be stored.
///
/// A target that is named again is replaced: its interfaces are those wanted now.
pub fn put(
    existing: Option<&LinkRecord>,
    wanted: LinkRecord,
    owner: &Owner,
) -> Result<LinkRecord, LinkRefusal> {
    let interfaces: BTreeSet<&Token> = wanted.targets.iter().flat_map(|t| &t.interfaces).collect();
    if interfaces.is_empty() || wanted.targets.iter().any(|t| t.interfaces.is_empty()) {
        let LinkRecord { namespace, package, .. } = wanted;
        return Err(LinkRefusal::NoInterface { namespace, package });
    }
    let Some(existing) = existing else {
        return Ok(LinkRecord { owner: owner.clone(), ..wanted });
    };
    check_owner(existing, owner)?;
    let is_named_again =
        |target: &LinkTarget| wanted.targets.iter().any(|wanted| wanted.target == target.target);
    for target in existing.targets.iter().filter(|target| !is_named_again(target)) {
        if let Some(taken) = target.interfaces.iter().find(|taken| interfaces.contains(taken)) {
            return Err(LinkRefusal::OtherTarget {
                source_id: existing.source.clone(),
                interface: existing.path(taken),
                existing: target.target.clone(),
            });
        }
    }
    let mut record = existing.clone();
    for target in wanted.targets {
        match record.targets.iter_mut().find(|known| known.target == target.target) {
            Some(known) => *known = target,
            None => record.targets.push(target),
        }
    }
    Ok(record)
}

/// As [`put`], but an interface that leads to another target is taken from that one. It is one
/// write, so no call finds that there is no link.
pub fn replace(
    existing: Option<&LinkRecord>,
    wanted: LinkRecord,
    owner: &Owner,
) -> Result<LinkRecord, LinkRefusal> {
    let interfaces: BTreeSet<&Token> = wanted.targets.iter().flat_map(|t| &t.interfaces).collect();
    let freed = existing.map(|existing| {
        let mut freed = existing.clone();
        for target in &mut freed.targets {
            let stays = wanted.targets.iter().any(|wanted| wanted.target == target.target);
            target.interfaces.retain(|interface| stays || !interfaces.contains(interface));
        }
        freed.targets.retain(|target| !target.interfaces.is_empty());
        freed
    });
    put(freed.as_ref(), wanted, owner)
}

/// Whether a record has to be deleted so that there is none. One that is not there is deleted
/// already.
pub fn delete(existing: Option<&LinkRecord>, owner: &Owner) -> Result<bool, LinkRefusal> {
    existing.map_or(Ok(()), |existing| check_owner(existing, owner))?;
    Ok(existing.is_some())
}

fn check_owner(existing: &LinkRecord, owner: &Owner) -> Result<(), LinkRefusal> {
    if existing.owner == *owner {
        return Ok(());
    }
    Err(LinkRefusal::Owned { owner: existing.owner.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_types::LinkName;

    fn target(id: &str, interfaces: &[&str]) -> LinkTarget {
        LinkTarget {
            target: id.parse().unwrap(),
            interfaces: interfaces.iter().map(|name| name.parse().unwrap()).collect(),
            idempotent: false,
            source_config: Vec::new(),
            target_config: Vec::new(),
        }
    }

    fn record(targets: &[(&str, &[&str])]) -> LinkRecord {
        let [namespace, package] = ["acme", "billing"].map(|word| word.parse().unwrap());
        let (source, name, owner) = ("web".parse().unwrap(), LinkName::default(), Owner::Manual);
        let nowhere = target("nowhere", &[]);
        let targets = targets.iter().map(|(id, interfaces)| target(id, interfaces)).collect();
        let record = LinkRecord::new(source, namespace, package, name, nowhere, owner);
        LinkRecord { targets, ..record }
    }

    fn shop() -> Owner {
        Owner::App("shop".parse().unwrap())
    }

    #[test]
    fn a_link_is_put_beside_what_is_there_and_never_in_its_way() {
        type Targets = &'static [(&'static str, &'static [&'static str])];
        let cases: [(&str, Targets, Targets, Result<Targets, &str>); 7] = [
            ("the first", &[], &[("a", &["tax"])], Ok(&[("a", &["tax"])])),
            ("the same", &[("a", &["tax"])], &[("a", &["tax"])], Ok(&[("a", &["tax"])])),
            (
                "another interface to another target",
                &[("a", &["tax"])],
                &[("b", &["invoices"])],
                Ok(&[("a", &["tax"]), ("b", &["invoices"])]),
            ),
            (
                "the same target with other interfaces",
                &[("a", &["tax", "invoices"])],
                &[("a", &["tax"])],
                Ok(&[("a", &["tax"])]),
            ),
            (
                "an interface of another target",
                &[("a", &["tax"])],
                &[("b", &["invoices", "tax"])],
                Err(
                    "link already exists with different target: acme:billing/tax of web leads to a; \
                     replace it, or use another link name",
                ),
            ),
            (
                "more for one target, of another's",
                &[("a", &["tax"]), ("b", &["invoices"])],
                &[("b", &["invoices", "tax"])],
                Err(
                    "link already exists with different target: acme:billing/tax of web leads to a; \
                     replace it, or use another link name",
                ),
            ),
            (
                "no interface",
                &[],
                &[("a", &[])],
                Err("the link names no interface; name at least one of acme:billing"),
            ),
        ];
        for (name, existing, wanted, expected) in cases {
            let existing = (!existing.is_empty()).then(|| record(existing));
            let put = put(existing.as_ref(), record(wanted), &Owner::Manual);
            let expected = expected.map(record).map_err(str::to_owned);
            assert_eq!(put.map_err(|refusal| refusal.to_string()), expected, "{name}");
        }
    }

    #[test]
    fn a_replaced_link_leads_to_the_new_target_and_others_stay() {
        let known = record(&[("a", &["tax", "invoices"]), ("b", &["orders"])]);
        let turned = replace(Some(&known), record(&[("c", &["tax"])]), &Owner::Manual).unwrap();
        let expected = record(&[("a", &["invoices"]), ("b", &["orders"]), ("c", &["tax"])]);
        assert_eq!(turned, expected);
        let again = replace(Some(&turned), record(&[("c", &["tax"])]), &Owner::Manual).unwrap();
        assert_eq!(again, turned);
        let emptied = replace(Some(&known), record(&[("c", &["orders"])]), &Owner::Manual).unwrap();
        assert_eq!(emptied, record(&[("a", &["tax", "invoices"]), ("c", &["orders"])]));
        let owned = LinkRecord { owner: shop(), ..known };
        let refused = replace(Some(&owned), record(&[("c", &["tax"])]), &Owner::Manual);
        assert_eq!(refused, Err(LinkRefusal::Owned { owner: shop() }));
    }

    #[test]
    fn what_was_put_may_be_put_again_and_changes_nothing() {
        let mut known = record(&[("a", &["tax"]), ("b", &["invoices"])]);
        known.unknown.insert("added-later".to_owned(), 7.into());
        let again = put(Some(&known), record(&[("b", &["invoices"])]), &Owner::Manual).unwrap();
        assert_eq!(again, known);
    }

    #[test]
    fn a_link_is_changed_and_deleted_by_its_owner_only() {
        let owned = LinkRecord { owner: shop(), ..record(&[("a", &["tax"])]) };
        let refused = LinkRefusal::Owned { owner: shop() };
        let wanted = record(&[("a", &["tax"])]);
        assert_eq!(put(Some(&owned), wanted.clone(), &Owner::Manual), Err(refused.clone()));
        assert_eq!(put(Some(&owned), wanted, &shop()), Ok(owned.clone()));
        assert_eq!(delete(Some(&owned), &Owner::Manual), Err(refused));
        assert_eq!(delete(Some(&owned), &shop()), Ok(true));
        assert_eq!(delete(None, &Owner::Manual), Ok(false));
    }
}
