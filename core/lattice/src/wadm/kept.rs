//! What a wadm 0.21 keeps of the applications of a lattice: one JSON value for each, in a key-value
//! bucket, and one with all their names.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::Connection;
use crate::bucket::Bucket;
use crate::jetstream::JetStreamError;

/// The bucket, unless that wadm was told another one.
pub const BUCKET: &str = "wadm_manifests";

/// One application.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptApp {
    pub name: String,
    /// The versions, oldest first; each with its manifest as it was put.
    pub versions: Vec<(String, Value)>,
    /// Which of them it runs.
    pub deployed: Option<String>,
}

/// Why what a wadm keeps cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    #[error("there is no bucket {bucket}: no wadm stored its applications on this NATS server")]
    NoBucket { bucket: String },
    #[error("could not read {key} in bucket {bucket}")]
    Read { bucket: String, key: String, source: JetStreamError },
    #[error("{key} in bucket {bucket} is not what wadm 0.21 stores")]
    Malformed { bucket: String, key: String, source: serde_json::Error },
}

/// The applications that a wadm keeps for the lattice of `connection`, by name. `within` is for each
/// question to the server.
pub async fn read(
    connection: &Connection,
    bucket: &str,
    within: Duration,
) -> Result<Vec<KeptApp>, KeptError> {
    let kept = Kept { bucket: Bucket::new(connection.clone(), bucket.to_owned()), within };
    let lattice = connection.lattice();
    let mut names: Vec<String> = kept.value(&lattice.to_string()).await?.unwrap_or_default();
    names.sort_unstable();
    names.dedup();
    let mut apps = Vec::new();
    for name in names {
        let stored: Option<StoredApp> = kept.value(&format!("{lattice}-{name}")).await?;
        // Its name is taken out of the list after it.
        let Some(StoredApp { manifests, deployed_version }) = stored else { continue };
        apps.push(KeptApp { name, versions: manifests.0, deployed: deployed_version });
    }
    Ok(apps)
}

struct Kept {
    bucket: Bucket,
    within: Duration,
}

impl Kept {
    async fn value<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, KeptError> {
        let bucket = || self.bucket.name().to_owned();
        let stored = match self.bucket.read_leader(key, self.within).await {
            Ok(stored) => stored,
            Err(error) if error.is_no_stream() => {
                return Err(KeptError::NoBucket { bucket: bucket() });
            }
            Err(source) => {
                return Err(KeptError::Read { bucket: bucket(), key: key.to_owned(), source });
            }
        };
        let Some(stored) = stored.as_ref().and_then(|stored| stored.value()) else {
            return Ok(None);
        };
        let read = serde_json::from_slice(stored);
        let malformed = |source| KeptError::Malformed { bucket: bucket(), key: key.into(), source };
        read.map(Some).map_err(malformed)
    }
}

#[derive(Deserialize)]
struct StoredApp {
    manifests: InOrder,
    #[serde(default)]
    deployed_version: Option<String>,
}

/// An object whose members have an order: that in which they were put.
struct InOrder(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("manifests by their version")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(InOrder(members))
            }
        }

        from.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_keep_the_order_in_which_they_were_put() {
        let text = r#"{"manifests":{"v2":{"kind":"Application"},"v10":{},"v1":{}},
            "deployed_version":"v10"}"#;
        let stored: StoredApp = serde_json::from_str(text).unwrap();
        let versions: Vec<&str> =
            stored.manifests.0.iter().map(|(version, _)| version.as_str()).collect();
        assert_eq!(versions, ["v2", "v10", "v1"]);
        assert_eq!(stored.manifests.0[0].1, json!({"kind": "Application"}));
        assert_eq!(stored.deployed_version.as_deref(), Some("v10"));
    }

    #[test]
    fn what_is_not_deployed_says_so_and_other_shapes_are_refused() {
        let idle: StoredApp =
            serde_json::from_str(r#"{"manifests":{},"deployed_version":null}"#).unwrap();
        assert_eq!(idle.deployed_version, None);
        assert!(serde_json::from_str::<StoredApp>(r#"{"manifests":[]}"#).is_err());
        assert!(serde_json::from_str::<StoredApp>("{}").is_err());
    }
}
