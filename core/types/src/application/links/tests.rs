use super::*;
use crate::Application;

/// An application whose component `web` has these traits, beside what it may link to.
fn read(traits: &str) -> Result<Application, String> {
    let text = format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop}}
spec:
  components:
    - {{name: web, type: component, properties: {{image: i}}, traits: [{traits}]}}
    - {{name: Biller, type: component, properties: {{image: i}}}}
    - {{name: tax, type: component, properties: {{image: i, id: taxes}}}}
    - {{name: redis, type: capability, properties: {{image: p}}}}
"
    );
    Application::read(&text).map_err(|error| error.to_string())
}

fn link(interfaces: &str, target: &str, more: &str) -> String {
    format!(
        "{{type: link, properties: {{namespace: acme, package: billing, interfaces: [{interfaces}], \
         target: {target}{more}}}}}"
    )
}

fn wasi(package: &str, interface: &str, target: &str) -> String {
    format!(
        "{{type: link, properties: {{namespace: wasi, package: {package}, interfaces: [{interface}], \
         target: {target}}}}}"
    )
}

/// The links of `web`, one word each: `ns:pkg/iface#name>target`, `!` where they may be repeated.
fn words(app: &Application) -> String {
    let records = app.components[0].links.iter();
    let word = |record: &LinkRecord| -> Vec<String> {
        let of = |target: &LinkTarget| {
            let names: Vec<&str> = target.interfaces.iter().map(Token::as_str).collect();
            let repeated = if target.idempotent { "!" } else { "" };
            let LinkRecord { namespace, package, name, .. } = record;
            let names = names.join(",");
            format!("{namespace}:{package}/{names}#{name}>{}{repeated}", target.target)
        };
        record.targets.iter().map(of).collect()
    };
    records.flat_map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_link_trait_becomes_a_record_of_its_application() {
    let app = read(&link("invoices", "Biller", "")).unwrap();
    let [record] = &app.components[0].links[..] else { panic!("{app:?}") };
    assert_eq!(record.key().to_string(), "link.shop-web.acme.billing.default");
    assert_eq!(record.owner, Owner::App(app.name.clone()));
    assert_eq!(words(&app), "acme:billing/invoices#default>shop-biller");
    assert!(app.components[1..].iter().all(|component| component.links.is_empty()));
}

#[test]
fn links_are_gathered_by_package_and_name() {
    let idempotent = "{type: retry, properties: {idempotent: ['acme:billing/tax']}}";
    let cases = [
        // The two forms of a target, and a link to oneself.
        (vec![link("a", "{name: tax}", "")], "acme:billing/a#default>taxes"),
        (vec![link("a", "web", "")], "acme:billing/a#default>shop-web"),
        (vec![link("b, a", "tax", ""), link("c", "tax", "")], "acme:billing/a,b,c#default>taxes"),
        (
            vec![link("a", "tax", ""), link("b", "Biller", "")],
            "acme:billing/a#default>taxes acme:billing/b#default>shop-biller",
        ),
        (
            vec![link("a", "tax", ""), link("a", "Biller", ", name: old")],
            "acme:billing/a#default>taxes acme:billing/a#old>shop-biller",
        ),
        // Only some of them may be repeated, wherever that is written.
        (
            vec![idempotent.to_owned(), link("invoices, tax", "tax", "")],
            "acme:billing/invoices#default>taxes acme:billing/tax#default>taxes!",
        ),
        (vec![wasi("http", "outgoing-handler", "tax")], "wasi:http/outgoing-handler#default>taxes"),
    ];
    for (traits, expected) in cases {
        let traits = traits.join(", ");
        assert_eq!(words(&read(&traits).expect(&traits)), expected, "{traits}");
    }
}

#[test]
fn what_every_host_provides_needs_no_record() {
    for (package, interface) in [
        ("keyvalue", "store"),
        ("http", "outgoing-handler"),
        ("config", "runtime"),
        ("logging", "logging"),
    ] {
        let app = read(&wasi(package, interface, "redis")).unwrap();
        let web = &app.components[0];
        assert!(web.links.is_empty(), "{web:?}");
        let [unlinked] = &web.unlinked[..] else { panic!("{web:?}") };
        assert_eq!(unlinked.interface.path(), format!("wasi:{package}/{interface}"));
        assert_eq!((unlinked.target.as_str(), &unlinked.why), ("redis", &Why::BuiltIn));
    }
}

#[test]
fn a_link_that_cannot_lead_anywhere_says_why() {
    let secret = "{name: tax, secrets: [{name: s, properties: {key: k}}]}";
    let cases = [
        (link("invoices", "redis", ""), "redis cannot serve it: providers cannot run"),
        (wasi("blobstore", "blobstore", "redis"), "redis cannot serve it: providers cannot run"),
        (wasi("keyvalue", "store", "tax"), "built into every host and cannot lead to a component"),
        (link("invoices", secret, ""), "secrets of a link are for providers"),
    ];
    for (traits, said) in cases {
        let app = read(&traits).unwrap();
        let web = &app.components[0];
        let [Unlinked { why: Why::Impossible(why), .. }] = &web.unlinked[..] else {
            panic!("{web:?}")
        };
        assert!(why.contains(said), "{why}");
        assert!(web.links.is_empty() && matches!(web.part, Part::Actor(_)), "{web:?}");
    }
}

#[test]
fn configuration_of_a_link_is_named_after_the_application() {
    let ends =
        ", source: {config: [{name: Fast, properties: {ms: '5'}}]}, target_config: [{name: kept}]";
    let app =
        read(&link("invoices", "{name: tax, config: [{name: fast, properties: {ms: '5'}}]}", ends))
            .unwrap();
    let [config] = &app.configs[..] else { panic!("{app:?}") };
    assert_eq!((config.name.as_str(), &config.values["ms"][..]), ("shop-fast", "5"));
    assert_eq!(config.owner, Owner::App(app.name.clone()));
    let target = &app.components[0].links[0].targets[0];
    let names = |names: &[ConfigName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&target.source_config), ["shop-fast"]);
    assert_eq!(names(&target.target_config), ["kept", "shop-fast"]);
    // What no record refers to is not stored.
    let unused = link("invoices", "{name: redis, config: [{name: url, properties: {url: x}}]}", "");
    assert!(read(&unused).unwrap().configs.is_empty());
}

