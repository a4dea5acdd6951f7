//! Two people edit one application, each from a machine of their own; what they see of each other,
//! what changed, and the way back.

use std::ffi::OsString;

use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_tests::{Lattice, Said, guest, manifest};

/// A machine with keys of its own.
struct Desk {
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("make a folder for a person") }
    }

    async fn wattle(&self, lattice: &Lattice, arguments: &[&str]) -> Said {
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        all.extend(["--data-dir".into(), self.home.path().into()]);
        lattice.wattle(all).await
    }

    /// `wattle app deploy`, of a file of this desk.
    async fn deploy(&self, lattice: &Lattice, manifest: &Value, more: &[&str]) -> Said {
        let file = self.home.path().join("app.json");
        std::fs::write(&file, manifest.to_string()).expect("write a manifest");
        let file = file.to_str().expect("a temporary path is text");
        self.wattle(lattice, &[&["app", "deploy", "--no-wait", file], more].concat()).await
    }

    /// Who this person is, as others are told.
    fn key(&self) -> String {
        let seed = std::fs::read_to_string(self.home.path().join("operator.nk"));
        let seed = seed.expect("a key was made at the first change");
        let key = wattle_trust::KeyPair::from_seed(&seed).expect("it is one");
        key.public().to_string()
    }

    async fn history(&self, lattice: &Lattice) -> Vec<Value> {
        let said = self.wattle(lattice, &["app", "history", "shop", "-o", "json"]).await.json();
        said.as_array().expect("a history is a list").clone()
    }
}

fn version(image: &str, version: &str, instances: u32) -> Value {
    let mut app = manifest("shop", &[("hello", image, None)]);
    app["metadata"]["annotations"]["version"] = version.into();
    app["spec"]["components"][0]["traits"][0]["properties"]["instances"] = instances.into();
    app
}

fn deployed(history: &[Value]) -> Vec<&str> {
    let deployed = history.iter().filter(|of| of["deployed"] == true);
    deployed.filter_map(|of| of["version"].as_str()).collect()
}

#[tokio::test]
async fn two_people_who_edit_one_application_are_told_of_each_other_and_can_go_back() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let (ann, ben) = (Desk::new(), Desk::new());

    ann.deploy(&lattice, &version(&image, "v1", 1), &[]).await.fine();
    // Who never looked is not asked; who did, is told.
    ben.deploy(&lattice, &version(&image, "v2", 2), &[]).await.fine();
    let late = ann.deploy(&lattice, &version(&image, "v3", 3), &[]).await;
    assert_eq!(late.code, Some(1), "{late:?}");
    let told = format!("someone changed it: revision 2 by {}", ben.key());
    assert!(late.err.contains(&told), "{told}: {late:?}");
    let again = ann.deploy(&lattice, &version(&image, "v3", 3), &[]).await;
    assert!(again.err.contains(&told), "nobody looked meanwhile: {again:?}");
    for edit in [&["app", "undeploy", "shop"][..], &["app", "delete", "shop"]] {
        let refused = ann.wattle(&lattice, edit).await;
        assert!(refused.code == Some(1) && refused.err.contains(&told), "{refused:?}");
    }
    assert_eq!(deployed(&ben.history(&lattice).await), ["v2"]);

    // Who looks may go on.
    let history = ann.history(&lattice).await;
    let who: Vec<&Value> = history.iter().map(|of| &of["by"]).collect();
    assert_eq!(who, [&json!(ann.key()), &json!(ben.key())]);
    let table = ann.wattle(&lattice, &["app", "history", "shop"]).await.fine();
    assert!(table.contains(&ben.key()) && table.contains("REVISION"), "{table}");
    ann.deploy(&lattice, &version(&image, "v3", 3), &[]).await.fine();
    // So may who insists.
    let late = ben.deploy(&lattice, &version(&image, "v4", 4), &[]).await.complaint();
    assert!(late.contains(&format!("revision 3 by {}", ann.key())), "{late}");
    ben.deploy(&lattice, &version(&image, "v4", 4), &["--force"]).await.fine();

    // What changed, by lines.
    let diff = ben.wattle(&lattice, &["app", "diff", "shop", "v3", "v4"]).await.fine();
    let changed: Vec<&str> = diff.lines().filter(|line| !line.starts_with("  ")).collect();
    let words = |line: &&str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let changed: Vec<String> = changed.iter().map(words).collect();
    assert_eq!(changed.len(), 4, "{diff}");
    for line in ["- version: v3", "+ version: v4", "- instances: 3", "+ instances: 4"] {
        assert!(changed.iter().any(|changed| changed == line), "{line}: {diff}");
    }
    assert!(!diff.contains('\x1b'), "no terminal, no colours: {diff:?}");
    let none = ben.wattle(&lattice, &["app", "diff", "shop", "v3", "v9"]).await.complaint();
    assert!(none.contains("no version v9"), "{none}");

    // And the way back.
    ben.wattle(&lattice, &["app", "rollback", "shop"]).await.fine();
    assert_eq!(deployed(&ben.history(&lattice).await), ["v3"]);
    ben.wattle(&lattice, &["app", "rollback", "shop", "--to", "v1"]).await.fine();
    assert_eq!(deployed(&ben.history(&lattice).await), ["v1"]);
    ben.wattle(&lattice, &["app", "rollback", "shop"]).await.fine();
    assert_eq!(deployed(&ben.history(&lattice).await), ["v3"]);
    lattice.until_status("shop", "deployed").await;
    let late = ann.wattle(&lattice, &["app", "rollback", "shop"]).await.complaint();
    assert!(late.contains(&format!("revision 4 by {}", ben.key())), "{late}");
    for edit in ["history", "rollback", "diff"] {
        let none = ann.wattle(&lattice, &["app", edit, "none"]).await.complaint();
        assert!(none.contains("there is no application none"), "{edit}: {none}");
    }
}
