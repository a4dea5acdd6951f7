//! What a person asks of one controller, whether it leads or not: how it is, and to let another
//! lead. `docs/protocol/controllers.md` has the messages.

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::warn;
use wattle_brain::apps::{Answer, Command};
use wattle_brain::report::Report;
use wattle_lattice::subject::ControllerOp;
use wattle_lattice::{Connection, Message, Pattern, PublishError, ReplyTo, Subject};
use wattle_tasks::Tasks;
use wattle_types::{AlarmReport, ControllerAnswer, ControllerReport, Token, stored};

use crate::mind::Letter;

/// One question to this controller.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) what: What,
    pub(crate) reply: ReplyTo,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Answered at once, from what is known.
    Report,
    /// Answered when it was decided.
    Command(Command),
    /// Not of this version.
    Unknown,
}

/// Listens from the start: who does not lead is asked too.
pub(crate) async fn open(
    connection: &Connection,
    name: &Token,
    mailbox: &mpsc::Sender<Letter>,
    tasks: &Tasks,
) -> Result<(), PublishError> {
    let own = Pattern::AskedOfController { name: name.clone() };
    for pattern in [Pattern::AskControllers, own] {
        let mut asked = connection.subscribe(&pattern).await?;
        let mailbox = mailbox.clone();
        tasks.spawn_essential("desk", |stop| async move {
            while let Some(Some(message)) = stop.run_until_cancelled(asked.next()).await {
                let Some(question) = read(message) else { continue };
                // Whoever hears nothing asks again.
                if mailbox.try_send(Letter::Question(question)).is_err() {
                    warn!("a question to this controller was dropped");
                }
            }
        });
    }
    Ok(())
}

/// A question, unless nobody waits for its answer.
fn read(message: Message) -> Option<Question> {
    let reply = message.reply?;
    let what = match message.subject {
        Subject::AskControllers => What::Report,
        Subject::Controller { op: ControllerOp::StepDown, .. } => What::Command(Command::StepDown),
        _ => What::Unknown,
    };
    Some(Question { what, reply })
}

pub(crate) fn report(report: Report) -> Bytes {
    let alarms = report.alarms.into_iter();
    let mut alarms: Vec<AlarmReport> =
        alarms.map(|(alarm, for_ms)| AlarmReport { message: alarm.to_string(), for_ms }).collect();
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.for_ms));
    let report = ControllerReport {
        v: stored::VERSION,
        name: report.name,
        version: report.version,
        boot: report.boot,
        leads: report.leads,
        holder: report.holder,
        epoch: report.epoch,
        followed: report.followed,
        wrote: report.wrote,
        canary: report.canary,
        batches_refused: report.batches_refused,
        hosts: report.hosts,
        api_taken: report.api_taken,
        alarms,
    };
    stored::encode(&report).into()
}

/// What was decided, in words.
pub(crate) fn words(answer: Answer) -> Bytes {
    let (done, message) = match answer {
        Answer::SteppedDown { epoch } => (true, format!("gave the lease back (epoch {epoch})")),
        Answer::NotFound(message)
        | Answer::Refused(message)
        | Answer::Unavailable(message)
        | Answer::Unknown(message)
        | Answer::NothingToDo(message) => (false, message),
        // Answers to applications; nobody asks for them here.
        _ => (false, "this controller answered something else".to_owned()),
    };
    stored::encode(&ControllerAnswer::new(done, message)).into()
}

pub(crate) fn unknown() -> Bytes {
    let message = "this controller does not know that question; its version may be older";
    stored::encode(&ControllerAnswer::new(false, message)).into()
}
