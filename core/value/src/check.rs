//! Decides whether packed bytes are a value of a type, before anyone acts on them.
//!
//! What comes from another host is checked here once; whoever reads it afterwards by the same type
//! meets no error. Nothing is allocated, and the stack is bounded by the limit on depth.

use crate::packed::{Error, Reader};
use crate::{Case, FuncType, Limits, Type};

/// Why bytes are refused as arguments or as a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("{len} bytes are more than the {max} that are allowed")]
    TooLong { len: usize, max: usize },
    #[error("values are nested deeper than {max}")]
    TooDeep { max: usize },
    #[error("lists have more than {max} elements together")]
    TooMany { max: usize },
    #[error("there are {found} arguments, and the function has {expected}")]
    Arguments { expected: usize, found: usize },
    #[error("at byte {at} there are {found} values in place of {expected}")]
    Count { at: usize, expected: usize, found: usize },
    #[error("at byte {at} there is case {case}, of {cases}")]
    NoSuchCase { at: usize, case: u64, cases: usize },
    #[error("the bytes at byte {at} are no whole number of {ty}")]
    Elements { at: usize, ty: &'static str },
    #[error(
        "at byte {at} there is stream {found}; streams count from 0, and the next is {expected}"
    )]
    Stream { at: usize, expected: usize, found: u64 },
    #[error("{streams} streams came along, and the values have {used}")]
    Streams { streams: usize, used: usize },
    #[error(transparent)]
    Packed(#[from] Error),
}

/// Whether `bytes` are arguments for `func`, with `streams` streams beside them.
pub fn check_args(
    func: &FuncType,
    bytes: &[u8],
    streams: usize,
    limits: &Limits,
) -> Result<(), CheckError> {
    let mut check = Check::new(bytes, limits)?;
    let found = check.reader.array()?;
    if found != func.params.len() {
        return Err(CheckError::Arguments { expected: func.params.len(), found });
    }
    for param in &func.params {
        check.value(&param.ty, limits.depth_max)?;
    }
    check.finish(streams)
}

/// Whether `bytes` are a result of `func`, with `streams` streams beside it.
pub fn check_result(
    func: &FuncType,
    bytes: &[u8],
    streams: usize,
    limits: &Limits,
) -> Result<(), CheckError> {
    let mut check = Check::new(bytes, limits)?;
    match &func.result {
        Some(ty) => check.value(ty, limits.depth_max)?,
        None => check.reader.nil()?,
    }
    check.finish(streams)
}

struct Check<'a> {
    reader: Reader<'a>,
    limits: &'a Limits,
    elements_left: usize,
    /// How many were met; the next has this number.
    streams: usize,
}

