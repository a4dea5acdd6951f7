//! From the packed form into a guest, following the canonical ABI's "lower" and "store".
//!
//! Trusts neither the packed form nor what the guest's `realloc` says: each value is compared with
//! the type, and each place is looked up in the guest's memory again when it is written, since
//! `realloc` may have made that grow.

use wasmtime::component::__internal::wasmtime_environ::component::{
    StringEncoding, TypeListIndex, VariantInfo,
};
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LowerContext};
use wasmtime::{Error, Result, ValRaw, bail};
use wattle_value::CheckError;
use wattle_value::packed::{self, Reader};

use super::lift::{number, unknown};
use super::{Stream, Values, lower_converted, lower_handle};

/// The packed form is not a value of the type; nothing ran for it but the guest's `realloc`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Misfit {
    /// Arguments for the guest; otherwise the result of a call it made.
    pub(crate) args: bool,
    pub(crate) reason: CheckError,
}

impl Misfit {
    fn find(args: bool) -> impl Fn(Error) -> Error {
        move |error| {
            let reason = match error.downcast::<packed::Error>() {
                Ok(reason) => reason.into(),
                Err(error) => match error.downcast::<CheckError>() {
                    Ok(reason) => reason,
                    Err(error) => return error,
                },
            };
            Self { args, reason }.into()
        }
    }
}

/// Values that fit go to `dst`, which is all zeros; otherwise into memory, and their pointer to
/// `dst`.
pub(super) fn to_flat<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    values: &Values,
    dst: &mut [ValRaw],
    args: bool,
) -> Result<()> {
    let InterfaceType::Tuple(tuple) = ty else { bail!("values go in tuples") };
    let tuple = &cx.types[tuple];
    if tuple.abi.flat_count(dst.len()).is_none() {
        let offset = cx.realloc(0, 0, tuple.abi.align32, tuple.abi.size32 as usize)?;
        let Some(pointer) = dst.first_mut() else { bail!("there is no place for the pointer") };
        *pointer = ValRaw::u32(offset.try_into()?);
        return to_memory(cx, ty, values, offset, args);
    }
    let mut lower = || {
        let mut lowering = Lowering::new(cx, values);
        lowering.count(tuple.types.len(), args)?;
        let dst = &mut dst[..];
        let mut at = 0;
        for ty in &tuple.types {
            at += lowering.flat(*ty, &mut dst[at..])?;
        }
        lowering.finish()
    };
    lower().map_err(Misfit::find(args))
}

/// All values go into memory that is there for them.
pub(super) fn to_memory<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    values: &Values,
    mut offset: usize,
    args: bool,
) -> Result<()> {
    let InterfaceType::Tuple(tuple) = ty else { bail!("values go in tuples") };
    let tuple = &cx.types[tuple];
    let mut lower = || {
        let mut lowering = Lowering::new(cx, values);
        lowering.count(tuple.types.len(), args)?;
        for ty in &tuple.types {
            let at = lowering.types.canonical_abi(ty).next_field32_size(&mut offset);
            lowering.store(*ty, at)?;
        }
        lowering.finish()
    };
    lower().map_err(Misfit::find(args))
}

struct Lowering<'c, 'g, 'v, T: 'static> {
    cx: &'c mut LowerContext<'g, T>,
    types: &'g ComponentTypes,
    from: Reader<'v>,
    streams: &'v [Stream],
    /// How many were met; the next has this number.
    streams_met: usize,
}

