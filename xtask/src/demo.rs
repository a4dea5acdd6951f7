//! The main job on one machine: a signed component, placed by a manifest, serves requests from a lattice,
//! and goes on when the host that runs it dies.
//!
//! It owns the story and its deadlines; the processes belong to [`crate::local`].

use std::{
    env,
    net::SocketAddr,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    guests,
    http::{self, Answer},
    local::{LocalLattice, THREE_HOSTS},
    place::Places,
    process::{Interrupt, Interrupted, Look},
    say::Story,
    setup,
    test::{self, Profile},
};

/// The example's crate, and the application of its manifest.
const EXAMPLE: &str = "http-counter";

/// What visitors ask for; each path has a count of its own.
const PATH: &str = "/hello";

/// A cold start compiles the component; on a small machine that takes seconds.
const PLACED_WITHIN: Duration = Duration::from_secs(60);

/// Detection takes about two seconds and the new start a few milliseconds; more than this is a failure.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// One request never hangs longer than this, so that the next one shows what changed.
const ONE_REQUEST: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Does not wait for a person: kills the host that runs the actor, and fails unless requests are
    /// answered again and the count goes on.
    #[arg(long)]
    check: bool,

    /// Builds and runs the release profile.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let prepared = prepare(places, story, options);
    if interrupt.was_asked() {
        return Err(Interrupted.into());
    }
    let (nats_server, component, binary) = prepared?;
    let manifest = places.root.join("examples").join(EXAMPLE).join("wattle.yaml");
    let mut local = LocalLattice::prepare(&binary, THREE_HOSTS, story)?;
    let told = local
        .start(&nats_server, &places.root.join("deploy/nats/local.conf"), story, &interrupt)
        .and_then(|()| local.sign(&component, &manifest, story))
        .and_then(|manifest| local.deploy(&manifest, story))
        .and_then(|()| tell(&mut local, story, &interrupt, options));
    if told.is_err() && !interrupt.was_asked() {
        local.explain(story);
    }
    let stopped = local.stop(story);
    match told {
        // A Ctrl-C also ends what we had started at that moment, which then fails.
        Err(_) if interrupt.was_asked() => Err(Interrupted.into()),
        told => told.and(stopped),
    }
}

/// nats-server, the component, and the binary.
fn prepare(
    places: &Places,
    story: &Story,
    options: &Options,
) -> Result<(PathBuf, PathBuf, PathBuf)> {
    let tools = setup::run(places, story)?;
    let component = guests::build(places, &tools, story)?.join(format!("{EXAMPLE}.wasm"));
    ensure!(component.is_file(), "examples/{EXAMPLE} did not give {}", component.display());
    let binary = match env::var_os("WATTLE_BIN").filter(|_| !options.release) {
        Some(named) => PathBuf::from(named),
        None => {
            story.step("building the binary; the first time this takes minutes");
            test::wattle(places, if options.release { Profile::Release } else { Profile::Dev })?
        }
    };
    Ok((tools.nats_server, component, binary))
}

/// A listener of a host that does not run the actor: whoever asks there is forwarded.
#[derive(Clone, Debug)]
struct Door {
    host: String,
    address: SocketAddr,
}

fn tell(
    local: &mut LocalLattice,
    story: &Story,
    interrupt: &Interrupt,
    options: &Options,
) -> Result<()> {
    let placed =
        interrupt.wait_for("the actor to be placed", PLACED_WITHIN, || local.placed(EXAMPLE))?;
    story.good(format_args!("the actor runs on {} (zone={})", placed.on.name, placed.on.zone));
    let (other, address) = placed.elsewhere;
    let door = Door { host: other.name, address };
    story.step(format_args!("asking {}, which does not run it, for {PATH}", door.host));
    let mut count = 0;
    for _ in 0..3 {
        let next = next_count(&door, story, interrupt, PLACED_WITHIN)?;
        ensure!(count < next, "the count went from {count} to {next}");
        count = next;
    }
    if options.check {
        outlive(local, story, interrupt, &placed.on.name, &door, count)
    } else {
        wait(local, story, interrupt, &placed.on.name, &door)
    }
}

/// Kills the host that runs the actor, and waits until another answers in its place.
fn outlive(
    local: &mut LocalLattice,
    story: &Story,
    interrupt: &Interrupt,
    victim: &str,
    door: &Door,
    before: u64,
) -> Result<()> {
    local.kill(victim)?;
    let killed = Instant::now();
    story.step(format_args!("killed {victim} with SIGKILL"));
    let after = next_count(door, story, interrupt, BACK_WITHIN)?;
    let took = killed.elapsed().as_secs_f64();
    ensure!(before < after, "the count was {before} before the kill and is {after} after it");
    story.good(format_args!(
        "answered again after {took:.2} s; the count went on from {before} to {after}"
    ));
    let placed = interrupt.wait_for("the new place", PLACED_WITHIN, || local.placed(EXAMPLE))?;
    story.good(format_args!("the actor runs on {} (zone={})", placed.on.name, placed.on.zone));
    Ok(())
}

/// Shows what to try, until Ctrl-C.
fn wait(
    local: &mut LocalLattice,
    story: &Story,
    interrupt: &Interrupt,
    running: &str,
    door: &Door,
) -> Result<()> {
    let url = format!("http://{}{PATH}", door.address);
    story.good(format_args!("it serves: {}", story.strong(&url)));
    story.detail("try, in another terminal:");
    story.detail(format_args!("  curl {url}"));
    story.detail(format_args!("  {}", local.wattle().line(&["app", "status", EXAMPLE])));
    story.detail(format_args!("  kill -9 {}   # {running}; then ask again", local.pid(running)?));
    story.step("Ctrl-C ends everything");
    while !interrupt.was_asked() {
        for (name, status) in local.newly_ended() {
            story.bad(format_args!("{name} ended: {status}"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The count of the next request that is answered with 200.
fn next_count(
    door: &Door,
    story: &Story,
    interrupt: &Interrupt,
    patience: Duration,
) -> Result<u64> {
    let answer = interrupt.wait_for("an answer with status 200", patience, || {
        Ok(match http::get(door.address, PATH, ONE_REQUEST) {
            Ok(answer) if answer.status == 200 => Look::Met(answer),
            Ok(Answer { status, body }) => Look::NotYet(format!("{status}: {}", body.trim())),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    })?;
    story.detail(format_args!("200: {}", answer.body.trim()));
    count(&answer.body).with_context(|| format!("the answer has no count: {:?}", answer.body))
}

/// The last number in an answer; the example writes its count there.
fn count(body: &str) -> Option<u64> {
    body.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_last_number_of_an_answer() {
        for (body, expected) in [
            ("/hello: 7 visits\n", Some(7)),
            ("{\"path\":\"/2\",\"visits\":12}", Some(12)),
            ("none", None),
            ("", None),
        ] {
            assert_eq!(count(body), expected, "{body}");
        }
    }
}
