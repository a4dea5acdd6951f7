//! From the packed form to a tree.

use super::Value;
use crate::packed::{Error, Reader};
use crate::{CheckError, Type};

impl Value {
    /// Reads a value of `ty`. What is not one is refused, but how large it may be is for
    /// [`crate::check_args`] and [`crate::check_result`] to say beforehand.
    pub fn unpack(ty: &Type, reader: &mut Reader<'_>) -> Result<Self, CheckError> {
        Ok(match ty {
            Type::Bool => Self::Bool(reader.bool()?),
            Type::U8 => Self::U8(uint(reader, "u8")?),
            Type::U16 => Self::U16(uint(reader, "u16")?),
            Type::U32 => Self::U32(uint(reader, "u32")?),
            Type::U64 => Self::U64(reader.uint()?),
            Type::S8 => Self::S8(int(reader, "s8")?),
            Type::S16 => Self::S16(int(reader, "s16")?),
            Type::S32 => Self::S32(int(reader, "s32")?),
            Type::S64 => Self::S64(reader.int()?),
            Type::F32 => Self::F32(reader.f32()?),
            Type::F64 => Self::F64(reader.f64()?),
            Type::Char => Self::Char(reader.char()?),
            Type::String => Self::String(reader.str()?.to_owned()),
            Type::List(element) => Self::List(match numbers(element, reader) {
                Some(numbers) => numbers?,
                None => {
                    let len = reader.array()?;
                    (0..len).map(|_| Self::unpack(element, reader)).collect::<Result<_, _>>()?
                }
            }),
            Type::Record(fields) => {
                count(reader, fields.len())?;
                let field = |(name, ty): (&String, &Type)| {
                    Ok::<_, CheckError>((name.clone(), Self::unpack(ty, reader)?))
                };
                let fields = fields.iter().map(|field| (&field.name, &field.ty));
                Self::Record(fields.map(field).collect::<Result<_, _>>()?)
            }
            Type::Tuple(types) => {
                count(reader, types.len())?;
                Self::Tuple(
                    types.iter().map(|ty| Self::unpack(ty, reader)).collect::<Result<_, _>>()?,
                )
            }
            Type::Variant(cases) => {
                let payload = |at: usize| Some(cases.get(at)?.ty.as_ref());
                let (at, value) = case(reader, cases.len(), payload)?;
                Self::Variant(cases[at].name.clone(), value)
            }
            Type::Result { ok, err } => {
                let payload = |at: usize| Some([ok, err].get(at)?.as_deref());
                Self::Result(match case(reader, 2, payload)? {
                    (0, value) => Ok(value),
                    (_, value) => Err(value),
                })
            }
            Type::Enum(names) => {
                let at = reader.position();
                let case = reader.uint()?;
                let name = usize::try_from(case).ok().and_then(|case| names.get(case));
                Self::Enum(
                    name.ok_or(CheckError::NoSuchCase { at, case, cases: names.len() })?.clone(),
                )
            }
            Type::Option(some) => Self::Option(match reader.option()? {
                true => Some(Box::new(Self::unpack(some, reader)?)),
                false => None,
            }),
            Type::Flags(names) => {
                let at = reader.position();
                let mut bits: u32 = uint(reader, "set of flags")?;
                let mut set = Vec::new();
                for (bit, name) in (0..Type::FLAGS_MAX).zip(names) {
                    if bits & 1 << bit != 0 {
                        set.push(name.clone());
                        bits &= !(1 << bit);
                    }
                }
                match bits {
                    0 => Self::Flags(set),
                    _ => Err(Error::Range { at, expected: "set of these flags" })?,
                }
            }
            Type::Stream(_) | Type::Future(_) | Type::InputStream => {
                Self::Stream(uint(reader, "number of a stream")?)
            }
        })
    }
}

fn uint<T: TryFrom<u64>>(reader: &mut Reader<'_>, expected: &'static str) -> Result<T, Error> {
    let at = reader.position();
    reader.uint()?.try_into().map_err(|_| Error::Range { at, expected })
}

fn int<T: TryFrom<i64>>(reader: &mut Reader<'_>, expected: &'static str) -> Result<T, Error> {
    let at = reader.position();
    reader.int()?.try_into().map_err(|_| Error::Range { at, expected })
}

fn count(reader: &mut Reader<'_>, expected: usize) -> Result<(), CheckError> {
    let at = reader.position();
    match reader.array()? {
        found if found == expected => Ok(()),
        found => Err(CheckError::Count { at, expected, found }),
    }
}

/// The elements of a list of numbers; none if `element` is no number.
fn numbers(element: &Type, reader: &mut Reader<'_>) -> Option<Result<Vec<Value>, CheckError>> {
    fn each<const N: usize>(bytes: &[u8], make: impl Fn([u8; N]) -> Value) -> Option<Vec<Value>> {
        let (chunks, rest) = bytes.as_chunks();
        rest.is_empty().then(|| chunks.iter().map(|chunk| make(*chunk)).collect())
    }

    let (_, ty) = element.number()?;
    let at = reader.position();
    let bytes = match reader.bin() {
        Ok(bytes) => bytes,
        Err(error) => return Some(Err(error.into())),
    };
    let values = match element {
        Type::U8 => each(bytes, |le| Value::U8(u8::from_le_bytes(le))),
        Type::S8 => each(bytes, |le| Value::S8(i8::from_le_bytes(le))),
        Type::U16 => each(bytes, |le| Value::U16(u16::from_le_bytes(le))),
        Type::S16 => each(bytes, |le| Value::S16(i16::from_le_bytes(le))),
        Type::U32 => each(bytes, |le| Value::U32(u32::from_le_bytes(le))),
        Type::S32 => each(bytes, |le| Value::S32(i32::from_le_bytes(le))),
        Type::U64 => each(bytes, |le| Value::U64(u64::from_le_bytes(le))),
        Type::S64 => each(bytes, |le| Value::S64(i64::from_le_bytes(le))),
        Type::F32 => each(bytes, |le| Value::F32(f32::from_le_bytes(le))),
        Type::F64 => each(bytes, |le| Value::F64(f64::from_le_bytes(le))),
        _ => return None,
    };
    Some(values.ok_or(CheckError::Elements { at, ty }))
}

fn case<'t>(
    reader: &mut Reader<'_>,
    cases: usize,
    payload: impl Fn(usize) -> Option<Option<&'t Type>>,
) -> Result<(usize, Option<Box<Value>>), CheckError> {
    let header = reader.position();
    let found = reader.array()?;
    let at = reader.position();
    let case = reader.uint()?;
    let index = usize::try_from(case).unwrap_or(usize::MAX);
    let ty = payload(index).ok_or(CheckError::NoSuchCase { at, case, cases })?;
    let expected = 1 + usize::from(ty.is_some());
    if found != expected {
        return Err(CheckError::Count { at: header, expected, found });
    }
    let value = ty.map(|ty| Value::unpack(ty, reader).map(Box::new)).transpose()?;
    Ok((index, value))
}
