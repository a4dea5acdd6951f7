//! A TCP proxy that holds back what one side says: as a process that stood still with its words
//! already on the way.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
};

/// In front of one server; ends with its story.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    held: watch::Sender<bool>,
    /// How often the server said `word`.
    said: Arc<AtomicUsize>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// Counts how often the server says `word` to those who come this way.
    pub async fn start(server: SocketAddr, word: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (held, hold) = watch::channel(false);
        let said = Arc::new(AtomicUsize::new(0));
        let mut connections = JoinSet::new();
        let counter = said.clone();
        connections.spawn(async move {
            let mut pumps = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (waiting, released) = mpsc::unbounded_channel();
                pumps.spawn(collect(from_client, waiting));
                pumps.spawn(deliver(released, to_server, hold.clone()));
                pumps.spawn(listen(from_server, to_client, word, counter.clone()));
            }
        });
        Self { address, held, said, _connections: connections }
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// What clients say is kept here from now on, also what they say before they give up.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// All of it is on its way again, in the order in which it was said.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// How often the server has said the word.
    pub fn said(&self) -> usize {
        self.said.load(Ordering::Relaxed)
    }
}

/// Clients are never kept waiting.
async fn collect(mut from: OwnedReadHalf, waiting: mpsc::UnboundedSender<Vec<u8>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if waiting.send(buffer[..count].to_vec()).is_err() {
            return;
        }
    }
}

async fn deliver(
    mut waiting: mpsc::UnboundedReceiver<Vec<u8>>,
    mut to: OwnedWriteHalf,
    mut held: watch::Receiver<bool>,
) {
    while let Some(bytes) = waiting.recv().await {
        if held.wait_for(|held| !held).await.is_err() || to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn listen(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    word: &'static str,
    said: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 64 << 10];
    // A word may come in two pieces.
    let mut tail = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        tail.extend_from_slice(&buffer[..count]);
        let found = tail.windows(word.len()).filter(|piece| *piece == word.as_bytes()).count();
        said.fetch_add(found, Ordering::Relaxed);
        tail.drain(..tail.len().saturating_sub(word.len() - 1));
        // The client may have gone; what the server says is counted all the same.
        let _ = to.write_all(&buffer[..count]).await;
    }
}
