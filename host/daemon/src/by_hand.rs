//! Components started, scaled, updated and stopped by hand, in the words of the 1.x clients.
//!
//! *Expected flow*: a command is acknowledged as soon as it is durable; what becomes of it is told
//! in events. *Guarantees*: commands of one subscription are begun in their order. *Errors*: words
//! in the reply, and nothing was done; what may be done is decided by `wattle-agent`.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wattle_agent::{Answer, Command, Start};
use wattle_lattice::ctl::{self, Accepted, ScaleComponent, UpdateComponent};
use wattle_lattice::subject::ControlSubject;
use wattle_lattice::{Connection, Message, Subject, Subscription};
use wattle_tasks::{CancellationToken, Chain};
use wattle_types::{ActorSpec, ConfigName, Life};

use crate::mailbox::Mailbox;

/// Commands worked on at once; more wait in the subscription.
const AT_ONCE: usize = 64;

/// Answers from one subscription, until `stop`.
pub(crate) async fn serve(
    connection: Connection,
    mailbox: Mailbox,
    mut commands: Subscription,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let under_way = TaskTracker::new();
    while let Some(Some(message)) = stop.run_until_cancelled(commands.next()).await {
        let place = places.clone().acquire_owned().await;
        let place = place.expect("the semaphore of commands is never closed");
        let given = match command(&message) {
            Ok(Some(command)) => Ok(mailbox.command(command).await),
            Ok(None) => Err(Accepted::unsupported()),
            Err(why) => Err(Accepted::refused(why)),
        };
        let connection = connection.clone();
        let answer = async move {
            let answer = match given {
                Ok(answer) => match answer.await {
                    Ok(Answer::Done { message }) => Accepted::accepted(message),
                    Ok(Answer::Denied(denial)) => Accepted::refused(denial.to_string()),
                    Err(_) => Accepted::refused("this host has ended"),
                },
                Err(refused) => refused,
            };
            drop(place);
            let Some(to) = &message.reply else { return };
            if let Err(error) = connection.respond(to, ctl::encode(&answer)).await {
                tracing::warn!(%error, "a command could not be answered");
            }
        };
        under_way.spawn(answer.in_current_span());
    }
    under_way.close();
    under_way.wait().await;
}

/// What a message asks for; none: nothing that this version knows.
fn command(message: &Message) -> Result<Option<Command>, String> {
    let said = |error| Chain(&error).to_string();
    match &message.subject {
        Subject::Control(ControlSubject::ComponentScale { .. }) => {
            scale(ctl::decode_command(&message.payload).map_err(said)?).map(Some)
        }
        Subject::Control(ControlSubject::ComponentUpdate { .. }) => {
            update(ctl::decode_command(&message.payload).map_err(said)?).map(Some)
        }
        _ => Ok(None),
    }
}

fn scale(asked: ScaleComponent) -> Result<Command, String> {
    let id = name("component_id", &asked.component_id)?;
    if asked.component_limits.is_some_and(|limits| !limits.is_empty()) {
        return Err("component_limits are set in a manifest only".to_owned());
    }
    let (image, annotations) = (asked.component_ref, asked.annotations.unwrap_or_default());
    if asked.count == 0 {
        let image = Some(image).filter(|image| !image.is_empty());
        return Ok(Command::Stop { id, image, annotations });
    }
    if image.is_empty() {
        return Ok(Command::Scale { id, count: asked.count });
    }
    let names = asked.config.iter().map(|raw| name("config", raw));
    let config_from = names.collect::<Result<Vec<ConfigName>, _>>()?;
    let life = Life::of(&annotations);
    Ok(Command::Start(Start {
        spec: Box::new(ActorSpec { config_from, ..ActorSpec::new(id, image) }),
        count: asked.count,
        life,
        annotations,
        // A manager that names another image means it, and would stop and start otherwise.
        replace: asked.allow_update || life == Life::Session,
    }))
}

fn update(asked: UpdateComponent) -> Result<Command, String> {
    let id = name("component_id", &asked.component_id)?;
    if asked.new_component_ref.is_empty() {
        return Err("new_component_ref is empty".to_owned());
    }
    let (image, annotations) = (asked.new_component_ref, asked.annotations);
    Ok(Command::Update { id, image, annotations })
}

fn name<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, raw: &str) -> Result<T, String> {
    raw.parse().map_err(|why| format!("{field} {raw:?}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn asked() -> ScaleComponent {
        ScaleComponent {
            component_ref: "file:///web.wasm".to_owned(),
            component_id: "web".to_owned(),
            annotations: None,
            count: 3,
            component_limits: None,
            host_id: String::new(),
            config: vec!["settings".to_owned()],
            allow_update: false,
        }
    }

    fn started(asked: ScaleComponent) -> Start {
        match scale(asked).unwrap() {
            Command::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_scale_starts_and_says_how_long_it_is_for() {
        let start = started(asked());
        assert_eq!((start.spec.id.as_str(), start.count, start.life), ("web", 3, Life::Manual));
        assert_eq!(start.spec.image, "file:///web.wasm");
        assert_eq!(start.spec.config_from, ["settings".parse().unwrap()]);
        assert!(start.spec.app.is_none() && !start.replace);
        let managed = BTreeMap::from([(Life::MANAGED_BY.to_owned(), "wadm".to_owned())]);
        let start = started(ScaleComponent { annotations: Some(managed.clone()), ..asked() });
        assert_eq!((start.life, start.replace, start.annotations), (Life::Session, true, managed));
        assert!(started(ScaleComponent { allow_update: true, ..asked() }).replace);
    }

    #[test]
    fn a_scale_to_nothing_stops_and_one_without_a_component_only_counts() {
        let stop = scale(ScaleComponent { count: 0, ..asked() }).unwrap();
        let Command::Stop { image, .. } = stop else { panic!("{stop:?}") };
        assert_eq!(image.as_deref(), Some("file:///web.wasm"));
        let count = scale(ScaleComponent { component_ref: String::new(), ..asked() }).unwrap();
        assert_eq!(count, Command::Scale { id: "web".parse().unwrap(), count: 3 });
    }

    #[test]
    fn what_is_no_name_or_not_kept_is_refused() {
        let limits = BTreeMap::from([("max_memory_limit".to_owned(), "1".to_owned())]);
        for (asked, words) in [
            (ScaleComponent { component_id: "a.b".to_owned(), ..asked() }, "component_id \"a.b\""),
            (ScaleComponent { config: vec!["a b".to_owned()], ..asked() }, "config \"a b\""),
            (ScaleComponent { component_limits: Some(limits), ..asked() }, "component_limits"),
        ] {
            let error = scale(asked).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
