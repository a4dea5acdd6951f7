//! The story: quiet, attacked, over.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use wattle_engine::limits;
use wattle_tests::{Look, wait_until};
use wattle_value::Signatures;

use crate::{
    cases::{self, By, Case},
    census::Census,
    neighbour::{Neighbour, Noticed},
    stage::{NEIGHBOUR, Stage},
    throw::{self, GRACE, Thrown, complaint, limit, throw},
};

/// Attacks at once.
const CROWD: usize = 8;

/// How often each is made. Its time is judged by the median, so that one bad moment of the machine is
/// not taken for a limit that was not kept.
const ROUNDS: usize = 3;

/// Spinning guests at once, for a longer time.
const SPINNERS: usize = 16;

/// In which the neighbour is asked and nothing else happens.
const QUIET: Duration = Duration::from_secs(10);

/// After the last attack.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// The threads that tokio keeps for blocking work end when they had nothing to do for 10 s.
const THREADS_BACK_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_attack_get_what_the_table_says_and_their_neighbour_hardly_notices() {
    let stage = Stage::set().await;
    let (door, pid) = (stage.door(), stage.pid());
    let signatures = throw::describe(&stage).await;
    let neighbour = Neighbour::start(door, NEIGHBOUR);
    until_answered(&stage).await;

    let quiet = Instant::now();
    tokio::time::sleep(QUIET).await;
    let warm = Census::of(pid);

    let attacked = Instant::now();
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        all.push(round_of(&stage, &signatures, round).await);
    }
    let spinning = Instant::now();
    spin(&stage, &signatures, quiet.elapsed()).await;
    let over = Instant::now();
    println!("{:?} for the rounds, {:?} in all", spinning - attacked, over - quiet);
    let complaints = judged(&all);
    println!("{}", complaints.join("\n"));
    let record = neighbour.stop();
    let before = record.between(quiet, attacked);
    let during = record.between(attacked, spinning);
    let beside_spinners = record.between(spinning, over);
    println!("{before:?}\n{during:?}\n{beside_spinners:?}");
    println!("warm {warm:?}, now {:?}", Census::of(pid));
    let _ = (BACK_WITHIN, THREADS_BACK_WITHIN);
}

/// Every case once, several at a time, beginning with another one each round.
async fn round_of(
    stage: &Stage,
    signatures: &Signatures,
    round: usize,
) -> Vec<(&'static Case, Thrown)> {
    let mut cases: Vec<_> = cases::all().filter(|case| !matches!(case.by, By::File(_))).collect();
    let first = cases.len() * round / ROUNDS;
    cases.rotate_left(first);
    let thrown = cases.into_iter().map(async |case| (case, throw(stage, signatures, case).await));
    stream::iter(thrown).buffer_unordered(CROWD).collect().await
}

async fn spin(stage: &Stage, signatures: &Signatures, _: Duration) {
    let case = cases::all().find(|case| case.id == "spin").expect("one of them spins");
    for _ in 0..6 {
        let spinning = (0..SPINNERS).map(|_| throw(stage, signatures, case));
        for thrown in futures::future::join_all(spinning).await {
            assert_eq!(complaint(case, &thrown.seen), None);
        }
    }
}

fn judged(rounds: &[Vec<(&'static Case, Thrown)>]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut times: BTreeMap<&str, (&Case, Vec<Duration>)> = BTreeMap::new();
    for (case, thrown) in rounds.iter().flatten() {
        complaints.extend(complaint(case, &thrown.seen));
        times.entry(case.id).or_insert((case, Vec::new())).1.push(thrown.took);
    }
    for (id, (case, mut times)) in times {
        times.sort_unstable();
        let (took, most) = (times[times.len() / 2], limit(case) + GRACE);
        if most < took {
            complaints.push(format!("{id}: took {took:?}, and has {most:?}; {times:?}"));
        }
    }
    complaints
}

async fn until_answered(stage: &Stage) {
    wait_until("the neighbour answers", Duration::from_secs(60), async || {
        let answer = wattle_tests::get_from(stage.door(), NEIGHBOUR, "/").await;
        let fine = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        Look::some(fine.then_some(()), || format!("{answer:?}"))
    })
    .await;
}

#[allow(unused)]
fn budget(warm: Census, before: Noticed) -> u64 {
    let permits = u64::from(limits::PERMITS_DEFAULT + limits::NESTED_PERMITS_DEFAULT);
    warm.resident + permits * (limits::KEEP_MEMORY_BYTES) as u64
}
