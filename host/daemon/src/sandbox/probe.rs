//! Whether the filter does what it says: calls that no host makes are tried, and must be refused.
//!
//! Without a filter these exist in every kernel, so only a filter answers ENOSYS.

use std::io;

/// What would be tried first by somebody who had taken the process over: another program, another
/// process, another view of the machine.
const TRIED: [(&str, libc::c_long); 4] = [
    ("execve", libc::SYS_execve),
    ("ptrace", libc::SYS_ptrace),
    ("mount", libc::SYS_mount),
    ("unshare", libc::SYS_unshare),
];

/// The calls that were refused.
///
/// # Errors
/// The first that was not.
pub(super) fn refused() -> Result<Vec<&'static str>, &'static str> {
    TRIED.iter().map(|&(name, call)| if is_refused(call) { Ok(name) } else { Err(name) }).collect()
}

/// Every argument is -1: no address, no process, no flags that exist. A kernel that takes the call
/// fails it without doing anything.
fn is_refused(call: libc::c_long) -> bool {
    const NONE: libc::c_long = -1;
    // SAFETY: for each of the calls above, the kernel copies from user space or looks up the target
    // before it changes anything, and with -1 that fails: EFAULT, ESRCH or EINVAL. No memory of
    // ours is read or written.
    #[expect(unsafe_code)]
    let answer = unsafe { libc::syscall(call, NONE, NONE, NONE, NONE, NONE, NONE) };
    answer == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_filter_the_check_fails_and_the_process_goes_on() {
        assert_eq!(refused(), Err("execve"));
        for (name, call) in TRIED {
            assert!(!is_refused(call), "{name}");
        }
    }
}
