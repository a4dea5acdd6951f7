//! Which functions of a component can be called from elsewhere, or call elsewhere: their types as
//! `wattle-value` has them, or why they cannot be carried.
//!
//! Read from the compiled component and not from its file, so that what is promised to a caller is
//! what the engine will lift and lower by.

use std::collections::BTreeMap;

use wasmtime::Engine;
use wasmtime::component::types::{
    self, ComponentExtern, ComponentFunc, ComponentInstance, ComponentItem,
};
use wasmtime::component::{Component, ResourceType, Type as Wasm};
use wattle_value::{Case, Field, FuncType, Limits, Type};

use crate::flow::Element;
use crate::limits::SIGNATURE_TYPES_MAX;

/// Functions of one interface.
pub(crate) type Functions = BTreeMap<String, FuncType>;

/// Why values of a type stay within their component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncarried {
    #[error("it has resources; compose the two components with `wac plug`")]
    Resource,
    #[error(
        "it has a stream or a future of something else than numbers, strings or lists of bytes"
    )]
    Element,
    #[error("it has streams of WASI 0.2 beside streams or futures of 0.3; use one kind")]
    MixedStreams,
    #[error("it has a map or a list of fixed length; use a list")]
    NewType,
    #[error("its types are nested too deep, or have too many parts")]
    TooLarge,
    #[error("it exports something else than functions and types")]
    NotFunctions,
    #[error("it is no interface; compose the component with one that exports it, with `wac plug`")]
    NotInterface,
}

/// Reads signatures out of one component.
pub(crate) struct Signer<'a> {
    engine: &'a Engine,
    /// What this component calls `wasi:io/streams.input-stream`, where it imports that.
    input_stream: Option<ResourceType>,
    /// Types that may still be met. Shared parts are written out once for each use, so a small file
    /// could make a tree that fills the host's memory.
    types_left: usize,
}

impl<'a> Signer<'a> {
    pub(crate) fn new(engine: &'a Engine, component: &Component) -> Self {
        let ty = component.component_type();
        let streams = ty.imports(engine).find_map(|(name, item)| match item.ty {
            ComponentItem::ComponentInstance(streams)
                if name.starts_with("wasi:io/streams@0.2.") =>
            {
                Some(streams)
            }
            _ => None,
        });
        let input_stream =
            streams.and_then(|streams| match streams.get_export(engine, "input-stream")?.ty {
                ComponentItem::Resource(resource) => Some(resource),
                _ => None,
            });
        Self { engine, input_stream, types_left: SIGNATURE_TYPES_MAX }
    }

    /// All functions of an interface that the component imports: it has all of them or cannot run.
    pub(crate) fn imported(&mut self, item: &ComponentItem) -> Result<Functions, Uncarried> {
        let ComponentItem::ComponentInstance(interface) = item else {
            return Err(Uncarried::NotInterface);
        };
        self.functions(interface).into_iter().map(|(name, func)| Ok((name, func?))).collect()
    }

    /// Those functions of an interface that the component exports which others can call.
    pub(crate) fn exported(&mut self, item: &ComponentItem) -> Functions {
        let ComponentItem::ComponentInstance(interface) = item else { return Functions::new() };
        let functions = self.functions(interface).into_iter();
        functions.filter_map(|(name, func)| Some((name, func.ok()?))).collect()
    }

    fn functions(
        &mut self,
        interface: &ComponentInstance,
    ) -> Vec<(String, Result<FuncType, Uncarried>)> {
        let engine = self.engine;
        let function = |(name, item): (&str, ComponentExtern<'_>)| {
            let func = match item.ty {
                ComponentItem::ComponentFunc(func) => self.func(&func),
                ComponentItem::Type(_) => return None,
                // An interface that uses one of another has its name among its own.
                ComponentItem::Resource(one) if self.input_stream == Some(one) => return None,
                ComponentItem::Resource(_) => Err(Uncarried::Resource),
                _ => Err(Uncarried::NotFunctions),
            };
            Some((name.to_owned(), func))
        };
        interface.exports(engine).filter_map(function).collect()
    }

    fn func(&mut self, func: &ComponentFunc) -> Result<FuncType, Uncarried> {
        let depth = Limits::default().depth_max;
        let params = func
            .params()
            .map(|(name, ty)| Ok(Field { name: name.to_owned(), ty: self.ty(&ty, depth)? }));
        let params = params.collect::<Result<_, _>>()?;
        let mut results = func.results();
        let result = results.next().map(|ty| self.ty(&ty, depth)).transpose()?;
        let func = FuncType { params, result, is_async: func.async_() };
        Streams::check(&func)?;
        Ok(func)
    }

