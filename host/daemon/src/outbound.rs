//! HTTP from actors to servers outside the lattice: HTTP/1.1, plain or with TLS.
//!
//! A name is resolved here, each address is judged, and the connection is made to an address that
//! was judged: a name that is resolved twice can lead to two places.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use wattle_capability::{Body, BodyError, CallContext, OutboundError};

use crate::egress::{Egress, Server};

/// Connections to the outside that all actors of a host may have at once.
pub(crate) const CONNECTIONS_MAX: usize = 512;
/// Until a connection is made and, where there is TLS, both sides have agreed.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The way out of one host, shared by its actors.
#[derive(Clone)]
pub(crate) struct Gate {
    allowed: Vec<Server>,
    /// Made at the first HTTPS request: the system's certificates take time and memory.
    tls: Arc<OnceLock<TlsConnector>>,
    connections: Arc<Semaphore>,
}

/// The servers that one actor may reach.
#[derive(Debug)]
pub(crate) struct Servers {
    egress: Egress,
    gate: Gate,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Gate {
    pub(crate) fn new(allowed: Vec<Server>) -> Self {
        Self {
            allowed,
            tls: Arc::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        }
    }

    /// For an actor that asks for these servers.
    pub(crate) fn servers(&self, asked: Vec<Server>) -> Servers {
        Servers { egress: Egress::new(self.allowed.clone(), asked), gate: self.clone() }
    }
}

impl Gate {
    async fn tls(&self) -> Result<TlsConnector, OutboundError> {
        let tls = self.tls.clone();
        let made = tokio::task::spawn_blocking(move || {
            tls.get_or_init(|| TlsConnector::from(Arc::new(tls_config()))).clone()
        });
        made.await.map_err(|_| OutboundError::Invalid("TLS is not available".to_owned()))
    }
}

/// Blocks: reads the system's certificates.
fn tls_config() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // Without any certificate every HTTPS request fails with a reason; a host that serves others
    // is better than none.
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!("this system has no certificates: actors reach no HTTPS server");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Where a request goes.
struct Target {
    host: String,
    port: u16,
    tls: bool,
    /// As the guest wrote it, for `host` and for messages.
    authority: String,
}

impl Target {
    fn of(uri: &http::Uri) -> Result<Self, OutboundError> {
        let tls = match uri.scheme_str() {
            Some("http") | None => false,
            Some("https") => true,
            Some(other) => {
                return Err(OutboundError::Invalid(format!("the scheme {other} is not HTTP")));
            }
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(|| {
            OutboundError::Invalid("the URI names no server, or a user".to_owned())
        })?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, tls, authority: authority.to_string() })
    }
}

impl Servers {
    /// Contract as of [`wattle_capability::Outbound::http`].
    pub(crate) async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        let target = Target::of(request.uri())?;
        if !self.egress.allows(&target.host, target.port) {
            return Err(OutboundError::Denied { target: target.authority });
        }
        let overloaded = || OutboundError::Overloaded { target: target.authority.clone() };
        let connections = self.gate.connections.clone();
        let permit = connections.try_acquire_owned().map_err(|_| overloaded())?;
        let deadline = ctx.deadline;
        let sending = async {
            let connect = tokio::time::timeout(CONNECT_WITHIN, self.connect(&target));
            let unreachable = || OutboundError::Unreachable { target: target.authority.clone() };
            let stream = connect.await.map_err(|_| unreachable())??;
            send(stream, prepare(request, &target)?, permit).await
        };
        let sent = tokio::time::timeout_at(deadline, sending).await;
        sent.map_err(|_| OutboundError::DeadlineExceeded)?
    }

    async fn connect(&self, target: &Target) -> Result<Stream, OutboundError> {
        let unreachable = || OutboundError::Unreachable { target: target.authority.clone() };
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let found: Vec<SocketAddr> = match found {
            Ok(found) => found.collect(),
            Err(error) => {
                tracing::debug!(server = %target.authority, %error, "name not resolved");
                return Err(OutboundError::NotFound { target: target.authority.clone() });
            }
        };
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .filter(|at| self.egress.allows_address(&target.host, at.ip(), target.port))
            .collect();
        if allowed.is_empty() {
            return Err(OutboundError::Denied { target: target.authority.clone() });
        }
        let stream = TcpStream::connect(&allowed[..]).await.map_err(|error| {
            tracing::debug!(server = %target.authority, %error, "not connected");
            unreachable()
        })?;
        // Without it small requests wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        if !target.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| OutboundError::Invalid(format!("{} is no server name", target.host)))?;
        let tls = self.gate.tls().await?;
        let stream = tls.connect(name, stream).await.map_err(|error| {
            tracing::debug!(server = %target.authority, %error, "no TLS");
            unreachable()
        })?;
        Ok(Box::new(stream))
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
type Stream = Box<dyn Duplex>;

/// In the form of HTTP/1.1, without what speaks of the guest's own connection, of which it has none.
fn prepare(
    mut request: http::Request<Body>,
    target: &Target,
) -> Result<http::Request<Body>, OutboundError> {
    const OF_THE_CONNECTION: [HeaderName; 7] = [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    for name in OF_THE_CONNECTION {
        request.headers_mut().remove(name);
    }
    // Whom the request is for is decided by the URI that was judged, not by a header beside it.
    let host = HeaderValue::try_from(target.authority.as_str())
        .map_err(|_| OutboundError::Invalid("the server's name is malformed".to_owned()))?;
    request.headers_mut().insert(HOST, host);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path =
        path.parse().map_err(|_| OutboundError::Invalid("the path is malformed".to_owned()))?;
    *request.uri_mut() = path;
    *request.version_mut() = http::Version::HTTP_11;
    Ok(request)
}

async fn send(
    stream: Stream,
    request: http::Request<Body>,
    permit: OwnedSemaphorePermit,
) -> Result<http::Response<Body>, OutboundError> {
    let unknown = |error: hyper::Error| OutboundError::Unknown(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unknown)?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to the outside ended");
        }
    });
    // From here on it ends with the body, or with this future.
    let held = Held { task: task.abort_handle(), _permit: permit };
    let response = sender.send_request(request).await.map_err(unknown)?;
    Ok(response.map(|body| Answer { body, _held: held }.boxed_unsync()))
}

