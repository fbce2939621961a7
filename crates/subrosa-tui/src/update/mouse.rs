//! The mouse: a click opens a chat, the wheel moves in the messages.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui_core::layout::{Position, Rect};

use super::{Effects, actions, dialogs, go, keys};
use crate::state::State;
use crate::state::action::{Action, Showing};
use crate::view::{chats, layout};

/// Lines of a turn of the wheel.
const WHEEL: usize = 3;

/// Something was done with the mouse.
pub fn event(state: &mut State, fx: &mut Effects, event: MouseEvent) {
    let wheel = match event.kind {
        MouseEventKind::ScrollUp => Some(true),
        MouseEventKind::ScrollDown => Some(false),
        _ => None,
    };
    if !state.dialogs.is_empty() {
        if let Some(up) = wheel {
            dialogs::wheel(state, up);
        }
        return;
    }
    let areas = layout::areas(state);
    let at = Position::new(event.column, event.row);
    let is_in = |area: Option<Rect>| area.filter(|area| area.contains(at));
    match event.kind {
        _ if wheel.is_some() => keys::scroll(state, WHEEL, wheel == Some(true)),
        MouseEventKind::Down(MouseButton::Left) => {
            if let Some(area) = is_in(areas.chats) {
                match chats::at(state, area, event.row) {
                    Some(Some(index)) => {
                        let key = state.entries[index].key;
                        go::go(state, fx, key);
                    }
                    Some(None) => actions::act(state, fx, Action::Show(Showing::Invites)),
                    None => {}
                }
            } else if is_in(areas.members).is_some()
                && let Some(key) = state.current
            {
                actions::act(state, fx, Action::Show(Showing::Members(key)));
            } else if areas.timeline.contains(at)
                && event.row + 1 == areas.timeline.bottom()
                && state.open().is_some_and(|entry| entry.timeline.anchor.is_some())
            {
                go::latest(state, fx);
            }
        }
        _ => {}
    }
}
