//! `--sandbox`: the flag, and its two halves. See `wattle_host::sandbox`.

use anyhow::Result;
use clap::builder::BoolishValueParser;
use wattle_host::sandbox::Sandbox;

use crate::home::HomeArgs;

/// Of `wattle host` and `wattle up`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct SandboxArgs {
    /// Let the kernel hold this process to what a host does: no other programs, no other listeners,
    /// writes only below the data folder. Linux on x86-64 and 64-bit Arm; elsewhere it refuses to
    /// start.
    #[arg(long, env = "WATTLE_SANDBOX", value_parser = BoolishValueParser::new())]
    sandbox: bool,
}

impl SandboxArgs {
    /// The first half of the promise: before this process has threads.
    pub(crate) fn begin(self, home: &HomeArgs) -> Result<Option<Sandbox>> {
        self.sandbox.then(|| Ok(Sandbox::guard_files(home.open()?.dir())?)).transpose()
    }

    /// The same flag, for a command that starts another.
    #[cfg(feature = "operate")]
    pub(crate) fn again(self) -> Option<String> {
        self.sandbox.then(|| "--sandbox".to_owned())
    }
}

/// The second half, once everything that a host opens is open.
pub(crate) fn close(sandbox: Option<Sandbox>, children: &[u32]) -> Result<()> {
    Ok(sandbox.map_or(Ok(()), |sandbox| sandbox.close(children))?)
}
