//! `wattle call` and `wattle describe`: functions of actors, called by people.

use std::time::{Duration, Instant};

use serde_json::json;
use wattle_tests::{Lattice, Said, guest, manifest};

/// A host that takes the call and one that runs the actor; a person does not choose.
async fn lattice() -> Lattice {
    let lattice = Lattice::start(&[("one", "a"), ("two", "b")]).await;
    let image = lattice.signed("echo", &guest("echo"));
    let mut app = manifest("calls", &[("echo", &image, None)]);
    lattice.deployed(&mut app, "v1").await;
    lattice
}

async fn call(lattice: &Lattice, function: &str, args: &[&str]) -> Said {
    let mut words = vec!["call", "calls-echo", function];
    words.extend(args);
    lattice.wattle(words).await
}

const EVERYTHING: &str = "{truth: true, small: 255, large: -9223372036854775808, ratio: 0.5, \
    letter: 'ä', text: \"x\\\"y\", raw: [0, 255], pair: (7, \"seven\"), place: {x: -1, y: 1}, \
    tint: green, may: {read, run}, drawn: polygon([{x: 1, y: 2}]), perhaps: some(none), \
    outcome: err(404), many: [nothing, circle(1.5)], grid: [[1, -2], []]}";

#[tokio::test]
async fn values_go_in_and_come_out_as_text_of_their_types() {
    let lattice = lattice().await;
    let same = [
        ("wattle-test:echo/values.truth", "true"),
        ("wattle-test:echo/values@0.1.0.unsigned64", "18446744073709551615"),
        ("wattle-test:echo/values.signed8", "-128"),
        ("wattle-test:echo/values.letter", "'🦀'"),
        ("wattle-test:echo/values.texts", "[\"a\", \"\"]"),
        ("wattle-test:echo/values.drawn", "rectangle((1, -2.5))"),
        ("wattle-test:echo/values.may", "{read, write}"),
        ("wattle-test:echo/values.perhaps", "some(some(3))"),
        ("wattle-test:echo/values.all", EVERYTHING),
        ("wattle-test:echo/echo.bytes", "[1, 2, 3]"),
    ];
    for (function, value) in same {
        let said = call(&lattice, function, &[value]).await.fine();
        assert_eq!(said.trim_end(), value, "{function}");
    }
    let greeted = call(&lattice, "wattle-test:echo/echo.greet", &["\"Ada\""]).await.fine();
    assert_eq!(greeted, "\"Hello, Ada!\"\n");
    assert_eq!(call(&lattice, "wattle-test:echo/echo.nothing", &[]).await.fine(), "");
    let crowd = [
        "1",
        "2",
        "3",
        "4",
        "-1",
        "-2",
        "-3",
        "100",
        "1",
        "2",
        "'k'",
        "\"l\"",
        "true",
        "green",
        "some(5)",
        "{x: 1, y: -1}",
        "[9, 8]",
    ];
    let crowd = call(&lattice, "wattle-test:echo/values.crowd", &crowd).await.fine();
    assert_eq!(crowd, "(107, \"k l true green Some(5)\", {x: 1, y: -1}, [9, 8])\n");
}

#[tokio::test]
async fn scripts_get_json_and_an_exit_code() {
    let lattice = lattice().await;
    let words = ["call", "calls-echo", "wattle-test:echo/values.all", EVERYTHING, "-o", "json"];
    let value = lattice.wattle(words).await.json();
    assert_eq!(value["place"], json!({"x": -1, "y": 1}));
    assert_eq!((&value["perhaps"], &value["outcome"]), (&json!([null]), &json!({"err": 404})));
    assert_eq!(value["many"], json!(["nothing", {"circle": 1.5}]));

    let failed = call(&lattice, "wattle-test:echo/echo.fail", &["\"rain\""]).await;
    assert_eq!((failed.code, failed.out.as_str()), (Some(1), "err(\"rain\")\n"));
    let fine = call(&lattice, "wattle-test:echo/echo.fail", &["\"\""]).await;
    assert_eq!((fine.code, fine.out.as_str()), (Some(0), "ok(\"no reason\")\n"));
}

