//! What becomes of the links of an actor: which calls will go through, as far as is known here.
//!
//! What is known of others comes from the serve table, which is late: a link that waits may be
//! bound a moment later, and a call finds out by itself. What has no link at all is known for
//! certain. This is for people.

use std::collections::BTreeMap;

use wattle_types::{
    ActorId, Exports, Fingerprint, InterfaceName, LinkReport, LinkState, LinkTable, MissingLink,
};

/// Judges every link of an actor.
///
/// `imports` are the functions that its component calls and this host does not provide;
/// `serving` are the exports of each revision of an actor that serves anywhere now. While several
/// revisions serve, one that fits is enough: calls find it.
pub fn judge<'a, F, R>(imports: &Exports, links: &LinkTable, serving: F) -> Vec<LinkReport>
where
    F: Fn(&ActorId) -> R,
    R: IntoIterator<Item = &'a Exports>,
{
    let mut reports = Vec::new();
    for (path, name, bound) in links.iter() {
        let target = &bound.target;
        let mut report = |interface: InterfaceName, state: LinkState| {
            reports.push(LinkReport {
                interface,
                name: name.clone(),
                target: target.clone(),
                state,
            });
        };
        let imported: Vec<_> = imports.iter().filter(|(import, _)| import.path() == path).collect();
        if imported.is_empty() {
            // A link is made of tokens, so its path is the name of an interface.
            let Ok(interface) = path.parse::<InterfaceName>() else { continue };
            let state = match is_http(&interface) {
                true => judge_http(target, serving(target).into_iter().next()),
                false => LinkState::Failed {
                    why: format!("the component does not import {path}, or gets it from its host"),
                },
            };
            report(interface, state);
        }
        for (import, functions) in imported {
            let state = judge_import(import, functions, target, serving(target));
            report(import.clone(), state);
        }
    }
    reports
}

/// The imports that no link leads anywhere, under whatever name.
pub(crate) fn missing<'a>(
    imports: impl IntoIterator<Item = &'a InterfaceName>,
    links: &LinkTable,
) -> Vec<MissingLink> {
    let unlinked = imports.into_iter().filter(|import| !links.leads(import.path()));
    let missing = unlinked.map(|import| MissingLink {
        interface: import.clone(),
        why: format!(
            "the component imports {}, and no link provides it; add a link trait or `wattle link put`",
            import.path()
        ),
    });
    missing.collect()
}

/// HTTP has no signature of its own: whoever serves the target answers for it.
fn is_http(interface: &InterfaceName) -> bool {
    interface.namespace() == "wasi" && interface.package() == "http"
}

fn judge_http(target: &ActorId, served: Option<&Exports>) -> LinkState {
    served.map_or_else(|| waiting(target), |_| LinkState::Bound)
}

fn judge_import<'a>(
    import: &InterfaceName,
    functions: &BTreeMap<String, Fingerprint>,
    target: &ActorId,
    serving: impl IntoIterator<Item = &'a Exports>,
) -> LinkState {
    let mut why = None;
    for exports in serving {
        match misfit(import, functions, target, exports) {
            None => return LinkState::Bound,
            // One reason is enough.
            Some(reason) => why = why.or(Some(reason)),
        }
    }
    why.map_or_else(|| waiting(target), |why| LinkState::Failed { why })
}

fn waiting(target: &ActorId) -> LinkState {
    LinkState::Waiting { why: format!("no host serves {target} now") }
}

/// The first reason why calls through `import` would be refused by what has these `exports`.
fn misfit(
    import: &InterfaceName,
    functions: &BTreeMap<String, Fingerprint>,
    target: &ActorId,
    exports: &Exports,
) -> Option<String> {
    let of_that_name = || exports.keys().filter(|export| export.path() == import.path());
    if of_that_name().next().is_none() {
        return Some(format!("{target} does not export {}", import.path()));
    }
    if !of_that_name().any(|export| import.fits(export)) {
        let offered: Vec<String> = of_that_name().map(ToString::to_string).collect();
        return Some(format!(
            "the component imports {import}; {target} exports {}",
            offered.join(" and ")
        ));
    }
    functions.iter().find_map(|(function, wanted)| match exported(import, function, exports) {
        None => Some(format!("{target} has no function {function} in {}", import.path())),
        Some(fingerprint) if fingerprint != wanted => Some(format!(
            "function {function} of {} has other types in {target} than in the component; \
                 build both against one version of the WIT package",
            import.path()
        )),
        Some(_) => None,
    })
}

