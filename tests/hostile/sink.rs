//! A server outside the lattice that answers as a test needs it, or does not.

use std::{convert::Infallible, fs, future::pending, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(50);

/// Runs until the runtime of the test ends.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // Whoever hangs up in the middle is what this is for.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await;
                });
            }
        });
        Self { address }
    }

    /// Connections that whoever made them has not closed, by what the kernel says: who answers may
    /// notice only when it next has something to say.
    pub(crate) fn connections(&self) -> usize {
        const ESTABLISHED: &str = "01";
        const CLOSE_WAIT: &str = "08";
        let port = format!(":{:04X}", self.address.port());
        let table = fs::read_to_string("/proc/net/tcp").expect("the kernel tells");
        // A number, the local address, that of the peer, the state.
        let is_open = |line: &&str| {
            let mut columns = line.split_whitespace().skip(2);
            columns.next().is_some_and(|peer| peer.ends_with(&port))
                && columns.next().is_some_and(|state| [ESTABLISHED, CLOSE_WAIT].contains(&state))
        };
        table.lines().filter(is_open).count()
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = match request.uri().path() {
        "/never" => pending().await,
        "/drip" => {
            let bytes = stream::unfold((), |()| async {
                tokio::time::sleep(DRIP).await;
                Some((Ok(Frame::data(Bytes::from_static(b"."))), ()))
            });
            StreamBody::new(bytes.boxed()).boxed_unsync()
        }
        "/count" => {
            let body = request.into_body().collect().await?.to_bytes();
            Full::from(body.len().to_string()).boxed_unsync()
        }
        _ => Full::from("here").boxed_unsync(),
    };
    Ok(Response::new(body))
}
