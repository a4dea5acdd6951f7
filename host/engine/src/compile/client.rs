//! The host's side of the process that starts compile children.

use std::fs::File;
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::CompileError;
use super::ended::Ended;
use super::server::DESCRIPTORS;
use super::task::Task;
use crate::artifact::{self, Artifact};

/// Beyond the child's own time, which the other process watches: for starting and ending it.
const MARGIN: Duration = Duration::from_secs(10);

/// Of what a child says, the end.
const WORDS_BYTES_MAX: u64 = 4 << 10;

/// The process, started again if it should have ended.
#[derive(Clone, Debug)]
pub(super) struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    args: Vec<String>,
    running: Mutex<Running>,
}

#[derive(Debug)]
struct Running {
    /// None only while it is dropped.
    tasks: Option<OwnedFd>,
    process: Child,
}

/// One component on its way.
struct Job {
    answer: UnixStream,
    code: File,
    words: File,
}

impl Server {
    pub(super) fn start(program: &Path, args: &[String]) -> io::Result<Self> {
        let running = Mutex::new(Running::start(program, args)?);
        let (program, args) = (program.to_owned(), args.to_owned());
        Ok(Self(Arc::new(Inner { program, args, running })))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        let mut running = self.0.running.lock().expect("nothing panics while it holds this lock");
        let ended = running.process.try_wait().is_ok_and(|status| status.is_some());
        (!ended).then(|| running.process.id())
    }

    pub(super) async fn compile(
        &self,
        task: Task,
        component: Bytes,
    ) -> Result<Artifact, CompileError> {
        let server = self.0.clone();
        let begun = tokio::task::spawn_blocking(move || server.begin(task, &component));
        let begun = begun.await.map_err(io::Error::other).and_then(|begun| begun);
        let job = begun.map_err(CompileError::Unreachable)?;
        // From here on, dropping this future closes the socket, and that ends the child.
        let ended = timeout(task.time_max + MARGIN, ended(job.answer)).await;
        let ended = ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let ended = ended.map_err(CompileError::Unreachable)?;
        let words = last(job.words).map_err(CompileError::Unreachable)?;
        ended.outcome(&words, task.memory_bytes_max, task.time_max)?;
        Artifact::seal(job.code).map_err(CompileError::Unreachable)
    }
}

impl Inner {
    /// Blocks while it writes as many bytes as the component has, and may start the process anew.
    fn begin(&self, task: Task, component: &[u8]) -> io::Result<Job> {
        let (answer, theirs) = UnixStream::pair()?;
        answer.set_nonblocking(true)?;
        let mut input = artifact::in_memory("component")?;
        input.write_all(component)?;
        input.rewind()?;
        let (code, words) = (artifact::in_memory("code")?, artifact::in_memory("words")?);
        let descriptors = [theirs.as_fd(), input.as_fd(), code.as_fd(), words.as_fd()];
        let text = task.to_words().join(" ");
        let mut running = self.running.lock().expect("nothing panics while it holds this lock");
        if running.send(&text, &descriptors).is_err() {
            tracing::warn!("the process that starts compilers has ended; starting another");
            *running = Running::start(&self.program, &self.args)?;
            running.send(&text, &descriptors)?;
        }
        Ok(Job { answer, code, words })
    }
}

impl Running {
    fn start(program: &Path, args: &[String]) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let process = Command::new(program)
            .arg0("wattle")
            .args(args)
            // What the environment holds is the host's, passwords among it.
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            // The interrupt of a terminal is for the host, which lets go of this one in its time.
            .process_group(0)
            .spawn()?;
        Ok(Self { tasks: Some(ours), process })
    }

    fn send(&self, text: &str, descriptors: &[BorrowedFd<'_>; DESCRIPTORS]) -> io::Result<()> {
        let tasks = self.tasks.as_ref().expect("it is there until the drop");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(descriptors));
        assert!(fits, "the space is made for as many descriptors");
        sendmsg(tasks, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends when this is closed, at once and with all children.
        self.tasks = None;
        if let Err(error) = self.process.wait() {
            tracing::warn!(%error, "the process that starts compilers could not be waited for");
        }
    }
}

/// The answer; an error if the other process ended without one.
async fn ended(answer: UnixStream) -> io::Result<Ended> {
    let mut answer = tokio::net::UnixStream::from_std(answer)?;
    let mut text = String::new();
    answer.read_to_string(&mut text).await?;
    text.parse().map_err(|()| io::ErrorKind::UnexpectedEof.into())
}

/// The end of what the child said, without what could move a terminal's cursor.
fn last(mut words: File) -> io::Result<String> {
    let len = words.seek(SeekFrom::End(0))?;
    words.seek(SeekFrom::Start(len.saturating_sub(WORDS_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    words.take(WORDS_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.replace(|c: char| c.is_control() && c != '\n', " "))
}
