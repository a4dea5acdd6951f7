//! Answers HTTP with what an actor of WASI 0.2 says, shouted by one of WASI 0.3. It only connects
//! them: the text streams through it, and while it does, other requests are served by the same
//! instance.

use example::shouting::shouter;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::{http::client, wit_future};

wit_bindgen::generate!({ path: "../wit", world: "example:shouting/front" });

struct Front;

wasip3::http::service::export!(Front);

impl wasip3::exports::http::handler::Guest for Front {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query();
        let (_, no_trailers) = wit_future::new(|| Ok(None));
        let (asked, _sent) = Request::new(Fields::new(), None, no_trailers, None);
        // Who this is says a link in the manifest.
        let _ = asked.set_scheme(Some(&Scheme::Http));
        let _ = asked.set_authority(Some("counter"));
        let _ = asked.set_path_with_query(path.as_deref());
        let answer = client::send(asked).await?;

        let (_, read) = wit_future::new(|| Ok(()));
        let (text, trailers) = Response::consume_body(answer, read);
        let shouted = shouter::shout(text).await;
        Ok(Response::new(Fields::new(), Some(shouted), trailers).0)
    }
}
