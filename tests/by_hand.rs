//! A person starts, scales, updates and stops a component on one host, and an application takes it
//! over only when it is the same or when it is told to.

use wattle_tests::{Lattice, Said, guest, manifest};

const GREET: &str = "wattle-test:echo/echo.greet";

async fn greeted(lattice: &Lattice, id: &str) -> Said {
    lattice.wattle(["call", id, GREET, "\"Ada\""]).await
}

#[tokio::test]
async fn what_a_person_started_is_theirs_until_an_application_takes_it_over() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let echo = lattice.signed("echo", &guest("echo"));
    let hello = lattice.signed("hello", &guest("http-hello"));

    lattice.wattle(["start", "component", &echo, "shop-echo", "--max-instances", "2"]).await.fine();
    assert!(greeted(&lattice, "shop-echo").await.fine().contains("Ada"));
    // As hosts of wasmCloud 1.x do, with words that say so.
    let again = lattice.wattle(["start", "component", &hello, "shop-echo"]).await.fine();
    assert!(again.contains("goes on doing so; `wattle update component`"), "{again}");
    lattice.wattle(["scale", "component", "shop-echo", "5"]).await.fine();

    // Another component under the same id is not what a person started.
    let other = lattice.deploy(&manifest("shop", &[("echo", &hello, None)])).await;
    assert!(other.complaint().contains("started by hand on host"));
    // The same one is, and goes on.
    lattice.deployed(&mut manifest("shop", &[("echo", &echo, None)]), "v2").await;
    assert!(greeted(&lattice, "shop-echo").await.fine().contains("Ada"));

    let stop = lattice.wattle(["stop", "component", "shop-echo"]).await.complaint();
    assert!(stop.contains("belongs to application shop"), "{stop}");
    assert!(greeted(&lattice, "shop-echo").await.fine().contains("Ada"));
}

#[tokio::test]
async fn what_a_person_started_is_updated_and_stopped_by_hand() {
    let lattice = Lattice::start(&[("one", "a")]).await;
    let echo = lattice.signed("echo", &guest("echo"));
    let hello = lattice.signed("hello", &guest("http-hello"));

    lattice.wattle(["start", "component", &hello, "mine"]).await.fine();
    let refused = greeted(&lattice, "mine").await.complaint();
    assert!(refused.contains("mine has no functions that can be called"), "{refused}");
    assert_eq!(lattice.hosts_of("mine").await, ["one"]);
    lattice.wattle(["update", "component", "mine", &echo]).await.fine();
    assert!(greeted(&lattice, "mine").await.fine().contains("Ada"));
    lattice.wattle(["stop", "component", "mine"]).await.fine();
    assert!(lattice.hosts_of("mine").await.is_empty());
    let gone = lattice.wattle(["stop", "component", "mine"]).await.complaint();
    assert!(gone.contains("mine runs nowhere"), "{gone}");
}
