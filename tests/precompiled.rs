//! Hosts that do not compile, and code that somebody made for them.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use wattle_tests::{
    Lattice, Look, Process, Said, binary, free_address, get, guest, manifest, wait_until,
};
use wattle_trust::KeyPair;
use wattle_types::Role;

const WITHIN: Duration = Duration::from_secs(60);

/// A machine with a compiler and a key for what it makes, and one without.
struct Two {
    folder: TempDir,
    farm: KeyPair,
}

impl Two {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hello.wasm"), &guest("http-hello").0).unwrap();
        let farm = KeyPair::generate(Role::Account).unwrap();
        fs::write(folder.path().join("farm.nk"), farm.seed().expose()).unwrap();
        Self { folder, farm }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// On the machine with a compiler.
    async fn compile(&self, more: &[&str]) -> Said {
        let (file, key) = (self.path("hello.wasm"), self.path("farm.nk"));
        let arguments = [&["compile", &file, "--key", &key, "-o", "json"], more].concat();
        Said::by(self.folder.path(), arguments).await
    }

    /// On the machine without one, whose trust file names these compilers besides its own keys.
    async fn small_machine(&self, compilers: &[&KeyPair]) -> (String, String) {
        let (data, issuer) = (self.path("small"), self.path("small/issuer.nk"));
        if !fs::exists(&issuer).unwrap() {
            fs::create_dir(&data).unwrap();
            let made = ["keys", "gen", "account", "--output", &issuer];
            Said::by(self.folder.path(), made).await.fine();
        }
        let trust = self.path("trust.toml");
        let _ = fs::remove_file(&trust);
        let keys: Vec<String> = compilers.iter().map(|key| key.public().to_string()).collect();
        let mut arguments = vec!["trust", "init", "--issuer", &issuer, "--output", &trust];
        arguments.extend(keys.iter().flat_map(|key| ["--compiler", key]));
        Said::by(self.folder.path(), arguments).await.fine();
        (data, trust)
    }

    async fn run_arguments(&self, compilers: &[&KeyPair], more: &[&str]) -> (String, Vec<String>) {
        let (data, trust) = self.small_machine(compilers).await;
        let (file, address) = (self.path("hello.wasm"), free_address().to_string());
        let flags = ["--addr", &address, "--data-dir", &data, "--trust", &trust];
        let all = [&["run", &file, "--no-compiler"], &flags[..], more].concat();
        let all = all.into_iter().map(str::to_owned).collect();
        (address, all)
    }

    async fn refused(&self, compilers: &[&KeyPair], more: &[&str]) -> String {
        let (_, arguments) = self.run_arguments(compilers, more).await;
        Said::by(self.folder.path(), arguments).await.complaint()
    }

    async fn serves(&self, compilers: &[&KeyPair], more: &[&str]) {
        let (address, arguments) = self.run_arguments(compilers, more).await;
        let process = Process::start("run", binary(), &arguments, self.folder.path());
        let address = address.parse().unwrap();
        wait_until("the component answers", WITHIN, async || {
            let answer = get(address, "/").await;
            let fine = answer.as_ref().is_ok_and(|answer| answer.status == 200);
            Look::some(fine.then_some(()), || format!("{answer:?}; {}", process.log()))
        })
        .await;
    }
}

#[tokio::test]
async fn a_host_without_a_compiler_names_the_command_and_runs_what_it_makes() {
    let two = Two::new();
    let complaint = two.refused(&[&two.farm], &[]).await;
    assert!(complaint.contains("[WT-ENGINE-NO-COMPILER]"), "{complaint}");
    let (_, command) = complaint.split_once(": wattle compile ").expect("it names a command");
    let command: Vec<&str> =
        command.split_whitespace().take_while(|word| !word.starts_with('[')).collect();
    assert_eq!(command[0], two.path("hello.wasm"));

    let made = two.compile(&command[1..]).await.json();
    let file = made["file"].as_str().unwrap();
    assert!(file.ends_with(".cwasm") && file.contains("/hello."), "beside the component: {file}");
    assert!(complaint.contains(made["engine"].as_str().unwrap()), "{complaint}");
    assert_eq!(made["compiler"], two.farm.public().to_string());
    two.serves(&[&two.farm], &[]).await;
    // What it found once it keeps.
    fs::remove_file(file).unwrap();
    two.serves(&[&two.farm], &[]).await;
}

