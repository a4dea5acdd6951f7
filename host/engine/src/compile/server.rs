//! The process that starts compile children: small, single-minded, and begun before the host gives
//! up being able to start programs.
//!
//! It reads tasks from a socket on standard input, each with four descriptors: where to answer, the
//! component, the file for the code, and the file for what the child says. It ends with the host, and
//! with it all children; a child ends as well when whoever asked has closed the socket for the answer.

use std::fs::{self, File};
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::ended::Ended;
use super::task::Task;

/// Longer than any task.
const MESSAGE_BYTES_MAX: usize = 1_024;
pub(super) const DESCRIPTORS: usize = 4;

/// This very program, also when the file it was started from has been replaced.
const ITSELF: &str = "/proc/self/exe";

/// A task with its descriptors.
struct Job {
    task: Task,
    answer: UnixStream,
    component: File,
    code: File,
    words: File,
}

/// Starts children of this program until the host has gone. `child` are the arguments with which it
/// calls [`child::run`](super::child::run), which gets those that follow. To be called before the
/// process has threads.
pub fn run(child: &[&str]) -> ExitCode {
    if let Err(error) = keep_descriptors() {
        complain(&error);
        return ExitCode::FAILURE;
    }
    loop {
        match receive() {
            Ok(Some(job)) => {
                let child: Vec<String> = child.iter().map(|&arg| arg.to_owned()).collect();
                // It waits for its child; the system ends both with the process.
                let started = thread::Builder::new().spawn(move || work(job, &child));
                if let Err(error) = started {
                    // The answer was dropped with the job, which tells the host.
                    complain(&error);
                }
            }
            Ok(None) => return ExitCode::SUCCESS,
            Err(error) => {
                complain(&error);
                return ExitCode::FAILURE;
            }
        }
    }
}

/// Lets no child have what this process was started with, beyond the three that every program has:
/// the host may have got more from whoever started it.
fn keep_descriptors() -> io::Result<()> {
    let names: Vec<_> = fs::read_dir("/proc/self/fd")?.collect::<io::Result<_>>()?;
    let numbers = names.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &i32| 2 < *number) {
        #[allow(unsafe_code)]
        // SAFETY: it is only marked, and nothing else closes or opens any meanwhile: there is no other
        // thread yet.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        match fcntl_setfd(descriptor, FdFlags::CLOEXEC) {
            // The one that the folder was read through is closed by now.
            Ok(()) | Err(Errno::BADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The next task; none when the host has gone.
fn receive() -> io::Result<Option<Job>> {
    let mut bytes = [0; MESSAGE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let socket = rustix::stdio::stdin();
    let message = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Ok(None);
    }
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(malformed());
    }
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    let [answer, component, code, words] =
        <[OwnedFd; DESCRIPTORS]>::try_from(descriptors).map_err(|_| malformed())?;
    let text = str::from_utf8(&bytes[..message.bytes]).map_err(|_| malformed())?;
    let said: Vec<&str> = text.split(' ').collect();
    let task = Task::of_words(&said).ok_or_else(malformed)?;
    let (component, code, words) = (component.into(), code.into(), words.into());
    Ok(Some(Job { task, answer: answer.into(), component, code, words }))
}

fn work(job: Job, args: &[String]) {
    let Job { task, mut answer, component, code, words } = job;
    let deadline = Instant::now() + task.time_max;
    let child = Command::new(ITSELF)
        .arg0("wattle")
        .args(args)
        .arg(std::process::id().to_string())
        .args(task.to_words())
        .env_clear()
        .current_dir("/")
        .stdin(component)
        .stdout(code)
        .stderr(words)
        .spawn();
    let ended = match child {
        Ok(child) => wait(child, &answer, deadline),
        Err(error) => Ok(Ended::Unstarted(error.raw_os_error().unwrap_or_default())),
    };
    match ended {
        // Nobody may be listening any more.
        Ok(ended) => drop(write!(answer, "{ended}")),
        Err(error) => complain(&error),
    }
}

/// Until the child has ended, its time is over, or nobody waits for it any more.
fn wait(mut child: Child, answer: &UnixStream, deadline: Instant) -> io::Result<Ended> {
    let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Late);
        }
        let mut watched = [
            PollFd::new(&ended, PollFlags::IN),
            // Nothing is ever sent this way: readable is closed.
            PollFd::new(answer, PollFlags::IN),
        ];
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut watched, Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !watched[1].revents().is_empty() {
            child.kill()?;
        }
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::of(status));
        }
    }
}

fn complain(error: &io::Error) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "the process that starts compilers: {error}");
}
