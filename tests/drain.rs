//! A host that is asked to leave: what is in flight is finished, and nothing is lost.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use wattle_tests::{Lattice, Load, Look, begin, guest, manifest, wait_until};

const WITHIN: Duration = Duration::from_secs(60);

/// Enough that some are in flight at every moment.
const CALLERS: usize = 8;

#[tokio::test]
async fn an_answer_that_was_begun_before_sigterm_is_finished() {
    let mut lattice = Lattice::start(&[("leaves", "a")]).await;
    let image = lattice.signed("exerciser", &guest("exerciser"));
    lattice.deploy(&manifest("slow", &[("exerciser", &image, Some("/"))])).await.fine();
    lattice.until_status("slow", "deployed").await;
    let door = lattice.host("leaves").listener;
    let mut begun = Vec::new();
    for _ in 0..CALLERS {
        let answer = begin(door, "localhost", "/slow?times=20&ms=100").await.expect("it answers");
        assert_eq!(answer.status, 200);
        begun.push(answer);
    }

    let leaving = &mut lattice.host_mut("leaves").process;
    leaving.signal(Signal::TERM);
    let whole: String = (0..20).map(|piece| format!("{piece} ")).collect();
    for answer in begun {
        assert_eq!(answer.whole().await.expect("it is not cut short").body, whole);
    }
    let status = leaving.end(WITHIN).await;
    assert!(status.success(), "{status}: {}", leaving.log());
}

#[tokio::test]
async fn sigterm_under_load_loses_no_answer_and_exits_with_0() {
    let mut lattice = Lattice::start(&[("leaves", "a"), ("stays", "b")]).await;
    let image = lattice.signed("counter", &guest("http-counter"));
    let mut app = manifest("visits", &[("counter", &image, Some("/"))]);
    // On both, so that whoever asks at the one that stays is always answered.
    app["spec"]["components"][0]["traits"][0]["type"] = "daemonscaler".into();
    lattice.deploy(&app).await.fine();
    lattice.until_status("visits", "deployed").await;
    let door = lattice.host("stays").listener;
    wait_until("both hosts run it", WITHIN, async || {
        let hosts = lattice.hosts_of("visits-counter").await;
        Look::some((hosts.len() == 2).then_some(()), || format!("{hosts:?}"))
    })
    .await;

    let load = Load::start(door, "/", CALLERS);
    load.until_answered(50).await;

    let leaving = &mut lattice.host_mut("leaves").process;
    leaving.signal(Signal::TERM);
    let status = leaving.end(WITHIN).await;
    assert!(status.success(), "{status}: {}", leaving.log());

    load.until_answered(50).await;
    let lost = load.lost().await;
    assert!(lost.is_empty(), "answers were lost: {lost:?}");
}

#[tokio::test]
async fn an_actor_of_one_host_serves_there_until_it_does_elsewhere() {
    let mut lattice = Lattice::start(&[("one", "a"), ("two", "b")]).await;
    let image = lattice.signed("counter", &guest("http-counter"));
    let mut app = manifest("visits", &[("counter", &image, Some("/"))]);
    lattice.deployed(&mut app, "v1").await;
    let leaves = lattice.hosts_of("visits-counter").await.remove(0);
    let stays = if leaves == "one" { "two" } else { "one" };
    let load = Load::start(lattice.host(stays).listener, "/", CALLERS);
    load.until_answered(50).await;

    let leaving = &mut lattice.host_mut(&leaves).process;
    leaving.signal(Signal::TERM);
    let status = leaving.end(WITHIN).await;
    assert!(status.success(), "{status}: {}", leaving.log());

    load.until_answered(50).await;
    let lost = load.lost().await;
    assert!(lost.is_empty(), "{} answers were lost, such as {:?}", lost.len(), lost[0]);
    assert_eq!(lattice.hosts_of("visits-counter").await, [stays]);
}

#[tokio::test]
async fn the_only_host_of_a_lattice_leaves_at_once() {
    let mut lattice = Lattice::start(&[("leaves", "a")]).await;
    let image = lattice.signed("counter", &guest("http-counter"));
    let mut app = manifest("visits", &[("counter", &image, Some("/"))]);
    lattice.deployed(&mut app, "v1").await;
    let leaving = &mut lattice.host_mut("leaves").process;
    let began = Instant::now();
    leaving.signal(Signal::TERM);
    assert!(leaving.end(WITHIN).await.success());
    // Half of the grace is what it would wait for others.
    assert!(began.elapsed() < Duration::from_secs(10), "there is nobody to wait for");
}