    /// One type, with `depth` levels left for it.
    fn ty(&mut self, ty: &Wasm, depth: usize) -> Result<Type, Uncarried> {
        let depth = depth.checked_sub(1).ok_or(Uncarried::TooLarge)?;
        self.count(1)?;
        Ok(match ty {
            Wasm::Bool => Type::Bool,
            Wasm::S8 => Type::S8,
            Wasm::U8 => Type::U8,
            Wasm::S16 => Type::S16,
            Wasm::U16 => Type::U16,
            Wasm::S32 => Type::S32,
            Wasm::U32 => Type::U32,
            Wasm::S64 => Type::S64,
            Wasm::U64 => Type::U64,
            Wasm::Float32 => Type::F32,
            Wasm::Float64 => Type::F64,
            Wasm::Char => Type::Char,
            Wasm::String => Type::String,
            Wasm::List(list) => Type::List(self.boxed(&list.ty(), depth)?),
            Wasm::Option(option) => Type::Option(self.boxed(&option.ty(), depth)?),
            Wasm::Tuple(tuple) => {
                Type::Tuple(tuple.types().map(|ty| self.ty(&ty, depth)).collect::<Result<_, _>>()?)
            }
            Wasm::Record(record) => {
                let field = |field: types::Field<'_>| {
                    Ok(Field { name: field.name.to_owned(), ty: self.ty(&field.ty, depth)? })
                };
                Type::Record(record.fields().map(field).collect::<Result<_, _>>()?)
            }
            Wasm::Variant(variant) => {
                let case = |case: types::Case<'_>| {
                    // Cases without a payload take room too.
                    self.count(1)?;
                    let ty = case.ty.map(|ty| self.ty(&ty, depth)).transpose()?;
                    Ok(Case { name: case.name.to_owned(), ty })
                };
                Type::Variant(variant.cases().map(case).collect::<Result<_, _>>()?)
            }
            Wasm::Result(result) => {
                let ok = result.ok().map(|ty| self.boxed(&ty, depth)).transpose()?;
                let err = result.err().map(|ty| self.boxed(&ty, depth)).transpose()?;
                Type::Result { ok, err }
            }
            Wasm::Enum(cases) => Type::Enum(self.names(cases.names())?),
            Wasm::Flags(flags) => {
                let names = self.names(flags.names())?;
                if Type::FLAGS_MAX < names.len() as u32 {
                    return Err(Uncarried::TooLarge);
                }
                Type::Flags(names)
            }
            Wasm::Own(resource) if self.input_stream == Some(*resource) => Type::InputStream,
            Wasm::Own(_) | Wasm::Borrow(_) => return Err(Uncarried::Resource),
            Wasm::Stream(stream) => Type::Stream(Some(self.element(stream.ty())?)),
            Wasm::Future(future) => Type::Future(Some(self.element(future.ty())?)),
            Wasm::ErrorContext => return Err(Uncarried::NewType),
            Wasm::Map(_) | Wasm::FixedLengthList(_) => return Err(Uncarried::NewType),
        })
    }

    /// What a stream or a future may have: what can be carried without knowing more of it.
    fn element(&mut self, ty: Option<Wasm>) -> Result<Box<Type>, Uncarried> {
        let ty = ty.ok_or(Uncarried::Element)?;
        let ty = self.ty(&ty, ELEMENT_DEPTH).map_err(|_| Uncarried::Element)?;
        match Element::of(&ty) {
            Some(_) => Ok(Box::new(ty)),
            None => Err(Uncarried::Element),
        }
    }

    fn boxed(&mut self, ty: &Wasm, depth: usize) -> Result<Box<Type>, Uncarried> {
        self.ty(ty, depth).map(Box::new)
    }

    fn names<'n>(
        &mut self,
        names: impl ExactSizeIterator<Item = &'n str>,
    ) -> Result<Vec<String>, Uncarried> {
        self.count(names.len())?;
        Ok(names.map(str::to_owned).collect())
    }

    fn count(&mut self, types: usize) -> Result<(), Uncarried> {
        self.types_left = self.types_left.checked_sub(types).ok_or(Uncarried::TooLarge)?;
        Ok(())
    }
}

/// A list of bytes, and the byte in it.
const ELEMENT_DEPTH: usize = 2;

/// What values of some types have of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    None,
    /// `wasi:io/streams.input-stream`: a resource of the host.
    P2,
    /// `stream` and `future` of the component model.
    P3,
    /// Both, which have one numbering and two natures.
    Mixed,
}

impl Streams {
    pub(crate) fn of<'t>(types: impl IntoIterator<Item = &'t Type>) -> Self {
        types.into_iter().map(Self::within).fold(Self::None, Self::and)
    }

    fn check(func: &FuncType) -> Result<(), Uncarried> {
        let params = Self::of(func.params.iter().map(|param| &param.ty));
        match params == Self::Mixed || Self::of(&func.result) == Self::Mixed {
            true => Err(Uncarried::MixedStreams),
            false => Ok(()),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, other) | (other, Self::None) => other,
            (one, other) if one == other => one,
            _ => Self::Mixed,
        }
    }

    fn within(ty: &Type) -> Self {
        match ty {
            Type::InputStream => Self::P2,
            Type::Stream(_) | Type::Future(_) => Self::P3,
            Type::List(of) | Type::Option(of) => Self::within(of),
            Type::Tuple(types) => Self::of(types),
            Type::Record(fields) => Self::of(fields.iter().map(|field| &field.ty)),
            Type::Variant(cases) => Self::of(cases.iter().filter_map(|case| case.ty.as_ref())),
            Type::Result { ok, err } => Self::of(ok.as_deref().into_iter().chain(err.as_deref())),
            _ => Self::None,
        }
    }
}

/// How many core values the canonical ABI makes of a value outside memory; a joint number of a
/// function's parameters above 16, or of its result above 1, means that they are in memory.
pub(crate) fn flat(ty: &Type) -> usize {
    let widest = |types: &mut dyn Iterator<Item = Option<&Type>>| {
        1 + types.map(|ty| ty.map_or(0, flat)).max().unwrap_or(0)
    };
    match ty {
        Type::String | Type::List(_) => 2,
        Type::Record(fields) => fields.iter().map(|field| flat(&field.ty)).sum(),
        Type::Tuple(types) => types.iter().map(flat).sum(),
        Type::Variant(cases) => widest(&mut cases.iter().map(|case| case.ty.as_ref())),
        Type::Option(some) => 1 + flat(some),
        Type::Result { ok, err } => widest(&mut [ok.as_deref(), err.as_deref()].into_iter()),
        Type::Flags(names) => names.len().div_ceil(32),
        _ => 1,
    }
}
