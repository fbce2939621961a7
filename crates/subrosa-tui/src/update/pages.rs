//! Pages: help, who one is, keys, the safety number with its QR code, links for others.

use qrcode::{Color, EcLevel, QrCode};
use subrosa_client::api::{Command, InviteLinkRow, KeyOwner, KeyRow, Reply, WhoAmI};
use subrosa_types::Ability;

use crate::state::State;
use crate::state::action::{Action, Showing};
use crate::state::dialog::{Dialog, FormKind, Page, PageLine};
use crate::state::entry::Kind;
use crate::words::{WORDS, person};

/// Light modules around a QR code: four as the standard wants it, one where the screen has no room for more.
const QUIET: usize = 4;
const NARROW: usize = 1;
/// Rows that a code with its whole quiet zone needs.
const TALL: u16 = 28;

/// What keys there are.
const KEYS: [(&str, &str); 22] = [
    ("Enter", "send; Alt+Enter, Shift+Enter or Ctrl+J: a new line"),
    ("Tab", "complete names, #groups and /commands"),
    ("Up, Down", "what you entered before"),
    ("Ctrl+A E B F", "begin, end of the line; a character back, forth"),
    ("Alt+B F D", "a word back, forth; kill it"),
    ("Ctrl+W U K Y", "kill a word, to the begin, to the end; put it back"),
    ("Ctrl+K, F2", "go to a chat, find people, do anything (at the end of the line)"),
    ("Alt+1…9", "go to that chat of the list"),
    ("Alt+A", "go to the next chat with something unread"),
    ("Alt+←→, Ctrl+P N", "the chat before, the next one"),
    ("PgUp, PgDn", "move in the messages; Alt+End: the latest"),
    ("Ctrl+R", "search for messages"),
    ("F4", "invitations and first messages"),
    ("Alt+R", "send again what was not sent"),
    ("Alt+L, Alt+M", "show or hide the chats, the members"),
    ("F1", "this page"),
    ("Esc", "close; to the end of the chat"),
    ("Ctrl+C", "throw away what is typed; twice: leave"),
    ("Ctrl+L", "draw the screen anew"),
    ("Ctrl+Z", "stop; fg in the shell goes on"),
    ("Ctrl+Q, Ctrl+D", "leave"),
    ("Mouse", "click a chat, turn the wheel; Shift selects text"),
];

/// The list of keys and commands.
pub fn help() -> Page {
    let strong = |text: &str| PageLine::Strong(text.to_owned());
    let mut lines = vec![strong("Keys")];
    lines.extend(KEYS.iter().map(|(key, does)| PageLine::Text(format!("{key:<18} {does}"))));
    lines.extend([PageLine::Text(String::new()), strong("Commands")]);
    for (word, takes, does) in WORDS {
        let usage = format!("/{word} {takes}");
        if usage.chars().count() > 26 {
            lines.push(PageLine::Text(usage));
            lines.push(PageLine::Text(format!("{:<27}{does}", "")));
        } else {
            lines.push(PageLine::Text(format!("{usage:<26} {does}")));
        }
    }
    lines.push(PageLine::Text(String::new()));
    lines.push(PageLine::Text(
        "A line that begins with / is a command or a mistake, never a message; // sends one with a /.".into(),
    ));
    lines.push(PageLine::Text(
        "Signs: … on its way, ○ kept until the server is reached, ! not sent, ✓ on their device; a chat's ⇄ is a direct link, \
         ✎ a draft, ! nothing can be sent there."
            .into(),
    ));
    Page { title: "Help".to_owned(), lines, scroll: 0, keys: Vec::new() }
}

