//! What is in a `stream` or a `future` of the component model, on its way between a guest and a
//! body.
//!
//! A body carries elements without any frame around them: numbers in little-endian order, as in a
//! packed list of them; anything else packed, one after another (`docs/protocol/values.md`). Such a
//! stream has no end but a good one, so where a body fails, the guest that reads it ends with it.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::channel::mpsc;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use wasmtime::component::{
    Destination, FutureAny, FutureConsumer, FutureReader, Source, StreamAny, StreamConsumer,
    StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut, bail};
use wattle_capability::{Body, BodyError};
use wattle_value::Type;

use crate::limits::BODY_CHUNK_BYTES;
use crate::state::Ongoing;

mod carried;

use carried::Carried;

/// What one element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Bool,
    U8,
    S8,
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
    F32,
    F64,
    Char,
    String,
    Bytes,
}

impl Element {
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        Some(match ty {
            Type::Bool => Self::Bool,
            Type::U8 => Self::U8,
            Type::S8 => Self::S8,
            Type::U16 => Self::U16,
            Type::S16 => Self::S16,
            Type::U32 => Self::U32,
            Type::S32 => Self::S32,
            Type::U64 => Self::U64,
            Type::S64 => Self::S64,
            Type::F32 => Self::F32,
            Type::F64 => Self::F64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::List(of) if **of == Type::U8 => Self::Bytes,
            _ => return None,
        })
    }
}

/// Calls `$do::<T>($args)` for the type of an element.
macro_rules! by_element {
    ($element:expr, $do:ident($($arg:expr),*)) => {
        match $element {
            Element::Bool => $do::<bool>($($arg),*),
            Element::U8 => $do::<u8>($($arg),*),
            Element::S8 => $do::<i8>($($arg),*),
            Element::U16 => $do::<u16>($($arg),*),
            Element::S16 => $do::<i16>($($arg),*),
            Element::U32 => $do::<u32>($($arg),*),
            Element::S32 => $do::<i32>($($arg),*),
            Element::U64 => $do::<u64>($($arg),*),
            Element::S64 => $do::<i64>($($arg),*),
            Element::F32 => $do::<f32>($($arg),*),
            Element::F64 => $do::<f64>($($arg),*),
            Element::Char => $do::<char>($($arg),*),
            Element::String => $do::<String>($($arg),*),
            Element::Bytes => $do::<Vec<u8>>($($arg),*),
        }
    };
}

/// A stream in which a guest of this store reads `body`.
pub(crate) fn stream<T: 'static>(
    store: impl AsContextMut<Data = T>,
    element: Element,
    body: Body,
) -> wasmtime::Result<StreamAny> {
    fn of<E: Carried>(mut store: impl AsContextMut, body: Body) -> wasmtime::Result<StreamAny> {
        let reader = StreamReader::new(&mut store, Arriving::<E>::new(body))?;
        StreamAny::try_from_stream_reader(store, reader)
    }
    by_element!(element, of(store, body))
}

/// A future that a guest of this store awaits, with the one element of `body`.
pub(crate) fn future<T: 'static>(
    store: impl AsContextMut<Data = T>,
    element: Element,
    body: Body,
) -> wasmtime::Result<FutureAny> {
    fn of<E: Carried>(mut store: impl AsContextMut, body: Body) -> wasmtime::Result<FutureAny> {
        let only = async move {
            let bytes = body.collect().await.map_err(wasmtime::Error::new)?.to_bytes();
            let mut arrived = BytesMut::from(bytes);
            match E::take(&mut arrived)? {
                Some(element) if arrived.is_empty() => Ok(element),
                _ => bail!("a future has one element"),
            }
        };
        let reader = FutureReader::new(&mut store, Box::pin(only))?;
        FutureAny::try_from_future_reader(store, reader)
    }
    by_element!(element, of(store, body))
}

/// What a guest writes into `stream`, as long as its store is driven.
pub(crate) fn of_stream<T: 'static>(
    store: impl AsContextMut<Data = T>,
    element: Element,
    stream: StreamAny,
) -> wasmtime::Result<Body> {
    fn of<E: Carried>(store: impl AsContextMut, stream: StreamAny) -> wasmtime::Result<Body> {
        let (leaving, body) = Leaving::<E>::new();
        stream.try_into_stream_reader::<E>()?.pipe(store, leaving)?;
        Ok(body)
    }
    by_element!(element, of(store, stream))
}

/// What a guest writes into `future`.
pub(crate) fn of_future<T: 'static>(
    store: impl AsContextMut<Data = T>,
    element: Element,
    future: FutureAny,
) -> wasmtime::Result<Body> {
    fn of<E: Carried>(store: impl AsContextMut, future: FutureAny) -> wasmtime::Result<Body> {
        let (leaving, body) = Leaving::<E>::new();
        future.try_into_future_reader::<E>()?.pipe(store, leaving)?;
        Ok(body)
    }
    by_element!(element, of(store, future))
}

/// A body, read by a guest.
struct Arriving<E> {
    body: Body,
    arrived: BytesMut,
    of: PhantomData<fn() -> E>,
}

impl<E> Arriving<E> {
    fn new(body: Body) -> Self {
        Self { body, arrived: BytesMut::new(), of: PhantomData }
    }
}

