//! Keys for what lies above the chat. The last dialog has them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use subrosa_client::api::{Command, Found};

use super::{Effects, actions, call, forms, tables};
use crate::state::State;
use crate::state::action::Action;
use crate::state::dialog::{Dialog, Search, Switcher, Value};
use crate::state::effect::Ask;
use crate::text::fuzzy;
use crate::view::page;
use crate::words;

/// Messages that a search shows at a time.
const FOUND: u32 = 50;

/// A key was pressed.
pub fn press(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let closes = key.code == KeyCode::Esc || (control && matches!(key.code, KeyCode::Char('c' | 'g')));
    if closes {
        return close(state, fx, control);
    }
    match state.dialogs.last() {
        Some(Dialog::Form(_)) => form(state, fx, key),
        Some(Dialog::Table(_)) => tables::press(state, fx, key),
        Some(Dialog::Page(_)) => a_page(state, fx, key),
        Some(Dialog::Question(_)) => question(state, fx, key),
        Some(Dialog::Switcher(_)) => switcher(state, fx, key),
        Some(Dialog::Search(_)) => search(state, fx, key),
        None => {}
    }
}

/// The way to begin stays where there is nothing else; Ctrl+C leaves from there.
fn close(state: &mut State, fx: &mut Effects, control: bool) {
    let is_only_way = state.dialogs.len() == 1 && tables::is_welcome(state) && state.entries.is_empty();
    if !is_only_way {
        state.dialogs.pop();
    } else if control {
        if std::mem::replace(&mut state.leaving, true) {
            actions::act(state, fx, Action::Quit);
        } else {
            state.say("Ctrl+C once more leaves");
        }
    }
}

/// The wheel was turned.
pub fn wheel(state: &mut State, up: bool) {
    let code = if up { KeyCode::Up } else { KeyCode::Down };
    if !matches!(state.dialogs.last(), Some(Dialog::Form(_))) {
        // Moving changes nothing outside.
        press(state, &mut Effects::new(), KeyEvent::new(code, KeyModifiers::NONE));
    }
}

/// Text was pasted: it goes where one types.
pub fn paste(state: &mut State, text: &str) {
    let line = text.trim_end_matches('\n').replace('\n', " ");
    match state.dialogs.last_mut() {
        Some(Dialog::Form(form)) => {
            if let Some(Value::Text(editor) | Value::Secret(editor)) =
                form.fields.get_mut(form.focus).map(|field| &mut field.value)
            {
                editor.insert(&line);
            }
        }
        Some(Dialog::Switcher(switcher)) => {
            switcher.typed.insert(&line);
            rank(switcher);
        }
        Some(Dialog::Search(search)) => search.typed.insert(&line),
        _ => {}
    }
}

fn form(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let Some(Dialog::Form(form)) = state.dialogs.last_mut() else { return };
    if form.busy {
        return;
    }
    let last = form.fields.len().saturating_sub(1);
    match key.code {
        KeyCode::Enter if form.focus == last || key.modifiers.contains(KeyModifiers::CONTROL) => {
            forms::submit(state, fx)
        }
        KeyCode::Tab | KeyCode::Down => form.focus = if form.focus == last { 0 } else { form.focus + 1 },
        KeyCode::Enter => form.focus += 1,
        KeyCode::BackTab | KeyCode::Up => form.focus = if form.focus == 0 { last } else { form.focus - 1 },
        _ => {
            let Some(field) = form.fields.get_mut(form.focus) else { return };
            match &mut field.value {
                Value::Text(editor) | Value::Secret(editor) => {
                    editor.press(key);
                }
                Value::Choice(words, at) => match key.code {
                    KeyCode::Right | KeyCode::Char(' ') => *at = (*at + 1) % words.len(),
                    KeyCode::Left => *at = (*at + words.len() - 1) % words.len(),
                    _ => {}
                },
            }
        }
    }
}

fn a_page(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let Some(Dialog::Page(page)) = state.dialogs.last() else { return };
    let furthest = page::furthest(state, page);
    let screen = usize::from(state.size.1.saturating_sub(4)).max(1);
    let Some(Dialog::Page(page)) = state.dialogs.last_mut() else { return };
    let scroll = page.scroll.min(furthest);
    page.scroll = match key.code {
        KeyCode::Up => scroll.saturating_sub(1),
        KeyCode::Down => (scroll + 1).min(furthest),
        KeyCode::PageUp => scroll.saturating_sub(screen),
        KeyCode::PageDown | KeyCode::Char(' ') => (scroll + screen).min(furthest),
        KeyCode::Home => 0,
        KeyCode::End => furthest,
        KeyCode::Enter => {
            state.dialogs.pop();
            return;
        }
        KeyCode::Char(c) => {
            if let Some((_, _, action)) = page.keys.iter().find(|(key, _, _)| key.eq_ignore_ascii_case(&c)) {
                let action = action.clone();
                actions::act(state, fx, action);
            }
            return;
        }
        _ => return,
    };
}

