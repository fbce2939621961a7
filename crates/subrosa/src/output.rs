//! What goes to standard output: lines for people, or JSON objects.
//!
//! Text of others passes `subrosa_types::text` before it becomes part of a line; in JSON, control and direction characters
//! are escaped, so that an object is safe in a terminal, too. When nobody reads any more, the program ends quietly.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::Formatter;
use subrosa_client::api::{Failure, FailureCode};
use subrosa_types::text::single_line;

use crate::terminal::{self, columns as columns_of};

/// A command's outcome.
pub type Outcome<T = ()> = Result<T, Failure>;

const STDOUT_CLOSED: &str = "stdout_closed";

/// Whether the failure is that nobody reads our output.
pub fn is_stdout_closed(failure: &Failure) -> bool {
    failure.kind == STDOUT_CLOSED
}

/// Writes in the form that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    v: u32,
    #[serde(flatten)]
    object: &'a T,
}

/// The fields of an object, in the order in which they are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(pub Vec<(&'static str, Value)>);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// [`Fields`], written as an object.
macro_rules! fields {
    ({ $($name:literal : $value:expr),* $(,)? }) => {
        $crate::output::Fields(vec![$(($name, serde_json::json!($value))),*])
    };
}
pub(crate) use fields;

impl Output {
    /// Lines, or JSON.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether objects are wanted.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// A line for people; its parts are safe to show. Nothing with `--json`.
    pub fn line(self, line: impl AsRef<str>) -> Outcome {
        if self.json { Ok(()) } else { write_line(line.as_ref()) }
    }

    /// An object for scripts. Nothing without `--json`.
    pub fn object(self, object: &impl Serialize) -> Outcome {
        if self.json { write_line(&to_json(object)?) } else { Ok(()) }
    }

    /// Something that is no data, on standard error; nothing with `--json`.
    pub fn note(self, note: impl AsRef<str>) {
        if !self.json && !terminal::print_above(note.as_ref()) {
            eprintln!("{}", note.as_ref());
        }
    }

    /// Rows in columns.
    pub fn table(self, rows: &[Vec<String>]) -> Outcome {
        if self.json {
            return Ok(());
        }
        table_lines(rows).iter().try_for_each(|line| write_line(line))
    }
}

fn table_lines(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| columns_of(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - columns_of(cell)));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A name, title or id of somebody else, safe on one line.
pub fn safe(text: &str) -> String {
    single_line(text).into_owned()
}

fn write_line(line: &str) -> Outcome {
    if terminal::print_above(line) {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| unwritten(&error))
}

/// Why standard output could not be written.
pub fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(FailureCode::Environment, STDOUT_CLOSED, "nobody reads the output"),
        _ => Failure::new(FailureCode::Environment, "stdout", format!("the output could not be written: {error}")),
    }
}

fn to_json(object: &impl Serialize) -> Outcome<String> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Careful);
    Versioned { v: 1, object }
        .serialize(&mut serializer)
        .map_err(|error| Failure::new(FailureCode::Unexpected, "json", error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Failure::new(FailureCode::Unexpected, "json", error.to_string()))
}

/// Escapes what a terminal would obey and what turns text around, besides what JSON has to escape.
struct Careful;

impl Formatter for Careful {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = from.chars();
            if let Some(c) = characters.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
        || matches!(c, '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_begins_with_its_version() {
        let fields = fields!({"name": "bob", "an": 1});
        assert_eq!(to_json(&fields).unwrap(), r#"{"v":1,"name":"bob","an":1}"#);
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_comes_back_as_it_was() {
        let text = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}x\u{2066}\u{feff}\u{e0041}\nسلام \"q\" 👋";
        let line = to_json(&json!({ "text": text })).unwrap();
        assert!(!line.chars().any(is_unsafe), "{line}");
        assert!(line.contains("سلام") && line.contains("👋"));
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["text"], text);
    }

    #[test]
    fn columns_are_as_wide_as_what_is_shown() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let lines = table_lines(&[row(["日本", "x"]), row(["abc", ""]), row(["a", "y"])]);
        assert_eq!(lines, ["日本  x", "abc", "a     y"]);
        // A terminal does not join lam and alef.
        assert_eq!(table_lines(&[row(["سلام", "x"]), row(["abcd", "y"])]), ["سلام  x", "abcd  y"]);
    }
}
