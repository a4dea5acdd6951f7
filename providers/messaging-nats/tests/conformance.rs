//! Messages of actors, with a real nats-server.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::time::{Instant, timeout};
use wattle_capability::{CallContext, Message, Messaging, MessagingError};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{Connection, GuestSubject, Names, Pattern};
use wattle_messaging_nats::{BACKLOG_MAX, Delivery, MessagingNats, Subscription};
use wattle_types::{ActorId, LatticeId, messaging};

/// Patient, so that a loaded machine does not decide a test.
const PATIENCE: Duration = Duration::from_secs(20);

fn lattice() -> LatticeId {
    "prod".parse().unwrap()
}

fn actor(id: &str) -> ActorId {
    id.parse().unwrap()
}

fn allowed(publish: &[&str], subscribe: &[&str]) -> messaging::Messaging {
    let patterns = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
    messaging::Messaging { publish: patterns(publish), subscribe: patterns(subscribe) }
}

fn call(id: &str) -> CallContext {
    CallContext::outside(actor(id), Instant::now() + PATIENCE)
}

fn message(subject: &str, body: &'static str) -> Message {
    let body = Bytes::from_static(body.as_bytes());
    Message { subject: subject.to_owned(), body, reply_to: None }
}

fn subject(raw: &str) -> GuestSubject {
    GuestSubject::read(&Names::new(lattice()), raw).unwrap()
}

async fn messages(server: &NatsServer) -> (Connection, MessagingNats) {
    let connection = server.join(&lattice()).await;
    (connection.clone(), MessagingNats::new(connection))
}

async fn listen(nats: &MessagingNats, id: &str, to: &[&str], at_once: usize) -> Subscription {
    let patterns = allowed(&[], to).subscribe;
    nats.subscribe(&actor(id), &patterns, at_once).await.unwrap()
}

async fn next(subscription: &mut Subscription) -> Delivery {
    timeout(PATIENCE, subscription.next()).await.expect("a message came").expect("it is open")
}

/// Nothing more comes: everything that was said is overtaken by one message that was said later.
async fn nothing_before(last: &str, said: &dyn Messaging, heard: &mut Subscription) {
    said.publish(&call("orders"), message(last, "the last")).await.unwrap();
    assert_eq!(next(heard).await.message, message(last, "the last"));
}

#[tokio::test]
async fn what_one_actor_says_another_hears() {
    let server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let mut heard = listen(&nats, "billing", &["orders.>"], 4).await;
    connection.flush(PATIENCE).await.unwrap();
    let said = nats.for_actor(&allowed(&["orders.*"], &[]));
    for body in ["one", "two", ""] {
        said.publish(&call("orders"), message("orders.new", body)).await.unwrap();
    }
    for body in ["one", "two", ""] {
        assert_eq!(next(&mut heard).await.message, message("orders.new", body));
    }
}

#[tokio::test]
async fn an_actor_says_what_its_spec_allows_and_nothing_else() {
    let server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let mut heard = listen(&nats, "billing", &["orders.>", "secret.>"], 4).await;
    let mut wakes = connection.subscribe(&Pattern::Leader).await.unwrap();
    connection.flush(PATIENCE).await.unwrap();
    let said = nats.for_actor(&allowed(&["orders.new"], &[]));
    let silent = nats.for_actor(&allowed(&[], &["orders.>"]));
    let denied = |subject: &str| MessagingError::Denied { subject: subject.to_owned() };
    for (who, subject) in [(&said, "orders.old"), (&said, "secret.x"), (&silent, "orders.new")] {
        let refused = who.publish(&call("orders"), message(subject, "x")).await;
        assert_eq!(refused, Err(denied(subject)));
        let asked = who.request(&call("orders"), subject, Bytes::new(), PATIENCE).await;
        assert_eq!(asked, Err(denied(subject)));
    }
    let reserved = [
        "wattle.prod.leader",
        "wattle.prod.rep.a.b.1",
        "wasmbus.ctl.v1.prod.host.ping",
        "wasmcloud.secrets.v1alpha1.x.get",
        "wadm.api.prod.model.list",
        "$JS.API.INFO",
        "_INBOX.x",
        "orders.new\r\nPUB wattle.prod.leader 0\r\n",
        "orders.*",
        "orders.>",
        "",
    ];
    for subject in reserved {
        let refused = said.publish(&call("orders"), message(subject, "x")).await;
        assert!(matches!(refused, Err(MessagingError::Subject { .. })), "{subject:?}: {refused:?}");
        let asked = said.request(&call("orders"), subject, Bytes::new(), PATIENCE).await;
        assert!(matches!(asked, Err(MessagingError::Subject { .. })), "{subject:?}: {asked:?}");
        // Nor can it make others say something there.
        let reply_to = Some(subject.to_owned());
        let asked = Message { reply_to, ..message("orders.new", "x") };
        let refused = said.publish(&call("orders"), asked).await;
        assert!(matches!(refused, Err(MessagingError::Subject { .. })), "{subject:?}: {refused:?}");
    }
    nothing_before("orders.new", &*said, &mut heard).await;
    assert!(wakes.next().now_or_never().is_none(), "nothing reached the lattice");
}

