//! Changing applications as somebody: each change is signed, and names what was seen before.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::headers;
use wattle_trust::KeyPair;
use wattle_trust::signed::{self, Context};
use wattle_types::{AppName, Edit, stored};

use super::seen::Seen;
use crate::lattice::{AppReply, Lattice, LatticeArgs};

/// The flag of every command that changes an application.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct ForceArgs {
    /// Go on though somebody else changed the application since it was looked at here.
    #[arg(long)]
    force: bool,
}

/// Somebody who changes applications of one lattice.
pub(super) struct Editor<'a> {
    pub(super) lattice: &'a Lattice,
    key: KeyPair,
    seen: Seen,
    force: bool,
}

impl<'a> Editor<'a> {
    pub(super) fn open(
        args: &LatticeArgs,
        lattice: &'a Lattice,
        force: &ForceArgs,
    ) -> Result<Self> {
        let home = args.home.open()?;
        let seen = Seen::of(&home, lattice.connection.lattice());
        Ok(Self { lattice, key: home.local_operator()?, seen, force: force.force })
    }

    /// Asks for a change, and gives the answer, also one that refuses. What was changed is seen.
    ///
    /// # Errors
    /// Among others, if somebody else changed the application since it was seen here.
    pub(super) async fn change<T: DeserializeOwned>(
        &mut self,
        app: &AppName,
        op: AppSubject,
        body: Vec<u8>,
    ) -> Result<T> {
        let body = Bytes::from(body);
        let base = if self.force { None } else { self.seen.change_of(app) };
        let mut reply = self.ask(&op, &body, base).await?;
        if let (Some(now), Some(base)) = (reply.conflict, base)
            && now < base
        {
            // Changes are never taken back: this is another lattice of the same name, or it was
            // begun anew, and nothing was seen of it.
            reply = self.ask(&op, &body, None).await?;
        }
        if reply.conflict.is_some() {
            bail!(
                "{}; `wattle app history {app}` shows it, and then you can go on; --force goes on \
                 without looking",
                reply.error().unwrap_or_default()
            );
        }
        if let Some(change) = reply.change.filter(|_| reply.error().is_none()) {
            self.seen.remember(app, change)?;
            // Whichever controller the next command asks, it is to know of this.
            self.seen.remember_sequence(self.lattice.seen())?;
        }
        reply.parse()
    }

    async fn ask(&self, op: &AppSubject, body: &Bytes, base: Option<u64>) -> Result<AppReply> {
        let lattice = self.lattice.connection.lattice().clone();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let edit = Edit::new(lattice, &op.to_string(), body, base, unix_ms);
        let sealed = signed::seal(Context::Edit, &stored::encode(&edit), &self.key);
        let edit = Edit::to_header(&sealed);
        self.lattice.app_reply(op.clone(), &[(headers::EDIT, &edit)], body.clone()).await
    }
}
