//! Requests over connections of their own: what a caller sees, without a pool in between.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request,
    body::{Frame, Incoming},
    client::conn::http1,
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

/// Nobody waits longer for one answer, or for the next piece of a long one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a request carries.
pub type Sent = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// The last number in the body; the example writes its count there.
    pub fn count(&self) -> Option<u64> {
        self.body
            .split(|c: char| !c.is_ascii_digit())
            .rfind(|digits| !digits.is_empty())?
            .parse()
            .ok()
    }
}

/// An answer whose head has come, and whose body has not. Dropped, it hangs up.
#[derive(Debug)]
pub struct Begun {
    pub status: u16,
    pub headers: HeaderMap,
    body: Incoming,
    connection: JoinHandle<hyper::Result<()>>,
}

/// What a long body was, without the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    pub bytes: u64,
    pub trailers: HeaderMap,
}

impl Begun {
    /// The rest of it; an error if it is cut short.
    pub async fn whole(mut self) -> Result<Answer> {
        let read = tokio::time::timeout(PATIENCE, (&mut self.body).collect()).await;
        let body =
            read.context("read the body in time")?.context("read the whole body")?.to_bytes();
        Ok(Answer { status: self.status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The next piece of the body; none at its end.
    pub async fn piece(&mut self) -> Result<Option<Frame<Bytes>>> {
        let next = tokio::time::timeout(PATIENCE, self.body.frame()).await;
        next.context("the next piece comes in time")?.transpose().context("read the whole body")
    }

    /// Reads to the end and keeps nothing; an error if it is cut short.
    pub async fn measured(mut self) -> Result<Measured> {
        let mut measured = Measured { bytes: 0, trailers: HeaderMap::new() };
        while let Some(frame) = self.piece().await? {
            match frame.into_data() {
                Ok(data) => measured.bytes += data.len() as u64,
                Err(frame) => {
                    measured.trailers.extend(frame.into_trailers().ok().into_iter().flatten());
                }
            }
        }
        Ok(measured)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Sends a request, and waits for the head of the answer only.
pub async fn ask(server: SocketAddr, request: Request<Sent>) -> Result<Begun> {
    let what = format!("{} http://{server}{}", request.method(), request.uri());
    let asked = async {
        let stream = TcpStream::connect(server).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        anyhow::Ok(Begun { status, headers, body, connection })
    };
    tokio::time::timeout(PATIENCE, asked).await.with_context(|| what.clone())?.context(what)
}

/// Asks for `path`, and waits for the head of the answer only.
pub async fn begin(server: SocketAddr, host: &str, path: &str) -> Result<Begun> {
    let request = Request::get(path).header(HOST, host).header("te", "trailers");
    ask(server, request.body(Empty::new().boxed_unsync())?).await
}

/// Asks for `path` under the name of the address.
pub async fn get(server: SocketAddr, path: &str) -> Result<Answer> {
    get_from(server, &server.to_string(), path).await
}

/// Asks for `path` of `host`, whatever the address.
pub async fn get_from(server: SocketAddr, host: &str, path: &str) -> Result<Answer> {
    begin(server, host, path)
        .await?
        .whole()
        .await
        .with_context(|| format!("ask http://{server}{path}"))
}

/// A request whose body comes piece by piece; the last piece may be trailers, which `trailer` announces.
pub async fn upload(
    server: SocketAddr,
    path: &str,
    trailer: &'static str,
    pieces: impl Stream<Item = Frame<Bytes>> + Send + 'static,
) -> Result<Begun> {
    let body = StreamBody::new(pieces.map(Ok)).boxed_unsync();
    let request = Request::post(path)
        .header(HOST, server.to_string())
        .header("te", "trailers")
        .header("trailer", trailer);
    ask(server, request.body(body)?).await
}
