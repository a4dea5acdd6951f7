//! As much of an HTTP client as a demo needs: one GET over one connection, blocking, with a deadline.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// More than any answer of an example.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks for `path`; each read and write may take as long as `patience`.
pub(crate) fn get(server: SocketAddr, path: &str, patience: Duration) -> Result<Answer> {
    let context = || format!("ask http://{server}{path}");
    let mut stream = TcpStream::connect_timeout(&server, patience).with_context(context)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(context)?;
    let mut bytes = Vec::new();
    stream.take(BYTES_MAX).read_to_end(&mut bytes).with_context(context)?;
    parse(&bytes).with_context(context)
}

fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("the answer has no end of its head")?;
    let head = std::str::from_utf8(&bytes[..end]).context("the head of the answer is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let chunked =
        lines.any(|line| line.to_ascii_lowercase().starts_with("transfer-encoding: chunked"));
    let body = &bytes[end + 4..];
    let body = if chunked { join_chunks(body)? } else { body.to_vec() };
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status: status.context("the answer has no status")?, body })
}

fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end =
            rest.windows(2).position(|window| window == b"\r\n").context("a chunk has no size")?;
        let size = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).context("a chunk's size is no number")?;
        if size == 0 {
            return Ok(whole);
        }
        let start = end + 2;
        ensure!(start + size + 2 <= rest.len(), "the answer ends inside a chunk");
        whole.extend_from_slice(&rest[start..start + size]);
        rest = &rest[start + size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_and_in_chunks() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Some((200, "hi"))),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some((503, ""))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n",
                Some((200, "hi yo")),
            ),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi\r\n", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1\r\n\r\n", None),
        ] {
            let expected = expected.map(|(status, body)| Answer { status, body: body.to_owned() });
            assert_eq!(parse(bytes.as_bytes()).ok(), expected, "{bytes}");
        }
    }
}
