//! What an input changes, and what is to be done because of it. No I/O: the shell carries the effects out and brings the
//! answers back as inputs.

mod actions;
mod answers;
mod compose;
mod dialogs;
mod events;
mod forms;
mod go;
mod keys;
mod mouse;
mod pages;
mod said;
mod sessions;
mod tables;

use subrosa_client::api::{Command, Place};
use subrosa_types::MessageId;
use unicode_segmentation::UnicodeSegmentation;

use crate::state::dialog::FormKind;
use crate::state::effect::{Ask, Effect, Input, Outside};
use crate::state::timeline::{Body, PAGE};
use crate::state::{Standing, State};
use crate::view::layout;

/// Rows at an end of the window at which more are read.
const NEAR: usize = 25;
/// Messages that are marked as read together.
const MARKED: usize = 256;

/// What is to be done, in order.
pub type Effects = Vec<Effect>;

/// Takes an input in.
pub fn update(state: &mut State, outside: Outside, input: Input) -> Effects {
    state.now = outside.now;
    state.fresh = Some(outside.fresh);
    let mut effects = Effects::new();
    let fx = &mut effects;
    match input {
        Input::Key(key) => keys::press(state, fx, key),
        Input::Paste(text) => compose::paste(state, &text),
        Input::Mouse(event) => mouse::event(state, fx, event),
        Input::Resize(width, height) => state.size = (width, height),
        Input::Focus(focused) => state.focused = focused,
        Input::Opened => begin(state, fx),
        Input::NotOpened(failure) => not_opened(state, failure.map(|failure| failure.message)),
        Input::Hosting(link) => state.hosting = Some(link),
        Input::Notice(notice) => events::notice(state, fx, *notice),
        Input::Answered(ask, result) => answers::take(state, fx, ask, *result),
        Input::Room(key, input) => sessions::room(state, fx, key, input),
        Input::Terminated => {
            go::save_draft(state, fx);
            fx.push(Effect::Quit);
        }
        Input::Tick => {}
    }
    settle(state, fx);
    effects
}

/// Asks the engine.
fn call(fx: &mut Effects, ask: Ask, command: Command) {
    fx.push(Effect::Call(ask, Box::new(command)));
}

/// The profile is open: everything is read. What happens meanwhile is told by events.
fn begin(state: &mut State, fx: &mut Effects) {
    state.standing = Standing::Connecting;
    call(fx, Ask::Settings, Command::Settings);
    refresh(fx);
    call(fx, Ask::People, Command::RoleList);
}

/// Reads what may have changed while nobody looked.
fn refresh(fx: &mut Effects) {
    call(fx, Ask::Overview, Command::Overview);
    call(fx, Ask::Quiet, Command::Follow);
}

fn not_opened(state: &mut State, failure: Option<String>) {
    state.standing = Standing::NoAccount;
    tables::welcome(state);
    if let Some(message) = failure {
        state.complain(message);
    }
}

/// Opens the form for a server of one's own, above the list of ways to begin.
pub fn begin_with_own_server(state: &mut State) {
    if state.can_host {
        forms::open(state, FormKind::OwnServer);
    }
}

/// What follows from how things are now: what is on the screen is read, and what is near it is at hand.
fn settle(state: &mut State, fx: &mut Effects) {
    let Some(key) = state.current else { return };
    let (visible_first, visible_last, height) = {
        let frame = layout::frame(state);
        let Some(entry) = state.open() else { return };
        let visible = frame.visible(&entry.timeline);
        (visible.first().map(|line| line.0), visible.last().map(|line| line.0), frame.height)
    };
    let (focused, name) = (state.focused, state.my_name().map(str::to_owned));
    let Some(entry) = state.entry_mut(key).filter(|entry| entry.is_chat()) else { return };
    let Some(target) = entry.target() else { return };
    let timeline = &mut entry.timeline;
    if !timeline.loaded {
        return;
    }
    if focused && let Some(last) = visible_last {
        let read = mark_read(timeline, last);
        if !read.is_empty() {
            let named = |text: &String| name.as_deref().is_some_and(|me| mentions(text, me));
            let mentioned = u32::try_from(read.iter().filter(|(_, text)| named(text)).count()).unwrap_or(u32::MAX);
            entry.unread = entry.unread.saturating_sub(u32::try_from(read.len()).unwrap_or(u32::MAX));
            entry.mentions = entry.mentions.saturating_sub(mentioned).min(entry.unread);
            for part in read.chunks(MARKED) {
                let messages = part.iter().map(|(id, _)| *id).collect();
                call(fx, Ask::Quiet, Command::MarkRead { messages });
            }
        }
    }
    let timeline = &mut entry.timeline;
    if timeline.loading {
        return;
    }
    let is_near_top = visible_first.is_none_or(|first| first < NEAR.max(height / 2));
    let is_near_end = visible_last.is_none_or(|last| last + NEAR >= timeline.rows.len());
    let wanted = if timeline.older && is_near_top {
        timeline.edge(true).map(|id| (Ask::Older(key), Place::Before(id)))
    } else if timeline.newer && is_near_end {
        timeline.edge(false).map(|id| (Ask::Newer(key), Place::After(id)))
    } else {
        None
    };
    if let Some((ask, place)) = wanted {
        timeline.loading = true;
        call(fx, ask, Command::History { chat: target, place, limit: PAGE });
    }
}

/// Messages up to this row that were not read; now they are.
fn mark_read(timeline: &mut crate::state::timeline::Timeline, last: usize) -> Vec<(MessageId, String)> {
    let mut read = Vec::new();
    for row in timeline.rows.iter_mut().take(last + 1) {
        if let Body::Message(message, _) = row.body_mut()
            && message.unread
        {
            message.unread = false;
            read.push((message.id, message.text.clone()));
        }
    }
    read
}

/// Whether a text names somebody with `@name`, as a word of its own.
pub fn mentions(text: &str, name: &str) -> bool {
    let lower = text.to_lowercase();
    let wanted = format!("@{}", name.to_lowercase());
    lower.match_indices(&wanted).any(|(at, found)| {
        let behind = &lower[at + found.len()..];
        let next = behind.graphemes(true).next().and_then(|part| part.chars().next());
        next.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '-'))
            && lower[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric())
    })
}
