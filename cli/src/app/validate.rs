//! `wattle app validate`, and how every command reads a manifest.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wattle_types::{AppComponent, Application, InterfaceName, Manifest, Part, Why};

use crate::output::OutputArgs;

/// Check a manifest without storing it; nothing has to run.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    /// The manifest, YAML or JSON; `-` reads standard input.
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn validate(args: &ValidateArgs) -> Result<()> {
    let manifest = read_manifest(&args.file)?;
    let app = Application::try_from(&manifest)?;
    let parts = app.components.iter().map(|component| {
        serde_json::json!({
            "name": component.name,
            "id": component.id,
            "warning": match &component.part {
                Part::Unsupported(why) => Some(why),
                Part::Actor(_) => None,
            },
        })
    });
    let valid = serde_json::json!({
        "valid": true,
        "name": app.name,
        "version": app.version,
        "components": parts.collect::<Vec<_>>(),
    });
    args.output.print(&valid, |_| {
        let mut text = format!("{} is valid\n", app.name);
        for component in &app.components {
            if let Part::Unsupported(why) = &component.part {
                text += &format!("warning: component {} will not run: {why}\n", component.name);
            }
            for (link, why) in impossible(component) {
                text +=
                    &format!("warning: link {link} of {} leads nowhere: {why}\n", component.name);
            }
        }
        text
    });
    Ok(())
}

/// Links through which no call can go, and why.
fn impossible(component: &AppComponent) -> impl Iterator<Item = (&InterfaceName, &str)> {
    component.unlinked.iter().filter_map(|link| match &link.why {
        Why::Impossible(why) => Some((&link.interface, why.as_str())),
        Why::BuiltIn => None,
    })
}

/// Reads a manifest, with images given as files made absolute: the hosts that fetch them run in
/// other folders.
pub(super) fn read_manifest(path: &Path) -> Result<Manifest> {
    let (text, folder) = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
        (text, std::env::current_dir()?)
    } else {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read the manifest {}", path.display()))?;
        let path = std::path::absolute(path)?;
        (text, path.parent().map(Path::to_path_buf).unwrap_or_default())
    };
    let mut manifest = Manifest::parse(&text)
        .with_context(|| format!("the manifest {} is wrong", path.display()))?;
    for component in &mut manifest.spec.components {
        if let Some(image) = &mut component.properties.image {
            *image = absolute(image, &folder);
        }
    }
    Ok(manifest)
}

/// `file://counter.wasm` and `file://./counter.wasm` are beside the manifest.
fn absolute(image: &str, folder: &Path) -> String {
    match image.strip_prefix("file://") {
        Some(path) if !path.starts_with('/') => {
            let path = path.strip_prefix("./").unwrap_or(path);
            format!("file://{}", folder.join(path).display())
        }
        _ => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_beside_the_manifest_is_found_from_everywhere() {
        let cases = [
            ("file://c.wasm", "file:///apps/c.wasm"),
            ("file://./c.wasm", "file:///apps/c.wasm"),
            ("file:///x/c.wasm", "file:///x/c.wasm"),
            ("ghcr.io/x/c:1", "ghcr.io/x/c:1"),
        ];
        for (image, found) in cases {
            assert_eq!(absolute(image, Path::new("/apps")), found);
        }
    }
}
