//! `wasi:keyvalue` as a guest sees it. The back-ends have tests of their own, one for all of them.

use wattle_capability::keyvalue::testing::ODD_KEYS;
use wattle_engine::Actor;

use crate::kit::{exerciser, ok};

/// One operation: its name, and arguments that are encoded here.
async fn kv(actor: &Actor, op: &str, arguments: &[(&str, &str)]) -> String {
    let encoded = arguments.iter().map(|(name, value)| {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("&{name}={value}")
    });
    ok(actor, &format!("/kv?op={op}{}", encoded.collect::<String>())).await
}

/// An operation, its arguments and its outcome.
type Step<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[tokio::test]
async fn any_string_is_a_key_for_a_guest() {
    let actor = exerciser().await;
    for key in ODD_KEYS {
        assert_eq!(kv(&actor, "set", &[("key", key), ("value", key)]).await, "Ok(())", "{key:?}");
    }
    for key in ODD_KEYS {
        let expected = format!("Ok(Some({key:?}))");
        assert_eq!(kv(&actor, "get", &[("key", key)]).await, expected, "{key:?}");
        assert_eq!(kv(&actor, "exists", &[("key", key)]).await, "Ok(true)", "{key:?}");
    }
    let mut sorted: Vec<&str> = ODD_KEYS.to_vec();
    sorted.sort_unstable();
    assert_eq!(kv(&actor, "list", &[]).await, format!("Ok(({sorted:?}, None))"));
}

#[tokio::test]
async fn a_guest_can_do_all_that_the_interfaces_say() {
    let actor = exerciser().await;
    let steps: &[Step<'_>] = &[
        ("get", &[("key", "a")], "Ok(None)"),
        ("exists", &[("key", "a")], "Ok(false)"),
        ("increment", &[("key", "a"), ("delta", "40")], "Ok(40)"),
        ("increment", &[("key", "a"), ("delta", "2")], "Ok(42)"),
        ("get", &[("key", "a")], r#"Ok(Some("42"))"#),
        ("set-many", &[("key", "b"), ("key", "c"), ("value", "v")], "Ok(())"),
        (
            "get-many",
            &[("key", "c"), ("key", "absent"), ("key", "a")],
            r#"Ok([Some(("c", "v")), None, Some(("a", "42"))])"#,
        ),
        ("delete-many", &[("key", "b"), ("key", "absent")], "Ok(())"),
        ("delete", &[("key", "a")], "Ok(())"),
        ("list", &[], r#"Ok((["c"], None))"#),
        ("list", &[("store", "another")], "Ok(([], None))"),
    ];
    for (op, arguments, expected) in steps {
        assert_eq!(kv(&actor, op, arguments).await, *expected, "{op} {arguments:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_wrong_is_an_error_that_the_guest_can_handle() {
    let actor = exerciser().await;
    let long = "k".repeat(1025);
    let many: Vec<(&str, &str)> = (0..101).map(|_| ("key", "k")).collect();
    let cases: &[Step<'_>] = &[
        ("get", &[("store", "no such store!")], "NoSuchStore"),
        ("get", &[("key", &long)], "at most 1024 bytes, this one has 1025"),
        ("set-of", &[("key", "k"), ("bytes", "1044481")], "at most 1044480 bytes"),
        ("get-many", &many, "at most 100 entries, this one has 101"),
        ("increment", &[("key", "text"), ("delta", "1")], "not a decimal number"),
        ("increment", &[("key", "max"), ("delta", "1")], "larger than 18446744073709551615"),
    ];
    kv(&actor, "set", &[("key", "text"), ("value", "abc")]).await;
    kv(&actor, "set", &[("key", "max"), ("value", "18446744073709551615")]).await;
    assert_eq!(kv(&actor, "set-of", &[("key", "k"), ("bytes", "1044480")]).await, "Ok(())");
    for (op, arguments, expected) in cases {
        let outcome = kv(&actor, op, arguments).await;
        assert!(outcome.contains(expected), "{op}: {outcome}");
    }
}
