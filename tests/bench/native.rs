//! The answer of the guest `http-hello` without a guest: what hyper alone can do on this machine.
//!
//! `bench-native ADDRESS` serves until it is killed, with the HTTP library and the runtime that a host has.

use std::{convert::Infallible, env, net::SocketAddr};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<()> {
    let address = env::args().nth(1).context("usage: bench-native ADDRESS")?;
    let address: SocketAddr = address.parse().context("the address is one of an IP and a port")?;
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _from) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) {
    let hello = async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello, world!\n"))))
    };
    // Whoever closes a connection is done with it, however it ends.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service_fn(hello))
        .await;
}
