//! The examples do what their pages say, as they lie in the repository.

use std::{fs, path::Path, time::Duration};

use wattle_tests::{Answer, Lattice, Look, get, guest, wait_until};

const WITHIN: Duration = Duration::from_secs(60);

/// Deploys an example by its own manifest, with its components signed beside it.
async fn deployed(example: &str, components: &[&str]) -> Lattice {
    let lattice = Lattice::start(&[("one", "a"), ("two", "b")]).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is in the root");
    let manifest = root.join("examples").join(example).join("wattle.yaml");
    let manifest =
        lattice.file("wattle.yaml", fs::read(manifest).expect("an example has a manifest"));
    for component in components {
        lattice.signed(component, &guest(component));
    }
    let words = ["app".as_ref(), "deploy".as_ref(), manifest.as_os_str()];
    lattice.wattle(words).await.fine();
    lattice
}

async fn until_answered(lattice: &Lattice, host: &str, path: &str, status: u16) -> Answer {
    let door = lattice.host(host).listener;
    wait_until(&format!("{path} is answered with {status}"), WITHIN, async || {
        let answer = get(door, path).await;
        let met = answer.as_ref().ok().filter(|answer| answer.status == status).cloned();
        Look::some(met, || format!("{answer:?}; {}", lattice.logs()))
    })
    .await
}

#[tokio::test]
async fn http_counter_counts() {
    let lattice = deployed("http-counter", &["http-counter"]).await;
    assert_eq!(
        until_answered(&lattice, "one", "/a%20b", 200).await.body,
        r#"{"path":"/a b","visits":1}"#
    );
    assert_eq!(until_answered(&lattice, "two", "/a%20b", 200).await.count(), Some(2));
}

#[tokio::test]
async fn two_actors_greet_together() {
    let lattice = deployed("two-actors", &["two-actors-front", "two-actors-greeter"]).await;
    for host in ["one", "two"] {
        let greeted = until_answered(&lattice, host, "/?name=Ada&language=fr", 200).await;
        assert_eq!(greeted.body, "Bonjour, Ada!\n");
    }
    let answer = until_answered(&lattice, "one", "/?name=Ada&language=tlh", 502).await;
    assert_eq!(answer.body, "I speak none of tlh\n");

    let links = lattice.wattle(["link", "query", "two_actors-front"]).await.fine();
    assert!(links.contains("bound") && links.contains("two_actors-greeter"), "{links}");
    let visitor = r#"{name: "Ada", languages: ["eo"]}"#;
    let greet = "example:greetings/greeter.greet";
    let said = lattice.wattle(["call", "two_actors-greeter", greet, visitor]).await.fine();
    assert_eq!(said, "ok(\"Saluton, Ada!\")\n");
}

#[tokio::test]
async fn two_generations_shout_what_they_count() {
    let components = ["two-generations-front", "two-generations-shouter", "http-counter"];
    let lattice = deployed("two-generations", &components).await;
    for (n, host) in ["one", "two", "one", "two"].into_iter().enumerate() {
        let answer = until_answered(&lattice, host, "/hello", 200).await;
        assert_eq!(answer.body, format!(r#"{{"PATH":"/HELLO","VISITS":{}}}"#, n + 1));
    }
    let visits = lattice.wattle(["get", "inventory"]).await.fine();
    assert!(visits.contains("two_generations-shouter"), "{visits}");
}
