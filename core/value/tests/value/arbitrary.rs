//! Types and values by chance, for property tests.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use wattle_value::{Case, Field, FuncType, Type, Value};

/// A type, with streams in it or without.
pub(crate) fn ty(streams: bool) -> BoxedStrategy<Type> {
    leaf(streams)
        .prop_recursive(4, 24, 4, |inner| {
            let payload = proptest::option::of(inner.clone());
            let case = |(name, ty)| Case { name, ty };
            prop_oneof![
                inner.clone().prop_map(|element| Type::List(element.into())),
                inner.clone().prop_map(|some| Type::Option(some.into())),
                vec(inner.clone(), 1..4).prop_map(Type::Tuple),
                named(inner).prop_map(|fields| Type::Record(fields.collect_fields())),
                named(payload.clone())
                    .prop_map(move |cases| Type::Variant(cases.0.into_iter().map(case).collect())),
                (payload.clone(), payload).prop_map(|(ok, err)| Type::Result {
                    ok: ok.map(Box::new),
                    err: err.map(Box::new)
                }),
            ]
        })
        .boxed()
}

/// A function, arguments and a result for it, and how many streams each of them holds.
pub(crate) fn call(streams: bool) -> impl Strategy<Value = Call> {
    let params = proptest::option::of(named(ty(streams)));
    (params, proptest::option::of(ty(streams)), any::<bool>())
        .prop_map(|(params, result, is_async)| FuncType {
            params: params.map(Named::collect_fields).unwrap_or_default(),
            result,
            is_async,
        })
        .prop_flat_map(|func| {
            let args: Vec<_> = func.params.iter().map(|param| value(&param.ty)).collect();
            let result = func
                .result
                .as_ref()
                .map_or(Just(None).boxed(), |ty| value(ty).prop_map(Some).boxed());
            (Just(func), args, result)
        })
        .prop_map(|(func, args, result)| Call::new(func, args, result))
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) func: FuncType,
    pub(crate) args: Vec<Value>,
    pub(crate) args_streams: usize,
    pub(crate) result: Option<Value>,
    pub(crate) result_streams: usize,
}

impl Call {
    fn new(func: FuncType, mut args: Vec<Value>, mut result: Option<Value>) -> Self {
        let (mut args_streams, mut result_streams) = (0, 0);
        args.iter_mut().for_each(|value| number_streams(value, &mut args_streams));
        result.iter_mut().for_each(|value| number_streams(value, &mut result_streams));
        Self {
            func,
            args,
            args_streams: args_streams as usize,
            result,
            result_streams: result_streams as usize,
        }
    }
}

/// A value of `ty`, its streams not yet numbered.
fn value(ty: &Type) -> BoxedStrategy<Value> {
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
        // All bits, so NaNs of every kind, infinities and zeros below zero.
        Type::F32 => any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))).boxed(),
        Type::F64 => any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))).boxed(),
        Type::Char => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::List(element) => vec(value(element), 0..20).prop_map(Value::List).boxed(),
        Type::Record(fields) => {
            let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|field| value(&field.ty)).collect();
            let record = move |values: Vec<_>| names.iter().cloned().zip(values).collect();
            values.prop_map(move |values| Value::Record(record(values))).boxed()
        }
        Type::Tuple(types) => {
            types.iter().map(value).collect::<Vec<_>>().prop_map(Value::Tuple).boxed()
        }
        Type::Variant(cases) => {
            let of = |case: &Case| {
                let name = case.name.clone();
                payload(case.ty.as_ref()).prop_map(move |value| Value::Variant(name.clone(), value))
            };
            proptest::strategy::Union::new(cases.iter().map(of)).boxed()
        }
        Type::Enum(names) => proptest::sample::select(names.clone()).prop_map(Value::Enum).boxed(),
        Type::Option(some) => {
            proptest::option::of(value(some).prop_map(Box::new)).prop_map(Value::Option).boxed()
        }
        Type::Result { ok, err } => prop_oneof![
            payload(ok.as_deref()).prop_map(|value| Value::Result(Ok(value))),
            payload(err.as_deref()).prop_map(|value| Value::Result(Err(value))),
        ]
        .boxed(),
        Type::Flags(names) => {
            let all = 0..=names.len();
            proptest::sample::subsequence(names.clone(), all).prop_map(Value::Flags).boxed()
        }
        Type::Stream(_) | Type::Future(_) | Type::InputStream => Just(Value::Stream(0)).boxed(),
    }
}

fn payload(ty: Option<&Type>) -> BoxedStrategy<Option<Box<Value>>> {
    ty.map_or(Just(None).boxed(), |ty| value(ty).prop_map(|value| Some(value.into())).boxed())
}

fn leaf(streams: bool) -> BoxedStrategy<Type> {
    let plain = prop_oneof![
        Just(Type::Bool),
        numbers(),
        Just(Type::Char),
        Just(Type::String),
        numbers().prop_map(|element| Type::List(element.into())),
        btree_set(name(), 1..4).prop_map(|names| Type::Enum(names.into_iter().collect())),
        (1_usize..=32).prop_map(|len| Type::Flags((0..len).map(|n| format!("f{n}")).collect())),
    ];
    if !streams {
        return plain.boxed();
    }
    let element = || proptest::option::of(numbers().prop_map(Box::new));
    prop_oneof![
        4 => plain,
        1 => element().prop_map(Type::Stream),
        1 => element().prop_map(Type::Future),
        1 => Just(Type::InputStream),
    ]
    .boxed()
}

fn numbers() -> impl Strategy<Value = Type> + Clone {
    proptest::sample::select(vec![
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
    ])
}

/// Names that mean something in WAVE or to the mesh, and one of the other form that WIT allows.
const WORDS: &[&str] =
    &["true", "false", "some", "none", "ok", "err", "inf", "nan", "other", "unknown", "URL"];

/// Names of fields and cases.
fn name() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        proptest::sample::select(WORDS).prop_map(str::to_owned),
        "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?",
    ]
}

/// Some things, each with a name that no other has.
#[derive(Clone, Debug)]
struct Named<T>(Vec<(String, T)>);

impl Named<Type> {
    fn collect_fields(self) -> Vec<Field> {
        self.0.into_iter().map(|(name, ty)| Field { name, ty }).collect()
    }
}

fn named<T: std::fmt::Debug + Clone + 'static>(
    item: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Named<T>> {
    btree_set(name(), 1..4).prop_flat_map(move |names| {
        let items = vec(item.clone(), names.len());
        items.prop_map(move |items| Named(names.iter().cloned().zip(items).collect()))
    })
}

/// Numbers the streams in the order in which they occur.
fn number_streams(value: &mut Value, next: &mut u32) {
    match value {
        Value::Stream(number) => {
            *number = *next;
            *next += 1;
        }
        Value::List(values) | Value::Tuple(values) => {
            values.iter_mut().for_each(|value| number_streams(value, next));
        }
        Value::Record(fields) => {
            fields.iter_mut().for_each(|(_, value)| number_streams(value, next));
        }
        Value::Variant(_, Some(value))
        | Value::Option(Some(value))
        | Value::Result(Ok(Some(value)) | Err(Some(value))) => number_streams(value, next),
        _ => {}
    }
}
