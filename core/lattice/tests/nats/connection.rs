use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use wattle_lattice::connection::Password;
use wattle_lattice::subject::HostOp;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{
    ConnectConfig, ConnectError, Connection, Credentials, Notice, Pattern, PublishError,
    RequestError, Subject,
};

use crate::{SOON, host, join, lattice, soon};

const BRIEF: Duration = Duration::from_millis(300);

fn probe() -> Subject {
    Subject::Host { host: host(1), op: HostOp::Probe }
}

/// Answers every message with `answer`, for as long as the runtime lives.
async fn answer(connection: &Connection, pattern: Pattern, answer: &'static str) {
    let mut asked = connection.subscribe(&pattern).await.unwrap();
    connection.flush(SOON).await.unwrap();
    let connection = connection.clone();
    tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            let reply = message.reply.expect("a request says where the answer goes");
            connection.respond(&reply, answer.into()).await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_request_is_answered_by_who_listens() {
    let server = NatsServer::start();
    let (asker, host_side) = (join(&server).await, join(&server).await);
    answer(&host_side, Pattern::AskedOf { host: host(1) }, "here").await;
    let reply = asker.request(&probe(), Bytes::new(), SOON).await.unwrap();
    assert_eq!(reply.payload, "here");
}

#[tokio::test]
async fn nobody_listening_and_nobody_answering_are_told_apart() {
    let server = NatsServer::start();
    let (asker, silent) = (join(&server).await, join(&server).await);
    let nobody = asker.request(&probe(), Bytes::new(), SOON).await;
    assert_eq!(nobody.unwrap_err(), RequestError::NoResponders);

    let _listens = silent.subscribe(&Pattern::AskedOf { host: host(1) }).await.unwrap();
    silent.flush(SOON).await.unwrap();
    let silence = asker.request(&probe(), Bytes::new(), BRIEF).await;
    assert_eq!(silence.unwrap_err(), RequestError::TimedOut { within: BRIEF });
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_sent() {
    let server = NatsServer::start();
    let connection = join(&server).await;
    let max = connection.max_payload();
    let large = Bytes::from(vec![0; max + 1]);
    let refused = connection.request(&probe(), large.clone(), SOON).await;
    assert_eq!(refused.unwrap_err(), RequestError::TooLarge { len: max + 1, max });
    let refused = connection.publish(&Subject::Leader, large).await;
    assert_eq!(refused, Err(PublishError::TooLarge { len: max + 1, max }));
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent_late() {
    let mut server = NatsServer::start();
    let connection = join(&server).await;
    let mut link = connection.connected();
    server.kill();
    soon("the loss is noticed", link.wait_for(|link| !link.up)).await.unwrap();
    let refused = connection.request(&probe(), Bytes::new(), SOON).await;
    assert_eq!(refused.unwrap_err(), RequestError::Closed);
    assert_eq!(connection.publish(&Subject::Leader, Bytes::new()).await, Err(PublishError::Closed));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for_and_each_attempt_is_told() {
    let port = NatsServer::free_port();
    let (told, mut notices) = mpsc::unbounded_channel();
    let config = ConnectConfig::client(format!("nats://127.0.0.1:{port}"), lattice());
    let joining = tokio::spawn(Connection::connect(config, move |notice| {
        // The test may have ended; nobody listens then.
        let _ = told.send(notice);
    }));
    for expected in 1..=3 {
        match soon("an attempt is told", notices.recv()).await {
            Some(Notice::Waiting { attempt, pause, reason, .. }) => {
                assert_eq!(attempt, expected);
                assert!(pause <= Duration::from_secs(2), "{pause:?}");
                assert!(!reason.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    let server = NatsServer::start_at(port);
    let connection = soon("the connection", joining).await.unwrap().unwrap();
    assert_eq!(server.port(), port);
    assert!(connection.connected().borrow().up);
}

#[tokio::test]
async fn a_connection_comes_back_by_itself_with_its_subscriptions() {
    let mut server = NatsServer::start();
    let (hears, says) = (join(&server).await, join(&server).await);
    let mut wakes = hears.subscribe(&Pattern::WakesOf { host: host(1) }).await.unwrap();
    hears.flush(SOON).await.unwrap();
    let (mut one, mut other) = (hears.connected(), says.connected());
    let before = one.borrow().connects;
    server.restart();
    for link in [&mut one, &mut other] {
        let back = link.wait_for(|link| link.up && before < link.connects);
        soon("the connection comes back", back).await.unwrap();
    }
    hears.flush(SOON).await.unwrap();
    says.publish(&Subject::Wake { host: host(1) }, "up".into()).await.unwrap();
    let heard = soon("the message", wakes.next()).await.unwrap();
    assert_eq!((heard.subject, heard.payload), (Subject::Wake { host: host(1) }, "up".into()));
}

#[tokio::test]
async fn every_change_of_the_connection_is_told_in_order() {
    let mut server = NatsServer::start();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = notices.clone();
    let config = ConnectConfig::client(server.url(), lattice());
    let connection = Connection::connect(config, move |notice| {
        // How often it fails meanwhile depends on the machine.
        if !matches!(notice, Notice::StillLost { .. }) {
            told.lock().unwrap().push(notice);
        }
    });
    let connection = connection.await.unwrap();
    let mut link = connection.connected();
    server.restart();
    soon("it comes back", link.wait_for(|link| link.connects == 2)).await.unwrap();
    connection.drain(SOON).await.unwrap();
    assert!(connection.connected().borrow().closed);
    let expected = [Notice::Connected, Notice::Lost, Notice::Connected, Notice::Closed];
    assert_eq!(*notices.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_malformed_address_or_unreadable_credentials_are_told_at_once() {
    for url in ["", "nats://", "nats://host:port", "gopher://127.0.0.1", "nats://a:1,", "ws://a:1"]
    {
        let config = ConnectConfig::client(url, lattice());
        let refused = Connection::connect(config, |_| {}).await;
        assert!(matches!(refused, Err(ConnectError::Address { .. })), "{url:?}: {refused:?}");
    }
    let config = ConnectConfig::client("nats://user:secret@127.0.0.1:4222", lattice());
    let refused = Connection::connect(config, |_| {}).await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("secret"), "{refused:?}");

    let mut config = ConnectConfig::client("nats://127.0.0.1:4222", lattice());
    config.credentials = Credentials::File("/nonexistent/user.creds".into());
    let refused = Connection::connect(config, |_| {}).await;
    assert!(matches!(refused, Err(ConnectError::Credentials { .. })), "{refused:?}");
}

#[tokio::test]
async fn all_answers_to_one_question_are_gathered() {
    let server = NatsServer::start();
    let asker = join(&server).await;
    let ping = Subject::Control(wattle_lattice::subject::ControlSubject::HostPing);
    assert_eq!(asker.gather(&ping, Bytes::new(), SOON, 10).await.unwrap().len(), 0);

    let hosts = [join(&server).await, join(&server).await];
    for host in &hosts {
        answer(host, Pattern::HostPings, "me").await;
    }
    let two = asker.gather(&ping, Bytes::new(), SOON, 2).await.unwrap();
    assert_eq!(two.len(), 2);
    let window = Duration::from_secs(2);
    let within = asker.gather(&ping, Bytes::new(), window, 10).await.unwrap();
    assert_eq!(within.len(), 2, "the window ends the collection");
    answer(&asker, Pattern::HostPings, "").await;
    let ended = soon("an empty answer ends it", asker.gather(&ping, Bytes::new(), SOON * 4, 10));
    assert!(ended.await.unwrap().len() <= 2);
}

#[tokio::test]
async fn a_request_that_wants_its_answer_elsewhere_gets_none() {
    let server = NatsServer::start();
    let connection = join(&server).await;
    let mut asked = connection.subscribe(&Pattern::AskedOf { host: host(1) }).await.unwrap();
    connection.flush(SOON).await.unwrap();
    let raw = async_nats::connect(server.url()).await.unwrap();
    let subject = connection.names().subject(&probe());
    for reply in ["wattle.prod.leader", "$JS.API.STREAM.DELETE.KV_wattle-control-prod"] {
        raw.publish_with_reply(subject.clone(), reply, Bytes::new()).await.unwrap();
        let message = soon("the message", asked.next()).await.unwrap();
        assert_eq!(message.reply, None, "{reply}");
    }
    raw.publish_with_reply(subject, "_INBOX.a.b", Bytes::new()).await.unwrap();
    assert!(soon("the message", asked.next()).await.unwrap().reply.is_some());
}

#[tokio::test]
async fn a_message_to_a_malformed_subject_is_counted_and_passed_over() {
    let server = NatsServer::start();
    let connection = join(&server).await;
    let mut beats = connection.subscribe(&Pattern::Beats).await.unwrap();
    connection.flush(SOON).await.unwrap();
    let raw = async_nats::connect(server.url()).await.unwrap();
    raw.publish("wattle.prod.beat.NOTAHOST", "a".into()).await.unwrap();
    raw.publish(connection.names().subject(&Subject::Beat { host: host(1) }), "b".into())
        .await
        .unwrap();
    let heard = soon("the good one", beats.next()).await.unwrap();
    assert_eq!(heard.payload, "b");
    assert_eq!(connection.unreadable(), 1);
}

#[tokio::test]
async fn one_of_a_group_hears_each_message() {
    let server = NatsServer::start();
    let (one, two, says) = (join(&server).await, join(&server).await, join(&server).await);
    let mut first = one.subscribe(&Pattern::AnyCalls).await.unwrap();
    let mut second = two.subscribe(&Pattern::AnyCalls).await.unwrap();
    one.flush(SOON).await.unwrap();
    two.flush(SOON).await.unwrap();
    let any = Subject::Any { actor: "a".parse().unwrap() };
    for _ in 0..20 {
        says.publish(&any, Bytes::new()).await.unwrap();
    }
    says.flush(SOON).await.unwrap();
    let mut heard = 0;
    while heard < 20 {
        tokio::select! {
            message = soon("a message", first.next()) => { message.unwrap(); }
            message = soon("a message", second.next()) => { message.unwrap(); }
        }
        heard += 1;
    }
    one.drain(SOON).await.unwrap();
    two.drain(SOON).await.unwrap();
    assert!(first.next().await.is_none() && second.next().await.is_none(), "twenty, no more");
}

#[tokio::test]
async fn credentials_that_the_server_refuses_are_told_at_once() {
    let server = NatsServer::start_with(&["--user", "host", "--pass", "right"]);
    let with = |password: &str| {
        let mut config = ConnectConfig::client(server.url(), lattice());
        let (user, password) = ("host".to_owned(), Password::new(password));
        config.credentials = Credentials::UserPassword { user, password };
        Connection::connect(config, |_| {})
    };
    let refused = soon("the refusal", with("wrong")).await;
    assert!(matches!(refused, Err(ConnectError::Refused { .. })), "{refused:?}");
    let joined = soon("the connection", with("right")).await.unwrap();
    assert!(joined.connected().borrow().up);
    assert!(!format!("{:?}", Password::new("right")).contains("right"));
}

#[tokio::test]
async fn a_message_dropped_by_a_full_queue_is_told() {
    /// What the client keeps for a subscription, and some more.
    const MORE_THAN_FITS: usize = 65_536 + 1_000;
    let server = NatsServer::start();
    let (told, mut notices) = mpsc::unbounded_channel();
    let config = ConnectConfig::client(server.url(), lattice());
    let slow = Connection::connect(config, move |notice| {
        // The test may have ended; nobody listens then.
        let _ = told.send(notice);
    });
    let slow = slow.await.unwrap();
    let unread = slow.subscribe(&Pattern::Leader).await.unwrap();
    slow.flush(SOON).await.unwrap();
    let says = join(&server).await;
    for _ in 0..MORE_THAN_FITS {
        says.publish(&Subject::Leader, Bytes::new()).await.unwrap();
    }
    soon("the loss is told", async {
        while notices.recv().await.expect("the connection lives") != Notice::SlowConsumer {}
    })
    .await;
    drop(unread);
}

#[tokio::test]
async fn a_message_carries_the_trace_it_was_said_in() {
    use opentelemetry::trace::TracerProvider as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    let tracer = opentelemetry_sdk::trace::SdkTracerProvider::builder().build().tracer("test");
    let traced =
        tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    let server = NatsServer::start();
    let connection = join(&server).await;
    let mut heard = connection.subscribe(&Pattern::Leader).await.unwrap();

    let traced = tracing::subscriber::set_default(traced);
    let span = tracing::info_span!("said");
    let trace_id = {
        let _inside = span.enter();
        let context = wattle_tasks::TraceContext::current();
        context.traceparent.expect("a span of a traced process has a context")
    };
    let said = connection.publish(&Subject::Leader, Bytes::new());
    tracing::Instrument::instrument(said, span).await.unwrap();
    let message = soon("the message", heard.next()).await.unwrap();
    assert_eq!(message.trace().traceparent, Some(trace_id));

    drop(traced);
    connection.publish(&Subject::Leader, Bytes::new()).await.unwrap();
    let message = soon("the message", heard.next()).await.unwrap();
    assert_eq!(message.trace().traceparent, None, "nothing is traced, nothing is claimed");
}

/// A member whose silence has lasted five seconds counts as lost.
#[tokio::test]
async fn a_server_that_hangs_is_left_before_its_members_count_as_lost() {
    let hanging = NatsServer::start();
    let elsewhere = NatsServer::free_port();
    // The client takes them in any order: the one that is not there yet may have failed first.
    let urls = format!("{},nats://127.0.0.1:{elsewhere}", hanging.url());
    let config = ConnectConfig::member(urls, lattice(), "c1".parse().unwrap());
    let connection = Connection::connect(config, |_| {}).await.unwrap();
    let _other = NatsServer::start_at(elsewhere);
    let mut link = connection.connected();
    let before = link.borrow().connects;

    let hung = std::time::Instant::now();
    hanging.pause();
    let elsewhere = link.wait_for(|link| link.up && before < link.connects);
    soon("the connection is made elsewhere", elsewhere).await.unwrap();
    let took = hung.elapsed();
    assert!(took < Duration::from_millis(4_500), "silent for {took:?}");
}