/// Everything that can be done, for the switcher. What a role does not allow is left out.
pub fn commands(state: &State) -> Vec<(&'static str, &'static str, Action)> {
    let mut all: Vec<(&'static str, &'static str, Action)> = Vec::new();
    let ask = |command| Action::Ask(Box::new(command));
    let may = |ability| state.me.as_ref().is_some_and(|me| me.role.may(ability));
    if let Some(entry) = state.open() {
        match entry.kind {
            Kind::Group => {
                all.push(("Members", "of this group", Action::Show(Showing::Members(entry.key))));
                if may(Ability::ChangeMembers) {
                    all.push(("Add people", "to this group", Action::Open(FormKind::Add(entry.key))));
                    all.push(("Remove people", "from this group", Action::Open(FormKind::Remove(entry.key))));
                    all.push(("Rename", "this group", Action::Open(FormKind::Rename(entry.key))));
                }
            }
            Kind::Private => {
                if let Ok(name) = person(&entry.title) {
                    all.push(("Verify", "compare the safety number", ask(Command::Verify { name, confirm: false })));
                }
            }
            Kind::Room => {
                all.push(("Who is here", "in this room", Action::RoomNames));
                all.push(("Words to compare", "with the others in this room", Action::SessionVerify));
                all.push(("Leave the room", "", Action::LeaveSession(entry.key)));
            }
        }
        if entry.is_chat() {
            all.push(("Search here", "Ctrl+R", Action::Search(Some(entry.key), String::new())));
        }
    }
    if state.me.is_some() {
        all.push(("New chat", "by name", Action::Open(FormKind::NewChat)));
        if may(Ability::CreateGroup) {
            all.push(("New group", "", Action::Open(FormKind::NewGroup)));
        }
        all.push(("Invitations", "F4", Action::Show(Showing::Invites)));
        all.push(("Search everywhere", "", Action::Search(None, String::new())));
        all.push(("People and roles", "", Action::Show(Showing::Roles)));
        if may(Ability::ReadAudit) {
            all.push(("Changes of roles", "", Action::Show(Showing::RoleLog)));
        }
        all.push(("Server link", "for others", Action::ServerLink));
        if may(Ability::InviteToServer) {
            all.push(("Invitations to sign up", "", Action::Show(Showing::InviteLinks)));
        }
        all.push(("Your devices", "", Action::Show(Showing::Devices)));
        all.push(("Changed keys", "", Action::Show(Showing::ChangedKeys)));
        all.push(("Your public keys", "", ask(Command::ExportKeys { danger_private: false })));
        all.push(("Who am I", "", ask(Command::WhoAmI)));
        all.push(("Reload", "bring everything up to date", ask(Command::Reload)));
    } else {
        all.push(("Join a server", "make an account", Action::Open(FormKind::SignUp)));
        all.push(("Log in", "", Action::Open(FormKind::LogIn)));
    }
    all.push(("Enter a room", "no account is needed", Action::Open(FormKind::Room)));
    all.push(("Settings", "", Action::Show(Showing::Settings)));
    all.push(("Help", "F1", Action::Help));
    all.push(("Leave Subrosa", "Ctrl+Q", Action::Quit));
    all
}

/// Who one is.
pub fn who_am_i(who: &WhoAmI) -> Page {
    let row = |what: &str, value: &str| PageLine::Text(format!("{what:<8} {value}"));
    let lines = vec![
        row("name", &format!("@{}", who.name)),
        row("role", who.role.as_str()),
        row("server", &who.server),
        row("device", &who.device.to_string()),
    ];
    Page { title: "Who you are".to_owned(), lines, scroll: 0, keys: Vec::new() }
}

/// Public keys, in the form that other programs read.
pub fn keys(rows: &[KeyRow]) -> Page {
    let mut lines = Vec::new();
    let mut all = String::new();
    for row in rows {
        let whose = match row.owner {
            KeyOwner::Account => format!("Account @{} ({})", row.name, row.id),
            KeyOwner::Device => format!("Device {} of @{}", row.id, row.name),
        };
        all.push_str(&format!("{whose}\n{}\n", row.public.trim_end()));
        lines.push(PageLine::Strong(whose));
        lines.extend(row.public.trim_end().lines().map(|line| PageLine::Text(line.to_owned())));
        lines.push(PageLine::Text(String::new()));
    }
    lines.push(PageLine::Text("Private keys leave only with `subrosa export`.".to_owned()));
    Page { title: "Your public keys".to_owned(), lines, scroll: 0, keys: vec![('c', "copy", Action::Copy(all))] }
}