impl<E: Carried, D> StreamProducer<D> for Arriving<E> {
    type Item = E;
    type Buffer = VecBuffer<E>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut to: Destination<'a, E, VecBuffer<E>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        // A guest that asks for nothing asks whether there is anything.
        let room = to.remaining(&mut store).filter(|room| *room != 0);
        loop {
            let elements = E::take_all(&mut this.arrived, room.unwrap_or(BODY_CHUNK_BYTES))?;
            if !elements.is_empty() {
                to.set_buffer(elements.into());
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            };
            match frame {
                // Trailers have no place in a stream of the component model.
                Some(Ok(frame)) => {
                    this.arrived.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Some(Err(error)) => return Poll::Ready(Err(wasmtime::Error::new(error))),
                None if this.arrived.is_empty() => {
                    return Poll::Ready(Ok(StreamResult::Dropped));
                }
                None => {
                    let why = "a stream ended within an element";
                    return Poll::Ready(Err(wasmtime::Error::msg(why)));
                }
            }
        }
    }
}

/// What a guest writes, read as a body. One piece is on its way at a time.
struct Leaving<E> {
    to: mpsc::Sender<Bytes>,
    of: PhantomData<fn() -> E>,
}

impl<E: Carried> Leaving<E> {
    fn new() -> (Self, Body) {
        let (to, from) = mpsc::channel(0);
        let frames = from.map(|piece| Ok::<_, BodyError>(Frame::data(piece)));
        (Self { to, of: PhantomData }, StreamBody::new(frames).boxed_unsync())
    }

    /// Ready when the piece before was taken; not if nobody reads any more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.to.poll_ready(cx).map(|room| room.is_ok())
    }

    fn send(&mut self, elements: &[E]) -> bool {
        let mut piece = Vec::new();
        E::put_all(elements, &mut piece);
        self.to.start_send(piece.into()).is_ok()
    }
}

/// Elements taken from a guest at once; their bytes are paid for in host-call fuel.
const ELEMENTS_MAX: usize = 1_024;

impl<E: Carried, D: 'static> StreamConsumer<D> for Leaving<E> {
    type Item = E;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'_, D>,
        mut from: Source<'_, E>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let room = match self.poll_room(cx) {
            Poll::Ready(room) => room,
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        };
        let max = if size_of::<E>() == 1 { BODY_CHUNK_BYTES } else { ELEMENTS_MAX };
        let mut elements = Vec::with_capacity(from.remaining(&mut store).min(max));
        from.read(store, &mut elements)?;
        // A guest that writes nothing asks whether anybody reads.
        let sent = room && (elements.is_empty() || self.send(&elements));
        Poll::Ready(Ok(if sent { StreamResult::Completed } else { StreamResult::Dropped }))
    }
}

impl<E: Carried, D: 'static> FutureConsumer<D> for Leaving<E> {
    type Item = E;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut from: Source<'_, E>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let room = ready!(self.poll_room(cx));
        let mut element = Vec::with_capacity(1);
        from.read(store, &mut element)?;
        // Whoever was to await it may have gone.
        let _ = room && self.send(&element);
        Poll::Ready(Ok(()))
    }
}

/// What a call writes for others, cut where the call fails: its streams then just end.
pub(crate) fn written_by(body: Body, call: Arc<Ongoing>) -> Body {
    Written { body, call }.boxed_unsync()
}

struct Written {
    body: Body,
    call: Arc<Ongoing>,
}

impl http_body::Body for Written {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None if self.call.has_failed() => Poll::Ready(Some(Err(BodyError::Cut {
                code: "WT-ENGINE-BODY",
                reason: "the call that wrote it failed".to_owned(),
            }))),
            frame => Poll::Ready(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `bytes` when they arrive in pieces of this length.
    fn arriving<E: Carried>(bytes: &[u8], piece: usize) -> Vec<E> {
        let (mut arrived, mut taken) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            arrived.extend_from_slice(piece);
            taken.extend(E::take_all(&mut arrived, usize::MAX).unwrap());
        }
        assert!(arrived.is_empty(), "{} bytes are left", arrived.len());
        taken
    }

    fn comes_back<E: Carried + Clone + PartialEq + std::fmt::Debug>(elements: &[E]) {
        let mut bytes = Vec::new();
        E::put_all(elements, &mut bytes);
        for piece in [1, 2, 3, 7, 4096] {
            assert_eq!(arriving::<E>(&bytes, piece), elements, "in pieces of {piece}");
        }
    }

    #[test]
    fn elements_arrive_whole_wherever_the_pieces_end() {
        comes_back::<u8>(&[0, 1, 255]);
        comes_back::<i8>(&[-128, 0, 127]);
        comes_back::<u16>(&[1, 0xfffe]);
        comes_back::<i32>(&[i32::MIN, -1, 7]);
        comes_back::<u64>(&[u64::MAX, 0]);
        comes_back::<f64>(&[0.5, -0.0, f64::INFINITY]);
        comes_back::<bool>(&[true, false]);
        comes_back::<char>(&['a', 'ä', '\u{10ffff}']);
        comes_back::<String>(&[String::new(), "words".repeat(100)]);
        comes_back::<Vec<u8>>(&[vec![], vec![7; 300]]);
    }

    #[test]
    fn no_more_elements_are_taken_than_there_is_room_for() {
        let mut arrived = BytesMut::from(&[1, 2, 3, 4][..]);
        assert_eq!(u8::take_all(&mut arrived, 3).unwrap(), [1, 2, 3]);
        assert_eq!(&arrived[..], [4]);
    }
}
