use super::*;
use crate::{InstancePolicy, Reuse, Span};

fn manifest(components: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: My.App\nspec:\n  \
         components:\n{components}"
    )
    .replace("My.App", "My-App")
}

fn component(name: &str, more: &str) -> String {
    format!("  - {{name: {name}, type: component, properties: {{image: file:///c.wasm}}{more}}}\n")
}

fn read(components: &str) -> Result<Application, String> {
    Application::read(&manifest(components)).map_err(|error| error.to_string())
}

#[test]
fn a_component_without_traits_runs_once_anywhere_under_a_generated_id() {
    let app = read(&component("Web-1", "")).unwrap();
    let [web] = &app.components[..] else { panic!("{app:?}") };
    assert_eq!(web.id.as_str(), "my_app-web_1");
    assert_eq!(web.scaler, ONE_ANYWHERE);
    let Part::Actor(spec) = &web.part else { panic!("{web:?}") };
    assert_eq!(spec.image, "file:///c.wasm");
    assert_eq!(spec.app.as_ref(), Some(&app.name));
}

#[test]
fn traits_become_placement_routes_and_limits() {
    let traits = ", traits: [
        {type: spreadscaler, properties: {replicas: 5, spread: [
            {name: edge, requirements: {zone: edge}, weight: 80}, {name: rest}]}},
        {type: http, properties: {host: Shop.Example, path: /api/}},
        {type: limits, properties: {memory_mib: 32, concurrency: 4}},
        {type: some-other-tool, properties: {anything: [1]}}]";
    let app = read(&component("web", traits)).unwrap();
    let web = &app.components[0];
    assert_eq!(web.scaler.instances, 5);
    assert_eq!(web.scaler.spread[0].requirements["zone"], "edge");
    assert_eq!((web.scaler.spread[0].weight, web.scaler.spread[1].weight), (80, 100));
    let Part::Actor(spec) = &web.part else { panic!("{web:?}") };
    assert_eq!(spec.routes[0].to_string(), "shop.example/api");
    assert_eq!(spec.limits.memory_bytes_max, Some(32 << 20));
    assert_eq!(spec.limits.concurrency, Some(4));
}

#[test]
fn what_this_version_cannot_run_does_not_stop_the_rest() {
    let provider =
        "  - {name: kv, type: capability, properties: {image: 'ghcr.io/x/kv:1'}}\n".to_owned();
    let app = read(&(provider + &component("web", ""))).unwrap();
    assert!(matches!(&app.components[0].part, Part::Unsupported(why) if why.contains("providers")));
    assert!(matches!(&app.components[1].part, Part::Actor(_)));
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused_with_the_reason() {
    let traits = |traits: &str| component("web", &format!(", traits: [{traits}]"));
    let two = component("web", "") + &component("web", "");
    let same_id = "  - {name: a, type: component, properties: {image: i, id: x}}
  - {name: b, type: component, properties: {image: i, id: x}}\n";
    let route = ", traits: [{type: http, properties: {path: /a}}]";
    let cases = [
        ("    []\n".to_owned(), "spec.components is empty"),
        (two, "two components are called web"),
        (same_id.to_owned(), "components a and b have the same id x"),
        (component("a", route) + &component("b", route), "components a and b both want route */a"),
        (
            "  - {name: a, type: component, properties: {image: i, id: a.b}}\n".to_owned(),
            "'.' at character 1",
        ),
        (
            "  - {name: a b, type: component, properties: {image: i}}\n".to_owned(),
            "' ' at character 1",
        ),
        ("  - {name: a, type: component, properties: {}}\n".to_owned(), "exactly one of `image`"),
        (traits("{type: spreadscaler, properties: {instancez: 1}}"), "line 7, column"),
        (
            traits("{type: spreadscaler, properties: {instances: -1}}"),
            "trait spreadscaler: invalid value",
        ),
        (traits("{type: spreadscaler, properties: {instances: 4294967295}}"), "at most 10000"),
        (traits("{type: daemonscaler}"), "trait daemonscaler"),
        (
            traits(
                "{type: daemonscaler, properties: {instances: 1}}, {type: spreadscaler, properties: {instances: 1}}",
            ),
            "this is the second",
        ),
        (
            traits(
                "{type: spreadscaler, properties: {instances: 2, spread: [{name: a}, {name: a}]}}",
            ),
            "spread \"a\" is there twice",
        ),
        (
            traits(
                "{type: spreadscaler, properties: {instances: 2, spread: [{name: a, weight: 0}]}}",
            ),
            "all weights are 0",
        ),
        (traits("{type: http, properties: {path: x}}"), "does not begin with `/`"),
        (traits("{type: http, properties: {path: /, port: 8080}}"), "unknown field `port`"),
    ];
    for (components, said) in cases {
        let error = read(&components).expect_err(&components);
        assert!(error.contains(said), "{components}: {error}");
    }
}

#[test]
fn limits_are_written_with_units_and_instances_as_spans() {
    let of = |traits: &str| {
        let app = read(&component("web", &format!(", traits: [{traits}]"))).unwrap();
        let Part::Actor(spec) = &app.components[0].part else { panic!("{app:?}") };
        (**spec).clone()
    };
    let limits = of("{type: limits, properties: {
        memory: 96MiB, execution: 5s, handles: 100, resources: '50', log_per_call: 0B}}");
    assert_eq!(limits.limits.memory_bytes_max, Some(96 << 20));
    assert_eq!(limits.limits.execution_ms_max, Some(5_000));
    assert_eq!((limits.limits.handles_max, limits.limits.resources_max), (Some(100), Some(50)));
    assert_eq!(limits.limits.log_bytes_per_call, Some(0));
    // As it was written before there were units.
    let old = of("{type: limits, properties: {memory_mib: 96, execution_ms: 5000}}");
    assert_eq!(old.limits.memory_bytes_max, limits.limits.memory_bytes_max);
    assert_eq!(old.limits.execution_ms_max, limits.limits.execution_ms_max);

    let default = Reuse::default();
    let span = |min, max| Span { min, max };
    let cases = [
        ("policy: fresh", InstancePolicy::Fresh),
        ("policy: reused", InstancePolicy::Reused(default)),
        (
            "policy: reused, requests: 64-128, idle: 2s-4s",
            InstancePolicy::Reused(Reuse { requests: span(64, 128), idle_ms: span(2_000, 4_000) }),
        ),
        (
            "policy: concurrent, requests: 9, idle: 500ms, concurrency: 4",
            InstancePolicy::Concurrent {
                reuse: Reuse { requests: span(9, 9), idle_ms: span(500, 500) },
                calls: 4,
            },
        ),
        ("policy: concurrent", InstancePolicy::Concurrent { reuse: default, calls: 16 }),
    ];
    for (properties, policy) in cases {
        let spec = of(&format!("{{type: instances, properties: {{{properties}}}}}"));
        assert_eq!(spec.instances, policy, "{properties}");
    }
}

