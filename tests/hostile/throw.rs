//! One attack, made and judged.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::{Request, body::Frame, header::HOST};
use wattle_lattice::Subject;
use wattle_lattice::call::{
    CallBody, CallRequest, Caller, InvokeRequest, Limits, Outcome as Reply, ReplyBody, Trace,
};
use wattle_tests::{Begun, Sent, ask};
use wattle_types::ActorId;
use wattle_value::{Signatures, wave};

use crate::{
    cases::{By, Case, Outcome},
    stage::{APP, BRIEF, PATIENT, Stage},
};

/// How much later than its time an attack may end.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// Between two bytes of a slow body.
const DRIP: Duration = Duration::from_millis(50);

/// What came of one attack.
#[derive(Debug)]
pub(crate) struct Thrown {
    pub(crate) seen: Seen,
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) enum Seen {
    /// A whole answer; only the beginning of a long one.
    Answer {
        status: u16,
        text: String,
        bytes: u64,
    },
    /// The beginning of an answer.
    Cut,
    /// The result of a call.
    Value,
    Failed {
        code: String,
    },
    Nothing {
        why: String,
    },
}

/// The time an attack has.
pub(crate) fn limit(case: &Case) -> Duration {
    match case.by {
        By::Patient | By::LargeBody | By::Asker(_) | By::Circle | By::ModernPatient => PATIENT,
        _ => BRIEF,
    }
}

pub(crate) async fn throw(stage: &Stage, signatures: &Signatures, case: &Case) -> Thrown {
    let started = Instant::now();
    let seen = match case.by {
        By::Callee => call(stage, signatures, case.id).await,
        _ => request(stage, case).await,
    };
    Thrown { seen, took: started.elapsed() }
}

/// Why this is not what must come of the attack.
pub(crate) fn complaint(case: &Case, seen: &Seen) -> Option<String> {
    let fits = match (&case.outcome, seen) {
        (_, Seen::Nothing { why }) => return Some(format!("{}: {why}", case.id)),
        (Outcome::Says(wanted), Seen::Answer { status: 200, text, .. }) => text.contains(wanted),
        (Outcome::Says(_), Seen::Value) => true,
        (Outcome::Fails(code), Seen::Answer { status: 500.., text, .. }) => text.contains(code),
        (Outcome::Fails(wanted), Seen::Failed { code }) => code == wanted,
        (Outcome::Late, Seen::Answer { status: 504, text, .. }) => {
            text.contains("WT-HOST-DEADLINE")
        }
        (Outcome::Late, Seen::Failed { code }) => code == "WT-ENGINE-DEADLINE",
        (Outcome::Cut, Seen::Cut) => true,
        (Outcome::Whole(status, bytes), Seen::Answer { status: found, bytes: read, .. }) => {
            (status, bytes) == (found, read)
        }
        _ => false,
    };
    (!fits).then(|| format!("{}: not {:?}, but {seen:?}", case.id, case.outcome))
}

/// What the callee can be asked for.
pub(crate) async fn describe(stage: &Stage) -> Signatures {
    match invoke(stage, CallBody::Describe, None).await {
        Ok(ReplyBody::Described(signatures)) => signatures,
        other => panic!("the callee is not described, but {other:?}"),
    }
}

async fn call(stage: &Stage, signatures: &Signatures, function: &str) -> Seen {
    let interface = "wattle-hostile:answers/answers@0.1.0".parse().expect("a name");
    let Some((_, func)) = signatures.find(&interface, function) else {
        return Seen::Nothing { why: format!("it has no function {function}") };
    };
    let args = if func.params.is_empty() { "" } else { "[0, 0]" };
    let args = wave::args(func, args).expect("two zeroes are a list of any numbers");
    let function = function.into();
    let body = CallBody::Invoke(InvokeRequest { interface, function, args });
    match invoke(stage, body, Some(func.fingerprint())).await {
        Ok(_) => Seen::Value,
        Err(seen) => seen,
    }
}

async fn invoke(
    stage: &Stage,
    body: CallBody,
    fingerprint: Option<wattle_types::Fingerprint>,
) -> Result<ReplyBody, Seen> {
    let actor: ActorId = format!("{APP}-answers").parse().expect("an id");
    let request = CallRequest {
        actor: actor.clone(),
        instance: String::new(),
        revision: None,
        fence: 0,
        hop: 0,
        attempt: 1,
        idempotency: String::new(),
        remaining_ms: PATIENT.as_millis() as u64,
        caller: Caller { id: stage.connection.who().to_string(), ..Caller::default() },
        trace: Trace::default(),
        fingerprint,
        body,
    };
    let subject = Subject::Any { actor };
    let limits = Limits::default();
    let asked = stage.connection.exchange(&subject, request, Vec::new(), &limits, PATIENT).await;
    match asked.map(|answer| answer.reply.outcome) {
        Ok(Reply::Ok(body)) => Ok(body),
        Ok(Reply::Failed { code, .. }) => Err(Seen::Failed { code }),
        other => Err(Seen::Nothing { why: format!("{other:?}") }),
    }
}

async fn request(stage: &Stage, case: &Case) -> Seen {
    let (name, asks) = match case.by {
        By::Brief | By::SlowBody => ("brief", None),
        By::Patient | By::LargeBody => ("patient", None),
        By::Asker(path) => ("asker", Some(path)),
        By::Caller(path) => ("caller", Some(path)),
        By::Flood(path) => ("flood", Some(path)),
        By::Crowd(path) => ("crowd", Some(path)),
        By::Circle => ("circle", None),
        By::Again => ("again", None),
        By::Modern => ("modern", None),
        By::ModernPatient => ("modern-patient", None),
        By::Together => ("together", None),
        By::Module | By::Callee | By::File(_) => (case.id, None),
    };
    let asks = asks.map(|path| format!("?to={}&path={path}", stage.sink.address));
    let target = format!("/{}{}", case.id, asks.unwrap_or_default());
    let request = Request::post(target).header(HOST, format!("{name}.test")).body(body(case.by));
    match ask(stage.door(), request.expect("a request")).await {
        Ok(begun) => read(begun).await,
        Err(error) => match error.downcast_ref::<hyper::Error>() {
            // The connection ended before there was a whole head.
            Some(error) if error.is_incomplete_message() => Seen::Cut,
            _ => Seen::Nothing { why: format!("{error:#}") },
        },
    }
}

fn body(by: By) -> Sent {
    match by {
        By::SlowBody => {
            let bytes = stream::unfold((), |()| async {
                tokio::time::sleep(DRIP).await;
                Some((Ok(Frame::data(Bytes::from_static(b"."))), ()))
            });
            StreamBody::new(bytes.boxed()).boxed_unsync()
        }
        By::LargeBody => Full::from(vec![b'x'; 4 << 20]).boxed_unsync(),
        _ => Empty::new().boxed_unsync(),
    }
}

/// Reads to the end and keeps the beginning.
async fn read(mut begun: Begun) -> Seen {
    const KEPT: usize = 1 << 10;
    let status = begun.status;
    let (mut text, mut bytes) = (Vec::new(), 0);
    loop {
        match begun.piece().await {
            Ok(Some(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                bytes += data.len() as u64;
                text.extend_from_slice(&data[..data.len().min(KEPT - text.len().min(KEPT))]);
            }
            Ok(None) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                return Seen::Answer { status, text, bytes };
            }
            Err(_) => return Seen::Cut,
        }
    }
}
