//! Ends of streams and futures, sets and tasks, used as no bindings would use them.

use wasip3::http::types::{ErrorCode, Response};
use wasip3::{wit_future::FuturePayload, wit_stream::StreamPayload};
use wit_bindgen::rt::async_support::{FutureVtable, StreamVtable};

use crate::answer::told;

/// The intrinsics of a stream of bytes.
pub(crate) const STREAM: &StreamVtable<u8> = <u8 as StreamPayload>::VTABLE;
const FUTURE: &FutureVtable<Result<(), ErrorCode>> =
    <Result<(), ErrorCode> as FuturePayload>::VTABLE;

/// Beyond every memory a guest may have.
const BEYOND: usize = 0xffff_0000;
const FORGED: u32 = 4000;

#[link(wasm_import_module = "$root")]
unsafe extern "C" {
    #[link_name = "[waitable-set-new]"]
    fn set_new() -> u32;
    #[link_name = "[waitable-set-drop]"]
    fn set_drop(set: u32);
    #[link_name = "[waitable-join]"]
    fn join(waitable: u32, set: u32);
    #[link_name = "[backpressure-inc]"]
    fn hold_back();
}

#[link(wasm_import_module = "[export]$root")]
unsafe extern "C" {
    #[link_name = "[task-cancel]"]
    fn task_cancel();
}

/// The ends of a new stream: reader and writer.
pub(crate) fn stream() -> (u32, u32) {
    // SAFETY: it takes nothing.
    let both = unsafe { (STREAM.new)() };
    (both as u32, (both >> 32) as u32)
}

/// The ends of a new future: reader and writer.
pub(crate) fn future() -> (u32, u32) {
    // SAFETY: it takes nothing.
    let both = unsafe { (FUTURE.new)() };
    (both as u32, (both >> 32) as u32)
}

pub(crate) fn set() -> u32 {
    // SAFETY: it takes nothing.
    unsafe { set_new() }
}

/// Begins to read a byte; nobody has written one.
fn begin_reading(reader: u32) -> u32 {
    let place = Box::leak(Box::new(0_u8));
    // SAFETY: the place is there for ever.
    unsafe { (STREAM.start_read)(reader, place, 1) }
}

/// Whatever the host did with what follows it did not trap.
fn survived(what: impl std::fmt::Debug) -> Response {
    told(format!("survived: {what:?}"))
}

pub(crate) fn cancel_the_wrong_end() -> Response {
    let (reader, writer) = stream();
    begin_reading(reader);
    // SAFETY: what it does is for the host to refuse; so with each below.
    survived(unsafe { (STREAM.cancel_write)(reader) | (STREAM.cancel_read)(writer) })
}

pub(crate) fn cancel_nothing() -> Response {
    survived(unsafe { (STREAM.cancel_read)(stream().0) })
}

pub(crate) fn read_where_it_writes() -> Response {
    survived(begin_reading(stream().1))
}

pub(crate) fn write_where_it_reads() -> Response {
    survived(unsafe { (STREAM.start_write)(stream().0, b"x".as_ptr(), 1) })
}

pub(crate) fn read_twice_at_once() -> Response {
    let (reader, _) = stream();
    begin_reading(reader);
    survived(begin_reading(reader))
}

pub(crate) fn drop_an_end_in_use() -> Response {
    let (reader, _) = stream();
    begin_reading(reader);
    survived(unsafe { (STREAM.drop_readable)(reader) })
}

pub(crate) fn drop_an_end_twice() -> Response {
    let (reader, _) = stream();
    unsafe { (STREAM.drop_readable)(reader) };
    survived(unsafe { (STREAM.drop_readable)(reader) })
}

pub(crate) fn drop_the_wrong_end() -> Response {
    survived(unsafe { (STREAM.drop_readable)(stream().1) })
}

pub(crate) fn use_a_forged_end() -> Response {
    survived(begin_reading(FORGED))
}

pub(crate) fn read_beyond_memory() -> Response {
    let (reader, _) = stream();
    survived(unsafe { (STREAM.start_read)(reader, BEYOND as *mut u8, 1 << 16) })
}

pub(crate) fn write_beyond_memory() -> Response {
    let (_, writer) = stream();
    survived(unsafe { (STREAM.start_write)(writer, BEYOND as *const u8, 1 << 16) })
}

/// The writer of a future must write.
pub(crate) fn drop_a_promise() -> Response {
    let (_, writer) = future();
    survived(unsafe { (FUTURE.drop_writable)(writer) })
}

pub(crate) fn wait_for_a_forged_thing() -> Response {
    survived(unsafe { join(FORGED, set()) })
}

pub(crate) fn drop_a_set_in_use() -> Response {
    let (set, (reader, _)) = (set(), stream());
    begin_reading(reader);
    unsafe { join(reader, set) };
    survived(unsafe { set_drop(set) })
}

/// Nobody asked it to.
pub(crate) fn cancel_its_own_task() -> Response {
    survived(unsafe { task_cancel() })
}

/// Once more than the counter holds.
pub(crate) fn hold_back_without_end() -> Response {
    for _ in 0..=u16::MAX {
        unsafe { hold_back() };
    }
    survived("held back")
}