#[tokio::test]
async fn a_request_has_one_answer_and_whoever_is_asked_may_give_it_while_it_handles_it() {
    let server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let mut heard = listen(&nats, "billing", &["orders.price"], 4).await;
    connection.flush(PATIENCE).await.unwrap();
    let asks = nats.for_actor(&allowed(&["orders.price"], &[]));
    let answers = nats.for_actor(&allowed(&[], &["orders.price"]));
    let asked = tokio::spawn(async move {
        asks.request(&call("orders"), "orders.price", "apple".into(), PATIENCE).await
    });
    let delivery = next(&mut heard).await;
    assert_eq!(delivery.message.body, "apple");
    let reply_to = delivery.message.reply_to.clone().unwrap();
    // Another actor learns the inbox and has no right to it.
    let stranger = answers.publish(&call("stranger"), message(&reply_to, "0")).await;
    assert!(matches!(stranger, Err(MessagingError::Subject { .. })), "{stranger:?}");
    answers.publish(&call("billing"), message(&reply_to, "3 gold")).await.unwrap();
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer, message("orders.price", "3 gold"), "and not where this host waited for it");
    drop(delivery);
    let late = answers.publish(&call("billing"), message(&reply_to, "4 gold")).await;
    assert!(matches!(late, Err(MessagingError::Subject { .. })), "{late:?}");
}

#[tokio::test]
async fn a_request_that_nobody_hears_fails_at_once_and_one_that_nobody_answers_in_time() {
    let server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let asks = nats.for_actor(&allowed(&["orders.>"], &[]));
    let nobody = asks.request(&call("orders"), "orders.x", Bytes::new(), PATIENCE).await;
    assert_eq!(nobody, Err(MessagingError::NobodyListens));
    let _deaf = listen(&nats, "billing", &["orders.price"], 1).await;
    connection.flush(PATIENCE).await.unwrap();
    let within = Duration::from_millis(50);
    let silent = asks.request(&call("orders"), "orders.price", Bytes::new(), within).await;
    assert_eq!(silent, Err(MessagingError::Timeout));
}

#[tokio::test]
async fn of_the_hosts_that_run_an_actor_one_is_given_each_message() {
    const EACH: usize = 50;
    let server = NatsServer::start();
    let (one, first) = messages(&server).await;
    let (two, second) = messages(&server).await;
    let mut here = listen(&first, "billing", &["orders.>"], EACH).await;
    let mut there = listen(&second, "billing", &["orders.>"], EACH).await;
    let mut other = listen(&second, "audit", &["orders.>"], EACH).await;
    for connection in [&one, &two] {
        connection.flush(PATIENCE).await.unwrap();
    }
    let said = first.for_actor(&allowed(&["orders.*"], &[]));
    for _ in 0..EACH {
        said.publish(&call("orders"), message("orders.new", "x")).await.unwrap();
    }
    // Another actor has a copy of each; with the last of them all have been handed on.
    for _ in 0..EACH {
        next(&mut other).await;
    }
    for connection in [&one, &two] {
        connection.flush(PATIENCE).await.unwrap();
    }
    let mut counts = [0, 0];
    for (count, heard) in counts.iter_mut().zip([&mut here, &mut there]) {
        heard.drain();
        while heard.next().await.is_some() {
            *count += 1;
        }
    }
    assert_eq!(counts.iter().sum::<usize>(), EACH, "{counts:?}");
    assert!(counts.iter().all(|count| *count != 0), "both have work: {counts:?}");
}

