//! Answering, when there is something to say.

use wasip3::http::types::{Fields, Response};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{StreamReader, StreamWriter, spawn_local};

/// Says what came of it.
pub(crate) fn told(text: impl Into<String>) -> Response {
    let text = text.into();
    let (mut to, response) = open(Fields::new());
    spawn_local(async move {
        to.write_all(text.into_bytes()).await;
    });
    response
}

/// An answer whose body is still to be written.
pub(crate) fn open(headers: Fields) -> (StreamWriter<u8>, Response) {
    let (to, body) = wit_stream::new();
    (to, of(headers, Some(body)))
}

pub(crate) fn of(headers: Fields, body: Option<StreamReader<u8>>) -> Response {
    let (_, ended) = wit_future::new(|| Ok(None));
    Response::new(headers, body, ended).0
}
