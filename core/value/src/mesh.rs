//! How the errors that only a network has reach a guest: as the error its WIT declares, where that can carry them.

use bytes::Bytes;

use crate::packed::Writer;
use crate::{FuncType, Type};

/// What can go wrong between two actors, beside what either of them does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeshError {
    /// Nobody serves the target, or nobody could be asked.
    Unreachable,
    DeadlineExceeded,
    /// Refused before it began.
    Overloaded,
    /// It may have been done, and it may not.
    Unknown,
}

impl MeshError {
    /// The name of the case in WIT, and the stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Overloaded => "overloaded",
            Self::Unknown => "unknown",
        }
    }
}

impl FuncType {
    /// The packed result that carries `kind`, where the type of the result can.
    ///
    /// It can where it is `result<_, E>` with E: a variant or an enum with a case of that name (its
    /// payload none, or a string: the message), a variant with a case `other(string)`, or a string.
    /// The last two begin with the name of the kind, as nothing else tells it.
    pub fn mesh_error(&self, kind: MeshError, message: &str) -> Option<Bytes> {
        let Some(Type::Result { err: Some(err), .. }) = &self.result else { return None };
        let mut writer = Writer::new();
        writer.array(2);
        writer.uint(1);
        let named = || match message {
            "" => kind.as_str().to_owned(),
            message => format!("{}: {message}", kind.as_str()),
        };
        match &**err {
            Type::String => writer.str(&named()),
            Type::Enum(names) => {
                writer.uint(names.iter().position(|name| name == kind.as_str())? as u64);
            }
            Type::Variant(cases) => {
                let find = |name: &str| cases.iter().position(|case| case.name == name);
                match find(kind.as_str()).map(|at| (at, &cases[at].ty)) {
                    Some((at, None)) => {
                        writer.array(1);
                        writer.uint(at as u64);
                    }
                    Some((at, Some(Type::String))) => {
                        writer.array(2);
                        writer.uint(at as u64);
                        writer.str(message);
                    }
                    _ => {
                        let at = find("other").filter(|&at| cases[at].ty == Some(Type::String))?;
                        writer.array(2);
                        writer.uint(at as u64);
                        writer.str(&named());
                    }
                }
            }
            _ => return None,
        }
        Some(writer.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Limits, check_result, wave};

    fn said(err: Option<Type>, kind: MeshError, message: &str) -> Option<String> {
        let result = Type::Result { ok: Some(Type::U8.into()), err: err.map(Box::new) };
        let func = FuncType { params: vec![], result: Some(result), is_async: false };
        let packed = func.mesh_error(kind, message)?;
        check_result(&func, &packed, 0, &Limits::default()).unwrap();
        Some(wave::result(&func, &packed).unwrap())
    }

    fn variant(cases: &[(&str, Option<Type>)]) -> Option<Type> {
        let case =
            |(name, ty): &(&str, Option<Type>)| Case { name: (*name).into(), ty: ty.clone() };
        Some(Type::Variant(cases.iter().map(case).collect()))
    }

    #[test]
    fn the_error_is_said_by_the_case_that_has_its_name() {
        let text = || Some(Type::String);
        let kind = MeshError::DeadlineExceeded;
        let mine = variant(&[("a", None), ("deadline-exceeded", None), ("other", text())]);
        assert_eq!(said(mine, kind, "late").unwrap(), "err(deadline-exceeded)");
        let mine = variant(&[("deadline-exceeded", text()), ("other", text())]);
        assert_eq!(said(mine, kind, "late").unwrap(), "err(deadline-exceeded(\"late\"))");
        let mine = Some(Type::Enum(vec!["x".into(), "deadline-exceeded".into()]));
        assert_eq!(said(mine, kind, "late").unwrap(), "err(deadline-exceeded)");
    }

    #[test]
    fn else_by_other_or_by_a_string_which_then_begin_with_its_name() {
        let kind = MeshError::Unreachable;
        let other = variant(&[("unreachable", Some(Type::U8)), ("other", Some(Type::String))]);
        assert_eq!(said(other, kind, "gone").unwrap(), "err(other(\"unreachable: gone\"))");
        assert_eq!(said(Some(Type::String), kind, "gone").unwrap(), "err(\"unreachable: gone\")");
        assert_eq!(said(Some(Type::String), kind, "").unwrap(), "err(\"unreachable\")");
    }

    #[test]
    fn a_type_without_room_for_it_carries_none() {
        let kind = MeshError::Overloaded;
        let none = [
            None,
            Some(Type::U32),
            Some(Type::Enum(vec!["other".into()])),
            variant(&[("other", None)]),
            variant(&[("unreachable", None)]),
        ];
        for err in none {
            assert_eq!(said(err.clone(), kind, "busy"), None, "{err:?}");
        }
        for result in [None, Some(Type::String), Some(Type::Option(Type::String.into()))] {
            let func = FuncType { params: vec![], result, is_async: false };
            assert_eq!(func.mesh_error(kind, "busy"), None, "{func}");
        }
    }
}
