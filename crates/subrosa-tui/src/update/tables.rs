//! Tables: what fills them, and what their keys do.

use crossterm::event::{KeyCode, KeyEvent};
use subrosa_client::api::{Command, DirectPolicy, MemberRow, Reply, Target};

use super::said::policy_word;
use super::{Effects, actions, call, forms};
use crate::state::State;
use crate::state::action::{Action, Showing};
use crate::state::dialog::{Dialog, FormKind, Rows, Table, Value};
use crate::state::effect::Ask;
use crate::state::entry::{Entry, Key};
use crate::theme::Theme;
use crate::words::person;

/// The settings of this face: name, what it is, and the values that Enter goes through.
const SETTINGS: [(&str, &str, &[&str]); 6] = [
    ("tui.theme", "colours", &Theme::NAMES),
    ("notify", "told of outside of this window", &["all", "mentions", "none"]),
    ("tui.mouse", "mouse; off: the terminal's own selection", &["on", "off"]),
    ("tui.chats", "list of chats", &["auto", "shown", "hidden"]),
    ("tui.members", "list of members", &["auto", "shown", "hidden"]),
    (DIRECT, "private chats over direct links", &["contacts", "always", "never"]),
];
/// The one that is a command of its own.
const DIRECT: &str = "direct links";

/// Opens a table, and asks for its rows.
pub fn show(state: &mut State, fx: &mut Effects, what: Showing) {
    if state.me.is_none() && what != Showing::Settings {
        return state.complain("there is no account here yet: /signup or /login");
    }
    let rows = match what {
        Showing::Invites => Rows::Invites(Vec::new()),
        Showing::Devices => Rows::Devices(Vec::new()),
        Showing::Roles => Rows::Roles(state.people.clone()),
        Showing::RoleLog => Rows::RoleLog(Vec::new()),
        Showing::InviteLinks => Rows::InviteLinks(Vec::new()),
        Showing::ChangedKeys => Rows::ChangedKeys(Vec::new()),
        Showing::Members(key) => {
            Rows::Members(key, state.entry(key).map(|entry| entry.members.clone()).unwrap_or_default())
        }
        Showing::Settings => Rows::Settings(settings(state)),
    };
    let loading = what != Showing::Settings;
    state.dialogs.push(Dialog::Table(Table { rows, selected: 0, loading, error: None }));
    ask(state, fx, what);
}

fn ask(state: &State, fx: &mut Effects, what: Showing) {
    let command = match what {
        Showing::Invites => Command::Invites,
        Showing::Devices => Command::Devices,
        Showing::Roles => Command::RoleList,
        Showing::RoleLog => Command::RoleLog,
        Showing::InviteLinks => Command::InviteLinkList,
        Showing::ChangedKeys => Command::ChangedKeys,
        Showing::Members(key) => match state.entry(key).and_then(Entry::target) {
            Some(group) => Command::GroupMembers { group },
            None => return,
        },
        Showing::Settings if state.me.is_some() => Command::Direct { policy: None },
        Showing::Settings => return,
    };
    call(fx, Ask::Table(what), command);
}

/// The rows came.
pub fn filled(state: &mut State, what: Showing, reply: Reply) {
    let rows = match (what, reply) {
        (Showing::Invites, Reply::Invites(rows)) => {
            state.invites = rows.len();
            Rows::Invites(rows)
        }
        (Showing::Devices, Reply::Devices(rows)) => Rows::Devices(rows),
        (Showing::Roles, Reply::Roles(mut rows)) => {
            rows.sort_by(|a, b| b.role.cmp(&a.role).then_with(|| a.name.cmp(&b.name)));
            state.people.clone_from(&rows);
            Rows::Roles(rows)
        }
        (Showing::RoleLog, Reply::RoleLog(mut rows)) => {
            rows.reverse();
            Rows::RoleLog(rows)
        }
        (Showing::InviteLinks, Reply::InviteLinks(rows)) => Rows::InviteLinks(rows),
        (Showing::ChangedKeys, Reply::ChangedKeys(rows)) => Rows::ChangedKeys(rows),
        (Showing::Members(key), Reply::Members(mut rows)) => {
            rows.sort_by(|a, b| b.role.cmp(&a.role).then_with(|| a.name.cmp(&b.name)));
            if let Some(entry) = state.entry_mut(key) {
                entry.members.clone_from(&rows);
            }
            Rows::Members(key, rows)
        }
        (Showing::Settings, Reply::Direct(policy)) => {
            state.settings.insert(DIRECT.to_owned(), policy_word(policy).to_owned());
            Rows::Settings(settings(state))
        }
        _ => return,
    };
    let same = |table: &Table| std::mem::discriminant(&table.rows) == std::mem::discriminant(&rows);
    let table = state.dialogs.iter_mut().rev().find_map(|dialog| match dialog {
        Dialog::Table(table) if same(table) => Some(table),
        _ => None,
    });
    if let Some(table) = table {
        table.rows = rows;
        table.loading = false;
        table.error = None;
    }
    clamp(state);
}

