//! Actors that call each other in one process: a way out that knows no network, and small components
//! for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use wattle_capability::call::HOP_MAX;
use wattle_capability::{
    Body, CallContext, Callee, Invocation, Outbound, OutboundError, Returned, outbound,
};
use wattle_engine::{Actor, CallError};
use wattle_types::LinkName;
use wattle_value::packed::{Reader, Writer};

use crate::kit::{self, Setup, wat};

/// What the links of one actor, or of several, lead to.
#[derive(Default)]
pub(crate) struct Neighbours(Mutex<HashMap<String, Actor>>);

impl Neighbours {
    pub(crate) fn link(&self, interface: &str, to: &Actor) {
        self.0.lock().unwrap().insert(interface.to_owned(), to.clone());
    }
}

#[async_trait]
impl Outbound for Neighbours {
    async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        outbound::Closed.http(ctx, request).await
    }

    async fn invoke(
        &self,
        ctx: &CallContext,
        link: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        let interface = invocation.callee.interface.path();
        let Some(to) = self.0.lock().unwrap().get(interface).cloned() else {
            return outbound::Closed.invoke(ctx, link, invocation).await;
        };
        let ctx = ctx.onward(to.id().clone()).ok_or(OutboundError::TooDeep { max: HOP_MAX })?;
        to.invoke(ctx, invocation).await.map_err(|error| failed(&to, &error))
    }

    fn is_linked(&self, interface: &str, _link: &LinkName) -> bool {
        self.0.lock().unwrap().contains_key(interface)
    }
}

fn failed(to: &Actor, error: &CallError) -> OutboundError {
    match error {
        CallError::Overloaded { .. } => OutboundError::Overloaded { target: to.id().to_string() },
        CallError::DeadlineExceeded { .. } => OutboundError::DeadlineExceeded,
        other => {
            OutboundError::Failed { code: other.code().to_owned(), message: other.to_string() }
        }
    }
}

/// `test:sys/work`, whose functions need no host.
const WORK: &str = r#"
    (export "echo" (func (param "bytes" (list u8)) (result (list u8))))
    (export "huge" (func (result (list u8))))
    (export "spin" (func))
    (export "trap" (func (result u32)))
    (export "told" (func (result (result u32 (error string)))))
    (export "name" (func (result string)))"#;

/// A `realloc` that never frees and takes what memory it needs, beside a memory.
const MEMORY: &str = r#"
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $place i32)
      (local.set $place (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $place) (local.get 3)))
      (loop $more
        (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
          (then
            (if (i32.lt_s (memory.grow (i32.const 16)) (i32.const 0)) (then unreachable))
            (br $more))))
      (memory.copy (local.get $place) (local.get 0)
        (select (local.get 1) (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))
      (local.get $place))"#;

/// Exports `test:sys/work` and does what the names say; `name` returns `name`.
pub(crate) fn worker(name: &str) -> Vec<u8> {
    let len = name.len();
    wat(&format!(
        r#"(component
  (core module $m
    {MEMORY}
    (data (i32.const 64) "{name}")
    (func $list (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "echo") (param i32 i32) (result i32) (call $list (local.get 0) (local.get 1)))
    (func (export "huge") (result i32)
      (drop (memory.grow (i32.const 1024)))
      (call $list (i32.const 0) (i32.const 0x4000000)))
    (func (export "spin") (loop $l (br $l)))
    (func (export "trap") (result i32) unreachable)
    (func (export "told") (result i32) unreachable)
    (func (export "name") (result i32) (call $list (i32.const 64) (i32.const {len}))))
  {}"#,
        exported("$m", "$m")
    ))
}

