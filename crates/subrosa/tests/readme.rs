//! The README's five-minute tour, typed as it stands.
//!
//! Every ```` ```sh ```` block under the heading of the tour is run, in order, by one bash, in a folder where
//! `target/release` is the one of this build. A ```` ```text ```` block is what the `sh` block above it must have printed
//! on standard output: line by line, where `…` stands for anything within a line. A command that fails ends the tour.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const README: &str = include_str!("../../../README.md");
const HEADING: &str = "## Five-minute tour";

/// Seconds that the tour may take, so that a server that never comes up fails the test and not the patience.
const PATIENCE: &str = "300";

/// A `sh` block, and the lines that are expected of it if the README shows any.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stop {
    commands: String,
    expected: Option<Vec<String>>,
}

/// The stops of a tour in Markdown: from its heading to the next one of the same level.
fn stops(markdown: &str) -> Vec<Stop> {
    let tour = markdown.split_once(HEADING).expect("the README has the tour").1;
    let tour = tour.split("\n## ").next().unwrap_or(tour);
    let mut stops: Vec<Stop> = Vec::new();
    let mut fence = None;
    for line in tour.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some("sh")) => {
                stops.push(Stop::default());
                fence = Some("sh");
            }
            (None, Some("text")) => {
                let stop = stops.last_mut().expect("output stands below the commands that print it");
                stop.expected = Some(Vec::new());
                fence = Some("text");
            }
            (None, Some(other)) => panic!("the tour has a block of {other:?}: only sh and text are understood"),
            (None, None) => {}
            (Some(_), Some("")) => fence = None,
            (Some("sh"), _) => {
                let stop = stops.last_mut().expect("a block was begun");
                stop.commands.push_str(line);
                stop.commands.push('\n');
            }
            (Some(_), _) => {
                let expected = stops.last_mut().and_then(|stop| stop.expected.as_mut());
                expected.expect("a block was begun").push(line.to_owned());
            }
        }
    }
    stops
}

/// Whether `line` is `pattern`, in which `…` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A script of all stops, which keeps the output of each in a file of its own.
fn script(stops: &[Stop], outputs: &Path) -> String {
    let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n".to_owned();
    for (number, stop) in stops.iter().enumerate() {
        let output = outputs.join(number.to_string());
        writeln!(script, "exec 1> '{}'\n{}", output.display(), stop.commands).expect("a String grows");
    }
    script
}

#[test]
fn the_tour_in_the_readme_works_as_it_stands() {
    let stops = stops(README);
    assert!(stops.len() >= 4, "the tour has only {} blocks of commands", stops.len());
    let folder = TempDir::new().unwrap();
    let release = folder.path().join("target");
    std::fs::create_dir(&release).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_subrosa")).parent().unwrap();
    std::os::unix::fs::symlink(binaries, release.join("release")).unwrap();

    let outcome = Command::new("timeout")
        .args([PATIENCE, "bash", "-c", &script(&stops, folder.path())])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("NO_COLOR", "1")
        .env_remove("SUBROSA_HOME")
        .output()
        .unwrap();

    let mut report = String::new();
    for (number, stop) in stops.iter().enumerate() {
        let Ok(output) = std::fs::read_to_string(folder.path().join(number.to_string())) else {
            writeln!(report, "\nnot reached:\n{}", stop.commands).unwrap();
            continue;
        };
        let printed: Vec<&str> = output.lines().collect();
        let as_expected = stop.expected.as_ref().is_none_or(|expected| {
            expected.len() == printed.len()
                && expected.iter().zip(&printed).all(|(expected, line)| matches(expected, line))
        });
        if !as_expected {
            let expected = stop.expected.iter().flatten().fold(String::new(), |text, line| text + line + "\n");
            writeln!(report, "\nthese commands:\n{}\nprinted:\n{output}\ninstead of:\n{expected}", stop.commands)
                .unwrap();
        }
    }
    let errors = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success() && report.is_empty(), "{}\n{report}\nstandard error:\n{errors}", outcome.status);
}

#[test]
fn commands_and_expected_output_are_told_apart() {
    let markdown = "# A\n```sh\nno\n```\n## Five-minute tour\ntext\n```sh\na\nb\n```\nmore\n```text\nc …\n```\n```sh\nd\n```\n## B\n```sh\nno\n```\n";
    assert_eq!(
        stops(markdown),
        [
            Stop { commands: "a\nb\n".into(), expected: Some(vec!["c …".into()]) },
            Stop { commands: "d\n".into(), expected: None },
        ]
    );
}

#[test]
fn an_ellipsis_stands_for_anything_within_a_line() {
    assert!(matches("a … c …", "a b c d"));
    assert!(matches("…", ""));
    assert!(matches("a", "a"));
    assert!(!matches("a", "ab"));
    assert!(!matches("a … c", "a b d"));
    assert!(!matches("a…a", "a"));
}
