//! Several controllers on three NATS nodes: whatever ends, hangs or wakes late, what was
//! acknowledged is there and nobody decides twice.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use wattle_tests::{
    Lattice, Load, Look, Process, Proxy, Shape, binary, controller_arguments, guest, manifest,
    wait_until,
};

const WITHIN: Duration = Duration::from_secs(60);

/// Three of each: any one may go.
const THREE: Shape = Shape { nodes: 3, controllers: 3 };

/// A host that is silent for five seconds is lost, and for fifteen if many are.
const HUNG_FOR: Duration = Duration::from_secs(16);

/// Reports of all controllers that answer, by name.
async fn reports(lattice: &Lattice) -> Vec<Value> {
    let said = lattice.wattle(["controller", "status", "-o", "json"]).await;
    // Nobody may lead for a moment, which the exit code tells as well.
    let reports: Value = serde_json::from_str(&said.out).unwrap_or_default();
    reports.as_array().cloned().unwrap_or_default()
}

/// Waits until exactly one leads that is not called so, and gives its number and epoch.
async fn until_led_but_by(lattice: &Lattice, but: &[usize]) -> (usize, u64) {
    wait_until(&format!("a controller leads that is not one of {but:?}"), WITHIN, async || {
        let reports = reports(lattice).await;
        let leaders: Vec<&Value> =
            reports.iter().filter(|report| report["leads"] == true).collect();
        let found = match leaders[..] {
            [leader] => {
                let name = leader["name"].as_str().expect("a controller has a name");
                let index = name.strip_prefix("controller-").and_then(|index| index.parse().ok());
                let index: usize = index.expect("the kit names controllers by number");
                let epoch = leader["epoch"].as_u64().expect("an epoch is a number");
                (!but.contains(&index)).then_some((index, epoch))
            }
            _ => None,
        };
        Look::some(found, || format!("{reports:?}; {}", lattice.logs()))
    })
    .await
}

/// Applications that were acknowledged: each must be there for ever.
struct Ledger {
    image: String,
    acknowledged: Vec<String>,
}

impl Ledger {
    fn new(lattice: &Lattice) -> Self {
        let image = lattice.signed("hello", &guest("http-hello"));
        Self { image, acknowledged: Vec::new() }
    }

    /// Asks until it is acknowledged: a person would, too.
    async fn write(&mut self, lattice: &Lattice) {
        let name = format!("app-{}", self.acknowledged.len());
        let app = manifest(&name, &[("hello", &self.image, None)]);
        wait_until(&format!("{name} is acknowledged"), WITHIN, async || {
            let said = lattice.deploy(&app).await;
            Look::some((said.code == Some(0)).then_some(()), || format!("{said:?}"))
        })
        .await;
        self.acknowledged.push(name);
    }

    async fn check(&self, lattice: &Lattice) {
        let listed = lattice.wattle(["app", "list", "-o", "json"]).await.json();
        let listed = listed.as_array().expect("applications are listed").iter();
        let listed: Vec<&str> = listed.filter_map(|app| app["name"].as_str()).collect();
        for name in &self.acknowledged {
            assert!(listed.contains(&name.as_str()), "{name} was acknowledged: {listed:?}");
        }
    }
}

#[tokio::test]
async fn controllers_are_killed_and_stopped_and_step_down_and_nothing_acknowledged_is_lost() {
    let mut lattice = Lattice::start_as(THREE, &[("one", "a"), ("two", "b")], |_| Vec::new()).await;
    let mut ledger = Ledger::new(&lattice);
    let (first, epoch) = until_led_but_by(&lattice, &[]).await;
    ledger.write(&lattice).await;

    lattice.controllers[first].kill().await;
    let (second, second_epoch) = until_led_but_by(&lattice, &[first]).await;
    assert!(epoch < second_epoch, "{epoch} {second_epoch}");
    ledger.write(&lattice).await;
    lattice.restart_controller(first);

    lattice.controllers[second].signal(Signal::STOP);
    let (third, third_epoch) = until_led_but_by(&lattice, &[second]).await;
    assert!(second_epoch < third_epoch, "{second_epoch} {third_epoch}");
    ledger.write(&lattice).await;
    lattice.controllers[second].signal(Signal::CONT);
    wait_until("all three say who leads", WITHIN, async || {
        let reports = reports(&lattice).await;
        let name = format!("controller-{third}");
        let agree = reports.iter().all(|report| report["holder"] == name.as_str());
        Look::some((reports.len() == 3 && agree).then_some(()), || format!("{reports:?}"))
    })
    .await;

    let said = lattice.wattle(["controller", "step-down"]).await.fine();
    assert!(said.contains(&format!("leads with epoch {}", third_epoch + 1)), "{said}");
    let (fourth, _) = until_led_but_by(&lattice, &[third]).await;
    let gone = lattice.wattle(["controller", "step-down", "controller-9"]).await.complaint();
    assert!(gone.contains("controller-9"), "{gone}");
    ledger.write(&lattice).await;

    // Asked to leave, it gives the lease back at once.
    lattice.controllers[fourth].signal(Signal::TERM);
    let asked = Instant::now();
    assert!(lattice.controllers[fourth].end(WITHIN).await.success());
    until_led_but_by(&lattice, &[fourth]).await;
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
    ledger.write(&lattice).await;
    ledger.check(&lattice).await;
    for app in &ledger.acknowledged {
        lattice.until_status(app, "deployed").await;
    }
}