#[tokio::test]
async fn what_cannot_be_called_is_answered_with_what_can() {
    let lattice = lattice().await;
    let cases: [(&str, &[&str], &str); 7] = [
        ("wattle-test:echo/echo.greet", &["7"], "func(name: string) -> string"),
        ("wattle-test:echo/echo.greet", &[], "func(name: string) -> string"),
        ("wattle-test:echo/echo.greet", &["\"a\"", "\"b\""], "func(name: string) -> string"),
        ("wattle-test:echo/echo.sing", &[], "greet"),
        ("wattle-test:echo/songs.sing", &[], "wattle-test:echo/echo@0.1.0"),
        ("wattle-test:echo/echo@2.0.0.greet", &["\"a\""], "wattle-test:echo/echo@0.1.0"),
        ("greet", &[], "namespace:package/interface.function"),
    ];
    for (function, args, words) in cases {
        let complaint = call(&lattice, function, args).await.complaint();
        assert!(complaint.contains(words), "{function}{args:?}: {complaint}");
    }
    let complaint = call(&lattice, "wattle-test:echo/streams.count", &["1"]).await.complaint();
    assert!(complaint.contains("stream"), "{complaint}");
    let complaint = call(&lattice, "wattle-test:echo/echo.trap", &[]).await.complaint();
    assert!(complaint.contains("WT-ENGINE-TRAP"), "{complaint}");
}

#[tokio::test]
async fn an_actor_that_nobody_runs_is_answered_at_once() {
    let lattice = lattice().await;
    let asked = Instant::now();
    let words =
        ["call", "surely-nobody", "wattle-test:echo/echo.greet", "\"Ada\"", "--timeout", "30"];
    let complaint = lattice.wattle(words).await.complaint();
    assert!(
        complaint.contains("unreachable") && complaint.contains("surely-nobody"),
        "{complaint}"
    );
    assert!(asked.elapsed() < Duration::from_secs(15), "after {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends_at_the_time_its_caller_set() {
    let lattice = lattice().await;
    for function in ["wattle-test:echo/echo.spin", "wattle-test:echo/echo.sleep"] {
        let args: &[&str] = if function.ends_with("sleep") { &["20000"] } else { &[] };
        let words = [&["call", "calls-echo", function], args, &["--timeout", "1"]].concat();
        let asked = Instant::now();
        let complaint = lattice.wattle(words).await.complaint();
        // Whichever host notices first: that of the callee, or the one that passed the call on.
        let told = ["WT-ENGINE-DEADLINE", "nobody knows whether the call was done"];
        assert!(told.iter().any(|words| complaint.contains(words)), "{function}: {complaint}");
        assert!(asked.elapsed() < Duration::from_secs(10), "after {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn an_actor_describes_its_functions_with_their_types() {
    let lattice = lattice().await;
    let listed = lattice.wattle(["describe", "calls-echo"]).await.fine();
    for line in [
        "wattle-test:echo/echo@0.1.0",
        "  greet: func(name: string) -> string",
        "  nothing: func()",
    ] {
        assert!(listed.lines().any(|known| known == line), "{line}: {listed}");
    }
    assert_eq!(lattice.wattle(["call", "calls-echo", "--list"]).await.fine(), listed);
    let described = lattice.wattle(["describe", "calls-echo", "-o", "json"]).await.json();
    assert!(described["wattle-test:echo/values@0.1.0"]["truth"].is_object(), "{described}");
}

#[tokio::test]
async fn a_result_larger_than_a_message_comes_whole() {
    let lattice = lattice().await;
    let said = call(&lattice, "wattle-test:echo/echo.huge", &["1500000"]).await.fine();
    assert_eq!(said.matches("97").count(), 1_500_000);
}
