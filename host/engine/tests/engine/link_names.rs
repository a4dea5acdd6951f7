//! `wasmcloud:bus`: a guest chooses among several links of one interface.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use wattle_capability::outbound::Closed;
use wattle_capability::{Body, CallContext, Invocation, Outbound, OutboundError, Returned};
use wattle_engine::CallError;
use wattle_types::LinkName;

use crate::encoded::World;
use crate::interfaces::{actor, message, tell};
use crate::kit::Setup;

/// Notes by which links calls leave; only `cache` is there.
#[derive(Debug, Default)]
struct Links(Mutex<Vec<String>>);

#[async_trait]
impl Outbound for Links {
    async fn http(
        &self,
        ctx: &CallContext,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, OutboundError> {
        Closed.http(ctx, request).await
    }

    async fn invoke(
        &self,
        _: &CallContext,
        link: &LinkName,
        invocation: Invocation,
    ) -> Result<Returned, OutboundError> {
        let taken =
            format!("{}.{} by {link}", invocation.callee.interface, invocation.callee.function);
        self.0.lock().unwrap().push(taken);
        Ok(Returned::new(Bytes::from_static(&[0xc0])))
    }

    fn is_linked(&self, interface: &str, link: &LinkName) -> bool {
        interface == "acme:store/cells" && link.as_str() == "cache"
    }
}

/// Calls `cells.put`, chooses the link that the message names, and calls it again.
fn chooser(version: &str, interface: &str) -> Vec<u8> {
    let items = format!(
        "import acme:store/cells@1.0.0; import wasmcloud:bus/lattice@{version}; \
         export wasmcloud:messaging/handler@0.2.0;"
    );
    let cells = "package acme:store@1.0.0;\ninterface cells { put: func(); }".to_owned();
    let (result, place) = match version {
        "1.0.0" => ("", ""),
        _ => (" i32", "(i32.const 1024)"),
    };
    let fields = format!(
        r#"(import "acme:store/cells@1.0.0" "put" (func $put))
        (import "wasmcloud:bus/lattice@{version}" "[constructor]call-target-interface"
            (func $target (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wasmcloud:bus/lattice@{version}" "set-link-name"
            (func $choose (param i32 i32 i32 i32{result})))
        (data (i32.const 16) "acmestore{interface}")
        (func (export "wasmcloud:messaging/handler@0.2.0#handle-message")
            (param i32 i32 i32 i32 i32 i32 i32) (result i32)
            (call $put)
            (i32.store (i32.const 256) (call $target (i32.const 16) (i32.const 4)
                (i32.const 20) (i32.const 5) (i32.const 25) (i32.const {})))
            (call $choose (local.get 2) (local.get 3) (i32.const 256) (i32.const 1) {place})
            (call $put)
            (i32.const 1024))"#,
        interface.len()
    );
    World::with(&items, &[cells]).of(&fields)
}

/// What the handler said, and which links its calls took.
async fn chosen(
    component: &[u8],
    link: &str,
) -> (Result<Result<(), String>, CallError>, Vec<String>) {
    let links = Arc::new(Links::default());
    let actor = actor(Setup { outbound: links.clone(), ..Setup::new() }, component).await;
    let told = tell(&actor, message("told", link, None)).await;
    let taken = links.0.lock().unwrap().clone();
    (told, taken)
}

#[tokio::test]
async fn a_guest_chooses_among_its_links_by_name() {
    let (default, cache) =
        ("acme:store/cells@1.0.0.put by default", "acme:store/cells@1.0.0.put by cache");
    for version in ["1.0.0", "2.0.0"] {
        let (told, taken) = chosen(&chooser(version, "cells"), "cache").await;
        assert_eq!(told, Ok(Ok(())), "{version}");
        assert_eq!(taken, [default, cache], "{version}");
    }
    let (told, taken) = chosen(&chooser("2.0.0", "cells"), "absent").await;
    let said = "this actor has no link absent for acme:store/cells".to_owned();
    assert_eq!(told, Ok(Err(said)));
    assert_eq!(taken, [default, default], "what failed changed nothing");
    // The older version cannot say so; the call that needs the link would.
    let (told, taken) = chosen(&chooser("1.0.0", "cells"), "absent").await;
    assert_eq!(told, Ok(Ok(())));
    assert_eq!(taken, [default, "acme:store/cells@1.0.0.put by absent"]);
}

#[tokio::test]
async fn what_is_no_name_of_a_link_or_an_interface_is_refused() {
    let (told, _) = chosen(&chooser("2.0.0", "cells"), "a.b").await;
    assert!(told.unwrap().unwrap_err().contains("names no link"));
    for component in [chooser("1.0.0", "cells"), chooser("2.0.0", "ce.ls")] {
        let (told, _) = chosen(&component, "a.b").await;
        assert!(matches!(told, Err(CallError::Trap { .. })), "{told:?}");
    }
}
