//! What is on the wire when a guest sends more than its answer has room for.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::stage::Stage;

/// For an answer, or the end of the connection.
const WITHIN: Duration = Duration::from_secs(10);

/// Guests whose bodies hold what looks like a whole answer, after the end of their own.
const SMUGGLERS: [&str; 3] = ["length-too-short", "body-of-a-204", "body-of-a-304"];

/// On one connection: an answer with something behind it, and the question after that.
pub(crate) async fn what_a_guest_sends_beyond_its_answer_is_never_the_next_one(stage: &Stage) {
    for id in SMUGGLERS {
        let mut stream = TcpStream::connect(stage.door()).await.expect("the host listens");
        let ask = |path: &str| format!("GET /{path} HTTP/1.1\r\nhost: brief.test\r\n\r\n");
        stream.write_all(ask(id).as_bytes()).await.expect("the host reads");
        stream.write_all(ask("hello").as_bytes()).await.expect("the host reads");
        let all = tokio::time::timeout(WITHIN, read(&mut stream)).await;
        let all = all.unwrap_or_else(|_| panic!("{id}: neither an answer nor the end"));
        assert!(!all.contains("smuggled"), "{id}: {all}");
    }
}

/// To the second answer, or the end of the connection.
async fn read(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        // Chunked or not, it is the last there is.
        let second =
            text.matches("HTTP/1.1 200").count() == 2 || text.ends_with("hello\r\n0\r\n\r\n");
        match stream.read_buf(&mut all).await {
            Ok(0) | Err(_) => return text,
            Ok(_) if second => return String::from_utf8_lossy(&all).into_owned(),
            Ok(_) => {}
        }
    }
}
