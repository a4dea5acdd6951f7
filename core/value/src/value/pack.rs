//! From a tree to the packed form.

use super::Value;
use crate::Type;
use crate::packed::Writer;

/// A tree that is no value of the type it was to be packed by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is no {ty}")]
pub struct PackError {
    pub ty: String,
}

impl Value {
    /// Writes the value as one of `ty`.
    pub fn pack(&self, ty: &Type, writer: &mut Writer) -> Result<(), PackError> {
        let wrong = || PackError { ty: ty.to_string() };
        match (ty, self) {
            (Type::Bool, Self::Bool(value)) => writer.bool(*value),
            (Type::U8, Self::U8(value)) => writer.uint((*value).into()),
            (Type::U16, Self::U16(value)) => writer.uint((*value).into()),
            (Type::U32, Self::U32(value)) => writer.uint((*value).into()),
            (Type::U64, Self::U64(value)) => writer.uint(*value),
            (Type::S8, Self::S8(value)) => writer.int((*value).into()),
            (Type::S16, Self::S16(value)) => writer.int((*value).into()),
            (Type::S32, Self::S32(value)) => writer.int((*value).into()),
            (Type::S64, Self::S64(value)) => writer.int(*value),
            (Type::F32, Self::F32(value)) => writer.f32(*value),
            (Type::F64, Self::F64(value)) => writer.f64(*value),
            (Type::Char, Self::Char(value)) => writer.char(*value),
            (Type::String, Self::String(value)) => writer.str(value),
            (Type::List(element), Self::List(values)) => match element.number() {
                Some((size, _)) => {
                    writer.bin_header(values.len() * size);
                    for value in values {
                        value.pack_number(element, writer)?;
                    }
                }
                None => {
                    writer.array(values.len());
                    for value in values {
                        value.pack(element, writer)?;
                    }
                }
            },
            (Type::Record(fields), Self::Record(values)) if fields.len() == values.len() => {
                writer.array(fields.len());
                for (field, (name, value)) in fields.iter().zip(values) {
                    if field.name != *name {
                        return Err(wrong());
                    }
                    value.pack(&field.ty, writer)?;
                }
            }
            (Type::Tuple(types), Self::Tuple(values)) if types.len() == values.len() => {
                writer.array(types.len());
                for (ty, value) in types.iter().zip(values) {
                    value.pack(ty, writer)?;
                }
            }
            (Type::Variant(cases), Self::Variant(name, payload)) => {
                let at = cases.iter().position(|case| case.name == *name).ok_or_else(wrong)?;
                pack_case(at, cases[at].ty.as_ref(), payload.as_deref(), writer)
                    .ok_or_else(wrong)??;
            }
            (Type::Result { ok, err }, Self::Result(value)) => {
                let (at, ty, payload) = match value {
                    Ok(value) => (0, ok, value),
                    Err(value) => (1, err, value),
                };
                pack_case(at, ty.as_deref(), payload.as_deref(), writer).ok_or_else(wrong)??;
            }
            (Type::Enum(names), Self::Enum(name)) => {
                writer.uint(names.iter().position(|of| of == name).ok_or_else(wrong)? as u64);
            }
            (Type::Option(_), Self::Option(None)) => writer.nil(),
            (Type::Option(some), Self::Option(Some(value))) => {
                writer.array(1);
                value.pack(some, writer)?;
            }
            (Type::Flags(names), Self::Flags(set)) => {
                let bit = |name: &String| {
                    let at = names.iter().position(|of| of == name)?;
                    u32::try_from(at).ok().filter(|&at| at < Type::FLAGS_MAX)
                };
                let bits = set.iter().try_fold(0, |bits, name| Some(bits | 1_u64 << bit(name)?));
                writer.uint(bits.ok_or_else(wrong)?);
            }
            (Type::Stream(_) | Type::Future(_) | Type::InputStream, Self::Stream(number)) => {
                writer.uint((*number).into());
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn pack_number(&self, ty: &Type, writer: &mut Writer) -> Result<(), PackError> {
        match (ty, self) {
            (Type::U8, Self::U8(value)) => writer.raw(&value.to_le_bytes()),
            (Type::S8, Self::S8(value)) => writer.raw(&value.to_le_bytes()),
            (Type::U16, Self::U16(value)) => writer.raw(&value.to_le_bytes()),
            (Type::S16, Self::S16(value)) => writer.raw(&value.to_le_bytes()),
            (Type::U32, Self::U32(value)) => writer.raw(&value.to_le_bytes()),
            (Type::S32, Self::S32(value)) => writer.raw(&value.to_le_bytes()),
            (Type::U64, Self::U64(value)) => writer.raw(&value.to_le_bytes()),
            (Type::S64, Self::S64(value)) => writer.raw(&value.to_le_bytes()),
            (Type::F32, Self::F32(value)) => writer.raw(&value.to_bits().to_le_bytes()),
            (Type::F64, Self::F64(value)) => writer.raw(&value.to_bits().to_le_bytes()),
            _ => return Err(PackError { ty: ty.to_string() }),
        }
        Ok(())
    }
}

/// A case by its index, and what it carries; none if the one has a payload and the other has not.
fn pack_case(
    at: usize,
    ty: Option<&Type>,
    payload: Option<&Value>,
    writer: &mut Writer,
) -> Option<Result<(), PackError>> {
    writer.array(1 + usize::from(ty.is_some()));
    writer.uint(at as u64);
    match (ty, payload) {
        (Some(ty), Some(payload)) => Some(payload.pack(ty, writer)),
        (None, None) => Some(Ok(())),
        _ => None,
    }
}
