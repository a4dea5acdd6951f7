use serde_json::{Value, json};
use wattle_brain::apps::{Answer, AppStatus, ComponentStatus, LinkStatus, StatusKind, Summary};
use wattle_types::{LinkName, ScalerKind};

use super::*;

fn app() -> wattle_types::AppName {
    "shop".parse().unwrap()
}

fn said(op: &AppSubject, answer: Answer) -> Value {
    serde_json::from_slice(&words(op, answer)).unwrap()
}

#[test]
fn requests_are_read_with_and_without_a_body() {
    let deploy = AppSubject::Deploy { app: app() };
    let version = |version: Option<&str>| {
        Ok(Command::Deploy { name: app(), version: version.map(str::to_owned), takeover: false })
    };
    assert_eq!(command(&deploy, b""), version(None));
    assert_eq!(command(&deploy, b"null"), version(None));
    assert_eq!(command(&deploy, b"{}"), version(None));
    assert_eq!(command(&deploy, br#"{"version": "v1", "lattice_id": "x"}"#), version(Some("v1")));
    let takeover = Command::Deploy { name: app(), version: None, takeover: true };
    assert_eq!(command(&deploy, br#"{"takeover": true}"#), Ok(takeover));
    assert!(command(&deploy, b"{").is_err());
    assert!(command(&AppSubject::Put, b"\xff").is_err());
}

fn status(kind: StatusKind) -> AppStatus {
    let (message, version) = (String::new(), String::new());
    AppStatus { kind, message, version, components: Vec::new() }
}

#[test]
fn a_list_has_two_shapes() {
    let status = status(StatusKind::Deployed);
    let summary = Summary {
        name: app(),
        version: "v2".to_owned(),
        description: String::new(),
        deployed_version: Some("v1".to_owned()),
        status,
    };
    let bare =
        said(&AppSubject::List, Answer::Models { models: vec![summary.clone()], next: None });
    assert_eq!(bare[0]["name"], "shop");
    assert_eq!(bare[0]["status"], "deployed");
    assert_eq!(bare[0]["detailed_status"]["status"]["type"], "deployed");
    let object = said(&AppSubject::GetAll, Answer::Models { models: vec![summary], next: None });
    assert_eq!(object["result"], "success");
    assert_eq!(object["models"], bare);
}

#[test]
fn errors_have_the_shape_of_their_operation() {
    let ops = [
        (AppSubject::Put, "error"),
        (AppSubject::Get { app: app() }, "error"),
        (AppSubject::GetAll, "error"),
        (AppSubject::List, "error"),
        (AppSubject::Versions { app: app() }, "error"),
        (AppSubject::History { app: app() }, "error"),
        (AppSubject::Rollback { app: app() }, "error"),
        (AppSubject::Deploy { app: app() }, "error"),
        (AppSubject::Undeploy { app: app() }, "error"),
        (AppSubject::Delete { app: app() }, "error"),
        (AppSubject::Status { app: app() }, "error"),
    ];
    for (op, result) in ops {
        let reply = said(&op, Answer::Refused("no".to_owned()));
        assert_eq!((&reply["result"], &reply["message"]), (&json!(result), &json!("no")), "{op}");
    }
    for op in [
        AppSubject::Get { app: app() },
        AppSubject::Versions { app: app() },
        AppSubject::Deploy { app: app() },
        AppSubject::Undeploy { app: app() },
        AppSubject::Status { app: app() },
    ] {
        let reply = said(&op, Answer::NotFound("no".to_owned()));
        assert_eq!(reply["result"], "notfound", "{op}");
    }
}

#[test]
fn each_link_is_a_scaler_and_a_trait() {
    let link = |interface: &str, kind, message: &str| LinkStatus {
        interface: interface.parse().unwrap(),
        name: LinkName::default(),
        target: "tax".parse().unwrap(),
        kind,
        message: message.to_owned(),
    };
    let links = vec![
        link("acme:tax/rates", StatusKind::Failed, "no such function (host h1)"),
        link("wasi:keyvalue/store", StatusKind::Deployed, "built into every host"),
    ];
    let part = ComponentStatus {
        name: "web".parse().unwrap(),
        id: "shop-web".parse().unwrap(),
        kind: StatusKind::Failed,
        message: String::new(),
        scaler: ScalerKind::Spread,
        instances: 1,
        hosts: Vec::new(),
        ready: 1,
        links,
    };
    let status = AppStatus {
        kind: StatusKind::Failed,
        message: String::new(),
        version: "v1".to_owned(),
        components: vec![part],
    };
    let said = said(&AppSubject::Status { app: app() }, Answer::Status(Box::new(status)));
    let scalers = &said["status"]["scalers"];
    assert_eq!(scalers[0]["kind"], "SpreadScaler");
    assert_eq!(
        scalers[1],
        json!({
            "id": "shop-web-acme:tax/rates-default",
            "kind": "LinkScaler",
            "name": "web -(acme:tax/rates)-> tax",
            "status": {"type": "failed", "message": "no such function (host h1)"},
        })
    );
    let traits = &said["status"]["components"][0]["traits"];
    assert_eq!(traits[1]["type"], "link");
    assert_eq!(traits[1]["status"]["type"], "deployed");
}

#[test]
fn a_part_of_a_list_is_asked_for_by_token_and_anything_else_asks_for_all() {
    let whole = Ok(Command::List { page: Page::default() });
    for payload in [&b""[..], b"null", b"{}", b"what?", br#"{"lattice_id": "x"}"#] {
        assert_eq!(command(&AppSubject::List, payload), whole);
    }
    let answer = Answer::Models { models: Vec::new(), next: Some(app()) };
    let beside = beside(&answer, Seen::default(), &"c1".parse().unwrap());
    let (_, token) = beside.into_iter().find(|(name, _)| *name == headers::NEXT).unwrap();
    let body = json!({"limit": 7, "page": token}).to_string();
    let page = Page { after: Some(app()), limit: Some(7) };
    assert_eq!(command(&AppSubject::GetAll, body.as_bytes()), Ok(Command::List { page }));
    let history = AppSubject::History { app: app() };
    assert!(command(&history, body.as_bytes()).unwrap_err().contains("no page of this list"));
}

#[test]
fn a_part_that_no_message_carries_is_shorter_and_a_whole_list_says_why_it_is_not_told() {
    let summary = |number: usize| Summary {
        name: format!("app-{number:02}").parse().unwrap(),
        version: "v1".to_owned(),
        description: "d".repeat(1_000),
        deployed_version: None,
        status: status(StatusKind::Undeployed),
    };
    let all: Vec<Summary> = (0..40).map(summary).collect();
    let answer = Answer::Models { models: all, next: None };
    let name = "c1".parse().unwrap();
    let reply = |asked: &[u8]| {
        let seen = Seen::default();
        let (beside, payload) =
            reply(&AppSubject::GetAll, asked, answer.clone(), seen, &name, 24 << 10);
        assert!(payload.len() <= 20 << 10);
        let next = beside.into_iter().find(|(name, _)| *name == headers::NEXT);
        let said: Value = serde_json::from_slice(&payload).unwrap();
        (said, next.map(|(_, token)| token))
    };
    let (said, next) = reply(br#"{"limit": 100}"#);
    let models = said["models"].as_array().unwrap();
    assert_eq!(models.len(), 10);
    let last = models.last().unwrap()["name"].as_str().unwrap();
    assert_eq!(next, Some(page::token(APPLICATIONS, &last)));
    let (said, next) = reply(b"");
    assert_eq!((said["result"].as_str(), next), (Some("error"), None));
    assert!(said["message"].as_str().unwrap().contains("ask for it in parts"), "{said}");
}
