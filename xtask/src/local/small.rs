//! Hosts of another build, which compile nothing: what they run is compiled for them.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::LocalLattice;

/// The engine of hosts that are started with `--profile edge`, for components of WASI 0.2.
const ENGINE: &str = "p2-edge";

impl LocalLattice {
    /// The hosts are of `binary`, and believe a key that says what code is of. To be called before they
    /// are started.
    pub(crate) fn with_small_hosts(self, binary: &Path) -> Result<Self> {
        let (issuer, controller, compiler) =
            (self.path("issuer.nk"), self.path("controller.nk"), self.path("compiler.nk"));
        let trust = self.path("trust.toml");
        fs::remove_file(&trust).context("make room for another trust root")?;
        self.wattle.offline(&["keys", "gen", "account"], &[("--output", &compiler)])?;
        let trusted: [(&str, &Path); 4] = [
            ("--issuer", &issuer),
            ("--controller", &controller),
            ("--compiler", &compiler),
            ("--output", &trust),
        ];
        self.wattle.offline(&["trust", "init"], &trusted)?;
        Ok(Self { host_binary: Some(binary.to_owned()), ..self })
    }

    /// Makes the code of a signed component, and puts it beside it, where hosts look.
    pub(crate) fn compile(&self, component: &Path) -> Result<()> {
        let component = component.to_str().context("the path of the component is text")?;
        let (compiler, trust, home) =
            (self.path("compiler.nk"), self.path("trust.toml"), self.path("desk"));
        let paths: [(&str, &Path); 3] =
            [("--key", &compiler), ("--trust", &trust), ("--data-dir", &home)];
        self.wattle.offline(&["compile", component, "--profile", ENGINE], &paths).map(drop)
    }
}
