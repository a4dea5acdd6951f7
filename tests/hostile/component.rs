//! Guests as components: core modules in their frame, and the callee.

use std::{fs, path::PathBuf};

use wattle_tests::Component;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "guests", "hostile"].iter().collect()
}

fn text(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn component(name: &str, text: &str) -> Component {
    Component(wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// What answers with `modules/<id>.wat`.
pub(crate) fn module(id: &str) -> Component {
    let mut modules = text(&format!("modules/{id}.wat"));
    if !modules.contains("$libc") {
        modules += &text("libc.wat");
    }
    let post_return = match modules.contains("\"post-return\"") {
        true => " (post-return (core func $guest \"post-return\"))",
        false => "",
    };
    let framed = text("frame.wat").replace("{modules}", &modules);
    component(id, &framed.replace("{post-return}", post_return))
}

/// What answers calls badly.
pub(crate) fn callee() -> Component {
    component("answers", &text("answers.wat"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cases::{self, By};

    #[test]
    fn every_module_has_a_case_and_every_case_of_a_module_has_one() {
        let files = fs::read_dir(folder().join("modules")).unwrap();
        let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let files: BTreeSet<String> = files.map(|file| name(file.unwrap().path())).collect();
        let of_modules = cases::all().filter(|case| matches!(case.by, By::Module));
        assert_eq!(files, of_modules.map(|case| case.id.to_owned()).collect());
        for id in &files {
            module(id);
        }
        callee();
    }
}
