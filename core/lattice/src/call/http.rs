//! HTTP inside a call: requests and responses, with as much of their bodies as is there.

use std::fmt;

use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};

/// A request as it travels: text and bytes, checked when it becomes `http` again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    /// In absolute form if scheme and authority are known.
    pub uri: String,
    pub headers: Vec<Header>,
    pub body: Bytes,
    /// The body is complete; false if it goes on as stream 0.
    pub end: bool,
    /// What follows a complete body.
    pub trailers: Vec<Header>,
}

/// A response as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<Header>,
    pub body: Bytes,
    pub end: bool,
    pub trailers: Vec<Header>,
}

/// One header; a name may come more than once, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Header(pub String, pub Vec<u8>);

/// Without the value: it may be a token or a cookie.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes", self.0, self.1.len())
    }
}

/// Why what arrived is not HTTP.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the method is malformed")]
    Method(#[from] http::method::InvalidMethod),
    #[error("the URI is malformed")]
    Uri(#[from] http::uri::InvalidUri),
    #[error("{0} is not a status")]
    Status(u16),
    #[error("the header {name:?} is malformed")]
    Header { name: String },
}

/// Headers that speak of one connection. They end where the connection ends. `trailer` goes on: over
/// HTTP/1 the last connection carries only those trailers that it announces.
const HOP_BY_HOP: [HeaderName; 6] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];

impl HttpRequest {
    /// A request with its whole body.
    pub fn new(parts: &http::request::Parts, body: Bytes) -> Self {
        Self {
            method: parts.method.as_str().to_owned(),
            uri: parts.uri.to_string(),
            headers: end_to_end(&parts.headers),
            body,
            end: true,
            trailers: Vec::new(),
        }
    }

    /// Becomes `http` again.
    pub fn into_http(self) -> Result<http::Request<Bytes>, HttpError> {
        let mut request = http::Request::new(self.body);
        *request.method_mut() = self.method.parse()?;
        *request.uri_mut() = self.uri.parse()?;
        *request.headers_mut() = header_map(self.headers)?;
        Ok(request)
    }
}

impl HttpResponse {
    /// A response with its whole body.
    pub fn new(parts: &http::response::Parts, body: Bytes) -> Self {
        let (status, headers) = (parts.status.as_u16(), end_to_end(&parts.headers));
        Self { status, headers, body, end: true, trailers: Vec::new() }
    }

    /// Becomes `http` again.
    pub fn into_http(self) -> Result<http::Response<Bytes>, HttpError> {
        let mut response = http::Response::new(self.body);
        let status = http::StatusCode::from_u16(self.status);
        *response.status_mut() = status.map_err(|_| HttpError::Status(self.status))?;
        *response.headers_mut() = header_map(self.headers)?;
        Ok(response)
    }
}

pub(crate) fn end_to_end(headers: &HeaderMap) -> Vec<Header> {
    // `connection` may name further headers that are for this connection only.
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    headers
        .iter()
        .filter(|(name, _)| !HOP_BY_HOP.contains(name))
        .filter(|(name, _)| name.as_str() != "keep-alive")
        .filter(|(name, _)| !named.iter().any(|hop| hop == name.as_str()))
        .map(|(name, value)| Header(name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

pub(crate) fn header_map(headers: Vec<Header>) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for Header(name, value) in headers {
        let malformed = || HttpError::Header { name: name.clone() };
        let value = HeaderValue::from_bytes(&value).map_err(|_| malformed())?;
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?;
        map.append(key, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_way_but_its_connection_does_not() {
        let request = http::Request::builder()
            .method("POST")
            .uri("http://shop.example/a?b=c")
            .header("x-two", "1")
            .header("x-two", "2")
            .header("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap())
            .header("connection", "keep-alive, X-Mine")
            .header("x-mine", "gone")
            .header("transfer-encoding", "chunked")
            .body(Bytes::from_static(b"body"))
            .unwrap();
        let (parts, body) = request.into_parts();
        let back = HttpRequest::new(&parts, body).into_http().unwrap();
        assert_eq!(back.method(), "POST");
        assert_eq!(back.uri(), "http://shop.example/a?b=c");
        let two: Vec<_> = back.headers().get_all("x-two").iter().collect();
        assert_eq!(two, ["1", "2"]);
        assert_eq!(back.headers()["x-bytes"].as_bytes(), b"\xff");
        for gone in ["connection", "x-mine", "transfer-encoding"] {
            assert!(!back.headers().contains_key(gone), "{gone}");
        }
        assert_eq!(back.body(), "body");
    }

    #[test]
    fn what_is_not_http_is_refused() {
        let good = HttpRequest {
            method: "GET".into(),
            uri: "/".into(),
            headers: vec![],
            body: Bytes::new(),
            end: true,
            trailers: vec![],
        };
        let header = |name: &str, value: &[u8]| vec![Header(name.into(), value.to_vec())];
        let cases = [
            HttpRequest { method: "GE T".into(), ..good.clone() },
            HttpRequest { method: String::new(), ..good.clone() },
            HttpRequest { uri: "http://a b/".into(), ..good.clone() },
            HttpRequest { headers: header("a b", b"c"), ..good.clone() },
            HttpRequest { headers: header("a", b"b\r\nc: d"), ..good.clone() },
            HttpRequest { headers: header("", b"c"), ..good.clone() },
        ];
        for case in cases {
            let shown = format!("{case:?}");
            assert!(case.into_http().is_err(), "{shown}");
        }
        assert!(good.into_http().is_ok());
        for status in [0, 99, 1000] {
            let response = HttpResponse::new(&http::Response::new(()).into_parts().0, Bytes::new());
            let response = HttpResponse { status, ..response };
            assert!(response.into_http().is_err(), "{status}");
        }
    }
}
