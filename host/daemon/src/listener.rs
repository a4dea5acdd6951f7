//! The shared HTTP listener: HTTP/1.1 and HTTP/2 on one port, for all applications.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, UPGRADE};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wattle_capability::{Body, BodyError, CallContext};
use wattle_engine::limits::EXECUTION_CEILING;
use wattle_tasks::{CancellationToken, TraceContext};

use crate::answer::Trouble;
use crate::config::BODY_BYTES_MAX;
use crate::router::Router;

/// Someone who sends its head more slowly holds a connection and nothing else.
pub(crate) const HEAD_WITHIN: Duration = Duration::from_secs(5);
pub(crate) const HEADERS_MAX: usize = 100;
/// All headers of one request together.
pub(crate) const HEADER_BYTES_MAX: u32 = 64 << 10;
/// Requests of one HTTP/2 connection at once.
pub(crate) const STREAMS_MAX: u32 = 128;
/// Each costs a descriptor and some kilobytes. Who comes when all are taken waits in the kernel.
pub(crate) const CONNECTIONS_MAX: usize = 8_192;
const BACKLOG: u32 = 1_024;
/// After a failure that is not one connection's, such as having no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("port {} is taken by another process; stop it, or choose another address than {addr}", addr.port())]
    Taken { addr: SocketAddr },
    #[error("could not listen on {addr}")]
    Other { addr: SocketAddr, source: io::Error },
}

/// A port that is ours; nobody is served before [`Listener::run`].
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    addr: SocketAddr,
    /// Of one request.
    body_bytes_max: u64,
}

