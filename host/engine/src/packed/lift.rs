//! From a guest to the packed form, following the canonical ABI's "lift" and "load".
//!
//! Trusts nothing the guest says: pointers, lengths, cases, characters and UTF-8 are checked. What
//! is read and what is written are paid for in host-call fuel, whichever is more, before it is
//! copied: a list of small things in deep wrappings takes more room packed than in memory.

use wasmtime::component::__internal::wasmtime_environ::component::{
    StringEncoding, TypeListIndex, VariantInfo,
};
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LiftContext};
use wasmtime::component::{FutureAny, Lift, Resource, StreamAny};
use wasmtime::{Result, ValRaw, bail};
use wattle_value::packed::Writer;

use super::{Stream, Values};
use crate::flow::Element;

/// Values that fit are in `src`; otherwise a pointer to them is.
pub(super) fn from_flat(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    src: &[ValRaw],
    args: bool,
) -> Result<Values> {
    let InterfaceType::Tuple(tuple) = ty else { bail!("values come in tuples") };
    let types = cx.types;
    let tuple = &types[tuple];
    if tuple.abi.flat_count(src.len()).is_none() {
        let [pointer] = src else { bail!("values in memory come with one pointer") };
        let offset = pointer.get_u32() as usize;
        if !offset.is_multiple_of(tuple.abi.align32 as usize) {
            bail!("return pointer not aligned");
        }
        return from_memory(cx, ty, offset, args);
    }
    let mut lifting = Lifting::new(cx);
    lifting.count(tuple.types.len(), args)?;
    let src = &mut &src[..];
    for ty in &tuple.types {
        lifting.flat(*ty, src)?;
    }
    Ok(lifting.finish())
}

/// All values are in memory, from `offset` on.
pub(super) fn from_memory(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    mut offset: usize,
    args: bool,
) -> Result<Values> {
    let InterfaceType::Tuple(tuple) = ty else { bail!("values come in tuples") };
    let types = cx.types;
    let tuple = &types[tuple];
    let mut lifting = Lifting::new(cx);
    lifting.bytes(offset, tuple.abi.size32 as usize)?;
    lifting.count(tuple.types.len(), args)?;
    for ty in &tuple.types {
        let at = types.canonical_abi(ty).next_field32_size(&mut offset);
        lifting.load(*ty, at)?;
    }
    Ok(lifting.finish())
}

/// What a stream or a future has, of those that a signature may have.
pub(super) fn element(types: &ComponentTypes, ty: Option<InterfaceType>) -> Result<Element> {
    Ok(match ty {
        Some(InterfaceType::Bool) => Element::Bool,
        Some(InterfaceType::U8) => Element::U8,
        Some(InterfaceType::S8) => Element::S8,
        Some(InterfaceType::U16) => Element::U16,
        Some(InterfaceType::S16) => Element::S16,
        Some(InterfaceType::U32) => Element::U32,
        Some(InterfaceType::S32) => Element::S32,
        Some(InterfaceType::U64) => Element::U64,
        Some(InterfaceType::S64) => Element::S64,
        Some(InterfaceType::Float32) => Element::F32,
        Some(InterfaceType::Float64) => Element::F64,
        Some(InterfaceType::Char) => Element::Char,
        Some(InterfaceType::String) => Element::String,
        Some(InterfaceType::List(list)) if types[list].element == InterfaceType::U8 => {
            Element::Bytes
        }
        _ => bail!("a stream has elements that are not carried"),
    })
}

struct Lifting<'c, 'm> {
    cx: &'c mut LiftContext<'m>,
    types: &'m ComponentTypes,
    memory: &'m [u8],
    out: Writer,
    streams: Vec<Stream>,
    /// Fuel that was consumed here.
    paid: usize,
}

impl<'c, 'm> Lifting<'c, 'm> {
    fn new(cx: &'c mut LiftContext<'m>) -> Self {
        let (types, memory) = (&**cx.types, cx.memory());
        // Small arguments, the usual, are written without growing.
        let out = Writer::with_capacity(64);
        Self { cx, types, memory, out, streams: Vec::new(), paid: 0 }
    }

    fn finish(self) -> Values {
        Values { bytes: self.out.into_bytes(), streams: self.streams }
    }