/// What answers for a function: the exact version, or else the highest one that fits and has it.
fn exported<'a>(
    import: &InterfaceName,
    function: &str,
    exports: &'a Exports,
) -> Option<&'a Fingerprint> {
    let exact = exports.get(import).and_then(|functions| functions.get(function));
    exact.or_else(|| {
        let fitting = exports.iter().rev().filter(|(export, _)| import.fits(export));
        fitting.filter_map(|(_, functions)| functions.get(function)).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_types::{LinkName, LinkRecord, LinkTarget, Owner, Token};

    /// `acme:tax/rates@1.0.0: get=1 put=2`, one interface per line.
    fn exports(text: &str) -> Exports {
        let line = |line: &str| {
            let (interface, functions) = line.split_once(": ").unwrap();
            let function = |word: &str| {
                let (name, number) = word.split_once('=').unwrap();
                (name.to_owned(), Fingerprint::from_bytes([number.parse().unwrap(); 16]))
            };
            (interface.parse().unwrap(), functions.split(' ').map(function).collect())
        };
        text.lines().map(str::trim).filter(|text| !text.is_empty()).map(line).collect()
    }

    fn links(namespace: &str, package: &str, interface: &str) -> LinkTable {
        let [namespace, package, interface]: [Token; 3] =
            [namespace, package, interface].map(|word| word.parse().unwrap());
        let target = LinkTarget {
            target: "b".parse().unwrap(),
            interfaces: [interface].into(),
            idempotent: false,
            source_config: Vec::new(),
            target_config: Vec::new(),
        };
        let (source, name, owner) = ("a".parse().unwrap(), LinkName::default(), Owner::Manual);
        LinkTable::of(&[LinkRecord::new(source, namespace, package, name, target, owner)])
    }

    fn said(reports: &[LinkReport]) -> Vec<String> {
        let line = |report: &LinkReport| {
            let state = match &report.state {
                LinkState::Bound => "bound".to_owned(),
                LinkState::Waiting { why } => format!("waiting: {why}"),
                LinkState::Failed { why } => format!("failed: {why}"),
            };
            format!("{}: {state}", report.interface)
        };
        reports.iter().map(line).collect()
    }

    #[test]
    fn a_link_is_bound_when_every_imported_function_fits_what_the_target_exports() {
        let imports = "acme:tax/rates@1.1.0: get=1 put=2";
        let cases: [(&str, &[&str], &str); 10] = [
            ("nobody serves", &[], "waiting: no host serves b now"),
            ("the same", &["acme:tax/rates@1.1.0: get=1 put=2"], "bound"),
            ("more", &["acme:tax/rates@1.4.0: get=1 put=2 more=9\nx:y/z: a=1"], "bound"),
            ("unversioned", &["acme:tax/rates: get=1 put=2"], "bound"),
            ("something else", &["x:y/z: a=1"], "failed: b does not export acme:tax/rates"),
            (
                "another major version",
                &["acme:tax/rates@2.0.0: get=1 put=2"],
                "failed: the component imports acme:tax/rates@1.1.0; b exports acme:tax/rates@2.0.0",
            ),
            (
                "less",
                &["acme:tax/rates@1.1.0: get=1"],
                "failed: b has no function put in acme:tax/rates",
            ),
            (
                "other types",
                &["acme:tax/rates@1.1.0: get=1 put=7"],
                "failed: function put of acme:tax/rates has other types in b than in the \
                 component; build both against one version of the WIT package",
            ),
            (
                "an old and a new revision",
                &["acme:tax/rates@1.1.0: get=1 put=7", "acme:tax/rates@1.1.0: get=1 put=2"],
                "bound",
            ),
            (
                "the exact version before a higher one",
                &["acme:tax/rates@1.1.0: get=1 put=2\nacme:tax/rates@1.2.0: get=8 put=8"],
                "bound",
            ),
        ];
        let links = links("acme", "tax", "rates");
        for (name, serving, expected) in cases {
            let serving: Vec<Exports> = serving.iter().map(|text| exports(text)).collect();
            let reports = judge(&exports(imports), &links, |_| &serving);
            assert_eq!(said(&reports), [format!("acme:tax/rates@1.1.0: {expected}")], "{name}");
        }
    }

    #[test]
    fn each_version_of_an_interface_that_is_imported_is_judged() {
        let imports = exports("acme:tax/rates@1.0.0: get=1\nacme:tax/rates@2.0.0: get=2");
        let serving = [exports("acme:tax/rates@2.3.0: get=2")];
        let reports = judge(&imports, &links("acme", "tax", "rates"), |_| &serving);
        assert_eq!(
            said(&reports),
            [
                "acme:tax/rates@1.0.0: failed: the component imports acme:tax/rates@1.0.0; b \
                 exports acme:tax/rates@2.3.0",
                "acme:tax/rates@2.0.0: bound",
            ]
        );
    }

    #[test]
    fn http_goes_to_whoever_serves_and_what_is_not_imported_goes_nowhere() {
        let serving = [Exports::new()];
        let http = links("wasi", "http", "outgoing-handler");
        let reports = judge(&Exports::new(), &http, |_| &serving);
        assert_eq!(said(&reports), ["wasi:http/outgoing-handler: bound"]);
        let reports = judge(&Exports::new(), &http, |_| &serving[..0]);
        assert_eq!(said(&reports), ["wasi:http/outgoing-handler: waiting: no host serves b now"]);
        let reports = judge(&Exports::new(), &links("acme", "tax", "rates"), |_| &serving);
        assert_eq!(
            said(&reports),
            ["acme:tax/rates: failed: the component does not import acme:tax/rates, or gets it \
              from its host"]
        );
    }

    #[test]
    fn an_import_that_no_link_of_any_name_leads_anywhere_is_missing() {
        let imports =
            exports("acme:tax/rates@1.0.0: get=1\nacme:tax/rates@2.0.0: get=2\nx:y/z: a=1");
        let missing = super::missing(imports.keys(), &links("acme", "tax", "rates"));
        let said: Vec<_> =
            missing.iter().map(|missing| (missing.interface.path(), &*missing.why)).collect();
        let why = "the component imports x:y/z, and no link provides it; add a link trait or \
                   `wattle link put`";
        assert_eq!(said, [("x:y/z", why)]);
    }
}
