//! The walkers beside wasmtime's own dynamic values, for any type and any value; and what guests and
//! callers may say that is not so.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Engine, Store};
use wattle_value::packed::Writer;
use wattle_value::value::Value;
use wattle_value::{Field, FuncType, Limits, check_args};

use super::{Misfit, Values, call, provide};
use crate::profile::{AddressSpace, Profile, Wasi};

mod guests;
mod values;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let profile = Profile { wasi: Wasi::P2, space: AddressSpace::Server };
    Engine::new(&profile.config(16).unwrap()).unwrap()
});

/// Its pool has room for as many calls as there are tests here, each on a thread of its own.
fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Who speaks to the guest by which means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Val,
    Packed,
}

/// A function, what it is called with, and what it returns.
#[derive(Clone, Debug)]
struct Sample {
    func: FuncType,
    args: Vec<Value>,
    result: Option<Value>,
}

impl Sample {
    fn packed_args(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.array(self.args.len());
        for (value, param) in self.args.iter().zip(&self.func.params) {
            value.pack(&param.ty, &mut writer).unwrap();
        }
        writer.into_bytes()
    }

    fn packed_result(&self) -> Bytes {
        let mut writer = Writer::new();
        match (&self.result, &self.func.result) {
            (Some(value), Some(ty)) => value.pack(ty, &mut writer).unwrap(),
            _ => writer.nil(),
        }
        writer.into_bytes()
    }

    fn args(&self) -> Vec<Val> {
        self.args.iter().map(values::val).collect()
    }

    fn result(&self) -> Vec<Val> {
        self.result.iter().map(values::val).collect()
    }

    /// Calls a guest that does nothing but call us with what it was given and return what we said.
    async fn through(self: &Arc<Self>, component: &Component, caller: By, callee: By) {
        let mut linker = Linker::<()>::new(&ENGINE);
        let mut echo = linker.instance("test:types/echo").unwrap();
        let this = self.clone();
        match callee {
            By::Packed => provide(&mut echo, "f", &self.func, move |_, args| {
                assert_eq!(args.bytes, this.packed_args(), "lifted arguments");
                let result = Values::plain(this.packed_result());
                Box::pin(async move { Ok(result) })
            }),
            By::Val => echo.func_new_async("f", move |_, _, args, results| {
                assert!(args.iter().zip(this.args()).all(|(a, b)| values::same(a, &b)));
                results.clone_from_slice(&this.result());
                Box::new(async { Ok(()) })
            }),
        }
        .unwrap();
        let (mut store, func) = instance(&linker, component, "g").await;
        match caller {
            By::Packed => {
                let args = Values::plain(self.packed_args());
                let result = call(&mut store, func, args).await.unwrap();
                assert_eq!(result.bytes, self.packed_result(), "lifted result");
            }
            By::Val => {
                let mut results = vec![Val::Bool(false); self.result.iter().len()];
                func.call_async(&mut store, &self.args(), &mut results).await.unwrap();
                assert!(results.iter().zip(self.result()).all(|(a, b)| values::same(a, &b)));
            }
        }
    }
}

async fn instance(linker: &Linker<()>, component: &Component, export: &str) -> (Store<()>, Func) {
    let mut store = Store::new(&ENGINE, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = linker.instantiate_async(&mut store, component).await.unwrap();
    let func = instance.get_func(&mut store, export).unwrap();
    (store, func)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_carried_is_what_dynamic_values_carry(sample in values::sample()) {
        let sample = Arc::new(sample);
        let text = guests::passing_on(&sample.func);
        let component = Component::new(&ENGINE, wat::parse_str(&text).expect(&text)).expect(&text);
        runtime().block_on(async {
            for caller in [By::Val, By::Packed] {
                for callee in [By::Val, By::Packed] {
                    sample.through(&component, caller, callee).await;
                }
            }
        });
    }

    #[test]
    fn what_the_check_lets_pass_fits_and_what_it_refuses_does_not(
        sample in values::sample(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample.packed_args().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |at| at.index(bytes.len())));
        let checked = check_args(&sample.func, &bytes, 0, &Limits::default());

        let text = guests::taking(&sample.func);
        let component = Component::new(&ENGINE, wat::parse_str(&text).expect(&text)).expect(&text);
        let called = runtime().block_on(async {
            let (mut store, func) = instance(&Linker::new(&ENGINE), &component, "g").await;
            call(&mut store, func, Values::plain(bytes.into())).await
        });
        match (checked, called) {
            (Ok(()), Ok(result)) => prop_assert_eq!(&result.bytes[..], [0xc0]),
            // The guest has less memory than the arguments need.
            (Ok(()), Err(error)) => prop_assert!(!error.is::<Misfit>(), "{:?}", error),
            (Err(reason), Err(error)) => {
                let found = error.downcast_ref::<Misfit>();
                prop_assert_eq!(found, Some(&Misfit { args: true, reason }), "{:?}", error);
            }
            (Err(reason), Ok(_)) => prop_assert!(false, "passed, but {}", reason),
        }
    }
}

