use wattle_types::{PublicKey, Role};

use super::*;

fn host() -> HostId {
    HostId::try_from(PublicKey::new(Role::Server, [7; 32])).unwrap()
}

fn named<T: FromStr<Err = TokenError>>(raw: &str) -> T {
    raw.parse().unwrap()
}

fn names() -> Names {
    Names::new(named("prod"))
}

fn every_subject() -> Vec<Subject> {
    let (actor, app) = (named::<ActorId>("http-counter_1"), named::<AppName>("counter"));
    let token = named::<Token>;
    let mut all = vec![
        Subject::Call { host: host(), actor: actor.clone() },
        Subject::Any { actor: actor.clone() },
        Subject::Frame { who: token("client-x"), session: token("s1"), number: 7 },
        Subject::AskSpy,
        Subject::Spied { actor: actor.clone() },
        Subject::Relink { source: actor },
        Subject::ConfigChanged { name: named("settings") },
        Subject::Reply { who: token("client-x"), session: token("s1"), number: u64::MAX },
        Subject::Serve { host: host() },
        Subject::AskServe,
        Subject::Beat { host: host() },
        Subject::Wake { host: host() },
        Subject::Leader,
        Subject::AskControllers,
        Subject::AppStatus { app: app.clone() },
    ];
    all.extend(ControllerOp::ALL.map(|op| Subject::Controller { name: token("c1"), op }));
    all.extend(HostOp::ALL.map(|op| Subject::Host { host: host(), op }));
    all.extend(EventName::ALL.map(Subject::Event));
    all.extend(
        [
            AppSubject::Put,
            AppSubject::GetAll,
            AppSubject::List,
            AppSubject::Get { app: app.clone() },
            AppSubject::Versions { app: app.clone() },
            AppSubject::History { app: app.clone() },
            AppSubject::Rollback { app: app.clone() },
            AppSubject::Deploy { app: app.clone() },
            AppSubject::Undeploy { app: app.clone() },
            AppSubject::Delete { app: app.clone() },
            AppSubject::Status { app },
        ]
        .map(Subject::App),
    );
    let config = token("hello-default_http");
    all.extend(
        [
            ControlSubject::ComponentAuction,
            ControlSubject::ProviderAuction,
            ControlSubject::ComponentScale { host: host() },
            ControlSubject::ComponentUpdate { host: host() },
            ControlSubject::ProviderStart { host: host() },
            ControlSubject::ProviderStop { host: host() },
            ControlSubject::HostPing,
            ControlSubject::HostGet { host: host() },
            ControlSubject::HostStop { host: host() },
            ControlSubject::LabelPut { host: host() },
            ControlSubject::LabelDel { host: host() },
            ControlSubject::RegistryPut,
            ControlSubject::ClaimsGet,
            ControlSubject::LinkGet,
            ControlSubject::LinkPut,
            ControlSubject::LinkDel,
            ControlSubject::ConfigGet { name: config.clone() },
            ControlSubject::ConfigPut { name: config.clone() },
            ControlSubject::ConfigDel { name: config },
        ]
        .map(Subject::Control),
    );
    all
}

#[test]
fn a_subject_survives_the_wire() {
    let names = names();
    for subject in every_subject() {
        let text = names.subject(&subject);
        assert_eq!(names.read(&text), Ok(subject), "{text}");
    }
}

#[test]
fn two_subjects_never_share_a_text() {
    let texts: std::collections::BTreeSet<String> =
        every_subject().iter().map(|subject| names().subject(subject)).collect();
    assert_eq!(texts.len(), every_subject().len());
}

#[test]
fn subjects_are_written_as_the_protocol_says() {
    let (names, host) = (names(), host());
    let cases = [
        (Subject::Call { host, actor: named("a") }, format!("wattle.prod.call.{host}.a")),
        (Subject::Host { host, op: HostOp::Probe }, format!("wattle.prod.host.{host}.probe")),
        (
            Subject::Control(ControlSubject::HostGet { host }),
            format!("wasmbus.ctl.v1.prod.host.get.{host}"),
        ),
        (Subject::Event(EventName::HostStarted), "wasmbus.evt.prod.host_started".to_owned()),
        (
            Subject::App(AppSubject::Deploy { app: named("hello") }),
            "wadm.api.prod.model.deploy.hello".to_owned(),
        ),
    ];
    for (subject, text) in cases {
        assert_eq!(names.subject(&subject), text);
    }
}

#[test]
fn a_name_that_could_break_a_subject_is_refused_wherever_a_subject_is_read() {
    let long = "a".repeat(300);
    for id in ["", "*", ">", "a b", "a\r\nPUB x 0", "ä", &long] {
        for text in [
            format!("wattle.prod.any.{id}"),
            format!("wattle.prod.call.{}.{id}", host()),
            format!("wattle.prod.rep.{id}.s.1"),
            format!("wadm.api.prod.model.deploy.{id}"),
            format!("wadm.status.prod.{id}"),
            format!("wasmbus.ctl.v1.prod.config.get.{id}"),
            format!("wasmbus.ctl.v1.prod.nobody.{id}"),
        ] {
            assert!(names().read(&text).is_err(), "{text:?}");
        }
    }
}

