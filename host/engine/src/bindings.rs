//! Generated from `wit/`; nothing else belongs here.

wasmtime::component::bindgen!({
    path: ["../../wit/deps/keyvalue", "../../wit/logging", "../../wit/host"],
    world: "wattle:host/capabilities",
    imports: { default: async | trappable },
    with: {
        "wasi:keyvalue/store.bucket": crate::keyvalue::OpenBucket,
    },
    trappable_error_type: {
        "wasi:keyvalue/store.error" => crate::keyvalue::Failure,
    },
});
