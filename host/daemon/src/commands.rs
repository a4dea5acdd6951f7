//! Links and named configuration, as people and the 1.x clients put, delete and ask for them.
//!
//! *Expected flow*: of all hosts one answers each request. It changes one key on the condition
//! that nobody else did, and then says which sequence the hosts that run the source must see.
//! *Guarantees*: of two changes at once neither is lost; asking again for what is so changes
//! nothing. *Caveats*: after a time-out the change may or may not have happened. *Errors*: words in
//! the reply; what may be changed is decided by `wattle-agent`, in `links` and `configs`.

mod edit;
mod words;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use wattle_agent::{configs, links};
use wattle_lattice::ctl::{self, Accepted, Config, Envelope, Link, LinkKey};
use wattle_lattice::event::{CloudEvent, ConfigChanged, EventData, LinkdefDeleted};
use wattle_lattice::signal::Wake;
use wattle_lattice::store::{Prefix, StoreConfig};
use wattle_lattice::subject::ControlSubject;
use wattle_lattice::{Connection, Message, Store, Stored, Subject, Subscription};
use wattle_tasks::{CancellationToken, Chain};
use wattle_types::{ConfigName, ConfigRecord, HostId, Key, LinkRecord, Owner, Token, stored};

use edit::{EditError, Wanted, edit};

/// The clients wait 2 s for an answer.
const WITHIN: Duration = Duration::from_millis(1_800);
const READ_WITHIN: Duration = Duration::from_millis(900);
/// Requests worked on at once; more wait in the subscription.
const AT_ONCE: usize = 16;

/// One host's part in answering for all. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    own: HostId,
    connection: Connection,
    store: Store,
}

/// Why something was not done, in words for a person.
type Said<T> = Result<T, String>;

impl Commands {
    pub(crate) fn new(own: HostId, connection: Connection) -> Self {
        let config = StoreConfig { read_within: READ_WITHIN, ..StoreConfig::default() };
        let store = Store::new(connection.clone(), config);
        Self { own, connection, store }
    }

    /// Answers from one subscription, until `stop`.
    pub(crate) async fn serve(self, mut requests: Subscription, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let under_way = TaskTracker::new();
        while let Some(Some(message)) = stop.run_until_cancelled(requests.next()).await {
            let place = places.clone().acquire_owned().await;
            let place = place.expect("the semaphore of commands is never closed");
            let commands = self.clone();
            under_way.spawn(async move {
                commands.answer(&message).await;
                drop(place);
            });
        }
        under_way.close();
        under_way.wait().await;
    }

    async fn answer(&self, message: &Message) {
        let Subject::Control(control) = &message.subject else { return };
        let answer = tokio::time::timeout(WITHIN, self.carry_out(control, &message.payload));
        let answer = answer.await.unwrap_or_else(|_| {
            let late = "the control stream did not answer in time; it may or may not be done";
            ctl::encode(&Accepted::refused(late))
        });
        let Some(to) = &message.reply else { return };
        if let Err(error) = self.connection.respond(to, answer).await {
            tracing::warn!(%error, "a command could not be answered");
        }
    }

    async fn carry_out(&self, control: &ControlSubject, payload: &[u8]) -> Bytes {
        match control {
            ControlSubject::LinkGet => told(self.links().await.map(Envelope::with)),
            ControlSubject::LinkPut => told(self.put_link(payload).await.map(done)),
            ControlSubject::LinkDel => told(self.delete_link(payload).await.map(done)),
            ControlSubject::ConfigGet { name } => told(self.config(name).await),
            ControlSubject::ConfigPut { name } => {
                told(self.put_config(name, payload).await.map(done))
            }
            ControlSubject::ConfigDel { name } => told(self.delete_config(name).await.map(done)),
            _ => ctl::encode(&Accepted::unsupported()),
        }
    }

    async fn links(&self) -> Said<Vec<Link>> {
        let read = self.store.read_prefix(&Prefix::Links).await.map_err(said)?;
        let records = read.found.iter().filter_map(|(key, stored)| {
            let record = stored::decode::<LinkRecord>("a link", stored.value()?);
            record.inspect_err(|error| tracing::warn!(%key, %error, "passed over")).ok()
        });
        Ok(records.flat_map(|record| words::links(&record).collect::<Vec<_>>()).collect())
    }

    async fn put_link(&self, payload: &[u8]) -> Said<()> {
        let link: Link = ctl::decode_command(payload).map_err(said)?;
        let wanted = words::record(&link).map_err(said)?;
        for target in &wanted.targets {
            for config in target.source_config.iter().chain(&target.target_config) {
                self.config_exists(config).await?;
            }
        }
        let key = wanted.key();
        let changed = self.edit(&key, |found: Option<LinkRecord>| {
            let change = if link.replace { links::replace } else { links::put };
            let record = change(found.as_ref(), wanted.clone(), &Owner::Manual)?;
            Ok(if found.as_ref() == Some(&record) {
                Wanted::Same
            } else {
                Wanted::Put(stored::encode(&record))
            })
        });
        if let Some(seq) = changed.await? {
            self.say(&Subject::Relink { source: wanted.source }, Wake::new(seq).encode()).await;
            self.tell(EventData::LinkdefSet(Link { replace: false, ..link })).await;
        }
        Ok(())
    }

