//! Manifests of the guests that call each other: `relay` asks, `echo` answers.

use serde_json::{Value, json};

use crate::lattice::{link, manifest};

/// What `relay` imports and `echo` exports.
pub const ECHO: (&str, &str) = ("wattle-test", "echo");

/// All interfaces of [`ECHO`].
pub const ALL: [&str; 3] = ["echo", "values", "streams"];

/// An application in which `relay` answers requests, linked to the first of the callees; each callee is an
/// `echo` that answers to `who` with its name.
pub fn calling(app: &str, relay: &str, echo: &str, callees: &[&str]) -> Value {
    let mut components = vec![("relay", relay, Some("/"))];
    components.extend(callees.iter().map(|name| (*name, echo, None)));
    let mut app = manifest(app, &components);
    if let Some(first) = callees.first() {
        relink(&mut app, "relay", first);
    }
    for name in callees {
        let named = json!([{"name": format!("{name}-name"), "properties": {"name": name}}]);
        configure(&mut app, name, named);
    }
    app
}

/// Only in this zone.
pub fn place(app: &mut Value, component: &str, zone: &str) {
    scale(app, component, &[zone]);
}

/// One in each of these zones.
pub fn scale(app: &mut Value, component: &str, zones: &[&str]) {
    let spread = zones.iter().map(|zone| json!({"name": zone, "requirements": {"zone": zone}}));
    let spread: Vec<Value> = spread.collect();
    let scaler = &mut traits_of(app, component)[0];
    *scaler = json!({"type": "spreadscaler", "properties": {
        "instances": zones.len(), "spread": spread,
    }});
}

/// On every host, this often.
pub fn place_everywhere(app: &mut Value, component: &str, instances: u32) {
    let scaler = &mut traits_of(app, component)[0];
    *scaler = json!({"type": "daemonscaler", "properties": {"instances": instances}});
}

/// Links this component's calls to another one of the manifest, in place of the links it had.
pub fn relink(app: &mut Value, source: &str, target: &str) {
    let traits = traits_of(app, source).as_array_mut().expect("traits are a list");
    traits.retain(|one| one["type"] != "link");
    traits.push(link(target, ECHO, &ALL));
}

/// Adds a trait to a component.
pub fn add_trait(app: &mut Value, component: &str, one: Value) {
    traits_of(app, component).as_array_mut().expect("traits are a list").push(one);
}

/// In place of whatever it had.
pub fn configure(app: &mut Value, component: &str, config: Value) {
    component_of(app, component)["properties"]["config"] = config;
}

fn traits_of<'a>(app: &'a mut Value, component: &str) -> &'a mut Value {
    &mut component_of(app, component)["traits"]
}

fn component_of<'a>(app: &'a mut Value, component: &str) -> &'a mut Value {
    let components = app["spec"]["components"].as_array_mut().expect("components are a list");
    let found = components.iter_mut().find(|known| known["name"] == component);
    found.unwrap_or_else(|| panic!("the manifest has no component {component}"))
}
