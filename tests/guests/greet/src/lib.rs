//! One plain function, to measure what an instance costs without HTTP.

wit_bindgen::generate!({
    inline: "
        package wattle:bench;
        world greeter { export greet: func(name: string) -> string; }
    ",
});

struct Greeter;

impl Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

export!(Greeter);