impl<'c, 'g, 'v, T: 'static> Lowering<'c, 'g, 'v, T> {
    fn new(cx: &'c mut LowerContext<'g, T>, values: &'v Values) -> Self {
        let (types, from) = (cx.types, Reader::new(&values.bytes));
        Self { cx, types, from, streams: &values.streams, streams_met: 0 }
    }

    fn count(&mut self, expected: usize, args: bool) -> Result<()> {
        match (args, expected) {
            (true, expected) => match self.from.array()? {
                found if found == expected => Ok(()),
                found => Err(CheckError::Arguments { expected, found }.into()),
            },
            (false, 0) => Ok(self.from.nil()?),
            (false, 1) => Ok(()),
            (false, _) => bail!("functions have one result"),
        }
    }

    fn finish(self) -> Result<()> {
        self.from.finish()?;
        let (streams, used) = (self.streams.len(), self.streams_met);
        if streams != used {
            return Err(CheckError::Streams { streams, used }.into());
        }
        Ok(())
    }

    /// A value that is one core value, if `ty` is such a type.
    ///
    /// What a narrower integer leaves of a core value are zeros, or copies of its sign.
    fn scalar(&mut self, ty: InterfaceType) -> Result<Option<ValRaw>> {
        Ok(Some(match ty {
            InterfaceType::Bool => ValRaw::u32(self.from.bool()?.into()),
            InterfaceType::U8 => ValRaw::u32(self.uint::<u8>("u8")?.into()),
            InterfaceType::U16 => ValRaw::u32(self.uint::<u16>("u16")?.into()),
            InterfaceType::U32 => ValRaw::u32(self.uint("u32")?),
            InterfaceType::U64 => ValRaw::u64(self.from.uint()?),
            InterfaceType::S8 => ValRaw::i32(self.int::<i8>("s8")?.into()),
            InterfaceType::S16 => ValRaw::i32(self.int::<i16>("s16")?.into()),
            InterfaceType::S32 => ValRaw::i32(self.int("s32")?),
            InterfaceType::S64 => ValRaw::i64(self.from.int()?),
            InterfaceType::Float32 => ValRaw::f32(self.from.f32()?.to_bits()),
            InterfaceType::Float64 => ValRaw::f64(self.from.f64()?.to_bits()),
            InterfaceType::Char => ValRaw::u32(self.from.char()?.into()),
            InterfaceType::Flags(flags) => ValRaw::u32(self.flags(self.types[flags].names.len())?),
            InterfaceType::Own(_) | InterfaceType::Stream(_) | InterfaceType::Future(_) => {
                self.stream(ty)?
            }
            _ => return Ok(None),
        }))
    }

    /// A value as core values; says how many there are.
    fn flat(&mut self, ty: InterfaceType, dst: &mut [ValRaw]) -> Result<usize> {
        if let Some(value) = self.scalar(ty)? {
            dst[0] = value;
            return Ok(1);
        }
        match ty {
            InterfaceType::String => self.pair(dst, Self::string),
            InterfaceType::List(list) => self.pair(dst, |this| this.list(list)),
            InterfaceType::Record(record) => {
                self.flat_parts(self.types[record].fields.iter().map(|field| field.ty), dst)
            }
            InterfaceType::Tuple(tuple) => {
                self.flat_parts(self.types[tuple].types.iter().copied(), dst)
            }
            InterfaceType::Variant(_)
            | InterfaceType::Enum(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_) => {
                let Some(places) = self.types.canonical_abi(&ty).flat_count(usize::MAX) else {
                    bail!("a type of values outside memory has a number of places");
                };
                let (case, payload) = self.case(ty)?;
                dst[0] = ValRaw::u32(case);
                // Cases share places: what this one does not use of them stays zero.
                if let Some(payload) = payload {
                    self.flat(payload, &mut dst[1..places])?;
                }
                Ok(places)
            }
            other => unknown(other),
        }
    }

    /// A value into memory.
    fn store(&mut self, ty: InterfaceType, at: usize) -> Result<()> {
        if let Some(value) = self.scalar(ty)? {
            let bytes = value.get_u64().to_le_bytes();
            let size = self.types.canonical_abi(&ty).size32 as usize;
            self.place(at, size)?.copy_from_slice(&bytes[..size]);
            return Ok(());
        }
        match ty {
            InterfaceType::String => {
                let place = self.string()?;
                self.put(at, place)
            }
            InterfaceType::List(list) => {
                let place = self.list(list)?;
                self.put(at, place)
            }
            InterfaceType::Record(record) => {
                self.store_parts(self.types[record].fields.iter().map(|field| field.ty), at)
            }
            InterfaceType::Tuple(tuple) => {
                self.store_parts(self.types[tuple].types.iter().copied(), at)
            }
            InterfaceType::Variant(variant) => self.variant(ty, &self.types[variant].info, at),
            InterfaceType::Enum(cases) => self.variant(ty, &self.types[cases].info, at),
            InterfaceType::Option(option) => self.variant(ty, &self.types[option].info, at),
            InterfaceType::Result(result) => self.variant(ty, &self.types[result].info, at),
            other => unknown(other),
        }
    }

    fn variant(&mut self, ty: InterfaceType, info: &VariantInfo, at: usize) -> Result<()> {
        let (case, payload) = self.case(ty)?;
        let bytes = case.to_le_bytes();
        let size = u32::from(info.size) as usize;
        self.place(at, size)?.copy_from_slice(&bytes[..size]);
        match payload {
            Some(payload) => self.store(payload, at + info.payload_offset32 as usize),
            None => Ok(()),
        }
    }

    /// Reads what precedes the payload of a case: which it is, and of which type the payload.
    fn case(&mut self, ty: InterfaceType) -> Result<(u32, Option<InterfaceType>)> {
        let at = self.from.position();
        let cases = match ty {
            InterfaceType::Option(option) => {
                let payload = self.types[option].ty;
                return Ok(if self.from.option()? { (1, Some(payload)) } else { (0, None) });
            }
            InterfaceType::Enum(cases) => {
                let case = self.index(self.types[cases].names.len())?;
                return Ok((case, None));
            }
            InterfaceType::Variant(variant) => self.types[variant].cases.len(),
            _ => 2,
        };
        let found = self.from.array()?;
        if found == 0 {
            return Err(CheckError::Count { at, expected: 1, found }.into());
        }
        let case = self.index(cases)?;
        let payload = match ty {
            InterfaceType::Variant(variant) => self.types[variant].cases[case as usize],
            InterfaceType::Result(result) if case == 0 => self.types[result].ok,
            InterfaceType::Result(result) => self.types[result].err,
            other => return unknown(other),
        };
        let expected = 1 + usize::from(payload.is_some());
        if found != expected {
            return Err(CheckError::Count { at, expected, found }.into());
        }
        Ok((case, payload))
    }

    fn index(&mut self, cases: usize) -> Result<u32> {
        let at = self.from.position();
        let case = self.from.uint()?;
        match u32::try_from(case) {
            Ok(index) if (index as usize) < cases => Ok(index),
            _ => Err(CheckError::NoSuchCase { at, case, cases }.into()),
        }
    }

    fn flat_parts(
        &mut self,
        types: impl ExactSizeIterator<Item = InterfaceType>,
        dst: &mut [ValRaw],
    ) -> Result<usize> {
        self.parts(types.len())?;
        let mut at = 0;
        for ty in types {
            at += self.flat(ty, &mut dst[at..])?;
        }
        Ok(at)
    }

    fn store_parts(
        &mut self,
        types: impl ExactSizeIterator<Item = InterfaceType>,
        mut offset: usize,
    ) -> Result<()> {
        self.parts(types.len())?;
        for ty in types {
            let at = self.types.canonical_abi(&ty).next_field32_size(&mut offset);
            self.store(ty, at)?;
        }
        Ok(())
    }

    fn parts(&mut self, expected: usize) -> Result<()> {
        let at = self.from.position();
        match self.from.array()? {
            found if found == expected => Ok(()),
            found => Err(CheckError::Count { at, expected, found }.into()),
        }
    }

    fn flags(&mut self, flags: usize) -> Result<u32> {
        let at = self.from.position();
        let bits = self.uint::<u32>("set of these flags")?;
        if flags < 32 && bits >> flags != 0 {
            return Err(packed::Error::Range { at, expected: "set of these flags" }.into());
        }
        Ok(bits)
    }

    /// Where the guest has the string now, and its length in the guest's units.
    fn string(&mut self) -> Result<(u32, u32)> {
        let string = self.from.str()?;
        if self.cx.options().string_encoding == StringEncoding::Utf8 {
            self.copy(string.as_bytes(), 1, string.len())
        } else {
            lower_converted(self.cx, string)
        }
    }

    /// Where the guest has the list now, and how many elements.
    fn list(&mut self, list: TypeListIndex) -> Result<(u32, u32)> {
        let element = self.types[list].element;
        let abi = self.types.canonical_abi(&element);
        let size = abi.size32 as usize;
        if let Some(ty) = number(element) {
            let at = self.from.position();
            let bytes = self.from.bin()?;
            if !bytes.len().is_multiple_of(size) {
                return Err(CheckError::Elements { at, ty }.into());
            }
            return self.copy(bytes, abi.align32, bytes.len() / size);
        }
        let len = self.from.array()?;
        let Some(total) = len.checked_mul(size) else { bail!("the list is too large to copy") };
        let pointer = self.cx.realloc(0, 0, abi.align32, total)?;
        for n in 0..len {
            self.store(element, pointer + n * size)?;
        }
        Ok((pointer.try_into()?, len.try_into()?))
    }

    /// Room for `bytes` in the guest, with them in it.
    fn copy(&mut self, bytes: &[u8], align: u32, len: usize) -> Result<(u32, u32)> {
        let pointer = self.cx.realloc(0, 0, align, bytes.len())?;
        self.place(pointer, bytes.len())?.copy_from_slice(bytes);
        Ok((pointer.try_into()?, len.try_into()?))
    }

    fn pair(
        &mut self,
        dst: &mut [ValRaw],
        lower: impl FnOnce(&mut Self) -> Result<(u32, u32)>,
    ) -> Result<usize> {
        let (pointer, len) = lower(self)?;
        dst[0] = ValRaw::u32(pointer);
        dst[1] = ValRaw::u32(len);
        Ok(2)
    }

    fn stream(&mut self, ty: InterfaceType) -> Result<ValRaw> {
        let (at, expected) = (self.from.position(), self.streams_met);
        let found = self.from.uint()?;
        let stream = self.streams.get(expected).filter(|_| found == expected as u64);
        let Some(stream) = stream else {
            return Err(CheckError::Stream { at, expected, found }.into());
        };
        self.streams_met += 1;
        lower_handle(self.cx, ty, stream)
    }

    fn uint<N: TryFrom<u64>>(&mut self, expected: &'static str) -> Result<N> {
        let at = self.from.position();
        let number = self.from.uint()?;
        number.try_into().map_err(|_| packed::Error::Range { at, expected }.into())
    }

    fn int<N: TryFrom<i64>>(&mut self, expected: &'static str) -> Result<N> {
        let at = self.from.position();
        let number = self.from.int()?;
        number.try_into().map_err(|_| packed::Error::Range { at, expected }.into())
    }

    fn put(&mut self, at: usize, (pointer, len): (u32, u32)) -> Result<()> {
        let place = self.place(at, 8)?;
        place[..4].copy_from_slice(&pointer.to_le_bytes());
        place[4..].copy_from_slice(&len.to_le_bytes());
        Ok(())
    }

    fn place(&mut self, at: usize, len: usize) -> Result<&mut [u8]> {
        let memory = self.cx.as_slice_mut().get_mut(at..);
        match memory.and_then(|from| from.get_mut(..len)) {
            Some(place) => Ok(place),
            None => bail!("pointer out of bounds of memory"),
        }
    }
}
