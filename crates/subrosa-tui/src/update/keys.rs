//! Keys that mean the same wherever one is, and those of the composer.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Effects, actions, compose, dialogs, go};
use crate::state::State;
use crate::state::action::{Action, Showing};
use crate::state::effect::Effect;
use crate::view::layout;

/// A key was pressed.
pub fn press(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    let key = normal(key);
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.code != KeyCode::Tab && key.code != KeyCode::BackTab {
        state.completion = None;
    }
    if !(control && key.code == KeyCode::Char('c')) {
        state.leaving = false;
    }
    match key.code {
        KeyCode::Char('l') if control => return fx.push(Effect::Redraw),
        KeyCode::Char('z') if control => return fx.push(Effect::Suspend),
        KeyCode::Char('q') if control => return actions::act(state, fx, Action::Quit),
        KeyCode::F(1) => return actions::act(state, fx, Action::Help),
        KeyCode::F(2) => return actions::act(state, fx, Action::Switch),
        KeyCode::F(4) => return actions::act(state, fx, Action::Show(Showing::Invites)),
        _ => {}
    }
    if !state.dialogs.is_empty() {
        return dialogs::press(state, fx, key);
    }
    if chat(state, fx, key) {
        return;
    }
    compose::press(state, fx, key);
}

/// Terminals send some keys in different ways.
fn normal(mut key: KeyEvent) -> KeyEvent {
    if let KeyCode::Char(c) = key.code
        && key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    {
        key.code = KeyCode::Char(c.to_ascii_lowercase());
    }
    key
}

/// Keys that move between and in chats; `false` if it is none of them.
fn chat(state: &mut State, fx: &mut Effects, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let half = usize::from(layout::areas(state).timeline.height).saturating_sub(2).max(1);
    match key.code {
        KeyCode::Char(c @ '1'..='9') if alt => {
            let index = c as usize - '1' as usize;
            if let Some(key) = state.entries.get(index).map(|entry| entry.key) {
                go::go(state, fx, key);
            }
        }
        KeyCode::Char('a') if alt => go::next_active(state, fx),
        KeyCode::Char('l') if alt => actions::act(state, fx, Action::ToggleChats),
        KeyCode::Char('m') if alt => actions::act(state, fx, Action::ToggleMembers),
        KeyCode::Char('k') if alt => actions::act(state, fx, Action::Switch),
        KeyCode::Char('r') if alt => actions::act(state, fx, Action::Retry),
        KeyCode::Left | KeyCode::Up if alt => go::step(state, fx, false),
        KeyCode::Right | KeyCode::Down if alt => go::step(state, fx, true),
        KeyCode::Char('p') if control => go::step(state, fx, false),
        KeyCode::Char('n') if control => go::step(state, fx, true),
        KeyCode::Char('k') if control && !state.open().is_some_and(|entry| entry.composer.has_rest_of_line()) => {
            actions::act(state, fx, Action::Switch);
        }
        KeyCode::Char('r') if control => actions::act(state, fx, Action::Search(state.current, String::new())),
        KeyCode::PageUp => scroll(state, half, true),
        KeyCode::PageDown => scroll(state, half, false),
        KeyCode::End if alt || control => go::latest(state, fx),
        KeyCode::Home if alt || control => scroll(state, usize::MAX / 2, true),
        KeyCode::Esc => {
            if state.open().is_some_and(|entry| entry.timeline.anchor.is_some()) {
                go::latest(state, fx);
            }
            state.said = None;
        }
        KeyCode::Char('c') if control => stop(state, fx),
        KeyCode::Char('d') if control && state.open().is_none_or(|entry| entry.composer.is_empty()) => {
            actions::act(state, fx, Action::Quit);
        }
        // Where nothing is open, whoever types is looking for something; or it is a command.
        KeyCode::Char(c) if !control && !alt && state.open().is_none() => {
            actions::act(state, fx, Action::Switch);
            dialogs::press(state, fx, KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        _ => return false,
    }
    true
}

/// Ctrl+C: what is typed goes; if nothing is, the second one ends the program.
fn stop(state: &mut State, fx: &mut Effects) {
    if let Some(entry) = state.open_mut()
        && !entry.composer.is_empty()
    {
        // It can be brought back with the arrow keys.
        entry.composer.enter();
        return;
    }
    if std::mem::replace(&mut state.leaving, true) {
        actions::act(state, fx, Action::Quit);
    } else {
        state.say("Ctrl+C once more leaves");
    }
}

/// Moves in the messages.
pub fn scroll(state: &mut State, lines: usize, up: bool) {
    if let Some(key) = state.current {
        go::with_frame(
            state,
            key,
            |frame, timeline| {
                if up { frame.up(timeline, lines) } else { frame.down(timeline, lines) }
            },
        );
    }
}
