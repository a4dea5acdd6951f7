//! An HTTP client with a connection for each request.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::PATIENCE;

pub(crate) async fn get(addr: SocketAddr, target: &str) -> (StatusCode, String) {
    send(addr, Request::get(target).body(Full::default()).unwrap()).await.unwrap()
}

/// The whole answer to a request, on a connection of its own.
pub(crate) async fn send(
    addr: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), Box<dyn std::error::Error>> {
    let response = begin(addr, request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// The head of the answer; its body goes on arriving.
pub(crate) async fn begin<B>(
    addr: SocketAddr,
    mut request: Request<B>,
) -> Result<Response<Incoming>, Box<dyn std::error::Error>>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let stream = TcpStream::connect(addr).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let host = addr.to_string().parse()?;
    request.headers_mut().entry(http::header::HOST).or_insert(host);
    Ok(tokio::time::timeout(PATIENCE, sender.send_request(request)).await??)
}
