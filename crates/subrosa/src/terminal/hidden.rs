//! A secret that is typed and not shown.
//!
//! The terminal stops echoing before the question is asked: whoever answers at once, as a password manager does, shows
//! nothing either.

use std::io::{self, Write, stderr};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use zeroize::Zeroizing;

/// Bytes that are taken: more than any secret may have. They are there from the start, so that no part of it stays behind
/// when the text grows.
const ROOM: usize = 4096;

/// Gives the terminal back.
struct Raw;

impl Drop for Raw {
    fn drop(&mut self) {
        let _gone = write!(stderr(), "\r\n");
        let _gone = disable_raw_mode();
    }
}

/// Asks on standard error; `None` when the person gives up (Ctrl-C, or Ctrl-D on an empty line).
pub fn ask(question: &str) -> io::Result<Option<Zeroizing<String>>> {
    enable_raw_mode()?;
    let _raw = Raw;
    write!(stderr(), "{question}")?;
    stderr().flush()?;
    let mut secret = Zeroizing::new(String::with_capacity(ROOM));
    loop {
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
            && let Some(done) = press(&mut secret, key)
        {
            return Ok(done.then_some(secret));
        }
    }
}

/// A key; `true` when the secret is whole, `false` when there will be none.
fn press(secret: &mut String, key: KeyEvent) -> Option<bool> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Some(true),
        KeyCode::Char('j' | 'm') if control => return Some(true),
        KeyCode::Char('c') if control => return Some(false),
        KeyCode::Char('d') if control && secret.is_empty() => return Some(false),
        KeyCode::Char('u') if control => secret.clear(),
        KeyCode::Char('h') if control => drop(secret.pop()),
        KeyCode::Backspace => drop(secret.pop()),
        KeyCode::Char(c) if !control && secret.len() + c.len_utf8() <= ROOM => secret.push(c),
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_all(secret: &mut String, keys: &[(KeyCode, KeyModifiers)]) -> Option<bool> {
        keys.iter().find_map(|(code, modifiers)| press(secret, KeyEvent::new(*code, *modifiers)))
    }

    #[test]
    fn keys_make_a_secret() {
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
        let mut secret = String::new();
        let keys = [(KeyCode::Char('x'), NONE), (KeyCode::Char('u'), CONTROL), (KeyCode::Char('گ'), NONE)];
        assert_eq!(type_all(&mut secret, &keys), None);
        let keys = [(KeyCode::Char('B'), KeyModifiers::SHIFT), (KeyCode::Backspace, NONE), (KeyCode::Left, NONE)];
        assert_eq!(type_all(&mut secret, &keys), None);
        assert_eq!(secret, "گ");
        assert_eq!(type_all(&mut secret, &[(KeyCode::Char('d'), CONTROL), (KeyCode::Enter, NONE)]), Some(true));
        assert_eq!(type_all(&mut secret, &[(KeyCode::Char('c'), CONTROL)]), Some(false));
        assert_eq!(type_all(&mut String::new(), &[(KeyCode::Char('d'), CONTROL)]), Some(false));
    }

    #[test]
    fn the_memory_of_a_secret_never_moves() {
        let mut secret = String::with_capacity(ROOM);
        let began = secret.as_ptr();
        for _ in 0..2 * ROOM {
            press(&mut secret, KeyEvent::new(KeyCode::Char('é'), KeyModifiers::NONE));
        }
        assert_eq!((secret.as_ptr(), secret.len()), (began, ROOM));
    }
}
