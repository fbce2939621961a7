//! What a command came to.

use std::process::ExitStatus;

use serde_json::Value;

/// Exit code and output of a command that ended.
#[derive(Debug)]
pub struct Outcome {
    /// The command, for messages.
    pub what: String,
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    pub(super) fn new(what: String, status: ExitStatus, stdout: Vec<String>, stderr: Vec<String>) -> Self {
        Self { what, code: status.code(), stdout: stdout.join("\n"), stderr: stderr.join("\n") }
    }

    /// The command must have done what was asked.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The command must have refused with this exit code and said why, in words for people. Gives what it said.
    #[track_caller]
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self}");
        let said = self.stderr.trim();
        assert!(said.contains(' '), "a refusal without a sentence: {self}");
        for noise in ["panicked", "RUST_BACKTRACE", "Error {", "Failure {", "Os {"] {
            assert!(!said.contains(noise), "not in words for people: {self}");
        }
        said.to_owned()
    }

    /// Standard output as JSON objects, one a line.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        objects(&self.stdout)
    }

    /// Standard output as one JSON object.
    #[track_caller]
    pub fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self}");
        objects.remove(0)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, code, stdout, stderr } = self;
        write!(f, "{what}\nexit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// The JSON objects in `text`, one a line, each of which must say that it is version 1.
#[track_caller]
pub fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| -> Value {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
        assert!(value.is_object() && value["v"] == 1, "no object of version 1: {line}");
        value
    };
    text.lines().map(object).collect()
}
