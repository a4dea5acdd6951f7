//! One element of a stream, in a guest and in a body.

use bytes::{Buf, BytesMut};
use wasmtime::component::{Lift, Lower};
use wattle_value::packed::{Reader, Writer};

use crate::limits::HOSTCALL_FUEL;

/// One element, in a guest and in a body.
pub(super) trait Carried: Lift + Lower + Send + Sync + Unpin + Sized + 'static {
    /// Takes the first element off what has arrived; none if not all of it has.
    fn take(arrived: &mut BytesMut) -> wasmtime::Result<Option<Self>>;

    fn put(&self, out: &mut Vec<u8>);

    /// All whole elements of what has arrived, at most `max`.
    fn take_all(arrived: &mut BytesMut, max: usize) -> wasmtime::Result<Vec<Self>> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(element) = Self::take(arrived)? else { break };
            taken.push(element);
        }
        Ok(taken)
    }

    fn put_all(elements: &[Self], out: &mut Vec<u8>) {
        for element in elements {
            element.put(out);
        }
    }
}

impl Carried for u8 {
    fn take(arrived: &mut BytesMut) -> wasmtime::Result<Option<Self>> {
        Ok((!arrived.is_empty()).then(|| arrived.get_u8()))
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take_all(arrived: &mut BytesMut, max: usize) -> wasmtime::Result<Vec<Self>> {
        Ok(arrived.split_to(arrived.len().min(max)).into())
    }

    fn put_all(elements: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(elements);
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Carried for $number {
            fn take(arrived: &mut BytesMut) -> wasmtime::Result<Option<Self>> {
                let Some((bytes, _)) = arrived.split_first_chunk() else { return Ok(None) };
                let number = Self::from_le_bytes(*bytes);
                arrived.advance(size_of::<Self>());
                Ok(Some(number))
            }

            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

numbers!(i8 u16 i16 u32 i32 u64 i64 f32 f64);

macro_rules! packed {
    ($($ty:ty: $read:expr, $write:expr;)*) => {$(
        impl Carried for $ty {
            fn take(arrived: &mut BytesMut) -> wasmtime::Result<Option<Self>> {
                if arrived.is_empty() {
                    return Ok(None);
                }
                let mut reader = Reader::new(arrived);
                match $read(&mut reader) {
                    Ok(element) => {
                        let read = reader.position();
                        arrived.advance(read);
                        Ok(Some(element))
                    }
                    // Where an element may still be on its way, what has arrived of it waits.
                    Err(_) if arrived.len() < ELEMENT_BYTES_MAX => Ok(None),
                    Err(error) => Err(wasmtime::Error::new(error)),
                }
            }

            fn put(&self, out: &mut Vec<u8>) {
                let mut writer = Writer::new();
                $write(&mut writer, self);
                out.extend_from_slice(&writer.into_bytes());
            }
        }
    )*};
}

packed! {
    bool: |from: &mut Reader<'_>| from.bool(), |to: &mut Writer, it: &bool| to.bool(*it);
    char: |from: &mut Reader<'_>| from.char(), |to: &mut Writer, it: &char| to.char(*it);
    String: |from: &mut Reader<'_>| from.str().map(str::to_owned),
        |to: &mut Writer, it: &String| to.str(it);
    Vec<u8>: |from: &mut Reader<'_>| from.bin().map(<[u8]>::to_vec),
        |to: &mut Writer, it: &Vec<u8>| to.bin(it);
}

/// One string or list of bytes: what a guest can hand over in one host call.
const ELEMENT_BYTES_MAX: usize = HOSTCALL_FUEL;
