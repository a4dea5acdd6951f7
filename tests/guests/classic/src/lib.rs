//! A component as people wrote them for wasmCloud 1.x: by its names, some of which have no version.
//!
//! `/secret?key=K`, `/publish?subject=S&body=B`, `/request?subject=S&body=B`, `/config?key=K`, `/log`, `/heard`. It answers
//! messages that want an answer with `heard BODY`, and counts all of them in the store.

use exports::wasmcloud::messaging::handler;
use wasi::config::runtime as config;
use wasi::keyvalue::{atomics, store};
use wasi::logging::logging::{self, Level};
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasmcloud::messaging::consumer;
use wasmcloud::messaging::types::BrokerMessage;
use wasmcloud::secrets::reveal::reveal;
use wasmcloud::secrets::store::{self as secrets, SecretValue};

wit_bindgen::generate!({
    path: [
        "../../../wit/messaging",
        "../../../wit/secrets",
        "../../../wit/deps/keyvalue",
        "../wit/config-draft.wit",
        "../wit/logging-unversioned.wit",
    ],
    inline: "
        package wattle-test:classic;
        world classic {
            import wasi:config/runtime@0.2.0-draft;
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:logging/logging;
            import wasmcloud:messaging/consumer@0.2.0;
            import wasmcloud:secrets/store@0.1.0-draft;
            import wasmcloud:secrets/reveal@0.1.0-draft;
            export wasmcloud:messaging/handler@0.2.0;
        }
    ",
    generate_all,
});

struct Classic;

export!(Classic);
wasip2::http::proxy::export!(Classic);

impl handler::Guest for Classic {
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        let bucket = store::open("default").map_err(|error| format!("{error:?}"))?;
        atomics::increment(&bucket, "heard", 1).map_err(|error| format!("{error:?}"))?;
        let Some(subject) = message.reply_to else { return Ok(()) };
        let body = [b"heard ", &message.body[..]].concat();
        consumer::publish(&BrokerMessage { subject, body, reply_to: None })
    }
}

impl wasip2::exports::http::incoming_handler::Guest for Classic {
    fn handle(request: IncomingRequest, to: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let argument = |name: &str| {
            let found = query.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        send(to, &answer(path, argument));
    }
}

fn answer(path: &str, argument: impl Fn(&str) -> String) -> String {
    let (subject, body) = (argument("subject"), argument("body").into_bytes());
    match path {
        "/secret" => match secrets::get(&argument("key")) {
            Ok(secret) => match reveal(&secret) {
                SecretValue::String(text) => format!("text {text}"),
                SecretValue::Bytes(bytes) => format!("bytes {bytes:?}"),
            },
            Err(error) => format!("{error:?}"),
        },
        "/publish" => {
            format!("{:?}", consumer::publish(&BrokerMessage { subject, body, reply_to: None }))
        }
        "/request" => match consumer::request(&subject, &body, 2_000) {
            Ok(message) => String::from_utf8_lossy(&message.body).into_owned(),
            Err(why) => format!("Err({why:?})"),
        },
        "/heard" => {
            let bucket = store::open("default").expect("a store opens");
            atomics::increment(&bucket, "heard", 0).expect("a store works").to_string()
        }
        "/config" => format!("{:?}", config::get(&argument("key"))),
        "/log" => {
            logging::log(Level::Info, "classic", "from a classic");
            "logged".to_owned()
        }
        _ => "classic".to_owned(),
    }
}

fn send(to: ResponseOutparam, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(to, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for piece in text.as_bytes().chunks(4096) {
        stream.blocking_write_and_flush(piece).expect("the reader is there");
    }
    drop(stream);
    OutgoingBody::finish(body, None).expect("no length was declared");
}
