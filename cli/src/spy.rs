//! `wattle spy`: calls by and to an actor, as they happen, also those that never leave a host.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wattle_lattice::signal::{SpyEvent, SpyRequest};
use wattle_lattice::{Pattern, Subject};
use wattle_types::ActorId;

use crate::lattice::{Lattice, LatticeArgs};
use crate::output::{Format, OutputArgs, complain, line};
use crate::process;

/// Show calls by and to an actor as they happen, wherever they go; never what is in them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wattle spy shop-orders                 until Ctrl-C
  wattle spy shop-orders -o json         one object a line, for scripts
  wattle spy shop-orders --count 10      the next ten calls

Only whoever may read this lattice's NATS subjects can spy. Arguments and results are not shown.")]
pub(crate) struct Args {
    /// The actor's id, such as `APPLICATION-COMPONENT`.
    id: ActorId,
    /// End after so many calls.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    lattice: LatticeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Hosts tell for so long after they were asked, so one that spies asks again in time. When it is
/// killed they soon stop.
const TELL_FOR: Duration = Duration::from_secs(6);
const ASK_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: Args) -> Result<()> {
    let lattice = args.lattice.connect().await?;
    let stop = process::stop_on_signal()?;
    let watched = stop.run_until_cancelled(watch(&lattice, &args)).await;
    watched.unwrap_or(Ok(()))
}

async fn watch(lattice: &Lattice, args: &Args) -> Result<()> {
    let connection = &lattice.connection;
    let pattern = Pattern::SpiedOf { actor: args.id.clone() };
    let mut told = connection.subscribe(&pattern).await.context("could not listen")?;
    let colours = std::io::stdout().is_terminal();
    let mut left = args.count;
    let mut asking = tokio::time::interval(ASK_EVERY);
    complain(format_args!("watching the calls by and to {} (Ctrl-C ends it)", args.id));
    loop {
        if left == Some(0) {
            return Ok(());
        }
        tokio::select! {
            _ = asking.tick() => ask(lattice, &args.id).await,
            message = told.next() => {
                let Some(message) = message else { bail!("the connection to NATS was closed") };
                // What is malformed comes from somebody else.
                let Ok(event) = SpyEvent::decode(&message.payload) else { continue };
                match args.output.output {
                    Format::Text => line(text(&event, colours)),
                    Format::Json => line(serde_json::to_string(&event)?),
                }
                left = left.map(|left| left - 1);
            }
        }
    }
}

/// Asks every host to tell. While the connection is lost nobody can be asked; the next time will do.
async fn ask(lattice: &Lattice, id: &ActorId) {
    let for_ms = u64::try_from(TELL_FOR.as_millis()).unwrap_or(u64::MAX);
    let request = SpyRequest::new(id.clone(), for_ms);
    let _ = lattice.connection.publish(&Subject::AskSpy, request.encode()).await;
}

/// `12:03:44.017 web -> orders acme:shop/orders.list ok 120 µs in-process 12 B in, 340 B out`
fn text(event: &SpyEvent, colours: bool) -> String {
    let caller = event.caller.as_ref().map_or("outside", ActorId::as_str);
    let what = printable(&event.what);
    let outcome = match event.code.as_str() {
        "" => printable(&event.outcome),
        code => printable(&format!("{} {code}", event.outcome)),
    };
    let outcome = match (colours, event.outcome.as_str()) {
        (false, _) => outcome,
        (true, "ok") => format!("\x1b[32m{outcome}\x1b[0m"),
        (true, _) => format!("\x1b[31m{outcome}\x1b[0m"),
    };
    format!(
        "{} {caller} -> {} {} {outcome} {} µs {} {} B in, {} B out",
        time_of_day(event.at_unix_ms),
        event.callee,
        what,
        event.micros,
        event.way.as_str(),
        event.bytes_in,
        event.bytes_out,
    )
}

/// Whoever may publish in the lattice may say anything here; not to the terminal, though.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// UTC, as in the logs.
fn time_of_day(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1_000, unix_ms % 1_000);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{ms:03}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use wattle_lattice::signal::Way;
    use wattle_types::{PublicKey, Role};

    use super::*;

    fn event(outcome: &str, code: &str) -> SpyEvent {
        SpyEvent {
            v: 1,
            host: PublicKey::new(Role::Server, [7; 32]).try_into().unwrap(),
            at_unix_ms: 1_790_000_000_017,
            caller: Some("web".parse().unwrap()),
            callee: "orders".parse().unwrap(),
            what: "acme:shop/orders.list".to_owned(),
            way: Way::InProcess,
            outcome: outcome.to_owned(),
            code: code.to_owned(),
            micros: 120,
            bytes_in: 12,
            bytes_out: 340,
        }
    }

    #[test]
    fn a_call_is_one_line_with_colours_only_where_they_are_seen() {
        assert_eq!(
            text(&event("ok", ""), false),
            "14:13:20.017 web -> orders acme:shop/orders.list ok 120 µs in-process 12 B in, 340 B out"
        );
        let forged = text(&event("ok\x1b[2J", "\n"), false);
        assert!(!forged.contains(char::is_control), "{forged:?}");
        let failed = event("failed", "WT-ENGINE-TRAP");
        assert!(text(&failed, false).contains(" failed WT-ENGINE-TRAP 120"));
        assert!(text(&failed, true).contains("\x1b[31mfailed WT-ENGINE-TRAP\x1b[0m"));
    }
}
