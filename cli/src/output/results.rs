//! Results: lines, tables and JSON on standard output.

use std::fmt;
use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// The flag of every command that lists.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// How to print the result.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

impl OutputArgs {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        match self.output {
            Format::Text => line(text(value).trim_end()),
            Format::Json => {
                let json = serde_json::to_string_pretty(value);
                line(json.expect("what is listed has only string keys"));
            }
        }
    }
}

/// One line of result.
pub(crate) fn line(text: impl fmt::Display) {
    end_quietly_without_a_reader(&writeln!(io::stdout(), "{text}"));
}

/// Bytes of result, as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = io::stdout();
    end_quietly_without_a_reader(&out.write_all(bytes).and_then(|()| out.flush()));
}

/// `wattle get hosts | head -1` closes the pipe early; that is no failure.
fn end_quietly_without_a_reader(result: &io::Result<()>) {
    if result.is_err() {
        std::process::exit(0);
    }
}

/// Columns under headings, without lines, so that `awk` reads them too.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    table.add_rows(rows);
    table.lines().map(|line| line.trim().to_owned() + "\n").collect()
}
