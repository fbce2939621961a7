//! Lines from standard input, of bounded length, from a thread of its own: whether it is a terminal, a pipe or nothing.

use std::io::{BufRead, stdin};
use std::thread;

use subrosa_client::api::{Failure, FailureCode};
use subrosa_types::limits;
use tokio::sync::mpsc;

use crate::output::Outcome;

/// Longest line: the longest message, and room for a command in front of it.
const LONGEST: usize = limits::TEXT + 1024;
/// Lines that are read ahead.
const AHEAD: usize = 64;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end.
    Line(String),
    /// A line that is too long or no text; it is gone.
    Unusable(&'static str),
}

impl Typed {
    /// A line that came as a whole.
    pub fn from_line(line: String) -> Self {
        if line.len() > LONGEST { TOO_LONG } else { Self::Line(line) }
    }
}

const TOO_LONG: Typed = Typed::Unusable("this line is too long; send it in parts");

/// Starts to read. The channel closes at the end of the input.
pub fn listen() -> Outcome<mpsc::Receiver<Typed>> {
    let (lines, typed) = mpsc::channel(AHEAD);
    thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || {
            let mut input = stdin().lock();
            while let Ok(Some(line)) = next_line(&mut input) {
                if lines.blocking_send(line).is_err() {
                    break;
                }
            }
        })
        .map_err(|error| Failure::new(FailureCode::Environment, "no_thread", error.to_string()))?;
    Ok(typed)
}

fn next_line(input: &mut impl BufRead) -> std::io::Result<Option<Typed>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let chunk = match input.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if chunk.is_empty() && line.is_empty() && !too_long {
            return Ok(None);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = &chunk[..end.unwrap_or(chunk.len())];
        too_long |= line.len() + taken.len() > LONGEST;
        if !too_long {
            line.extend_from_slice(taken);
        }
        let used = end.map_or(taken.len(), |end| end + 1);
        let is_last = end.is_some() || chunk.is_empty();
        input.consume(used);
        if is_last {
            break;
        }
    }
    if too_long {
        return Ok(Some(TOO_LONG));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(String::from_utf8(line).map_or(Typed::Unusable("this line is no UTF-8 text"), Typed::Line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Typed> {
        std::iter::from_fn(|| next_line(&mut input).unwrap()).collect()
    }

    #[test]
    fn lines_come_with_or_without_an_end() {
        let line = |text: &str| Typed::Line(text.to_owned());
        assert_eq!(all(b"one\r\n\ntwo"), [line("one"), line(""), line("two")]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n"), [line("")]);
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_harms_no_other() {
        let long = [vec![b'x'; LONGEST + 1], b"\nnext\n\xff\nlast".to_vec()].concat();
        let typed = all(&long);
        assert!(matches!(typed[0], Typed::Unusable(_)) && matches!(typed[2], Typed::Unusable(_)));
        assert_eq!((&typed[1], &typed[3]), (&Typed::Line("next".into()), &Typed::Line("last".into())));
    }
}
