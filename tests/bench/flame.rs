//! Draws a flame graph of what `perf script` says.
//!
//! `bench-flame TITLE < STACKS > SVG`. What is too narrow to be read is left out, so that the file stays small.

use std::{
    env,
    io::{BufReader, BufWriter, stdin, stdout},
};

use anyhow::{Context, Result};
use inferno::{
    collapse::{Collapse, perf},
    flamegraph,
};

/// Of the width, in percent. A frame of a thousandth is still wide enough to be pointed at.
const FRAME_WIDTH_MIN: f64 = 0.1;

fn main() -> Result<()> {
    let title = env::args().nth(1).context("usage: bench-flame TITLE < STACKS > SVG")?;
    let mut folded = Vec::new();
    perf::Folder::default().collapse(BufReader::new(stdin()), &mut folded)?;
    let folded = String::from_utf8(folded).context("names of functions are text")?;
    let mut options = flamegraph::Options::default();
    options.title = title;
    options.min_width = FRAME_WIDTH_MIN;
    options.hash = true; // The same function has the same colour in both graphs.
    flamegraph::from_lines(&mut options, folded.lines(), BufWriter::new(stdout()))
        .context("draw the graph")
}
