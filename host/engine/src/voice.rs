//! What a guest says, bounded and made harmless before anyone hears it.
//!
//! A guest may log in a loop, write binary, or write escape sequences that repaint a terminal.
//! Each call has so many bytes, each actor so many a second, each line so many; what is more is
//! counted and dropped, and one line says so. Control characters do not pass.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{fmt, io, mem};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wattle_capability::log::{Level, LogLine, Source};

use crate::actor::Core;
use crate::limits::{LOG_BYTES_PER_CALL, LOG_LINE_BYTES_MAX};

/// What one actor may still say in this second, over all its calls.
#[derive(Debug)]
pub(crate) struct Allowance {
    bytes_per_second: usize,
    second: Mutex<Second>,
}

#[derive(Debug)]
struct Second {
    since: Instant,
    left: usize,
}

impl Allowance {
    pub(crate) fn new(bytes_per_second: usize) -> Self {
        let second = Second { since: Instant::now(), left: bytes_per_second };
        Self { bytes_per_second, second: Mutex::new(second) }
    }

    fn take(&self, bytes: usize) -> bool {
        let mut second = self.second.lock().expect("nothing panics while it holds this lock");
        if Duration::from_secs(1) <= second.since.elapsed() {
            *second = Second { since: Instant::now(), left: self.bytes_per_second };
        }
        match second.left.checked_sub(bytes) {
            Some(left) => second.left = left,
            None => return false,
        }
        true
    }
}

/// The voice of one call: shared by `wasi:logging`, standard output and standard error.
#[derive(Clone)]
pub(crate) struct Voice {
    actor: Arc<Core>,
    left: Arc<Mutex<Budget>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    Left(usize),
    /// It has been said that no more is heard.
    Spent,
}

impl Voice {
    pub(crate) fn new(actor: Arc<Core>) -> Self {
        let left = Budget::Left(actor.limits.log_bytes_per_call);
        Self { actor, left: Arc::new(Mutex::new(left)) }
    }

    /// Another call begins; it has a budget of its own.
    pub(crate) fn begin(&self) {
        *self.left.lock().expect("nothing panics while it holds this lock") =
            Budget::Left(self.actor.limits.log_bytes_per_call);
    }

    pub(crate) fn say(&self, source: Source, level: Level, context: &str, message: &str) {
        let (context, message) = (harmless(context), harmless(message));
        // An empty line costs something too.
        let cost = (context.len() + message.len()).max(1);
        let mut budget = self.left.lock().expect("nothing panics while it holds this lock");
        let Budget::Left(left) = *budget else { return };
        if left < cost || !self.actor.allowance.take(cost) {
            *budget = Budget::Spent;
            self.emit(source, Level::Warn, "", "says too much: the rest of this call is not heard");
            return;
        }
        *budget = Budget::Left(left - cost);
        self.emit(source, level, &context, &message);
    }

    fn emit(&self, source: Source, level: Level, context: &str, message: &str) {
        let actor = &self.actor.id;
        self.actor.log.line(LogLine { actor, source, level, context, message });
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("actor", &self.actor.id).finish_non_exhaustive()
    }
}

/// At most a line's length, without control characters: an escape sequence loses its escape.
fn harmless(text: &str) -> String {
    let mut end = text.len().min(LOG_LINE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let shown = text[..end].trim_end_matches(['\n', '\r']);
    shown.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Standard output or standard error of one call.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    voice: Voice,
    source: Source,
    level: Level,
    /// The line that is not ended yet, shared by every stream the guest makes of this output.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Speaker {
    pub(crate) fn new(voice: Voice, source: Source, level: Level) -> Self {
        Self { voice, source, level, line: Arc::default() }
    }

    fn hear(&self, bytes: &[u8]) {
        let mut line = self.line.lock().expect("nothing panics while it holds this lock");
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LOG_LINE_BYTES_MAX.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end(&mem::take(&mut *line));
            }
        }
    }

    fn end(&self, line: &[u8]) {
        self.voice.say(self.source, self.level, "", &String::from_utf8_lossy(line));
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        // The last of the streams says what stands there without an end of line.
        if let Some(line) = Arc::get_mut(&mut self.line) {
            let line = line.get_mut().map(mem::take).unwrap_or_default();
            if !line.is_empty() {
                self.end(&line);
            }
        }
    }
}

impl IsTerminal for Speaker {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Speaker {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Speaker {
    async fn ready(&mut self) {}
}

impl OutputStream for Speaker {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.hear(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        // Always: what is too much is dropped, and nobody waits for a reader.
        Ok(LOG_BYTES_PER_CALL)
    }
}

impl AsyncWrite for Speaker {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.hear(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_a_terminal() {
        let cases = [
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("a\r\nb", "a\u{fffd}\u{fffd}b"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("col\tumn\n", "col\tumn"),
            ("äöü", "äöü"),
        ];
        for (said, heard) in cases {
            assert_eq!(harmless(said), heard, "{said:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let long = "ä".repeat(LOG_LINE_BYTES_MAX);
        let heard = harmless(&format!("x{long}"));
        assert_eq!(heard.len(), LOG_LINE_BYTES_MAX - 1);
    }
}
