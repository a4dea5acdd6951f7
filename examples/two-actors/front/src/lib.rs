//! Answers HTTP, and asks a greeter what to say. Which greeter, and where it runs, is not known here.

use example::greetings::greeter::{self, Visitor};
use wstd::http::{Body, Error, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: ["../../../wit/deps/config", "../wit"],
    world: "example:greetings/front",
    generate_all,
});

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let query = request.uri().query().unwrap_or_default();
    let mut visitor = Visitor { name: "world".to_owned(), languages: Vec::new() };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "name" => visitor.name = value.into_owned(),
            "language" => visitor.languages.push(value.into_owned()),
            _ => {}
        }
    }
    if visitor.languages.is_empty() {
        visitor.languages.push("en".to_owned());
    }

    // A call of a function; if the greeter cannot be reached, the error says so.
    let (status, text) = match greeter::greet(&visitor) {
        Ok(greeting) => (StatusCode::OK, greeting),
        Err(why) => (StatusCode::BAD_GATEWAY, why),
    };
    Ok(Response::builder().status(status).body(format!("{text}\n").into())?)
}
