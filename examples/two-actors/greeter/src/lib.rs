//! Greets visitors in the first of their languages that it speaks.

use exports::example::greetings::greeter::{Guest, Visitor};
use wasi::config::store as config;

wit_bindgen::generate!({
    path: ["../../../wit/deps/config", "../wit"],
    world: "example:greetings/greeting",
    generate_all,
});

struct Greeter;

export!(Greeter);

impl Guest for Greeter {
    fn greet(visitor: Visitor) -> Result<String, String> {
        let end = config::get("end").ok().flatten().unwrap_or_else(|| "!".to_owned());
        let greeting = visitor.languages.iter().find_map(|language| in_language(language));
        match greeting {
            Some(greeting) => Ok(format!("{greeting}, {}{end}", visitor.name)),
            None => Err(format!("I speak none of {}", visitor.languages.join(", "))),
        }
    }
}

fn in_language(language: &str) -> Option<&'static str> {
    match language {
        "en" => Some("Hello"),
        "fr" => Some("Bonjour"),
        "eo" => Some("Saluton"),
        _ => None,
    }
}
