//! Runs other programs, and says which one failed and how.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::say::Story;

/// As much of a log as fits on a screen.
const TAIL_LINES: usize = 30;

/// Runs it with our own input and output.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start `{}`", line(command)))?;
    ensure!(status.success(), "`{}` failed: {status}", line(command));
    Ok(())
}

/// Runs it and returns what it wrote to standard output; what it wrote to standard error is in the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", line(command), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what `{}` says", line(command)))
}

/// Runs something long whose output interests only when it fails.
pub(crate) fn logged(story: &Story, what: &str, command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let status = story
        .waiting(what, || command.status())
        .with_context(|| format!("start `{}`", line(command)))?;
    ensure!(
        status.success(),
        "`{}` failed: {status}; the end of {}:\n{}",
        line(command),
        log.display(),
        tail(log)
    );
    Ok(())
}

/// The last lines of a file, or why they could not be read.
pub(crate) fn tail(path: &Path) -> String {
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("(not readable: {error})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Finds a program as a shell would.
pub(crate) fn on_path(program: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = output(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("sh -c")
                && error.contains("exit status: 3")
                && error.contains("no luck"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_is_absent_is_named() {
        let error = shown(&mut Command::new("surely-no-such-program")).unwrap_err().to_string();
        assert!(error.contains("surely-no-such-program"), "{error}");
    }

    #[test]
    fn the_tail_of_a_long_log_is_its_last_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), (0..100).map(|number| format!("{number}\n")).collect::<String>())
            .unwrap();
        let tail = tail(file.path());
        assert!(tail.starts_with("70\n") && tail.ends_with("99"), "{tail}");
    }
}
