//! What the simulated people deploy: a few applications that get in each other's way.

/// How many applications there are.
pub(crate) const APPS: usize = 5;
/// Images that no host can start.
pub(crate) const BROKEN_IMAGE: &str = "file:///broken.wasm";

pub(crate) fn app_name(app: usize) -> &'static str {
    ["web", "edge", "agent", "mixed", "rival"][app]
}

/// The `version`th manifest of an application; what it asks for varies with the version.
pub(crate) fn manifest(app: usize, version: usize) -> String {
    let name = app_name(app);
    let image = format!("file:///{name}-{}.wasm", version / 2);
    let instances = 1 + version % 3;
    let components = match name {
        "web" => component("web", &image, &[&spread(instances + 1, &[]), HTTP]),
        "edge" => component("edge", &image, &[&spread(instances, &[("zone", "edge")])]),
        "agent" => component("agent", &image, &[&daemon(&[("zone", "cloud")])]),
        "mixed" => {
            let overlapping = spread(instances + 1, &[("zone", "cloud"), ("disk", "ssd")]);
            let nowhere = spread(1, &[("zone", "moon")]);
            let mut components = component("mixed_a", &image, &[&overlapping]);
            if version % 2 == 0 {
                // Comes and goes with the version.
                components += &component("mixed_b", &image, &[&daemon(&[])]);
            }
            components += &component("mixed_c", BROKEN_IMAGE, &[&spread(1, &[])]);
            components + &component("mixed_d", &image, &[&nowhere])
        }
        // Wants the id of `web` in odd versions, and its route in all.
        _ => {
            let id = if version % 2 == 1 { "web" } else { "rival" };
            component(id, &image, &[&spread(1, &[]), HTTP])
        }
    };
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {name}\n  \
         annotations: {{version: v{version}}}\nspec:\n  components:\n{components}"
    )
}

const HTTP: &str = "{type: http, properties: {path: /web}}";

fn component(id: &str, image: &str, traits: &[&str]) -> String {
    format!(
        "    - name: {id}\n      type: component\n      properties: {{image: '{image}', id: {id}}}\n\
         \x20     traits: [{}]\n",
        traits.join(", ")
    )
}

fn spread(instances: usize, labels: &[(&str, &str)]) -> String {
    format!("{{type: spreadscaler, properties: {{instances: {instances}, spread: [{}]}}}}", entries(labels))
}

fn daemon(labels: &[(&str, &str)]) -> String {
    format!("{{type: daemonscaler, properties: {{instances: 1, spread: [{}]}}}}", entries(labels))
}

fn entries(labels: &[(&str, &str)]) -> String {
    let entry = |(key, value): &(&str, &str)| {
        format!("{{name: {key}, requirements: {{{key}: {value}}}}}")
    };
    labels.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// The labels of the host with this number.
pub(crate) fn labels(host: usize) -> Vec<(&'static str, &'static str)> {
    let zone = if host % 3 == 2 { "edge" } else { "cloud" };
    let mut labels = vec![("zone", zone)];
    if host % 2 == 0 {
        labels.push(("disk", "ssd"));
    }
    labels
}