impl<'a> Check<'a> {
    fn new(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, CheckError> {
        if limits.bytes_max < bytes.len() {
            return Err(CheckError::TooLong { len: bytes.len(), max: limits.bytes_max });
        }
        let (reader, elements_left) = (Reader::new(bytes), limits.elements_max);
        Ok(Self { reader, limits, elements_left, streams: 0 })
    }

    fn finish(self, streams: usize) -> Result<(), CheckError> {
        self.reader.finish()?;
        if self.streams != streams {
            return Err(CheckError::Streams { streams, used: self.streams });
        }
        Ok(())
    }

    /// One value, with `depth` levels left for it.
    fn value(&mut self, ty: &Type, depth: usize) -> Result<(), CheckError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(CheckError::TooDeep { max: self.limits.depth_max });
        };
        match ty {
            Type::Bool => drop(self.reader.bool()?),
            Type::U8 => self.uint(u8::MAX.into(), "u8")?,
            Type::U16 => self.uint(u16::MAX.into(), "u16")?,
            Type::U32 => self.uint(u32::MAX.into(), "u32")?,
            Type::U64 => self.uint(u64::MAX, "u64")?,
            Type::S8 => self.int(i8::MIN.into(), i8::MAX.into(), "s8")?,
            Type::S16 => self.int(i16::MIN.into(), i16::MAX.into(), "s16")?,
            Type::S32 => self.int(i32::MIN.into(), i32::MAX.into(), "s32")?,
            Type::S64 => self.int(i64::MIN, i64::MAX, "s64")?,
            Type::F32 => drop(self.reader.f32()?),
            Type::F64 => drop(self.reader.f64()?),
            Type::Char => drop(self.reader.char()?),
            Type::String => drop(self.reader.str()?),
            Type::List(element) => self.list(element, depth)?,
            Type::Record(fields) => {
                self.count(fields.len())?;
                for field in fields {
                    self.value(&field.ty, depth)?;
                }
            }
            Type::Tuple(types) => {
                self.count(types.len())?;
                for ty in types {
                    self.value(ty, depth)?;
                }
            }
            Type::Variant(cases) => {
                self.case(
                    cases.len(),
                    |at| cases.get(at).map(|Case { ty, .. }| ty.as_ref()),
                    depth,
                )?;
            }
            Type::Result { ok, err } => {
                self.case(2, |at| [ok, err].get(at).map(|ty| ty.as_deref()), depth)?;
            }
            Type::Enum(names) => drop(self.index(names.len())?),
            Type::Option(some) => {
                if self.reader.option()? {
                    self.value(some, depth)?;
                }
            }
            Type::Flags(names) => {
                let bits = u32::try_from(names.len()).unwrap_or(u32::MAX).min(Type::FLAGS_MAX);
                self.uint((1 << bits) - 1, "set of these flags")?;
            }
            Type::Stream(_) | Type::Future(_) | Type::InputStream => self.stream()?,
        }
        Ok(())
    }

    fn list(&mut self, element: &Type, depth: usize) -> Result<(), CheckError> {
        let at = self.reader.position();
        if let Some((size, ty)) = element.number() {
            return match self.reader.bin()?.len() % size {
                0 => Ok(()),
                _ => Err(CheckError::Elements { at, ty }),
            };
        }
        let len = self.reader.array()?;
        self.elements_left = self
            .elements_left
            .checked_sub(len)
            .ok_or(CheckError::TooMany { max: self.limits.elements_max })?;
        (0..len).try_for_each(|_| self.value(element, depth))
    }

    fn case<'t>(
        &mut self,
        cases: usize,
        payload: impl FnOnce(usize) -> Option<Option<&'t Type>>,
        depth: usize,
    ) -> Result<(), CheckError> {
        let at = self.reader.position();
        let found = self.reader.array()?;
        if found == 0 {
            return Err(CheckError::Count { at, expected: 1, found });
        }
        let case = self.index(cases)?;
        let payload = payload(case).flatten();
        let expected = 1 + usize::from(payload.is_some());
        if found != expected {
            return Err(CheckError::Count { at, expected, found });
        }
        payload.map_or(Ok(()), |ty| self.value(ty, depth))
    }

    fn index(&mut self, cases: usize) -> Result<usize, CheckError> {
        let at = self.reader.position();
        let case = self.reader.uint()?;
        match usize::try_from(case) {
            Ok(index) if index < cases => Ok(index),
            _ => Err(CheckError::NoSuchCase { at, case, cases }),
        }
    }

    fn count(&mut self, expected: usize) -> Result<(), CheckError> {
        let at = self.reader.position();
        match self.reader.array()? {
            found if found == expected => Ok(()),
            found => Err(CheckError::Count { at, expected, found }),
        }
    }

    /// Streams are numbered as they occur: so none is named twice, and none is left over.
    fn stream(&mut self) -> Result<(), CheckError> {
        let (at, expected) = (self.reader.position(), self.streams);
        let found = self.reader.uint()?;
        if found != expected as u64 {
            return Err(CheckError::Stream { at, expected, found });
        }
        self.streams += 1;
        Ok(())
    }

    fn uint(&mut self, max: u64, expected: &'static str) -> Result<(), CheckError> {
        let at = self.reader.position();
        if max < self.reader.uint()? {
            return Err(Error::Range { at, expected }.into());
        }
        Ok(())
    }

    fn int(&mut self, min: i64, max: i64, expected: &'static str) -> Result<(), CheckError> {
        let at = self.reader.position();
        if !(min..=max).contains(&self.reader.int()?) {
            return Err(Error::Range { at, expected }.into());
        }
        Ok(())
    }
}
