//! Applications that a wadm kept are brought over, with all their versions.

use serde_json::{Value, json};
use wattle_tests::{Lattice, guest, manifest};

/// What wadm 0.21 stores: a value for each application, and one with all their names.
async fn keep(lattice: &Lattice, apps: &[(&str, String)]) {
    let client = async_nats::connect(lattice.nats.url()).await.expect("NATS is there");
    let stored = async |subject: String, value: String| {
        let answer = client.request(subject, value.into()).await.expect("JetStream answers");
        let answer: Value = serde_json::from_slice(&answer.payload).expect("in JSON");
        assert_eq!(answer.get("error"), None, "{answer}");
    };
    let config = json!({
        "name": "KV_wadm_manifests",
        "subjects": ["$KV.wadm_manifests.>"],
        "max_msgs_per_subject": 1,
    });
    stored("$JS.API.STREAM.CREATE.KV_wadm_manifests".to_owned(), config.to_string()).await;
    let names: Vec<&str> = apps.iter().map(|(name, _)| *name).collect();
    stored("$KV.wadm_manifests.story".to_owned(), json!(names).to_string()).await;
    for (name, kept) in apps {
        stored(format!("$KV.wadm_manifests.story-{name}"), kept.clone()).await;
    }
}

fn version(image: &str, version: &str, instances: u32) -> Value {
    let mut app = manifest("shop", &[("hello", image, None)]);
    app["metadata"]["annotations"]["version"] = version.into();
    app["spec"]["components"][0]["traits"][0]["properties"]["instances"] = instances.into();
    app
}

/// Application, version and what became of it.
fn outcomes(said: &Value) -> Vec<[&str; 3]> {
    let all = said.as_array().expect("a list").iter();
    all.map(|one| ["app", "version", "outcome"].map(|field| one[field].as_str().expect("text")))
        .collect()
}

#[tokio::test]
async fn what_a_wadm_kept_is_brought_over_once_and_runs_when_asked_for() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let import = async |more: &[&str]| {
        lattice.wattle([&["app", "import", "--from-wadm", "-o", "json"], more].concat()).await
    };
    let none = import(&[]).await;
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.err.contains("there is no bucket wadm_manifests"), "{none:?}");

    let image = lattice.signed("hello", &guest("http-hello"));
    let mut broken = version(&image, "v1", 1);
    broken["spec"]["components"][0]["type"] = "widget".into();
    let old = json!({"manifests": {"v1": broken}, "deployed_version": null}).to_string();
    // In the order in which they were put, which is not that of their names.
    let (v2, v10) = (version(&image, "v2", 1), version(&image, "v10", 2));
    let shop =
        format!(r#"{{"manifests": {{"v2": {v2}, "v10": {v10}}}, "deployed_version": "v2"}}"#);
    keep(&lattice, &[("old", old), ("shop", shop)]).await;

    let dry = import(&["--dry-run"]).await;
    assert_eq!(dry.code, Some(1), "one of them is refused: {dry:?}");
    let seen: Value = serde_json::from_str(&dry.out).expect("a list");
    let wanted = [["old", "v1", "refused"], ["shop", "v2", "valid"], ["shop", "v10", "valid"]];
    assert_eq!(outcomes(&seen), wanted);
    assert_eq!(lattice.wattle(["app", "list", "-o", "json"]).await.json(), json!([]));

    let first = import(&["shop"]).await.json();
    assert_eq!(outcomes(&first), [["shop", "v2", "stored"], ["shop", "v10", "stored"]]);
    let again = import(&["shop"]).await.json();
    assert_eq!(outcomes(&again), [["shop", "v2", "present"], ["shop", "v10", "present"]]);
    lattice.until_status("shop", "undeployed").await;

    let deployed = import(&["--deploy", "shop"]).await.json();
    assert_eq!(outcomes(&deployed), [["shop", "v2", "run"], ["shop", "v10", "present"]]);
    lattice.until_status("shop", "deployed").await;
    let history = lattice.wattle(["app", "history", "shop", "-o", "json"]).await.json();
    let runs: Vec<(&Value, &Value)> = history
        .as_array()
        .expect("a history is a list")
        .iter()
        .map(|of| (&of["version"], &of["deployed"]))
        .collect();
    assert_eq!(runs, [(&json!("v2"), &json!(true)), (&json!("v10"), &json!(false))]);

    let absent = import(&["nothing"]).await;
    assert!(absent.err.contains("wadm keeps no application nothing, but: old, shop"), "{absent:?}");
}

#[tokio::test]
async fn more_applications_than_an_answer_holds_are_brought_over_and_listed() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let names: Vec<String> = (0..230).map(|number| format!("app-{number:03}")).collect();
    let kept: Vec<(&str, String)> = names
        .iter()
        .map(|name| {
            let mut app = manifest(name, &[(name, "file:///absent.wasm", None)]);
            app["metadata"]["annotations"]["version"] = "v1".into();
            (name.as_str(), json!({"manifests": {"v1": app}, "deployed_version": null}).to_string())
        })
        .collect();
    keep(&lattice, &kept).await;
    let stored = lattice.wattle(["app", "import", "--from-wadm", "-o", "json"]).await.json();
    assert!(outcomes(&stored).iter().all(|[_, _, outcome]| *outcome == "stored"), "{stored}");
    let listed = lattice.wattle(["app", "list", "-o", "json"]).await.json();
    let listed: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|app| app["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(listed, names);
}