/// Rows of a group that is not in the list.
pub fn members(state: &mut State, key: Option<Key>, rows: Vec<MemberRow>) {
    let rows = Rows::Members(key.unwrap_or(Key(0)), rows);
    state.dialogs.push(Dialog::Table(Table { rows, selected: 0, loading: false, error: None }));
}

/// What a command changed is asked for again, if it is being looked at.
pub fn again(state: &mut State, fx: &mut Effects, command: &Command) {
    let wanted: Vec<Showing> = state
        .dialogs
        .iter()
        .filter_map(|dialog| match dialog {
            Dialog::Table(table) => match (&table.rows, command) {
                (Rows::Invites(_), Command::Accept { .. } | Command::Decline { .. } | Command::Invites) => {
                    Some(Showing::Invites)
                }
                (Rows::Devices(_), Command::RevokeDevice { .. }) => Some(Showing::Devices),
                (Rows::Roles(_), Command::RoleSet { .. }) => Some(Showing::Roles),
                (Rows::InviteLinks(_), Command::InviteLinkCreate { .. } | Command::InviteLinkRevoke { .. }) => {
                    Some(Showing::InviteLinks)
                }
                (Rows::ChangedKeys(_), Command::Accept { .. } | Command::Verify { .. }) => Some(Showing::ChangedKeys),
                (Rows::Members(key, _), Command::GroupAdd { .. } | Command::GroupRemove { .. }) => {
                    Some(Showing::Members(*key))
                }
                _ => None,
            },
            _ => None,
        })
        .collect();
    for what in wanted {
        ask(state, fx, what);
    }
}

fn settings(state: &State) -> Vec<[String; 3]> {
    let value =
        |name: &str, values: &[&str]| state.setting(name).or(values.first().copied()).unwrap_or_default().to_owned();
    let row =
        |(name, what, values): &(&str, &str, &[&str])| [(*name).to_owned(), value(name, values), (*what).to_owned()];
    SETTINGS.iter().map(row).collect()
}

/// Shows the settings as they are now.
pub fn refresh_settings(state: &mut State) {
    let rows = settings(state);
    for dialog in &mut state.dialogs {
        if let Dialog::Table(Table { rows: Rows::Settings(shown), .. }) = dialog {
            shown.clone_from(&rows);
        }
    }
}

/// The next value of a setting.
pub fn cycle(state: &mut State, fx: &mut Effects, name: &str) {
    let Some((_, _, values)) = SETTINGS.iter().find(|(known, _, _)| *known == name) else { return };
    let at = values.iter().position(|value| state.setting(name) == Some(value)).unwrap_or(0);
    let next = values[(at + 1) % values.len()];
    if name == DIRECT {
        let policy = match next {
            "always" => DirectPolicy::Always,
            "never" => DirectPolicy::Never,
            _ => DirectPolicy::Contacts,
        };
        return actions::act(state, fx, Action::Ask(Box::new(Command::Direct { policy: Some(policy) })));
    }
    // The first value is how it is without a setting.
    let value = (next != values[0]).then(|| next.to_owned());
    actions::set(state, fx, name.to_owned(), value);
}

/// The ways to begin.
pub fn welcome(state: &mut State) {
    state.dialogs.clear();
    let mut rows: Vec<(Action, &'static str, &'static str)> = Vec::new();
    if state.can_host {
        rows.push((Action::Open(FormKind::OwnServer), "Start here", "a server of your own on this machine"));
    }
    rows.push((Action::Open(FormKind::SignUp), "Join a server", "make an account; you need its link"));
    rows.push((Action::Open(FormKind::LogIn), "Log in", "with an account that you have"));
    rows.push((Action::Open(FormKind::Room), "Enter a room", "no account is needed"));
    rows.push((Action::Help, "Help", "keys and commands"));
    rows.push((Action::Quit, "Leave", ""));
    state.dialogs.push(Dialog::Table(Table { rows: Rows::Welcome(rows), selected: 0, loading: false, error: None }));
}

/// Whether the ways to begin are on top.
pub fn is_welcome(state: &State) -> bool {
    matches!(state.dialogs.last(), Some(Dialog::Table(Table { rows: Rows::Welcome(_), .. })))
}

fn count(rows: &Rows) -> usize {
    match rows {
        Rows::Invites(rows) => rows.len(),
        Rows::Devices(rows) => rows.len(),
        Rows::Roles(rows) => rows.len(),
        Rows::RoleLog(rows) => rows.len(),
        Rows::InviteLinks(rows) => rows.len(),
        Rows::ChangedKeys(rows) => rows.len(),
        Rows::Members(_, rows) => rows.len(),
        Rows::Settings(rows) => rows.len(),
        Rows::Welcome(rows) => rows.len(),
    }
}

