//! Where the process may write: below one folder. Reading stays as it is, because the images of
//! specs are files anywhere.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use super::Files;

/// The newest version whose meaning was read when this was written; an older kernel gives what it
/// has.
const NEWEST: ABI = ABI::V7;

#[derive(Debug, thiserror::Error)]
pub(super) enum GuardError {
    #[error("could not open it")]
    Open(#[from] landlock::PathFdError),
    #[error("Landlock refused")]
    Rules(#[from] RulesetError),
}

pub(super) fn guard(folder: &Path) -> Result<Files, GuardError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(folder)?, below()))?
        // Where the output goes of a program that nobody listens to.
        .add_rule(PathBeneath::new(PathFd::new("/dev/null")?, AccessFs::WriteFile))?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => {
            Files::Guarded { landlock: effective_abi as u32 }
        }
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => Files::Unguarded,
    })
}

/// What a host, and the nats-server of `wattle up`, does in its folder: files and folders. No
/// devices, no sockets, no links.
fn below() -> landlock::BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::*;

    /// Guards only the thread it is tried on, so that the other tests go on as they were.
    #[test]
    fn what_is_outside_the_folder_can_be_read_and_not_changed() {
        let [inside, outside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let known = outside.path().join("known");
        fs::write(&known, "as it was").unwrap();
        let (inside, known) = (inside.path().to_owned(), known);
        let tried = std::thread::spawn(move || {
            let files = guard(&inside).unwrap();
            let made = fs::create_dir(inside.join("a"))
                .and_then(|()| fs::write(inside.join("a/b"), "1"))
                .and_then(|()| fs::rename(inside.join("a/b"), inside.join("c")))
                .and_then(|()| fs::remove_file(inside.join("c")));
            made.expect("a host changes what is its own");
            fs::write("/dev/null", "unheard").expect("what goes nowhere is written");
            assert_eq!(fs::read_to_string(&known).unwrap(), "as it was");
            let changed = [
                fs::write(&known, "changed"),
                fs::write(known.with_extension("new"), "made"),
                fs::create_dir(known.with_extension("folder")),
                fs::remove_file(&known),
                fs::rename(&known, inside.join("known")),
                fs::hard_link(&known, inside.join("known")),
            ];
            (files, changed.map(|outcome| outcome.map_err(|error| error.kind())))
        });
        let (files, changed) = tried.join().unwrap();
        let Files::Guarded { .. } = files else { return };
        for outcome in changed {
            let error = outcome.expect_err("it is outside");
            assert!(
                matches!(error, ErrorKind::PermissionDenied | ErrorKind::CrossesDevices),
                "{error}"
            );
        }
    }
}
