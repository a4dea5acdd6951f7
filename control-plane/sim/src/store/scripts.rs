//! Sequences of asks with the outcomes NATS gives them, on a stream that was just created.

use wattle_types::{Epoch, Key};

use super::{Ask, Expect, Outcome, Write};

/// One story, told to an empty stream.
#[derive(Clone, Debug)]
pub struct Script {
    pub name: &'static str,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Asked(Ask, Outcome),
    /// The key's time is over, and the server puts a marker in its place.
    Expires(Key),
    /// What is stored now is kept somewhere,
    BackedUp,
    /// and is all there is again: what was stored since is lost.
    GoneBack,
    Deleted,
    Made,
}

impl From<(Ask, Outcome)> for Step {
    fn from((ask, outcome): (Ask, Outcome)) -> Self {
        Self::Asked(ask, outcome)
    }
}

/// Every rule of the store that the control plane relies on.
pub fn scripts() -> Vec<Script> {
    vec![
        conditions(),
        markers(),
        batches(),
        fence(),
        large_batches(),
        expiry(),
        lost_tail(),
        deleted_stream(),
    ]
}

fn asked<const N: usize>(steps: [(Ask, Outcome); N]) -> Vec<Step> {
    steps.into_iter().map(Step::from).collect()
}

fn app(name: &str) -> Key {
    Key::App(name.parse().expect("names in scripts are names"))
}

fn write(key: Key, value: &str, expect: Expect) -> Write {
    Write { key, value: Some(value.as_bytes().to_vec()), expect }
}

fn put(key: Key, value: &str, expect: Expect) -> Ask {
    Ask::Put(write(key, value, expect))
}

fn found(seq: u64, value: &str) -> Outcome {
    Outcome::Found { seq, value: value.as_bytes().to_vec() }
}

const fn stored(last_seq: u64) -> Outcome {
    Outcome::Stored { last_seq }
}

fn conditions() -> Script {
    Script {
        name: "a condition is on the key's own sequence",
        steps: asked([
            (Ask::ReadLeader(app("a")), Outcome::Nothing),
            (put(app("a"), "1", Expect::Seq(1)), Outcome::Conflict),
            (put(app("a"), "1", Expect::Absent), stored(1)),
            (put(app("a"), "2", Expect::Absent), Outcome::Conflict),
            (put(app("b"), "1", Expect::Absent), stored(2)),
            (put(app("a"), "2", Expect::Seq(2)), Outcome::Conflict),
            (put(app("a"), "2", Expect::Seq(1)), stored(3)),
            (Ask::ReadLeader(app("a")), found(3, "2")),
            (Ask::ReadDirect(app("b")), found(2, "1")),
        ]),
    }
}

fn markers() -> Script {
    let delete = |expect| Ask::Put(Write { key: app("a"), value: None, expect });
    Script {
        name: "a marker is a message like any other",
        steps: asked([
            (put(app("a"), "1", Expect::Absent), stored(1)),
            (delete(Expect::Absent), Outcome::Conflict),
            (delete(Expect::Seq(1)), stored(2)),
            (Ask::ReadLeader(app("a")), Outcome::Marker { seq: 2 }),
            (put(app("a"), "2", Expect::Absent), Outcome::Conflict),
            (put(app("a"), "2", Expect::Seq(2)), stored(3)),
            (Ask::ReadLeader(app("a")), found(3, "2")),
        ]),
    }
}

fn batches() -> Script {
    let batch = |lease, a, b| {
        Ask::Batch(vec![
            write(Key::Lease, "l", lease),
            write(app("a"), "x", a),
            write(app("b"), "y", b),
        ])
    };
    Script {
        name: "a batch is stored wholly or not at all",
        steps: asked([
            (batch(Expect::Absent, Expect::Absent, Expect::Seq(7)), Outcome::Conflict),
            (Ask::ReadLeader(Key::Lease), Outcome::Nothing),
            (batch(Expect::Absent, Expect::Absent, Expect::Absent), stored(3)),
            (Ask::ReadLeader(Key::Lease), found(1, "l")),
            (Ask::ReadLeader(app("b")), found(3, "y")),
            (batch(Expect::Seq(1), Expect::Seq(2), Expect::Absent), Outcome::Conflict),
            (Ask::ReadLeader(app("a")), found(2, "x")),
            (batch(Expect::Seq(1), Expect::Seq(2), Expect::Seq(3)), stored(6)),
        ]),
    }
}

