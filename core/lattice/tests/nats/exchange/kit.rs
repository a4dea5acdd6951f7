//! What these tests call with, and whom.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use wattle_lattice::call::{
    CallBody, CallReply, CallRequest, Caller, HttpRequest, HttpResponse, InvokeRequest, Limits,
    Outcome, ReplyBody, Trace,
};
use wattle_lattice::testing::NatsServer;
use wattle_lattice::{
    Accepted, ConnectConfig, Connection, Content, Exchanged, Pattern, RequestError, StreamFault,
    Subject,
};
use wattle_types::ActorId;
use wattle_value::{FuncType, Signatures, Type};

use crate::{SOON, host, lattice, soon};

pub(super) const LIMITS: Limits = Limits {
    message_bytes_max: 1 << 20,
    headers_max: 128,
    header_bytes_max: 64 << 10,
    uri_bytes_max: 8 << 10,
    value_bytes_max: 8 << 20,
    streams_max: 16,
};

pub(super) fn actor() -> ActorId {
    "echo".parse().unwrap()
}

pub(super) fn host_of(n: u8) -> Subject {
    Subject::Call { host: host(n), actor: actor() }
}

pub(super) async fn join_as(server: &NatsServer, who: &str) -> Connection {
    let config = ConnectConfig::member(server.url(), lattice(), who.parse().unwrap());
    Connection::connect(config, |_| {}).await.unwrap()
}

/// Host 1.
pub(super) async fn callee(server: &NatsServer) -> Connection {
    join_as(server, &host(1).to_string()).await
}

fn request(body: CallBody) -> CallRequest {
    CallRequest {
        actor: actor(),
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 1,
        idempotency: String::new(),
        remaining_ms: 15_000,
        caller: Caller::default(),
        trace: Trace::default(),
        fingerprint: None,
        body,
    }
}

pub(super) fn invoke(args: impl Into<Bytes>) -> CallRequest {
    request(CallBody::Invoke(InvokeRequest {
        interface: "test:echo/echo@1.0.0".parse().unwrap(),
        function: "echo".into(),
        args: args.into(),
    }))
}

pub(super) fn describe() -> CallRequest {
    request(CallBody::Describe)
}

fn http(method: &str) -> CallRequest {
    let http = http::Request::builder().method(method).uri("http://shop/a").body(()).unwrap();
    request(CallBody::Http(HttpRequest::new(&http.into_parts().0, Bytes::new())))
}

pub(super) fn get() -> CallRequest {
    http("GET")
}

pub(super) fn post() -> CallRequest {
    http("POST")
}

pub(super) fn http_ok() -> CallReply {
    let parts = http::Response::new(()).into_parts().0;
    CallReply::ok(ReplyBody::Http(HttpResponse::new(&parts, Bytes::new())))
}

pub(super) fn signatures(functions: usize) -> Signatures {
    let func = FuncType { params: vec![], result: Some(Type::String), is_async: false };
    let functions =
        (0..functions).map(|n| (format!("function-with-a-long-name-{n}"), func.clone()));
    Signatures([("test:echo/echo@1.0.0".parse().unwrap(), functions.collect())].into())
}

pub(super) fn value(request: &CallRequest) -> Bytes {
    let CallBody::Invoke(invoke) = &request.body else { panic!("{request:?}") };
    invoke.args.clone()
}

pub(super) fn text(reply: &CallReply) -> String {
    let Outcome::Ok(ReplyBody::Value(value)) = &reply.outcome else { panic!("{reply:?}") };
    String::from_utf8(value.to_vec()).unwrap()
}

/// Asks host 1.
pub(super) async fn ask(
    caller: &Connection,
    request: CallRequest,
    streams: Vec<Content>,
) -> Result<Exchanged, RequestError> {
    let subject = host_of(1);
    soon("the answer", caller.exchange(&subject, request, streams, &LIMITS, SOON)).await
}