    /// Before the values: arguments are an array, a result is itself or nil.
    fn count(&mut self, values: usize, args: bool) -> Result<()> {
        match (args, values) {
            (true, values) => self.out.array(values),
            (false, 0) => self.out.nil(),
            (false, 1) => {}
            (false, _) => bail!("functions have one result"),
        }
        Ok(())
    }

    /// A value from core values, which are taken off `src`.
    fn flat(&mut self, ty: InterfaceType, src: &mut &[ValRaw]) -> Result<()> {
        match ty {
            InterfaceType::Bool => self.out.bool(next(src)?.get_u32() != 0),
            // Core values are wider; what is above is not part of the value.
            InterfaceType::U8 => self.out.uint((next(src)?.get_u32() as u8).into()),
            InterfaceType::U16 => self.out.uint((next(src)?.get_u32() as u16).into()),
            InterfaceType::U32 => self.out.uint(next(src)?.get_u32().into()),
            InterfaceType::U64 => self.out.uint(next(src)?.get_u64()),
            InterfaceType::S8 => self.out.int((next(src)?.get_i32() as i8).into()),
            InterfaceType::S16 => self.out.int((next(src)?.get_i32() as i16).into()),
            InterfaceType::S32 => self.out.int(next(src)?.get_i32().into()),
            InterfaceType::S64 => self.out.int(next(src)?.get_i64()),
            InterfaceType::Float32 => self.out.f32(f32::from_bits(next(src)?.get_f32())),
            InterfaceType::Float64 => self.out.f64(f64::from_bits(next(src)?.get_f64())),
            InterfaceType::Char => self.out.char(char::try_from(next(src)?.get_u32())?),
            InterfaceType::Own(_) | InterfaceType::Stream(_) | InterfaceType::Future(_) => {
                self.stream(ty, *next(src)?)?;
            }
            InterfaceType::String => {
                let (pointer, len) = (next(src)?.get_u32(), next(src)?.get_u32());
                self.string(pointer, len)?;
            }
            InterfaceType::List(list) => {
                let (pointer, len) = (next(src)?.get_u32(), next(src)?.get_u32());
                self.list(list, pointer as usize, len as usize)?;
            }
            InterfaceType::Record(record) => {
                let fields = &self.types[record].fields;
                self.out.array(fields.len());
                for field in fields {
                    self.flat(field.ty, src)?;
                }
            }
            InterfaceType::Tuple(tuple) => {
                let types = &self.types[tuple].types;
                self.out.array(types.len());
                for ty in types {
                    self.flat(*ty, src)?;
                }
            }
            InterfaceType::Variant(_)
            | InterfaceType::Enum(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_) => {
                let Some(places) = self.types.canonical_abi(&ty).flat_count(usize::MAX) else {
                    bail!("a type of values outside memory has a number of places");
                };
                let case = next(src)?.get_u32();
                let Some((mut payload, rest)) = src.split_at_checked(places - 1) else {
                    bail!("there are fewer core values than the types say");
                };
                *src = rest;
                if let Some(ty) = self.case(ty, case)? {
                    // Cases share places: each reads the bits it needs, from the low end.
                    self.flat(ty, &mut payload)?;
                }
            }
            InterfaceType::Flags(flags) => {
                let flags = self.types[flags].names.len();
                let bits = if flags == 0 { 0 } else { next(src)?.get_u32() };
                self.flags(flags, bits)?;
            }
            other => return unknown(other),
        }
        Ok(())
    }

