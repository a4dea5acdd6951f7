//! The story: quiet, attacked, over.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream};
use wattle_engine::limits::{
    KEEP_MEMORY_BYTES, KEEP_STACK_BYTES, KEEP_TABLE_BYTES, NESTED_PERMITS_DEFAULT, PERMITS_DEFAULT,
};
use wattle_tests::{Look, get_from, wait_until};
use wattle_value::Signatures;

use crate::{
    bombs::Bomb,
    cases::{self, By, Case, Outcome},
    census::Census,
    neighbour::{Neighbour, Noticed},
    stage::{NEIGHBOUR, Stage},
    throw::{self, GRACE, Thrown, complaint, limit, throw},
    wire,
};

/// Attacks at once.
const CROWD: usize = 8;

/// How often each is made while the neighbour is watched. Its time is judged by the median, so that one
/// bad moment of the machine is not taken for a limit that was not kept.
const ROUNDS: usize = 3;

/// Guests at once that only compute, and how often they are begun again.
const SPINNERS: usize = 16;
const SPINS: usize = 6;

/// As many calls of one actor as would take every place of the pool for themselves, if each of a call's
/// memories and tables took one that no permit stands for.
const HOARDERS: usize = 48;

/// In which the neighbour is asked and nothing else happens.
const QUIET: Duration = Duration::from_secs(10);

/// How much slower the neighbour's slowest hundredth may become: on two processors, and on more.
const FACTOR: [u32; 2] = [4, 2];

/// What is asked at a steady rate is answered at that rate; the rest is for those few that were late.
const SHARE: f64 = 0.95;

/// After the last attack.
const MEMORY_BACK_WITHIN: Duration = Duration::from_secs(10);

/// The threads that tokio keeps for blocking work end when they had nothing to do for 10 s.
const THREADS_BACK_WITHIN: Duration = Duration::from_secs(20);

/// All of the files together, on a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// The largest file has 70 MiB, of which a host reads as much as it takes.
const FILES_MEMORY_BYTES: u64 = 256 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_attack_get_what_the_table_says_and_their_neighbour_hardly_notices() {
    let stage = Stage::set().await;
    let signatures = throw::describe(&stage).await;
    until_answered(&stage).await;
    let cold = Census::of(stage.pid());
    // What is made once and kept is no leak, so everything happens once before it is counted.
    let mut thrown = round(&stage, &signatures, 0).await;

    let neighbour = Neighbour::start(stage.door(), NEIGHBOUR);
    let quiet = Instant::now();
    tokio::time::sleep(QUIET).await;
    let warm = Census::of(stage.pid());

    let attacked = Instant::now();
    for number in 1..=ROUNDS {
        thrown.extend(round(&stage, &signatures, number).await);
    }
    let spinning = Instant::now();
    for _ in 0..SPINS {
        thrown.extend(many(&stage, &signatures, "spin", SPINNERS).await);
    }
    let hoarding = Instant::now();
    for id in ["thirty-two-memories", "sixty-tables"].repeat(3) {
        many(&stage, &signatures, id, HOARDERS).await;
    }
    let over = Instant::now();

    let mut complaints = judged(&thrown);
    let record = neighbour.stop();
    let before = record.between(quiet, attacked);
    for (from, to, what) in [
        (attacked, spinning, "attacks of all kinds"),
        (spinning, hoarding, "guests that compute"),
        (hoarding, over, "guests that take many places of the pool"),
    ] {
        complaints.extend(noticed(before, record.between(from, to), what));
    }
    assert!(complaints.is_empty(), "{}\n{}", complaints.join("\n"), stage.log_of_host());

    until_as_before(&stage, cold, warm).await;
    wire::what_a_guest_sends_beyond_its_answer_is_never_the_next_one(&stage).await;
    files(&stage).await;
    harmless_log(&stage);
    until_answered(&stage).await;
}

/// Every case once, several at a time, beginning with another one each round.
async fn round(
    stage: &Stage,
    signatures: &Signatures,
    number: usize,
) -> Vec<(&'static Case, Thrown)> {
    let mut cases: Vec<_> = cases::all().filter(|case| !matches!(case.by, By::File(_))).collect();
    let first = cases.len() * number / (ROUNDS + 1);
    cases.rotate_left(first);
    let thrown = cases.into_iter().map(async |case| (case, throw(stage, signatures, case).await));
    stream::iter(thrown).buffer_unordered(CROWD).collect().await
}

