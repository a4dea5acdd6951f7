//! Traces reach a collector when the standard variable names one.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wattle_tasks::TraceContext;
use wattle_tasks::telemetry::{TelemetryConfig, init};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_is_exported_and_its_context_travels() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let received = tokio::spawn(async move {
        let (mut socket, _) = collector.accept().await.unwrap();
        let mut request = Vec::new();
        while !String::from_utf8_lossy(&request).contains("the-test-span") {
            assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0, "{request:?}");
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned()
    });

    // The exporter reads the variable itself, so the process must really have it.
    // SAFETY: no other thread of this test binary reads or writes the environment.
    #[expect(unsafe_code)]
    unsafe {
        std::env::set_var("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    }
    let config =
        TelemetryConfig { service: "wattle-test", default_filter: "off".into(), json: false };
    let guard = init(&config, |name| std::env::var(name).ok()).unwrap();
    let context = {
        let span = tracing::info_span!("the-test-span");
        let _entered = span.enter();
        TraceContext::current()
    };
    let parent = context.traceparent.expect("a traced span has a context");
    assert_eq!(parent.len(), "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01".len());

    tokio::task::spawn_blocking(move || drop(guard)).await.unwrap();
    let line = tokio::time::timeout(Duration::from_secs(20), received).await.unwrap().unwrap();
    assert_eq!(line, "POST /v1/traces HTTP/1.1");
}
