//! Direct links: two people, a ticket, no account and no server.

use subrosa_client::direct::{Direction, Event, FileOutcome, Notice, ShortString, Wish};
use subrosa_types::limits;

use super::sessions::{others_id, own_id, row};
use super::{Effects, go};
use crate::state::State;
use crate::state::action::Action;
use crate::state::dialog::{Dialog, Page, PageLine};
use crate::state::effect::{DirectBeginning, DirectInput, Effect};
use crate::state::entry::{Key, Kind};
use crate::state::timeline::Fate;

/// Listens or dials, in a line of its own in the list.
pub fn begin(state: &mut State, fx: &mut Effects, beginning: DirectBeginning) {
    state.dialogs.clear();
    let title = if matches!(beginning, DirectBeginning::Dial(_)) { "dialled" } else { "waiting" };
    let key = state.add(Kind::Direct, title);
    if let Some(entry) = state.entry_mut(key) {
        entry.timeline.loaded = true;
        entry.session.me = "you".to_owned();
    }
    go::go(state, fx, key);
    fx.push(Effect::DirectBegin(key, beginning));
}

/// Says something.
pub fn say(state: &mut State, fx: &mut Effects, key: Key, text: String) {
    let now = state.now;
    let Some(entry) = state.entry_mut(key) else { return };
    if entry.session.over {
        return state.complain("it is over; /leave takes it out of the list");
    }
    if text.len() > limits::TEXT {
        return state.complain("that is too long; send it in parts");
    }
    entry.session.said += 1;
    let number = entry.session.said;
    let mut message = row(entry, own_id(number), entry.session.me.clone(), text.clone(), now);
    (message.own, message.pending) = (true, true);
    entry.timeline.anchor = None;
    entry.timeline.upsert(message, Fate::Sending);
    fx.push(Effect::DirectWish(key, Wish::Say(text)));
}

/// Asks the open direct link for something.
pub fn wish(state: &mut State, fx: &mut Effects, wish: Wish) {
    match state.open().filter(|entry| entry.kind == Kind::Direct && !entry.session.over) {
        Some(entry) => fx.push(Effect::DirectWish(entry.key, wish)),
        None => state.complain("go to a direct link first"),
    }
}

/// A direct link said something.
pub fn take(state: &mut State, fx: &mut Effects, key: Key, input: DirectInput) {
    let now = state.now;
    match input {
        DirectInput::Ticket(ticket) => show_ticket(state, ticket),
        DirectInput::Note(note) => {
            if let Some(entry) = state.entry_mut(key) {
                entry.timeline.note(note, now);
            }
        }
        DirectInput::Notice(notice) => match *notice {
            Notice::Event(event) => happened(state, fx, key, event),
            Notice::Ended(failure) => {
                if let Some(entry) = state.entry_mut(key) {
                    entry.session.over = true;
                    entry.session.inside = false;
                    entry
                        .timeline
                        .note(failure.map_or_else(|| "it is over".to_owned(), |failure| failure.message), now);
                }
            }
        },
    }
}

fn show_ticket(state: &mut State, ticket: String) {
    let lines = vec![
        PageLine::Text("Give this ticket to one person, by a way that you trust. Who has it meets you:".to_owned()),
        PageLine::Text(String::new()),
        PageLine::Strong(ticket.clone()),
        PageLine::Text(String::new()),
        PageLine::Text("in `subrosa tui` with /dial, or with `subrosa direct dial TICKET`.".to_owned()),
    ];
    let keys = vec![('c', "copy", Action::Copy(ticket))];
    state.dialogs.push(Dialog::Page(Page { title: "Your ticket".to_owned(), lines, scroll: 0, keys }));
}

