//! What is lost, and what comes to grief.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{RequestError, StreamFault};

use super::kit::{ask, callee, endless, get, http_ok, invoke, post, serve};
use crate::{join, soon};

#[tokio::test]
async fn a_server_that_restarts_during_a_call_ends_it() {
    let mut server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let _serving = serve(&callee, move |accepted| {
        let begun = begun.clone();
        async move {
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(accepted);
        }
    })
    .await;
    let asking = tokio::spawn({
        let caller = caller.clone();
        async move { ask(&caller, invoke(""), vec![]).await.map(drop) }
    });
    soon("the call begins", begins.recv()).await.unwrap();
    server.restart();
    let asked = soon("the end of the call", asking).await.unwrap();
    assert_eq!(asked.unwrap_err(), RequestError::Lost);
}

#[tokio::test]
async fn a_server_that_restarts_loses_streams_on_both_sides_and_the_next_call_works() {
    let mut server = NatsServer::start();
    let (caller, callee) = (join(&server).await, callee(&server).await);
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let _serving = serve(&callee, move |accepted| {
        let told = told.clone();
        async move {
            let gone = accepted.answering.cancelled();
            let body = endless(Bytes::from(vec![0; 100_000]));
            let sent = accepted.answering.reply(http_ok(), vec![body]).await;
            gone.await;
            told.send(sent).unwrap();
        }
    })
    .await;
    let mut answer = ask(&caller, get(), vec![]).await.unwrap();
    let mut body = answer.streams.remove(0);
    soon("a frame", body.frame()).await.unwrap().unwrap();
    server.restart();
    let fault = async {
        loop {
            match body.frame().await.expect("no clean end") {
                Ok(_) => {}
                Err(fault) => return fault,
            }
        }
    };
    let fault = soon("the loss", fault).await;
    assert!(matches!(fault, StreamFault::Lost(_)), "{fault:?}");
    let sent = soon("the callee knows", ended.recv()).await.unwrap();
    assert!(matches!(sent, Err(StreamFault::Lost(_))), "{sent:?}");

    for connection in [&caller, &callee] {
        let mut link = connection.connected();
        soon("it comes back", link.wait_for(|link| link.up)).await.unwrap();
        soon("it listens again", connection.flush(crate::SOON)).await.unwrap();
    }
    // The second connections come back in their own time.
    let again = async {
        loop {
            if let Ok(mut answer) = ask(&caller, get(), vec![]).await
                && let Some(Ok(frame)) = answer.streams.remove(0).frame().await
            {
                return frame;
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(soon("the next call", again).await.is_data());
}

#[tokio::test]
async fn a_caller_whose_process_ends_cancels_what_it_asked_for() {
    let server = NatsServer::start();
    let callee = callee(&server).await;
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let _serving = serve(&callee, move |mut accepted| {
        let told = told.clone();
        async move {
            let gone = accepted.answering.cancelled();
            let mut body = accepted.streams.remove(0);
            let fault = async {
                loop {
                    match body.frame().await.expect("no clean end") {
                        Ok(frame) => told.send(Ok(frame.into_data().unwrap().len())).unwrap(),
                        Err(fault) => return fault,
                    }
                }
            };
            let fault = fault.await;
            gone.await;
            told.send(Err(fault)).unwrap();
        }
    })
    .await;
    // A runtime of its own, which ends as a process does: nothing runs any more.
    let caller_side =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = server.url();
    caller_side.spawn(async move {
        let config = wattle_lattice::ConnectConfig::client(url, crate::lattice());
        let caller = wattle_lattice::Connection::connect(config, |_| {}).await.unwrap();
        let body = endless(Bytes::from(vec![0; 100_000]));
        let _ = ask(&caller, post(), vec![body]).await;
    });
    let mut read = 0;
    while read < 100_000 {
        read += soon("the beginning", ended.recv()).await.unwrap().unwrap();
    }
    caller_side.shutdown_background();
    let fault = soon("the callee knows", ended.recv()).await.unwrap().unwrap_err();
    assert!(matches!(fault, StreamFault::Lost(_)), "{fault:?}");
}
