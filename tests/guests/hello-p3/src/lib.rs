//! The smallest useful answer of WASI 0.3, for benchmarks.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

wasip3::http::service::export!(Hello);

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (mut body, contents) = wit_stream::new();
        let (trailers, ended) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), ended);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            body.write_all(b"Hello, world!\n".to_vec()).await;
        });
        Ok(response)
    }
}