/// What a request holds until its answer was read.
struct Held {
    task: AbortHandle,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Answer {
    body: Incoming,
    _held: Held,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map_err(|error| BodyError::Transport(Box::new(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;
    use wattle_capability::body;

    use super::*;

    /// Answers each connection with what it was sent, as the body of a 200.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4_096];
                let n = stream.read(&mut head).await.unwrap_or(0);
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {n}\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.write_all(&head[..n]).await;
            }
        });
        addr
    }

    async fn ask(
        servers: &Servers,
        request: http::request::Builder,
    ) -> Result<String, OutboundError> {
        let actor = "asker".parse().unwrap();
        let ctx = CallContext::outside(actor, Instant::now() + Duration::from_secs(20));
        let response = servers.http(&ctx, request.body(body::empty()).unwrap()).await?;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn servers(named: &[&str]) -> Servers {
        let named: Vec<Server> = named.iter().map(|raw| raw.parse().unwrap()).collect();
        Gate::new(named.clone()).servers(named)
    }

    #[tokio::test]
    async fn a_request_is_for_whom_its_uri_names_and_carries_nothing_of_a_connection() {
        let addr = server().await;
        let request = http::Request::get(format!("http://{addr}/a?b=c"))
            .header("host", "other.test")
            .header("connection", "x-mine")
            .header("transfer-encoding", "chunked")
            .header("x-kept", "yes");
        let sent = ask(&servers(&["127.0.0.1"]), request).await.unwrap();
        assert!(sent.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{sent}");
        assert!(sent.contains(&format!("host: {addr}\r\n")), "{sent}");
        assert!(sent.contains("x-kept: yes\r\n"), "{sent}");
        for gone in ["other.test", "x-mine", "chunked"] {
            assert!(!sent.contains(gone), "{gone}: {sent}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_asked_says_why() {
        let addr = server().await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let servers = servers(&["127.0.0.1", "nowhere.invalid", "localhost:1"]);
        let cases = [
            (format!("http://{closed}/"), "Unreachable"),
            // Speaks no TLS.
            (format!("https://{addr}/"), "Unreachable"),
            ("http://nowhere.invalid/".to_owned(), "NotFound"),
            ("http://elsewhere.test/".to_owned(), "Denied"),
            (format!("http://localhost:{}/", addr.port()), "Denied"),
            (format!("ftp://{addr}/"), "Invalid"),
            (format!("http://user@{addr}/"), "Invalid"),
            ("/only/a/path".to_owned(), "Invalid"),
        ];
        for (uri, expected) in cases {
            let error = ask(&servers, http::Request::get(&uri)).await.unwrap_err();
            let said = format!("{error:?}");
            assert!(said.starts_with(expected), "{uri}: {said}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_given_back_when_its_answer_was_read() {
        let addr = server().await;
        let servers = servers(&["127.0.0.1"]);
        for _ in 0..3 {
            ask(&servers, http::Request::get(format!("http://{addr}/"))).await.unwrap();
            assert_eq!(servers.gate.connections.available_permits(), CONNECTIONS_MAX);
        }
    }
}
