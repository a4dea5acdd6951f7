//! How everything reaches the driver: one queue, so that what happened in an order is told in it.

use tokio::sync::{mpsc, oneshot};
use wattle_agent::{Answer, Command, Event};
use wattle_types::{Inventory, ServeDelta};

/// Answers of one burst of reads. When it is full its senders wait: none of them serves requests.
const WAITING_MAX: usize = 1_024;

/// What the driver is told or asked.
#[derive(Debug)]
pub(crate) enum Mail {
    Event(Event),
    Command(Command, oneshot::Sender<Answer>),
    Inventory(oneshot::Sender<Inventory>),
    Serves(oneshot::Sender<ServeDelta>),
}

/// The way to the driver. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(mpsc::Sender<Mail>);

impl Mailbox {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Mail>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Tells the driver, unless it has ended: then nobody needs to know.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.0.send(Mail::Event(event)).await;
    }

    /// Gives a command, and returns where its answer comes; commands are begun in the order in
    /// which they are given. Nothing comes once the driver has ended.
    pub(crate) async fn command(&self, command: Command) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        // Then the reply is dropped, and that is the answer.
        let _ = self.0.send(Mail::Command(command, reply)).await;
        answer
    }

    /// None once the driver has ended.
    pub(crate) async fn inventory(&self) -> Option<Inventory> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Mail::Inventory(reply)).await.ok()?;
        answer.await.ok()
    }

    pub(crate) async fn serves(&self) -> Option<ServeDelta> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Mail::Serves(reply)).await.ok()?;
        answer.await.ok()
    }
}
