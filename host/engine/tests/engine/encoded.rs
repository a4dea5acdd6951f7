//! Components made from a world in WIT and a core module in text.

use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

/// A world, together with the packages that the engine's bindings are made from.
pub(crate) struct World {
    resolve: Resolve,
    id: WorldId,
}

impl World {
    /// `items` are the world's imports and exports.
    pub(crate) fn new(items: &str) -> Self {
        Self::with(items, &[])
    }

    /// With further packages, each in a text of its own.
    pub(crate) fn with(items: &str, packages: &[String]) -> Self {
        Self::changed(items, packages, |text| text)
    }

    /// As [`World::with`], of packages whose texts are changed by `change`.
    pub(crate) fn changed(
        items: &str,
        packages: &[String],
        change: impl Fn(String) -> String,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let deps = dir.path().join("deps");
        fs::create_dir(&deps).unwrap();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        for own in ["bus", "bus-1", "keyvalue-draft2", "logging", "messaging", "secrets"] {
            copy(&wit.join(own), &deps.join(own), &change);
        }
        copy(&wit.join("deps"), &deps, &change);
        for entry in fs::read_dir(wit.join("deps-p3")).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            let name = format!("p3-{}", name.to_string_lossy());
            fs::write(deps.join(name), fs::read_to_string(path).unwrap()).unwrap();
        }
        for (n, package) in packages.iter().enumerate() {
            fs::write(deps.join(format!("extra-{n}.wit")), package).unwrap();
        }
        let text = change(format!("package test:component;\nworld component {{ {items} }}\n"));
        fs::write(dir.path().join("world.wit"), text).unwrap();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(dir.path()).unwrap();
        let id = resolve.select_world(&[package], Some("component")).unwrap();
        Self { resolve, id }
    }

    /// A component of this world whose every function traps.
    pub(crate) fn dummy(&self) -> Vec<u8> {
        self.dummy_by(LiftLowerAbi::Sync)
    }

    /// The same, whose async functions are async.
    pub(crate) fn dummy_p3(&self) -> Vec<u8> {
        self.dummy_by(LiftLowerAbi::AsyncCallback)
    }

    fn dummy_by(&self, abi: LiftLowerAbi) -> Vec<u8> {
        let abi = ManglingAndAbi::Legacy(abi);
        self.encode(dummy_module(&self.resolve, self.id, abi))
    }

    /// A component of this world, from a module with a memory `$memory`, an allocator and `fields`.
    pub(crate) fn of(&self, fields: &str) -> Vec<u8> {
        self.encode(wat::parse_str(format!("(module {fields} {ALLOCATOR})")).unwrap())
    }

    fn encode(&self, mut module: Vec<u8>) -> Vec<u8> {
        embed_component_metadata(&mut module, &self.resolve, self.id, StringEncoding::UTF8)
            .unwrap();
        let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
        encoder.encode().unwrap()
    }
}

/// Gives out what was never given out before, from the second page on.
const ALLOCATOR: &str = r#"
    (memory $memory (export "memory") 64)
    (global $free (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.get $free)
        (global.set $free (i32.add (global.get $free) (local.get 3))))
"#;

fn copy(from: &Path, to: &Path, change: &impl Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name), change);
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            fs::write(to.join(name), change(fs::read_to_string(path).unwrap())).unwrap();
        }
    }
}