#[tokio::test]
async fn code_by_somebody_who_is_not_named_is_refused_with_the_reason() {
    let two = Two::new();
    two.compile(&[]).await.fine();
    let stranger = KeyPair::generate(Role::Account).unwrap();
    let complaint = two.refused(&[&stranger], &[]).await;
    for words in ["WT-ENGINE-NO-COMPILER", "WT-TRUST-COMPILER-UNKNOWN", "hello.48"] {
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
    assert!(complaint.contains(&two.farm.public().to_string()), "{complaint}");
}

#[tokio::test]
async fn code_that_was_changed_on_the_way_is_refused_with_the_reason() {
    let two = Two::new();
    let made = two.compile(&[]).await.json();
    let file = made["file"].as_str().unwrap();
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
    let complaint = two.refused(&[&two.farm], &[]).await;
    assert!(complaint.contains("WT-TRUST-ARTIFACT-HASH"), "{complaint}");
}

#[tokio::test]
async fn code_is_found_in_the_folder_that_the_host_was_given() {
    let two = Two::new();
    let folder = two.path("code");
    fs::create_dir(&folder).unwrap();
    let made = two.compile(&["--artifacts", &folder]).await.json();
    let file = PathBuf::from(made["file"].as_str().unwrap());
    assert!(file.starts_with(&folder));
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(made["source"].as_str().unwrap()), "{name}");
    two.serves(&[&two.farm], &["--artifacts", &folder]).await;
}

#[tokio::test]
async fn a_component_runs_in_the_interpreter_from_code_made_for_it() {
    let two = Two::new();
    let made = two.compile(&["--target", "pulley64"]).await.json();
    assert_eq!(made["cpu_level"], "portable");
    let complaint = two.refused(&[&two.farm], &[]).await;
    assert!(complaint.contains("WT-ENGINE-NO-COMPILER"), "not by the processor: {complaint}");
    two.serves(&[&two.farm], &["--engine", "pulley"]).await;
}

#[tokio::test]
async fn what_wattle_compile_cannot_do_it_says() {
    let two = Two::new();
    let cases: [(&[&str], &str); 4] = [
        (&["--target", "vax"], "there is no target \"vax\""),
        (&["--cpu-level", "x86-64-v9"], "no level \"x86-64-v9\""),
        (&["--profile", "p3-server"], "needs the profile p2-server"),
        (&["--artifacts", "/surely/not/there"], "no folder /surely/not/there"),
    ];
    for (arguments, words) in cases {
        let complaint = two.compile(arguments).await.complaint();
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
}

#[tokio::test]
async fn a_fleet_without_compilers_runs_what_was_made_for_it_and_its_status_says_what_is_missing() {
    let farm = KeyPair::generate(Role::Account).unwrap();
    let key = farm.public();
    let lattice = Lattice::start_with(&[("small", "edge")], |home| {
        let trust = home.join("trust.toml");
        let mut text = fs::read_to_string(&trust).unwrap();
        text.push_str(&format!("\n[[compilers]]\nkey = \"{key}\"\nname = \"farm\"\n"));
        fs::write(trust, text).unwrap();
        fs::create_dir(home.join("code")).unwrap();
        let code = home.join("code").to_str().unwrap().to_owned();
        ["--no-compiler", "--artifacts", &code].map(str::to_owned).to_vec()
    })
    .await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let mut app = manifest("shop", &[("hello", &image, Some("/"))]);
    lattice.deploy(&app).await.fine();
    let status = lattice.until_status("shop", "failed").await;
    let command = format!("wattle compile {image} --profile p2-server");
    assert!(status.to_string().contains(&command), "{status}");

    let key = lattice.file("farm.nk", farm.seed().expose());
    let (trust, code) = (key.with_file_name("trust.toml"), key.with_file_name("code"));
    let flag = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let flags = [flag(&key), flag(&trust), flag(&code)];
    let [key, trust, code] = flags.each_ref().map(String::as_str);
    let arguments =
        ["compile", &image, "--key", key, "--trust", trust, "--artifacts", code, "-o", "json"];
    let home = tempfile::tempdir().unwrap();
    let made: Value = Said::by(home.path(), arguments).await.json();
    assert_eq!(made["profile"], "p2-server");
    lattice.deployed(&mut app, "v2").await;
    let answer = get(lattice.host("small").listener, "/").await.unwrap();
    assert_eq!(answer.status, 200);
}
