//! Who asks, and how fast the answers come: `wrk` where it is installed, else the generator in `tests/bench`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use crate::run;

/// One thread leaves the other cores to the server.
const CONNECTIONS: u32 = 32;

#[derive(Clone, Debug)]
pub(super) struct Generator {
    program: Program,
    connections: u32,
}

#[derive(Clone, Debug)]
enum Program {
    Wrk(PathBuf),
    Ours(PathBuf),
}

/// What one round gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    pub(super) per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

impl Generator {
    pub(super) fn find(bench: &Bench<'_>) -> Result<Self> {
        let program = match run::on_path("wrk") {
            Some(path) => Program::Wrk(path),
            None => Program::Ours(bench.program("bench-load")?),
        };
        Ok(Self { program, connections: CONNECTIONS })
    }

    /// For a server that would keep so many clients waiting that it refused some.
    pub(super) fn with_connections(self, connections: u32) -> Self {
        Self { connections, ..self }
    }

    /// The command, without its last word, the URL.
    pub(super) fn line(&self, seconds: u64) -> String {
        let connections = self.connections;
        match self.program {
            Program::Wrk(_) => format!("wrk -t1 -c{connections} -d{seconds}s --latency"),
            Program::Ours(_) => format!("bench-load {connections} {seconds}"),
        }
    }

    /// Asks as often as it can; every answer must be a good one.
    pub(super) fn round(&self, url: &str, seconds: u64) -> Result<Round> {
        let line = self.line(seconds);
        let mut words = line.split(' ').skip(1);
        let (Program::Wrk(program) | Program::Ours(program)) = &self.program;
        let said = run::output(Command::new(program).args(&mut words).arg(url))?;
        let round = match self.program {
            Program::Wrk(_) => of_wrk(&said),
            Program::Ours(_) => of_ours(&said),
        };
        round.with_context(|| format!("`{line} {url}` said: {said}"))
    }
}

/// One client that asks, waits, and asks again; `program` is `bench-load`.
pub(super) fn alone(program: &Path, url: &str, seconds: u64) -> Result<Round> {
    let said = run::output(Command::new(program).args(["1", &seconds.to_string(), url]))?;
    of_ours(&said).with_context(|| format!("bench-load said: {said}"))
}

/// So many requests per second whatever is answered; those that were not answered well do not count.
pub(super) fn paced(
    program: &Path,
    connections: u32,
    url: &str,
    seconds: u64,
    rate: u32,
) -> Result<Round> {
    let words = [connections.to_string(), seconds.to_string(), url.to_owned(), rate.to_string()];
    let said: Value = serde_json::from_str(&run::output(Command::new(program).args(words))?)?;
    // Less would be no overload, and the figure worth nothing.
    let sent = said["sent_per_second"].as_f64().context("no sent_per_second")?;
    ensure!(0.7 * f64::from(rate) < sent, "only {sent:.0} of {rate} per second were sent");
    good(&said)
}

fn of_wrk(said: &str) -> Result<Round> {
    ensure!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "not every answer was good"
    );
    let after = |label: &str| {
        let mut lines = said.lines().map(str::trim);
        lines
            .find_map(|line| line.strip_prefix(label))
            .map(str::trim)
            .with_context(|| format!("no {label}"))
    };
    Ok(Round {
        per_second: after("Requests/sec:")?.parse()?,
        p50: duration(after("50%")?)?,
        p99: duration(after("99%")?)?,
    })
}

/// As wrk writes them: `987.00us`, `1.46ms`, `2.01s`.
fn duration(text: &str) -> Result<Duration> {
    for (unit, seconds) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(Duration::from_secs_f64(number.parse::<f64>()? * seconds));
        }
    }
    anyhow::bail!("{text:?} is no duration")
}

fn of_ours(said: &str) -> Result<Round> {
    let said: Value = serde_json::from_str(said)?;
    ensure!(said["bad"] == 0, "not every answer was good");
    good(&said)
}

/// What our generator says of the good answers.
fn good(said: &Value) -> Result<Round> {
    let number = |name: &str| said[name].as_f64().with_context(|| format!("no {name}"));
    Ok(Round {
        per_second: number("per_second")?,
        p50: Duration::from_secs_f64(number("p50_s")?),
        p99: Duration::from_secs_f64(number("p99_s")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 5s test @ http://127.0.0.1:8000/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.57ms  520.12us  12.48ms   84.37%
  Latency Distribution
     50%    1.46ms
     75%    1.80ms
     90%    2.20ms
     99%    3.20ms
  103615 requests in 5.01s, 9.39MB read
Requests/sec:  20681.64
Transfer/sec:      1.87MB
";

    #[test]
    fn what_wrk_says_is_understood() {
        let round = of_wrk(WRK).unwrap();
        assert_eq!(
            round,
            Round {
                per_second: 20681.64,
                p50: Duration::from_micros(1460),
                p99: Duration::from_micros(3200)
            }
        );
        assert!(of_wrk(&format!("{WRK}  Non-2xx or 3xx responses: 7\n")).is_err());
        assert!(of_wrk("unable to connect").is_err());
    }

    #[test]
    fn what_our_generator_says_is_understood() {
        let said = r#"{"per_second":100.5,"p50_s":0.001,"p99_s":0.002,"bad":0}"#;
        let round = of_ours(said).unwrap();
        assert_eq!((round.per_second, round.p99), (100.5, Duration::from_millis(2)));
        assert!(of_ours(&said.replace("\"bad\":0", "\"bad\":1")).is_err());
    }

    #[test]
    fn durations_have_units() {
        for (text, micros) in [("987.00us", 987), ("1.46ms", 1460), ("2.01s", 2_010_000)] {
            assert_eq!(duration(text).unwrap(), Duration::from_micros(micros), "{text}");
        }
        assert!(duration("1.46").is_err());
    }
}
