//! A stream whose subjects are keys: what the control stream and the data stream have in common.
//!
//! Same layout as a NATS KV bucket (`KV_<name>`, `$KV.<name>.<key>`, deletions as markers), so
//! that the ordinary tools can look inside. Created here, since the client's own KV cannot ask
//! for atomic batches.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Connection;
use crate::jetstream::{self, JetStreamError, code};

pub(crate) const OPERATION: &str = "KV-Operation";
pub(crate) const DELETED: &str = "DEL";
pub(crate) const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// The oldest nats-server that knows atomic batches.
const SERVER_MIN: (i64, i64) = (2, 12);

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    #[error("nats-server {found} is too old; 2.12 or newer is needed for atomic batches")]
    ServerTooOld { found: String },
    #[error("could not create or read stream {stream}")]
    JetStream { stream: String, source: JetStreamError },
    #[error("stream {stream} exists with other settings: {setting} is {found}, not {expected}")]
    OtherSettings { stream: String, setting: &'static str, found: String, expected: String },
}

/// A value as it is stored now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub bytes: Bytes,
    /// Of the stream: what a compare-and-set names, also for a deleted key.
    pub seq: u64,
    /// A marker is stored in place of a value; its sequence still counts.
    pub deleted: bool,
}

impl Stored {
    /// The bytes, unless the key was deleted.
    pub fn value(&self) -> Option<&Bytes> {
        (!self.deleted).then_some(&self.bytes)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    connection: Connection,
    name: String,
}

impl Bucket {
    pub(crate) fn new(connection: Connection, name: String) -> Self {
        Self { connection, name }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn stream(&self) -> String {
        format!("KV_{}", self.name)
    }

    /// The subject of a key. Keys are built from checked names and encoded text only.
    pub(crate) fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name)
    }

