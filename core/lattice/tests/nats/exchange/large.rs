//! More than one message holds.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use wattle_lattice::call::{CallReply, Limits, Outcome, ReplyBody};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{RequestError, StreamFault};

use super::kit::{
    LIMITS, ask, callee, chunks, host_of, http_ok, invoke, post, serve, source, value, whole,
};
use crate::{SOON, join, soon};

/// What one stream may have under way, and a frame that is being handed on.
const WINDOW: usize = (512 << 10) + (64 << 10);

fn piece(n: usize) -> Bytes {
    Bytes::from(vec![n as u8; 60_000 + n % 7_000])
}

#[tokio::test]
async fn a_long_stream_passes_through_little_memory_in_each_direction() {
    const PIECES: usize = 1_200;
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |mut accepted| async move {
        let body = accepted.streams.remove(0);
        accepted.answering.reply(http_ok(), vec![body]).await.unwrap();
    })
    .await;
    let pieces: Vec<Bytes> = (0..PIECES).map(piece).collect();
    let total: usize = pieces.iter().map(Bytes::len).sum();
    assert!(64 << 20 < total);
    let (body, _taken) = source(pieces.iter().cloned().map(Ok).collect());
    let mut answer = ask(&caller, post(), vec![body]).await.unwrap();
    let mut body = answer.streams.remove(0);
    let mut expected = pieces.iter().flat_map(|piece| piece.iter().copied());
    let mut read = 0;
    while let Some(frame) = soon("a frame", body.frame()).await {
        let data = frame.unwrap().into_data().unwrap();
        read += data.len();
        assert!(data.iter().all(|byte| Some(*byte) == expected.next()), "at {read}");
    }
    assert_eq!(read, total);
    for connection in [&caller, &callee] {
        let (now, peak) = connection.bytes_held();
        assert_eq!(now, 0);
        assert!(0 < peak && peak <= WINDOW, "{peak}");
    }
}

#[tokio::test]
async fn who_reads_one_stream_slowly_gets_the_others_at_full_speed() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let body = || source((0..100).map(piece).map(Ok).collect()).0;
        let reply = CallReply::ok(ReplyBody::Value("two".into()));
        accepted.answering.reply(reply, vec![body(), body()]).await.unwrap();
    })
    .await;
    let mut answer = ask(&caller, invoke(""), vec![]).await.unwrap();
    let (slow, fast) = (answer.streams.remove(0), answer.streams.remove(0));
    // Another call, of the same connections, is not held up either.
    let other = ask(&caller, invoke(""), vec![]).await.unwrap();
    let expected: usize = (0..100).map(|n| piece(n).len()).sum();
    assert_eq!(whole(fast).await.unwrap().len(), expected);
    for stream in other.streams {
        assert_eq!(whole(stream).await.unwrap().len(), expected);
    }
    let (held, _) = caller.bytes_held();
    assert!(held <= WINDOW, "{held}");
    assert_eq!(whole(slow).await.unwrap().len(), expected);
}

#[tokio::test]
async fn arguments_and_results_beyond_one_message_are_whole_again() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let reply = CallReply::ok(ReplyBody::Value(value(&accepted.request)));
        accepted.answering.reply(reply, accepted.streams).await.unwrap();
    })
    .await;
    // Around the edge, where a head has room for all but a little.
    let sizes = [(1 << 20) - 400, (1 << 20) - 200, (1 << 20) - 100, 1 << 20, 3 << 20, 8 << 20];
    for size in sizes {
        let sent: Bytes = (0..size).map(|n| (n * 31) as u8).collect();
        let beside = Bytes::from(vec![3; 70_000]);
        let streams = vec![chunks([Ok(beside.clone())], false)];
        let mut answer = ask(&caller, invoke(sent.clone()), streams).await.unwrap();
        let back = Outcome::Ok(ReplyBody::Value(sent));
        assert!(answer.reply.outcome == back, "{size}: {:?}", answer.reply);
        assert_eq!(whole(answer.streams.remove(0)).await.unwrap(), beside, "{size}");
    }
}

#[tokio::test]
async fn values_beyond_their_limit_are_refused_on_either_side() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let _serving = serve(&callee, |accepted| async move {
        let reply = CallReply::ok(ReplyBody::Value(vec![0; (8 << 20) + 1].into()));
        accepted.answering.reply(reply, vec![]).await.unwrap();
    })
    .await;
    let max = LIMITS.value_bytes_max;
    let asked = ask(&caller, invoke(vec![0; max + 1]), vec![]).await;
    assert_eq!(asked.unwrap_err(), RequestError::TooLarge { len: max + 1, max });

    // A caller with another limit is told by the callee.
    let wide = Limits { value_bytes_max: 2 * max, ..LIMITS };
    let sent = invoke(vec![0; max + 1]);
    let answer = caller.exchange(&host_of(1), sent, vec![], &wide, SOON).await.unwrap();
    assert!(matches!(answer.reply.outcome, Outcome::NotBegun { .. }), "{:?}", answer.reply);

    let answer = ask(&caller, invoke(""), vec![]).await.unwrap();
    match answer.reply.outcome {
        Outcome::Failed { code, .. } => assert_eq!(code, "WT-HOST-ANSWER-TOO-LARGE"),
        other => panic!("{other:?}"),
    }
    let narrow = Limits { value_bytes_max: 10, ..LIMITS };
    let asked = caller.exchange(&host_of(1), invoke(vec![0; 11]), vec![], &narrow, SOON).await;
    assert_eq!(asked.unwrap_err(), RequestError::TooLarge { len: 11, max: 10 });
}

#[tokio::test]
async fn a_body_that_its_writer_cuts_short_is_no_clean_end() {
    let server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let cut = || StreamFault::Cut { code: "WT-ENGINE-TRAP".into(), reason: "it trapped".into() };
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let _serving = serve(&callee, move |mut accepted| {
        let told = told.clone();
        async move {
            told.send(whole(accepted.streams.remove(0)).await).unwrap();
            let body = chunks([Ok(Bytes::from(vec![0; 200_000])), Err(cut())], false);
            let sent = accepted.answering.reply(http_ok(), vec![body]).await;
            assert_eq!(sent, Err(cut()));
        }
    })
    .await;
    for before in [0, 10, 200_000] {
        let body =
            chunks([Ok(Bytes::from(vec![0; before])), Err(StreamFault::DeadlineExceeded)], false);
        let mut answer = ask(&caller, post(), vec![body]).await.unwrap();
        let read = soon("what the callee read", heard.recv()).await.unwrap();
        assert_eq!(read, Err(StreamFault::DeadlineExceeded), "{before}");
        assert_eq!(whole(answer.streams.remove(0)).await, Err(cut()));
    }
}
