//! Whom it may not ask.

use wasip3::http::client;
use wasip3::http::types::{Fields, Method, Request, Scheme};
use wasip3::wit_future;

pub(crate) async fn ask(authority: &str) -> String {
    let (_, ended) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, ended, None);
    request.set_method(&Method::Get).expect("a method");
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some("/")).expect("a path");
    match client::send(request).await {
        Ok(_) => "answered".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}
