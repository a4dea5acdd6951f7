//! Makes a run that breaks a promise smaller, as long as it breaks the same one, and writes it down
//! as a test.
//!
//! Whatever is left out changes what chance brings, so that the seed may show nothing any more
//! though the defect is still within reach: a few other seeds are tried then.

use std::fmt::Write as _;

use crate::faults::{Hazard, Options};
use crate::properties::Property;
use crate::report::{Report, run};

/// So many seeds are tried for each smaller run.
const SEEDS_TRIED: u64 = 12;
/// A run takes a part of a second; whoever waits for the result does so for a minute or two.
const RUNS_MAX: u64 = 1_500;
/// In less time than this nothing is deployed.
const STORM_MS_MIN: u64 = 2_000;

/// A run that breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub seed: u64,
    pub options: Options,
    pub property: Property,
}

impl Case {
    /// The run of this report.
    ///
    /// # Panics
    ///
    /// If it broke no promise.
    pub fn of(report: &Report, options: &Options) -> Self {
        let violation = report.violation.as_ref().expect("the report tells of a broken promise");
        Self { seed: report.seed, options: options.clone(), property: violation.property }
    }

    /// A test that fails as long as the promise is broken, for a file of `control-plane/sim/tests`.
    pub fn test(&self) -> String {
        let (seed, options, standard) = (self.seed, &self.options, Options::default());
        let mut fields = Vec::new();
        fields.extend(options.hosts.map(|hosts| format!("hosts: Some({hosts})")));
        fields.extend(options.controllers.map(|count| format!("controllers: Some({count})")));
        if options.storm_ms != standard.storm_ms {
            fields.push(format!("storm_ms: {}", options.storm_ms));
        }
        if options.hazards != standard.hazards {
            let name = |hazard: &Hazard| format!("wattle_sim::Hazard::{hazard:?}");
            let names: Vec<String> = options.hazards.iter().map(name).collect();
            let list = match &names[..] {
                [] => "std::collections::BTreeSet::new()".to_owned(),
                names => format!("[{}].into()", names.join(", ")),
            };
            fields.push(format!("hazards: {list}"));
        }
        fields.extend(options.wishes.map(|wishes| format!("wishes: Some({wishes})")));
        fields.extend(
            options.fault.map(|fault| format!("fault: Some(wattle_sim::Fault::{fault:?})")),
        );
        let mut text = format!("#[test]\nfn seed_{seed}_breaks_no_promise() {{\n");
        text.push_str("    let options = wattle_sim::Options {\n");
        for field in fields {
            let _ = writeln!(text, "        {field},");
        }
        text.push_str("        ..wattle_sim::Options::default()\n    };\n");
        let _ = writeln!(text, "    let report = wattle_sim::run({seed}, &options);");
        text.push_str("    assert_eq!(report.violation, None, \"\\n{report}\");\n}\n");
        text
    }
}

/// The smallest run found that breaks the same promise; none if even the run itself does not.
pub fn minimise(case: &Case) -> Option<Case> {
    let mut runs = 0;
    let report = run(case.seed, &case.options);
    if report.violation.as_ref()?.property != case.property {
        return None;
    }
    // What was drawn is written down, so that it can be made less.
    let (hosts, controllers) = (Some(report.hosts), Some(report.controllers));
    let options = Options { hosts, controllers, ..case.options.clone() };
    let mut best = Case { options, ..case.clone() };
    while let Some(smaller) = step(&best, &mut runs) {
        best = smaller;
    }
    Some(best)
}

/// The first of the smaller runs that still breaks the promise.
fn step(case: &Case, runs: &mut u64) -> Option<Case> {
    for options in smaller(&case.options) {
        let others = (0..SEEDS_TRIED).filter(|seed| *seed != case.seed);
        for seed in std::iter::once(case.seed).chain(others) {
            *runs += 1;
            if RUNS_MAX < *runs {
                return None;
            }
            let report = run(seed, &options);
            if report.violation.is_some_and(|found| found.property == case.property) {
                return Some(Case { seed, options, property: case.property });
            }
        }
    }
    None
}

/// What could be left out, the most first.
fn smaller(options: &Options) -> Vec<Options> {
    let mut all = Vec::new();
    if !options.hazards.is_empty() {
        all.push(Options { hazards: Default::default(), ..options.clone() });
    }
    if STORM_MS_MIN <= options.storm_ms / 2 {
        all.push(Options { storm_ms: options.storm_ms / 2, ..options.clone() });
    }
    let fewer = |count: Option<usize>| {
        let count = count.unwrap_or(1);
        let mut counts = vec![1, count / 2, count - 1];
        counts.retain(|fewer| 0 < *fewer && *fewer < count);
        counts.dedup();
        counts
    };
    for hosts in fewer(options.hosts) {
        all.push(Options { hosts: Some(hosts), ..options.clone() });
    }
    for controllers in fewer(options.controllers) {
        all.push(Options { controllers: Some(controllers), ..options.clone() });
    }
    // Half of the hazards at once, then one by one.
    let kinds: Vec<Hazard> = options.hazards.iter().copied().collect();
    if 3 < kinds.len() {
        let (first, second) = kinds.split_at(kinds.len() / 2);
        for half in [first, second] {
            all.push(Options { hazards: half.iter().copied().collect(), ..options.clone() });
        }
    }
    for kind in kinds {
        let mut hazards = options.hazards.clone();
        hazards.remove(&kind);
        all.push(Options { hazards, ..options.clone() });
    }
    let wishes = options.wishes.unwrap_or(options.storm_ms / 300);
    if 0 < wishes {
        all.push(Options { wishes: Some(wishes / 2), ..options.clone() });
    }
    all
}
