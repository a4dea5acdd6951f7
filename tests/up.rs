//! `wattle up` and `wattle down`: a lattice on one machine, by hand.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde_json::json;
use tempfile::TempDir;
use wattle_tests::{Look, Said, binary, free_address, get, guest, manifest, wait_until};

const WITHIN: Duration = Duration::from_secs(30);

/// A person whose lattice goes on in the background, and is ended whatever becomes of the story.
struct Person {
    home: TempDir,
    listener: SocketAddr,
}

impl Person {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), listener: free_address() }
    }

    async fn wattle(&self, arguments: &[&str]) -> Said {
        Said::by(self.home.path(), arguments).await
    }

    async fn up(&self) -> Said {
        let listener = self.listener.to_string();
        self.wattle(&["up", "--detach", "--http-addr", &listener, "--nats-port", "0"]).await
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let mut down = std::process::Command::new(binary());
        down.args(["down", "--data-dir"]).arg(self.home.path().join("wattle"));
        // It complains when the story has ended it already.
        let _ = down.output();
    }
}

#[tokio::test]
async fn a_lattice_comes_up_runs_what_is_deployed_and_goes_down() {
    let person = Person::new();
    let told = person.up().await.fine();
    assert!(told.contains(&format!("http://{}", person.listener)), "it says where: {told}");

    let component = person.file("counter.wasm", guest("http-counter").0);
    let signed = person.wattle(&["claims", "sign", component.to_str().unwrap()]).await.fine();
    let image = format!("file://{}", signed.trim());
    let app = manifest("visits", &[("counter", &image, Some("/"))]);
    let app = person.file("wattle.json", app.to_string());
    person.wattle(&["app", "deploy", app.to_str().unwrap()]).await.fine();
    let answer = get(person.listener, "/").await.unwrap();
    assert_eq!((answer.status, answer.count()), (200, Some(1)));
    let called = person.wattle(&["call", "visits-counter"]).await.fine();
    assert!(called.contains("\"visits\":2"), "{called}");

    let hosts = person.wattle(&["get", "hosts", "-o", "json"]).await.json();
    assert_eq!(hosts.as_array().map(Vec::len), Some(1), "{hosts}");
    let apps = person.wattle(&["app", "list", "-o", "json"]).await.json();
    assert_eq!(apps[0]["name"], "visits", "{apps}");
    person.wattle(&["app", "delete", "visits"]).await.fine();
    assert_eq!(person.wattle(&["app", "list", "-o", "json"]).await.json(), json!([]));

    person.wattle(&["down"]).await.fine();
    wait_until("nobody listens any more", WITHIN, async || {
        let answer = get(person.listener, "/").await;
        Look::some(answer.is_err().then_some(()), || format!("{answer:?}"))
    })
    .await;
    let complaint = person.wattle(&["get", "hosts"]).await.complaint();
    assert!(complaint.contains("wattle up"), "it says what helps: {complaint}");
}

#[tokio::test]
async fn a_second_lattice_of_the_same_person_is_refused() {
    let person = Person::new();
    person.up().await.fine();
    let complaint = person.up().await.complaint();
    assert!(complaint.contains("runs already"), "{complaint}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_at_once() {
    let person = Person::new();
    let _taken = std::net::TcpListener::bind(person.listener).unwrap();
    let complaint = person.up().await.complaint();
    assert!(complaint.contains(&person.listener.to_string()), "{complaint}");
}
