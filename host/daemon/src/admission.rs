//! Whether a call that arrived may be begun here, and what its caller is told if it failed. Pure.
//!
//! A call is begun only if it is for an actor that runs here, as its envelope wants it, and comes
//! from whom it says. Who calls is vouched for by the calling host, and a host speaks only for
//! actors that it runs: its messages are pinned to it by what NATS lets it publish, and what it
//! runs is in the serve table.

use wattle_capability::Caller;
use wattle_engine::CallError;
use wattle_lattice::call::{self, CallReply, CallRequest, NotBegun, Outcome};
use wattle_types::{ActorId, HostId, SpecHash};

/// Who calls, as far as this lattice vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vouched {
    For(Caller),
    /// The calling host is not known to run that actor. It may have begun to a moment ago.
    NotYet {
        host: HostId,
        actor: ActorId,
    },
    Not {
        why: &'static str,
    },
}

/// Why a call is not begun, as far as its envelope says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: NotBegun,
    pub(crate) why: &'static str,
}

/// Judges what a call says of its caller by where its answer goes to.
pub(crate) fn vouch(
    said: &call::Caller,
    from: Option<&HostId>,
    runs: impl FnOnce(&HostId, &ActorId) -> bool,
) -> Vouched {
    let Some(host) = &said.host else {
        // A client, whatever it calls itself.
        return Vouched::For(Caller::Outside);
    };
    if from != Some(host) {
        return Vouched::Not { why: "the call says to come from another host than it does" };
    }
    if said.id.is_empty() {
        return Vouched::For(Caller::Outside);
    }
    match said.id.parse::<ActorId>() {
        Ok(actor) if runs(host, &actor) => Vouched::For(Caller::Actor(actor)),
        Ok(actor) => Vouched::NotYet { host: *host, actor },
        Err(_) => Vouched::Not { why: "the caller's id is none" },
    }
}

/// Whether a call that arrived may be begun here, as far as its envelope says.
pub(crate) fn admit(
    call: &CallRequest,
    addressed: &ActorId,
    serving: Option<SpecHash>,
) -> Result<(), Refusal> {
    let refuse = |reason, why| Err(Refusal { reason, why });
    if call.actor != *addressed {
        return refuse(NotBegun::Malformed, "the subject names another actor than the call");
    }
    if wattle_capability::call::HOP_MAX < call.hop {
        return refuse(NotBegun::TooManyHops, "too many calls led to this one");
    }
    if call.remaining_ms == 0 {
        return refuse(NotBegun::DeadlineExceeded, "no time is left");
    }
    let Some(revision) = serving else {
        return refuse(NotBegun::NoSuchActor, "this host does not serve the actor");
    };
    if call.revision.is_some_and(|wanted| wanted != revision) {
        return refuse(NotBegun::WrongRevision, "this host serves another revision");
    }
    // Whoever says these needs them kept, and this version cannot keep them.
    if call.fence != 0 {
        return refuse(NotBegun::Fenced, "this host does not serve fenced actors");
    }
    if !call.instance.is_empty() {
        return refuse(NotBegun::NotAllowed, "this host does not serve actors with instance keys");
    }
    Ok(())
}

