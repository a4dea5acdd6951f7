//! Generated from `wit/`; nothing else belongs here.

wasmtime::component::bindgen!({
    path: [
        "../../wit/deps/config",
        "../../wit/deps/keyvalue",
        "../../wit/keyvalue-draft2",
        "../../wit/logging",
        "../../wit/bus-1",
        "../../wit/bus",
        "../../wit/messaging",
        "../../wit/secrets",
        "../../wit/host",
    ],
    world: "wattle:host/capabilities",
    imports: { default: async | trappable },
    with: {
        "wasi:keyvalue/store@0.2.0-draft.bucket": crate::keyvalue::OpenBucket,
        "wasi:keyvalue/store@0.2.0-draft2.bucket": crate::keyvalue::OpenBucket,
        "wasi:keyvalue/atomics@0.2.0-draft2.cas": crate::keyvalue::draft2::Seen,
        "wasmcloud:bus/lattice@1.0.0.call-target-interface": crate::bus::TargetInterface,
        "wasmcloud:bus/lattice@2.0.0.call-target-interface": crate::bus::TargetInterface,
        "wasmcloud:secrets/store.secret": crate::secrets::OpenSecret,
    },
    trappable_error_type: {
        "wasi:keyvalue/store@0.2.0-draft.error" => crate::keyvalue::Failure,
        "wasi:keyvalue/store@0.2.0-draft2.error" => crate::keyvalue::Failure,
        "wasi:keyvalue/atomics@0.2.0-draft2.cas-error" => crate::keyvalue::draft2::SwapFailure,
        "wasmcloud:secrets/store.secrets-error" => crate::secrets::Failure,
    },
});

pub(crate) mod told {
    //! What a component that takes messages exports.

    wasmtime::component::bindgen!({
        path: ["../../wit/messaging", "../../wit/told"],
        world: "wattle:told/told",
        exports: { default: async },
        with: { "wasmcloud:messaging/types": super::wasmcloud::messaging::types },
    });
}
