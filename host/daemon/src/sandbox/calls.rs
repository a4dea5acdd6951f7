//! The system calls of a host, as a filter for the kernel.
//!
//! What is not here fails with ENOSYS, as if this kernel did not have it, and the process goes on:
//! libraries know that answer and take another way (`clone` for `clone3`, `epoll` for `io_uring`),
//! and a server must not die of a call that is made once a month. Nothing dangerous is behind the
//! other ways, because those are bounded as well.

use std::collections::BTreeMap;
use std::ffi::c_long;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

/// Allowed with any arguments. None of them opens a way out that Landlock, file modes or another
/// process's owner would not have to open as well.
#[rustfmt::skip]
const ALWAYS: &[c_long] = &[
    // Files and folders: those that are open, and opening those that may be opened.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev,
    libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev,
    libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_lseek, libc::SYS_close, libc::SYS_close_range,
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx,
    libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_faccessat, libc::SYS_faccessat2,
    libc::SYS_readlinkat, libc::SYS_getdents64, libc::SYS_getcwd, libc::SYS_umask,
    libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_utimensat,
    libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fadvise64,
    libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_flock, libc::SYS_fcntl, libc::SYS_dup,
    libc::SYS_dup3, libc::SYS_copy_file_range, libc::SYS_sendfile, libc::SYS_splice,
    // Initial memories of guests are mapped from here. It cannot be run: there is no execve.
    libc::SYS_memfd_create,
    // Sockets there are. `socket` is below; `listen` was done before the filter.
    libc::SYS_connect, libc::SYS_bind, libc::SYS_accept, libc::SYS_accept4, libc::SYS_shutdown,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt, libc::SYS_setsockopt,
    libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmsg, libc::SYS_recvmsg,
    libc::SYS_sendmmsg, libc::SYS_recvmmsg, libc::SYS_socketpair,
    // Waiting.
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2,
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_eventfd2, libc::SYS_pipe2, libc::SYS_futex,
    libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_restart_syscall,
    libc::SYS_wait4, libc::SYS_waitid,
    // Memory. Mapping and protecting are below.
    libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_membarrier,
    // Threads of this process, and their signals: a guest's trap is one.
    libc::SYS_gettid, libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    libc::SYS_set_tid_address, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_getpriority, libc::SYS_setpriority, libc::SYS_sigaltstack, libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_exit, libc::SYS_exit_group,
    // What time it is, who we are, what the machine has.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_getrandom,
    libc::SYS_getrusage, libc::SYS_times, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
];

/// Older forms of some of those above, which only x86-64 has and some libraries still use.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
    libc::SYS_getdents, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename,
    libc::SYS_renameat, libc::SYS_link, libc::SYS_chmod, libc::SYS_dup2, libc::SYS_pipe, libc::SYS_poll,
    libc::SYS_select, libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_time,
];
/// `renameat` of `asm-generic/unistd.h`, which the C library renames files with and `libc` does not
/// name here.
#[cfg(target_arch = "aarch64")]
const OLDER: &[c_long] = &[38];

/// Whether a descriptor waits, whether it is inherited, and whether it is a terminal (asked in two
/// ways): `asm-generic/ioctls.h`, the same on both processors, and in `libc` of another type with
/// each C library.
const FIONBIO: u64 = 0x5421;
const FIOCLEX: u64 = 0x5451;
const TCGETS: u64 = 0x5401;
const TCGETS2: u64 = 0x802c_542a;

/// `PAGEMAP_SCAN` (Linux 6.7): which pages a guest touched, half the cost of its instance. In
/// `include/uapi/linux/fs.h`: read and write, 96 bytes, type `f`, number 16.
const PAGEMAP_SCAN: u64 = 0xc060_6610;

/// A set of arguments: each is the position of one, which of its bits count, and what they are.
type Arguments = Vec<(u8, u64, u64)>;

