//! The same over HTTP: `/<what>?<number or text>`; `/call/<function>` asks whoever the import is
//! linked to.

use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use wasip3::{http::client, wit_future, wit_stream};
use wit_bindgen::{StreamReader, spawn_local};

use crate::wattle_test::modern::work;
use crate::{Modern, count, each, sleep, spin};

wasip3::http::service::export!(Modern);

impl wasip3::exports::http::handler::Guest for Modern {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let number = || query.parse().unwrap_or(0);
        match path {
            "/hello" => Ok(text("hello")),
            "/count" => Ok(text(count().to_string())),
            "/sleep" => Ok(text(sleep(number()).await.to_string())),
            "/echo" => Ok(echo(request)),
            "/trap" => core::arch::wasm32::unreachable(),
            "/spin" => spin(),
            "/refuse" => Err(ErrorCode::InternalError(Some("refused".to_owned()))),
            "/half" => Ok(half()),
            "/late" => Ok(late(number())),
            "/fetch" => fetch(query).await,
            "/call/greet" => Ok(text(work::greet(query.to_owned()).await)),
            "/call/count" => Ok(text(work::count().await.to_string())),
            "/call/sleep" => Ok(text(work::sleep(number()).await.to_string())),
            "/call/fail" => Ok(text(format!("{:?}", work::fail(query.to_owned()).await))),
            "/call/trap" => {
                work::trap().await;
                Ok(text("survived"))
            }
            "/call/sum" => Ok(text(sum(number()).await.to_string())),
            "/call/shout" => Ok(answer(Some(work::shout(body_of(request)).await))),
            "/call/words" => Ok(text(words(query.to_owned()).await)),
            "/call/later" => Ok(text(later(query.to_owned()).await)),
            "/call/broken" => Ok(answer(Some(work::broken(number()).await))),
            _ => {
                let response = text("no such thing");
                response.set_status_code(404).expect("a status");
                Ok(response)
            }
        }
    }
}

fn text(text: impl Into<String>) -> Response {
    let text = text.into();
    let (mut to, body) = wit_stream::new();
    spawn_local(async move {
        to.write_all(text.into_bytes()).await;
    });
    answer(Some(body))
}

fn answer(body: Option<StreamReader<u8>>) -> Response {
    let (_, ended) = wit_future::new(|| Ok(None));
    Response::new(Fields::new(), body, ended).0
}

fn body_of(request: Request) -> StreamReader<u8> {
    let (_, result) = wit_future::new(|| Ok(()));
    Request::consume_body(request, result).0
}

fn echo(request: Request) -> Response {
    answer(Some(body_of(request)))
}

/// Half an answer, and then a trap.
fn half() -> Response {
    let (mut to, body) = wit_stream::new();
    spawn_local(async move {
        to.write_all(b"the first half".to_vec()).await;
        core::arch::wasm32::unreachable()
    });
    answer(Some(body))
}

/// Answers, and goes on for so many milliseconds.
fn late(ms: u32) -> Response {
    spawn_local(async move {
        sleep(ms).await;
    });
    text("done")
}

/// Asks `authority/path` and passes the answer on.
async fn fetch(target: &str) -> Result<Response, ErrorCode> {
    let (authority, path) = target.split_once('/').unwrap_or((target, ""));
    let (_, ended) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, ended, None);
    request.set_method(&Method::Get).expect("a method");
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("a path");
    let response = client::send(request).await?;
    let (_, result) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, result);
    Ok(Response::new(Fields::new(), Some(body), trailers).0)
}

async fn sum(count: u32) -> u64 {
    let (mut to, numbers) = crate::wit_stream::new();
    spawn_local(async move {
        to.write_all((1..=count).collect()).await;
    });
    work::sum(numbers).await
}

async fn words(text: String) -> String {
    let mut words = Vec::new();
    each(work::words(text).await, |piece| words.extend(piece)).await;
    words.join("|")
}

async fn later(word: String) -> String {
    let (to, future) = crate::wit_future::new(String::new);
    spawn_local(async move {
        let _ = to.write(word).await;
    });
    work::later(future).await.await
}