    async fn delete_link(&self, payload: &[u8]) -> Said<()> {
        let named: LinkKey = ctl::decode_command(payload).map_err(said)?;
        let key = words::key(&named).map_err(said)?;
        let changed = self.edit(&key, |found: Option<LinkRecord>| {
            Ok(deleted(links::delete(found.as_ref(), &Owner::Manual)?))
        });
        if let Some(seq) = changed.await? {
            let Key::Link { source, .. } = key else { unreachable!("it is the key of a link") };
            self.say(&Subject::Relink { source }, Wake::new(seq).encode()).await;
            let data = LinkdefDeleted { key: named, target: None, interfaces: None };
            self.tell(EventData::LinkdefDeleted(data)).await;
        }
        Ok(())
    }

    /// A success without a map if there is none.
    async fn config(&self, name: &Token) -> Said<Envelope<Config>> {
        let key = Key::Config(name.clone().into());
        let found = self.store.read_leader(&key).await.map_err(said)?;
        let Some(value) = found.as_ref().and_then(Stored::value) else {
            return Ok(Envelope::accepted(""));
        };
        let record: ConfigRecord = stored::decode("a config", value).map_err(said)?;
        Ok(Envelope::with(record.values))
    }

    async fn put_config(&self, name: &Token, payload: &[u8]) -> Said<()> {
        let values: Config = ctl::decode_command(payload).map_err(said)?;
        let wanted = ConfigRecord::new(name.clone().into(), values, Owner::Manual);
        let key = Key::Config(wanted.name.clone());
        let changed = self.edit(&key, |found: Option<ConfigRecord>| {
            let record = configs::put(found.as_ref(), wanted.clone(), &Owner::Manual)?;
            Ok(if found.as_ref() == Some(&record) {
                Wanted::Same
            } else {
                Wanted::Put(stored::encode(&record))
            })
        });
        if let Some(seq) = changed.await? {
            self.config_changed(wanted.name, seq).await;
            let data = ConfigChanged { config_name: name.to_string() };
            self.tell(EventData::ConfigSet(data)).await;
        }
        Ok(())
    }

    async fn delete_config(&self, name: &Token) -> Said<()> {
        let key = Key::Config(name.clone().into());
        let changed = self.edit(&key, |found: Option<ConfigRecord>| {
            Ok(deleted(configs::delete(found.as_ref(), &Owner::Manual)?))
        });
        if let Some(seq) = changed.await? {
            self.config_changed(name.clone().into(), seq).await;
            let data = ConfigChanged { config_name: name.to_string() };
            self.tell(EventData::ConfigDeleted(data)).await;
        }
        Ok(())
    }

    async fn config_changed(&self, name: ConfigName, seq: u64) {
        self.say(&Subject::ConfigChanged { name }, Wake::new(seq).encode()).await;
    }

    async fn config_exists(&self, name: &ConfigName) -> Said<()> {
        let found = self.store.read_leader(&Key::Config(name.clone())).await.map_err(said)?;
        match found.as_ref().and_then(Stored::value) {
            Some(_) => Ok(()),
            None => Err(format!("the link refers to config {name}, which does not exist")),
        }
    }

    /// Changes one record. What is stored there and cannot be read is not overwritten.
    async fn edit<T: DeserializeOwned>(
        &self,
        key: &Key,
        decide: impl Fn(Option<T>) -> Result<Wanted, Unwanted>,
    ) -> Said<Option<u64>> {
        let changed = edit(&self.store, key, |value: Option<&[u8]>| {
            let found = value.map(|bytes| stored::decode("what is stored", bytes)).transpose();
            decide(found.map_err(Unwanted::Unreadable)?)
        });
        match changed.await {
            Ok(changed) => Ok(changed),
            Err(EditError::Refused(why)) => Err(said(why)),
            Err(error) => Err(said(error)),
        }
    }

    async fn say(&self, subject: &Subject, payload: Bytes) {
        if let Err(error) = self.connection.publish(subject, payload).await {
            tracing::debug!(?subject, %error, "not said; whoever it concerns looks by itself");
        }
    }

    async fn tell(&self, data: EventData) {
        let subject = Subject::Event(data.name());
        self.say(&subject, CloudEvent::new(self.own, data, SystemTime::now()).encode()).await;
    }
}

/// Why a record is not changed.
#[derive(Debug, thiserror::Error)]
enum Unwanted {
    #[error("it was stored by a newer version")]
    Unreadable(#[source] stored::Error),
    #[error(transparent)]
    Link(#[from] links::LinkRefusal),
    #[error(transparent)]
    Config(#[from] configs::ConfigRefusal),
}

const fn deleted(is_there: bool) -> Wanted {
    if is_there { Wanted::Delete } else { Wanted::Same }
}

fn said(error: impl std::error::Error + 'static) -> String {
    Chain(&error).to_string()
}

fn done((): ()) -> Accepted {
    Accepted::accepted("")
}

fn told<T: serde::Serialize>(answer: Said<Envelope<T>>) -> Bytes {
    match answer {
        Ok(answer) => ctl::encode(&answer),
        Err(why) => ctl::encode(&Accepted::refused(why)),
    }
}
