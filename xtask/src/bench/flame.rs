//! Flame graphs of the two hottest paths, drawn into `docs/benchmarks`: a request to a fresh instance, and one whose
//! actor calls another on the same host.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, ensure};

use super::{
    Bench,
    figure::Figure,
    load::Generator,
    parts::{self, Part},
};
use crate::{local::LocalLattice, run};

const HOST: &str = "alone";
const HOSTS: &[(&str, &str)] = &[(HOST, HOST)];
const PARTS: [Part; 3] = [
    Part::new("http-hello", HOST).at("/hello"),
    Part::new("relay", HOST).at("/bytes").linked_to("echo"),
    Part::new("echo", HOST),
];

/// The file's name, what it shows, and what is asked for meanwhile.
const GRAPHS: [(&str, &str, &str); 2] = [
    ("fresh-hello", "wattle: hello over HTTP, a fresh instance for each request", "/hello"),
    ("in-process-call", "wattle: HTTP to an actor that calls a second one", "/bytes?n=16"),
];

const SECONDS: u64 = 10;
const WARM_UP_SECONDS: u64 = 2;
/// Samples per second; not a round number, so that nothing periodic is in step with it.
const FREQUENCY: &str = "999";
/// As large as a graph may be that is kept in the repository.
const BYTES_MAX: u64 = 300_000;

pub(super) fn draw(bench: &Bench<'_>) -> Result<Vec<Figure>> {
    let perf = run::on_path("perf").context(
        "perf is missing; it is the package linux-perf of Debian and linux-tools of others",
    )?;
    let flame = bench.program("bench-flame")?;
    let generator = Generator::find(bench)?;
    let bench = &bench.with_binary(with_frame_pointers(bench)?);
    let lattice = parts::deployed(bench, HOSTS, &[], &PARTS)?;
    let folder = bench.places.root.join("docs/benchmarks");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for (name, title, path) in GRAPHS {
        let url = format!("http://{}{path}", lattice.listener(HOST)?);
        generator.round(&url, WARM_UP_SECONDS)?;
        let samples = recorded(bench, &lattice, &perf, (&generator, &url))?;
        let graph = folder.join(format!("{name}.svg"));
        drawn(&perf, &flame, (samples.path(), title), &graph)?;
        let bytes = fs::metadata(&graph)?.len();
        ensure!(bytes < BYTES_MAX, "{} has {bytes} bytes", graph.display());
        bench.story.step(format_args!("drew {} ({} kB)", graph.display(), bytes / 1000));
    }
    lattice.stop(bench.story)?;
    Ok(Vec::new())
}

/// The release with one register less: by its frame pointers a stack is followed through the guest's code, which no
/// debugger knows, at the price of a copy of the stack for each sample otherwise.
fn with_frame_pointers(bench: &Bench<'_>) -> Result<PathBuf> {
    bench
        .story
        .step("building the release with frame pointers; the first time this takes many minutes");
    let target = bench.places.target.join("flame");
    let mut cargo = bench.places.cargo();
    cargo.args(["build", "--release", "--package", "wattle", "--bin", "wattle", "--target-dir"]);
    cargo.arg(&target).env("RUSTFLAGS", "-Cforce-frame-pointers=yes");
    run::shown(&mut cargo)?;
    Ok(target.join("release/wattle"))
}

/// Where the host was while it was asked as often as it can answer.
fn recorded(
    bench: &Bench<'_>,
    lattice: &LocalLattice,
    perf: &Path,
    (generator, url): (&Generator, &str),
) -> Result<tempfile::NamedTempFile> {
    let samples = tempfile::NamedTempFile::new().context("make a file for samples")?;
    let seconds = bench.seconds(SECONDS);
    let pid = lattice.pid(HOST)?.to_string();
    let mut record = Command::new(perf);
    record.args(["record", "--freq", FREQUENCY, "--call-graph", "fp", "--pid", &pid]);
    record.arg("--output").arg(samples.path()).args(["--", "sleep", &seconds.to_string()]);
    let recorded = thread::scope(|scope| {
        // A second more: a host that is idle at the end of the recording is no part of it.
        let asking = scope.spawn(|| generator.round(url, seconds + 1));
        let recorded = bench.story.waiting("recording", || run::output(&mut record));
        let asked = asking.join().expect("asking does not panic");
        asked.and(recorded)
    });
    recorded.map(|_| samples)
}

fn drawn(perf: &Path, flame: &Path, (samples, title): (&Path, &str), graph: &Path) -> Result<()> {
    let mut script = Command::new(perf);
    script.arg("script").arg("--input").arg(samples).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut script = script.spawn().context("start perf script")?;
    let stacks = script.stdout.take().context("perf script says something")?;
    let to = File::create(graph).with_context(|| format!("write {}", graph.display()))?;
    let drawn = Command::new(flame).arg(title).stdin(stacks).stdout(to).status();
    ensure!(drawn.context("start bench-flame")?.success(), "the graph could not be drawn");
    ensure!(script.wait()?.success(), "perf script failed");
    Ok(())
}
