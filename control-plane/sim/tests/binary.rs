//! The binary: what it says, and how it ends.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattle-sim"));
    command.args(arguments).output().expect("the binary was built with this test")
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes text")
}

#[test]
fn two_seeds_are_counted_for_people_and_for_programs() {
    let seeds = ["--from", "3", "--seeds", "2", "--hosts", "3", "--storm", "2"];
    let text = sim(&seeds);
    assert!(text.status.success(), "{text:?}");
    for word in ["virtual host-hours", "host-hours per core-hour", "every promise was kept"] {
        assert!(said(&text).contains(word), "{}", said(&text));
    }
    assert_eq!(text.stderr, b"", "progress is for terminals");
    let json = sim(&[&seeds[..], &["-o", "json"]].concat());
    let summary: serde_json::Value = serde_json::from_slice(&json.stdout).expect("this is JSON");
    assert_eq!((&summary["seeds"], &summary["failure"]), (&2.into(), &().into()), "{summary}");
    let host_hours = summary["virtual_host_hours"].as_f64();
    assert!(host_hours.is_some_and(|hours| 0.0 < hours), "{summary}");
}

#[test]
fn help_has_examples_and_what_cannot_be_is_refused() {
    let help = sim(&["--help"]);
    assert!(help.status.success() && said(&help).contains("wattle-sim --seeds 1000"), "{help:?}");
    for wrong in [["--hosts", "0"], ["--controllers", "10"], ["--seeds", "many"]] {
        let output = sim(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
    }
}
