//! Values between a guest's memory and their packed form, without anything in between.
//!
//! wasmtime hands values over as Rust types known when the host is built, or as trees of
//! `component::Val`, which cost 50 ns and 40 units of fuel for each byte. [`call`] and [`provide`]
//! are a third way: a type that passes for any list of parameters or for any result, and then walks
//! the types of the component itself ([`lift`], [`lower`]), writing and reading MessagePack. Strings
//! and lists of numbers are copied in one piece.
//!
//! The traits for this are public, unsafe and hidden from wasmtime's documentation; this is the one
//! file that implements them, and what it relies on was read in the source of the pinned version
//! (`docs/adr/0008-hidden-wasmtime-api.md`). A property test compares all of it with `Val`.
#![expect(unsafe_code, reason = "the traits of wasmtime that make this possible are unsafe")]

use std::fmt;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Mutex;

use bytes::Bytes;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{
    Accessor, ComponentNamedList, ComponentType, Func, FutureAny, GuestTaskId, Lift,
    LinkerInstance, Lower, Resource, ResourceTable, StreamAny,
};
use wasmtime::{AsContextMut, Result, Store, StoreContextMut, ValRaw, bail};
use wasmtime_wasi::p2::DynInputStream;
use wattle_capability::Body;
use wattle_value::FuncType;

use crate::flow::{self, Element};
use crate::signature::{Streams, flat};
use crate::state::State;
use crate::stream;

mod lift;
mod lower;
#[cfg(test)]
mod tests;

pub(crate) use lower::Misfit;

/// Any list of parameters, or any result; `FLAT` places are there for it outside memory.
struct Packed<const FLAT: usize, const ARGS: bool>(Values);

type Args<const FLAT: usize> = Packed<FLAT, true>;
type Answer<const FLAT: usize> = Packed<FLAT, false>;

/// Packed values, with the streams they speak of by number. The streams are in the table of the
/// store that the values come from or go to.
pub(crate) struct Values {
    bytes: Bytes,
    streams: Vec<Stream>,
}

/// A stream that values speak of, where it is now.
enum Stream {
    /// In the table of the store, as the guest's `wasi:io/streams.input-stream`.
    Input(Resource<DynInputStream>),
    /// On its way into a guest, as a `stream` or a `future`: which of them is known when it is
    /// lowered, and then it is taken.
    Body(Mutex<Option<Body>>),
    /// A `stream`, as a guest gave it away.
    Guest(StreamAny, Element),
    /// A `future`, likewise.
    Future(FutureAny, Element),
}

/// Without the values: they may be secrets.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Values");
        shown.field("bytes", &self.bytes.len()).field("streams", &self.streams.len()).finish()
    }
}

impl Values {
    /// Without streams.
    pub(crate) fn plain(bytes: Bytes) -> Self {
        Self { bytes, streams: Vec::new() }
    }

    /// On their way into the store with this table.
    pub(crate) fn arrive(
        bytes: Bytes,
        streams: Vec<Body>,
        kind: Streams,
        table: &mut ResourceTable,
    ) -> Result<Self> {
        let streams = streams.into_iter().map(|body| match kind {
            Streams::P3 => Ok(Stream::Body(Mutex::new(Some(body)))),
            _ => table.push(stream::from_body(body)).map(Stream::Input),
        });
        Ok(Self { bytes, streams: streams.collect::<Result<_, _>>()? })
    }

    /// On their way out of this store; what is a guest's own goes on being written in there.
    pub(crate) fn leave(
        self,
        mut store: impl AsContextMut<Data = State>,
    ) -> Result<(Bytes, Vec<Body>)> {
        let streams = self.streams.into_iter().map(|stream| match stream {
            Stream::Input(stream) => {
                let stream = store.as_context_mut().data_mut().table.delete(stream)?;
                Ok(stream::into_body(stream))
            }
            Stream::Guest(stream, element) => flow::of_stream(&mut store, element, stream),
            Stream::Future(future, element) => flow::of_future(&mut store, element, future),
            Stream::Body(_) => bail!("a stream leaves before it arrived"),
        });
        Ok((self.bytes, streams.collect::<Result<_, _>>()?))
    }
}

/// Calls an export. Its resources, if it has any, must be input streams.
pub(crate) async fn call<T: Send + 'static>(
    store: &mut Store<T>,
    func: Func,
    args: Values,
) -> Result<Values> {
    // Exports are given as many places as the ABI has at most. They look only at those that their
    // own type has, and where that has more there is a pointer in the first.
    let func = func.typed::<Args<PARAMS_MAX>, Answer<RESULTS_MAX>>(&*store)?;
    func.call_async(store, Packed(args)).await.map(|answer| answer.0)
}

