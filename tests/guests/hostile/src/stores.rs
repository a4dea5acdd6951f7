//! Guests that misuse the key-value store.

use std::hint::black_box;
use std::mem;

use crate::bindings::wasi::keyvalue::store::{self, Bucket, Error};
use crate::bindings::wasi::keyvalue::{atomics, batch};

fn bucket() -> Bucket {
    store::open("default").expect("a store opens")
}

pub(crate) fn a_value_of_2_mib() -> String {
    told(&bucket().set("large", &vec![7; 2 << 20]))
}

pub(crate) fn a_value_of_8_mib() -> String {
    told(&bucket().set("larger", &vec![7; 8 << 20]))
}

/// Keys that would break a subject, a path or a query if they were used as one.
pub(crate) fn strange_keys() -> String {
    let long = "k".repeat(2_000);
    let strange =
        ["a.b", "*", ">", "../../etc", "a b", "a\0b", "a\r\nb", "$JS.API", "\u{202e}", &long];
    let bucket = bucket();
    let kept = strange.iter().filter(|key| {
        let set = bucket.set(key, key.as_bytes());
        set.is_ok() && bucket.get(key).ok().flatten().as_deref() == Some(key.as_bytes())
    });
    let kept = kept.count();
    for key in strange {
        let _ = bucket.delete(key);
    }
    format!("{kept} of {} kept", strange.len())
}

pub(crate) fn a_million_keys() -> String {
    told(&batch::get_many(&bucket(), &vec!["k".to_owned(); 1_000_000]).map(drop))
}

pub(crate) fn a_thousand_keys() -> String {
    told(&batch::get_many(&bucket(), &vec!["k".to_owned(); 1_000]).map(drop))
}

pub(crate) fn two_thousand_buckets() {
    for _ in 0..2_000 {
        mem::forget(bucket());
    }
}

/// Names of stores that would be another application's, or none.
pub(crate) fn strange_stores() -> String {
    let strange = ["", "../neighbour", "a.b", "*", ">", "default\0", "neighbour/default"];
    let opened: Vec<&str> = strange.into_iter().filter(|name| store::open(name).is_ok()).collect();
    format!("{opened:?}")
}

pub(crate) fn count_without_end() {
    let bucket = bucket();
    loop {
        // An error, in the end, is no reason to stop.
        let _ = black_box(atomics::increment(&bucket, "count", 1));
    }
}

fn told(outcome: &Result<(), Error>) -> String {
    match outcome {
        Ok(()) => "done".to_owned(),
        Err(Error::Other(why)) => why.clone(),
        Err(other) => format!("{other:?}"),
    }
}
