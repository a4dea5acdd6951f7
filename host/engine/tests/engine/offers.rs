//! What the engine says it offers can be imported, and what it does not offer is told in words.

use wattle_engine::LoadError;
use wattle_engine::offered::{EXPORTS, IMPORTS, Offer};

use crate::encoded::World;
use crate::kit::{engine, verified};

/// The names that no package in `wit` bears, from one of the same text.
fn under_other_names() -> Vec<String> {
    let wit = |path: &str| {
        let path = format!("{}/../../wit/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let config = wit("deps/config/store.wit");
    let logging = wit("logging/logging.wit");
    let logging = logging.replace("package wasi:logging@0.1.0-draft;", "package wasi:logging;");
    let runtime = config.replace("interface store", "interface runtime");
    vec![format!("package wasi:config@0.2.0-draft;\n{config}\n{runtime}"), logging]
}

fn is_p3(version: &str) -> bool {
    version.starts_with("0.3.")
}

/// What is on offer for one generation of WASI, and how much that is.
fn named(offers: &[Offer], word: &str, of_p3: bool) -> (String, usize) {
    let name = |offer: &Offer, version: &str| match version {
        "" => format!("{word} {};", offer.interface),
        version => format!("{word} {}@{version};", offer.interface),
    };
    let names = offers.iter().flat_map(|offer| {
        let versions = offer.versions.iter().filter(|version| is_p3(version) == of_p3);
        versions.map(move |version| name(offer, version))
    });
    let names: Vec<String> = names.collect();
    (names.concat(), names.len())
}

#[tokio::test]
async fn a_component_that_imports_everything_on_offer_is_linked() {
    let (imports, imported) = named(IMPORTS, "import", false);
    let items = imports + &named(EXPORTS, "export", false).0;
    let component = World::with(&items, &under_other_names()).dummy();
    let loaded = engine().load(verified(&component)).await.unwrap();
    assert!(loaded.exports_http() && loaded.exports_messaging());
    assert_eq!(loaded.imports().len(), imported);
    assert!(loaded.linkable().0.is_empty(), "{:?}", loaded.linkable());
}

#[tokio::test]
async fn a_component_of_wasi_0_3_may_import_all_that_is_on_offer() {
    let [(new, news), (old, olds)] = [true, false].map(|of_p3| named(IMPORTS, "import", of_p3));
    let items = new + &old + &named(EXPORTS, "export", true).0;
    let component = World::with(&items, &under_other_names()).dummy_p3();
    let loaded = engine().load(verified(&component)).await.unwrap();
    assert!(loaded.exports_http());
    assert_eq!(loaded.imports().len(), news + olds);
}

#[tokio::test]
async fn a_component_of_another_patch_level_is_served() {
    let items = "import wasi:http/outgoing-handler@0.2.12; import wasi:filesystem/types@0.2.12; \
        import wasmcloud:messaging/consumer@0.2.0; export wasi:http/incoming-handler@0.2.12;";
    for patch in ["0.2.0", "0.2.3", "0.2.99"] {
        let of_that_time = |text: String| {
            // An older package cannot say since when a newer thing is there.
            let gates = ["@since", "@deprecated"];
            let gated = |line: &&str| gates.iter().any(|gate| line.trim_start().starts_with(gate));
            let lines = text.lines().filter(|line| !gated(line));
            lines.collect::<Vec<_>>().join("\n").replace("0.2.12", patch)
        };
        let component = World::changed(items, &[], of_that_time).dummy();
        let loaded = engine().load(verified(&component)).await.unwrap();
        assert!(loaded.exports_http(), "{patch}");
    }
    let messaging = "export wasmcloud:messaging/handler@0.2.0;";
    let newer = |text: String| {
        let text = text.replace("messaging@0.2.0", "messaging@0.2.1");
        text.replace("handler@0.2.0", "handler@0.2.1")
    };
    let component = World::changed(messaging, &[], newer).dummy();
    assert!(engine().load(verified(&component)).await.unwrap().exports_messaging());
}

#[tokio::test]
async fn a_component_that_wants_another_version_is_told_what_is_on_offer() {
    let package =
        |name: &str| format!("package {name};\ninterface store {{ resource r; f: func() -> r; }}");
    let packages = ["wasi:http@0.4.0", "wasi:keyvalue@0.2.0-draft3", "wasi:blobstore@0.2.0-draft"];
    let items = "import wasi:http/store@0.4.0; import wasi:keyvalue/store@0.2.0-draft3; \
        import wasi:blobstore/store@0.2.0-draft; import wasi:io/poll@0.2.12;";
    let component = World::with(items, &packages.map(package)).dummy();
    let refused = engine().load(verified(&component)).await.unwrap_err();
    assert!(matches!(refused, LoadError::Unprovided { .. }), "{refused:?}");
    let said = refused.to_string();
    let sentences = [
        "component imports wasi:http/store@0.4.0; hosts here offer \
         wasi:http/client, wasi:http/outgoing-handler, wasi:http/types of that package",
        "component imports wasi:keyvalue/store@0.2.0-draft3; hosts here offer 0.2.0-draft and \
         0.2.0-draft2",
        "component imports wasi:blobstore/store@0.2.0-draft; hosts here have no provider for it",
    ];
    for sentence in sentences {
        assert!(said.contains(sentence), "{said}");
    }
    assert!(!said.contains("wasi:io"), "{said}");
}