#[test]
fn a_link_that_makes_no_sense_is_refused_with_its_place() {
    let other = "{name: tax, config: [{name: C, properties: {a: '2'}}]}";
    let cases = [
        (link("a", "nobody", ""), "there is no component \"nobody\" to link to"),
        (link("a", "taxes", ""), "there is no component \"taxes\""),
        (
            "{type: link, properties: {package: p, interfaces: [a], target: tax}}".to_owned(),
            "missing field `namespace`",
        ),
        (link("a", "tax", ", idempotent: true"), "unknown field `idempotent`"),
        (link("a", "{name: tax, nane: x}", ""), "target: unknown field `nane`"),
        (link("a", "tax", ", source: {confg: []}"), "unknown field `confg`"),
        (link("a", "7", ""), "target: invalid type"),
        (link("", "tax", ""), "interfaces is empty"),
        (link("a@1.0.0", "tax", ""), "'@' at character 1"),
        (link("a", "tax", ", name: a.b"), "'.' at character 1"),
        (link("a, a", "tax", ""), "acme:billing/a is linked to tax and to tax under one name"),
        (
            [link("a, b", "tax", ""), link("b", "Biller", "")].join(", "),
            "acme:billing/b is linked to tax and to Biller under one name, default; give",
        ),
        (
            [
                link("a", other, ""),
                link("b", "tax", ", source_config: [{name: c, properties: {a: '1'}}]"),
            ]
            .join(", "),
            "config \"c\" is there twice with different properties",
        ),
        (link("a", "tax", ", source_config: [{name: a.b}]"), "config \"a.b\": '.' at character 1"),
    ];
    for (traits, said) in cases {
        let error = read(&traits).expect_err(&traits);
        assert!(error.contains(said), "{traits}: {error}");
        assert!(error.starts_with("line 6, column "), "{error}");
    }
}

#[test]
fn only_what_is_linked_can_be_repeated() {
    let retry = |interface: &str| {
        let retry = format!("{{type: retry, properties: {{idempotent: ['{interface}']}}}}");
        read(&[link("a", "tax", ""), retry].join(", ")).map(|app| words(&app))
    };
    assert_eq!(retry("acme:billing/a").unwrap(), "acme:billing/a#default>taxes!");
    assert!(retry("acme:billing/b").unwrap_err().contains("acme:billing/b has no link trait"));
    assert!(retry("acme:billing/a@1.0.0").unwrap_err().contains("write acme:billing/a"));
    assert!(retry("billing").unwrap_err().contains("is not an interface"));
}
