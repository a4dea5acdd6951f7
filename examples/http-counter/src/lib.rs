//! Counts visits per path, in a key-value store.

use percent_encoding::percent_decode_str;
use serde::Serialize;
use wstd::http::{Body, Error, Request, Response};

use wasi::keyvalue::{atomics, store};

wit_bindgen::generate!({ path: "../../wit/deps/keyvalue", world: "imports" });

#[derive(Serialize)]
struct Visits<'a> {
    path: &'a str,
    visits: u64,
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();

    // One step: visits that arrive together, even on different hosts, are all counted.
    let counters = store::open("default")?;
    let visits = atomics::increment(&counters, &path, 1)?;

    let body = Body::from_json(&Visits { path: &path, visits })?;
    Ok(Response::builder().header("content-type", "application/json").body(body)?)
}
