//! A lattice for one test: a nats-server, controllers, a client that speaks wadm.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wattle_controller::{ControllerConfig, RunError};
use wattle_lattice::store::StoreConfig;
use wattle_lattice::subject::{AppSubject, ControllerOp};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::wadm::headers;
use wattle_lattice::{
    ConnectConfig, Connection, Expect, Reply, Store, Subject, Write, WriteOutcome,
};
use wattle_trust::KeyPair;
use wattle_types::{AppName, Key, LatticeId, Lease, Role, stored};

use crate::fake_host::FakeHost;

pub(crate) struct Lattice {
    pub(crate) nats: NatsServer,
    pub(crate) id: LatticeId,
    pub(crate) key: KeyPair,
    pub(crate) client: Connection,
    pub(crate) store: Store,
    data: TempDir,
}

/// One controller in this process.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    /// Ends it as SIGTERM would.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        ended.expect("a controller leaves in time").expect("it does not panic").expect("in order");
    }

    /// Ends it as SIGKILL would: the lease stays as it is.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Lattice {
    pub(crate) async fn start() -> Self {
        let nats = NatsServer::start();
        let id: LatticeId = "test".parse().unwrap();
        let config = ConnectConfig::client(nats.url(), id.clone());
        let client = Connection::connect(config, |_| {}).await.unwrap();
        let store = Store::new(client.clone(), StoreConfig::default());
        let key = KeyPair::generate(Role::Cluster).unwrap();
        Self { nats, id, key, client, store, data: tempfile::tempdir().unwrap() }
    }

    /// Starts a controller; one of the same name finds the memory of the one before.
    pub(crate) fn controller(&self, name: &str) -> Running {
        self.controller_in(name, name)
    }

    /// Starts a controller whose memory is in this folder.
    pub(crate) fn controller_in(&self, name: &str, folder: &str) -> Running {
        let config = ControllerConfig::new(
            self.id.clone(),
            self.nats.url(),
            name.parse().unwrap(),
            self.key.clone(),
            self.data.path().join(folder),
        );
        let stop = CancellationToken::new();
        let task = tokio::spawn(wattle_controller::run(config, stop.clone()));
        Running { stop, task }
    }

    pub(crate) async fn host(&self, index: u8, labels: &[(&str, &str)]) -> FakeHost {
        FakeHost::join(&self.nats, &self.id, self.key.public(), index, labels).await
    }

    /// Asks the application API until somebody answers who need not be asked again.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        op: AppSubject,
        body: impl Into<Bytes>,
    ) -> T {
        read(&self.asked(&Subject::App(op), &[], body).await)
    }

    /// The same of one controller, with headers.
    pub(crate) async fn ask_one(
        &self,
        name: &str,
        op: AppSubject,
        extra: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let subject = Subject::Controller { name: name.parse().unwrap(), op: ControllerOp::App };
        let op = op.to_string();
        let extra = [extra, &[(headers::OPERATION, op.as_str())]].concat();
        self.asked(&subject, &extra, body).await
    }

    pub(crate) async fn asked(
        &self,
        subject: &Subject,
        extra: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let body = body.into();
        until("a controller answers", async || {
            let within = Duration::from_secs(2);
            let reply =
                self.client.request_with(subject, extra, body.clone(), within).await.ok()?;
            reply.headers.get(headers::AGAIN).is_none().then_some(reply)
        })
        .await
    }

    pub(crate) async fn put_and_deploy(&self, app: &str, version: &str, traits: &str) {
        let put: Value = self.ask(AppSubject::Put, manifest(app, version, traits)).await;
        assert!(put["result"] == "created" || put["result"] == "newversion", "{put}");
        let deployed: Value = self.ask(AppSubject::Deploy { app: name(app) }, "").await;
        assert_eq!(deployed["result"], "acknowledged", "{deployed}");
    }

    /// Waits until the application's status is of this type.
    pub(crate) async fn until_status(&self, app: &str, kind: &str) -> Value {
        until(kind, async || {
            let reply: Value = self.ask(AppSubject::Status { app: name(app) }, "").await;
            (reply["status"]["status"]["type"] == kind).then_some(reply)
        })
        .await
    }

    pub(crate) async fn lease(&self) -> Option<(u64, Lease)> {
        let found = self.store.read_leader(&Key::Lease).await.ok()??;
        Some((found.seq, stored::decode("the lease", found.value()?).unwrap()))
    }

    /// Waits until somebody of this name leads.
    pub(crate) async fn until_leads(&self, holder: &str) -> Lease {
        until("the lease has its holder", async || {
            let (_, lease) = self.lease().await?;
            (lease.holder.as_deref() == Some(holder)).then_some(lease)
        })
        .await
    }

    /// Takes the lease from whoever has it, as another controller would.
    pub(crate) async fn depose(&self) -> Lease {
        until("the lease is taken", async || {
            let (seq, mut lease) = self.lease().await?;
            (lease.holder, lease.boot, lease.epoch) =
                (Some("other".to_owned()), 1, lease.epoch.next());
            let write = Write::put(Key::Lease, stored::encode(&lease), Expect::Revision(seq));
            matches!(self.store.write(&write).await, WriteOutcome::Ok(_)).then_some(lease)
        })
        .await
    }
}

pub(crate) fn read<T: DeserializeOwned>(reply: &Reply) -> T {
    serde_json::from_slice(&reply.payload)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&reply.payload)))
}

pub(crate) fn name(app: &str) -> AppName {
    app.parse().unwrap()
}

/// One component with the application's own name as its id.
pub(crate) fn manifest(app: &str, version: &str, traits: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {app}\n  \
         annotations: {{version: {version}}}\nspec:\n  components:\n    - name: main\n      type: \
         component\n      properties: {{image: 'file:///{app}.wasm', id: {app}}}\n      traits: \
         [{traits}]\n"
    )
}

/// Repeats a look until it finds something.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), found).await {
        Ok(found) => found,
        Err(_) => panic!("not in time: {what}"),
    }
}
