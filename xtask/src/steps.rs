//! The steps of `cargo xtask test`: in order, each named and timed, until one fails.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cargo::{Cargo, TestCount};
use crate::{page, system, walls};

/// What `--only` may name.
pub const NAMES: [&str; 10] =
    ["system", "format", "walls", "page", "clippy", "docs", "tests", "world", "stories", "browser"];

/// One thing that must hold.
#[derive(Clone, Copy)]
pub enum Step {
    /// Programs that the build needs are there, or are installed now.
    System,
    /// `cargo fmt --check`.
    Format,
    /// The walls between the crates, and what no source file may say.
    Walls,
    /// The web page as it is written: the code of others in it, its texts in each language, its types.
    Page,
    /// Clippy over every target, warnings denied: with the planted bugs that testkit compiles in, and without.
    Clippy,
    /// The documentation builds without a warning.
    Docs,
    /// Every test but the World's; the stories are among them.
    Tests,
    /// The World. Apart from [`Step::Tests`], because cargo would else build the program that the stories run with the
    /// planted bugs that the World needs.
    World,
    /// The worlds alone, without the tests of the World itself, and saying how many there were.
    Soak,
    /// The stories alone, and the README's tour.
    Stories,
    /// The stories of the web page alone, in a browser.
    Browser,
}

impl Step {
    /// The steps of `cargo xtask test`. [`Step::Stories`] and [`Step::Browser`] are parts of [`Step::Tests`].
    pub const fn all() -> [Self; 8] {
        [Self::System, Self::Format, Self::Walls, Self::Page, Self::Clippy, Self::Docs, Self::Tests, Self::World]
    }

    /// The name that `--only` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Format => "format",
            Self::Walls => "walls",
            Self::Page => "page",
            Self::Clippy => "clippy",
            Self::Docs => "docs",
            Self::Tests => "tests",
            Self::World => "world",
            Self::Soak => "soak",
            Self::Stories => "stories",
            Self::Browser => "browser",
        }
    }

    /// Runs it; what it says on success stands in the step's closing line.
    fn run(self, cargo: &Cargo) -> Result<String> {
        let silent = |()| String::new();
        let noted = |count: TestCount| count.to_string();
        match self {
            Self::System => system::ensure(),
            Self::Format => cargo.run(["fmt", "--all", "--check"]).map(silent),
            Self::Walls => walls::check(cargo.root()),
            Self::Page => page::check(cargo.root()),
            Self::Clippy => {
                let clippy = |packages: &[&'static str]| {
                    let (first, last) = (["clippy", "--release", "--all-targets", "--quiet"], ["--", "-D", "warnings"]);
                    cargo.run([&first[..], packages, &last[..]].concat())
                };
                clippy(&["--workspace", "--exclude", "testkit"])?;
                clippy(&["--package", "testkit"]).map(silent)
            }
            Self::Docs => cargo
                .with("RUSTDOCFLAGS", "-D warnings")
                .run(["doc", "--release", "--workspace", "--no-deps", "--quiet"])
                .map(silent),
            Self::Tests => cargo.run_tests(["test", "--release", "--workspace", "--exclude", "testkit"]).map(noted),
            Self::World => cargo.run_tests(["test", "--release", "--package", "testkit"]).map(noted),
            Self::Soak => {
                let seeds = ["--test", "world", "--", "--nocapture"];
                cargo.run_tests(["test", "--release", "--package", "testkit"].into_iter().chain(seeds)).map(noted)
            }
            Self::Stories => {
                // The selection of the whole test command: with another one cargo would build the dependencies again.
                let packages = ["test", "--release", "--workspace", "--exclude", "testkit"];
                // Stories run the examples, which cargo builds by itself only when all tests are asked for.
                let examples = ["build", "--release", "--workspace", "--exclude", "testkit", "--examples"];
                cargo.run(examples)?;
                let stories = ["--test", "stories", "--test", "readme"];
                cargo.run_tests(packages.into_iter().chain(stories)).map(noted)
            }
            Self::Browser => {
                let packages = ["test", "--release", "--workspace", "--exclude", "testkit", "--test", "page"];
                cargo.run_tests(packages).map(noted)
            }
        }
    }
}

/// Runs steps until one fails, and ends with a line that counts them.
pub fn run(steps: impl IntoIterator<Item = Step>, cargo: &Cargo) -> ExitCode {
    let begin = Instant::now();
    let (mut passed, mut failed) = (0, None);
    let mut steps = steps.into_iter();
    for step in steps.by_ref() {
        println!("==> {}", step.name());
        let step_begin = Instant::now();
        match step.run(cargo) {
            Ok(note) => {
                let separator = if note.is_empty() { "" } else { ": " };
                println!("    {} passed in {}{separator}{note}", step.name(), Span(step_begin.elapsed()));
                passed += 1;
            }
            Err(error) => {
                println!("    {} FAILED in {}: {error:#}", step.name(), Span(step_begin.elapsed()));
                failed = Some(step);
                break;
            }
        }
    }
    println!();
    let left: Vec<_> = steps.map(Step::name).collect();
    if !left.is_empty() {
        println!("not run: {}", left.join(", "));
    }
    println!("{passed} passed, {} failed ({})", u32::from(failed.is_some()), Span(begin.elapsed()));
    if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A duration as people read it: `0.4 s`, `3 min 7 s`.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        } else {
            write!(f, "{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_can_be_named() {
        for step in Step::all() {
            assert!(NAMES.contains(&step.name()));
        }
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(Span(Duration::from_millis(420)).to_string(), "0.4 s");
        assert_eq!(Span(Duration::from_secs(187)).to_string(), "3 min 7 s");
    }
}
