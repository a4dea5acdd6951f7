//! From the moment a host is told of an actor to the first 200, with the component's code in its cache and the
//! component not in use.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use wattle_types::{ActorSpec, HttpRoute};

use crate::{
    median::median,
    stage::{READY_WITHIN, Stage},
};

/// Short beside what is measured, and long beside a request that finds nobody.
const PAUSE: Duration = Duration::from_micros(500);

pub(crate) async fn measure(nats_config: &str, component: Vec<u8>, runs: usize) -> Result<Value> {
    let bytes = component.len();
    let mut stage = Stage::start(nats_config).await?;
    let route = HttpRoute { host: None, path: "/".to_owned() };
    let image = stage.image("cold", component)?;
    let spec = ActorSpec { routes: vec![route], ..ActorSpec::new("cold".parse()?, image) };
    let specs = [spec];
    stage.publish(&specs).await?;
    let mut client = connect(stage.listener).await?;
    let mut times = Vec::new();
    for number in 0..=runs {
        let told = stage.assign(&specs).await?;
        until_answered(&mut client, stage.listener, told).await?;
        let took = told.elapsed();
        stage.assign(&[]).await?;
        stage.until_ready(0).await;
        // The first one compiles.
        if 0 < number {
            times.push(took.as_secs_f64() * 1e3);
        }
    }
    let longest = times.iter().copied().fold(0.0, f64::max);
    Ok(json!({"bytes": bytes, "p50_ms": median(times), "max_ms": longest}))
}

async fn connect(listener: SocketAddr) -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(listener).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn until_answered(
    client: &mut SendRequest<Empty<Bytes>>,
    listener: SocketAddr,
    told: Instant,
) -> Result<()> {
    loop {
        client.ready().await.context("the listener is gone")?;
        let request = Request::get("/").header(HOST, listener.to_string()).body(Empty::new())?;
        let response = client.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status == StatusCode::OK {
            return Ok(());
        }
        ensure!(told.elapsed() < READY_WITHIN, "no answer but {status}");
        tokio::time::sleep(PAUSE).await;
    }
}