fn fence() -> Script {
    let plan = |lease| {
        Ask::Batch(vec![write(Key::Lease, "old", lease), write(app("a"), "old", Expect::Absent)])
    };
    Script {
        name: "who lost the lease writes nothing",
        steps: asked([
            (put(Key::Lease, "old", Expect::Absent), stored(1)),
            (put(Key::Lease, "new", Expect::Seq(1)), stored(2)),
            (plan(Expect::Seq(1)), Outcome::Conflict),
            (Ask::ReadLeader(app("a")), Outcome::Nothing),
            (Ask::ReadLeader(Key::Lease), found(2, "new")),
        ]),
    }
}

fn large_batches() -> Script {
    let many = |len: u64| {
        let rest = (1..len).map(|n| write(app(&format!("a{n}")), "x", Expect::Absent));
        let lease = write(Key::Lease, &Epoch(1).to_string(), Expect::Absent);
        Ask::Batch(std::iter::once(lease).chain(rest).collect())
    };
    Script {
        name: "a batch has at most a thousand messages",
        steps: asked([
            (many(1_001), Outcome::TooMany),
            (Ask::ReadLeader(Key::Lease), Outcome::Nothing),
            (many(1_000), stored(1_000)),
        ]),
    }
}

fn expiry() -> Script {
    Script {
        name: "a key that expires leaves a marker, which counts",
        steps: vec![
            (put(app("a"), "1", Expect::Absent), stored(1)).into(),
            Step::Expires(app("a")),
            (Ask::ReadLeader(app("a")), Outcome::Marker { seq: 2 }).into(),
            (put(app("a"), "2", Expect::Absent), Outcome::Conflict).into(),
            (put(app("a"), "2", Expect::Seq(1)), Outcome::Conflict).into(),
            (put(app("a"), "2", Expect::Seq(2)), stored(3)).into(),
        ],
    }
}

fn lost_tail() -> Script {
    Script {
        name: "what is lost was never there, and its sequences are given again",
        steps: vec![
            (put(Key::Lease, "1", Expect::Absent), stored(1)).into(),
            (put(app("a"), "1", Expect::Absent), stored(2)).into(),
            Step::BackedUp,
            (put(app("a"), "2", Expect::Seq(2)), stored(3)).into(),
            (put(app("b"), "1", Expect::Absent), stored(4)).into(),
            Step::GoneBack,
            (Ask::ReadLeader(app("a")), found(2, "1")).into(),
            (Ask::ReadLeader(app("b")), Outcome::Nothing).into(),
            (put(app("a"), "3", Expect::Seq(3)), Outcome::Conflict).into(),
            (put(app("a"), "3", Expect::Seq(2)), stored(3)).into(),
            (Ask::ReadLeader(app("a")), found(3, "3")).into(),
        ],
    }
}

fn deleted_stream() -> Script {
    Script {
        name: "a stream that was deleted takes nothing, and the next one begins at 1",
        steps: vec![
            (put(app("a"), "1", Expect::Absent), stored(1)).into(),
            (put(app("a"), "2", Expect::Seq(1)), stored(2)).into(),
            Step::Deleted,
            (put(app("a"), "3", Expect::Seq(2)), Outcome::Nobody).into(),
            (Ask::ReadLeader(app("a")), Outcome::Nobody).into(),
            Step::Made,
            (Ask::ReadLeader(app("a")), Outcome::Nothing).into(),
            (put(app("a"), "3", Expect::Seq(2)), Outcome::Conflict).into(),
            (put(app("a"), "3", Expect::Absent), stored(1)).into(),
        ],
    }
}
