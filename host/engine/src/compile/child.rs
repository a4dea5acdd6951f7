//! The compile child: one component from standard input, its code to standard output, nothing else.
//!
//! It bounds itself before it reads a byte, by what it was told: address space, processor time, the
//! size of what it writes. It cannot outlive who waits for it, leaves no core file, gains no
//! privileges, and is what the system ends first when memory runs out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, nice, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::set_no_new_privs;

use super::ended::{MADE, REFUSED, SHORT};
use super::maker::{self, Unmade};
use super::task::Task;

/// Below everything that serves.
const NICE: i32 = 10;

/// Runs the child with the arguments that [`server::run`](super::server::run) gave it. To be called
/// before the process has threads.
pub fn run(args: &[String]) -> ExitCode {
    panic::set_hook(Box::new(|panic| say(panic)));
    let Some((parent, task)) = read(args) else {
        say("compile children are started by a host, not by people");
        return exit(REFUSED);
    };
    if let Err(error) = limit(parent, &task) {
        say(format_args!("the child could not be limited: {error}"));
        return exit(REFUSED);
    }
    match compile(&task) {
        Ok(()) => exit(MADE),
        Err(Unfinished::Unmade(Unmade::Threads(error))) => {
            say(error);
            exit(SHORT)
        }
        Err(error) => {
            say(error);
            exit(REFUSED)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error(transparent)]
    Unmade(#[from] Unmade),
    #[error("reading the component or writing the code failed: {0}")]
    Pipe(#[from] io::Error),
}

fn compile(task: &Task) -> Result<(), Unfinished> {
    let mut component = Vec::new();
    io::stdin().read_to_end(&mut component)?;
    let code = maker::make(task.engine, &component, task.threads)?;
    // Not through the standard library's, which looks for the ends of lines.
    let out = rustix::stdio::stdout().try_clone_to_owned()?;
    Ok(File::from(out).write_all(&code)?)
}

fn read(args: &[String]) -> Option<(Pid, Task)> {
    let (parent, words) = args.split_first()?;
    Some((Pid::from_raw(parent.parse().ok()?)?, Task::of_words(words)?))
}

fn limit(parent: Pid, task: &Task) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // It went before it could be noticed.
        return Err(io::Error::other("whoever waits for it has gone"));
    }
    set_no_new_privs(true)?;
    nice(NICE)?;
    // Not everywhere may a process say this of itself, and nothing depends on it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let processor = task.time_max.saturating_mul(task.threads.try_into().unwrap_or(u32::MAX));
    let limits = [
        (Resource::As, task.memory_bytes_max),
        // What it writes it also has in memory.
        (Resource::Fsize, task.memory_bytes_max),
        (Resource::Cpu, in_seconds(processor)),
        (Resource::Core, 0),
    ];
    for (resource, max) in limits {
        // What this machine allows at all may be less, and cannot be raised.
        let max = getrlimit(resource).maximum.map_or(max, |most| most.min(max));
        setrlimit(resource, Rlimit { current: Some(max), maximum: Some(max) })?;
    }
    Ok(())
}

/// Rounded up: the bound has no smaller unit, and the wall clock is exact.
fn in_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() != 0)
}

/// In one line: the last line is what the host shows.
fn say(words: impl std::fmt::Display) {
    let words = words.to_string().replace('\n', " ");
    // Without a standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "{words}");
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).expect("our codes are small"))
}