#[tokio::test]
async fn nodes_of_nats_hang_and_end_and_nothing_moves() {
    let hosts = [("one", "a"), ("two", "b"), ("three", "c")];
    let mut lattice = Lattice::start_as(THREE, &hosts, |_| Vec::new()).await;
    let mut ledger = Ledger::new(&lattice);
    for _ in 0..4 {
        ledger.write(&lattice).await;
    }
    let mut places = Vec::new();
    for app in &ledger.acknowledged {
        lattice.until_status(app, "deployed").await;
        places.push(lattice.hosts_of(&format!("{app}-hello")).await);
    }
    let stream = wattle_lattice::Store::bucket_name(&"story".parse().unwrap());
    let leader = lattice.nats.until_led(&format!("KV_{stream}"), &[]).await;
    // The node of the store's leader last: without it nothing is written for seconds.
    for hung in [(leader + 1) % 3, leader] {
        lattice.nats.nodes[hung].pause();
        // What would happen wrongly happens in this time.
        tokio::time::sleep(HUNG_FOR).await;
        lattice.nats.nodes[hung].resume();
        lattice.until_joined(3).await;
        lattice.until_led().await;
        for (app, before) in ledger.acknowledged.iter().zip(&places) {
            let now = lattice.hosts_of(&format!("{app}-hello")).await;
            assert_eq!(now, *before, "{app} moved while node {hung} hung; {}", lattice.logs());
        }
        for controller in &lattice.controllers {
            let log = controller.log();
            assert!(!log.contains("is lost; what it ran"), "node {hung} hung: {log}");
        }
    }

    // One that ends, with what it had on disk.
    lattice.nats.nodes[leader].kill();
    ledger.write(&lattice).await;
    lattice.nats.nodes[leader].restart();
    ledger.write(&lattice).await;
    ledger.check(&lattice).await;
}

#[tokio::test]
async fn a_leader_that_wakes_late_tries_to_write_and_the_store_refuses_it() {
    let mut lattice = Lattice::start(&[("one", "a")]).await;
    let server = format!("127.0.0.1:{}", lattice.nats.nodes[0].port()).parse().unwrap();
    // What JetStream says to a write on a condition that does not hold.
    let proxy = Proxy::start(server, "\"err_code\":10071").await;
    let home = lattice.home().to_owned();
    let mut arguments = controller_arguments(&proxy.url(), &home, "late");
    arguments.extend(["--name".to_owned(), "controller-7".to_owned()]);
    let _late = Process::start("controller-7", binary(), &arguments, &home);
    lattice.controllers[0].kill().await;
    let (_, epoch) = until_led_but_by(&lattice, &[0]).await;
    let refused = proxy.said();

    proxy.hold();
    lattice.restart_controller(0);
    let (_, later) = until_led_but_by(&lattice, &[7]).await;
    assert!(epoch < later, "{epoch} {later}");
    proxy.release();
    wait_until("the store refuses what comes late", WITHIN, async || {
        let said = proxy.said();
        Look::some((refused < said).then_some(()), || format!("{said} refusals"))
    })
    .await;
    let (leader, after) = until_led_but_by(&lattice, &[7]).await;
    assert_eq!((leader, after), (0, later), "who was refused leads nobody");
}

#[tokio::test]
async fn a_store_that_lost_everything_is_put_back_from_an_export_and_nothing_ends() {
    let mut lattice = Lattice::start(&[("one", "a")]).await;
    let image = lattice.signed("hello", &guest("http-hello"));
    let mut app = manifest("visits", &[("hello", &image, Some("/"))]);
    lattice.deployed(&mut app, "v1").await;
    let load = Load::start(lattice.host("one").listener, "/", 2);
    load.until_answered(20).await;
    let file = lattice.home().join("story.export");
    let file = file.to_str().expect("the path of a temporary folder is text").to_owned();
    let said = lattice.wattle(["controller", "export", "-o", &file]).await.fine();
    assert!(said.contains("values kept by controller-0"), "{said}");

    lattice.nats.nodes[0].restart_empty();
    let reports = wait_until("the controller leads and says what was lost", WITHIN, async || {
        let reports = reports(&lattice).await;
        let lost = reports.iter().any(|report| {
            report["leads"] == true && report["alarms"].to_string().contains("visits")
        });
        Look::some(lost.then(|| reports.clone()), || format!("{reports:?}; {}", lattice.logs()))
    })
    .await;
    assert!(reports[0]["alarms"].to_string().contains("state lost"), "{reports:?}");
    app["metadata"]["annotations"]["version"] = "v2".into();
    let refused = lattice.deploy(&app).await.complaint();
    assert!(refused.contains("wattle controller restore"), "{refused}");

    let said = lattice.wattle(["controller", "restore", &file]).await.fine();
    assert!(said.contains("values put back"), "{said}");
    lattice.until_status("visits", "deployed").await;
    let again = lattice.wattle(["controller", "restore", &file]).await.fine();
    assert!(again.starts_with("0 values put back"), "{again}");
    lattice.deployed(&mut app, "v2").await;
    load.until_answered(20).await;
    let lost = load.lost().await;
    assert!(lost.is_empty(), "it never ceased to serve: {lost:?}");
    let nothing = lattice.wattle(["controller", "restore", "nowhere.export"]).await.complaint();
    assert!(nothing.contains("nowhere.export"), "{nothing}");
}
