//! One operation on a key-value store, as its arguments say; the outcome as text.

use crate::Query;
use crate::bindings::wasi::keyvalue::store::{self, Bucket};
use crate::bindings::wasi::keyvalue::{atomics, batch};

/// `store`, `op`, `key` (several for batches), `value`, `delta`, `cursor`.
pub(crate) fn operate(query: &Query) -> String {
    let name = if query.has("store") { query.text("store") } else { "default" };
    match store::open(name) {
        Ok(bucket) => on(&bucket, query),
        Err(error) => format!("{error:?}"),
    }
}

fn on(bucket: &Bucket, query: &Query) -> String {
    let key = query.text("key");
    let value = query.text("value").as_bytes();
    match query.text("op") {
        "get" => format!("{:?}", bucket.get(key).map(|value| value.map(text))),
        "set" => format!("{:?}", bucket.set(key, value)),
        "set-of" => format!("{:?}", bucket.set(key, &vec![7; query.number("bytes") as usize])),
        "delete" => format!("{:?}", bucket.delete(key)),
        "exists" => format!("{:?}", bucket.exists(key)),
        "increment" => format!("{:?}", atomics::increment(bucket, key, query.number("delta"))),
        "list" => {
            let cursor = query.has("cursor").then(|| query.number("cursor"));
            let page = bucket.list_keys(cursor).map(|mut page| {
                page.keys.sort();
                (page.keys, page.cursor)
            });
            format!("{page:?}")
        }
        "get-many" => {
            let values = batch::get_many(bucket, &query.all("key"));
            let pair = |(key, value): (String, Vec<u8>)| (key, text(value));
            let values = values
                .map(|values| values.into_iter().map(|entry| entry.map(pair)).collect::<Vec<_>>());
            format!("{values:?}")
        }
        "set-many" => {
            let entries = query.all("key").into_iter().map(|key| (key, value.to_vec()));
            format!("{:?}", batch::set_many(bucket, &entries.collect::<Vec<_>>()))
        }
        "delete-many" => format!("{:?}", batch::delete_many(bucket, &query.all("key"))),
        other => format!("no such operation: {other}"),
    }
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}
