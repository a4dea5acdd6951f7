//! A host without privileges, and one in its sandbox: everything a host does still works, and nothing else
//! does.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Signal, geteuid};
use serde_json::json;
use wattle_tests::{
    Lattice, Look, Process, Said, begin, binary,
    callers::{add_trait, configure},
    free_address, get, guest, manifest, wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

/// A user that owns nothing, by the convention of every Linux.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_host_in_its_sandbox_does_everything_a_host_does() {
    let flags = |home: &Path| {
        let folder = home.join("secrets");
        fs::create_dir(&folder).expect("make a folder for secrets");
        fs::write(folder.join("api-token"), "s3cret").expect("write a secret");
        vec!["--sandbox".to_owned(), format!("--secrets={}", folder.display())]
    };
    let mut lattice = Lattice::start_with(&[("one", "a")], flags).await;
    let host = &lattice.host("one").process;
    let said = host.says("sandbox:", WITHIN).await;
    for part in ["no new privileges", "seccomp", "checked: execve, ptrace"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    until_every_thread_is_held(host).await;

    let classic = lattice.signed("classic", &guest("classic"));
    let exerciser = lattice.signed("exerciser", &guest("exerciser"));
    let counter = lattice.signed("counter", &guest("http-counter"));
    let parts = [
        ("classic", &*classic, Some("/")),
        ("exerciser", &*exerciser, Some("/slow")),
        ("counter", &*counter, Some("/count")),
    ];
    let mut app = manifest("all", &parts);
    let token = json!([{"name": "token", "properties": {"key": "api-token"}}]);
    app["spec"]["components"][0]["properties"]["secrets"] = token;
    configure(&mut app, "classic", json!([{"name": "paint", "properties": {"colour": "red"}}]));
    let subjects = json!({"subscribe": ["tests.in"], "publish": ["tests.>"]});
    add_trait(&mut app, "classic", json!({"type": "messaging", "properties": subjects}));
    lattice.deployed(&mut app, "v1").await;

    let door = lattice.host("one").listener;
    assert_eq!(get(door, "/count").await.expect("it answers").count(), Some(1), "its store works");
    for (path, text) in [
        ("/secret?key=token", "text s3cret"),
        ("/config?key=colour", r#"Ok(Some("red"))"#),
        ("/request?subject=tests.in&body=hi", "heard hi"),
    ] {
        wait_until(&format!("{path} says {text}"), WITHIN, async || {
            let answer = get(door, path).await;
            let met = answer.as_ref().is_ok_and(|answer| answer.body == text);
            Look::some(met.then_some(()), || format!("{answer:?}; {}", lattice.logs()))
        })
        .await;
    }
    let called = lattice.wattle(["call", "all-counter"]).await.fine();
    assert!(called.contains("\"visits\":1"), "{called}");
    until_every_thread_is_held(&lattice.host("one").process).await;

    let begun = begin(door, "localhost", "/slow?times=10&ms=50").await.expect("it answers");
    let leaving = &mut lattice.host_mut("one").process;
    leaving.signal(Signal::TERM);
    let whole: String = (0..10).map(|piece| format!("{piece} ")).collect();
    assert_eq!(begun.whole().await.expect("it is not cut short").body, whole);
    let status = leaving.end(WITHIN).await;
    assert!(status.success(), "{status}: {}", leaving.log());
}

#[tokio::test]
async fn a_host_needs_no_privileges_and_writes_nowhere_but_in_its_folder() {
    for sandbox in [false, true] {
        let lattice = Lattice::start(&[]).await;
        let (mut host, door, home) = host_of_nobody(&lattice, sandbox);
        lattice.until_joined(1).await;
        if geteuid().is_root() {
            let status = status_of(&host, host.pid());
            assert_eq!(field(&status, "CapEff"), "0000000000000000", "{status}");
            assert!(field(&status, "Uid").starts_with("65534"), "{status}");
        }
        let counter = lattice.signed("counter", &guest("http-counter"));
        let mut app = manifest("visits", &[("counter", &counter, Some("/"))]);
        lattice.deployed(&mut app, "v1").await;
        assert_eq!(get(door, "/").await.expect("it answers").count(), Some(1), "{}", host.log());
        host.signal(Signal::TERM);
        let status = host.end(WITHIN).await;
        assert!(status.success(), "{status}: {}", host.log());

        assert!(home.join("host/host.redb").exists(), "its folder is where it keeps what it has");
        if geteuid().is_root() {
            let strays: Vec<PathBuf> =
                ["/tmp", "/var/tmp", "/dev/shm"].into_iter().flat_map(files_of_nobody).collect();
            assert!(strays.is_empty(), "{strays:?}");
        }
    }
}

/// A host that runs as nobody, with no capability and no way to get one; as ourselves where we may not
/// choose. With the address of its listener and its folder.
fn host_of_nobody(lattice: &Lattice, sandbox: bool) -> (Process, std::net::SocketAddr, PathBuf) {
    let wattle = lattice.file("wattle-of-nobody", "");
    let folder = wattle.parent().expect("the file is in a folder").to_owned();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("let others in");
    // The folder of the binary may be closed to others.
    fs::remove_file(&wattle).expect("the name is free");
    fs::hard_link(binary(), &wattle)
        .or_else(|_| fs::copy(binary(), &wattle).map(drop))
        .expect("put the binary where everybody may run it");
    let home = folder.join("home-of-nobody");
    fs::create_dir(&home).expect("make a folder for the host");
    let door = free_address();
    let text = |path: &Path| path.display().to_string();
    let mut arguments: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|&word| word.to_owned()));
    let program = if geteuid().is_root() {
        chown(&home, Some(NOBODY), Some(NOBODY)).expect("give the folder to nobody");
        add(&["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]);
        add(&["--inh-caps=-all", "--no-new-privs", "--", "/usr/bin/env"]);
        Path::new("/usr/bin/setpriv")
    } else {
        Path::new("/usr/bin/env")
    };
    add(&["TMPDIR=/nonexistent", "HOME=/nonexistent", &text(&wattle), "host", "--name", "nobody"]);
    add(&[
        "--lattice",
        "story",
        "--nats-url",
        &lattice.nats.url(),
        "--http-addr",
        &door.to_string(),
    ]);
    add(&["--data-dir", &text(&home), "--trust", &text(&folder.join("trust.toml"))]);
    if sandbox {
        add(&["--sandbox"]);
    }
    (Process::start("nobody", program, &arguments, &folder), door, home)
}

fn files_of_nobody(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let owned = entries.filter(|entry| entry.metadata().is_ok_and(|found| found.uid() == NOBODY));
    owned.map(|entry| entry.path()).collect()
}

#[tokio::test]
async fn a_lattice_of_one_machine_runs_in_a_sandbox_and_ends_its_server() {
    let home = tempfile::tempdir().unwrap();
    let door = free_address();
    let up = ["up", "--detach", "--sandbox", "--nats-port", "0", "--http-addr"];
    let up: Vec<String> = up.map(str::to_owned).into_iter().chain([door.to_string()]).collect();
    Said::by(home.path(), up).await.fine();
    let component = home.path().join("counter.wasm");
    fs::write(&component, guest("http-counter").0).unwrap();
    let signed =
        Said::by(home.path(), ["claims", "sign", component.to_str().unwrap()]).await.fine();
    let image = format!("file://{}", signed.trim());
    let app = home.path().join("wattle.json");
    fs::write(&app, manifest("visits", &[("counter", &image, Some("/"))]).to_string()).unwrap();
    Said::by(home.path(), ["app", "deploy", app.to_str().unwrap()]).await.fine();
    assert_eq!(get(door, "/").await.unwrap().count(), Some(1));
    let log = fs::read_to_string(home.path().join("wattle/up/wattle.log")).unwrap();
    assert!(log.contains("sandbox: no new privileges"), "{log}");
    // Which waits until the process has ended, and that one ends its nats-server first.
    Said::by(home.path(), ["down"]).await.fine();
}

/// Every thread, those of the compiler and of the clock of epochs included.
async fn until_every_thread_is_held(process: &Process) {
    let pid = process.pid();
    wait_until("every thread is held", WITHIN, async || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
        let ids = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
        let held = |thread: u32| {
            let status = status_of(process, thread);
            // One that has just ended has nothing to say.
            status.is_empty()
                || (field(&status, "NoNewPrivs") == "1" && field(&status, "Seccomp") == "2")
        };
        let free: Vec<u32> = ids.filter(|&thread| !held(thread)).collect();
        Look::some(free.is_empty().then_some(()), || format!("these are not: {free:?}"))
    })
    .await;
}

fn status_of(process: &Process, thread: u32) -> String {
    let pid = process.pid();
    fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).unwrap_or_default()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}