/// One case, so many times at once.
async fn many(
    stage: &Stage,
    signatures: &Signatures,
    id: &str,
    count: usize,
) -> Vec<(&'static Case, Thrown)> {
    let case = cases::all().find(|case| case.id == id).expect("a case");
    join_all((0..count).map(async |_| (case, throw(stage, signatures, case).await))).await
}

/// What came out otherwise than the table says, or too late.
fn judged(thrown: &[(&'static Case, Thrown)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut times: BTreeMap<&str, (&Case, Vec<Duration>)> = BTreeMap::new();
    for (case, thrown) in thrown {
        complaints.extend(complaint(case, &thrown.seen));
        times.entry(case.id).or_insert((case, Vec::new())).1.push(thrown.took);
    }
    for (id, (case, mut times)) in times {
        times.sort_unstable();
        let (took, most) = (times[times.len() / 2], limit(case) + GRACE);
        if most < took {
            complaints.push(format!("{id} took {took:?}, and has {most:?}"));
        }
    }
    complaints
}

/// What the neighbour noticed more of than it may.
fn noticed(before: Noticed, during: Noticed, what: &str) -> Vec<String> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let factor = FACTOR[usize::from(4 <= processors)];
    let mut complaints = Vec::new();
    if before.p99 * factor < during.p99 {
        let (windows, undisturbed) = during.windows;
        complaints.push(format!(
            "beside {what} the neighbour's slowest hundredth took {:?}, alone {:?}; of {windows} \
             windows other programs left {undisturbed} alone",
            during.p99, before.p99
        ));
    }
    if during.unanswered != 0 || during.share < SHARE {
        complaints.push(format!("beside {what} the neighbour was answered as {during:?} says"));
    }
    complaints
}

/// Waits until the host has what it had: of memory what it began with and what its pool may keep, of
/// everything else no more than when it was warm.
async fn until_as_before(stage: &Stage, cold: Census, warm: Census) {
    let slots = u64::from(PERMITS_DEFAULT + NESTED_PERMITS_DEFAULT);
    let kept = KEEP_MEMORY_BYTES + KEEP_TABLE_BYTES + KEEP_STACK_BYTES;
    let resident = cold.resident + slots * kept as u64;
    let memory = Census { resident, descriptors: usize::MAX, threads: usize::MAX };
    Census::until_within(stage.pid(), memory, MEMORY_BACK_WITHIN).await;
    Census::until_within(stage.pid(), Census { resident, ..warm }, THREADS_BACK_WITHIN).await;
    wait_until("no connection to the outside is left", MEMORY_BACK_WITHIN, async || {
        let open = stage.sink.connections();
        Look::some((open == 0).then_some(()), || format!("{open} are open"))
    })
    .await;
}

/// Files that never run: refused by their code, soon, and without much memory.
async fn files(stage: &Stage) {
    let files: Vec<(&Case, Bomb)> = cases::all()
        .filter_map(|case| match case.by {
            By::File(make) => Some((case, make())),
            _ => None,
        })
        .collect();
    let before = Census::of(stage.pid());
    Census::forget_peak(stage.pid());
    let offered = Instant::now();
    let said = stage.offer(&files).await;
    let took = offered.elapsed();
    for ((case, _), said) in files.iter().zip(said) {
        let Outcome::Refused(code) = case.outcome else { panic!("{} is no file", case.id) };
        assert!(said.contains(code), "{}: not {code}, but {said}", case.id);
    }
    assert!(took <= REFUSED_WITHIN, "they were refused after {took:?}");
    let more = stage.lattice.host("one").process.memory_peak().saturating_sub(before.resident);
    assert!(more <= FILES_MEMORY_BYTES, "they took {more} bytes");
}

/// What guests said is in the log, as words.
fn harmless_log(stage: &Stage) {
    let log = stage.log_of_host();
    assert!(log.contains("forged: a second line"), "what guests say is heard");
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    let line = log.lines().find(|line| line.contains(odd));
    assert_eq!(line, None, "a control character reached the log");
    let forged = log.lines().find(|line| line.starts_with("ERROR forged"));
    assert_eq!(forged, None, "a guest wrote a line of its own");
    // Guests may panic, and say so.
    let panicked = |line: &&str| line.contains("panicked") && !line.contains("source=Stderr");
    assert_eq!(log.lines().find(panicked), None, "the host panicked");
}

async fn until_answered(stage: &Stage) {
    wait_until("the neighbour answers", Duration::from_secs(60), async || {
        let answer = get_from(stage.door(), NEIGHBOUR, "/").await;
        let fine = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        Look::some(fine.then_some(()), || format!("{answer:?}"))
    })
    .await;
}
