//! The well-behaved actor, and somebody who asks it at a steady rate and watches the clock.
//!
//! The asker has a thread and a connection of its own, so that it does not wait for anything else that
//! the test does.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Requests in a second.
pub(crate) const RATE: u32 = 200;

/// A percentile of fewer is a single bad moment of the machine; this has four.
const WINDOW: Duration = Duration::from_secs(2);

/// Asks until told to stop.
#[derive(Debug)]
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    asker: JoinHandle<Vec<Asked>>,
}

/// One request.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    took: Duration,
    answered: bool,
}

/// What the neighbour noticed in a stretch of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noticed {
    /// The median over the windows of the stretch: one window in which something else kept the machine
    /// busy says nothing.
    pub(crate) p99: Duration,
    pub(crate) p50: Duration,
    pub(crate) answered: usize,
    pub(crate) unanswered: usize,
    /// Answered, of those that were to be asked in that time.
    pub(crate) share: f64,
}

/// All that was asked.
#[derive(Debug)]
pub(crate) struct Record(Vec<Asked>);

impl Neighbour {
    pub(crate) fn start(door: SocketAddr, host: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let asker = thread::spawn(move || {
            let mut connection = None;
            let (mut record, mut due) = (Vec::new(), Instant::now());
            while !stopped.load(Ordering::Relaxed) {
                let at = Instant::now();
                let answered = ask(&mut connection, door, host).unwrap_or_else(|_| {
                    connection = None;
                    false
                });
                record.push(Asked { at, took: at.elapsed(), answered });
                // Whoever was kept waiting does not make up for it with a burst.
                due = (due + Duration::from_secs(1) / RATE).max(Instant::now());
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            record
        });
        Self { stop, asker }
    }

    pub(crate) fn stop(self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        Record(self.asker.join().expect("whoever asks does not panic"))
    }
}

/// Whether the answer is a 200.
fn ask(connection: &mut Option<TcpStream>, door: SocketAddr, host: &str) -> io::Result<bool> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(door)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            connection.insert(stream)
        }
    };
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&answer) {
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// An answer with a length or in chunks, to its end.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    match head.split_once("content-length: ") {
        Some((_, rest)) => {
            let length = rest.split("\r\n").next().unwrap_or_default();
            length.parse().is_ok_and(|length: usize| length <= body.len())
        }
        None => body.ends_with("0\r\n\r\n"),
    }
}

impl Record {
    /// What was noticed from one moment to another, of which whole windows count.
    ///
    /// # Panics
    ///
    /// If that is less than three windows.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Noticed {
        let count = ((to - from).as_millis() / WINDOW.as_millis()) as u32;
        assert!(3 <= count, "{:?} is too short to measure anything", to - from);
        let (mut p99, mut p50, mut answered, mut unanswered) = (vec![], vec![], 0, 0);
        for n in 0..count {
            let (start, end) = (from + WINDOW * n, from + WINDOW * (n + 1));
            let within = self.0.iter().filter(|asked| start <= asked.at && asked.at < end);
            let mut took: Vec<Duration> = Vec::new();
            for asked in within {
                if asked.answered {
                    answered += 1;
                } else {
                    unanswered += 1;
                }
                took.push(asked.took);
            }
            took.sort_unstable();
            // Without any answer at all it took at least the window.
            let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or(WINDOW);
            p99.push(at(99));
            p50.push(at(50));
        }
        p99.sort_unstable();
        p50.sort_unstable();
        let wanted = f64::from(RATE) * (WINDOW * count).as_secs_f64();
        Noticed {
            p99: p99[p99.len() / 2],
            p50: p50[p50.len() / 2],
            answered,
            unanswered,
            share: answered as f64 / wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_window_does_not_count_and_most_of_them_do() {
        let start = Instant::now();
        let every = Duration::from_secs(1) / RATE;
        let record = |slow: fn(u32) -> bool| {
            let asked = (0..RATE * 10).map(|n| {
                let took = Duration::from_millis(if slow(n / (RATE * 2)) { 100 } else { 1 });
                Asked { at: start + every * n, took, answered: true }
            });
            Record(asked.collect()).between(start, start + Duration::from_secs(10))
        };
        assert_eq!(record(|window| window == 1).p99, Duration::from_millis(1));
        assert_eq!(record(|window| window < 3).p99, Duration::from_millis(100));
        assert!((0.99..=1.0).contains(&record(|_| false).share));
    }

    #[test]
    fn an_answer_is_whole_by_its_length_or_its_last_chunk() {
        let whole = |text: &str| is_whole(text.as_bytes());
        assert!(whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
        assert!(!whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"));
        assert!(whole("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"));
        assert!(!whole("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"));
        assert!(!whole("HTTP/1.1 200 OK\r\n"));
    }
}
