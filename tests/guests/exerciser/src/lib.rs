//! One component that does what the path says: well, badly, slowly or too much.
//!
//! `/hello`, `/echo`, … answer as their name says; see [`handle`]. Arguments are in the query.

mod answer;
mod behave;
mod misbehave;
mod stores;

use std::collections::BTreeMap;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::answer::Answer;

mod bindings {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/keyvalue",
            "../../../wit/deps/config",
            "../../../wit/logging",
        ],
        inline: "
            package wattle:exerciser;
            world guest {
                include wasi:keyvalue/imports@0.2.0-draft;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:logging/logging@0.1.0-draft;
            }
        ",
        generate_all,
    });
}

struct Exerciser;

wasip2::http::proxy::export!(Exerciser);

impl Guest for Exerciser {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        handle(path, &Query::of(query), request, Answer::new(answer));
    }
}

fn handle(path: &str, query: &Query, request: IncomingRequest, answer: Answer) {
    match path {
        "/hello" => answer.text("hello"),
        "/echo" => behave::echo(request, answer),
        "/headers" => behave::headers(&request, answer),
        "/config" => behave::config(answer),
        "/log" => behave::log(answer),
        "/granted" => behave::granted(answer),
        "/slow" => behave::slow(query, answer),
        "/work" => behave::work(query, answer),
        "/late" => behave::late(query, answer),
        "/count" => behave::count(answer),
        "/tick" => behave::tick(query, answer),
        "/call" => behave::call(query, answer),
        "/upload" => behave::upload(query, answer),
        "/kv" => answer.text(&stores::operate(query)),

        "/spin" => misbehave::spin(),
        "/memory" => misbehave::memory(query, answer),
        "/trap" => misbehave::trap(),
        "/trap-in-body" => misbehave::trap_in_body(answer),
        "/short-body" => misbehave::short_body(answer),
        "/spin-in-body" => misbehave::spin_in_body(answer),
        "/no-answer" => {}
        "/exit" => misbehave::exit(query),
        "/recurse" => misbehave::recurse(answer),
        "/random" => misbehave::random(query, answer),
        "/buckets" => misbehave::buckets(query, answer),
        "/keep" => misbehave::keep(query, answer),
        "/flood" => misbehave::flood(answer),
        "/head-of" => misbehave::head_of(query, answer),
        _ => answer.status(404).text("no such exercise"),
    }
}

/// The arguments of an exercise, decoded.
pub(crate) struct Query {
    values: BTreeMap<String, String>,
    all: Vec<(String, String)>,
}

impl Query {
    fn of(query: &str) -> Self {
        let all: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { values: all.iter().cloned().collect(), all }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Every value given under `name`, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.all.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }
}