fn question(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let KeyCode::Char(c) = key.code else { return };
    let Some(Dialog::Question(question)) = state.dialogs.pop() else { return };
    let c = c.to_ascii_lowercase();
    match &question.other {
        _ if c == 'y' => {
            // What is pasted and sent takes the place of what was typed.
            if let (Action::Send(..), Some(entry)) = (&question.yes, state.open_mut()) {
                entry.composer.enter();
            }
            actions::act(state, fx, question.yes);
        }
        Some((other, _, action)) if c == *other => actions::act(state, fx, action.clone()),
        _ if c == 'n' => {}
        _ => state.dialogs.push(Dialog::Question(question)),
    }
}

fn switcher(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let Some(Dialog::Switcher(switcher)) = state.dialogs.last_mut() else { return };
    let count = switcher.fitting.len();
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Up => switcher.selected = switcher.selected.saturating_sub(1),
        KeyCode::Char('p') if control => switcher.selected = switcher.selected.saturating_sub(1),
        KeyCode::Down => switcher.selected = (switcher.selected + 1).min(count.saturating_sub(1)),
        KeyCode::Char('n') if control => switcher.selected = (switcher.selected + 1).min(count.saturating_sub(1)),
        KeyCode::PageUp => switcher.selected = switcher.selected.saturating_sub(10),
        KeyCode::PageDown => switcher.selected = (switcher.selected + 10).min(count.saturating_sub(1)),
        KeyCode::Enter => {
            let typed = switcher.typed.text().to_owned();
            let choice = switcher.fitting.get(switcher.selected).and_then(|at| switcher.all.get(*at)).cloned();
            state.dialogs.pop();
            if typed.starts_with('/') {
                return command(state, fx, &typed);
            }
            match (choice, typed.parse()) {
                (Some(choice), _) => actions::act(state, fx, choice.action),
                (None, Ok(target)) => actions::act(state, fx, Action::To(target)),
                (None, Err(why)) => state.complain(why),
            }
        }
        _ => {
            if switcher.typed.press(key) {
                rank(switcher);
            }
        }
    }
}

/// A command that was typed where no chat is open.
fn command(state: &mut State, fx: &mut Effects, line: &str) {
    match words::understand(line, state.open()) {
        words::Input::Do(action) => actions::act(state, fx, action),
        words::Input::Ask(title, text, word, yes) => actions::ask_first(state, title, text, word, yes),
        words::Input::Wrong(why) => state.complain(why),
        words::Input::Message(_) => state.complain("choose first whom to write to"),
        words::Input::Nothing => {}
    }
}

fn rank(switcher: &mut Switcher) {
    let pattern = switcher.typed.text();
    let mut fitting: Vec<(i32, usize)> = switcher
        .all
        .iter()
        .enumerate()
        .filter_map(|(at, choice)| Some((fuzzy::score(pattern, &choice.name)?, at)))
        .collect();
    if !pattern.is_empty() {
        fitting.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    }
    switcher.fitting = fitting.into_iter().map(|(_, at)| at).collect();
    switcher.selected = 0;
}

fn search(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let current = state.current;
    let Some(Dialog::Search(search)) = state.dialogs.last_mut() else { return };
    match key.code {
        KeyCode::Up => search.selected = search.selected.saturating_sub(1),
        KeyCode::Down => {
            if search.selected + 1 < search.rows.len() {
                search.selected += 1;
            } else if search.more && !search.loading {
                search_now(state, fx, true);
            }
        }
        KeyCode::Char('r') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            search.chat = if search.chat.is_some() { None } else { current };
            if !search.typed.text().trim().is_empty() {
                search_now(state, fx, false);
            }
        }
        KeyCode::Enter if search.searched.as_deref() == Some(search.typed.text()) => {
            if let Some((target, id)) =
                search.rows.get(search.selected).and_then(|row| Some((row.chat.parse().ok()?, row.id)))
            {
                actions::act(state, fx, Action::Find(target, id));
            }
        }
        KeyCode::Enter => {
            if !search.typed.text().trim().is_empty() {
                search_now(state, fx, false);
            }
        }
        _ => {
            search.typed.press(key);
        }
    }
}

/// Asks for what is typed; or for more of the same.
pub fn search_now(state: &mut State, fx: &mut Effects, more: bool) {
    let Some(Dialog::Search(Search { chat, typed, rows, loading, error, .. })) = state.dialogs.last_mut() else {
        return;
    };
    *loading = true;
    *error = None;
    let text = typed.text().to_owned();
    let before = if more { rows.last().map(|row| row.id) } else { None };
    let chat = *chat;
    let chat = chat.and_then(|key| state.entry(key)).and_then(crate::state::entry::Entry::target);
    call(fx, Ask::Search(text.clone(), more), Command::Search { text, chat, before, limit: FOUND });
}

/// What was found.
pub fn found(state: &mut State, words: String, more: bool, found: Found) {
    let Some(Dialog::Search(search)) = state.dialogs.last_mut() else { return };
    search.loading = false;
    if more {
        search.rows.extend(found.rows);
    } else {
        search.rows = found.rows;
        search.selected = 0;
    }
    search.more = found.more;
    search.searched = Some(words);
}
