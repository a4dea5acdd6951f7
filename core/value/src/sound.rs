//! Decides whether a signature that another host told could be a component's at all.
//!
//! Signatures are shown to people and walked by recursion, so what names may contain and how deep
//! types may be is settled where they come in. Source: the component model's validation.

use crate::{FuncType, Limits, Type};

/// What is wrong with the signature of a function called `name`; nothing if it could be one.
pub(crate) fn wrong(name: &str, func: &FuncType) -> Option<&'static str> {
    let types = func.params.iter().map(|param| &param.ty).chain(&func.result);
    let names = func.params.iter().map(|param| &param.name);
    if !is_label(name) {
        return Some("its name is none that WIT allows");
    }
    let depth = Limits::default().depth_max;
    wrong_names(names).or_else(|| types.into_iter().find_map(|ty| wrong_type(ty, depth)))
}

fn wrong_type(ty: &Type, depth: usize) -> Option<&'static str> {
    let Some(depth) = depth.checked_sub(1) else { return Some("its types are too deep") };
    let below = |ty: &Type| wrong_type(ty, depth);
    let empty = Some("it has a type without fields or cases");
    match ty {
        Type::Record(fields) if fields.is_empty() => empty,
        Type::Tuple(types) if types.is_empty() => empty,
        Type::Variant(cases) if cases.is_empty() => empty,
        Type::Enum(names) | Type::Flags(names) if names.is_empty() => empty,
        Type::Flags(names) if (Type::FLAGS_MAX as usize) < names.len() => {
            Some("it has too many flags")
        }
        Type::Record(fields) => wrong_names(fields.iter().map(|field| &field.name))
            .or_else(|| fields.iter().find_map(|field| below(&field.ty))),
        Type::Variant(cases) => wrong_names(cases.iter().map(|case| &case.name))
            .or_else(|| cases.iter().filter_map(|case| case.ty.as_ref()).find_map(below)),
        Type::Enum(names) | Type::Flags(names) => wrong_names(names),
        Type::Tuple(types) => types.iter().find_map(below),
        Type::List(of) | Type::Option(of) => below(of),
        Type::Result { ok, err } => [ok, err].into_iter().flatten().find_map(|ty| below(ty)),
        Type::Stream(of) | Type::Future(of) => of.as_deref().and_then(below),
        _ => None,
    }
}

fn wrong_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<&'static str> {
    let mut names = names.into_iter();
    names.any(|name| !is_label(name)).then_some("it has a name that WIT does not allow")
}

/// Words of letters and digits with hyphens between them; nothing a terminal would act on.
fn is_label(name: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    name.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Field};

    fn said(name: &str, ty: Type) -> Option<&'static str> {
        let params = vec![Field { name: "it".to_owned(), ty }];
        wrong(name, &FuncType { params, result: None, is_async: false })
    }

    #[test]
    fn names_are_those_that_wit_allows() {
        for name in ["a", "get-URL", "v2-3"] {
            assert_eq!(said(name, Type::U8), None, "{name}");
        }
        for name in ["", "-", "a--b", "a-", "a b", "a: u8, b", "\u{1b}[2J", "ä"] {
            assert!(said(name, Type::U8).is_some(), "{name:?}");
            let name = name.to_owned();
            let case = Case { name: name.clone(), ty: None };
            let field = Field { name: name.clone(), ty: Type::U8 };
            assert!(said("f", Type::Enum(vec![name])).is_some(), "{case:?}");
            assert!(said("f", Type::Variant(vec![case])).is_some(), "{field:?}");
            assert!(said("f", Type::Record(vec![field])).is_some());
        }
    }

    #[test]
    fn types_have_parts_and_are_not_too_deep() {
        let flags = |len| Type::Flags((0..len).map(|n| format!("f{n}")).collect());
        let nested = |depth| (1..depth).fold(Type::Bool, |ty, _| Type::Option(ty.into()));
        for ty in [flags(1), flags(32), nested(100), Type::Stream(None)] {
            assert_eq!(said("f", ty), None);
        }
        for ty in [flags(0), flags(33), nested(101), Type::Tuple(vec![]), Type::Record(vec![])] {
            assert!(said("f", Type::List(ty.clone().into())).is_some(), "{ty}");
        }
    }
}