#[tokio::test]
async fn a_slow_actor_handles_few_at_once_and_what_waits_for_it_is_bounded() {
    const MORE: usize = 100;
    let server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let mut heard = listen(&nats, "billing", &["orders.>"], 2).await;
    connection.flush(PATIENCE).await.unwrap();
    let said = nats.for_actor(&allowed(&["orders.*"], &[]));
    for _ in 0..2 + BACKLOG_MAX + MORE {
        said.publish(&call("orders"), message("orders.new", "x")).await.unwrap();
    }
    let held = [next(&mut heard).await, next(&mut heard).await];
    // Nobody finishes, so it hands out nothing more and drops what finds no room.
    let until = Instant::now() + PATIENCE;
    while heard.dropped() < MORE as u64 {
        assert!(Instant::now() < until, "{} were dropped", heard.dropped());
        let third = timeout(Duration::from_millis(10), heard.next()).await;
        assert!(third.is_err(), "a third one at once");
    }
    drop(held);
    heard.drain();
    let mut rest = 0;
    while timeout(PATIENCE, heard.next()).await.unwrap().is_some() {
        rest += 1;
    }
    assert_eq!((rest, heard.dropped()), (BACKLOG_MAX, MORE as u64), "each was kept or counted");
}

#[tokio::test]
async fn an_answer_to_an_ordinary_subject_is_for_the_spec_to_allow() {
    let server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let mut heard = listen(&nats, "billing", &["orders.>"], 4).await;
    connection.flush(PATIENCE).await.unwrap();
    connection
        .guest_publish(&subject("orders.a"), Some(&subject("answers.a")), Bytes::new())
        .await
        .unwrap();
    let delivery = next(&mut heard).await;
    assert_eq!(delivery.message.reply_to.as_deref(), Some("answers.a"));
    let voice = nats.for_actor(&allowed(&[], &["orders.>"]));
    let refused = voice.publish(&call("billing"), message("answers.a", "x")).await;
    assert_eq!(refused, Err(MessagingError::Denied { subject: "answers.a".to_owned() }));
    let voice = nats.for_actor(&allowed(&["answers.*"], &["orders.>"]));
    assert_eq!(voice.publish(&call("billing"), message("answers.a", "x")).await, Ok(()));
}

#[tokio::test]
async fn a_broker_that_is_gone_is_unavailable_and_the_actor_hears_again_when_it_is_back() {
    let mut server = NatsServer::start();
    let (connection, nats) = messages(&server).await;
    let mut heard = listen(&nats, "billing", &["orders.>"], 4).await;
    connection.flush(PATIENCE).await.unwrap();
    let said = nats.for_actor(&allowed(&["orders.*"], &[]));
    let mut link = connection.connected();
    server.kill();
    timeout(PATIENCE, link.wait_for(|link| !link.up)).await.unwrap().unwrap();
    let gone = said.publish(&call("orders"), message("orders.new", "x")).await;
    assert_eq!(gone, Err(MessagingError::Unavailable));
    let asked = said.request(&call("orders"), "orders.new", Bytes::new(), PATIENCE).await;
    assert_eq!(asked, Err(MessagingError::Unavailable));
    server.restart();
    timeout(PATIENCE, link.wait_for(|link| link.up)).await.unwrap().unwrap();
    connection.flush(PATIENCE).await.unwrap();
    nothing_before("orders.back", &*said, &mut heard).await;
}
