//! Sending an HTTP request to an actor, and writing down the answer while it arrives.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt;
use wattle_lattice::Content;
use wattle_lattice::call::{CallBody, HttpRequest, ReplyBody};
use wattle_types::ActorId;

use super::ask::ask;
use crate::lattice::Lattice;
use crate::output::{self, Format, OutputArgs, complain};

/// The request, if no function is named.
#[derive(Debug, clap::Args)]
pub(super) struct HttpArgs {
    #[arg(short = 'X', long, default_value = "GET", value_name = "METHOD", help_heading = HEADING)]
    method: Method,
    /// Path and query.
    #[arg(long, default_value = "/", value_name = "PATH", help_heading = HEADING)]
    path: Uri,
    /// A header; repeatable.
    #[arg(
        long = "header",
        value_name = "NAME=VALUE",
        value_parser = parse_header,
        help_heading = HEADING
    )]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT",
        help_heading = HEADING
    )]
    body: String,
}

const HEADING: &str = "Without a function: an HTTP request";

fn parse_header(raw: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = raw.split_once('=').ok_or("it has the form NAME=VALUE")?;
    let name = name.parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
    let value = value.parse().map_err(|_| format!("{value:?} cannot be in a header"))?;
    Ok((name, value))
}

pub(super) async fn call(
    lattice: &Lattice,
    id: &ActorId,
    args: &HttpArgs,
    output: OutputArgs,
) -> Result<ExitCode> {
    let body = CallBody::Http(request(id, args)?);
    let (ReplyBody::Http(response), streams) = ask(lattice, id, body, None).await? else {
        bail!("{id} answered with something else than HTTP");
    };
    let response = response.into_http().context("the answer is not an HTTP response")?;
    let status = response.status();
    match output.output {
        Format::Text => copy(streams).await?,
        Format::Json => {
            let mut whole = Vec::new();
            for stream in streams {
                whole.extend(stream.collect().await.context(CUT)?.to_bytes());
            }
            output.print(&as_json(&response, &whole), |_| String::new());
        }
    }
    if status.is_client_error() || status.is_server_error() {
        complain(format_args!("the actor answered {status}"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

const CUT: &str = "the answer is not complete";

fn request(id: &ActorId, args: &HttpArgs) -> Result<HttpRequest> {
    let mut request = Request::builder().method(&args.method).uri(&args.path);
    for (name, value) in &args.headers {
        request = request.header(name, value);
    }
    let (mut parts, body) = request.body(Bytes::from(args.body.clone()))?.into_parts();
    // A component may rely on a host header, and the id is the only name there is.
    let authority = HeaderValue::from_str(id.as_str()).expect("ids are letters, digits, - and _");
    parts.headers.entry(header::HOST).or_insert(authority);
    Ok(HttpRequest::new(&parts, body))
}

/// Each piece as it comes.
async fn copy(streams: Vec<Content>) -> Result<()> {
    for mut stream in streams {
        while let Some(frame) = stream.frame().await {
            if let Ok(piece) = frame.context(CUT)?.into_data() {
                output::bytes(&piece);
            }
        }
    }
    Ok(())
}

fn as_json<B>(response: &http::Response<B>, body: &[u8]) -> serde_json::Value {
    let headers = response.headers().iter().map(|(name, value)| {
        [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]
    });
    serde_json::json!({
        "status": response.status().as_u16(),
        "headers": headers.collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(body),
    })
}
