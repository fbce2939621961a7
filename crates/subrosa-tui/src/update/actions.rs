//! Actions: what a key, a word, a row or an answer asks for.

use subrosa_client::api::{Command, Wait};
use subrosa_types::{MessageId, Timestamp};

use super::{Effects, call, forms, go, pages, sessions, tables};
use crate::state::action::Action;
use crate::state::dialog::{Choice, Dialog, FormKind, Page, PageLine, Question, Search, Switcher};
use crate::state::effect::{Ask, Effect};
use crate::state::entry::Key;
use crate::state::timeline::{Body, Fate};
use crate::state::{Standing, State};
use crate::theme::Theme;
use crate::view::{chats, layout};

/// Does what was asked for.
pub fn act(state: &mut State, fx: &mut Effects, action: Action) {
    match action {
        Action::Ask(command) => ask(state, fx, *command),
        Action::Go(key) => {
            state.dialogs.clear();
            go::go(state, fx, key);
        }
        Action::To(target) => {
            state.dialogs.clear();
            go::to(state, fx, target);
        }
        Action::Open(kind) => forms::open(state, kind),
        Action::Show(what) => tables::show(state, fx, what),
        Action::Switch => switcher(state),
        Action::Search(chat, words) => search(state, fx, chat, words),
        Action::Find(target, id) => {
            state.dialogs.clear();
            go::find(state, fx, target, id);
        }
        Action::Send(key, text) => send(state, fx, key, text),
        Action::Insert(text) => {
            if let Some(entry) = state.open_mut() {
                entry.composer.insert(&text);
            }
        }
        Action::Retry => retry(state, fx),
        Action::Set(name, value) => set(state, fx, name, value),
        Action::Cycle(name) => tables::cycle(state, fx, &name),
        Action::RoomNames => sessions::names(state, fx),
        Action::SessionVerify => sessions::verify(state, fx),
        Action::LeaveSession(key) => sessions::leave(state, fx, key),
        Action::EnterRoom(room, server) => sessions::enter(state, fx, room, server.unwrap_or_default(), String::new()),
        Action::ToggleChats => {
            let shown = layout::areas(state).chats.is_some();
            keep_choice(state, fx, "tui.chats", !shown);
        }
        Action::ToggleMembers => {
            let shown = layout::areas(state).members.is_some();
            keep_choice(state, fx, "tui.members", !shown);
        }
        Action::Help => state.dialogs.push(Dialog::Page(pages::help())),
        Action::ServerLink => pages::server_link(state),
        Action::Copy(text) => {
            fx.push(Effect::Copy(text));
            state.say("copied, if this terminal lets programs copy (OSC 52)");
        }
        Action::Read(title, lines) => {
            let lines = lines.into_iter().map(PageLine::Code).collect();
            state.dialogs.push(Dialog::Page(Page { title, lines, scroll: 0, keys: Vec::new() }));
        }
        Action::Close => {
            state.dialogs.pop();
        }
        Action::Quit => {
            go::save_draft(state, fx);
            fx.push(Effect::Quit);
        }
    }
}

/// Asks a question; the action is for who says yes.
pub fn ask_first(state: &mut State, title: &str, text: String, word: &'static str, yes: Action) {
    state.dialogs.push(Dialog::Question(Question { title: title.to_owned(), text, yes, word, other: None }));
}

fn ask(state: &mut State, fx: &mut Effects, command: Command) {
    if state.me.is_none() {
        return state.complain("there is no account here yet: /signup or /login");
    }
    if matches!(command, Command::Reload) {
        state.say("looking for news…");
    }
    call(fx, Ask::Person(Box::new(command.clone())), command);
}

fn send(state: &mut State, fx: &mut Effects, key: Key, text: String) {
    let Some(entry) = state.entry(key) else { return };
    if !entry.is_chat() {
        return sessions::say(state, fx, key, text);
    }
    let (Some(to), Some(me)) = (entry.target(), state.my_name().map(str::to_owned)) else { return };
    let Some(id) = state.fresh.take() else { return };
    let now = state.now;
    let Some(entry) = state.entry_mut(key) else { return };
    let message = MessageId::from_bytes(*id.as_bytes());
    let row = subrosa_client::api::MessageRow {
        id: message,
        chat: entry.title.clone(),
        // A chat that is begun with this has none yet; the event brings it.
        conversation: entry.conversation.unwrap_or(subrosa_types::ConversationId::from_bytes([0; 16])),
        from: me,
        own: true,
        text: text.clone(),
        sent_at: now,
        received_at: Timestamp::default(),
        via: subrosa_client::api::Via::Server,
        verified: true,
        unread: false,
        pending: true,
        delivered: false,
    };
    entry.timeline.first_unread = None;
    let newer = entry.timeline.newer;
    if !newer {
        entry.timeline.upsert(row, Fate::Sending);
    }
    entry.timeline.anchor = None;
    if !entry.saved_draft.is_empty() {
        entry.saved_draft.clear();
        call(fx, Ask::Quiet, Command::SetDraft { chat: to.clone(), text: String::new() });
    }
    call(fx, Ask::Sent(key, message), Command::Send { to, text, id: Some(id), wait: Wait::Accepted });
    if newer {
        go::latest(state, fx);
    }
}

