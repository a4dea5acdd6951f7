//! What can be asked, by the path of a request. `link=NAME` chooses a link, `times=N` repeats.

use std::collections::BTreeMap;

use wasip2::http::types::IncomingRequest;

use crate::wasmcloud::bus::lattice::{CallTargetInterface, set_link_name};
use crate::wattle_test::echo::{echo, streams};
use crate::{samples, wasi};

/// Status and text of the answer.
pub(crate) fn ask(path: &str, query: &Query, request: &IncomingRequest) -> (u16, String) {
    if let Some(link) = query.0.get("link")
        && let Err(why) = choose(link)
    {
        return (404, why);
    }
    let mut answer = (404, "no such question".to_owned());
    for _ in 0..query.number("times").max(1) {
        answer = once(path, query, request);
    }
    answer
}

/// Calls of all three interfaces go through the link of this name.
fn choose(link: &str) -> Result<(), String> {
    let target = |interface| CallTargetInterface::new("wattle-test", "echo", interface);
    set_link_name(link, ["echo", "values", "streams"].map(target).into())
}

fn once(path: &str, query: &Query, request: &IncomingRequest) -> (u16, String) {
    let fine = |text: String| (200, text);
    match path {
        "/" => fine("relay".to_owned()),
        "/bytes" => {
            let sent: Vec<u8> = (0..query.number("n")).map(|n| n as u8).collect();
            let back = echo::bytes(&sent);
            if back == sent { fine(back.len().to_string()) } else { (500, "changed".to_owned()) }
        }
        "/greet" => fine(echo::greet(query.text("name"))),
        "/who" => fine(echo::who()),
        "/nothing" => {
            echo::nothing();
            fine(String::new())
        }
        "/fail" => fine(format!("{:?}", echo::fail(query.text("why")))),
        "/guarded" => fine(format!("{:?}", echo::guarded())),
        "/deep" => fine(echo::deep(query.number("n")).to_string()),
        "/huge" => fine(echo::huge(query.number("n")).len().to_string()),
        "/sleep" => {
            echo::sleep(query.number("ms"));
            fine(String::new())
        }
        "/trap" => {
            echo::trap();
            fine("survived".to_owned())
        }
        "/spin" => {
            echo::spin();
            fine("survived".to_owned())
        }
        "/values" => samples::check().map_or_else(|why| (500, why), fine),
        // The body of the request becomes an argument, without being read here.
        "/count" => {
            let body = request.consume().expect("the body is taken once");
            let stream = body.stream().expect("the stream is taken once");
            fine(format!("{:?}", streams::count(stream)))
        }
        // Its own configuration, not that of whom it asks.
        "/config" => {
            let mut all = wasi::config::store::get_all().expect("config is readable");
            all.sort();
            fine(format!("{all:?}"))
        }
        _ => (404, "no such question".to_owned()),
    }
}

/// The arguments of a question, decoded.
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub(crate) fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or_default()
    }
}
