//! The figures of `docs/benchmarks.md`: release builds, peers in the same run, a table at the end.

mod figure;
mod http;
mod instance;
mod lattice;
mod load;
mod machine;
mod mesh;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

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
    /// Only these; all of them if none is named.
    #[arg(value_enum)]
    names: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Requests per second of one host, against `wasmtime serve`.
    Http,
    /// CPU time to make, call and drop one instance.
    Instance,
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
    /// Memory of an idle host, and the size of the binary.
    Size,
    /// From SIGKILL of a host to the next answer.
    Failover,
}

/// What every benchmark needs.
struct Bench<'a> {
    places: &'a Places,
    story: &'a Story,
    interrupt: &'a Interrupt,
    nats_server: PathBuf,
    guests: PathBuf,
    /// The release build of `wattle`.
    binary: PathBuf,
}

pub(crate) fn run(places: &Places, story: &Story, options: &Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let figures = measure(places, story, &interrupt, &options.names);
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
    names: &[Name],
) -> Result<Vec<Figure>> {
    let tools = setup::run(places, story)?;
    let guests = guests::build(places, &tools, story)?;
    story.step("building the release; the first time this takes many minutes");
    let binary = test::wattle(places, Profile::Release)?;
    let nats_server = tools.nats_server;
    let bench = Bench { places, story, interrupt, nats_server, guests, binary };
    let all = Name::value_variants();
    let mut figures = Vec::new();
    for name in if names.is_empty() { all } else { names } {
        let what = name.to_possible_value().map_or_else(String::new, |name| name.get_name().into());
        story.step(format_args!("{}", story.strong(format_args!("bench {what}"))));
        let measured = match name {
            Name::Http => http::measure(&bench),
            Name::Instance => instance::measure(&bench),
            Name::Chain => mesh::chain(&bench),
            Name::Remote => mesh::remote(&bench),
            Name::Forward => mesh::forward(&bench),
            Name::Stream => mesh::stream(&bench),
            Name::Overload => mesh::overload(&bench),
            Name::Deploy => lattice::deploy(&bench),
            Name::Size => lattice::size(&bench),
            Name::Failover => lattice::failover(&bench),
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
}
