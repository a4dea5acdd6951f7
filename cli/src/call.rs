//! `wattle call`: one HTTP request to an actor by its id, wherever it runs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use wattle_lattice::call::{
    CallBody, CallReply, CallRequest, Caller, HttpRequest, Limits, Outcome, ReplyBody, Trace,
};
use wattle_lattice::{RequestError, Subject};
use wattle_tasks::TraceContext;
use wattle_types::ActorId;

use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{self, OutputArgs, complain};

/// Send an HTTP request to an actor by its id; no route and no listener is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle call http_counter-counter --path /a
  wattle call shop-orders -X POST --path /orders --body '{\"item\": 7}' \\
      --header content-type=application/json

Prints the body of the answer; exits with 1 if its status is 400 or more.")]
pub(crate) struct Args {
    id: ActorId,
    #[arg(short = 'X', long, default_value = "GET", value_name = "METHOD")]
    method: Method,
    #[arg(long, default_value = "/", value_name = "PATH")]
    path: Uri,
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    #[arg(long, default_value = "", value_name = "TEXT")]
    body: String,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn parse_header(raw: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = raw.split_once('=').ok_or("it has the form NAME=VALUE")?;
    let name = name.parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
    let value = value.parse().map_err(|_| format!("{value:?} cannot be in a header"))?;
    Ok((name, value))
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let lattice = args.lattice.connect().await?;
    let mut request = Request::builder().method(&args.method).uri(&args.path);
    for (name, value) in &args.headers {
        request = request.header(name, value);
    }
    let request = request.body(Bytes::from(args.body.clone()))?;
    let response = call(&lattice, &args.id, request).await?;
    match args.output.output {
        output::Format::Text => output::bytes(response.body()),
        output::Format::Json => args.output.print(&as_json(&response), |_| String::new()),
    }
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        complain(format_args!("the actor answered {status}"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn call(
    lattice: &Lattice,
    id: &ActorId,
    request: Request<Bytes>,
) -> Result<http::Response<Bytes>> {
    let connection = &lattice.connection;
    let limits = Limits { message_bytes_max: connection.max_payload(), ..Limits::default() };
    let (mut parts, body) = request.into_parts();
    // A component may rely on a host header, and the id is the only name there is.
    let authority = HeaderValue::from_str(id.as_str()).expect("ids are letters, digits, - and _");
    parts.headers.entry(header::HOST).or_insert(authority);
    let TraceContext { traceparent, tracestate } = TraceContext::current();
    let call = CallRequest {
        actor: id.clone(),
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 1,
        idempotency: String::new(),
        remaining_ms: u64::try_from(lattice.within.as_millis()).unwrap_or(u64::MAX),
        caller: Caller { id: connection.who().to_string(), ..Caller::default() },
        trace: Trace { traceparent, tracestate },
        fingerprint: Bytes::new(),
        body: CallBody::Http(HttpRequest::new(&parts, body)),
    };
    let payload = call.encode(&limits).context("the request does not fit a message")?;
    let subject = Subject::Any { actor: id.clone() };
    // A little longer than the call may take: its own deadline gives the better answer.
    let within = lattice.within + Duration::from_millis(500);
    let reply = match connection.request(&subject, payload, within).await {
        Ok(reply) => reply,
        Err(RequestError::NoResponders) => bail!(
            "no host answers in lattice {}; `wattle get hosts` shows those that there are",
            connection.lattice()
        ),
        Err(error) => return Err(error).context("the call was not answered"),
    };
    let reply = CallReply::decode(&reply.payload, &limits)
        .context("the answer is not one of this protocol")?;
    match reply.outcome {
        Outcome::Ok(ReplyBody::Http(response)) => {
            response.into_http().context("the answer is not an HTTP response")
        }
        Outcome::Failed { code, message } => bail!("{message} [{code}]"),
        Outcome::NotBegun { reason, message, .. } => {
            bail!("the call was not begun ({}): {message}", reason.as_str())
        }
        Outcome::Unknown { message } => bail!("nobody knows whether the call was done: {message}"),
    }
}

fn as_json(response: &http::Response<Bytes>) -> serde_json::Value {
    let headers = response.headers().iter().map(|(name, value)| {
        [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]
    });
    serde_json::json!({
        "status": response.status().as_u16(),
        "headers": headers.collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(response.body()),
    })
}