/// Ends with its owner.
pub(super) struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes the calls to whoever `connection` is, and those to any.
pub(super) async fn serve<F>(
    connection: &Connection,
    handle: impl Fn(Accepted) -> F + Clone + Send + 'static,
) -> Serving
where
    F: Future<Output = ()> + Send + 'static,
{
    let host = connection.who().as_str().parse().unwrap();
    let calls = connection.subscribe(&Pattern::CallsTo { host }).await.unwrap();
    let any = connection.subscribe(&Pattern::AnyCalls).await.unwrap();
    connection.flush(SOON).await.unwrap();
    let connection = connection.clone();
    let serving = async move {
        let mut calls = futures::stream::select(calls, any);
        while let Some(message) = calls.next().await {
            let (connection, handle) = (connection.clone(), handle.clone());
            tokio::spawn(async move {
                match connection.accept(message, &LIMITS).await {
                    Ok(accepted) => handle(accepted).await,
                    Err(refused) => refused.answer().await,
                }
            });
        }
    };
    Serving(tokio::spawn(serving).abort_handle())
}

/// Everything that is said below `wattle.`.
pub(super) struct Watched {
    client: async_nats::Client,
    said: async_nats::Subscriber,
}

pub(super) async fn watched(server: &NatsServer) -> Watched {
    let client = async_nats::connect(server.url()).await.unwrap();
    let said = client.subscribe("wattle.>").await.unwrap();
    confirmed(&client).await;
    Watched { client, said }
}

/// Waits until the server has taken what a client subscribed to: for a round trip.
pub(super) async fn confirmed(client: &async_nats::Client) {
    let own = client.new_inbox();
    let mut heard = client.subscribe(own.clone()).await.unwrap();
    client.publish(own, Bytes::new()).await.unwrap();
    soon("the server listens", heard.next()).await.unwrap();
}

impl Watched {
    /// What was said up to now: the subject, and whether there were headers.
    pub(super) async fn all(mut self) -> Vec<(String, bool)> {
        self.client.publish("wattle.prod.last", Bytes::new()).await.unwrap();
        let mut all = Vec::new();
        loop {
            let said = soon("a message", self.said.next()).await.unwrap();
            if said.subject.as_str() == "wattle.prod.last" {
                return all;
            }
            all.push((said.subject.to_string(), said.headers.is_some()));
        }
    }
}

/// A body of these pieces, and a trailer if there is to be one.
pub(super) fn chunks<const N: usize>(
    pieces: [Result<Bytes, StreamFault>; N],
    trailer: bool,
) -> Content {
    let trailers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("x-sum"),
        http::HeaderValue::from_static("9"),
    )]);
    let trailers = trailer.then_some(Ok(Frame::trailers(trailers)));
    let data = pieces.into_iter().map(|piece| piece.map(Frame::data));
    StreamBody::new(futures::stream::iter(data.chain(trailers))).boxed_unsync()
}

/// A beginning that nothing follows, ever.
pub(super) fn endless(beginning: Bytes) -> Content {
    let frames = futures::stream::iter([Ok(Frame::data(beginning))]);
    StreamBody::new(frames.chain(futures::stream::pending())).boxed_unsync()
}

/// How much was taken from a [`source`], and whether it is still there.
#[derive(Clone)]
pub(super) struct Taken {
    bytes: Arc<AtomicUsize>,
    gone: CancellationToken,
}

impl Taken {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) async fn dropped(&self) {
        self.gone.cancelled().await;
    }
}

struct Source {
    pieces: std::vec::IntoIter<Result<Bytes, StreamFault>>,
    bytes: Arc<AtomicUsize>,
    _gone: DropGuard,
}

impl http_body::Body for Source {
    type Data = Bytes;
    type Error = StreamFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamFault>>> {
        let piece = self.pieces.next();
        if let Some(Ok(piece)) = &piece {
            self.bytes.fetch_add(piece.len(), Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

/// A body that is always ready, and what becomes of it.
pub(super) fn source(pieces: Vec<Result<Bytes, StreamFault>>) -> (Content, Taken) {
    let (bytes, gone) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
    let source = Source {
        pieces: pieces.into_iter(),
        bytes: bytes.clone(),
        _gone: gone.clone().drop_guard(),
    };
    (source.boxed_unsync(), Taken { bytes, gone })
}

pub(super) async fn whole(content: Content) -> Result<Vec<u8>, StreamFault> {
    soon("the whole", content.collect()).await.map(|whole| whole.to_bytes().to_vec())
}
