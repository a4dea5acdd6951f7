//! A body that can be given to the next host if the first did not begin.
//!
//! Whoever is asked first is shown the beginning of a body in the same message as the question.
//! If it refuses, the next one is shown the same: so the beginning is kept, until more than one
//! message's worth was taken. By then somebody has begun, and nobody else will be asked.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use wattle_capability::{Body, BodyError, body};

/// What fits beside a question, and the frame that did not any more.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A body, and what was taken from its beginning.
#[derive(Clone)]
pub(crate) struct Rewind(Option<Arc<Mutex<Kept>>>);

struct Kept {
    rest: Body,
    beginning: Vec<Frame<Bytes>>,
    bytes: usize,
    /// More was taken than is kept: it cannot be read from its beginning any more.
    gone: bool,
}

impl Rewind {
    pub(crate) fn new(body: Body) -> Self {
        // Most requests have none, and nothing needs no place to be kept in.
        if body.is_end_stream() {
            return Self(None);
        }
        let kept = Kept { rest: body, beginning: Vec::new(), bytes: 0, gone: false };
        Self(Some(Arc::new(Mutex::new(kept))))
    }

    /// The body from its beginning; none if too much was taken from it. Only the newest reader is
    /// to be read.
    pub(crate) fn reader(&self) -> Option<Body> {
        let Some(kept) = &self.0 else { return Some(body::empty()) };
        if lock(kept).gone {
            return None;
        }
        Some(Reader { kept: kept.clone(), next: 0 }.boxed_unsync())
    }
}

struct Reader {
    kept: Arc<Mutex<Kept>>,
    /// Of the beginning, which frame comes next.
    next: usize,
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut kept = lock(&this.kept);
        if let Some(frame) = kept.beginning.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(copy(frame))));
        }
        let polled = Pin::new(&mut kept.rest).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            kept.take_note(frame);
            this.next = kept.beginning.len();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let kept = lock(&self.kept);
        kept.beginning.len() <= self.next && kept.rest.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let kept = lock(&self.kept);
        // Of a reader in the middle of the beginning nothing is known that is worth working out.
        if kept.beginning.len() <= self.next {
            kept.rest.size_hint()
        } else {
            http_body::SizeHint::default()
        }
    }
}

impl Kept {
    fn take_note(&mut self, frame: &Frame<Bytes>) {
        self.bytes += frame.data_ref().map_or(0, Bytes::len);
        if self.gone || KEPT_BYTES_MAX < self.bytes {
            self.gone = true;
            self.beginning = Vec::new();
        } else {
            self.beginning.push(copy(frame));
        }
    }
}

/// Shares the bytes.
fn copy(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Frame::data(data.clone()),
        (None, Some(trailers)) => Frame::trailers(trailers.clone()),
        (None, None) => Frame::data(Bytes::new()),
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn frames(sizes: &[usize]) -> Body {
        let data = sizes.iter().map(|size| Ok(Frame::data(Bytes::from(vec![7; *size]))));
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-sum"),
            http::HeaderValue::from_static("9"),
        )]);
        let all: Vec<Result<_, BodyError>> = data.chain([Ok(Frame::trailers(trailers))]).collect();
        StreamBody::new(futures::stream::iter(all)).boxed_unsync()
    }

    async fn taken(body: &mut Body, frames: usize) {
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn the_next_reader_gets_all_of_it_trailers_too() {
        for taken_before in 0..=4 {
            let rewind = Rewind::new(frames(&[10, 20, 30]));
            taken(&mut rewind.reader().unwrap(), taken_before).await;
            let all = rewind.reader().unwrap().collect().await.unwrap();
            assert!(all.trailers().is_some_and(|trailers| trailers.contains_key("x-sum")));
            assert_eq!(all.to_bytes().len(), 60, "{taken_before}");
        }
    }

    #[tokio::test]
    async fn what_is_too_long_to_keep_flows_on_and_cannot_be_read_again() {
        let rewind = Rewind::new(frames(&[KEPT_BYTES_MAX, 1, 1]));
        let mut first = rewind.reader().unwrap();
        taken(&mut first, 1).await;
        assert!(rewind.reader().is_some());
        taken(&mut first, 1).await;
        assert!(rewind.reader().is_none());
        let rest = first.collect().await.unwrap();
        assert_eq!(rest.to_bytes().len(), 1);
    }

    #[test]
    fn nothing_can_be_read_as_often_as_one_likes() {
        let rewind = Rewind::new(body::empty());
        for _ in 0..3 {
            assert!(rewind.reader().unwrap().is_end_stream());
        }
    }
}
