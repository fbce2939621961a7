//! The composer: Enter, several lines, Tab, and what is pasted.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use subrosa_types::limits;

use super::{Effects, actions, dialogs};
use crate::state::action::Action;
use crate::state::dialog::{Dialog, Question};
use crate::state::entry::{Entry, Kind};
use crate::state::{Completion, State};
use crate::words::{self, Input, WORDS};

/// Pasted lines that are taken without a question.
const LINES: usize = 3;

/// A key for the open entry.
pub fn press(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let breaks = key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT);
    let Some(entry) = state.open_mut() else { return };
    match key.code {
        KeyCode::Enter if breaks => entry.composer.insert("\n"),
        // Terminals without a way to say Shift+Enter send this for it, or for Ctrl+Enter.
        KeyCode::Char('j') if control => entry.composer.insert("\n"),
        KeyCode::Enter => enter(state, fx),
        KeyCode::Tab => complete(state, true),
        KeyCode::BackTab => complete(state, false),
        KeyCode::Up => entry.composer.up(),
        KeyCode::Down => entry.composer.down(),
        _ => {
            entry.composer.press(key);
        }
    }
}

/// Enter: a message, or a command. What cannot be done stays in the composer.
fn enter(state: &mut State, fx: &mut Effects) {
    let Some(entry) = state.open() else { return };
    let line = entry.composer.text().to_owned();
    match words::understand(&line, Some(entry)) {
        Input::Nothing => {}
        Input::Wrong(why) => state.complain(why),
        Input::Message(text) if text.len() > limits::TEXT => {
            state.complain(format!("a message may have {} KiB; send it in parts", limits::TEXT / 1024));
        }
        Input::Message(text) => {
            if let Some(entry) = state.open_mut() {
                entry.composer.enter();
                let key = entry.key;
                actions::act(state, fx, Action::Send(key, text));
            }
        }
        Input::Do(action) => {
            taken(state);
            actions::act(state, fx, action);
        }
        Input::Ask(title, text, word, yes) => {
            taken(state);
            actions::ask_first(state, title, text, word, yes);
        }
    }
}

fn taken(state: &mut State) {
    if let Some(entry) = state.open_mut() {
        entry.composer.enter();
    }
}

/// Something was pasted. Many lines at once are asked about before they are sent.
pub fn paste(state: &mut State, text: &str) {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if !state.dialogs.is_empty() {
        return dialogs::paste(state, &text);
    }
    let Some(entry) = state.open_mut() else { return };
    let lines = text.trim_end_matches('\n').lines().count();
    if lines <= LINES {
        let text = if lines <= 1 { text.trim_end_matches('\n') } else { &text };
        return entry.composer.insert(text);
    }
    let key = entry.key;
    let whole = format!("{}{}", entry.composer.text(), text.trim_end_matches('\n'));
    let first: Vec<&str> = text.lines().take(4).collect();
    let question = format!(
        "These are {lines} lines, {} bytes:\n\n{}\n…\n\nThey go as one message to {}.",
        text.len(),
        first.iter().map(|line| crate::text::shortened(line, 60)).collect::<Vec<_>>().join("\n"),
        entry.title
    );
    if whole.len() > limits::TEXT {
        return state.complain(format!("that is too long for a message, which may have {} KiB", limits::TEXT / 1024));
    }
    state.dialogs.push(Dialog::Question(Question {
        title: "Send what was pasted?".to_owned(),
        text: question,
        yes: Action::Send(key, whole),
        word: "send",
        other: Some(('e', "edit it first", Action::Insert(text))),
    }));
}

/// Tab: the names and commands that begin with what stands in front of the cursor, one after the other.
fn complete(state: &mut State, forward: bool) {
    if state.completion.is_none() {
        state.completion = begin(state);
    } else if let Some(completion) = &mut state.completion {
        let count = completion.choices.len();
        completion.at = (completion.at + if forward { 1 } else { count - 1 }) % count;
    }
    let Some(completion) = &state.completion else { return };
    let (from, text) = (completion.from, completion.choices[completion.at].clone());
    if let Some(entry) = state.open_mut() {
        entry.composer.replace(from, &text);
    }
}

fn begin(state: &State) -> Option<Completion> {
    let entry = state.open()?;
    let before = &entry.composer.text()[..entry.composer.cursor()];
    let from =
        before.rfind(char::is_whitespace).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[from..];
    if word.is_empty() {
        return None;
    }
    let choices = if let Some(command) = word.strip_prefix('/').filter(|_| from == 0) {
        WORDS.iter().filter(|(name, _, _)| name.starts_with(command)).map(|(name, _, _)| format!("/{name} ")).collect()
    } else if word.starts_with('#') {
        let groups = state.entries.iter().filter(|entry| entry.kind == Kind::Group);
        fitting(groups.map(|entry| entry.title.clone()), word, " ")
    } else {
        let plain = word.strip_prefix('@').unwrap_or(word);
        // Who speaks to somebody at the beginning of a line says so.
        let behind = if from == 0 && !before.starts_with('/') { ": " } else { " " };
        fitting(names(state, entry), plain, "").into_iter().map(|name| format!("@{name}{behind}")).collect()
    };
    (!choices.is_empty()).then_some(Completion { from, choices, at: 0 })
}

fn fitting(all: impl Iterator<Item = String>, word: &str, behind: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    all.filter(|name| name.to_lowercase().starts_with(&lower)).map(|name| format!("{name}{behind}")).collect()
}

/// Those who are here first, then everybody else who is known.
fn names<'a>(state: &'a State, entry: &'a Entry) -> impl Iterator<Item = String> + 'a {
    let here: Vec<&str> = match entry.kind {
        Kind::Private => entry.title.strip_prefix('@').into_iter().collect(),
        _ => entry.members.iter().map(|member| member.name.as_str()).collect(),
    };
    let me = state.my_name();
    let others: Vec<&str> = state.people_names().filter(|name| !here.contains(name)).collect();
    here.into_iter().chain(others).filter(move |name| Some(*name) != me).map(str::to_owned)
}