impl Listener {
    pub(crate) fn bind(addr: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken { addr },
            _ => ListenError::Other { addr, source },
        };
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(failed)?;
        // So that a host can start again at once; it does not let two listen on one port.
        socket.set_reuseaddr(true).map_err(failed)?;
        socket.bind(addr).map_err(failed)?;
        let socket = socket.listen(BACKLOG).map_err(failed)?;
        let addr = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, addr, body_bytes_max: BODY_BYTES_MAX })
    }

    pub(crate) fn with_body_bytes_max(self, body_bytes_max: u64) -> Self {
        Self { body_bytes_max, ..self }
    }

    /// Where it is; with the port that the system chose, if it was asked to.
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop`; then lets what is in flight finish, for `grace` at most.
    pub(crate) async fn run(self, router: Arc<Router>, stop: CancellationToken, grace: Duration) {
        let graceful = GracefulShutdown::new();
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Some(stream) = stop.run_until_cancelled(self.accept(&places)).await {
            let (stream, place) = stream;
            let connection = serve(stream, router.clone(), self.body_bytes_max, graceful.watcher());
            let cut = cut.clone();
            connections.spawn(async move {
                let _place = place;
                cut.run_until_cancelled(connection).await;
            });
        }
        drop(self.socket);
        connections.close();
        let finish = async {
            graceful.shutdown().await;
            connections.wait().await;
        };
        if tokio::time::timeout(grace, finish).await.is_err() {
            tracing::warn!(?grace, "requests were still in flight and are cut");
        }
        cut.cancel();
        connections.wait().await;
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
        let place = places.clone().acquire_owned().await;
        let place = place.expect("the semaphore of connections is never closed");
        loop {
            match self.socket.accept().await {
                Ok((stream, _from)) => {
                    // Without it a small answer waits for the acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    return (stream, place);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Arc<Router>, body_bytes_max: u64, watcher: Watcher) {
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(&router, request, body_bytes_max).await) }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_headers(HEADERS_MAX);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        // Whose fault it is cannot be told, and there is nobody left to tell.
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(
    router: &Router,
    request: Request<Incoming>,
    body_bytes_max: u64,
) -> Response<Body> {
    let trace = trace_of(request.headers());
    let method = request.method().clone();
    let span = tracing::info_span!("http", %method, path = request.uri().path());
    trace.adopt(&span);
    let answered = route(router, request, trace, body_bytes_max).instrument(span).await;
    answered.unwrap_or_else(|trouble| trouble.response())
}

async fn route(
    router: &Router,
    request: Request<Incoming>,
    trace: TraceContext,
    body_bytes_max: u64,
) -> Result<Response<Body>, Trouble> {
    let (host, length) = inspect(&request)?;
    let actor = router.route(Some(&host), request.uri().path()).ok_or(Trouble::NoRoute)?;
    if length.is_some_and(|length| body_bytes_max < length) {
        return Err(Trouble::TooLarge { max: body_bytes_max });
    }
    let deadline = Instant::now() + EXECUTION_CEILING;
    let ctx = CallContext { trace, ..CallContext::outside(actor, deadline) };
    router.http(ctx, request.map(|body| limited(body, body_bytes_max)), false).await
}

/// Whom the request is for, and how long it says to be.
fn inspect<B>(request: &Request<B>) -> Result<(String, Option<u64>), Trouble> {
    let bad = |why: &str| Trouble::BadRequest(why.to_owned());
    let headers = request.headers();
    if HEADERS_MAX < headers.len() {
        return Err(bad("there are too many headers"));
    }
    if is_websocket(headers) {
        return Err(Trouble::Upgrade);
    }
    if request.method() == http::Method::CONNECT {
        return Err(bad("this is not a proxy"));
    }
    let in_uri = request.uri().authority().map(|authority| authority.as_str());
    let in_header = headers.get(HOST).map(|host| host.to_str());
    let host = match (in_uri, in_header) {
        (Some(host), _) | (None, Some(Ok(host))) if !host.is_empty() => host.to_owned(),
        (None, Some(Err(_))) => return Err(bad("the host is not readable")),
        _ => return Err(bad("there is no host")),
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    Ok((host, length))
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let names = |header: http::HeaderName, wanted: &str| {
        let values = headers.get_all(header);
        let mut tokens = values.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        tokens.any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    names(CONNECTION, "upgrade") && names(UPGRADE, "websocket")
}

fn trace_of(headers: &HeaderMap) -> TraceContext {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    TraceContext { traceparent: text("traceparent"), tracestate: text("tracestate") }
}

fn limited(body: Incoming, limit: u64) -> Body {
    let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    limited
        .map_err(move |error| {
            if error.is::<LengthLimitError>() {
                BodyError::TooLarge { limit }
            } else {
                BodyError::Transport(error)
            }
        })
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_looked_at_before_anything_is_done_about_it() {
        let request = |head: &[(&str, &str)], uri: &str| {
            let mut request = Request::builder().uri(uri);
            for (name, value) in head {
                request = request.header(*name, *value);
            }
            request.body(()).unwrap()
        };
        let host = ("host", "a.example:80");
        let cases = [
            (request(&[host], "/"), Ok("a.example:80")),
            (request(&[host], "http://b.example/"), Ok("b.example")),
            (request(&[], "/"), Err(400)),
            (request(&[("host", "")], "/"), Err(400)),
            (request(&[("host", "\u{e4}")], "/"), Err(400)),
            (request(&[host, ("connection", "Upgrade"), ("upgrade", "WebSocket")], "/"), Err(501)),
            (
                request(
                    &[host, ("connection", "keep-alive, upgrade"), ("upgrade", "websocket")],
                    "/",
                ),
                Err(501),
            ),
            // An offer that may be passed over.
            (
                request(&[host, ("connection", "upgrade"), ("upgrade", "h2c")], "/"),
                Ok("a.example:80"),
            ),
        ];
        for (request, expected) in cases {
            let found = inspect(&request).map(|(host, _)| host);
            let found = found.as_deref().map_err(|trouble| trouble.status().as_u16());
            assert_eq!(found, expected, "{request:?}");
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_said_at_once() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Listener::bind(first.addr()).unwrap_err();
        assert!(matches!(error, ListenError::Taken { .. }));
        assert!(error.to_string().contains(&first.addr().to_string()), "{error}");
    }
}
