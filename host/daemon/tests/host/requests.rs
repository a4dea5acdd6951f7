//! What a client of the shared listener gets when there is no ordinary answer.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wattle_types::SpecLimits;

use crate::kit::{self, Lattice, PATIENCE, Running, spec};

/// A host that runs the exerciser, with these limits.
async fn exerciser(lattice: &Lattice, limits: SpecLimits) -> Running {
    let host = lattice.host("one").await;
    let mut exerciser = spec("exerciser", &lattice.component("exerciser"), "/");
    exerciser.limits = limits;
    let assigned = lattice.assign(&host, &[&exerciser]).await;
    lattice.until_ready(&host, &assigned).await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_has_its_status() {
    let lattice = Lattice::start().await;
    let limits = SpecLimits { execution_ms_max: Some(300), ..SpecLimits::default() };
    let host = exerciser(&lattice, limits).await;
    let get = |target: &str| Request::get(target);
    let cases = [
        (get("/trap"), 502, "WT-ENGINE-TRAP"),
        (get("/no-answer"), 502, "WT-ENGINE-NO-ANSWER"),
        (get("/exit?status=3"), 502, "WT-ENGINE-EXIT"),
        (get("/spin"), 504, "WT-HOST-DEADLINE"),
        (
            get("/hello").header("connection", "Upgrade").header("upgrade", "websocket"),
            501,
            "WT-HOST-UPGRADE",
        ),
        (
            Request::post("/echo").header("content-length", (9 << 20).to_string()),
            413,
            "WT-HOST-REQUEST-TOO-LARGE",
        ),
    ];
    for (request, status, code) in cases {
        let request = request.body(Full::default()).unwrap();
        let target = request.uri().clone();
        let head = format!("{} {target}", request.method());
        let answered = raw(host.addr, &request).await;
        assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answered}");
        assert!(answered.contains(code), "{head}: {answered}");
    }
    assert_eq!(host.get("/hello").await.0, StatusCode::OK, "nothing of this hurt the host");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_all_places_are_taken_is_told_at_once_to_come_again() {
    let lattice = Lattice::start().await;
    let limits = SpecLimits { concurrency: Some(1), ..SpecLimits::default() };
    // Two instances with one place each.
    let host = exerciser(&lattice, limits).await;
    let slow = || Request::get("/slow?times=100&ms=50").body(Full::default()).unwrap();
    let _first = kit::begin(host.addr, slow()).await.unwrap();
    let second = kit::begin(host.addr, slow()).await.unwrap();
    let hello = Request::get("/hello").body(Full::default()).unwrap();
    let third = kit::begin(host.addr, hello).await.unwrap();
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(third.headers().contains_key("retry-after"));
    // A client that goes away gives its place back.
    drop(second);
    host.until_ok("/hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_short_never_looks_complete() {
    let lattice = Lattice::start().await;
    let host = exerciser(&lattice, SpecLimits::default()).await;
    let request = Request::get("/trap-in-body").body(Full::default()).unwrap();
    assert!(kit::send(host.addr, request).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_cut_and_a_strange_one_refused() {
    let lattice = Lattice::start().await;
    let host = exerciser(&lattice, SpecLimits::default()).await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (head, status) in [
        ("GET /hello HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET /hello HTTP/1.1\r\nhost: a\r\nhost b\r\n\r\n".to_owned(), "400"),
        (format!("GET /hello HTTP/1.1\r\nhost: a\r\n{many}\r\n"), "431"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answered = said(host.addr, head.as_bytes()).await;
        assert!(answered.starts_with(&format!("HTTP/1.1 {status}")), "{head:?}: {answered}");
    }
    // Never finished: the connection ends by itself.
    let answered = said(host.addr, b"GET /hello HTTP/1.1\r\nhost: a\r\n").await;
    assert!(!answered.contains("200"), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_reaches_only_what_its_spec_asks_for_and_its_host_allows() {
    let lattice = Lattice::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            let mut head = [0; 1_024];
            let _ = stream.read(&mut head).await;
            let _ = stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere",
                )
                .await;
        }
    });
    let mut config = lattice.config("one");
    config.outbound = vec![there.to_string(), "localhost".to_owned()];
    let host = Running::start(config).await;
    let image = lattice.component("exerciser");
    let mut asks = spec("asks", &image, "/");
    asks.outbound = vec!["127.0.0.1".to_owned(), "elsewhere.test".to_owned()];
    let assigned = lattice.assign(&host, &[&asks]).await;
    lattice.until_ready(&host, &assigned).await;

    let call = |authority: &str| format!("/call?authority={authority}&path=/");
    assert_eq!(host.get(&call(&there.to_string())).await, (StatusCode::OK, "there".to_owned()));
    for denied in [
        // Asked for, and not allowed by the host.
        "elsewhere.test".to_owned(),
        format!("127.0.0.1:{}", host.addr.port()),
        // Allowed by the host, and not asked for.
        format!("localhost:{}", there.port()),
        "169.254.169.254".to_owned(),
    ] {
        let (status, text) = host.get(&call(&denied)).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{denied}: {text}");
        assert!(text.contains("HttpRequestDenied"), "{denied}: {text}");
    }
}

/// The whole answer as text, to a head that may promise a body it does not send.
async fn raw(addr: SocketAddr, request: &Request<Full<bytes::Bytes>>) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {addr}\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    if !request.headers().contains_key("connection") {
        head.push_str("connection: close\r\n");
    }
    head.push_str("\r\n");
    said(addr, head.as_bytes()).await
}

/// What the server says until it ends the connection or says nothing more.
async fn said(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    let quiet = Duration::from_secs(7);
    let reading = async {
        while let Ok(Ok(n)) = tokio::time::timeout(quiet, stream.read(&mut piece)).await {
            if n == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..n]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
