//! The interfaces of wasmCloud 1.x and the drafts of WASI, as a guest uses them.
//!
//! The guests are told one message and say one, so that what they found out can be seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wattle_capability::keyvalue::testing::InMemoryStores;
use wattle_capability::messaging::Silent;
use wattle_capability::{
    Bucket, CallContext, KeyValue, KvError, Message, Messaging, MessagingError, Secret,
    SecretError, Secrets, StoreScope,
};
use wattle_engine::{Actor, CallError};

use crate::encoded::World;
use crate::kit::{PATIENCE, Setup, outside, until, verified};

/// Hears what guests say, and answers what they ask with it reversed.
#[derive(Debug, Default)]
struct Broker(Mutex<Vec<Message>>);

impl Broker {
    fn said(&self) -> Vec<Message> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Messaging for Broker {
    async fn publish(&self, _: &CallContext, message: Message) -> Result<(), MessagingError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }

    async fn request(
        &self,
        _: &CallContext,
        subject: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<Message, MessagingError> {
        let body = body.iter().rev().copied().collect();
        let subject = format!("{subject} within {} ms", within.as_millis());
        Ok(Message { subject, body, reply_to: None })
    }
}

pub(crate) fn message(subject: &str, body: &str, reply_to: Option<&str>) -> Message {
    let reply_to = reply_to.map(str::to_owned);
    Message { subject: subject.to_owned(), body: body.to_owned().into(), reply_to }
}

/// Says `body` to `said`: both are an address and a length.
const SAY: &str = r#"
    (import "wasmcloud:messaging/consumer@0.2.0" "publish" (func $publish
        (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (data (i32.const 16) "said")
    (func $say (param $body i32) (param $len i32) (result i32)
        (call $publish (i32.const 16) (i32.const 4) (local.get $body) (local.get $len)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024))
        (i32.const 1024))
"#;

/// A component that handles a message by `handle` and has what `imports` and `fields` give it.
fn teller(imports: &str, fields: &str, handle: &str) -> Vec<u8> {
    let items = format!(
        "import wasmcloud:messaging/consumer@0.2.0; {imports} \
         export wasmcloud:messaging/handler@0.2.0;"
    );
    let fields = format!(
        r#"{fields} {SAY}
        (func (export "wasmcloud:messaging/handler@0.2.0#handle-message")
            (param $subject i32) (param $subject_len i32) (param $body i32) (param $body_len i32)
            (param $replies i32) (param $reply i32) (param $reply_len i32) (result i32)
            {handle})"#
    );
    World::new(&items).of(&fields)
}

pub(crate) async fn actor(setup: Setup, component: &[u8]) -> Actor {
    let loaded = setup.engine.load(verified(component)).await.unwrap();
    setup.actor(loaded)
}

pub(crate) async fn tell(actor: &Actor, message: Message) -> Result<Result<(), String>, CallError> {
    actor.message(outside(actor, PATIENCE), message).await
}

/// What the guest said when it was told `body`.
async fn answer(setup: Setup, component: &[u8], body: &str) -> String {
    let broker = Arc::new(Broker::default());
    let actor = actor(Setup { messaging: broker.clone(), ..setup }, component).await;
    tell(&actor, message("told", body, None)).await.unwrap().unwrap();
    let said = broker.said();
    assert_eq!(said.len(), 1, "{said:?}");
    String::from_utf8(said[0].body.to_vec()).unwrap()
}

/// Says the body of the message to where an answer is wanted.
const ECHO: &str = "(call $publish (local.get $reply) (local.get $reply_len) (local.get $body) \
    (local.get $body_len) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024)) \
    (i32.const 1024)";

/// What makes a component one of WASI 0.3.
const P3: (&str, &str) = (
    "import wasi:random/random@0.3.0;",
    r#"(import "wasi:random/random@0.3.0" "get-random-u64" (func (result i64)))"#,
);

#[tokio::test]
async fn a_guest_is_told_a_message_and_answers_it() {
    for (imports, fields) in [("", ""), P3] {
        let broker = Arc::new(Broker::default());
        let setup = Setup { messaging: broker.clone(), ..Setup::new() };
        let actor = actor(setup, &teller(imports, fields, ECHO)).await;
        assert!(actor.loaded().exports_messaging() && !actor.loaded().exports_http());
        for body in ["hello", ""] {
            let told = tell(&actor, message("orders", body, Some("inbox.7"))).await;
            assert_eq!(told, Ok(Ok(())));
        }
        let expected = [message("inbox.7", "hello", None), message("inbox.7", "", None)];
        assert_eq!(broker.said(), expected, "{imports}");
    }
}

#[tokio::test]
async fn what_a_handler_says_of_a_message_is_its_answer() {
    let refuses = r#"(i32.store8 (i32.const 1024) (i32.const 1))
        (i32.store (i32.const 1028) (i32.const 16)) (i32.store (i32.const 1032) (i32.const 4))
        (i32.const 1024)"#;
    for (imports, fields) in [("", ""), P3] {
        let actor = actor(Setup::new(), &teller(imports, fields, refuses)).await;
        let told = tell(&actor, message("orders", "", None)).await;
        assert_eq!(told, Ok(Err("said".to_owned())), "{imports}");
    }
}

#[tokio::test]
async fn what_a_guest_may_not_say_is_an_error_it_can_handle() {
    let setup = Setup { messaging: Arc::new(Silent), ..Setup::new() };
    let actor = actor(setup, &teller("", "", ECHO)).await;
    let told = tell(&actor, message("orders", "hello", Some("inbox.7"))).await;
    assert_eq!(told, Ok(Err("this actor may not publish to \"inbox.7\"".to_owned())));
    let large = "x".repeat((1 << 20) - (4 << 10) + 1);
    let told = tell(&actor, message("orders", &large, Some("inbox.7"))).await.unwrap();
    assert!(told.unwrap_err().contains("at most 1044480 bytes"));
}

#[tokio::test]
async fn a_handler_that_traps_or_takes_too_long_fails_the_call() {
    let traps = actor(Setup::new(), &teller("", "", "unreachable")).await;
    let told = tell(&traps, message("orders", "hello", None)).await;
    assert!(matches!(told, Err(CallError::Trap { .. })), "{told:?}");
    let spins = actor(Setup::new(), &teller("", "", "(loop (br 0)) unreachable")).await;
    let brief = outside(&spins, Duration::from_millis(50));
    let told = spins.message(brief, message("orders", "hello", None)).await;
    assert_eq!(told, Err(CallError::DeadlineExceeded { begun: true }));
    until("its permit is free again", async || spins.in_flight() == 0).await;
    let deaf = actor(Setup::new(), &World::new("").of("")).await;
    let told = tell(&deaf, message("orders", "hello", None)).await;
    assert_eq!(told, Err(CallError::NoHandler));
}

#[tokio::test]
async fn a_guest_asks_and_is_answered_no_later_than_it_asked_for() {
    // result<broker-message, string>: the subject of the answer is at 4, its body at 12.
    let fields = r#"
        (import "wasmcloud:messaging/consumer@0.2.0" "request" (func $request
            (param i32 i32 i32 i32 i32 i32)))"#;
    let handle = "(call $request (local.get $subject) (local.get $subject_len) (local.get $body) \
        (local.get $body_len) (i32.const 250) (i32.const 512)) ";
    for (at, expected) in [(524, "cba"), (516, "told within 250 ms")] {
        let say =
            format!("(call $say (i32.load (i32.const {at})) (i32.load offset=4 (i32.const {at})))");
        let component = teller("", fields, &format!("{handle}{say}"));
        assert_eq!(answer(Setup::new(), &component, "abc").await, expected);
    }
}

#[tokio::test]
async fn configuration_is_the_same_under_each_of_its_names_and_as_it_is_now() {
    let names = [
        ("wasi:config/runtime@0.2.0-draft", "interface runtime"),
        ("wasi:config/store@0.2.0-draft", "interface store"),
        ("wasi:config/store@0.2.0-rc.1", ""),
    ];
    for (name, interface) in names {
        let package = format!(
            "package wasi:config@0.2.0-draft;\n{interface} {{ variant error {{ upstream(string), \
             io(string) }} get: func(key: string) -> result<option<string>, error>; }}"
        );
        let packages = if interface.is_empty() { Vec::new() } else { vec![package] };
        let items = format!(
            "import wasmcloud:messaging/consumer@0.2.0; import {name}; \
             export wasmcloud:messaging/handler@0.2.0;"
        );
        // result<option<string>, error>: the text is at 8.
        let fields = format!(
            r#"(import "{name}" "get" (func $get (param i32 i32 i32))) {SAY}
            (func (export "wasmcloud:messaging/handler@0.2.0#handle-message")
                (param i32 i32 i32 i32 i32 i32 i32) (result i32)
                (call $get (local.get 2) (local.get 3) (i32.const 512))
                (call $say (i32.load offset=520 (i32.const 0)) (i32.load offset=524 (i32.const 0))))"#
        );
        let component = World::with(&items, &packages).of(&fields);
        let config = |value: &str| BTreeMap::from([("colour".to_owned(), value.to_owned())]);
        let broker = Arc::new(Broker::default());
        let setup = Setup { messaging: broker.clone(), config: config("red"), ..Setup::new() };
        let actor = actor(setup, &component).await;
        tell(&actor, message("told", "colour", None)).await.unwrap().unwrap();
        actor.reconfigure(config("blue"));
        for key in ["colour", "size"] {
            tell(&actor, message("told", key, None)).await.unwrap().unwrap();
        }
        let said: Vec<Bytes> = broker.said().into_iter().map(|message| message.body).collect();
        assert_eq!(said, ["red", "blue", ""], "{name}");
    }
}

/// Has two secrets, and keeps a third from everybody.
struct Safe;

#[async_trait]
impl Secrets for Safe {
    async fn get(&self, ctx: &CallContext, name: &str) -> Result<Secret, SecretError> {
        assert_eq!(ctx.actor.as_str(), "exerciser");
        match name {
            "text" => Ok(Secret::new(b"hunter2".to_vec())),
            "bytes" => Ok(Secret::new(b"\xff\x00".to_vec())),
            "kept" => Err(SecretError::Unreadable),
            "slow" => std::future::pending().await,
            _ => Err(SecretError::NotFound),
        }
    }
}

#[tokio::test]
async fn a_secret_is_told_only_when_it_is_revealed_and_only_if_it_is_there() {
    let imports =
        "import wasmcloud:secrets/store@0.1.0-draft; import wasmcloud:secrets/reveal@0.1.0-draft;";
    let fields = r#"
        (import "wasmcloud:secrets/store@0.1.0-draft" "get" (func $get (param i32 i32 i32)))
        (import "wasmcloud:secrets/reveal@0.1.0-draft" "reveal" (func $reveal (param i32 i32)))
        (data (i32.const 32) "upstream" "io------" "notfound")
        (data (i32.const 64) "bytes")"#;
    // result<secret, secrets-error> at 512: the handle, or the case of the error, is at 516;
    // secret-value at 544: the case, and from 548 on where it is.
    let handle = r#"
        (call $get (local.get $body) (local.get $body_len) (i32.const 512))
        (if (i32.load8_u offset=512 (i32.const 0))
            (then (return (call $say
                (i32.add (i32.const 32) (i32.shl (i32.load8_u offset=516 (i32.const 0)) (i32.const 3)))
                (i32.const 8)))))
        (call $reveal (i32.load offset=516 (i32.const 0)) (i32.const 544))
        (if (i32.load8_u offset=544 (i32.const 0))
            (then (return (call $say (i32.const 64) (i32.const 5)))))
        (call $say (i32.load offset=548 (i32.const 0)) (i32.load offset=552 (i32.const 0)))"#;
    let component = teller(imports, fields, handle);
    for (asked, expected) in
        [("text", "hunter2"), ("bytes", "bytes"), ("kept", "io------"), ("absent", "notfound")]
    {
        let setup = Setup { secrets: Arc::new(Safe), ..Setup::new() };
        assert_eq!(answer(setup, &component, asked).await, expected, "{asked}");
    }
    assert_eq!(answer(Setup::new(), &component, "text").await, "notfound", "unless it is granted");
}

#[tokio::test]
async fn a_secret_that_does_not_come_ends_with_the_call() {
    let imports = "import wasmcloud:secrets/store@0.1.0-draft;";
    let fields = r#"
        (import "wasmcloud:secrets/store@0.1.0-draft" "get" (func $get (param i32 i32 i32)))"#;
    let handle = "(call $get (local.get $body) (local.get $body_len) (i32.const 512)) unreachable";
    let setup = Setup { secrets: Arc::new(Safe), ..Setup::new() };
    let actor = actor(setup, &teller(imports, fields, handle)).await;
    let brief = outside(&actor, Duration::from_millis(50));
    assert!(actor.message(brief, message("told", "slow", None)).await.is_err());
    assert_eq!(actor.in_flight(), 0);
}

/// Looks at a key, lets somebody else write where the message says so, and swaps; if it fails it
/// swaps again with the handle it was given. Then adds -44 to another key.
const SWAPS: &str = r#"
    (import "wasi:keyvalue/store@0.2.0-draft2" "open" (func $open (param i32 i32 i32)))
    (import "wasi:keyvalue/store@0.2.0-draft2" "[method]bucket.set" (func $set
        (param i32 i32 i32 i32 i32 i32)))
    (import "wasi:keyvalue/atomics@0.2.0-draft2" "[static]cas.new" (func $look
        (param i32 i32 i32 i32)))
    (import "wasi:keyvalue/atomics@0.2.0-draft2" "swap" (func $swap (param i32 i32 i32 i32)))
    (import "wasi:keyvalue/atomics@0.2.0-draft2" "increment" (func $add
        (param i32 i32 i32 i64 i32)))
    (data (i32.const 32) "store" "k" "theirs" "ours" "n")
    (data (i32.const 64) "once twice")
"#;

const SWAP: &str = r#"
    (call $open (i32.const 32) (i32.const 5) (i32.const 512))
    (call $look (i32.load offset=516 (i32.const 0)) (i32.const 37) (i32.const 1) (i32.const 528))
    (if (local.get $body_len) (then
        (call $set (i32.load offset=516 (i32.const 0)) (i32.const 37) (i32.const 1)
            (i32.const 38) (i32.const 6) (i32.const 544))))
    (call $add (i32.load offset=516 (i32.const 0)) (i32.const 48) (i32.const 1) (i64.const -44)
        (i32.const 560))
    (call $swap (i32.load offset=532 (i32.const 0)) (i32.const 44) (i32.const 4) (i32.const 576))
    (if (i32.eqz (i32.load8_u offset=576 (i32.const 0)))
        (then (return (call $say (i32.const 64) (i32.const 4)))))
    (call $swap (i32.load offset=584 (i32.const 0)) (i32.const 44) (i32.const 4) (i32.const 600))
    (if (i32.load8_u offset=600 (i32.const 0)) (then (unreachable)))
    (call $say (i32.const 69) (i32.const 5))"#;

#[tokio::test]
async fn a_guest_of_the_second_draft_swaps_what_nobody_changed_meanwhile() {
    let imports =
        "import wasi:keyvalue/store@0.2.0-draft2; import wasi:keyvalue/atomics@0.2.0-draft2;";
    let component = teller(imports, SWAPS, SWAP);
    for (told, expected) in [("", "once"), ("write", "twice")] {
        let stores = Arc::new(InMemoryStores::default());
        let setup = Setup { keyvalue: stores.clone(), ..Setup::new() };
        assert_eq!(answer(setup, &component, told).await, expected);
        let scope = StoreScope::App("tests".parse().unwrap());
        let bucket = stores.open(&scope, &"store".parse().unwrap()).await.unwrap();
        assert_eq!(bucket.get("k").await, Ok(Some("ours".into())));
        assert_eq!(bucket.get("n").await, Ok(Some("-44".into())));
        let counted: Result<u64, KvError> = Bucket::increment(&*bucket, "n", 1).await;
        assert_eq!(counted, Err(KvError::NotANumber), "the first draft knows no sign");
    }
}
