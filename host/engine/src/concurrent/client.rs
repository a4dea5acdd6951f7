//! `wasi:http/client` of WASI 0.3. The way out is the same as for 0.2; what is different is that
//! several calls share a store, so first it is found out which of them is asking.

use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime::{AsContextMut, StoreContextMut};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::client;
use wasmtime_wasi_http::p3::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView, WasiHttpView};

use crate::state::{Acting, State};

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, WasiHttp>(linker, State::http)?;
    client::add_to_linker::<_, Client>(linker, State::http)
}

/// Who asks now: the call from which the guest's present task comes. A task that has outlived its
/// call, in an instance that serves several, acts for nobody.
pub(crate) fn acting(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<Option<Acting>> {
    let tasks: Vec<_> = store.async_call_stack()?.collect();
    Ok(store.data().acting_in(&tasks))
}

struct Client;

impl HasData for Client {
    type Data<'a> = WasiHttpCtxView<'a>;
}

impl client::HostWithStore<State> for Client {
    async fn send(
        store: &Accessor<State, Self>,
        request: Resource<Request>,
    ) -> Result<Resource<Response>, TrappableError<ErrorCode>> {
        let acts = store.with(|mut store| {
            let Some(acting) = acting(store.as_context_mut())? else { return Ok(false) };
            store.data_mut().act_as(acting);
            wasmtime::error::Ok(true)
        });
        if !acts.map_err(TrappableError::trap)? {
            return Err(ErrorCode::HttpRequestDenied.into());
        }
        // Asks `Acting` before it waits for anything, so nobody else acts in between.
        let http = store.with_getter::<WasiHttp>(State::http);
        <WasiHttp as client::HostWithStore<State>>::send(&http, request).await
    }
}
