//! Components to deploy: those that `cargo xtask guests` built, and broken ones made by hand.

use std::{
    env, fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use wasm_encoder::{
    Component as Encoded, ComponentImportSection, ComponentTypeRef, ComponentTypeSection,
    ComponentValType, InstanceType, PrimitiveValType, TypeBounds,
};
use wattle_trust::{KeyPair, SignRequest, claims};
use wattle_types::Role;

/// What nobody provides, and no link can: its functions take a resource.
pub const UNKNOWN_IMPORT: &str = "acme:weather/forecast@1.0.0";

/// The bytes of a file that claims to be a component, rightly or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component(pub Vec<u8>);

/// A component built by `cargo xtask guests`, without a signature.
///
/// # Panics
///
/// If it was not built.
pub fn guest(name: &str) -> Component {
    let path = guests().join(format!("{name}.wasm"));
    match fs::read(&path) {
        Ok(bytes) => Component(bytes),
        Err(error) => panic!("{}: {error}; `cargo xtask guests` builds it", path.display()),
    }
}

/// `WATTLE_GUESTS`, else `guests` in the target folder that this test was built into.
fn guests() -> PathBuf {
    env::var_os("WATTLE_GUESTS").map_or_else(
        || {
            let test = env::current_exe().expect("a test knows where it is");
            let target = test.ancestors().nth(3).expect("a test lies in <target>/<profile>/deps");
            target.join("guests")
        },
        PathBuf::from,
    )
}

impl Component {
    /// The smallest core module: valid WebAssembly, and no component.
    pub fn core_module() -> Self {
        Self(b"\0asm\x01\0\0\0".to_vec())
    }

    pub fn no_wasm() -> Self {
        Self(b"#!/bin/sh\necho hello\n".to_vec())
    }

    /// A component that imports what nobody provides.
    pub fn with_unknown_import() -> Self {
        let mut forecast = InstanceType::new();
        let text = ComponentValType::Primitive(PrimitiveValType::String);
        forecast.export("place", ComponentTypeRef::Type(TypeBounds::SubResource));
        forecast.ty().defined_type().own(0);
        let place = ComponentValType::Type(1);
        forecast.ty().function().params([("place", place)]).result(Some(text));
        forecast.export("today", ComponentTypeRef::Func(2));
        let mut types = ComponentTypeSection::new();
        types.instance(&forecast);
        let mut imports = ComponentImportSection::new();
        imports.import(UNKNOWN_IMPORT, ComponentTypeRef::Instance(0));
        let mut component = Encoded::new();
        component.section(&types).section(&imports);
        Self(component.finish())
    }

    /// The same with a signature of `issuer`, under a new module key.
    pub fn signed(&self, name: &str, issuer: &KeyPair) -> Self {
        let module = KeyPair::generate(Role::Module).expect("the system gives random bytes");
        let subject = module.public().try_into().expect("a module key is one");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is after 1970")
            .as_secs();
        let request = SignRequest::new(subject, name.to_owned());
        Self(claims::sign(&self.0, &request, issuer, now).expect("a component can be signed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_by_hand_is_what_it_says() {
        let issuer = KeyPair::generate(Role::Account).unwrap();
        let signed = Component::with_unknown_import().signed("forecast", &issuer);
        let claims = claims::inspect(&signed.0).unwrap().unwrap();
        assert_eq!(claims.issuer.to_string(), issuer.public().to_string());
        assert!(claims::inspect(&Component::no_wasm().0).is_err());
        assert!(claims::inspect(&Component::core_module().0).is_err());
    }
}
