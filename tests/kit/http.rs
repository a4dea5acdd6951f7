//! One GET over a connection of its own: what a caller sees, without a pool in between.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Nobody waits longer for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// An answer whose head has come, and whose body has not.
#[derive(Debug)]
pub struct Begun {
    pub status: u16,
    response: Response<Incoming>,
}

impl Begun {
    /// The rest of it; an error if it is cut short.
    pub async fn whole(self) -> Result<Answer> {
        let read = tokio::time::timeout(PATIENCE, self.response.into_body().collect()).await;
        let body =
            read.context("read the body in time")?.context("read the whole body")?.to_bytes();
        Ok(Answer { status: self.status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Asks for `path`, and waits for the head of the answer only.
pub async fn begin(server: SocketAddr, host: &str, path: &str) -> Result<Begun> {
    let asked = async {
        let stream = TcpStream::connect(server).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer, or with the one who reads it.
        tokio::spawn(connection);
        let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        anyhow::Ok(Begun { status, response })
    };
    let context = || format!("ask http://{server}{path}");
    tokio::time::timeout(PATIENCE, asked).await.with_context(context)?.with_context(context)
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