#[test]
fn limits_and_instances_that_make_no_sense_are_refused_with_the_reason_and_the_place() {
    let cases = [
        ("limits", "concurrency: 0", "concurrency: 0 is not possible; hosts grant 1 to 4096"),
        ("limits", "memory: 64", "memory: \"64\" is no size; write a number with a unit"),
        ("limits", "memory: 1GiB", "hosts grant 64KiB to 128MiB"),
        ("limits", "memory_mib: 1024", "memory_mib: 1GiB is not possible"),
        ("limits", "memory_mib: 18446744073709551615", "is not possible"),
        ("limits", "memory_mib: many", "is no number"),
        ("limits", "memory_mib: 1, memory: 1MiB", "memory is there twice"),
        ("limits", "execution: 1h", "execution: \"1h\" is no time"),
        ("limits", "handles: [1]", "neither a text nor a number"),
        ("limits", "memmory: 1MiB", "there is no limit \"memmory\"; there are memory, execution"),
        ("instances", "policy: warm", "unknown variant `warm`"),
        ("instances", "requests: 7", "missing field `policy`"),
        ("instances", "policy: reused, max: 7", "unknown field `max`"),
        ("instances", "policy: fresh, requests: 7", "a fresh instance serves one call"),
        ("instances", "policy: reused, concurrency: 4", "is for the policy concurrent"),
        ("instances", "policy: concurrent, concurrency: 1", "it is 2 to 256"),
        ("instances", "policy: concurrent, concurrency: 257", "it is 2 to 256"),
        ("instances", "policy: reused, requests: 128-64", "ends before it begins"),
        ("instances", "policy: reused, requests: 0", "begins at 1"),
        ("instances", "policy: reused, requests: many", "requests: \"many\" is not a span"),
        ("instances", "policy: reused, requests: 2000000", "is more than 1000000"),
        ("instances", "policy: reused, idle: '4'", "idle: \"4\" is no time"),
        ("instances", "policy: reused, idle: 4s-2s", "ends before it begins"),
        ("instances", "policy: reused, idle: 61m", "is more than 3600000"),
        ("instances", "policy: reused, idle: 99999999m", "is more than 3600000"),
    ];
    for (kind, properties, said) in cases {
        let traits = format!(", traits: [{{type: {kind}, properties: {{{properties}}}}}]");
        let error = read(&component("web", &traits)).expect_err(properties);
        let place = format!("trait {kind}: ");
        assert!(error.contains(said) && error.contains(&place), "{properties}: {error}");
        assert!(error.contains("line 7, column"), "{properties}: {error}");
    }
    let twice = |one: &str| component("web", &format!(", traits: [{one}, {one}]"));
    for one in [
        "{type: limits, properties: {handles: 20}}",
        "{type: instances, properties: {policy: fresh}}",
    ] {
        let error = read(&twice(one)).expect_err(one);
        assert!(error.contains("this is the second"), "{error}");
    }
}

