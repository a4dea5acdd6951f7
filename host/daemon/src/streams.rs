//! Bodies of this host as the contents of streams between hosts, and back.
//!
//! What was cut short stays cut short: an end is passed on only as an end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use wattle_capability::{Body, BodyError};
use wattle_lattice::{Connection, Content, StreamFault};
use wattle_types::HostId;

use crate::probe;

/// The code of a body whose writer gave no reason.
const CUT: &str = "WT-HOST-BODY";

/// On its way to another host.
pub(crate) fn outgoing(body: Body) -> Content {
    body.map_err(fault).boxed_unsync()
}

fn fault(error: BodyError) -> StreamFault {
    match error {
        BodyError::Cut { code, reason } => StreamFault::Cut { code: code.to_owned(), reason },
        BodyError::DeadlineExceeded => StreamFault::DeadlineExceeded,
        BodyError::TooLarge { limit } => StreamFault::TooLarge { limit },
        BodyError::Transport(source) => match source.downcast::<StreamFault>() {
            // It came from another host and goes on to the next.
            Ok(fault) => *fault,
            Err(source) => StreamFault::Cut { code: CUT.to_owned(), reason: source.to_string() },
        },
    }
}

fn error(fault: StreamFault) -> BodyError {
    match fault {
        StreamFault::DeadlineExceeded => BodyError::DeadlineExceeded,
        StreamFault::TooLarge { limit } => BodyError::TooLarge { limit },
        cut @ (StreamFault::Cut { .. } | StreamFault::Lost(_)) => {
            BodyError::Transport(Box::new(cut))
        }
    }
}

/// What comes from another host. Whoever waits for it learns if that host is gone.
pub(crate) fn incoming(content: Content, connection: &Connection, from: Option<HostId>) -> Body {
    // Most answers are complete in their first message.
    let Some(host) = from.filter(|_| !content.is_end_stream()) else {
        return content.map_err(error).boxed_unsync();
    };
    let connection = connection.clone();
    let lost = async move { probe::until_lost(&connection, host).await };
    Incoming { content, lost: Some(Box::pin(lost)) }.boxed_unsync()
}

struct Incoming<F> {
    content: Content,
    /// Begins to look when the content first lets one wait.
    lost: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = ()> + Send> http_body::Body for Incoming<F> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.content).poll_frame(cx);
        if polled.is_pending()
            && let Some(lost) = &mut self.lost
            && lost.as_mut().poll(cx).is_ready()
        {
            self.lost = None;
            let fault = StreamFault::Lost("the host that sends it is gone".to_owned());
            return Poll::Ready(Some(Err(error(fault))));
        }
        polled.map_err(error)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.content.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cut_a_body_short_is_told_from_host_to_host() {
        let cut =
            || StreamFault::Cut { code: "WT-ENGINE-TRAP".to_owned(), reason: "trap".to_owned() };
        let lost = || StreamFault::Lost("gone".to_owned());
        for fault_of_one in
            [cut(), lost(), StreamFault::DeadlineExceeded, StreamFault::TooLarge { limit: 7 }]
        {
            assert_eq!(fault(error(fault_of_one.clone())), fault_of_one);
        }
        assert_eq!(
            fault(BodyError::Cut { code: "WT-ENGINE-TRAP", reason: "trap".to_owned() }),
            cut()
        );
        let io = BodyError::Transport(Box::new(std::io::Error::other("reset")));
        assert_eq!(
            fault(io),
            StreamFault::Cut { code: CUT.to_owned(), reason: "reset".to_owned() }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_lost_host_is_not_kept_waiting() {
        let never = futures::stream::pending::<Result<Frame<Bytes>, StreamFault>>();
        let content = http_body_util::StreamBody::new(never).boxed_unsync();
        let lost = tokio::time::sleep(std::time::Duration::from_secs(1));
        let mut body = Incoming { content, lost: Some(Box::pin(lost)) }.boxed_unsync();
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(matches!(fault(error), StreamFault::Lost(_)));
    }
}
