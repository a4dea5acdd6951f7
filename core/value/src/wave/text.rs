//! Our types and values, as the crate `wasm-wave` sees them.

use std::borrow::Cow;

use wasm_wave::wasm::{WasmType, WasmTypeKind, WasmValue, WasmValueError};

use crate::{Type, Value};

impl WasmType for Type {
    fn kind(&self) -> WasmTypeKind {
        match self {
            Self::Bool => WasmTypeKind::Bool,
            Self::S8 => WasmTypeKind::S8,
            Self::U8 => WasmTypeKind::U8,
            Self::S16 => WasmTypeKind::S16,
            Self::U16 => WasmTypeKind::U16,
            Self::S32 => WasmTypeKind::S32,
            Self::U32 => WasmTypeKind::U32,
            Self::S64 => WasmTypeKind::S64,
            Self::U64 => WasmTypeKind::U64,
            Self::F32 => WasmTypeKind::F32,
            Self::F64 => WasmTypeKind::F64,
            Self::Char => WasmTypeKind::Char,
            Self::String => WasmTypeKind::String,
            Self::List(_) => WasmTypeKind::List,
            Self::Record(_) => WasmTypeKind::Record,
            Self::Tuple(_) => WasmTypeKind::Tuple,
            Self::Variant(_) => WasmTypeKind::Variant,
            Self::Enum(_) => WasmTypeKind::Enum,
            Self::Option(_) => WasmTypeKind::Option,
            Self::Result { .. } => WasmTypeKind::Result,
            Self::Flags(_) => WasmTypeKind::Flags,
            Self::Stream(_) | Self::Future(_) | Self::InputStream => WasmTypeKind::Unsupported,
        }
    }

    fn list_element_type(&self) -> Option<Self> {
        match self {
            Self::List(element) => Some((**element).clone()),
            _ => None,
        }
    }

    fn record_fields(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Self)> + '_> {
        let Self::Record(fields) = self else { return Box::new(std::iter::empty()) };
        Box::new(fields.iter().map(|field| ((&*field.name).into(), field.ty.clone())))
    }

    fn tuple_element_types(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        let Self::Tuple(types) = self else { return Box::new(std::iter::empty()) };
        Box::new(types.iter().cloned())
    }

    fn variant_cases(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Option<Self>)> + '_> {
        let Self::Variant(cases) = self else { return Box::new(std::iter::empty()) };
        Box::new(cases.iter().map(|case| ((&*case.name).into(), case.ty.clone())))
    }

    fn enum_cases(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        let Self::Enum(names) = self else { return Box::new(std::iter::empty()) };
        Box::new(names.iter().map(|name| (&**name).into()))
    }

    fn option_some_type(&self) -> Option<Self> {
        match self {
            Self::Option(some) => Some((**some).clone()),
            _ => None,
        }
    }

    fn result_types(&self) -> Option<(Option<Self>, Option<Self>)> {
        match self {
            Self::Result { ok, err } => Some((ok.as_deref().cloned(), err.as_deref().cloned())),
            _ => None,
        }
    }

    fn flags_names(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        let Self::Flags(names) = self else { return Box::new(std::iter::empty()) };
        Box::new(names.iter().map(|name| (&**name).into()))
    }
}

macro_rules! primitives {
    ($(($case:ident, $ty:ty, $make:ident, $unwrap:ident)),* $(,)?) => {$(
        fn $make(value: $ty) -> Self {
            Self::$case(value)
        }

        fn $unwrap(&self) -> $ty {
            match self {
                Self::$case(value) => *value,
                other => unreachable!("asked a {:?} for another kind", other.kind()),
            }
        }
    )*};
}

impl WasmValue for Value {
    type Type = Type;

    fn kind(&self) -> WasmTypeKind {
        match self {
            Self::Bool(_) => WasmTypeKind::Bool,
            Self::S8(_) => WasmTypeKind::S8,
            Self::U8(_) => WasmTypeKind::U8,
            Self::S16(_) => WasmTypeKind::S16,
            Self::U16(_) => WasmTypeKind::U16,
            Self::S32(_) => WasmTypeKind::S32,
            Self::U32(_) => WasmTypeKind::U32,
            Self::S64(_) => WasmTypeKind::S64,
            Self::U64(_) => WasmTypeKind::U64,
            Self::F32(_) => WasmTypeKind::F32,
            Self::F64(_) => WasmTypeKind::F64,
            Self::Char(_) => WasmTypeKind::Char,
            Self::String(_) => WasmTypeKind::String,
            Self::List(_) => WasmTypeKind::List,
            Self::Record(_) => WasmTypeKind::Record,
            Self::Tuple(_) => WasmTypeKind::Tuple,
            Self::Variant(..) => WasmTypeKind::Variant,
            Self::Enum(_) => WasmTypeKind::Enum,
            Self::Option(_) => WasmTypeKind::Option,
            Self::Result(_) => WasmTypeKind::Result,
            Self::Flags(_) => WasmTypeKind::Flags,
            Self::Stream(_) => WasmTypeKind::Unsupported,
        }
    }

