use super::*;

const COUNTER: &str = r#"
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: http-counter
  annotations:
    version: v0.0.1
    description: counts visits
spec:
  components:
    - name: counter
      type: component
      properties:
        image: file:///counter.wasm
      traits:
        - type: spreadscaler
          properties:
            instances: 1
        - type: http
          properties: {path: /}
"#;

#[test]
fn a_manifest_survives_its_stored_form() {
    let manifest = Manifest::parse(COUNTER).unwrap();
    assert_eq!(manifest.version(), Some("v0.0.1"));
    assert_eq!(Manifest::parse(&manifest.to_json().to_string()), Ok(manifest));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases = [
        ("kind: Application", "kid: Application", "line 3, column 1: unknown field `kid`"),
        ("instances: 1", "instances: [", "line 19, column 9"),
        ("type: component", "type: actr", "line 12, column 13: unknown variant `actr`"),
        ("name: http-counter", "name: http.counter", "line 5, column 9: '.' at character 4"),
        ("image: file", "imag: file", "line 14, column 9: unknown field `imag`"),
    ];
    for (right, wrong, said) in cases {
        let text = COUNTER.replacen(right, wrong, 1);
        assert_ne!(text, COUNTER);
        let error = Manifest::parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{wrong}: {error}");
    }
}

#[test]
fn a_manifest_of_ten_megabytes_is_not_even_parsed() {
    let text = "a".repeat(10 << 20);
    assert_eq!(Manifest::parse(&text), Err(Error::TooLong { len: 10 << 20 }));
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    assert!(Manifest::parse(&text).is_err());
}
