//! Says what to do when the standard WIT packages are not there yet.

fn main() {
    let store = "../../wit/deps/keyvalue/store.wit";
    println!("cargo::rerun-if-changed={store}");
    println!("cargo::rerun-if-changed=../../wit/host/host.wit");
    println!("cargo::rerun-if-changed=../../wit/logging/logging.wit");
    if !std::path::Path::new(store).exists() {
        println!("cargo::error=wit/deps is missing: run cargo xtask setup");
    }
}
