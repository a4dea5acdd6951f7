//! The calls themselves: what is asked is put into the store, a task of the guest begins, and what
//! it returns is handed to whoever waits.

use std::pin::Pin;
use std::sync::Arc;

use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, GuestTaskId};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;
use wattle_capability::Returned;

use super::Written;
use super::board::{Answer, Begun, Board, Invoke, Work};
use crate::call::{CallError, scheme};
use crate::packed::{self, Values};
use crate::seat::Live;
use crate::state::{Ongoing, State};

/// Runs one call until it has been answered and its answer was read.
///
/// # Errors
///
/// The guest trapped, and with it the whole instance.
pub(super) async fn run(
    accessor: &Accessor<State>,
    live: &Live,
    board: &Arc<Board>,
    id: u64,
    begun: Begun,
) -> wasmtime::Result<()> {
    let Begun { ongoing, work, read } = begun;
    let call = Call { accessor, board, id, ongoing: &ongoing };
    accessor.with(|mut store| store.data_mut().act_for(ongoing.clone()));
    let task = match (work, &live.service, &live.proxy) {
        (Work::Http(request), Some(service), _) => call.serve(service, request).await?,
        (Work::Http(request), None, Some(proxy)) => call.proxy(proxy, request).await?,
        (Work::Http(_), None, None) => {
            call.answer_http(Err(CallError::NotHttp));
            return Ok(());
        }
        (Work::Invoke(invoke), ..) => call.invoke(live, invoke).await?,
    };
    // Also when whoever reads has gone; then the task outside ends the instance.
    let _ = read.await;
    accessor.with(|mut store| store.data_mut().leave(task));
    Ok(())
}

struct Call<'a> {
    accessor: &'a Accessor<State>,
    board: &'a Arc<Board>,
    id: u64,
    ongoing: &'a Arc<Ongoing>,
}

/// Tells a guest what became of the body it was sent.
type Sent = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

impl Call<'_> {
    /// `wasi:http/handler` of 0.3.
    async fn serve(
        &self,
        service: &Service,
        request: http::Request<Written>,
    ) -> wasmtime::Result<GuestTaskId> {
        let handle = service.wasi_http_handler().func_handle();
        let (call, sent) = self.accessor.with(|mut store| {
            let http = store.data_mut().http();
            let (request, sent) = Request::from_http(http.hooks, request);
            let sent: Sent = Box::pin(sent);
            let request = http.table.push(request)?;
            let call = handle.start_call_concurrent(store.as_context_mut(), (request,))?;
            store.data_mut().enter(call.task(), self.ongoing.clone());
            wasmtime::error::Ok((call, sent))
        })?;
        let task = call.task();
        let (answer,) = handle.finish_call_concurrent(self.accessor, call).await?;
        let answer = match answer {
            Ok(response) => self.accessor.with(|mut store| {
                let response = store.data_mut().table.delete(response)?;
                response.into_http_with_getter(store, sent, State::http).map(Ok)
            })?,
            Err(error) => Err(CallError::Answered { error: error.to_string() }),
        };
        self.answer_http(answer);
        Ok(task)
    }

    /// `wasi:http/incoming-handler` of 0.2, in a component that is async elsewhere.
    async fn proxy(
        &self,
        proxy: &Proxy,
        request: http::Request<Written>,
    ) -> wasmtime::Result<GuestTaskId> {
        let handle = proxy.wasi_http_incoming_handler().func_handle();
        let call = self.accessor.with(|mut store| {
            let mut http = store.data_mut().http();
            let scheme = scheme(request.uri());
            let request = http.new_incoming_request(scheme, request)?;
            let (board, id) = (self.board.clone(), self.id);
            let response = http.new_response_outparam_from_callback(move |response| {
                let answered = |error| CallError::Answered { error: format!("{error}") };
                if let Some(Answer::Http(to)) = board.answer(id) {
                    drop(to.send(response.map_err(answered)));
                }
            })?;
            let call = handle.start_call_concurrent(store.as_context_mut(), (request, response))?;
            store.data_mut().enter(call.task(), self.ongoing.clone());
            wasmtime::error::Ok(call)
        })?;
        let task = call.task();
        handle.finish_call_concurrent(self.accessor, call).await?;
        self.answer_http(Err(CallError::NoAnswer));
        Ok(task)
    }

    async fn invoke(&self, live: &Live, invoke: Invoke) -> wasmtime::Result<GuestTaskId> {
        let Invoke { export, args, streams } = invoke;
        let (func, args) = self.accessor.with(|mut store| {
            let func = live.instance.get_func(&mut store, export.index);
            let args = Values::arrive(args, streams, export.streams, &mut store.data_mut().table)?;
            wasmtime::error::Ok((func, args))
        })?;
        let func = func.expect("an instance has every export of its component");
        let (task, answer) =
            packed::call_concurrently(self.accessor, func, export.places, args, |state, task| {
                state.enter(task, self.ongoing.clone());
            })
            .await?;
        let (result, streams) = self.accessor.with(|store| answer.leave(store))?;
        if let Some(Answer::Invoke(to)) = self.board.answer(self.id) {
            drop(to.send(Ok(Returned { result, streams })));
        }
        Ok(task)
    }

    /// Whoever waited may have gone.
    fn answer_http(&self, answer: Result<http::Response<Written>, CallError>) {
        if let Some(Answer::Http(to)) = self.board.answer(self.id) {
            drop(to.send(answer));
        }
    }
}
