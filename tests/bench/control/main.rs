//! How soon a lattice notices what it has lost, and how large it may be.
//!
//! `bench-control losses COMPONENT KILLS NODES`, `bench-control large HOSTS INSTANCES MOST` and
//! `bench-control commit WRITES RUNS` print one JSON object each. Hosts and controllers of `losses`
//! and the controller of `large` are processes of the binary in `WATTLE_BIN`; NATS has three nodes of
//! the server in `WATTLE_NATS_SERVER`.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

mod commit;
mod large;
mod losses;
mod thin;

use std::env;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: bench-control losses COMPONENT KILLS NODES\n\
                     \x20      bench-control large HOSTS INSTANCES MOST\n\
                     \x20      bench-control commit WRITES RUNS";

/// On this thread: the kernel takes the end of the one that started a process for ours.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().context(USAGE);
    let read = |path: &str| std::fs::read(path).with_context(|| format!("read {path}"));
    let said = match words[..] {
        ["losses", component, kills, nodes] => {
            losses::measure(read(component)?, number(kills)?, number(nodes)?).await?
        }
        ["large", hosts, instances, most] => {
            large::measure((number(hosts)?, number(instances)?, number(most)?)).await?
        }
        ["commit", writes, runs] => commit::measure(number(writes)?, number(runs)?).await?,
        _ => bail!(USAGE),
    };
    println!("{said}");
    Ok(())
}
