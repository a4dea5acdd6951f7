//! Simulates many seeds and says how much that was; at the first one that breaks a promise it says
//! how, makes it smaller, and prints it as a test.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::json;
use wattle_sim::minimise::{Case, minimise};
use wattle_sim::seeds::{Tally, search};
use wattle_sim::{Options, Report};

const EXAMPLES: &str = "Examples:
  A thousand storms, on all cores
      wattle-sim --seeds 1000
  Seed 42 alone, with all that happened last if it breaks a promise
      wattle-sim --from 42 --seeds 1
  A thousand and one hosts, ten seconds of trouble
      wattle-sim --seeds 2 --hosts 1001 --storm 10
  For a program that reads it
      wattle-sim --seeds 100 -o json";

/// Simulates the control plane in storms: the shipped planner, brain and agent on a store and a
/// network where everything goes wrong that can. Exit code 1: a promise was broken.
#[derive(Debug, Parser)]
#[command(name = "wattle-sim", after_help = EXAMPLES)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Hosts of each run; two to six by the seed if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    hosts: Option<u16>,
    /// Controllers of each run; one to three by the seed if not given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    controllers: Option<u8>,
    /// How long things go wrong, in virtual seconds.
    #[arg(long, default_value_t = 60)]
    storm: u64,
    /// As many as the machine has cores if not given.
    #[arg(long)]
    threads: Option<usize>,
    /// Do not look for a smaller run that breaks the same promise.
    #[arg(long)]
    as_found: bool,
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        hosts: arguments.hosts.map(usize::from),
        controllers: arguments.controllers.map(usize::from),
        storm_ms: arguments.storm * 1_000,
        ..Options::default()
    };
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or_else(cores).max(1);
    let begin = Instant::now();
    let mut progress = Progress::new(arguments.seeds, begin);
    let seeds = arguments.from..arguments.from + arguments.seeds;
    let (tally, first) = search(seeds, &options, threads, |tally| progress.show(tally));
    progress.clear();
    let summary = Summary::of(&tally, begin.elapsed(), threads);
    let smaller = first.as_ref().filter(|_| !arguments.as_found);
    let smaller = smaller.and_then(|report| minimise(&Case::of(report, &options)));
    match arguments.output {
        Output::Text => tell(&summary, first.as_ref(), smaller.as_ref()),
        Output::Json => println!("{}", json(&summary, first.as_ref(), smaller.as_ref())),
    }
    if first.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A line on a terminal that says how far it is.
struct Progress {
    seeds: u64,
    begin: Instant,
    shown: Option<Instant>,
    seen: bool,
}

impl Progress {
    /// Often enough to see that it goes on.
    const EACH: Duration = Duration::from_millis(200);

    fn new(seeds: u64, begin: Instant) -> Self {
        Self { seeds, begin, shown: None, seen: stderr().is_terminal() }
    }

    fn show(&mut self, tally: &Tally) {
        if !self.seen || self.shown.is_some_and(|shown| shown.elapsed() < Self::EACH) {
            return;
        }
        self.shown = Some(Instant::now());
        let rate = per(tally.seeds, self.begin.elapsed().as_secs_f64());
        let (done, all) = (tally.seeds, self.seeds);
        // Whoever closed it does not read any more; the work goes on.
        let _ = write!(stderr().lock(), "\r\x1b[K{done} of {all} seeds, {rate:.1} a second");
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}

/// What was simulated, and what it took.
struct Summary {
    seeds: u64,
    steps: u64,
    host_hours: f64,
    /// The time it took, for each thread.
    core_hours: f64,
    seconds: f64,
    findings: Vec<String>,
}

impl Summary {
    fn of(tally: &Tally, elapsed: Duration, threads: usize) -> Self {
        let seconds = elapsed.as_secs_f64();
        Self {
            seeds: tally.seeds,
            steps: tally.steps,
            host_hours: tally.host_ms as f64 / 3_600_000.0,
            core_hours: seconds * threads as f64 / 3_600.0,
            seconds,
            findings: tally
                .findings
                .iter()
                .map(|(finding, seed)| format!("{finding:?} at seed {seed}"))
                .collect(),
        }
    }

    fn host_hours_per_core_hour(&self) -> f64 {
        self.host_hours / self.core_hours
    }

    fn seeds_per_second(&self) -> f64 {
        per(self.seeds, self.seconds)
    }
}

fn per(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn tell(summary: &Summary, first: Option<&Report>, smaller: Option<&Case>) {
    if let Some(report) = first {
        println!("{report}");
    }
    if let Some(case) = smaller {
        println!("Smaller, as a test for control-plane/sim/tests:\n\n{}", case.test());
    }
    let Summary { seeds, steps, host_hours, core_hours, .. } = summary;
    println!("seeds                     {seeds}");
    println!("steps                     {steps}");
    println!("virtual host-hours        {host_hours:.1}");
    println!("core-hours                {core_hours:.4}");
    println!("host-hours per core-hour  {:.0}", summary.host_hours_per_core_hour());
    println!("seeds per second          {:.1}", summary.seeds_per_second());
    for finding in &summary.findings {
        println!("known and not repaired    {finding}");
    }
    println!("{}", if first.is_some() { "a promise was broken" } else { "every promise was kept" });
}

fn json(summary: &Summary, first: Option<&Report>, smaller: Option<&Case>) -> serde_json::Value {
    let failure = first.and_then(|report| {
        let violation = report.violation.as_ref()?;
        Some(json!({
            "seed": report.seed,
            "property": format!("{:?}", violation.property),
            "at_ms": violation.at_ms,
            "message": violation.message,
            "test": smaller.map(Case::test),
        }))
    });
    json!({
        "seeds": summary.seeds,
        "steps": summary.steps,
        "virtual_host_hours": summary.host_hours,
        "core_hours": summary.core_hours,
        "host_hours_per_core_hour": summary.host_hours_per_core_hour(),
        "seeds_per_second": summary.seeds_per_second(),
        "known_defects": summary.findings,
        "failure": failure,
    })
}