fn clamp(state: &mut State) {
    for dialog in &mut state.dialogs {
        if let Dialog::Table(table) = dialog {
            table.selected = table.selected.min(count(&table.rows).saturating_sub(1));
        }
    }
}

/// A key was pressed.
pub fn press(state: &mut State, fx: &mut Effects, key: KeyEvent) {
    let Some(Dialog::Table(table)) = state.dialogs.last_mut() else { return };
    let last = count(&table.rows).saturating_sub(1);
    match key.code {
        KeyCode::Up => table.selected = table.selected.saturating_sub(1),
        KeyCode::Down => table.selected = (table.selected + 1).min(last),
        KeyCode::PageUp => table.selected = table.selected.saturating_sub(10),
        KeyCode::PageDown => table.selected = (table.selected + 10).min(last),
        KeyCode::Home => table.selected = 0,
        KeyCode::End => table.selected = last,
        KeyCode::Enter => does(state, fx, '\n'),
        KeyCode::Char(c) => does(state, fx, c.to_ascii_lowercase()),
        _ => {}
    }
}

/// What a key does with the selected row.
fn does(state: &mut State, fx: &mut Effects, key: char) {
    let Some(Dialog::Table(table)) = state.dialogs.last() else { return };
    let at = table.selected;
    let ask = |command| Some(Action::Ask(Box::new(command)));
    let verify = |name: &str| Some(Action::Ask(Box::new(Command::Verify { name: person(name).ok()?, confirm: false })));
    let write = |name: &str| Some(Action::To(Target::Person(person(name).ok()?)));
    let action = match &table.rows {
        Rows::Invites(rows) => rows.get(at).and_then(|row| match key {
            '\n' | 'a' => ask(Command::Accept { id: row.answer.clone() }),
            'd' => ask(Command::Decline { id: row.answer.clone() }),
            _ => None,
        }),
        Rows::Devices(rows) => {
            if let Some(row) = rows.get(at).filter(|_| key == 'x') {
                let text = format!("The device {} leaves your account and all chats.", row.name);
                let end = if row.this { Command::LogOut } else { Command::RevokeDevice { device: row.id } };
                actions::ask_first(state, "End this device?", text, "end it", Action::Ask(Box::new(end)));
            }
            None
        }
        Rows::Roles(rows) => rows.get(at).map(|row| row.name.clone()).and_then(|name| match key {
            '\n' => write(&name),
            'v' => verify(&name),
            'r' => {
                change_role(state, &name);
                None
            }
            'l' => Some(Action::Show(Showing::RoleLog)),
            _ => None,
        }),
        Rows::InviteLinks(_) if key == 'n' => Some(Action::Open(FormKind::InviteLink)),
        Rows::InviteLinks(rows) => rows.get(at).and_then(|row| match key {
            'c' => Some(Action::Copy(row.code.clone())),
            'x' => ask(Command::InviteLinkRevoke { code: row.code.clone() }),
            _ => None,
        }),
        Rows::ChangedKeys(rows) => rows.get(at).and_then(|row| match key {
            'v' => verify(&row.name),
            'a' => ask(Command::Accept { id: format!("@{}", row.name) }),
            _ => None,
        }),
        Rows::Members(group, _) if key == 'a' => Some(Action::Open(FormKind::Add(*group))),
        Rows::Members(group, rows) => {
            let group = *group;
            rows.get(at).map(|row| row.name.clone()).and_then(|name| match key {
                '\n' => write(&name),
                'v' => verify(&name),
                'x' => {
                    remove(state, group, &name);
                    None
                }
                _ => None,
            })
        }
        Rows::Settings(rows) => {
            rows.get(at).filter(|_| matches!(key, '\n' | ' ')).map(|[name, _, _]| Action::Cycle(name.clone()))
        }
        Rows::Welcome(rows) => rows.get(at).filter(|_| key == '\n').map(|(action, _, _)| action.clone()),
        Rows::RoleLog(_) => None,
    };
    if let Some(action) = action {
        actions::act(state, fx, action);
    }
}

fn change_role(state: &mut State, name: &str) {
    forms::open(state, FormKind::Role);
    if let Some(Dialog::Form(form)) = state.dialogs.last_mut()
        && let Some(Value::Text(editor)) = form.fields.first_mut().map(|field| &mut field.value)
    {
        editor.set(&format!("@{name}"));
        form.focus = 1;
    }
}

fn remove(state: &mut State, group: Key, name: &str) {
    let (Some(target), Ok(member)) = (state.entry(group).and_then(Entry::target), person(name)) else { return };
    let text = format!("@{name} gets no more messages of {target}, and no longer has the keys.");
    let command = Command::GroupRemove { group: target, members: vec![member] };
    actions::ask_first(state, "Remove from the group?", text, "remove", Action::Ask(Box::new(command)));
}