/// The safety number with somebody: words, digits, and the code to scan.
pub fn safety_number(state: &State, name: &str, reply: &Reply) -> Option<Page> {
    let Reply::SafetyNumber { digits, words, uri, verified, changed } = reply else { return None };
    let mut lines = Vec::new();
    let mut rows = |text: &str, count: usize| {
        let parts: Vec<&str> = text.split_whitespace().collect();
        lines.extend(parts.chunks(count).map(|part| PageLine::Strong(part.join(" "))));
    };
    rows(words, 6);
    rows(digits, 6);
    let said = match (changed, verified) {
        (true, _) => "Their key has changed since you accepted it. Compare before you trust it.",
        (false, true) => "You have compared it: verified.",
        (false, false) => {
            "Compare the words or the digits with what they see, in person or by a call in which you know their voice, not by \
             chat. If they are the same, press M. Or scan: Q shows your code to them, S takes what their code says."
        }
    };
    lines.push(PageLine::Text(said.to_owned()));
    let quiet = if state.size.1 >= TALL { QUIET } else { NARROW };
    let code = code(uri, state.theme != crate::theme::Theme::Plain, quiet);
    let name = person(name).ok()?;
    let compare = Action::Open(FormKind::Compare(name.to_string()));
    let title = format!("Safety number with @{name}");
    let scanned = Action::Read(format!("Let @{name} scan this"), code);
    let mark = Action::Ask(Box::new(Command::Verify { name, confirm: true }));
    let keys = vec![('m', "mark as compared", mark), ('q', "code", scanned), ('s', "scanned", compare)];
    Some(Page { title, lines, scroll: 0, keys })
}

/// A QR code in half blocks; nothing if it would be too large. Without colours the light modules are drawn.
pub fn code(text: &str, coloured: bool, quiet: usize) -> Vec<String> {
    // Large and small letters mean the same there; in large ones, a code is smaller.
    let Ok(code) = QrCode::with_error_correction_level(text.to_ascii_uppercase(), EcLevel::M) else {
        return Vec::new();
    };
    let (width, modules) = (code.width(), code.to_colors());
    let side = width + 2 * quiet;
    let is_dark = |x: usize, y: usize| {
        let within = quiet..quiet + width;
        within.contains(&x) && within.contains(&y) && modules[(y - quiet) * width + x - quiet] == Color::Dark
    };
    let line = |top: usize| {
        let cell = |x: usize| match (is_dark(x, top) == coloured, is_dark(x, top + 1) == coloured) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        (0..side).map(cell).collect()
    };
    (0..side).step_by(2).map(line).collect()
}

/// The link that others join with.
pub fn server_link(state: &mut State) {
    let link = state.hosting.clone().or_else(|| state.me.as_ref().map(|me| me.server.clone()));
    let Some(link) = link else { return state.complain("there is no server yet") };
    let own = "Your server runs on this machine, as long as this program does. Others on this machine join with:";
    let lines = vec![
        PageLine::Text(if state.hosting.is_some() { own } else { "Others join this server with:" }.to_owned()),
        PageLine::Text(String::new()),
        PageLine::Strong(link.clone()),
        PageLine::Text(String::new()),
        PageLine::Text(
            "in `subrosa tui`, or with `subrosa signup -s LINK -u NAME`. Give it to them by a way that you trust: \
                        it has the fingerprint of the server's key."
                .to_owned(),
        ),
    ];
    let keys = vec![('c', "copy", Action::Copy(link))];
    state.dialogs.push(Dialog::Page(Page { title: "The link for others".to_owned(), lines, scroll: 0, keys }));
}

/// An invitation to sign up, fresh.
pub fn invite_link(state: &mut State, rows: &[InviteLinkRow]) {
    let Some(row) = rows.first() else { return state.say("done") };
    let link = state.me.as_ref().map(|me| me.server.clone()).unwrap_or_default();
    let lines = vec![
        PageLine::Text("Who has this code can make an account:".to_owned()),
        PageLine::Strong(row.code.clone()),
        PageLine::Text(String::new()),
        PageLine::Text("at the server".to_owned()),
        PageLine::Strong(link),
    ];
    let keys = vec![('c', "copy the code", Action::Copy(row.code.clone()))];
    state.dialogs.push(Dialog::Page(Page { title: "Invitation".to_owned(), lines, scroll: 0, keys }));
}