/// Imports `test:sys/work` and exports it, each function passing on what it is given.
pub(crate) fn relay() -> Vec<u8> {
    let functions = [("echo", "i32 i32 i32"), ("huge", "i32"), ("told", "i32"), ("name", "i32")];
    let options = r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))"#;
    let (mut lowered, mut imports, mut passed) = (String::new(), String::new(), String::new());
    let mut all = Vec::from(functions);
    all.extend([("spin", ""), ("trap", "")]);
    for (name, params) in &all {
        let result = if *name == "trap" { "(result i32)" } else { "" };
        lowered +=
            &format!("(core func ${name} (canon lower (func $work \"{name}\") {options}))\n");
        imports += &format!("(import \"e\" \"{name}\" (func ${name} (param {params}) {result}))\n");
    }
    for (name, params) in functions {
        let (params, args) = match params {
            "i32" => ("", ""),
            _ => ("(param i32 i32)", "(local.get 0) (local.get 1)"),
        };
        passed += &format!(
            "(func (export \"{name}\") {params} (result i32) \
             (call ${name} {args} (i32.const 16)) (i32.const 16))\n"
        );
    }
    let given: String =
        all.iter().map(|(name, _)| format!("(export \"{name}\" (func ${name}))")).collect();
    wat(&format!(
        r#"(component
  (import "test:sys/work@1.0.0" (instance $work {WORK}))
  (core module $libc {MEMORY})
  (core instance $libc (instantiate $libc))
  {lowered}
  (core module $m
    {imports}
    {passed}
    (func (export "spin") (call $spin))
    (func (export "trap") (result i32) (call $trap)))
  {}"#,
        exported("$m", "$libc").replace(
            "(instantiate $m)",
            &format!("(instantiate $m (with \"e\" (instance {given})))")
        )
    ))
}

/// The end of a component that exports `test:sys/work` from the core module `module`.
fn exported(module: &str, memory: &str) -> String {
    let options = format!(
        r#"(memory (core memory {memory} "memory")) (realloc (core func {memory} "realloc"))"#
    );
    let functions = [
        ("echo", r#"(param "bytes" (list u8)) (result (list u8))"#),
        ("huge", "(result (list u8))"),
        ("spin", ""),
        ("trap", "(result u32)"),
        ("told", "(result (result u32 (error string)))"),
        ("name", "(result string)"),
    ];
    let lift = |(name, ty): (&str, &str)| {
        format!("(func $x-{name} {ty} (canon lift (core func {module} \"{name}\") {options}))\n")
    };
    let lifted: String = functions.into_iter().map(lift).collect();
    let give = |(name, _): (&str, &str)| format!("(export \"{name}\" (func $x-{name}))\n");
    let given: String = functions.into_iter().map(give).collect();
    format!(
        "(core instance {module} (instantiate {module}))\n{lifted} \
         (instance $exported {given}) (export \"test:sys/work@1.0.0\" (instance $exported)))"
    )
}

impl Setup {
    /// An actor of `component` under `id`.
    pub(crate) async fn running(self, id: &'static str, component: &[u8]) -> Actor {
        let loaded = self.engine.load(kit::verified(component)).await.unwrap();
        Self { id, ..self }.actor(loaded)
    }
}

/// A call of a function that the actor exports, with the signature it has.
pub(crate) fn call_of(actor: &Actor, interface: &str, function: &str, args: Bytes) -> Invocation {
    let interface = interface.parse().unwrap();
    let (_, func) = actor.loaded().signatures().find(&interface, function).expect(function);
    let fingerprint = func.fingerprint();
    Invocation::new(Callee { interface, function: function.into(), fingerprint }, args)
}

/// Calls a function of `test:sys/work` from outside, with one list of bytes or nothing.
pub(crate) async fn work(
    actor: &Actor,
    function: &str,
    bytes: Option<&[u8]>,
) -> Result<Returned, CallError> {
    let invocation = call_of(actor, "test:sys/work@1.0.0", function, args(bytes));
    actor.invoke(kit::outside(actor, kit::PATIENCE), invocation).await
}

pub(crate) fn args(bytes: Option<&[u8]>) -> Bytes {
    let mut args = Writer::new();
    args.array(bytes.iter().len());
    bytes.iter().for_each(|bytes| args.bin(bytes));
    args.into_bytes()
}

/// The error of a `result<_, string>`.
pub(crate) fn told(returned: &Returned) -> String {
    let mut reader = Reader::new(&returned.result);
    assert_eq!((reader.array().unwrap(), reader.uint().unwrap()), (2, 1));
    reader.str().unwrap().to_owned()
}

/// A caller and what its links lead to: a worker under the same engine.
pub(crate) struct Pair {
    pub(crate) caller: Actor,
    pub(crate) callee: Actor,
    pub(crate) links: Arc<Neighbours>,
}

impl Pair {
    /// With the callee as `callee` says; the caller has the same engine.
    pub(crate) async fn new(callee: Setup) -> Self {
        let (engine, links) = (callee.engine.clone(), Arc::new(Neighbours::default()));
        let callee = callee.running("callee", &worker("callee")).await;
        links.link("test:sys/work", &callee);
        let caller = Setup { engine, outbound: links.clone(), ..Setup::new() };
        let caller = caller.running("caller", &relay()).await;
        Self { caller, callee, links }
    }
}