#[test]
fn what_a_guest_says_that_is_not_so_is_a_trap() {
    // The type of the result, and what the guest returns for it: core values, or from address 16 on.
    let cases = [
        ("char", "(i32.const 0xd800)", "converted integer out of range"),
        ("(option u8)", "(i32.store8 (i32.const 16) (i32.const 2)) (i32.const 16)", "discriminant"),
        ("(option u8)", "(i32.const 0x400000)", "out of bounds"),
        ("(option u32)", "(i32.const 17)", "not aligned"),
        (
            "(tuple u8 (result))",
            "(i32.store8 (i32.const 17) (i32.const 9)) (i32.const 16)",
            "discriminant",
        ),
        ("string", "(i32.store (i32.const 16) (i32.const -1)) (i32.const 16)", "out of bounds"),
        ("string", "(i32.store (i32.const 20) (i32.const -1)) (i32.const 16)", "out of bounds"),
        (
            "string",
            "(i64.store (i32.const 16) (i64.const 0x1_0000_0020)) (i32.store8 (i32.const 32) (i32.const 0xff)) (i32.const 16)",
            "utf-8",
        ),
        (
            "(list u32)",
            "(i64.store (i32.const 16) (i64.const 0x1_0000_0001)) (i32.const 16)",
            "not aligned",
        ),
        (
            "(list u32)",
            "(i64.store (i32.const 16) (i64.const 0x10_0000_0000_0004)) (i32.const 16)",
            "out of bounds",
        ),
        (
            "(list string)",
            "(i64.store (i32.const 16) (i64.const 0x2000_0001_0000_0000)) (i32.const 16)",
            "out of bounds",
        ),
    ];
    for (ty, body, expected) in cases {
        let text = guests::returning(ty, body);
        let error = match result_of(&text, usize::MAX) {
            Ok(_) => panic!("{ty} {body} was carried"),
            Err(error) => format!("{error:#}"),
        };
        assert!(error.contains(expected), "{ty} {body}: {error}");
    }
}

#[test]
fn what_is_carried_is_paid_for_in_memory_or_packed_whichever_is_more() {
    // Each pair: the type of the list's elements, and the fuel that 1,000 zeros of it take.
    let cases =
        [("u8", 1_000), ("u64", 8_000), ("char", 4_000), ("(tuple (tuple (tuple u8)))", 4_000)];
    for (element, fuel) in cases {
        let text = guests::returning(
            &format!("(list {element})"),
            "(i64.store (i32.const 16) (i64.const 0x3e8_0000_0100)) (i32.const 16)",
        );
        assert!(result_of(&text, fuel + 10).is_ok(), "{element} takes more than {fuel}");
        let error = format!("{:#}", result_of(&text, fuel - 10).expect_err(element));
        assert!(error.contains("fuel allocated for hostcalls"), "{element}: {error}");
    }
}

#[test]
fn strings_in_other_encodings_are_converted() {
    for encoding in ["utf8", "utf16", "latin1+utf16"] {
        for string in ["", "plain", "ä", "日本", "𝄞 and \0"] {
            let sample = Arc::new(Sample {
                func: FuncType {
                    params: vec![Field { name: "s".to_owned(), ty: wattle_value::Type::String }],
                    result: Some(wattle_value::Type::String),
                    is_async: false,
                },
                args: vec![Value::String(string.to_owned())],
                result: Some(Value::String(string.to_owned())),
            });
            let text = guests::passing_on(&sample.func)
                .replace("(memory (core", &format!("string-encoding={encoding} (memory (core"));
            let component = Component::new(&ENGINE, wat::parse_str(&text).unwrap()).unwrap();
            runtime().block_on(sample.through(&component, By::Packed, By::Packed));
        }
    }
}

fn result_of(component: &str, fuel: usize) -> wasmtime::Result<Values> {
    let component = Component::new(&ENGINE, wat::parse_str(component).expect(component)).unwrap();
    runtime().block_on(async {
        let (mut store, func) = instance(&Linker::new(&ENGINE), &component, "g").await;
        store.set_hostcall_fuel(fuel);
        let mut no_args = Writer::new();
        no_args.array(0);
        call(&mut store, func, Values::plain(no_args.into_bytes())).await
    })
}