    /// A value from memory.
    fn load(&mut self, ty: InterfaceType, at: usize) -> Result<()> {
        match ty {
            InterfaceType::Bool => self.out.bool(self.array::<1>(at)? != [0]),
            InterfaceType::U8 => self.out.uint(u8::from_le_bytes(self.array(at)?).into()),
            InterfaceType::U16 => self.out.uint(u16::from_le_bytes(self.array(at)?).into()),
            InterfaceType::U32 => self.out.uint(self.u32(at)?.into()),
            InterfaceType::U64 => self.out.uint(u64::from_le_bytes(self.array(at)?)),
            InterfaceType::S8 => self.out.int(i8::from_le_bytes(self.array(at)?).into()),
            InterfaceType::S16 => self.out.int(i16::from_le_bytes(self.array(at)?).into()),
            InterfaceType::S32 => self.out.int(i32::from_le_bytes(self.array(at)?).into()),
            InterfaceType::S64 => self.out.int(i64::from_le_bytes(self.array(at)?)),
            InterfaceType::Float32 => self.out.f32(f32::from_bits(self.u32(at)?)),
            InterfaceType::Float64 => self.out.f64(f64::from_le_bytes(self.array(at)?)),
            InterfaceType::Char => self.out.char(char::try_from(self.u32(at)?)?),
            InterfaceType::Own(_) | InterfaceType::Stream(_) | InterfaceType::Future(_) => {
                self.stream(ty, ValRaw::u32(self.u32(at)?))?;
            }
            InterfaceType::String => {
                let (pointer, len) = (self.u32(at)?, self.u32(at + 4)?);
                self.string(pointer, len)?;
            }
            InterfaceType::List(list) => {
                let (pointer, len) = (self.u32(at)?, self.u32(at + 4)?);
                self.list(list, pointer as usize, len as usize)?;
            }
            InterfaceType::Record(record) => {
                let fields = &self.types[record].fields;
                self.out.array(fields.len());
                let mut offset = at;
                for field in fields {
                    let at = self.types.canonical_abi(&field.ty).next_field32_size(&mut offset);
                    self.load(field.ty, at)?;
                }
            }
            InterfaceType::Tuple(tuple) => {
                let types = &self.types[tuple].types;
                self.out.array(types.len());
                let mut offset = at;
                for ty in types {
                    let at = self.types.canonical_abi(ty).next_field32_size(&mut offset);
                    self.load(*ty, at)?;
                }
            }
            InterfaceType::Variant(variant) => self.variant(ty, &self.types[variant].info, at)?,
            InterfaceType::Enum(cases) => self.variant(ty, &self.types[cases].info, at)?,
            InterfaceType::Option(option) => self.variant(ty, &self.types[option].info, at)?,
            InterfaceType::Result(result) => self.variant(ty, &self.types[result].info, at)?,
            InterfaceType::Flags(flags) => {
                let bits = match self.types.canonical_abi(&ty).size32 {
                    0 => 0,
                    1 => self.array::<1>(at)?[0].into(),
                    2 => u16::from_le_bytes(self.array(at)?).into(),
                    _ => self.u32(at)?,
                };
                self.flags(self.types[flags].names.len(), bits)?;
            }
            other => return unknown(other),
        }
        Ok(())
    }

    fn variant(&mut self, ty: InterfaceType, info: &VariantInfo, at: usize) -> Result<()> {
        let case = match u32::from(info.size) {
            1 => self.array::<1>(at)?[0].into(),
            2 => u16::from_le_bytes(self.array(at)?).into(),
            _ => self.u32(at)?,
        };
        match self.case(ty, case)? {
            Some(payload) => self.load(payload, at + info.payload_offset32 as usize),
            None => Ok(()),
        }
    }

    /// Writes what precedes the payload of a case, and says of which type that is.
    fn case(&mut self, ty: InterfaceType, case: u32) -> Result<Option<InterfaceType>> {
        let index = case as usize;
        let found = match ty {
            InterfaceType::Option(option) => match case {
                0 => {
                    self.out.nil();
                    return Ok(None);
                }
                1 => {
                    self.out.array(1);
                    return Ok(Some(self.types[option].ty));
                }
                _ => None,
            },
            InterfaceType::Enum(cases) => {
                if index < self.types[cases].names.len() {
                    self.out.uint(case.into());
                    return Ok(None);
                }
                None
            }
            InterfaceType::Result(result) => {
                let result = &self.types[result];
                [result.ok, result.err].get(index).copied()
            }
            InterfaceType::Variant(variant) => {
                self.types[variant].cases.get_index(index).map(|(_, payload)| *payload)
            }
            _ => None,
        };
        let Some(payload) = found else { bail!("unexpected discriminant: {case}") };
        self.out.array(1 + usize::from(payload.is_some()));
        self.out.uint(case.into());
        Ok(payload)
    }

    fn flags(&mut self, flags: usize, bits: u32) -> Result<()> {
        let mask = match flags {
            0..32 => (1 << flags) - 1,
            32 => u32::MAX,
            _ => bail!("there are more than 32 flags"),
        };
        self.out.uint((bits & mask).into());
        Ok(())
    }

