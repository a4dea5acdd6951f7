//! Reading all keys that begin alike, at one moment of the stream: one request, many answers.

use std::time::Duration;

use async_nats::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use wattle_types::{ActorId, Key};

use super::{JetStreamError, Store, Stored};
use crate::bucket::{Bucket, stored};

/// Every bucket has a lease soon after it is made, so that even where there is nothing under a
/// prefix there is an answer, which says how far the replica has come.
const ALWAYS_THERE: &str = "lease";
/// As many as a server gives for one request.
const AT_ONCE: usize = 1_000;

/// Which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `link.<source>.…`: all links of one actor.
    LinksOf(ActorId),
    /// `link.…`: all links.
    Links,
}

impl Prefix {
    fn filter(&self) -> String {
        match self {
            Self::LinksOf(source) => format!("link.{source}.>"),
            Self::Links => "link.>".to_owned(),
        }
    }
}

/// What was under a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Deleted ones are left out.
    pub found: Vec<(Key, Stored)>,
    /// The last sequence of the stream that whoever answered had then.
    pub up_to: u64,
}

impl Store {
    /// Reads what is under a prefix, from any replica, as it was at one moment.
    pub async fn read_prefix(&self, prefix: &Prefix) -> Result<Read, JetStreamError> {
        let within = self.config.read_within;
        let filter = prefix.filter();
        match last_of(&self.bucket, vec![filter.clone(), ALWAYS_THERE.to_owned()], within).await {
            // More keys than are given by a pattern are asked for by their names.
            Err(error) if error.code() == Some(TOO_MANY) => {}
            read => return read,
        }
        let mut all = Read { found: Vec::new(), up_to: u64::MAX };
        for keys in self.bucket.keys(&filter, within).await?.chunks(AT_ONCE) {
            let read = last_of(&self.bucket, keys.to_vec(), within).await?;
            all.found.extend(read.found);
            all.up_to = all.up_to.min(read.up_to);
        }
        Ok(all)
    }
}

const TOO_MANY: u64 = 413;

/// The newest message of each key, which may be patterns, in rounds of what is given at once.
async fn last_of(
    bucket: &Bucket,
    keys: Vec<String>,
    within: Duration,
) -> Result<Read, JetStreamError> {
    let subject = format!("$JS.API.DIRECT.GET.{}", bucket.stream());
    let subjects: Vec<String> = keys.iter().map(|key| bucket.subject(key)).collect();
    let mut request = json!({ "multi_last": subjects });
    let mut read = Read::default();
    loop {
        let asked = serde_json::to_vec(&request).expect("plain data is always JSON");
        let ends = |message: &async_nats::Message| message.status.is_some();
        let connection = bucket.connection();
        let answers =
            connection.request_many_raw(subject.clone(), asked.into(), within, ends).await;
        let mut answers = answers.map_err(|source| JetStreamError::Ask { source })?;
        let end = answers.pop().ok_or(JetStreamError::Incomplete("an end"))?;
        for message in answers {
            let headers = message.headers.as_ref();
            let subject = text(headers, "Nats-Subject");
            let key = subject.and_then(|subject| bucket.key(subject)?.parse::<Key>().ok());
            let value = stored(headers, message.payload)?;
            // What has another name was written by a newer version.
            if let Some(key @ Key::Link { .. }) = key
                && !value.deleted
            {
                read.found.push((key, value));
            }
        }
        match end.status {
            Some(StatusCode::NOT_FOUND) => return Ok(read),
            Some(status) if status.as_u16() == 204 => {}
            status => {
                let code = status.map_or(0, |status| u64::from(status.as_u16()));
                let description = end.description.unwrap_or_default();
                return Err(JetStreamError::Refused { code, description });
            }
        }
        let number = |name| text(end.headers.as_ref(), name).and_then(|text| text.parse().ok());
        let up_to: u64 =
            number("Nats-UpTo-Sequence").ok_or(JetStreamError::Incomplete("an end"))?;
        read.up_to = up_to;
        if number("Nats-Num-Pending").unwrap_or(0) == 0 {
            return Ok(read);
        }
        let last: u64 = number("Nats-Last-Sequence").ok_or(JetStreamError::Incomplete("a last"))?;
        request["seq"] = Value::from(last + 1);
        request["up_to_seq"] = Value::from(up_to);
    }
}

fn text<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    headers?.get(name).map(|value| value.as_str())
}
