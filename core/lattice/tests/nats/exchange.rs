//! Calls with what streams beside them, between two connections and a real server.

mod faults;
mod kit;
mod large;
mod raw;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use wattle_lattice::call::{CallReply, NotBegun, Outcome, ReplyBody};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{RequestError, StreamFault, Subject};
use wattle_types::{Load, SpecHash};

use self::kit::{
    LIMITS, actor, ask, callee, chunks, describe, get, host_of, http_ok, invoke, join_as, post,
    serve, source, text, value, watched, whole,
};
use crate::{SOON, host, join, soon};

#[tokio::test]
async fn a_small_call_is_one_message_each_way() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let args = value(&accepted.request);
        let load = Load { in_flight: 1, limit: 8 };
        let reply = CallReply::ok(ReplyBody::Value(args));
        let reply = reply.from(SpecHash(wattle_types::Digest::of(b"spec")), load);
        accepted.answering.reply(reply, vec![]).await.unwrap();
    })
    .await;
    let seen = watched(&server).await;
    for n in 1..=3 {
        let answer = ask(&caller, invoke(vec![n; 16]), vec![]).await.unwrap();
        assert_eq!(answer.reply.outcome, Outcome::Ok(ReplyBody::Value(vec![n; 16].into())));
        assert!(answer.reply.revision.is_some() && answer.streams.is_empty());
    }
    let seen = seen.all().await;
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert!(seen.iter().all(|(_, headers)| !headers), "no headers without a trace");
}

#[tokio::test]
async fn a_body_that_fits_travels_in_the_message_with_its_trailers() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |mut accepted| async move {
        let body = accepted.streams.remove(0).collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "9");
        let back = chunks([Ok(body.to_bytes())], true);
        accepted.answering.reply(http_ok(), vec![back]).await.unwrap();
    })
    .await;
    let seen = watched(&server).await;
    let mut answer = ask(&caller, post(), vec![chunks([Ok("he".into()), Ok("llo".into())], true)])
        .await
        .unwrap();
    let back = answer.streams.remove(0).collect().await.unwrap();
    assert_eq!(back.trailers().unwrap()["x-sum"], "9");
    assert_eq!(back.to_bytes(), "hello");
    assert_eq!(seen.all().await.len(), 2);

    // Without a stream the body that is in the request already is sent.
    let mut answer = ask(&caller, get(), vec![chunks([], true)]).await.unwrap();
    assert!(whole(answer.streams.remove(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn streams_of_a_function_accompany_it_both_ways() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let reply = CallReply::ok(ReplyBody::Value(value(&accepted.request)));
        accepted.answering.reply(reply, accepted.streams).await.unwrap();
    })
    .await;
    let (small, large) = (Bytes::from_static(b"small"), Bytes::from(vec![5; 300_000]));
    let streams = vec![
        chunks([Ok(small.clone())], false),
        chunks([Ok(large.clone()), Ok(small.clone())], false),
        chunks([], false),
    ];
    let answer = ask(&caller, invoke("args"), streams).await.unwrap();
    let mut back = Vec::new();
    for stream in answer.streams {
        back.push(whole(stream).await.unwrap());
    }
    assert_eq!(back, [small.to_vec(), [&large[..], &small[..]].concat(), vec![]]);
}

#[tokio::test]
async fn signatures_are_described() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let reply = CallReply::ok(ReplyBody::Described(kit::signatures(20_000)));
        accepted.answering.reply(reply, vec![]).await.unwrap();
    })
    .await;
    let answer = ask(&caller, describe(), vec![]).await.unwrap();
    let described = ReplyBody::Described(kit::signatures(20_000));
    assert!(answer.reply.outcome == Outcome::Ok(described), "more than one message holds");
}

#[tokio::test]
async fn a_host_may_call_itself_with_streams() {
    let server = NatsServer::start();
    let callee = callee(&server).await;
    let _serving = serve(&callee, |accepted| async move {
        accepted.answering.reply(http_ok(), accepted.streams).await.unwrap();
    })
    .await;
    let sent = Bytes::from(vec![1; 400_000]);
    let mut answer = ask(&callee, post(), vec![chunks([Ok(sent.clone())], false)]).await.unwrap();
    assert_eq!(whole(answer.streams.remove(0)).await.unwrap(), sent);
}

#[tokio::test]
async fn a_call_to_any_is_passed_on_with_its_streams() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        accepted.answering.reply(http_ok(), accepted.streams).await.unwrap();
    })
    .await;
    let between = join_as(&server, &host(2).to_string()).await;
    let on = between.clone();
    let _between = serve(&between, move |accepted| {
        let on = on.clone();
        async move {
            let answer = ask(&on, accepted.request, accepted.streams).await.unwrap();
            accepted.answering.reply(answer.reply, answer.streams).await.unwrap();
        }
    })
    .await;
    let any = Subject::Any { actor: actor() };
    let sent = Bytes::from(vec![1; 1_000_000]);
    let streams = vec![chunks([Ok(sent.clone())], true)];
    let answer = caller.exchange(&any, post(), streams, &LIMITS, SOON).await;
    let back = soon("the answer", answer.unwrap().streams.remove(0).collect()).await.unwrap();
    assert!(back.trailers().is_some());
    assert_eq!(back.to_bytes(), sent);
}

