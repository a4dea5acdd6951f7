//! What an actor can be asked for, or asks others for: functions by interface.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use wattle_types::{Exports, InterfaceName};

use crate::{FuncType, sound};

/// Functions by name, by interface, with their whole signatures. What is read is refused unless a
/// component could have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Signatures(pub BTreeMap<InterfaceName, BTreeMap<String, FuncType>>);

impl Signatures {
    /// The same with a fingerprint in place of each signature: what hosts tell each other.
    pub fn exports(&self) -> Exports {
        let fingerprints = |functions: &BTreeMap<String, FuncType>| {
            functions.iter().map(|(name, func)| (name.clone(), func.fingerprint())).collect()
        };
        self.0.iter().map(|(name, functions)| (name.clone(), fingerprints(functions))).collect()
    }

    /// The function that serves those who ask for `interface`: of that version, or else of the
    /// highest one that fits and has the function.
    pub fn find(
        &self,
        interface: &InterfaceName,
        function: &str,
    ) -> Option<(&InterfaceName, &FuncType)> {
        let served = |(name, functions): (&'_ InterfaceName, &'_ BTreeMap<String, FuncType>)| {
            interface.fits(name) && functions.contains_key(function)
        };
        let exact = self.0.get_key_value(interface).filter(|&entry| served(entry));
        let (name, functions) =
            exact.or_else(|| self.0.iter().rev().find(|&entry| served(entry)))?;
        Some((name, functions.get(function)?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Signatures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read =
            BTreeMap::<InterfaceName, BTreeMap<String, FuncType>>::deserialize(deserializer)?;
        for (interface, functions) in &read {
            for (name, func) in functions {
                if let Some(why) = sound::wrong(name, func) {
                    let said = format!("{interface} has a function {name:?}, but {why}");
                    return Err(D::Error::custom(said));
                }
            }
        }
        Ok(Self(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Type;

    fn returning(ty: Type) -> FuncType {
        FuncType { params: vec![], result: Some(ty), is_async: false }
    }

    fn of(interfaces: &[(&str, &[(&str, Type)])]) -> Signatures {
        let functions = |list: &[(&str, Type)]| {
            list.iter().map(|(name, ty)| ((*name).to_owned(), returning(ty.clone()))).collect()
        };
        let interface = |(name, list): &(&str, &[_])| (name.parse().unwrap(), functions(list));
        Signatures(interfaces.iter().map(interface).collect())
    }

    #[test]
    fn a_function_is_found_by_a_version_that_fits() {
        let signatures = of(&[
            ("a:b/c@1.0.0", &[("f", Type::U8), ("old", Type::U8)]),
            ("a:b/c@1.4.0", &[("f", Type::U16)]),
            ("a:b/c@2.0.0", &[("f", Type::U32)]),
        ]);
        let found = |interface: &str, function| {
            let found = signatures.find(&interface.parse().unwrap(), function);
            found.map(|(name, func)| format!("{name} {}", func.result.as_ref().unwrap()))
        };
        assert_eq!(found("a:b/c@1.0.0", "f").unwrap(), "a:b/c@1.0.0 u8");
        assert_eq!(found("a:b/c@1.2.0", "f").unwrap(), "a:b/c@1.4.0 u16");
        assert_eq!(found("a:b/c@1.4.0", "old").unwrap(), "a:b/c@1.0.0 u8");
        assert_eq!(found("a:b/c", "f").unwrap(), "a:b/c@2.0.0 u32");
        assert_eq!(found("a:b/c@3.0.0", "f"), None);
        assert_eq!(found("a:b/c", "g"), None);
    }

    #[test]
    fn exports_are_the_same_functions_by_their_fingerprints() {
        let signatures = of(&[("a:b/c@1.0.0", &[("f", Type::U8)]), ("a:b/d", &[])]);
        let exports = signatures.exports();
        assert_eq!(exports.keys().collect::<Vec<_>>(), signatures.0.keys().collect::<Vec<_>>());
        let interface = "a:b/c@1.0.0".parse().unwrap();
        assert_eq!(exports[&interface]["f"], returning(Type::U8).fingerprint());
    }

    #[test]
    fn signatures_are_data() {
        let signatures = of(&[("a:b/c@1.0.0", &[("f", Type::Stream(None))])]);
        let json = serde_json::to_string(&signatures).unwrap();
        assert_eq!(serde_json::from_str::<Signatures>(&json).unwrap(), signatures);
    }

    #[test]
    fn what_no_component_can_have_is_not_read() {
        let signatures = of(&[("a:b/c", &[("f", Type::Flags(vec![]))])]);
        let json = serde_json::to_string(&signatures).unwrap();
        let refused = serde_json::from_str::<Signatures>(&json).unwrap_err().to_string();
        assert!(refused.contains("a:b/c has a function \"f\", but it has a type"), "{refused}");
    }
}
