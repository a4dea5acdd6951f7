//! A server outside the lattice that answers as a test needs it, or does not.

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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
    connections: Arc<AtomicUsize>,
}

/// One connection; counted while it is there.
struct Counted(Arc<AtomicUsize>);

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let counted = Counted(counter.clone());
                tokio::spawn(async move {
                    let _counted = counted;
                    // Whoever hangs up in the middle is what this is for.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await;
                });
            }
        });
        Self { address, connections }
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
