//! The figures of `docs/benchmarks.md`: release builds, peers in the same run, a table at the end.

mod assigned;
mod control;
mod edge;
mod figure;
mod flame;
mod http;
mod inprocess;
mod instance;
mod lattice;
mod load;
mod machine;
mod mesh;
mod parts;
mod python;
mod rounds;
mod safety;
mod server;

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::{
    guests,
    place::Places,
    process::{Interrupt, Interrupted},
    run,
    say::Story,
    setup,
    test::{self, Profile},
};
use figure::Figure;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these; all that measure something if none is named.
    #[arg(value_enum)]
    names: Vec<Name>,

    /// Rounds of each side, instead of each benchmark's own number; odd, so that one is in the middle.
    #[arg(long)]
    rounds: Option<usize>,

    /// How long one round of HTTP lasts, instead of each benchmark's own time.
    #[arg(long)]
    seconds: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Requests per second of one host, against `wasmtime serve` and a server without guests.
    Http,
    /// The same of a component in Python.
    Python,
    /// CPU time to make, call and drop one instance.
    Instance,
    /// What each safety feature costs.
    Safety,
    /// A call from one actor to another of the same process, as the caller sees it.
    Inprocess,
    /// HTTP to an actor that calls a second one on the same host, against HTTP to one.
    Chain,
    /// A call to another host, against a bare request and reply.
    Remote,
    /// HTTP through a host that has no instance, against one that has.
    Forward,
    /// One large body through two hosts, and the memory it takes.
    Stream,
    /// Good answers at five times the capacity.
    Overload,
    /// From `wattle app deploy` to the first answer.
    Deploy,
    /// From an assignment to the first answer, of components compiled before.
    Start,
    /// Memory of an idle host, and the size of the binary.
    Size,
    /// Thousands of idle actors on one host.
    Density,
    /// Memory of an idle host of the build for small machines, and the size of that binary.
    Edge,
    /// Hosts, leaders and NATS nodes that are killed, stopped or hang.
    Losses,
    /// Hundreds of hosts and thousands of instances under one controller.
    Large,
    /// One atomic batch of assignments.
    Commit,
    /// Draws flame graphs of the two hottest paths into docs/benchmarks.
    Flame,
}

/// What every benchmark needs.
#[derive(Clone)]
struct Bench<'a> {
    places: &'a Places,
    story: &'a Story,
    interrupt: &'a Interrupt,
    nats_server: PathBuf,
    guests: PathBuf,
    /// The release build of `wattle`.
    binary: PathBuf,
    options: &'a Options,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let figures = measure(places, story, &interrupt, options);
    if interrupt.was_asked() {
        return Err(Interrupted.into());
    }
    let figures = figures?;
    println!("\n{}\n\n{}", machine::facts(places)?, figure::table(&figures));
    let missed: Vec<&str> =
        figures.iter().filter(|figure| figure.missed).map(|figure| figure.what.as_str()).collect();
    ensure!(missed.is_empty(), "a goal was missed: {}", missed.join("; "));
    Ok(())
}

fn measure(
    places: &Places,
    story: &Story,
    interrupt: &Interrupt,
    options: &Options,
) -> Result<Vec<Figure>> {
    let tools = setup::run(places, story)?;
    let guests = guests::build(places, &tools, story)?;
    story.step("building the release; the first time this takes many minutes");
    let binary = test::wattle(places, Profile::Release)?;
    let nats_server = tools.nats_server;
    let bench = Bench { places, story, interrupt, nats_server, guests, binary, options };
    // What draws measures nothing, and changes files.
    let measuring = Name::value_variants().iter().filter(|name| **name != Name::Flame);
    let all: Vec<Name> = measuring.copied().collect();
    let mut figures = Vec::new();
    for name in if options.names.is_empty() { &all } else { &options.names } {
        let what = name.to_possible_value().map_or_else(String::new, |name| name.get_name().into());
        story.step(format_args!("{}", story.strong(format_args!("bench {what}"))));
        let measured = match name {
            Name::Http => http::measure(&bench),
            Name::Python => python::measure(&bench),
            Name::Instance => instance::measure(&bench),
            Name::Safety => safety::measure(&bench),
            Name::Inprocess => inprocess::measure(&bench),
            Name::Chain => mesh::chain(&bench),
            Name::Remote => mesh::remote(&bench),
            Name::Forward => mesh::forward(&bench),
            Name::Stream => mesh::stream(&bench),
            Name::Overload => mesh::overload(&bench),
            Name::Deploy => lattice::deploy(&bench),
            Name::Start => assigned::start(&bench),
            Name::Size => lattice::size(&bench),
            Name::Density => assigned::density(&bench),
            Name::Edge => edge::measure(&bench),
            Name::Losses => control::losses(&bench),
            Name::Large => control::large(&bench),
            Name::Commit => control::commit(&bench),
            Name::Flame => flame::draw(&bench),
        };
        figures.extend(measured.with_context(|| format!("bench {what}"))?);
    }
    Ok(figures)
}

impl Bench<'_> {
    /// One of the programs in `tests/bench`, built for release.
    fn program(&self, name: &str) -> Result<PathBuf> {
        let choice = ["build", "--release", "--package", "wattle-tests", "--bin", name];
        run::shown(self.places.cargo().args(choice))?;
        Ok(self.places.target.join("release").join(name))
    }

    /// What such a program says, as JSON.
    fn told(&self, program: &mut Command) -> Result<Value> {
        let said = self.story.waiting("measuring", || run::output(program))?;
        serde_json::from_str(&said).context("read what the benchmark says")
    }

    /// The same, of another build of `wattle`.
    fn with_binary(&self, binary: PathBuf) -> Self {
        Self { binary, ..self.clone() }
    }

    fn rounds(&self, by_itself: usize) -> usize {
        self.options.rounds.unwrap_or(by_itself)
    }

    fn seconds(&self, by_itself: u64) -> u64 {
        self.options.seconds.unwrap_or(by_itself)
    }
}