/// Allowed with some arguments only. Each of these narrows what is else the widest call of its
/// kind.
fn sometimes(own: u32, children: &[u32]) -> Vec<(c_long, Vec<Arguments>)> {
    let all = u64::from(u32::MAX);
    let one_of = |position: u8, values: &[u64]| -> Vec<Arguments> {
        values.iter().map(|&value| vec![(position, all, value)]).collect()
    };
    let bits = |flags: i32| u64::from(flags.unsigned_abs());
    let process = |pid: &u32| u64::from(*pid);
    let own = process(&own);
    // A page is never writable and executable at once: compiled code is written, then published.
    let (written, run) = (bits(libc::PROT_WRITE), bits(libc::PROT_EXEC));
    let never_both: Vec<Arguments> =
        [0, written, run].iter().map(|&value| vec![(2, written | run, value)]).collect();
    let thread = bits(libc::CLONE_THREAD);
    let mut rules = vec![
        // A thread, never a process. `clone3` hides its flags in memory, so it is not there.
        (libc::SYS_clone, vec![vec![(0, thread, thread)]]),
        // Not the sockets of this machine's daemons, and nothing below TCP and UDP.
        (libc::SYS_socket, one_of(0, &[bits(libc::AF_INET), bits(libc::AF_INET6)])),
        (libc::SYS_mmap, never_both.clone()),
        (libc::SYS_mprotect, never_both),
        // Of devices nothing.
        (libc::SYS_ioctl, one_of(1, &[FIONBIO, FIOCLEX, TCGETS, TCGETS2, PAGEMAP_SCAN])),
        // The name of a thread, and of a mapping.
        (
            libc::SYS_prctl,
            one_of(0, &[bits(libc::PR_SET_NAME), bits(libc::PR_GET_NAME), bits(libc::PR_SET_VMA)]),
        ),
        // Its own limits; a hard one never rises.
        (libc::SYS_prlimit64, one_of(0, &[0])),
        // How an abort ends a thread of ours.
        (libc::SYS_tgkill, one_of(0, &[own])),
    ];
    if !children.is_empty() {
        let children: Vec<u64> = children.iter().map(process).collect();
        rules.push((libc::SYS_kill, one_of(0, &children)));
    }
    rules
}

/// The filter of the process `own`, and how many calls it allows.
pub(super) fn program(own: u32, children: &[u32]) -> Result<(BpfProgram, usize), BackendError> {
    let always = ALWAYS.iter().chain(OLDER).map(|&call| (call, Vec::new()));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.collect();
    for (call, choices) in sometimes(own, children) {
        let choices = choices.iter().map(|arguments| rule(arguments));
        rules.insert(call, choices.collect::<Result<_, _>>()?);
    }
    let allowed = rules.len();
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?;
    Ok((filter.try_into()?, allowed))
}

/// Flags, families, commands and process ids: the kernel takes each as 32 bits.
fn rule(arguments: &[(u8, u64, u64)]) -> Result<SeccompRule, BackendError> {
    let conditions = arguments.iter().map(|&(position, mask, value)| {
        let compare = SeccompCmpOp::MaskedEq(mask);
        SeccompCondition::new(position, SeccompCmpArgLen::Dword, compare, value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::Command;

    use super::*;

    fn filter() -> BpfProgram {
        program(std::process::id(), &[]).unwrap().0
    }

    /// The kernel holds only the thread it is asked for to the filter: the other tests go on.
    fn under_the_filter<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let filter = filter();
        let thread = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter).unwrap();
            work()
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_filter_fits_what_the_kernel_takes() {
        // `BPF_MAXINSNS` of `linux/bpf_common.h`.
        assert!(filter().len() <= 4_096, "{}", filter().len());
    }

    #[test]
    fn programs_listeners_and_the_sockets_of_daemons_are_refused() {
        let refused = under_the_filter(|| {
            [
                ("a program", Command::new("/bin/true").spawn().map(drop)),
                ("a listener", TcpListener::bind("127.0.0.1:0").map(drop)),
                ("a local socket", UnixDatagram::unbound().map(drop)),
                ("a signal to the parent", signal_to_the_parent()),
            ]
        });
        for (what, outcome) in refused {
            let error = outcome.expect_err(what);
            assert_eq!(error.raw_os_error(), Some(libc::ENOSYS), "{what}: {error}");
        }
    }

    fn signal_to_the_parent() -> io::Result<()> {
        let parent = rustix::process::getppid().expect("a test was started by something");
        Ok(rustix::process::test_kill_process(parent)?)
    }

    #[test]
    fn the_checks_of_the_probe_hold() {
        assert!(under_the_filter(super::super::probe::refused).is_ok());
    }

    #[test]
    fn what_a_host_does_all_the_time_is_allowed() {
        under_the_filter(|| {
            std::thread::spawn(|| std::fs::read("/proc/self/status")).join().unwrap().unwrap();
            UdpSocket::bind("127.0.0.1:0").expect("names are looked up over UDP");
            UnixStream::pair()
                .expect("signals arrive through a pair")
                .0
                .set_nonblocking(true)
                .unwrap();
            assert!(std::panic::catch_unwind(|| panic!("a panic is caught")).is_err());
        });
    }
}
