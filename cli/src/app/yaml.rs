//! A manifest as YAML, for people: the same manifest gives the same lines.

use serde_json::Value;

/// Lines without their ends.
pub(super) fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    block(value, 0, &mut lines);
    lines
}

fn block(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let key = text(key);
                match inline(value) {
                    Some(inline) => lines.push(format!("{indent}{key}: {inline}")),
                    None => {
                        lines.push(format!("{indent}{key}:"));
                        block(value, depth + 1, lines);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = Vec::new();
                block(item, 0, &mut inner);
                for (number, line) in inner.iter().enumerate() {
                    let mark = if number == 0 { "- " } else { "  " };
                    lines.push(format!("{indent}{mark}{line}"));
                }
            }
        }
        other => lines.push(format!("{indent}{}", inline(other).unwrap_or_default())),
    }
}

/// What stands on one line; none for what has lines of its own.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::String(raw) => Some(text(raw)),
        Value::Object(map) if !map.is_empty() => None,
        Value::Array(items) if !items.is_empty() => None,
        // JSON is YAML.
        other => Some(other.to_string()),
    }
}

/// As it is where YAML reads it back as the same text, else in quotes.
fn text(raw: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    let begins = raw.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&raw.to_ascii_lowercase().as_str());
    if begins && !word && raw.chars().all(plain) {
        raw.to_owned()
    } else {
        Value::from(raw).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wattle_types::Manifest;

    use super::*;

    #[test]
    fn a_manifest_reads_back_as_the_same() {
        let manifest = json!({
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {
                "name": "shop",
                "annotations": {"version": "1.0", "description": "yes: a \"shop\"\nof #things"},
            },
            "spec": {"components": [{
                "name": "web",
                "type": "component",
                "properties": {"image": "ghcr.io/x/web:1"},
                "traits": [{"type": "spreadscaler", "properties": {"instances": 3, "spread": []}}],
            }]},
        });
        let manifest = Manifest::parse(&manifest.to_string()).unwrap();
        let yaml = lines(&manifest.to_json()).join("\n");
        assert_eq!(Manifest::parse(&yaml).unwrap().to_json(), manifest.to_json(), "{yaml}");
        assert!(yaml.contains("\n  name: shop\n"), "{yaml}");
        assert!(yaml.contains("- name: web\n"), "{yaml}");
    }
}