#[test]
fn what_is_not_said_in_this_lattice_is_not_read() {
    let host = host();
    for text in [
        "".to_owned(),
        "wattle".to_owned(),
        "wattle.prod".to_owned(),
        "wattle.prod.".to_owned(),
        "wattle.prod.nonsense".to_owned(),
        "wattle.other.leader".to_owned(),
        "wattle.production.leader".to_owned(),
        "wattle.prod.leader.x".to_owned(),
        "wattle.prod.any.a.b".to_owned(),
        "wattle.prod.beat.NOTAHOST".to_owned(),
        format!("wattle.prod.beat.{}", host.to_string().to_lowercase()),
        format!("wattle.prod.host.{host}.explode"),
        "wattle.prod.rep.w.s.07".to_owned(),
        "wattle.prod.rep.w.s.-1".to_owned(),
        "wasmbus.evt.prod.no_such_event".to_owned(),
        "wasmbus.evt.other.host_started".to_owned(),
        "wasmbus.ctl.v2.prod.host.ping".to_owned(),
        "_INBOX.a.b".to_owned(),
    ] {
        assert!(names().read(&text).is_err(), "{text:?}");
    }
}

#[test]
fn an_operation_of_a_later_version_is_read_as_unsupported() {
    let names = names();
    for (text, expected) in [
        ("wasmbus.ctl.v1.prod.config.get.a.b", "config.get.a.b"),
        ("wasmbus.ctl.v1.prod.component.explode", "component.explode"),
    ] {
        match names.read(text) {
            Ok(Subject::Control(ControlSubject::Other(tail))) => {
                assert_eq!(tail.to_string(), expected);
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let later = names.read("wadm.api.prod.model.explode.hello");
    assert!(matches!(later, Ok(Subject::App(AppSubject::Other(_)))), "{later:?}");
}

#[test]
fn the_control_prefix_can_be_another_one() {
    let names = names().with_control_prefix("acme.ctl".parse().unwrap());
    let ping = Subject::Control(ControlSubject::HostPing);
    assert_eq!(names.subject(&ping), "acme.ctl.v1.prod.host.ping");
    assert_eq!(names.read("acme.ctl.v1.prod.host.ping"), Ok(ping));
    assert!(names.read("wasmbus.ctl.v1.prod.host.ping").is_err());
    for prefix in ["", ".", "a.", "a.*", "a b"] {
        assert!(prefix.parse::<Prefix>().is_err(), "{prefix:?}");
    }
}

/// What NATS does with a pattern.
fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => return false,
        }
    }
}

#[test]
fn every_subject_is_heard_by_exactly_one_pattern_of_its_listeners() {
    let host = host();
    let patterns = [
        Pattern::CallsTo { host },
        Pattern::AnyCalls,
        Pattern::RepliesTo { who: named("client-x") },
        Pattern::Serves,
        Pattern::AskServe,
        Pattern::AskSpy,
        Pattern::SpiedOf { actor: named("http-counter_1") },
        Pattern::Relinks,
        Pattern::ConfigChanges,
        Pattern::Beats,
        Pattern::WakesOf { host },
        Pattern::AskedOf { host },
        Pattern::Leader,
        Pattern::AskControllers,
        Pattern::AskedOfController { name: named("c1") },
        Pattern::HostPings,
        Pattern::HostControls { host },
        Pattern::ComponentControls { host },
        Pattern::ProviderControls { host },
        Pattern::LabelControls { host },
        Pattern::ComponentAuctions,
        Pattern::ProviderAuctions,
        Pattern::RegistryPuts,
        Pattern::Links,
        Pattern::Claims,
        Pattern::Configs,
        Pattern::Events,
        Pattern::Apps,
        Pattern::AppStatuses,
    ];
    let names = names();
    for subject in every_subject() {
        let text = names.subject(&subject);
        let heard = patterns.iter().filter(|p| matches(&names.pattern(p), &text)).count();
        assert_eq!(heard, 1, "{text}");
    }
}

#[test]
fn only_what_one_of_many_should_answer_has_a_group() {
    let names = names();
    let grouped = [
        (Pattern::AnyCalls, "router"),
        (Pattern::Apps, "wadm_server"),
        (Pattern::Links, "wasmbus.ctl.v1.prod.link"),
        (Pattern::Claims, "wasmbus.ctl.v1.prod.claims"),
        (Pattern::Configs, "wasmbus.ctl.v1.prod.config"),
    ];
    for (pattern, group) in grouped {
        assert_eq!(pattern.queue_group(&names).as_deref(), Some(group));
    }
    for pattern in [Pattern::Beats, Pattern::Serves, Pattern::HostPings, Pattern::Events] {
        assert_eq!(pattern.queue_group(&names), None, "{pattern:?}");
    }
}

#[test]
fn an_answer_goes_only_where_answers_go() {
    let names = names();
    for good in
        ["wattle.prod.rep.client-x.s1.4", "_INBOX.D9Cd.crLk", "wattle.prod.rep.h.s.4.stream"]
    {
        assert!(ReplyTo::read(&names, good).is_some(), "{good}");
    }
    for bad in [
        "",
        "_INBOX",
        "_INBOX.",
        "_INBOX.*",
        "_INBOX.a..b",
        "wattle.prod.rep",
        "wattle.prod.rep.",
        "wattle.prod.rep.>",
        "wattle.other.rep.h.s.4",
        "wattle.prod.leader",
        "wasmbus.ctl.v1.prod.host.ping",
        "$JS.API.STREAM.DELETE.KV_wattle-control-prod",
    ] {
        assert!(ReplyTo::read(&names, bad).is_none(), "{bad}");
    }
    let reply = ReplyTo::read(&names, "wattle.prod.rep.client-x.s1.4").unwrap();
    assert_eq!(reply.who(&names), Some("client-x"));
    assert_eq!(ReplyTo::read(&names, "_INBOX.a.b").unwrap().who(&names), None);
}