    primitives! {
        (Bool, bool, make_bool, unwrap_bool),
        (S8, i8, make_s8, unwrap_s8),
        (U8, u8, make_u8, unwrap_u8),
        (S16, i16, make_s16, unwrap_s16),
        (U16, u16, make_u16, unwrap_u16),
        (S32, i32, make_s32, unwrap_s32),
        (U32, u32, make_u32, unwrap_u32),
        (S64, i64, make_s64, unwrap_s64),
        (U64, u64, make_u64, unwrap_u64),
        (F32, f32, make_f32, unwrap_f32),
        (F64, f64, make_f64, unwrap_f64),
        (Char, char, make_char, unwrap_char),
    }

    fn make_string(value: Cow<'_, str>) -> Self {
        Self::String(value.into_owned())
    }

    fn make_list(_: &Type, values: impl IntoIterator<Item = Self>) -> Result<Self, WasmValueError> {
        Ok(Self::List(values.into_iter().collect()))
    }

    /// The parser gives the fields in the order of the type, those left out as `none`.
    fn make_record<'a>(
        _: &Type,
        fields: impl IntoIterator<Item = (&'a str, Self)>,
    ) -> Result<Self, WasmValueError> {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(Self::Record(fields.collect()))
    }

    fn make_tuple(
        _: &Type,
        values: impl IntoIterator<Item = Self>,
    ) -> Result<Self, WasmValueError> {
        Ok(Self::Tuple(values.into_iter().collect()))
    }

    fn make_variant(_: &Type, case: &str, value: Option<Self>) -> Result<Self, WasmValueError> {
        Ok(Self::Variant(case.to_owned(), value.map(Box::new)))
    }

    fn make_enum(ty: &Type, case: &str) -> Result<Self, WasmValueError> {
        if !ty.enum_cases().any(|name| name == case) {
            return Err(WasmValueError::UnknownCase(case.to_owned()));
        }
        Ok(Self::Enum(case.to_owned()))
    }

    fn make_option(_: &Type, value: Option<Self>) -> Result<Self, WasmValueError> {
        Ok(Self::Option(value.map(Box::new)))
    }

    fn make_result(
        _: &Type,
        value: Result<Option<Self>, Option<Self>>,
    ) -> Result<Self, WasmValueError> {
        let boxed = |value: Option<Self>| value.map(Box::new);
        Ok(Self::Result(value.map(boxed).map_err(boxed)))
    }

    fn make_flags<'a>(
        ty: &Type,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, WasmValueError> {
        let known = |name: &str| ty.flags_names().any(|flag| flag == name);
        let flag = |name: &str| match known(name) {
            true => Ok(name.to_owned()),
            false => Err(WasmValueError::UnknownField(name.to_owned())),
        };
        Ok(Self::Flags(names.into_iter().map(flag).collect::<Result<_, _>>()?))
    }

    fn unwrap_string(&self) -> Cow<'_, str> {
        match self {
            Self::String(value) => value.into(),
            other => unreachable!("asked a {:?} for a string", other.kind()),
        }
    }

    fn unwrap_list(&self) -> Box<dyn Iterator<Item = Cow<'_, Self>> + '_> {
        match self {
            Self::List(values) => Box::new(values.iter().map(Cow::Borrowed)),
            other => unreachable!("asked a {:?} for a list", other.kind()),
        }
    }

    fn unwrap_record(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Cow<'_, Self>)> + '_> {
        match self {
            Self::Record(fields) => {
                Box::new(fields.iter().map(|(name, value)| (name.into(), Cow::Borrowed(value))))
            }
            other => unreachable!("asked a {:?} for a record", other.kind()),
        }
    }

    fn unwrap_tuple(&self) -> Box<dyn Iterator<Item = Cow<'_, Self>> + '_> {
        match self {
            Self::Tuple(values) => Box::new(values.iter().map(Cow::Borrowed)),
            other => unreachable!("asked a {:?} for a tuple", other.kind()),
        }
    }

    fn unwrap_variant(&self) -> (Cow<'_, str>, Option<Cow<'_, Self>>) {
        match self {
            Self::Variant(case, value) => (case.into(), value.as_deref().map(Cow::Borrowed)),
            other => unreachable!("asked a {:?} for a variant", other.kind()),
        }
    }

    fn unwrap_enum(&self) -> Cow<'_, str> {
        match self {
            Self::Enum(case) => case.into(),
            other => unreachable!("asked a {:?} for an enum", other.kind()),
        }
    }

    fn unwrap_option(&self) -> Option<Cow<'_, Self>> {
        match self {
            Self::Option(value) => value.as_deref().map(Cow::Borrowed),
            other => unreachable!("asked a {:?} for an option", other.kind()),
        }
    }

    fn unwrap_result(&self) -> Result<Option<Cow<'_, Self>>, Option<Cow<'_, Self>>> {
        match self {
            Self::Result(Ok(value)) => Ok(value.as_deref().map(Cow::Borrowed)),
            Self::Result(Err(value)) => Err(value.as_deref().map(Cow::Borrowed)),
            other => unreachable!("asked a {:?} for a result", other.kind()),
        }
    }

    fn unwrap_flags(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        match self {
            Self::Flags(names) => Box::new(names.iter().map(Into::into)),
            other => unreachable!("asked a {:?} for flags", other.kind()),
        }
    }
}