/// Calls an export in a store that serves several calls. Tells `begun` the task that the call is in
/// there, before any of it runs, and returns that too. `places` is how many core values an async
/// function has for its result.
pub(crate) async fn call_concurrently(
    accessor: &Accessor<State>,
    func: Func,
    places: Option<usize>,
    args: Values,
    begun: impl FnOnce(&mut State, GuestTaskId),
) -> Result<(GuestTaskId, Values)> {
    macro_rules! by_number_of_places {
        ($($n:literal)*) => {
            match places {
                $(Some($n) => call_with::<$n>(accessor, func, args, begun).await,)*
                // In memory, and a pointer to it in the one place.
                _ => call_with::<RESULTS_MAX>(accessor, func, args, begun).await,
            }
        };
    }
    by_number_of_places!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

async fn call_with<const PLACES: usize>(
    accessor: &Accessor<State>,
    func: Func,
    args: Values,
    begun: impl FnOnce(&mut State, GuestTaskId),
) -> Result<(GuestTaskId, Values)> {
    let (func, call) = accessor.with(|mut store| {
        let func = func.typed::<Args<PARAMS_MAX>, Answer<PLACES>>(&store)?;
        let call = func.start_call_concurrent(store.as_context_mut(), Packed(args))?;
        begun(store.data_mut(), call.task());
        wasmtime::error::Ok((func, call))
    })?;
    let task = call.task();
    let answer = func.finish_call_concurrent(accessor, call).await?;
    Ok((task, answer.0))
}

/// Provides an async import of the signature `func` by `answer`.
pub(crate) fn provide_concurrently<F>(
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
    func: &FuncType,
    answer: F,
) -> Result<()>
where
    F: for<'a> Fn(&'a Accessor<State>, Values) -> Answering<'a> + Clone + Send + Sync + 'static,
{
    let (params, result) = places(func);
    macro_rules! by_number_of_places {
        ($($n:literal)*) => {
            match (params, result) {
                $(($n, 0) => wrap_concurrent::<F, $n, 0>(linker, name, answer),
                  ($n, _) => wrap_concurrent::<F, $n, 1>(linker, name, answer),)*
                _ => unreachable!("the ABI has at most 16 places for parameters"),
            }
        };
    }
    by_number_of_places!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

fn wrap_concurrent<F, const PARAMS: usize, const RESULT: usize>(
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
    answer: F,
) -> Result<()>
where
    F: for<'a> Fn(&'a Accessor<State>, Values) -> Answering<'a> + Clone + Send + Sync + 'static,
{
    linker.func_wrap_concurrent(name, move |accessor, Packed(args): Args<PARAMS>| {
        let answering = answer(accessor, args);
        Box::pin(async move { answering.await.map(Packed::<RESULT, false>) })
    })
}

/// Core values for the parameters and for the result of a function, as its importer has them.
fn places(func: &FuncType) -> (usize, usize) {
    // wasmtime hands imports exactly the places that their types have; what is in memory has none.
    let params: usize = func.params.iter().map(|param| flat(&param.ty)).sum();
    let result = func.result.as_ref().map_or(0, flat);
    let within = |places, max| if places <= max { places } else { 0 };
    (within(params, PARAMS_MAX), within(result, RESULTS_MAX))
}

/// Provides an import of the signature `func` by `answer`.
pub(crate) fn provide<T, F>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    func: &FuncType,
    answer: F,
) -> Result<()>
where
    T: Send + 'static,
    F: for<'a> Fn(StoreContextMut<'a, T>, Values) -> Answering<'a> + Send + Sync + 'static,
{
    let (params, result) = places(func);
    macro_rules! by_number_of_places {
        ($($n:literal)*) => {
            match (params, result) {
                $(($n, 0) => wrap::<T, F, $n, 0>(linker, name, answer),
                  ($n, _) => wrap::<T, F, $n, 1>(linker, name, answer),)*
                _ => unreachable!("the ABI has at most 16 places for parameters"),
            }
        };
    }
    by_number_of_places!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// A result on its way.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Values>> + Send + 'a>>;

/// Of the canonical ABI.
const PARAMS_MAX: usize = 16;
const RESULTS_MAX: usize = 1;

fn wrap<T, F, const PARAMS: usize, const RESULT: usize>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    answer: F,
) -> Result<()>
where
    T: Send + 'static,
    F: for<'a> Fn(StoreContextMut<'a, T>, Values) -> Answering<'a> + Send + Sync + 'static,
{
    linker.func_wrap_async(name, move |store, Packed(args): Args<PARAMS>| {
        let answering = answer(store, args);
        Box::new(async move { answering.await.map(Packed::<RESULT, false>) })
    })
}