/// What the caller is told about a call that failed here.
pub(crate) fn refusal(error: &CallError) -> CallReply {
    let message = error.to_string();
    let reason = match error {
        CallError::Overloaded { retry_after, .. } => {
            let retry_after_ms = u64::try_from(retry_after.as_millis()).ok();
            let reason = NotBegun::Overloaded;
            let outcome = Outcome::NotBegun { reason, message, retry_after_ms };
            return CallReply { outcome, revision: None, load: None };
        }
        CallError::DeadlineExceeded { begun: false } => NotBegun::DeadlineExceeded,
        CallError::BadRequest { .. } | CallError::BadArguments { .. } => NotBegun::Malformed,
        CallError::NotHttp | CallError::NoHandler | CallError::NoSuchFunction => {
            NotBegun::NoSuchFunction
        }
        CallError::WrongSignature => NotBegun::WrongSignature,
        CallError::Lost { .. } => return CallReply::unknown(message),
        _ => return CallReply::failed(error.code(), message),
    };
    CallReply::not_begun(reason, message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wattle_lattice::call::{CallBody, HttpRequest, Trace};
    use wattle_types::{Digest, PublicKey, Role};

    use super::*;

    #[test]
    fn a_call_is_begun_only_as_its_envelope_wants_it() {
        let web: ActorId = "web".parse().unwrap();
        let (mine, other) = (SpecHash(Digest::of(b"1")), SpecHash(Digest::of(b"2")));
        let (parts, ()) = http::Request::new(()).into_parts();
        let good = CallRequest {
            actor: web.clone(),
            instance: String::new(),
            revision: None,
            fence: 0,
            hop: 0,
            attempt: 1,
            idempotency: String::new(),
            remaining_ms: 1,
            caller: call::Caller::default(),
            trace: Trace::default(),
            fingerprint: None,
            body: CallBody::Http(HttpRequest::new(&parts, Bytes::new())),
        };
        let with = |change: &dyn Fn(&mut CallRequest)| {
            let mut call = good.clone();
            change(&mut call);
            call
        };
        let cases = [
            ("good", good.clone(), Some(mine), None),
            ("its revision", with(&|c| c.revision = Some(mine)), Some(mine), None),
            ("the deepest", with(&|c| c.hop = 8), Some(mine), None),
            ("not here", good.clone(), None, Some(NotBegun::NoSuchActor)),
            (
                "another revision",
                with(&|c| c.revision = Some(other)),
                Some(mine),
                Some(NotBegun::WrongRevision),
            ),
            (
                "another actor",
                with(&|c| c.actor = "db".parse().unwrap()),
                Some(mine),
                Some(NotBegun::Malformed),
            ),
            ("too deep", with(&|c| c.hop = 9), Some(mine), Some(NotBegun::TooManyHops)),
            (
                "too late",
                with(&|c| c.remaining_ms = 0),
                Some(mine),
                Some(NotBegun::DeadlineExceeded),
            ),
            ("fenced", with(&|c| c.fence = 1), Some(mine), Some(NotBegun::Fenced)),
            (
                "with a key",
                with(&|c| c.instance = "k".to_owned()),
                Some(mine),
                Some(NotBegun::NotAllowed),
            ),
        ];
        for (name, call, serving, refused) in cases {
            let verdict = admit(&call, &web, serving).err().map(|refusal| refusal.reason);
            assert_eq!(verdict, refused, "{name}");
        }
    }

    #[test]
    fn what_was_begun_is_never_said_not_to_be() {
        let reason = String::new;
        let errors = [
            CallError::Overloaded { what: "host", retry_after: CallError::RETRY_AFTER },
            CallError::DeadlineExceeded { begun: false },
            CallError::DeadlineExceeded { begun: true },
            CallError::BadRequest { reason: reason() },
            CallError::Trap { reason: reason() },
            CallError::Exit { status: 1 },
            CallError::NoAnswer,
            CallError::Lost { reason: reason() },
            CallError::Internal { reason: reason() },
        ];
        for error in errors {
            let not_begun = matches!(refusal(&error).outcome, Outcome::NotBegun { .. });
            assert_eq!(not_begun, !error.begun(), "{error:?}");
        }
    }

    #[test]
    fn a_host_speaks_only_for_what_it_runs() {
        let host = |n| HostId::try_from(PublicKey::new(Role::Server, [n; 32])).unwrap();
        let said = |id: &str, host: Option<HostId>| call::Caller {
            id: id.to_owned(),
            host,
            proof: Vec::new(),
        };
        let web: ActorId = "web".parse().unwrap();
        let (one, two) = (host(1), host(2));
        let not = |vouched: &Vouched| matches!(vouched, Vouched::Not { .. });
        let vouch = |said: call::Caller, from: Option<&HostId>| {
            super::vouch(&said, from, |host, actor| *host == one && *actor == web)
        };
        // A client.
        assert_eq!(vouch(said("", None), None), Vouched::For(Caller::Outside));
        assert_eq!(vouch(said("web", None), None), Vouched::For(Caller::Outside));
        assert_eq!(vouch(said("web", None), Some(&one)), Vouched::For(Caller::Outside));
        // A host.
        let actor = Vouched::For(Caller::Actor(web.clone()));
        assert_eq!(vouch(said("web", Some(one)), Some(&one)), actor);
        assert_eq!(vouch(said("", Some(two)), Some(&two)), Vouched::For(Caller::Outside));
        let not_yet = Vouched::NotYet { host: two, actor: web.clone() };
        assert_eq!(vouch(said("web", Some(two)), Some(&two)), not_yet);
        // Somebody in its place.
        assert!(not(&vouch(said("web", Some(one)), Some(&two))));
        assert!(not(&vouch(said("web", Some(one)), None)));
        assert!(not(&vouch(said("no id", Some(one)), Some(&one))));
    }
}