    /// The key of a subject in this bucket.
    pub(crate) fn key<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix("$KV.")?.strip_prefix(&self.name)?.strip_prefix('.')
    }

    /// Creates the stream if it is not there, and refuses one that would not keep its promises.
    pub(crate) async fn ensure(
        &self,
        replicas: u8,
        atomic: bool,
        within: Duration,
    ) -> Result<(), EnsureError> {
        let (major, minor) = SERVER_MIN;
        if !self.connection.server_is_at_least(major, minor, 0) {
            return Err(EnsureError::ServerTooOld { found: self.connection.server_version() });
        }
        let stream = self.stream();
        let wanted = json!({
            "name": stream,
            "description": "wattle",
            "subjects": [self.subject(">")],
            "retention": "limits",
            "storage": "file",
            "num_replicas": replicas,
            "max_msgs_per_subject": 1,
            "discard": "new",
            "allow_direct": true,
            "allow_atomic": atomic,
            "allow_rollup_hdrs": true,
            "deny_delete": true,
        });
        let create = format!("STREAM.CREATE.{stream}");
        let failed = |source| EnsureError::JetStream { stream: stream.clone(), source };
        match jetstream::ask::<Value>(&self.connection, &create, &wanted, within).await {
            Ok(_created) => return Ok(()),
            // Somebody created it before, perhaps with more replicas, or is doing so now.
            Err(error) if error.code() == Some(code::STREAM_EXISTS) => {}
            Err(error) => return Err(failed(error)),
        }
        let info: Value = self.info(&json!({}), within).await.map_err(failed)?;
        let found = &info["config"];
        for setting in
            ["subjects", "storage", "max_msgs_per_subject", "allow_direct", "allow_atomic"]
        {
            // A setting that is off may be left out.
            let is = if found[setting].is_null() { json!(false) } else { found[setting].clone() };
            if is != wanted[setting] {
                return Err(EnsureError::OtherSettings {
                    stream: self.stream(),
                    setting,
                    found: is.to_string(),
                    expected: wanted[setting].to_string(),
                });
            }
        }
        Ok(())
    }

    pub(crate) async fn info<T: serde::de::DeserializeOwned>(
        &self,
        body: &Value,
        within: Duration,
    ) -> Result<T, JetStreamError> {
        let tail = format!("STREAM.INFO.{}", self.stream());
        jetstream::ask(&self.connection, &tail, body, within).await
    }

    /// Reads from the stream's leader: the newest that is stored, whatever replicas know.
    pub(crate) async fn read_leader(
        &self,
        key: &str,
        within: Duration,
    ) -> Result<Option<Stored>, JetStreamError> {
        #[derive(Deserialize)]
        struct Got {
            message: Raw,
        }
        #[derive(Deserialize)]
        struct Raw {
            seq: u64,
            #[serde(default)]
            hdrs: String,
            #[serde(default)]
            data: String,
        }
        let tail = format!("STREAM.MSG.GET.{}", self.stream());
        let body = json!({ "last_by_subj": self.subject(key) });
        let raw = match jetstream::ask::<Got>(&self.connection, &tail, &body, within).await {
            Ok(got) => got.message,
            Err(error) if error.code() == Some(code::NO_MESSAGE) => return Ok(None),
            Err(error) => return Err(error),
        };
        let decode = |text: &str, what| {
            BASE64.decode(text.as_bytes()).map_err(|_| JetStreamError::Incomplete(what))
        };
        let headers = decode(&raw.hdrs, "headers in base64")?;
        let bytes = decode(&raw.data, "data in base64")?.into();
        Ok(Some(Stored { bytes, seq: raw.seq, deleted: holds_marker(&headers) }))
    }

    /// Reads from any replica, which may be behind the leader.
    pub(crate) async fn read_direct(
        &self,
        key: &str,
        within: Duration,
    ) -> Result<Option<Stored>, JetStreamError> {
        let subject = format!("$JS.API.DIRECT.GET.{}.{}", self.stream(), self.subject(key));
        let asked = self.connection.request_raw(subject, HeaderMap::new(), Bytes::new(), within);
        let answer = asked.await.map_err(|source| JetStreamError::Ask { source })?;
        match answer.status {
            None => stored(answer.headers.as_ref(), answer.payload).map(Some),
            Some(async_nats::StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => Err(JetStreamError::Refused {
                code: u64::from(status.as_u16()),
                description: answer.description.unwrap_or_default(),
            }),
        }
    }

    /// All keys that match `filter`, deleted ones included, in order.
    pub(crate) async fn keys(
        &self,
        filter: &str,
        within: Duration,
    ) -> Result<Vec<String>, JetStreamError> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            total: usize,
            state: State,
        }
        #[derive(Deserialize)]
        struct State {
            #[serde(default)]
            subjects: std::collections::BTreeMap<String, u64>,
        }
        let mut keys = std::collections::BTreeSet::new();
        loop {
            let body = json!({ "subjects_filter": self.subject(filter), "offset": keys.len() });
            let info: Info = self.info(&body, within).await?;
            let before = keys.len();
            let here = info.state.subjects.keys().filter_map(|subject| self.key(subject));
            keys.extend(here.map(str::to_owned));
            if info.total <= keys.len() || keys.len() == before {
                return Ok(keys.into_iter().collect());
            }
        }
    }

    /// Removes everything stored under `filter`, markers included: nobody who follows sees it.
    pub(crate) async fn purge(&self, filter: &str, within: Duration) -> Result<(), JetStreamError> {
        let tail = format!("STREAM.PURGE.{}", self.stream());
        let body = json!({ "filter": self.subject(filter) });
        jetstream::ask::<Value>(&self.connection, &tail, &body, within).await.map(drop)
    }
}

/// What a direct get, or a consumer, gives for one message of the stream.
pub(crate) fn stored(headers: Option<&HeaderMap>, bytes: Bytes) -> Result<Stored, JetStreamError> {
    let header = |name: &str| headers.and_then(|all| all.get(name));
    let seq = header("Nats-Sequence").and_then(|value| value.as_str().parse().ok());
    let seq = seq.ok_or(JetStreamError::Incomplete("a sequence"))?;
    Ok(Stored { bytes, seq, deleted: is_marker(headers) })
}

/// Whether these headers say that the key was deleted, by us, by a purge or by expiry.
pub(crate) fn is_marker(headers: Option<&HeaderMap>) -> bool {
    let has = |name: &str| headers.is_some_and(|all| all.get(name).is_some());
    has(OPERATION) || has("Nats-Marker-Reason")
}

/// The same of headers as bytes.
fn holds_marker(headers: &[u8]) -> bool {
    let text = String::from_utf8_lossy(headers);
    text.lines().any(|line| {
        let name = line.split(':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(OPERATION) || name.eq_ignore_ascii_case("Nats-Marker-Reason")
    })
}
