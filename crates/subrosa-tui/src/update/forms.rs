//! Forms: what they ask, and what becomes of the answers.

use subrosa_client::api::{Command, Secret};
use subrosa_types::Role;
use zeroize::Zeroizing;

use super::{Effects, call, sessions};
use crate::state::State;
use crate::state::dialog::{Dialog, Field, Form, FormKind, Value};
use crate::state::effect::{Ask, Effect, Entrance};
use crate::state::entry::{Entry, Key};
use crate::text::editor::Editor;
use crate::words::{group_title, people, person};

const fn field(label: &'static str, hint: &'static str, value: Value) -> Field {
    Field { label, hint, value }
}

fn text(label: &'static str, hint: &'static str) -> Field {
    field(label, hint, Value::Text(Editor::default()))
}

fn secret(label: &'static str, hint: &'static str) -> Field {
    field(label, hint, Value::Secret(Editor::for_secret()))
}

/// Opens a form.
pub fn open(state: &mut State, kind: FormKind) {
    if state.me.is_some() && super::actions::is_entrance(&kind) {
        return state.complain("there is an account here already; for another one, start with another --home");
    }
    let (title, explanation, fields) = what(state, &kind);
    let form = Form { kind, title, text: explanation, fields, focus: 0, error: None, busy: false };
    state.dialogs.push(Dialog::Form(form));
}

fn what(state: &State, kind: &FormKind) -> (String, &'static str, Vec<Field>) {
    let place = |key: &Key| state.entry(*key).map(|entry| entry.title.clone()).unwrap_or_default();
    match kind {
        FormKind::SignUp => (
            "Make an account".to_owned(),
            "The password never leaves this program, and nobody can reset it for you. Four random words are a good one.",
            vec![
                text("Server link", "subrosa://HOST:PORT/FINGERPRINT"),
                text("Your name", "how others see you"),
                secret("Password", ""),
                secret("Again", "to be sure"),
                text("Email", "optional; no other user sees it"),
                text("Invitation", "where the server wants one"),
                text("Setup code", "only for a server's first account"),
                field("More devices", "", Value::Choice(&["allowed", "this one only"], 0)),
            ],
        ),
        FormKind::OwnServer => (
            "A server of your own".to_owned(),
            "It runs on this machine, as long as this program does. You are its super admin. Others join with its link, \
             which you see next. Four random words are a good password.",
            vec![text("Your name", "how others see you"), secret("Password", ""), secret("Again", "to be sure")],
        ),
        FormKind::LogIn => (
            "Log in".to_owned(),
            "This device becomes a further one of your account. It sees what is written from now on.",
            vec![
                text("Server link", "subrosa://HOST:PORT/FINGERPRINT"),
                text("Your name", ""),
                secret("Password", ""),
                field("Account key", "", Value::Choice(&["as it is", "lost: start over, ends other devices"], 0)),
            ],
        ),
        FormKind::NewChat => ("New chat".to_owned(), "", vec![text("With", "@name")]),
        FormKind::NewGroup => (
            "New group".to_owned(),
            "Everybody whom you name is invited.",
            vec![text("Title", "garden"), text("Members", "@bob @carol")],
        ),
        FormKind::Add(key) => (format!("Add to {}", place(key)), "", vec![text("Whom", "@bob @carol")]),
        FormKind::Remove(key) => (
            format!("Remove from {}", place(key)),
            "Who is removed gets no more messages and no longer has the keys.",
            vec![text("Whom", "@bob @carol")],
        ),
        FormKind::Rename(key) => (format!("Rename {}", place(key)), "", vec![text("New title", "")]),
        FormKind::Role => (
            "Change a role".to_owned(),
            "super-admin is handed over: you become an admin when the other side accepts.",
            vec![
                text("Whose", "@name"),
                field("Role", "", Value::Choice(&["beginner", "advanced", "admin", "super-admin"], 1)),
            ],
        ),
        FormKind::InviteLink => (
            "Invitation to sign up".to_owned(),
            "For servers that let in who has one.",
            vec![
                field("Accounts", "", Value::Text(Editor::with("1"))),
                field("Good for", "", Value::Choice(&["1 day", "7 days", "30 days", "until revoked"], 1)),
            ],
        ),
        FormKind::Room => (
            "Enter a room".to_owned(),
            "No account is needed where the server lets guests in. Nothing of a room is kept.",
            vec![
                field("Room", "", Value::Text(Editor::with("lobby"))),
                text("Server", "its link or address; empty: yours, or 127.0.0.1:5535"),
                text("Your name", "empty: that of your account, or a random one"),
            ],
        ),
        FormKind::Compare(name) => (
            format!("Compare with @{name}"),
            "What a scanner reads in the QR code that they show you.",
            vec![text("Code", "subrosa-verify:1/…")],
        ),
    }
}

