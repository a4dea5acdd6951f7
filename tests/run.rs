//! `wattle run`: the first minute of a new user.

use std::{net::SocketAddr, time::Duration};

use tempfile::TempDir;
use wattle_tests::{Component, Look, Process, Said, binary, free_address, get, guest, wait_until};
use wattle_trust::KeyPair;
use wattle_types::Role;

const UP_WITHIN: Duration = Duration::from_secs(60);

/// A person with an empty home and one file.
struct Newcomer {
    home: TempDir,
    file: String,
}

impl Newcomer {
    fn with(component: &Component) -> Self {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("hello.wasm");
        std::fs::write(&file, &component.0).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self { home, file }
    }

    fn data_dir(&self) -> String {
        self.home.path().join("data").to_str().unwrap().to_owned()
    }

    fn serves_at(&self, address: SocketAddr) -> Process {
        let address = address.to_string();
        let arguments = ["run", &self.file, "--addr", &address, "--data-dir", &self.data_dir()];
        Process::start("run", binary(), &arguments.map(str::to_owned), self.home.path())
    }

    /// What `wattle run` says of a file that it refuses.
    async fn refused(&self) -> String {
        let address = free_address().to_string();
        let arguments = ["run", &self.file, "--addr", &address, "--data-dir", &self.data_dir()];
        Said::by(self.home.path(), arguments).await.complaint()
    }
}

async fn count_at(address: SocketAddr, process: &Process) -> u64 {
    let answer =
        wait_until("the component answers", UP_WITHIN, async || match get(address, "/").await {
            Ok(answer) if answer.status == 200 => Look::Met(answer),
            other => Look::NotYet(format!("{other:?}; {}", process.log())),
        });
    answer.await.count().expect("the example answers with a count")
}

#[tokio::test]
async fn a_file_without_a_signature_is_signed_and_served_and_it_says_so() {
    let newcomer = Newcomer::with(&guest("http-counter"));
    let address = free_address();
    let process = newcomer.serves_at(address);
    process.says("is not signed; signed it with the local key", UP_WITHIN).await;
    process.says(&format!("http://{address}"), UP_WITHIN).await;
    assert_eq!(count_at(address, &process).await, 1);
    assert_eq!(count_at(address, &process).await, 2);
}

#[tokio::test]
async fn what_was_counted_is_there_after_a_restart() {
    let newcomer = Newcomer::with(&guest("http-counter"));
    let address = free_address();
    let mut process = newcomer.serves_at(address);
    assert_eq!(count_at(address, &process).await, 1);
    process.signal(rustix::process::Signal::TERM);
    assert!(process.end(UP_WITHIN).await.success(), "{}", process.log());
    let process = newcomer.serves_at(address);
    assert_eq!(count_at(address, &process).await, 2);
}

#[tokio::test]
async fn a_signature_of_somebody_not_trusted_is_refused() {
    let stranger = KeyPair::generate(Role::Account).unwrap();
    let newcomer = Newcomer::with(&guest("http-counter").signed("counter", &stranger));
    let complaint = newcomer.refused().await;
    assert!(complaint.contains("WT-TRUST-ISSUER-UNKNOWN"), "{complaint}");
    assert!(
        complaint.contains(&stranger.public().to_string()),
        "it names the stranger: {complaint}"
    );
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_its_reason() {
    for (component, code) in [
        (Component::core_module(), "WT-TRUST-CORE-MODULE"),
        (Component::no_wasm(), "WT-TRUST-NOT-WASM"),
    ] {
        let complaint = Newcomer::with(&component).refused().await;
        assert!(complaint.contains(code), "{complaint}");
    }
}

#[tokio::test]
async fn an_import_that_nobody_provides_is_named() {
    let complaint = Newcomer::with(&Component::with_unknown_import()).refused().await;
    assert!(complaint.contains(wattle_tests::UNKNOWN_IMPORT), "{complaint}");
    assert!(complaint.contains("wac plug"), "it says the way out: {complaint}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let newcomer = Newcomer::with(&guest("http-counter"));
    let arguments = ["run", &newcomer.file, "--addr", &address, "--data-dir", &newcomer.data_dir()];
    let complaint = Said::by(newcomer.home.path(), arguments).await.complaint();
    assert!(complaint.contains(&address), "{complaint}");
}