fn happened(state: &mut State, fx: &mut Effects, key: Key, event: Event) {
    let seen = state.focused && state.current == Some(key);
    let (now, notify) = (state.now, state.setting("notify") != Some("none"));
    let Some(entry) = state.entry_mut(key) else { return };
    match event {
        Event::Connected { encryption, vouched, string, again, .. } => {
            entry.session.inside = true;
            entry.title = "connected".to_owned();
            let said = match (again, vouched) {
                (true, _) => "the link is there again".to_owned(),
                (false, true) => {
                    format!("you are linked, encrypted with {}; the ticket vouches for both", encryption.as_str())
                }
                (false, false) => format!(
                    "you are linked, encrypted with {}; nobody vouches for it: compare these words with the other side: {}",
                    encryption.as_str(),
                    string.words()
                ),
            };
            entry.timeline.note(said, now);
            // The page with the ticket has served its purpose.
            state.dialogs.retain(|dialog| !matches!(dialog, Dialog::Page(page) if page.title == "Your ticket"));
        }
        Event::PathChanged(_) => {}
        Event::Broken { cause, waiting } => {
            entry.session.inside = false;
            entry.timeline.note(format!("the link broke ({cause}); {waiting} messages wait; it is made again"), now);
        }
        Event::Retrying { cause, after_ms } => {
            entry.timeline.note(format!("no link yet ({cause}); again in {after_ms} ms"), now);
        }
        Event::TurnedAway(error) => entry.timeline.note(format!("somebody was turned away: {error}"), now),
        Event::Message { number, text, sent_at, .. } => {
            let message = row(entry, others_id(key, number), "other".to_owned(), text, sent_at);
            let body = crate::text::shortened(&subrosa_types::text::single_line(&message.text), 120);
            entry.timeline.upsert(message, Fate::There);
            if !seen {
                entry.unread += 1;
                if notify {
                    fx.push(Effect::Notify { title: "Direct link".to_owned(), body });
                }
            }
        }
        Event::Delivered { number } => {
            let id = own_id(number);
            let message = entry.timeline.position(id).and_then(|at| entry.timeline.rows[at].message().cloned());
            if let Some(mut message) = message {
                (message.pending, message.delivered) = (false, true);
                entry.timeline.upsert(message, Fate::Delivered);
            }
        }
        Event::NotDone { message, .. } => state.complain(message),
        Event::FileOffered(file) => {
            let text = match file.direction {
                Direction::Receiving => {
                    format!(
                        "a file is offered: {} ({} bytes); /accept {} or /decline {}",
                        file.name, file.size, file.number, file.number
                    )
                }
                Direction::Sending => format!("{} is offered; the other side answers", file.name),
            };
            entry.timeline.note(text, now);
        }
        Event::FileProgress { .. } => {}
        Event::FileEnded { file, outcome, path } => {
            let text = match (outcome, path) {
                (FileOutcome::Done, Some(path)) => format!("{} is there: {}", file.name, path.display()),
                (FileOutcome::Done, None) => format!("{} is delivered", file.name),
                (FileOutcome::Declined, _) => format!("{} was declined", file.name),
                (FileOutcome::Cancelled, _) => format!("{} was stopped", file.name),
                (FileOutcome::Damaged, _) => format!("{} arrived damaged, and was thrown away", file.name),
                (FileOutcome::NoRoom, _) => format!("{} cannot be written there", file.name),
                (FileOutcome::Unreadable, _) => format!("{} cannot be read any more", file.name),
            };
            entry.timeline.note(text, now);
        }
        Event::Verify { string, .. } => verify(state, string),
        Event::Left => entry.timeline.note("the other side left".to_owned(), now),
    }
}

fn verify(state: &mut State, string: Option<ShortString>) {
    let Some(string) = string else { return state.complain("nobody is there yet") };
    let lines = vec![
        PageLine::Strong(string.words()),
        PageLine::Strong(string.digits()),
        PageLine::Text(String::new()),
        PageLine::Text(
            "The other side sees the same words and digits if nobody is in between. Compare them by voice.".to_owned(),
        ),
    ];
    state.dialogs.push(Dialog::Page(Page { title: "Words to compare".into(), lines, scroll: 0, keys: Vec::new() }));
}
