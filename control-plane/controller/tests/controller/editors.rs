//! People who change one application at a time.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::headers;
use wattle_lattice::{Reply, Subject};
use wattle_trust::KeyPair;
use wattle_trust::signed::{self, Context};
use wattle_types::{Edit, Role, stored};

use crate::lattice::{Lattice, manifest, name, read};

pub(crate) struct Person(KeyPair);

impl Person {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate(Role::User).unwrap())
    }

    fn header(&self, lattice: &Lattice, op: &AppSubject, body: &[u8], base: Option<u64>) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let unix_ms = u64::try_from(since.as_millis()).unwrap();
        let edit = Edit::new(lattice.id.clone(), &op.to_string(), body, base, unix_ms);
        Edit::to_header(&signed::seal(Context::Edit, &stored::encode(&edit), &self.0))
    }

    /// Asks for a change, having seen so many.
    pub(crate) async fn ask(
        &self,
        lattice: &Lattice,
        op: AppSubject,
        body: &str,
        base: Option<u64>,
    ) -> Reply {
        let header = self.header(lattice, &op, body.as_bytes(), base);
        asked(lattice, op, body, &header).await
    }
}

async fn asked(lattice: &Lattice, op: AppSubject, body: &str, header: &str) -> Reply {
    lattice.asked(&Subject::App(op), &[(headers::EDIT, header)], body.to_owned()).await
}

fn said(reply: &Reply) -> Value {
    read(reply)
}

#[tokio::test]
async fn two_people_who_edit_one_application_are_told_of_each_other() {
    let lattice = Lattice::start().await;
    let _controller = lattice.controller("c1");
    let (one, other) = (Person::new(), Person::new());
    let text = |version| manifest("shop", version, "");

    let first = one.ask(&lattice, AppSubject::Put, &text("v1"), None).await;
    assert_eq!(said(&first)["result"], "created", "{first:?}");
    assert_eq!(first.headers.get(headers::CHANGE), Some("1"));
    assert_eq!(first.headers.get(headers::CONTROLLER), Some("c1"));
    let second = other.ask(&lattice, AppSubject::Put, &text("v2"), Some(1)).await;
    assert_eq!(said(&second)["result"], "newversion", "{second:?}");

    let late = one.ask(&lattice, AppSubject::Put, &text("v3"), Some(1)).await;
    let message = format!("someone changed it: revision 2 by {}", other.0.public());
    assert_eq!(said(&late)["message"], message.as_str());
    assert_eq!(late.headers.get(headers::CONFLICT), Some("2"));
    // Whoever looked goes on, and who does not say what they saw is not asked.
    let again = one.ask(&lattice, AppSubject::Put, &text("v3"), Some(2)).await;
    assert_eq!(said(&again)["result"], "newversion", "{again:?}");
    let deploy = AppSubject::Deploy { app: name("shop") };
    let unsigned: Value = lattice.ask(deploy, "").await;
    assert_eq!(unsigned["result"], "acknowledged", "{unsigned}");
    let undeploy = AppSubject::Undeploy { app: name("shop") };
    let late = one.ask(&lattice, undeploy, "", Some(3)).await;
    let message = said(&late)["message"].clone();
    assert_eq!(message, "someone changed it: revision 3 by somebody without a key");
}

#[tokio::test]
async fn a_signature_for_another_request_is_refused_and_changes_nothing() {
    let lattice = Lattice::start().await;
    let _controller = lattice.controller("c1");
    let person = Person::new();
    let text = manifest("shop", "v1", "");
    let header = person.header(&lattice, &AppSubject::Put, text.as_bytes(), None);
    let other = manifest("blog", "v1", "");
    let refused = said(&asked(&lattice, AppSubject::Put, &other, &header).await);
    assert_eq!(refused["result"], "error", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("another body"), "{refused}");
    let delete = AppSubject::Delete { app: name("blog") };
    let refused = said(&asked(&lattice, delete, &text, &header).await);
    assert!(refused["message"].as_str().unwrap().contains("signed as model.put"), "{refused}");
    let listed: Value = lattice.ask(AppSubject::List, "").await;
    assert_eq!(listed, serde_json::json!([]));
}

#[tokio::test]
async fn a_history_comes_in_parts_and_a_rollback_deploys_what_ran_before() {
    let lattice = Lattice::start().await;
    let _controller = lattice.controller("c1");
    let person = Person::new();
    for version in ["v1", "v2", "v3"] {
        person.ask(&lattice, AppSubject::Put, &manifest("shop", version, ""), None).await;
        let deploy = AppSubject::Deploy { app: name("shop") };
        assert_eq!(said(&person.ask(&lattice, deploy, "", None).await)["result"], "acknowledged");
    }
    let rollback = AppSubject::Rollback { app: name("shop") };
    let back: Value = lattice.ask(rollback, "").await;
    assert_eq!((&back["result"], &back["version"]), (&"acknowledged".into(), &"v2".into()));

    let (mut told, mut page) = (Vec::new(), None::<String>);
    loop {
        let history = AppSubject::History { app: name("shop") };
        let body = serde_json::json!({"limit": 2, "page": page}).to_string();
        let part = person.ask(&lattice, history, &body, None).await;
        for of in said(&part)["revisions"].as_array().unwrap() {
            assert_eq!(of["by"], person.0.public().to_string(), "{of}");
            told.push((of["version"].as_str().unwrap().to_owned(), of["deployed"] == true));
        }
        page = part.headers.get(headers::NEXT).map(str::to_owned);
        if page.is_none() {
            break;
        }
    }
    let told: Vec<(&str, bool)> = told.iter().map(|(of, runs)| (of.as_str(), *runs)).collect();
    assert_eq!(told, [("v1", false), ("v2", true), ("v3", false)]);
    let none = AppSubject::History { app: name("none") };
    let none: Value = lattice.ask(none, "").await;
    assert_eq!(none["result"], "notfound", "{none}");
}