/// Sends again, under the same ids, what failed in the open chat.
fn retry(state: &mut State, fx: &mut Effects) {
    let Some(key) = state.current else { return };
    let Some(entry) = state.entry_mut(key) else { return };
    let Some(to) = entry.target() else { return };
    let failed: Vec<(MessageId, String)> = entry
        .timeline
        .rows
        .iter()
        .filter_map(|row| match row.body() {
            Body::Message(message, Fate::Failed(_)) => Some((message.id, message.text.clone())),
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return state.say("nothing here waits to be sent again");
    }
    for (id, text) in failed {
        entry.timeline.settle(id, Fate::Sending);
        let key_of = subrosa_types::IdempotencyKey::from_bytes(*id.as_bytes());
        call(fx, Ask::Sent(key, id), Command::Send { to: to.clone(), text, id: Some(key_of), wait: Wait::Accepted });
    }
}

fn search(state: &mut State, fx: &mut Effects, chat: Option<Key>, words: String) {
    let chat = chat.filter(|key| state.entry(*key).is_some_and(|entry| entry.is_chat()));
    let mut search = Search { chat, ..Search::default() };
    search.typed.set(&words);
    state.dialogs.push(Dialog::Search(search));
    if !words.trim().is_empty() {
        super::dialogs::search_now(state, fx, false);
    }
}

/// A setting, for this face and all others.
pub fn set(state: &mut State, fx: &mut Effects, name: String, value: Option<String>) {
    match &value {
        Some(value) => drop(state.settings.insert(name.clone(), value.clone())),
        None => drop(state.settings.remove(&name)),
    }
    apply_settings(state, fx);
    tables::refresh_settings(state);
    match &value {
        Some(value) => state.say(format!("{name} is {value} now")),
        None => state.say(format!("{name} is as at first")),
    }
    if state.me.is_some() {
        call(fx, Ask::Quiet, Command::SetSetting { name, value });
    }
}

fn keep_choice(state: &mut State, fx: &mut Effects, name: &str, shown: bool) {
    let value = if shown { "shown" } else { "hidden" };
    set(state, fx, name.to_owned(), Some(value.to_owned()));
    state.said = None;
}

/// What the settings mean here.
pub fn apply_settings(state: &mut State, fx: &mut Effects) {
    if state.coloured {
        state.theme = state.setting("tui.theme").and_then(Theme::named).unwrap_or(Theme::Terminal);
    }
    let shown = |value: Option<&str>| match value {
        Some("shown") => Some(true),
        Some("hidden") => Some(false),
        _ => None,
    };
    state.show_chats = shown(state.setting("tui.chats"));
    state.show_members = shown(state.setting("tui.members"));
    fx.push(Effect::Mouse(state.setting("tui.mouse") != Some("off")));
}

/// Everything one can go to or do, to be found by a few letters.
fn switcher(state: &mut State) {
    let mut all = Vec::new();
    let choice = |name: String, what: &str, action| Choice { name, what: what.to_owned(), action };
    for entry in &state.entries {
        let what = match entry.unread {
            0 => String::new(),
            1 => "1 unread".to_owned(),
            count => format!("{count} unread"),
        };
        all.push(choice(chats::title(entry), &what, Action::Go(entry.key)));
    }
    let known = |name: &str| state.entries.iter().any(|entry| entry.title == format!("@{name}"));
    for row in state.people.iter().filter(|row| Some(row.name.as_str()) != state.my_name() && !known(&row.name)) {
        if let Ok(target) = format!("@{}", row.name).parse() {
            all.push(choice(format!("@{}", row.name), row.role.as_str(), Action::To(target)));
        }
    }
    all.extend(pages::commands(state).into_iter().map(|(name, what, action)| choice(name.to_owned(), what, action)));
    let fitting = (0..all.len()).collect();
    state.dialogs.push(Dialog::Switcher(Switcher { all, fitting, ..Switcher::default() }));
}

/// The forms that lead to an account.
pub const fn is_entrance(kind: &FormKind) -> bool {
    matches!(kind, FormKind::SignUp | FormKind::OwnServer | FormKind::LogIn)
}

/// The account is gone from this device.
pub fn logged_out(state: &mut State, reason: String) {
    state.entries.retain(|entry| !entry.is_chat());
    state.current = None;
    state.me = None;
    state.invites = 0;
    state.people.clear();
    state.standing = Standing::LoggedOut(reason);
    state.dialogs.clear();
    tables::welcome(state);
}