    fn string(&mut self, pointer: u32, len: u32) -> Result<()> {
        if self.cx.options().string_encoding == StringEncoding::Utf8 {
            let bytes = self.bytes(pointer as usize, len as usize)?;
            self.pay(bytes.len())?;
            self.out.str(std::str::from_utf8(bytes)?);
        } else {
            // wasmtime checks, takes fuel and converts.
            let place = [ValRaw::u32(pointer), ValRaw::u32(len)];
            let string = String::linear_lift_from_flat(self.cx, InterfaceType::String, &place)?;
            self.out.str(&string);
        }
        Ok(())
    }

    fn list(&mut self, list: TypeListIndex, pointer: usize, len: usize) -> Result<()> {
        let element = self.types[list].element;
        let abi = self.types.canonical_abi(&element);
        let size = abi.size32 as usize;
        if !pointer.is_multiple_of(abi.align32 as usize) {
            bail!("list pointer is not aligned");
        }
        let Some(total) = len.checked_mul(size) else {
            bail!("list pointer/length out of bounds of memory");
        };
        let bytes = self.bytes(pointer, total)?;
        self.pay(total)?;
        if number(element).is_some() {
            self.out.bin(bytes);
            return Ok(());
        }
        self.out.array(len);
        for n in 0..len {
            self.load(element, pointer + n * size)?;
            self.pay_for_written()?;
        }
        Ok(())
    }

    fn stream(&mut self, ty: InterfaceType, handle: ValRaw) -> Result<()> {
        let types = self.types;
        let stream = match ty {
            InterfaceType::Stream(of) => {
                let element = element(types, types[types[of].ty].payload)?;
                Stream::Guest(StreamAny::linear_lift_from_flat(self.cx, ty, &handle)?, element)
            }
            InterfaceType::Future(of) => {
                let element = element(types, types[types[of].ty].payload)?;
                Stream::Future(FutureAny::linear_lift_from_flat(self.cx, ty, &handle)?, element)
            }
            _ => Stream::Input(Resource::linear_lift_from_flat(self.cx, ty, &handle)?),
        };
        self.out.uint(self.streams.len() as u64);
        self.streams.push(stream);
        Ok(())
    }

    fn pay(&mut self, fuel: usize) -> Result<()> {
        self.cx.consume_fuel(fuel)?;
        self.paid += fuel;
        Ok(())
    }

    fn pay_for_written(&mut self) -> Result<()> {
        match self.out.len().checked_sub(self.paid) {
            Some(unpaid) if unpaid != 0 => self.pay(unpaid),
            _ => Ok(()),
        }
    }

    fn bytes(&self, at: usize, len: usize) -> Result<&'m [u8]> {
        match self.memory.get(at..).and_then(|from| from.get(..len)) {
            Some(bytes) => Ok(bytes),
            None => bail!("pointer out of bounds of memory"),
        }
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        match self.memory.get(at..).and_then(|from| from.first_chunk()) {
            Some(bytes) => Ok(*bytes),
            None => bail!("pointer out of bounds of memory"),
        }
    }

    fn u32(&self, at: usize) -> Result<u32> {
        self.array(at).map(u32::from_le_bytes)
    }
}

/// The name of a number; lists of these are packed as they lie in memory.
pub(super) fn number(ty: InterfaceType) -> Option<&'static str> {
    Some(match ty {
        InterfaceType::U8 => "u8",
        InterfaceType::S8 => "s8",
        InterfaceType::U16 => "u16",
        InterfaceType::S16 => "s16",
        InterfaceType::U32 => "u32",
        InterfaceType::S32 => "s32",
        InterfaceType::U64 => "u64",
        InterfaceType::S64 => "s64",
        InterfaceType::Float32 => "f32",
        InterfaceType::Float64 => "f64",
        _ => return None,
    })
}

/// Functions that have such types have no signature, so nobody calls them.
pub(super) fn unknown<T>(ty: InterfaceType) -> Result<T> {
    bail!("values of {ty:?} are not carried")
}

fn next<'s>(src: &mut &'s [ValRaw]) -> Result<&'s ValRaw> {
    let Some((first, rest)) = src.split_first() else {
        bail!("there are fewer core values than the types say");
    };
    *src = rest;
    Ok(first)
}