/// The form is filled in.
pub fn submit(state: &mut State, fx: &mut Effects) {
    let Some(Dialog::Form(form)) = state.dialogs.last() else { return };
    let answers: Vec<Zeroizing<String>> =
        form.fields.iter().map(|field| Zeroizing::new(field.value.text().to_owned())).collect();
    let outcome = understand(state, &form.kind, &answers);
    let Some(Dialog::Form(form)) = state.dialogs.last_mut() else { return };
    form.error = None;
    match outcome {
        Err(why) => form.error = Some(why),
        Ok(Filled::Ask(command)) => {
            form.busy = true;
            call(fx, Ask::Form(command.clone()), *command);
        }
        Ok(Filled::Enter(entrance)) => {
            form.busy = true;
            fx.push(Effect::Enter(entrance));
        }
        Ok(Filled::Chat(target)) => {
            state.dialogs.clear();
            super::go::to(state, fx, target);
        }
        Ok(Filled::Room(room, server, name)) => {
            state.dialogs.clear();
            sessions::enter(state, fx, room, server, name);
        }
    }
}

enum Filled {
    Ask(Box<Command>),
    Enter(Entrance),
    Chat(subrosa_client::api::Target),
    Room(String, String, String),
}

fn understand(state: &State, kind: &FormKind, answers: &[Zeroizing<String>]) -> Result<Filled, String> {
    let answer = |at: usize| answers.get(at).map_or("", |answer| answer.trim());
    // A password is what was typed, to the space.
    let secret = |at: usize| Secret(answers.get(at).map(|answer| answer.as_str().to_owned()).unwrap_or_default());
    let optional = |at: usize| Some(answer(at).to_owned()).filter(|text| !text.is_empty());
    let ask = |command| Ok(Filled::Ask(Box::new(command)));
    let group = |key: &Key| {
        state.entry(*key).and_then(Entry::target).ok_or_else(|| "this group is not there any more".to_owned())
    };
    let sign_up = |server: &str, name: &str, first: usize| -> Result<Command, String> {
        person(name)?;
        if secret(first).0.is_empty() {
            return Err("choose a password".to_owned());
        }
        if secret(first) != secret(first + 1) {
            return Err("the two passwords are not the same".to_owned());
        }
        Ok(Command::SignUp {
            server: server.to_owned(),
            username: name.to_owned(),
            password: secret(first),
            email: None,
            invite: None,
            setup: None,
            vault: true,
            device: String::new(),
        })
    };
    match kind {
        FormKind::SignUp => {
            check_link(answer(0))?;
            let mut command = sign_up(answer(0), answer(1), 2)?;
            if let Command::SignUp { email, invite, setup, vault, .. } = &mut command {
                (*email, *invite, *setup) = (optional(4), optional(5), optional(6));
                *vault = answer(7) == "allowed";
            }
            Ok(Filled::Enter(Entrance::At(Box::new(command))))
        }
        FormKind::OwnServer => Ok(Filled::Enter(Entrance::Own(Box::new(sign_up("", answer(0), 1)?)))),
        FormKind::LogIn => {
            check_link(answer(0))?;
            person(answer(1))?;
            Ok(Filled::Enter(Entrance::At(Box::new(Command::LogIn {
                server: optional(0),
                username: answer(1).to_owned(),
                password: secret(2),
                device: String::new(),
                danger_reset_key: answer(3).starts_with("lost"),
            }))))
        }
        FormKind::NewChat => Ok(Filled::Chat(subrosa_client::api::Target::Person(person(answer(0))?))),
        FormKind::NewGroup => ask(Command::GroupCreate { title: group_title(answer(0))?, members: people(answer(1))? }),
        FormKind::Add(key) => ask(Command::GroupAdd { group: group(key)?, members: some_people(answer(0))? }),
        FormKind::Remove(key) => ask(Command::GroupRemove { group: group(key)?, members: some_people(answer(0))? }),
        FormKind::Rename(key) => ask(Command::GroupRename { group: group(key)?, title: group_title(answer(0))? }),
        FormKind::Role => {
            let role: Role = answer(1).parse().map_err(|error: subrosa_types::role::UnknownRole| error.to_string())?;
            ask(Command::RoleSet { name: person(answer(0))?, role })
        }
        FormKind::InviteLink => {
            let uses = answer(0).parse().map_err(|_| "say how many accounts may use it, as 3".to_owned())?;
            let days = |days: u64| Some(days * 24 * 60 * 60);
            let expires_in = match answer(1) {
                "1 day" => days(1),
                "7 days" => days(7),
                "30 days" => days(30),
                _ => None,
            };
            ask(Command::InviteLinkCreate { uses, expires_in })
        }
        FormKind::Room => Ok(Filled::Room(answer(0).to_owned(), answer(1).to_owned(), answer(2).to_owned())),
        FormKind::Compare(name) => ask(Command::Compare { name: person(name)?, uri: answer(0).to_owned() }),
    }
}

fn some_people(text: &str) -> Result<Vec<subrosa_types::Username>, String> {
    let people = people(text)?;
    if people.is_empty() { Err("say whom: @name".to_owned()) } else { Ok(people) }
}

fn check_link(link: &str) -> Result<(), String> {
    link.parse::<subrosa_wire::ServerLink>()
        .map(|_| ())
        .map_err(|error| format!("{error} (it looks like subrosa://HOST:PORT/FINGERPRINT)"))
}