#[tokio::test]
async fn the_callee_sees_which_host_calls() {
    let server = NatsServer::start();
    let callee = callee(&server).await;
    let _serving = serve(&callee, |accepted| async move {
        let from = accepted.answering.caller_host().map(|host| host.to_string());
        let reply = CallReply::ok(ReplyBody::Value(from.unwrap_or_default().into()));
        accepted.answering.reply(reply, vec![]).await.unwrap();
    })
    .await;
    let other_host = join_as(&server, &host(2).to_string()).await;
    let client = join(&server).await;
    for (caller, expected) in [(other_host, host(2).to_string()), (client, String::new())] {
        let answer = ask(&caller, invoke(""), vec![]).await.unwrap();
        assert_eq!(text(&answer.reply), expected);
    }
}

#[tokio::test]
async fn a_refused_call_takes_nothing_from_its_streams_but_the_beginning() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let no = CallReply::not_begun(NotBegun::Overloaded, "no");
        accepted.answering.reply(no, vec![]).await.unwrap();
    })
    .await;
    let (body, taken) = source(vec![Ok(Bytes::from(vec![0; 40_000])); 50]);
    let answer = ask(&caller, post(), vec![body]).await.unwrap();
    assert!(matches!(answer.reply.outcome, Outcome::NotBegun { reason: NotBegun::Overloaded, .. }));
    assert!(taken.bytes() <= 80_000, "{}", taken.bytes());
    soon("the body is given up", taken.dropped()).await;
}

#[tokio::test]
async fn nobody_there_is_known_at_once_also_with_a_body() {
    let server = NatsServer::start();
    let caller = join(&server).await;
    let body = chunks([Ok(Bytes::from(vec![0; 200_000]))], false);
    for streams in [vec![], vec![body]] {
        let asked = caller.exchange(&host_of(9), post(), streams, &LIMITS, SOON).await;
        assert_eq!(asked.unwrap_err(), RequestError::NoResponders);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let (told, mut cancelled) = tokio::sync::mpsc::unbounded_channel();
    let _serving = serve(&callee, move |accepted| {
        let (begun, told) = (begun.clone(), told.clone());
        async move {
            begun.send(()).unwrap();
            accepted.answering.cancelled().await;
            told.send(()).unwrap();
        }
    })
    .await;
    for _ in 0..2 {
        let asking = tokio::spawn({
            let caller = caller.clone();
            async move { ask(&caller, invoke(""), vec![]).await.map(drop) }
        });
        soon("the call begins", begins.recv()).await.unwrap();
        asking.abort();
        soon("the callee is told", cancelled.recv()).await.unwrap();
    }
    let brief = Duration::from_millis(50);
    let late = caller.exchange(&host_of(1), invoke(""), vec![], &LIMITS, brief).await;
    assert_eq!(late.unwrap_err(), RequestError::TimedOut { within: brief });
    soon("the callee is told", cancelled.recv()).await.unwrap();
}

#[tokio::test]
async fn a_callee_whose_answer_is_not_read_on_is_cancelled() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let _serving = serve(&callee, move |accepted| {
        let told = told.clone();
        async move {
            let gone = accepted.answering.cancelled();
            let (body, taken) = source(vec![Ok(Bytes::from(vec![0; 60_000])); 10_000]);
            let sent = accepted.answering.reply(http_ok(), vec![body]).await;
            gone.await;
            told.send((sent, taken)).unwrap();
        }
    })
    .await;
    let mut answer = ask(&caller, get(), vec![]).await.unwrap();
    let mut body = answer.streams.remove(0);
    for _ in 0..4 {
        soon("a frame", body.frame()).await.unwrap().unwrap();
    }
    drop(body);
    let (sent, taken) = soon("the callee is told", ended.recv()).await.unwrap();
    assert!(matches!(sent, Err(StreamFault::Lost(_))), "{sent:?}");
    soon("the body is given up", taken.dropped()).await;
    assert!(taken.bytes() < 4 << 20, "{}", taken.bytes());
}

#[tokio::test]
async fn a_callee_that_gives_no_answer_is_no_hang() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move { drop(accepted) }).await;
    let asked = Instant::now();
    let body = chunks([Ok(Bytes::from(vec![0; 200_000]))], false);
    for streams in [vec![], vec![body]] {
        let answer = ask(&caller, post(), streams).await.unwrap();
        assert!(matches!(answer.reply.outcome, Outcome::Unknown { .. }), "{answer:?}");
    }
    assert!(asked.elapsed() < SOON);
}

#[tokio::test]
async fn a_stream_that_is_not_complete_in_time_says_so() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let endless = kit::endless(Bytes::from_static(b"beginning"));
        let _ = accepted.answering.reply(http_ok(), vec![endless]).await;
    })
    .await;
    let within = Duration::from_millis(300);
    let answer = caller.exchange(&host_of(1), get(), vec![], &LIMITS, within).await;
    let mut body = answer.unwrap().streams.remove(0);
    let first = soon("the beginning", body.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "beginning");
    let end = soon("the deadline", body.frame()).await.unwrap();
    assert_eq!(end.unwrap_err(), StreamFault::DeadlineExceeded);
    assert!(soon("the end", body.frame()).await.is_none());
}