// SAFETY: `Lower` is an array of `ValRaw`, as it must be; all bit patterns of it are valid. The
// sizes in `ABI` are those of nothing, so wasmtime reserves and checks no memory by them: what is
// in memory is found, reserved and checked by the walkers, from the component's types. `typecheck`
// agrees to every type because the walkers read the type that they are given and refuse what they
// do not know; nothing about a value is assumed from a type that was checked earlier, except that
// owned resources of a function that has a signature are input streams (`signature`).
unsafe impl<const FLAT: usize, const ARGS: bool> ComponentType for Packed<FLAT, ARGS> {
    type Lower = [ValRaw; FLAT];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo {
        size32: 0,
        align32: 1,
        size64: 0,
        align64: 1,
        flat_count: Some(FLAT as u8),
    };

    fn typecheck(_ty: &InterfaceType, _types: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: stands for a whole tuple of parameters or results, as the trait demands.
unsafe impl<const FLAT: usize, const ARGS: bool> ComponentNamedList for Packed<FLAT, ARGS> {}

// SAFETY: every read is of a place within `src`, whose length the type guarantees, or of the guest's
// memory through checked slices.
unsafe impl<const FLAT: usize, const ARGS: bool> Lift for Packed<FLAT, ARGS> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &[ValRaw; FLAT],
    ) -> Result<Self> {
        lift::from_flat(cx, ty, src, ARGS).map(Self)
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        // As `ABI` says, `bytes` is empty; what counts is where it begins: within the guest's
        // memory, at a place that wasmtime has checked against the real type.
        let offset = bytes.as_ptr().addr().checked_sub(cx.memory().as_ptr().addr());
        let offset = offset.expect("what is lifted from memory is within the memory");
        lift::from_memory(cx, ty, offset, ARGS).map(Self)
    }
}

// SAFETY: all `FLAT` places are initialised before any is written, and the walkers write only
// through checked slices, to `dst` and to the guest's memory.
unsafe impl<const FLAT: usize, const ARGS: bool> Lower for Packed<FLAT, ARGS> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; FLAT]>,
    ) -> Result<()> {
        let dst = dst.write([ValRaw::u64(0); FLAT]);
        lower::to_flat(cx, ty, &self.0, dst, ARGS)
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        lower::to_memory(cx, ty, &self.0, offset, ARGS)
    }
}

/// Where a string lies in a guest that does not use UTF-8; wasmtime does the conversion.
fn lower_converted<T>(cx: &mut LowerContext<'_, T>, string: &str) -> Result<(u32, u32)> {
    let mut place = MaybeUninit::uninit();
    string.linear_lower_to_flat(cx, InterfaceType::String, &mut place)?;
    // SAFETY: `Lower` promises that what it lowered to is initialised when it succeeded.
    let [pointer, len] = unsafe { place.assume_init() };
    Ok((pointer.get_u32(), len.get_u32()))
}

/// A stream's handle, as the guest knows it.
fn lower_handle<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    stream: &Stream,
) -> Result<ValRaw> {
    let taken = |body: &Mutex<Option<Body>>| {
        let taken = body.lock().expect("nothing panics while it holds this lock").take();
        taken.ok_or_else(|| wasmtime::Error::msg("a stream can be given away once"))
    };
    match (ty, stream) {
        (InterfaceType::Own(_), Stream::Input(stream)) => lower_one(cx, ty, stream),
        (InterfaceType::Stream(of), Stream::Body(body)) => {
            let element = lift::element(cx.types, cx.types[cx.types[of].ty].payload)?;
            let stream = flow::stream(cx.store.as_context_mut(), element, taken(body)?)?;
            lower_one(cx, ty, &stream)
        }
        (InterfaceType::Future(of), Stream::Body(body)) => {
            let element = lift::element(cx.types, cx.types[cx.types[of].ty].payload)?;
            let future = flow::future(cx.store.as_context_mut(), element, taken(body)?)?;
            lower_one(cx, ty, &future)
        }
        _ => bail!("a stream is not of the kind that the function has"),
    }
}

fn lower_one<T: 'static, L: Lower<Lower = ValRaw>>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    it: &L,
) -> Result<ValRaw> {
    let mut handle = MaybeUninit::uninit();
    it.linear_lower_to_flat(cx, ty, &mut handle)?;
    // SAFETY: as above.
    Ok(unsafe { handle.assume_init() })
}
