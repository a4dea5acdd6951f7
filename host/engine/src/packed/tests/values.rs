//! Any signature, and any values of it.

use proptest::collection::vec;
use proptest::prelude::*;
use wasmtime::component::Val;
use wattle_value::value::Value;
use wattle_value::{Case, Field, FuncType, Type};

use super::Sample;

/// A function of up to six parameters, so that some are in memory and some are not.
pub(super) fn sample() -> impl Strategy<Value = Sample> {
    let param = ty().prop_flat_map(|ty| (Just(ty.clone()), value(&ty))).boxed();
    let result = prop::option::weighted(0.9, param.clone());
    (vec(param, 0..6), result).prop_map(|(params, result)| {
        let (types, args): (Vec<_>, Vec<_>) = params.into_iter().unzip();
        let (ty, result) = result.unzip();
        let params = types.into_iter().enumerate();
        let params = params.map(|(n, ty)| Field { name: format!("p{n}"), ty }).collect();
        Sample { func: FuncType { params, result: ty, is_async: false }, args, result }
    })
}

fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            Type::Bool,
            Type::S8,
            Type::U8,
            Type::S16,
            Type::U16,
            Type::S32,
            Type::U32,
            Type::S64,
            Type::U64,
            Type::F32,
            Type::F64,
            Type::Char,
            Type::String,
        ]),
        (1..300_usize).prop_map(|n| Type::Enum(names("e", n))),
        (1..=32_usize).prop_map(|n| Type::Flags(names("f", n))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let maybe = prop::option::of(boxed.clone());
        prop_oneof![
            boxed.clone().prop_map(Type::List),
            boxed.prop_map(Type::Option),
            vec(inner.clone(), 1..5).prop_map(Type::Tuple),
            (maybe.clone(), maybe).prop_map(|(ok, err)| Type::Result { ok, err }),
            vec(inner.clone(), 1..5).prop_map(|types| {
                let fields = types.into_iter().zip(names("f", 5));
                Type::Record(fields.map(|(ty, name)| Field { name, ty }).collect())
            }),
            vec(prop::option::of(inner), 1..5).prop_map(|types| {
                let cases = types.into_iter().zip(names("c", 5));
                Type::Variant(cases.map(|(ty, name)| Case { name, ty }).collect())
            }),
        ]
    })
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

fn value(ty: &Type) -> BoxedStrategy<Value> {
    let boxed = |ty: &Type| value(ty).prop_map(Box::new);
    let maybe = |ty: Option<&Type>| match ty {
        Some(ty) => boxed(ty).prop_map(Some).boxed(),
        None => Just(None).boxed(),
    };
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Type::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Type::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Type::S64 => any::<i64>().prop_map(Value::S64).boxed(),
        Type::U64 => any::<u64>().prop_map(Value::U64).boxed(),
        // All bits, so all NaN.
        Type::F32 => any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))).boxed(),
        Type::F64 => any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))).boxed(),
        Type::Char => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::List(element) => vec(value(element), 0..6).prop_map(Value::List).boxed(),
        Type::Option(some) => prop::option::of(boxed(some)).prop_map(Value::Option).boxed(),
        Type::Tuple(types) => {
            types.iter().map(value).collect::<Vec<_>>().prop_map(Value::Tuple).boxed()
        }
        Type::Record(fields) => {
            let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|field| value(&field.ty)).collect();
            let record = move |values| {
                Value::Record(names.clone().into_iter().zip(values as Vec<_>).collect())
            };
            values.prop_map(record).boxed()
        }
        Type::Variant(cases) => {
            let cases = cases.iter().map(|case| {
                let name = case.name.clone();
                maybe(case.ty.as_ref()).prop_map(move |value| Value::Variant(name.clone(), value))
            });
            prop::strategy::Union::new(cases).boxed()
        }
        Type::Result { ok, err } => {
            let ok = maybe(ok.as_deref()).prop_map(|value| Value::Result(Ok(value)));
            let err = maybe(err.as_deref()).prop_map(|value| Value::Result(Err(value)));
            prop_oneof![ok, err].boxed()
        }
        Type::Enum(names) => prop::sample::select(names.clone()).prop_map(Value::Enum).boxed(),
        Type::Flags(names) => {
            prop::sample::subsequence(names.clone(), 0..=names.len()).prop_map(Value::Flags).boxed()
        }
        Type::Stream(_) | Type::Future(_) | Type::InputStream => {
            unreachable!("streams are not values")
        }
    }
}

/// The same in wasmtime's words.
pub(super) fn val(value: &Value) -> Val {
    let maybe = |value: &Option<Box<Value>>| value.as_deref().map(|value| Box::new(val(value)));
    match value {
        Value::Bool(value) => Val::Bool(*value),
        Value::S8(value) => Val::S8(*value),
        Value::U8(value) => Val::U8(*value),
        Value::S16(value) => Val::S16(*value),
        Value::U16(value) => Val::U16(*value),
        Value::S32(value) => Val::S32(*value),
        Value::U32(value) => Val::U32(*value),
        Value::S64(value) => Val::S64(*value),
        Value::U64(value) => Val::U64(*value),
        Value::F32(value) => Val::Float32(*value),
        Value::F64(value) => Val::Float64(*value),
        Value::Char(value) => Val::Char(*value),
        Value::String(value) => Val::String(value.clone()),
        Value::List(values) => Val::List(values.iter().map(val).collect()),
        Value::Tuple(values) => Val::Tuple(values.iter().map(val).collect()),
        Value::Record(fields) => {
            Val::Record(fields.iter().map(|(name, value)| (name.clone(), val(value))).collect())
        }
        Value::Variant(name, payload) => Val::Variant(name.clone(), maybe(payload)),
        Value::Enum(name) => Val::Enum(name.clone()),
        Value::Option(some) => Val::Option(maybe(some)),
        Value::Result(Ok(payload)) => Val::Result(Ok(maybe(payload))),
        Value::Result(Err(payload)) => Val::Result(Err(maybe(payload))),
        Value::Flags(names) => Val::Flags(names.clone()),
        Value::Stream(_) => unreachable!("streams are not values"),
    }
}

/// Whether two are equal to the bit. wasmtime's own comparison takes all NaN for one.
pub(super) fn same(a: &Val, b: &Val) -> bool {
    let all = |a: &[Val], b: &[Val]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    let maybe = |a: &Option<Box<Val>>, b: &Option<Box<Val>>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    };
    match (a, b) {
        (Val::Float32(a), Val::Float32(b)) => a.to_bits() == b.to_bits(),
        (Val::Float64(a), Val::Float64(b)) => a.to_bits() == b.to_bits(),
        (Val::List(a), Val::List(b)) | (Val::Tuple(a), Val::Tuple(b)) => all(a, b),
        (Val::Record(a), Val::Record(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(&a.1, &b.1))
        }
        (Val::Variant(m, a), Val::Variant(n, b)) => m == n && maybe(a, b),
        (Val::Option(a), Val::Option(b))
        | (Val::Result(Ok(a)), Val::Result(Ok(b)))
        | (Val::Result(Err(a)), Val::Result(Err(b))) => maybe(a, b),
        (a, b) => a == b,
    }
}
