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

use crate::machine::Spent;

/// Requests in a second.
const RATE: u32 = 200;

/// A percentile of fewer is a single bad moment of the machine; this has four.
const WINDOW: Duration = Duration::from_secs(2);

/// Windows in which others took more of the machine than this are passed over, if there are enough
/// without them: what the neighbour notices then is not what its host does.
const OTHERS: f64 = 0.1;
const ENOUGH: usize = 3;

/// Asks until told to stop.
#[derive(Debug)]
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    asker: JoinHandle<Record>,
}

/// All that was asked, and how busy the machine was.
#[derive(Debug, Default)]
pub(crate) struct Record {
    asked: Vec<Asked>,
    spent: Vec<(Instant, Spent)>,
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
    /// The slowest hundredth; the median of that over the windows of the stretch.
    pub(crate) p99: Duration,
    pub(crate) unanswered: usize,
    /// Answered, of those that were to be asked in that time.
    pub(crate) share: f64,
    /// Windows, and how many of them nobody else disturbed.
    pub(crate) windows: (usize, usize),
}

/// One window.
#[derive(Clone, Copy, Debug)]
struct Window {
    p99: Duration,
    answered: usize,
    unanswered: usize,
    others: f64,
}

impl Neighbour {
    pub(crate) fn start(door: SocketAddr, host: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let asker = thread::spawn(move || {
            let (mut connection, mut record) = (None, Record::default());
            let mut due = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                record.look_at_the_machine();
                let at = Instant::now();
                let answered = ask(&mut connection, door, host).unwrap_or_else(|_| {
                    connection = None;
                    false
                });
                record.asked.push(Asked { at, took: at.elapsed(), answered });
                // Whoever was kept waiting does not make up for it with a burst.
                due = (due + Duration::from_secs(1) / RATE).max(Instant::now());
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            record.look_at_the_machine();
            record
        });
        Self { stop, asker }
    }

    pub(crate) fn stop(self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        self.asker.join().expect("whoever asks does not panic")
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
    /// Twice in a window.
    fn look_at_the_machine(&mut self) {
        let now = Instant::now();
        if self.spent.last().is_none_or(|(last, _)| WINDOW / 2 <= now - *last) {
            self.spent.push((now, Spent::now()));
        }
    }

    /// What was noticed from one moment to another, in whole windows.
    ///
    /// # Panics
    ///
    /// If there are too few of them.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Noticed {
        let count = ((to - from).as_millis() / WINDOW.as_millis()) as u32;
        let windows: Vec<Window> = (0..count).map(|n| self.window(from + WINDOW * n)).collect();
        assert!(ENOUGH <= windows.len(), "{:?} is too short to measure anything", to - from);
        let undisturbed = windows.iter().copied().filter(|window| window.others <= OTHERS);
        let undisturbed: Vec<Window> = undisturbed.collect();
        let counted = if ENOUGH <= undisturbed.len() { &undisturbed } else { &windows };
        let mut p99: Vec<Duration> = counted.iter().map(|window| window.p99).collect();
        p99.sort_unstable();
        let answered: usize = counted.iter().map(|window| window.answered).sum();
        let wanted = f64::from(RATE) * WINDOW.as_secs_f64() * counted.len() as f64;
        Noticed {
            p99: p99[p99.len() / 2],
            unanswered: windows.iter().map(|window| window.unanswered).sum(),
            share: answered as f64 / wanted,
            windows: (windows.len(), undisturbed.len()),
        }
    }

    fn window(&self, start: Instant) -> Window {
        let end = start + WINDOW;
        let within = self.asked.iter().filter(|asked| start <= asked.at && asked.at < end);
        let mut took: Vec<Duration> = within.clone().map(|asked| asked.took).collect();
        took.sort_unstable();
        let answered = within.filter(|asked| asked.answered).count();
        let before = self.spent.iter().rev().find(|(at, _)| *at <= start);
        let after = self.spent.iter().find(|(at, _)| end <= *at);
        let others = before.zip(after).map_or(0.0, |((_, one), (_, two))| two.others_since(*one));
        Window {
            // Without any answer it took at least the window.
            p99: took.get(took.len() * 99 / 100).copied().unwrap_or(WINDOW),
            answered,
            unanswered: took.len() - answered,
            others,
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
        let noticed = |slow: fn(u32) -> bool| {
            let asked = (0..RATE * 10).map(|n| {
                let took = Duration::from_millis(if slow(n / (RATE * 2)) { 100 } else { 1 });
                Asked { at: start + every * n, took, answered: true }
            });
            let record = Record { asked: asked.collect(), spent: Vec::new() };
            record.between(start, start + Duration::from_secs(10))
        };
        assert_eq!(noticed(|window| window == 1).p99, Duration::from_millis(1));
        assert_eq!(noticed(|window| window < 3).p99, Duration::from_millis(100));
        assert!((0.99..=1.0).contains(&noticed(|_| false).share));
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