#[test]
fn how_long_a_silent_host_is_waited_for_is_written_with_a_unit() {
    let of = |traits: &str| {
        let app = read(&component("web", &format!(", traits: [{traits}]"))).unwrap();
        app.components[0].lost_after_ms
    };
    let cases = [
        ("", None),
        ("{type: disconnect, properties: {lost_after: 30s}}", Some(30_000)),
        ("{type: disconnect, properties: {lost_after: 5s}}", Some(5_000)),
        ("{type: disconnect, properties: {lost_after: 10080m}}", Some(604_800_000)),
        ("{type: some-other-tool, properties: {lost_after: never}}", None),
    ];
    for (traits, ms) in cases {
        assert_eq!(of(traits), ms, "{traits}");
    }
}

#[test]
fn a_wait_for_silent_hosts_that_makes_no_sense_is_refused_with_the_bound() {
    let cases = [
        ("lost_after: 4999ms", "4999ms is not possible; the lattice itself waits 5s"),
        ("lost_after: 0s", "0ms is not possible; the lattice itself waits 5s"),
        ("lost_after: 10081m", "10081m is not possible; it is at most a week, 10080m"),
        ("lost_after: '30'", "lost_after: \"30\" is no time; write a number with a unit"),
        ("lost_after: 1d", "lost_after: \"1d\" is no time"),
        ("lost_after: 30", "invalid type"),
        ("replace: false", "unknown field `replace`"),
        ("", "missing field `lost_after`"),
    ];
    for (properties, said) in cases {
        let one = format!("{{type: disconnect, properties: {{{properties}}}}}");
        let error = read(&component("web", &format!(", traits: [{one}]"))).expect_err(properties);
        assert!(error.contains(said) && error.contains("trait disconnect: "), "{said}: {error}");
    }
    let one = "{type: disconnect, properties: {lost_after: 30s}}";
    let error = read(&component("web", &format!(", traits: [{one}, {one}]"))).expect_err(one);
    assert!(error.contains("this is the second"), "{error}");
}

#[test]
fn configuration_is_inline_or_named_and_secrets_are_only_named() {
    let text = manifest(
        "  - name: web
    type: component
    properties:
      image: i
      config: [{name: a, properties: {x: '1'}}, {name: kept}, {name: b, properties: {x: '2'}}]
      secrets: [{name: token, properties: {policy: vault, key: shop/token, field: f}}]
    traits: [{type: messaging, properties: {subscribe: [orders.>], publish: [mail.send]}}]
",
    );
    let text = text.replace("spec:\n", "spec:\n  policies: [{name: vault, type: t}]\n");
    let app = Application::read(&text).unwrap();
    let Part::Actor(spec) = &app.components[0].part else { panic!("{app:?}") };
    assert_eq!((&spec.config["x"][..], spec.config_from[0].as_str()), ("2", "kept"));
    let [secret] = &spec.secrets[..] else { panic!("{spec:?}") };
    assert_eq!((secret.name.as_str(), secret.key.as_str()), ("token", "shop/token"));
    assert_eq!((secret.field.as_deref(), &secret.version), (Some("f"), &None));
    assert!(spec.messaging.subscribe[0].matches("orders.new"));
    assert_eq!(spec.messaging.publish[0].as_str(), "mail.send");
    assert!(app.configs.is_empty(), "inline config is part of the spec");
}

#[test]
fn secrets_named_config_and_messaging_that_make_no_sense_are_refused() {
    let with = |properties: &str, traits: &str| {
        read(&format!(
            "  - {{name: web, type: component, properties: {{image: i{properties}}}, traits: [{traits}]}}\n"
        ))
    };
    let secrets = |secrets: &str| with(&format!(", secrets: [{secrets}]"), "");
    let messaging =
        |properties: &str| with("", &format!("{{type: messaging, properties: {{{properties}}}}}"));
    let one = "{name: s, properties: {key: k}}";
    let cases = [
        (secrets(&format!("{one}, {one}")), "secret \"s\": it is there twice"),
        (secrets("{name: s, properties: {}}"), "missing field `key`"),
        (secrets("{name: s, properties: {key: k, kei: x}}"), "unknown field `kei`"),
        (secrets("{name: s, properties: {key: ''}}"), "must not be empty"),
        (secrets("{name: s, properties: {key: k, policy: p}}"), "there is no policy \"p\""),
        (with(", config: [{name: a.b}]", ""), "config \"a.b\": '.' at character 1"),
        (messaging("subscribe: ['>']"), "begins with a wildcard"),
        (messaging("publish: ['$JS.API']"), "is the lattice's own"),
        (messaging("publish: [a, a]"), "publish a is there twice"),
        (messaging("subscribes: [a]"), "unknown field `subscribes`"),
    ];
    for (answer, said) in cases {
        let error = answer.expect_err(said);
        assert!(error.contains(said), "{said}: {error}");
    }
}
